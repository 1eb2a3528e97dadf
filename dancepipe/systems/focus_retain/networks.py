"""The two generators of a weight file, ready to run."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from dancepipe.nn.without_numbers import WithoutNumbers
from dancepipe.systems.focus_retain.dims import ModelDims
from dancepipe.systems.focus_retain.enhancer import Enhancer
from dancepipe.systems.focus_retain.flow_attention import FlowAttentionNetwork
from dancepipe.systems.weights import (
    WeightsInfo,
    check_system,
    check_weights,
    load_weights,
    read_weights_info,
)


@dataclass(frozen=True)
class Networks:
    """What renders. enhancer: None in weights of stage 1 alone."""

    dims: ModelDims
    info: WeightsInfo
    flow_attention: FlowAttentionNetwork
    enhancer: Enhancer | None


def load_networks(path: Path | str) -> Networks:
    """The networks of a weight file, on the CPU, in eval mode. Raises WeightsError."""
    info = read_weights_info(path)
    check_system(path, info, ModelDims.system)
    dims = info.dims
    assert isinstance(dims, ModelDims)
    with torch.device("meta"), WithoutNumbers():  # the file is looked through first
        check_weights(path, _by_name(*_unfilled(dims, info.stage)))
    flow_attention, enhancer = _unfilled(dims, info.stage)
    networks = _by_name(flow_attention, enhancer)
    load_weights(path, networks, dims)
    for network in networks.values():
        network.eval().requires_grad_(False)
    return Networks(dims, info, flow_attention, enhancer)


def _unfilled(dims: ModelDims, stage: int) -> tuple[FlowAttentionNetwork, Enhancer | None]:
    return (
        FlowAttentionNetwork(dims.flow_attention),
        Enhancer(dims.enhancer) if stage >= 2 else None,
    )


def _by_name(
    flow_attention: FlowAttentionNetwork, enhancer: Enhancer | None
) -> dict[str, nn.Module]:
    both = {"flow_attention": flow_attention, "enhancer": enhancer}
    return {name: network for name, network in both.items() if network is not None}
