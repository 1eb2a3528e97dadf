"""The recipe of the shipped weights, in small: slices that stop by the clock go on and end in the weights of a straight run."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from dancer_pack import dancer_pack  # noqa: F401
from test_train import QUICK, quiet, same_weights

pytest.importorskip("numba")
sys.path.insert(0, str(Path(__file__).parent.parent / "tools"))

from train_shipped import Recipe, shipped_recipe, train_recipe

from dancepipe.model.networks import load_networks
from dancepipe.render_dancers.options import RenderDancersOptions


def small_recipe(assets) -> Recipe:
    people = RenderDancersOptions(identities=2, frames=2, seed=1, size_px=64, test_share=0.0, workers=1, assets=str(assets))
    first = replace(QUICK, stage1_steps=2, stage2_steps=0, sample_every=100)
    return Recipe(people, (("32", first), ("48", replace(first, height_px=48, width_px=48))))


def test_slices_end_in_the_weights_of_a_straight_run(dancer_pack, tmp_path):  # noqa: F811
    straight = train_recipe(small_recipe(dancer_pack), tmp_path / "straight", 0, quiet)
    assert load_networks(straight).dims.size_hw == (48, 48)
    slices, weights, said = 0, None, []
    while weights is None:
        slices += 1
        assert slices < 60
        weights = train_recipe(small_recipe(dancer_pack), tmp_path / "sliced", 0.05, said.append)
    assert slices > 1 and any("as asked" in line for line in said)
    assert same_weights(weights.parent, straight.parent)
    again = train_recipe(small_recipe(dancer_pack), tmp_path / "sliced", 0.05, quiet)
    assert again == weights, "what is done is not done again"


def test_the_recipe_that_ships_is_whole_and_small_enough():
    recipe = shipped_recipe(None)
    assert [options.height_px for _, options in recipe.parts] == [128, 256] and recipe.people.degraded
    assert all(options.preset == "live" and options.perceptual == "none" for _, options in recipe.parts)
    assert recipe.people.truth or not any(options.weights.flow_exact for _, options in recipe.parts), "exact flow is learnt from where there is some"
