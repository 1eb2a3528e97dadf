"""The recipe of the shipped weights, in small: slices that stop by the clock go on and end in
the weights of a straight run."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from dancer_pack import dancer_pack  # noqa: F401
from hearing import hearing
from test_train import QUICK, same_weights

pytest.importorskip("numba")
sys.path.insert(0, str(Path(__file__).parent.parent / "tools"))

from train_shipped import PartFailedError, Recipe, shipped_recipe, train_recipe

from dancepipe.errors import ConfigError
from dancepipe.filming.options import RenderDancersOptions
from dancepipe.systems.focus_retain.networks import load_networks


def small_recipe(assets) -> Recipe:
    people = RenderDancersOptions(
        identities=2, frames=2, seed=1, size_px=64, test_share=0.0, workers=1, assets=str(assets)
    )
    first = replace(QUICK, stage1_steps=2, stage2_steps=0, sample_every=100)
    return Recipe(people, (("32", first), ("48", replace(first, height_px=48, width_px=48))))


def test_slices_end_in_the_weights_of_a_straight_run(dancer_pack, tmp_path):
    straight = train_recipe(small_recipe(dancer_pack), tmp_path / "straight", 0)
    assert load_networks(straight).dims.size_hw == (48, 48)
    slices, weights, said = 0, None, []
    while weights is None:
        slices += 1
        assert slices < 60
        with hearing(said.append):
            weights = train_recipe(small_recipe(dancer_pack), tmp_path / "sliced", 0.05)
    assert slices > 1 and any("as asked" in line for line in said)
    assert same_weights(weights.parent, straight.parent)
    again = train_recipe(small_recipe(dancer_pack), tmp_path / "sliced", 0.05)
    assert again == weights, "what is done is not done again"


def test_in_two_processes_too_each_part_starts_from_the_one_before(dancer_pack, tmp_path):
    recipe = small_recipe(dancer_pack)
    small_steps = {
        "learning_rate": 1e-5
    }  # Adam may turn a number of no gradient by two of them a step
    parts = tuple(
        (name, replace(options, seed=seed, **small_steps))
        for seed, (name, options) in enumerate(recipe.parts)
    )
    one, two = (
        train_recipe(Recipe(recipe.people, parts), tmp_path / str(n), 0, processes=n)
        for n in (1, 2)
    )
    alike = (
        load_networks(one).flow_attention.state_dict(),
        load_networks(two).flow_attention.state_dict(),
    )
    for name, tensor in alike[0].items():
        assert (tensor - alike[1][name]).abs().max() < 1e-4, (
            f"{name}: the second part does not start from the first"
        )


def test_a_part_that_fails_in_its_processes_says_so(dancer_pack, tmp_path, capfd):
    recipe = small_recipe(dancer_pack)
    wrong = Recipe(
        recipe.people,
        tuple((name, replace(options, height_px=40)) for name, options in recipe.parts),
    )
    with pytest.raises(PartFailedError, match="training 32 failed"):
        train_recipe(wrong, tmp_path, 0, processes=2)
    assert "multiple" in capfd.readouterr().err


STOPPED = """
import sys
from dataclasses import replace
import train_shipped
from test_train_shipped import Recipe, small_recipe

recipe = small_recipe(sys.argv.pop())
long = tuple((name, replace(options, stage1_steps=100_000)) for name, options in recipe.parts)
train_shipped.shipped_recipe = lambda *given: Recipe(recipe.people, long)
train_shipped.main()
"""


def test_sigterm_ends_the_processes_of_a_part_too(dancer_pack, tmp_path):
    state = tmp_path / "state"
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    command = [
        sys.executable,
        "-c",
        STOPPED,
        "--state",
        str(state),
        "--processes",
        "2",
        str(dancer_pack),
    ]
    with subprocess.Popen(
        command,
        env=os.environ | {"PYTHONPATH": path},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as running:
        try:
            wait_for(
                lambda: (
                    (state / "32" / "log.jsonl").exists()
                    and (state / "32" / "log.jsonl").read_text().count("\n") > 2
                )
            )
        finally:
            running.send_signal(signal.SIGTERM)
        assert running.wait(timeout=60) == 130
    wait_for(lambda: not processes_of(state))


def wait_for(condition, seconds: float = 120) -> None:
    stop = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < stop
        time.sleep(0.1)


def processes_of(state: Path) -> list[str]:
    """Command lines of running processes that name the folder."""
    found = subprocess.run(
        ["ps", "-eo", "args"], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    return [line for line in found if str(state) in line]


def test_processes_that_cannot_share_a_batch_are_refused_before_anything_is_rendered(
    dancer_pack, tmp_path
):
    for processes in (0, 3):
        with pytest.raises(
            ConfigError, match=f"{processes} processes cannot share the batch of 2 of part 32"
        ):
            train_recipe(small_recipe(dancer_pack), tmp_path, 0, processes=processes)
    assert not list(tmp_path.iterdir())


def test_the_recipe_that_ships_is_whole_and_small_enough():
    recipe = shipped_recipe(None)
    assert [options.height_px for _, options in recipe.parts] == [
        128,
        256,
    ] and recipe.people.degraded
    with_enhancer = shipped_recipe(None, enhancer=True)
    assert (
        with_enhancer.parts[:2] == recipe.parts and with_enhancer.parts[2][1].stage1_steps == 0
    ), "the enhancer learns from the finished coarse pictures"
    assert all(
        options.preset == "live" and options.perceptual == "none" for _, options in recipe.parts
    )
    assert recipe.people.truth or not any(
        options.weights.flow_exact for _, options in recipe.parts
    ), "exact flow is learnt from where there is some"


def test_streamed_people_follow_the_same_recipe():
    stored, streamed = (shipped_recipe("pack", stream, enhancer=True) for stream in (False, True))
    assert (
        streamed.people.test_share == 1
        and streamed.people.seed == stored.people.seed
        and streamed.people.degraded
    )
    for (name, one), (other_name, other) in zip(stored.parts, streamed.parts, strict=True):
        assert name == other_name and other.stream and other.assets == "pack"
        assert replace(other, stream=False, assets=None, workers=one.workers) == one
