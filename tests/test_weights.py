"""Weight files come back as they were saved; anything else about them is an error that says which."""

import errno
import json
import os
from dataclasses import replace

import pytest
import safetensors.torch
import torch

from dancepipe.errors import OutputError, WeightsError
from dancepipe.model.dims import EnhancerDims, FlowAttentionDims, ModelDims
from dancepipe.model.enhancer import Enhancer
from dancepipe.model.flow_attention import FlowAttentionNetwork
from dancepipe.model.weights import WeightsInfo, load_weights, read_tensors, read_weights_info, save_weights, write_tensors

DIMS = ModelDims("tiny", (64, 64), FlowAttentionDims(4), EnhancerDims(2, 4))


def drawn(seed=0):
    """Both networks, no two tensors alike."""
    torch.manual_seed(seed)
    networks = {"flow_attention": FlowAttentionNetwork(DIMS.flow_attention), "enhancer": Enhancer(DIMS.enhancer)}
    for network in networks.values():
        for tensor in network.state_dict().values():
            tensor.copy_(torch.randn(tensor.shape)) if tensor.is_floating_point() else tensor.fill_(seed + 3)
    return networks


def values(networks):
    return {f"{name}.{key}": tensor.clone() for name, network in networks.items() for key, tensor in network.state_dict().items()}


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


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
    networks = {name: network.to(memory_format=torch.channels_last) for name, network in drawn().items()}
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
    assert (info["dims"]["preset"], info["dims"]["flow_attention"]["nf"], info["stage"], info["step"]) == ("tiny", 4, 2, 1234)


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
    ],
)
def test_header_of_another_version(saved, record, message):
    refused(edited(saved, lambda tensors: None, lambda _: {"dancepipe": json.dumps(record)}), message)


def test_other_preset_and_other_dims(saved):
    refused(saved, "other dims: preset tiny, wanted live", dims=replace(DIMS, preset="live"))
    refused(saved, "enhancer .*'n': 2.*wanted .*'n': 3", dims=replace(DIMS, enhancer=EnhancerDims(3, 4)))
    refused(saved, r"size_hw \[64, 64\], wanted \[128, 64\]", dims=replace(DIMS, size_hw=(128, 64)))


def test_missing_unexpected_and_misshapen_tensors(saved):
    whole = saved.read_bytes()
    for edit, message in (
        (lambda tensors: tensors.pop("enhancer.picture.bias"), "lacks 1 tensors of enhancer, first picture.bias"),
        (lambda tensors: tensors.update({"enhancer.extra": torch.zeros(1)}), "unexpected 1 tensors of enhancer, first extra"),
        (lambda tensors: tensors.update({"enhancer.picture.bias": torch.zeros(5)}), r"enhancer.picture.bias has shape \(5,\), need \(4,\)"),
        (lambda tensors: tensors["flow_attention.picture.bias"].fill_(float("nan")), "picture.bias has values that are not finite"),
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
    for path in (tmp_path / "absent" / "weights.safetensors", tmp_path / "file" / "weights.safetensors"):
        with pytest.raises(OutputError, match="cannot write weights"):
            save_weights(path, WeightsInfo(DIMS, 2, 1), drawn())
