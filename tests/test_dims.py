"""Presets are what they are said to be; widths and sizes that cannot work are refused."""

import json
from dataclasses import replace

import pytest

from dancepipe.errors import ConfigError
from dancepipe.systems.focus_retain.dims import PRESETS, EnhancerDims, FlowAttentionDims, ModelDims


def test_presets_are_named_and_survive_json():
    assert list(PRESETS) == ["paper", "market", "base", "live", "tiny"]
    for name, dims in PRESETS.items():
        assert dims.preset == name
        assert ModelDims.from_json(json.loads(json.dumps(dims.as_json()))) == dims
    old = PRESETS["base"].as_json()
    del (
        old["enlarge"],
        old["flow_attention"]["attention_module"],
        old["flow_attention"]["window_4"],
    )  # files from before there was a choice
    assert ModelDims.from_json(old) == PRESETS["base"] and PRESETS["base"].coarse_hw == (256, 256)
    assert replace(PRESETS["base"], size_hw=(512, 256), enlarge=2).coarse_hw == (256, 128)
    assert PRESETS["paper"].flow_attention.nf == PRESETS["base"].flow_attention.nf == 64
    assert (
        PRESETS["live"].flow_attention.nf,
        PRESETS["live"].enhancer.n,
        PRESETS["live"].enhancer.h,
    ) == (16, 8, 32)


@pytest.mark.parametrize(
    "make, message",
    [
        (
            lambda: replace(PRESETS["base"], size_hw=(256, 250)),
            r"size_hw is \(256, 250\).*multiples of 16",
        ),
        (lambda: replace(PRESETS["base"], size_hw=(16, 64)), "at least 32"),
        (
            lambda: replace(PRESETS["base"], size_hw=(272, 256), enlarge=2),
            r"size_hw is \(272, 256\).*multiples of 32, at least 64",
        ),
        (lambda: replace(PRESETS["base"], enlarge=3), "enlarge is 3; choose one of 1, 2"),
        (lambda: FlowAttentionDims(nf=15), "nf is 15"),
        (lambda: FlowAttentionDims(nf=200_000), "nf is 200000; .*at most 512"),
        (lambda: FlowAttentionDims(nf=True), "nf is True"),
        (lambda: FlowAttentionDims(nf=4.0), "nf is 4.0"),
        (lambda: FlowAttentionDims(window_4=3.0), "window_4 is 3.0"),
        (lambda: FlowAttentionDims(attention_module=1), "attention_module is 1; it must be true"),
        (lambda: FlowAttentionDims(attention=["spatial"]), "attention is .'spatial'"),
        (lambda: EnhancerDims(keep="no"), "keep is 'no'"),
        (lambda: EnhancerDims(h=513), "h is 513"),
        (lambda: replace(PRESETS["base"], size_hw=(2**20, 256)), "at most 4096"),
        (lambda: replace(PRESETS["base"], size_hw="64"), "size_hw is '64'"),
        (lambda: replace(PRESETS["base"], size_hw=(64.0, 64)), "size_hw is"),
        (lambda: replace(PRESETS["base"], enlarge=True), "enlarge is True"),
        (lambda: replace(PRESETS["base"], preset="x" * 99), "preset is 'xxx"),
        (lambda: ModelDims.from_json(None), "dims is None; it must be a block"),
        (lambda: ModelDims.from_json({}), "dims lacks preset"),
        (lambda: ModelDims.from_json(PRESETS["base"].as_json() | {"x": 1}), "dims has 'x'"),
        (lambda: FlowAttentionDims(attention="softmax"), "spatial, gate"),
        (lambda: FlowAttentionDims(window_4=4), "window_4 is 4; choose 3 or 5"),
        (lambda: EnhancerDims(n=0), "n is 0"),
        (lambda: EnhancerDims(norm="layer"), "batch, instance"),
    ],
)
def test_what_cannot_work_is_refused(make, message):
    with pytest.raises(ConfigError, match=message):
        make()
