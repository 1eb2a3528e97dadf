"""Training on people who are rendered meanwhile: nobody held out, and a resumed run sees the
same."""

import json
from dataclasses import replace

import pytest
from dancer_pack import dancer_pack  # noqa: F401
from hearing import hearing
from test_store import write
from test_train import QUICK, same_weights

pytest.importorskip("numba")

from dancepipe.errors import ConfigError, DatasetError
from dancepipe.filming.options import RenderDancersOptions
from dancepipe.filming.render_dancers import render_dancers
from dancepipe.synthetic.assets import load_assets
from dancepipe.synthetic.person import draw_person
from dancepipe.synthetic.stream import pairs_by_recipe
from dancepipe.systems.focus_retain.loss_weights import LossWeights
from dancepipe.training.train import train

WEIGHTS = LossWeights(adversarial=0.0, adversarial_face=0.0, flow_exact=20.0)


@pytest.fixture(scope="module")
def rendered(dancer_pack, tmp_path_factory):
    """A data set of held-out people alone."""
    folder = tmp_path_factory.mktemp("rendered")
    render_dancers(
        folder,
        RenderDancersOptions(
            identities=1,
            frames=3,
            seed=1,
            size_px=48,
            degraded=True,
            test_share=1.0,
            workers=1,
            assets=str(dancer_pack),
        ),
    )
    return folder


@pytest.fixture()
def streaming(dancer_pack):
    return replace(
        QUICK, stream=True, assets=str(dancer_pack), weights=WEIGHTS, stage1_steps=4, stage2_steps=2
    )


def test_a_run_without_pictures_of_its_own_trains_and_resumes(rendered, streaming, tmp_path):
    said = []
    with hearing(said.append):
        train(rendered, tmp_path / "straight", streaming)
    assert "data: people who are rendered as they are needed; held out: 1 people" in said
    first = json.loads((tmp_path / "straight" / "log.jsonl").read_text().splitlines()[0])
    assert first["flow_exact"] > 0, "pairs know their flow"
    train(
        rendered,
        tmp_path / "resumed",
        replace(streaming, stage1_steps=2, stage2_steps=0),
    )
    (tmp_path / "resumed" / "weights.safetensors").unlink()
    train(rendered, tmp_path / "resumed", replace(streaming, workers=2), resume=True)
    assert same_weights(tmp_path / "straight", tmp_path / "resumed")


def test_the_people_are_like_those_of_the_data_set_and_others(rendered, dancer_pack, tmp_path):
    """Also where the run has the seed of the data set; not even the build of a held-out person
    comes back."""
    pairs = pairs_by_recipe(rendered, str(dancer_pack), 1, (48, 48), 4, with_flow=True)
    assert (
        pairs.frame_options.degraded
        and pairs.stream.block == 4
        and pairs[0]["flow"].shape == (48, 48, 2)
    )
    assets = load_assets(dancer_pack)
    held_out = {repr(draw_person(assets, (1, number)).body) for number in range(4)}
    streamed = {repr(pairs._person(number, 0).body) for number in range(4)}
    assert len(held_out | streamed) == 8
    bigger = pairs.at((64, 64))
    assert bigger[0]["target_image"].shape == (64, 64, 3) and bigger.facts != pairs.facts
    recipe = json.loads((rendered / "dataset.json").read_text())
    for name, seed in (("same", 1), ("others", 2)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "dataset.json").write_text(json.dumps(recipe | {"seed": seed}))
        moved = pairs_by_recipe(tmp_path / name, str(dancer_pack), 1, (48, 48), 4, with_flow=True)
        assert (moved.facts == pairs.facts) == (name == "same"), (
            "a run goes on with the people that are held out for it"
        )


def test_people_who_are_gone_are_forgotten(rendered, dancer_pack):
    """10 MB each: a worker of one lane would fill its machine in hours."""
    pairs = pairs_by_recipe(rendered, str(dancer_pack), 1, (32, 32), 4, with_flow=False)
    lanes, block = pairs.stream.lanes, pairs.stream.block
    for generation in range(5):
        for place in range(block):
            pairs[generation * lanes * block + place]
    assert len(pairs._people) <= pairs.stream.cast
    assert {identity // lanes for identity in pairs._people} <= {4, 5}


def test_what_cannot_be_rendered_is_said(rendered, streaming, tmp_path):
    write(tmp_path / "train" / "a.parquet", 4, identity="ann")
    with pytest.raises(DatasetError, match="not the recipe of rendered people"):
        train(tmp_path, tmp_path / "out", streaming)
    recipe = json.loads((rendered / "dataset.json").read_text())
    (tmp_path / "dataset.json").write_text(json.dumps(recipe | {"fabrics": str(tmp_path / "gone")}))
    with pytest.raises(DatasetError, match="folder of fabrics .*gone, which is not there"):
        train(tmp_path, tmp_path / "out", streaming)
    with pytest.raises(ConfigError, match="nothing is to be rendered; give --stream"):
        train(rendered, tmp_path / "out", replace(streaming, stream=False))
    with pytest.raises(ConfigError, match="rendered people are square, not 48 x 32"):
        train(rendered, tmp_path / "out", replace(streaming, width_px=48))
