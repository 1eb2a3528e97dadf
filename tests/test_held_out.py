"""Held-out people are measured by what evaluate measures, the best weights stay, and neither
touches the training."""

import json
from dataclasses import replace

import pytest
import torch
from people import dancer_frames
from PIL import Image
from test_build_dataset import SMALL
from test_train import QUICK, data, same_weights  # noqa: F401
from torch import nn

from dancepipe.building.build import build_dataset
from dancepipe.data.pairs import PairSource
from dancepipe.systems.focus_retain.dims import PRESETS
from dancepipe.systems.focus_retain.networks import load_networks
from dancepipe.systems.stage import Shown
from dancepipe.systems.weights import WeightsInfo, read_tensors, read_weights_info
from dancepipe.training import loop as loop_module
from dancepipe.training.best import BestWeights
from dancepipe.training.checkpoint import Position
from dancepipe.training.held_out import FixedPairs
from dancepipe.training.run_folder import RunLog
from dancepipe.training.train import train


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    folder = tmp_path_factory.mktemp("people")
    (folder / "photos").mkdir()
    for frame in (0, 30, 60, 90):
        Image.fromarray(dancer_frames()[frame]).save(folder / "photos" / f"{frame}.png")
    build_dataset(
        [str(folder / "photos")],
        folder / "data",
        replace(SMALL, size_px=128, test_share=1.0),
    )
    return PairSource(folder / "data", "test", (128, 128), seed=0)


class Maker:
    """A stage whose networks are whatever `make` says."""

    def __init__(self, make):
        self._make = make

    def show(self, pair):
        return Shown(self._make(pair), pair.matte_t, {"made": self._make(pair)})


def figures_of(people, make, **settings):
    with FixedPairs(people, are_held_out=True, reads_poses=True, device="cpu", **settings) as pairs:
        return pairs.look(Maker(make))[0]


def test_the_truth_is_read_right_and_grey_is_nobody(people):
    true, nobody = (
        figures_of(people, lambda pair: pair.I_t),
        figures_of(people, lambda pair: torch.zeros_like(pair.I_t)),
    )
    assert true.keys() == {"held_out_l1", "held_out_hf", "held_out_pre", "held_out_found"}
    assert (
        true["held_out_l1"] == 0
        and true["held_out_hf"] == pytest.approx(1)
        and true["held_out_found"] == 1
    )
    assert true["held_out_pre"] < 4  # px; mediapipe reads the same person again
    assert (
        nobody["held_out_found"] == 0
        and nobody["held_out_pre"] > 60
        and nobody["held_out_hf"] == pytest.approx(0, abs=1e-3)
    )
    copied = figures_of(people, lambda pair: pair.I_r)
    assert (
        copied["held_out_found"] == 1
        and true["held_out_pre"] + 3 < copied["held_out_pre"] < nobody["held_out_pre"]
    )


def test_pictures_that_are_no_numbers_give_an_l1_that_is_none(people):
    with FixedPairs(people, are_held_out=False, reads_poses=False, device="cpu") as pairs:
        figures, grid = pairs.look(Maker(lambda pair: pair.I_t * float("nan")))
    assert (
        figures.keys() == {"fixed_pairs_l1"}
        and figures["fixed_pairs_l1"] != figures["fixed_pairs_l1"]
    )
    assert grid.shape == (4 * 128 + 14, 4 * 128, 3), "reference, target, made, matte"


def test_the_best_stays_with_its_figures(tmp_path):
    network, dims = nn.Linear(2, 2), PRESETS["tiny"]
    best = BestWeights(tmp_path, 2, 9.0)

    def offer(step, **figures):
        with torch.no_grad():
            network.weight.fill_(step)
        best.offer(figures, WeightsInfo(dims, 2, step), {"enhancer": network})

    offer(1, held_out_pre=9.5)
    offer(2, held_out_l1=0.1)  # tells nothing
    assert not (tmp_path / "best").exists()
    for step, pre in ((3, 8.0), (4, 8.0), (5, 8.5), (6, 7.5), (7, 7.9)):
        offer(step, held_out_pre=pre, held_out_l1=0.1)
    kept, _ = read_tensors(tmp_path / "best" / "stage2.safetensors")
    assert (kept["enhancer.weight"] == 6).all() and read_weights_info(
        tmp_path / "best" / "stage2.safetensors"
    ).step == 6
    assert json.loads((tmp_path / "best" / "stage2.json").read_text()) == {
        "stage": 2,
        "step": 6,
        "held_out_pre": 7.5,
        "held_out_l1": 0.1,
    }


def test_a_resumed_log_knows_what_was_lowest_before_it(tmp_path):
    log = RunLog(tmp_path, None)
    for stage, step, pre in ((1, 2, 3.0), (1, 4, 5.0), (2, 2, 8.0), (2, 4, 6.0)):
        log.write(stage, step, {"held_out_pre": pre})
    log.write(2, 3, {"l1": 0.1})
    log.close()
    resumed = RunLog(tmp_path, Position(2, 3))
    assert (
        resumed.lowest_before(2, "held_out_pre") == 8.0
        and resumed.lowest_before(1, "held_out_pre") == 3.0
    )
    assert resumed.lowest_before(2, "nothing") is None
    resumed.close()


def pretend(monkeypatch, readings: list[float]) -> None:
    """Looking goes its usual way, but these are the errors that it reads."""
    readings = iter(readings)

    class Pretended(FixedPairs):
        def look(self, stage):
            figures, grid = super().look(stage)
            return figures | {"held_out_pre": next(readings)}, grid

    monkeypatch.setattr(loop_module, "FixedPairs", Pretended)


def test_looking_changes_no_weight_and_each_stage_keeps_its_best(data, tmp_path, monkeypatch):
    often = replace(QUICK, stage1_steps=4, stage2_steps=3, sample_every=1, save_every=100)
    train(data, tmp_path / "plain", replace(often, sample_every=100))
    pretend(monkeypatch, [9.0, 7.0, 6.5, 8.0, 9.0, 8.5, 8.6])
    train(data, tmp_path / "looked", replace(often, held_out_pre=True))
    assert same_weights(tmp_path / "plain", tmp_path / "looked")
    best = [
        json.loads((tmp_path / "looked" / "best" / f"stage{stage}.json").read_text())["step"]
        for stage in (1, 2)
    ]
    assert best == [3, 2]
    networks = [
        load_networks(tmp_path / "looked" / "best" / f"stage{stage}.safetensors")
        for stage in (1, 2)
    ]
    assert [one.enhancer is None for one in networks] == [True, False]


def test_a_resumed_run_remembers_what_was_best(data, tmp_path, monkeypatch):
    out, options = (
        tmp_path / "run",
        replace(QUICK, stage1_steps=3, stage2_steps=0, sample_every=1, save_every=1),
    )
    pretend(monkeypatch, [9.0, 7.0, 8.0])
    train(data, out, options)
    kept = (out / "best" / "stage1.safetensors").read_bytes()
    pretend(monkeypatch, [7.5, 7.2, 6.0])
    train(data, out, replace(options, stage1_steps=5), resume=True)
    assert (out / "best" / "stage1.safetensors").read_bytes() == kept
    train(data, out, replace(options, stage1_steps=6), resume=True)
    assert json.loads((out / "best" / "stage1.json").read_text())["step"] == 6
