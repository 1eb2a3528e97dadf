"""Presets are what they are said to be; widths and sizes that cannot work are refused."""

import json
from dataclasses import replace

import pytest

from dancepipe.errors import ConfigError
from dancepipe.model.dims import PRESETS, EnhancerDims, FlowAttentionDims, ModelDims


def test_presets_are_named_and_survive_json():
    assert list(PRESETS) == ["paper", "base", "live", "tiny"]
    for name, dims in PRESETS.items():
        assert dims.preset == name
        assert ModelDims.from_json(json.loads(json.dumps(dims.as_json()))) == dims
    assert PRESETS["paper"].flow_attention.nf == PRESETS["base"].flow_attention.nf == 64
    assert (PRESETS["live"].flow_attention.nf, PRESETS["live"].enhancer.n, PRESETS["live"].enhancer.h) == (16, 8, 32)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: replace(PRESETS["base"], size_hw=(256, 250)), r"size_hw is \(256, 250\).*multiples of 16"),
        (lambda: replace(PRESETS["base"], size_hw=(16, 64)), "at least 32"),
        (lambda: FlowAttentionDims(nf=15), "nf is 15"),
        (lambda: FlowAttentionDims(attention="softmax"), "spatial, gate"),
        (lambda: EnhancerDims(n=0), "n is 0"),
        (lambda: EnhancerDims(norm="layer"), "batch, instance"),
    ],
)
def test_what_cannot_work_is_refused(make, message):
    with pytest.raises(ConfigError, match=message):
        make()
