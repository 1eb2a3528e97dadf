"""tools/bench_train.py compares two ways of doing the same: the same picture and the same step,
to rounding. How fast is the bench's own question."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from test_train import ALONE, QUICK

sys.path.insert(0, str(Path(__file__).parent.parent / "tools"))

import bench_train as tool

from dancepipe.systems.focus_retain.dims import PRESETS
from dancepipe.systems.focus_retain.stages import Stage1


@pytest.fixture
def ways():
    dims, pair = replace(PRESETS["tiny"], size_hw=(64, 64)), tool.drawn_pair(2, 64, "cpu")
    stages = []
    for _ in range(2):
        torch.manual_seed(0)
        stages.append(Stage1(dims, QUICK, None, ALONE))
    tool.make_naive(stages[0])
    return tool.Way(
        stages[0], tool.in_format(pair, torch.contiguous_format), is_naive=True
    ), tool.Way(stages[1], tool.in_format(pair, torch.channels_last))


def test_both_ways_make_the_same_picture_and_step(ways):
    literal, fast = ways
    with torch.inference_mode():
        torch.testing.assert_close(
            literal.frame(literal.encode()), fast.frame(fast.encode()), rtol=0, atol=1e-4
        )
    assert literal.encode() is None, "the naive way encodes the reference for every frame"
    for _ in range(2):
        assert literal.step() == pytest.approx(fast.step(), rel=1e-4)


def test_the_naive_way_runs_the_definition_in_nchw(ways, monkeypatch):
    literal, fast = ways
    calls = []
    definition = tool.literal_local_attention
    monkeypatch.setattr(
        tool,
        "literal_local_attention",
        lambda *arguments: calls.append(1) or definition(*arguments),
    )
    fast.frame(None)
    assert not calls
    literal.frame(None)
    assert len(calls) == 2, "one local attention at each level"
    assert all(value.is_contiguous() for value in literal.stage.flow_attention.parameters())
    assert not all(value.is_contiguous() for value in fast.stage.flow_attention.parameters())


def test_systems_stand_beside_each_other():
    base = replace(QUICK, height_px=64, width_px=64)
    found = tool.five(base, small=True, device="cpu")
    assert list(found) == [
        "Focus and Retain", "GFLA", "Guided-Pix2Pix", "CoCosNet", "Few-shot-vid2vid"
    ]  # fmt: skip
    two = {title: found[title] for title in ("GFLA", "Guided-Pix2Pix")}
    tool.measure(two, tool.drawn_pair(1, 64, "cpu"), 1, tool.seconds, "cpu")
    for one in two.values():
        assert len(one.encode) == len(one.draw) == len(one.step) == 1
        assert 2**20 < one.kept_bytes < 2**26
    assert "Guided-Pix2Pix" in tool.text(two) and len(tool.text(two).splitlines()) == 4
