"""Weight files come back as they were saved; anything else about them is an error that says
which."""

import errno
import json
import os
from dataclasses import dataclass, replace
from typing import ClassVar

import pytest
import safetensors.torch
import torch

from dancepipe.errors import OutputError, WeightsError
from dancepipe.systems.focus_retain.dims import EnhancerDims, FlowAttentionDims, ModelDims
from dancepipe.systems.focus_retain.enhancer import Enhancer
from dancepipe.systems.focus_retain.flow_attention import FlowAttentionNetwork
from dancepipe.systems.focus_retain.networks import load_networks
from dancepipe.systems.weights import (
    WeightsInfo,
    check_system,
    load_weights,
    read_tensors,
    read_weights_info,
    save_weights,
    write_tensors,
)

DIMS = ModelDims("tiny", (64, 64), FlowAttentionDims(4), EnhancerDims(2, 4))


def drawn(seed=0):
    """Both networks, no two tensors alike."""
    torch.manual_seed(seed)
    networks = {
        "flow_attention": FlowAttentionNetwork(DIMS.flow_attention),
        "enhancer": Enhancer(DIMS.enhancer),
    }
    for network in networks.values():
        for tensor in network.state_dict().values():
            tensor.copy_(torch.randn(tensor.shape)) if tensor.is_floating_point() else tensor.fill_(
                seed + 3
            )
    return networks


def values(networks):
    return {
        f"{name}.{key}": tensor.clone()
        for name, network in networks.items()
        for key, tensor in network.state_dict().items()
    }


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def values_of(name):
    return values({name: drawn()[name]})


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "weights.safetensors"
    save_weights(path, WeightsInfo(DIMS, stage=2, step=1234), drawn())
    return path


def edited(path, edit, metadata_edit=lambda metadata: metadata):
    tensors, metadata = read_tensors(path)
    edit(tensors)
    write_tensors(path, tensors, metadata_edit(metadata))
    return path


def refused(path, message, dims=DIMS, networks=None):
    """The load is refused with this message and has changed nothing."""
    networks = networks or drawn(seed=1)
    before = values(networks)
    with pytest.raises(WeightsError, match=message):
        load_weights(path, networks, dims)
    assert same(values(networks), before)


def test_round_trip(saved):
    networks = drawn(seed=1)
    assert not same(values(networks), values(drawn()))
    info = load_weights(saved, networks, DIMS)
    assert same(values(networks), values(drawn()))
    assert info == read_weights_info(saved) == WeightsInfo(DIMS, 2, 1234)
    assert os.listdir(saved.parent) == [saved.name]


def test_channels_last_networks_are_saved_alike(saved, tmp_path):
    networks = {
        name: network.to(memory_format=torch.channels_last) for name, network in drawn().items()
    }
    save_weights(tmp_path / "other.safetensors", WeightsInfo(DIMS, 2, 1234), networks)
    assert (tmp_path / "other.safetensors").read_bytes() == saved.read_bytes()


def test_one_of_two_networks_can_be_loaded(saved):
    networks = {"flow_attention": drawn(seed=1)["flow_attention"]}
    load_weights(saved, networks, DIMS)
    assert same(values(networks), values({"flow_attention": drawn()["flow_attention"]}))


def test_header_is_readable_without_this_program(saved):
    with open(saved, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    info = json.loads(header["__metadata__"]["dancepipe"])
    assert (
        info["dims"]["preset"],
        info["dims"]["flow_attention"]["nf"],
        info["stage"],
        info["step"],
    ) == ("tiny", 4, 2, 1234)


def test_files_name_their_system_and_those_that_name_none_are_of_the_first(saved):
    _, metadata = read_tensors(saved)
    assert json.loads(metadata["dancepipe"])["system"] == "focus_retain"

    def without(metadata):
        record = json.loads(metadata["dancepipe"])
        del record["system"]
        return {"dancepipe": json.dumps(record)}

    info = read_weights_info(edited(saved, lambda tensors: None, without))
    assert info.system == "focus_retain" and info == WeightsInfo(DIMS, 2, 1234)
    assert same(values({"enhancer": load_networks(saved).enhancer}), values_of("enhancer"))


def test_weights_of_another_system_are_named(saved):
    @dataclass(frozen=True)
    class OtherDims(ModelDims):
        system: ClassVar[str] = "other"

    other = OtherDims("tiny", (64, 64), DIMS.flow_attention, DIMS.enhancer)
    refused(saved, "of the system focus_retain; need those of other", dims=other)
    with pytest.raises(WeightsError, match="of the system other; need those of focus_retain"):
        check_system(saved, WeightsInfo(other, 1, 0), "focus_retain")


def test_missing_file(tmp_path):
    refused(tmp_path / "absent.safetensors", "no weights at .*absent.safetensors")
    refused(tmp_path, "no weights at")


def test_not_safetensors(tmp_path):
    path = tmp_path / "weights.safetensors"
    torch.save({"a": torch.zeros(3)}, path)
    refused(path, "no safetensors file")
    path.write_bytes(b"")
    refused(path, "no safetensors file")


@pytest.mark.parametrize("keep", [5, 100, 20_000, -1])
def test_truncated(saved, keep):
    saved.write_bytes(saved.read_bytes()[:keep])
    refused(saved, "is not whole|only the start of one")


def test_safetensors_of_another_program(tmp_path):
    path = tmp_path / "other.safetensors"
    safetensors.torch.save_file({"a": torch.zeros(3)}, path)
    refused(path, "not a dancepipe weight file")
    with pytest.raises(WeightsError, match="not a dancepipe weight file"):
        read_weights_info(path)


@pytest.mark.parametrize(
    "record, message",
    [
        ({"format": "weights-1", "stage": 1}, "cannot read.*dims"),
        ({"format": "weights-9"}, "format 'weights-9', need 'weights-1'"),
        ([], "cannot read"),
        (None, "None in place of its record"),
        ({"format": ["x" * 99_999]}, "format \\['xxx"),
        ("[" * 9000, "nested|in place"),
    ],
)
def test_header_of_another_version(saved, record, message):
    refused(
        edited(saved, lambda tensors: None, lambda _: {"dancepipe": json.dumps(record)}), message
    )


def with_record(path, **changes) -> None:
    """The same file with other values in the record of its header; `dims.nf` is inside of dims."""

    def change(metadata):
        record = json.loads(metadata["dancepipe"])
        for name, value in changes.items():
            *blocks, last = name.split("__")
            block = record
            for one in blocks:
                block = block[one]
            block[last] = value
        return {"dancepipe": json.dumps(record).replace('"RAW', "").replace('WAR"', "")}

    edited(path, lambda tensors: None, change)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"stage": 0}, "stage 0, need 1 or 2"),
        ({"stage": 7}, "stage 7, need 1 or 2"),
        ({"stage": True}, "stage True"),
        (
            {"system": "focus"},
            "unknown system 'focus'; known are focus_retain, guided",
        ),
        ({"system": ["copy"]}, r"unknown system \['copy'\]"),
        ({"system": "copy"}, "system copy, which learns nothing"),
        ({"stage": "RAWNaNWAR"}, "NaN is no number"),
        ({"step": -1}, "step -1"),
        ({"step": 1.5}, "step 1.5"),
        ({"step": "RAW1e400WAR"}, "the number '1e400' is too large"),
        ({"step": "RAW" + "9" * 5000 + "WAR"}, "a number of 5000 digits"),
        ({"version": None}, "version None"),
        ({"version": "two\nlines"}, "version 'two.n"),
        ({"dims": "RAW" + "[" * 9000 + "]" * 9000 + "WAR"}, "nested"),
        ({"dims": None}, "dims is None; it must be a block"),
        ({"dims__flow_attention": []}, r"flow_attention is \[\]; it must be a block"),
        ({"dims__flow_attention__nf": 2000}, "nf is 2000.*at most 512"),
        ({"dims__flow_attention__nf": "4"}, "nf is '4'"),
        ({"dims__flow_attention__more": 1}, "flow_attention has 'more', which this version"),
        ({"dims__size_hw": [2**40, 64]}, "size_hw is"),
        ({"dims__preset": "a\nb"}, "preset is 'a.nb'"),
    ],
)
def test_a_record_that_lies_is_refused_in_one_line(saved, changes, message):
    with_record(saved, **changes)
    with pytest.raises(WeightsError, match=message) as caught:
        load_networks(saved)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 600


def test_nothing_is_built_before_the_tensors_are_found_to_fit(saved, monkeypatch):
    with_record(saved, dims__flow_attention__nf=512, dims__enhancer__n=512)  # nine gigabytes
    devices = []
    build = FlowAttentionNetwork.__init__

    def seen(network, dims):
        build(network, dims)
        devices.append({parameter.device.type for parameter in network.parameters()})

    monkeypatch.setattr(FlowAttentionNetwork, "__init__", seen)
    with pytest.raises(WeightsError, match="has shape .*, need"):
        load_networks(saved)
    assert devices == [{"meta"}]


def test_tensors_of_another_type_are_refused(saved):
    whole = saved.read_bytes()
    for kind in (torch.float16, torch.float64, torch.int32, torch.bool):
        saved.write_bytes(whole)
        name = "flow_attention.picture.bias"
        refused(
            edited(saved, lambda tensors: tensors.update({name: tensors[name].to(kind)})),
            f"{name} is of the type [A-Z0-9]+, need F32",
        )


def test_a_header_of_a_hundred_megabytes_is_not_read(tmp_path):
    path = tmp_path / "weights.safetensors"
    path.write_bytes((90 << 20).to_bytes(8, "little") + b"{}" + b" " * 1000)
    refused(path, "a header of 94371840 bytes")


def test_a_place_that_may_not_be_looked_at_is_said(tmp_path):
    if os.geteuid() == 0:
        pytest.skip("root may look everywhere")
    (tmp_path / "closed").mkdir(mode=0)
    refused(tmp_path / "closed" / "weights.safetensors", "cannot read weights .*Permission denied")


def test_loaded_networks_are_those_that_were_saved(saved):
    networks = load_networks(saved)
    both = {"flow_attention": networks.flow_attention, "enhancer": networks.enhancer}
    assert same(values(both), values(drawn()))
    for network in both.values():
        assert not network.training
        assert {parameter.device.type for parameter in network.parameters()} == {"cpu"}


def test_other_preset_and_other_dims(saved):
    refused(saved, "other dims: preset tiny, wanted live", dims=replace(DIMS, preset="live"))
    refused(
        saved, "enhancer .*'n': 2.*wanted .*'n': 3", dims=replace(DIMS, enhancer=EnhancerDims(3, 4))
    )
    refused(saved, r"size_hw \[64, 64\], wanted \[128, 64\]", dims=replace(DIMS, size_hw=(128, 64)))


def test_missing_unexpected_and_misshapen_tensors(saved):
    whole = saved.read_bytes()
    for edit, message in (
        (
            lambda tensors: tensors.pop("enhancer.picture.bias"),
            "lacks 1 tensors of enhancer, first 'picture.bias'",
        ),
        (
            lambda tensors: tensors.update({"enhancer.extra": torch.zeros(1)}),
            "unexpected 1 tensors of enhancer, first 'extra'",
        ),
        (
            lambda tensors: tensors.update({"enhancer.picture.bias": torch.zeros(5)}),
            r"enhancer.picture.bias has shape \(5,\), need \(4,\)",
        ),
        (
            lambda tensors: tensors["flow_attention.picture.bias"].fill_(float("nan")),
            "picture.bias has values that are not finite",
        ),
    ):
        saved.write_bytes(whole)
        refused(edited(saved, edit), message)


def test_a_whole_network_missing(tmp_path):
    path = tmp_path / "stage1.safetensors"
    save_weights(path, WeightsInfo(DIMS, 1, 10), {"flow_attention": drawn()["flow_attention"]})
    refused(path, "holds no enhancer: it is of stage 1")


def test_a_failed_save_leaves_the_old_file_and_nothing_else(saved, monkeypatch):
    before = saved.read_bytes()

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="No space left on device"):
        save_weights(saved, WeightsInfo(DIMS, 2, 5678), drawn(seed=1))
    assert saved.read_bytes() == before and os.listdir(saved.parent) == [saved.name]


def test_nowhere_to_save(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match="cannot write"):
        save_weights(tmp_path / "file" / "weights.safetensors", WeightsInfo(DIMS, 2, 1), drawn())
    with pytest.raises(OutputError, match="cannot write"):
        save_weights(tmp_path, WeightsInfo(DIMS, 2, 1), drawn())
