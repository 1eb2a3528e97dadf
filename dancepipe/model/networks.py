"""The two generators of a weight file, ready to run."""

from dataclasses import dataclass
from pathlib import Path

from dancepipe.model.dims import ModelDims
from dancepipe.model.enhancer import Enhancer
from dancepipe.model.flow_attention import FlowAttentionNetwork
from dancepipe.model.weights import WeightsInfo, load_weights, read_weights_info


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
    networks = {"flow_attention": FlowAttentionNetwork(info.dims.flow_attention)}
    if info.stage >= 2:
        networks["enhancer"] = Enhancer(info.dims.enhancer)
    load_weights(path, networks, info.dims)
    for network in networks.values():
        network.eval().requires_grad_(False)
    return Networks(info.dims, info, networks["flow_attention"], networks.get("enhancer"))
