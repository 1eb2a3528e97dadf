"""What a network of these systems does, and a weight file's network, ready to run."""

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from dancepipe.nn.without_numbers import WithoutNumbers
from dancepipe.systems.single.dims import SingleDims
from dancepipe.systems.weights import (
    WeightsInfo,
    check_system,
    check_weights,
    load_weights,
    read_weights_info,
)

NETWORK = "network"  # its name in weight files


@dataclass(frozen=True, eq=False)
class Made:
    """What a network makes; a system's own terms read more of it from a subclass."""

    picture: Tensor  # (B, 3, H, W) in [-1, 1]
    matte_logits: Tensor  # (B, 1, H, W)
    # title -> (B, 3, H, W) in [-1, 1]: for the sample grid
    columns: Mapping[str, Tensor] = field(default_factory=dict)


class SingleNetwork(nn.Module):
    """Pictures in [-1, 1], pose maps as pose_input.py draws them."""

    reads_reference_pose: ClassVar[bool] = False

    @abstractmethod
    def encode(self, I_r: Tensor, pose_r: Tensor | None) -> Any:
        """All that the references alone fix. I_r (B, 3, H, W), pose_r (B, P, H, W), which is
        None where reads_reference_pose is False."""

    @abstractmethod
    def draw(self, reference: Any, pose_t: Tensor) -> Made:
        """pose_t (B, P, H, W); a reference of batch 1 serves any number of them."""

    def forward(self, I_r: Tensor, pose_r: Tensor | None, pose_t: Tensor) -> Made:
        return self.draw(self.encode(I_r, pose_r), pose_t)


class MatteHead(nn.Conv2d):
    """Ours: the matte, off the last features, which it does not change: picture and gradients
    stay as published. (B, C, H, W) -> logits (B, 1, H, W)."""

    def __init__(self, channels: int):
        super().__init__(channels, 1, 3, padding=1)

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input.detach())


@dataclass(frozen=True)
class Loaded:
    """The network of a weight file."""

    dims: Any
    info: WeightsInfo
    network: SingleNetwork


def load_network(path: Path | str, system: str, make: Callable[[Any], SingleNetwork]) -> Loaded:
    """On the CPU, in eval mode. WeightsError."""
    info = read_weights_info(path)
    check_system(path, info, system)
    assert isinstance(info.dims, SingleDims)
    with torch.device("meta"), WithoutNumbers():
        network = make(info.dims)
    check_weights(path, {NETWORK: network})  # before there is memory for its numbers
    network.to_empty(device="cpu")
    load_weights(path, {NETWORK: network}, info.dims)
    return Loaded(info.dims, info, network.eval().requires_grad_(False))  # type: ignore[arg-type]
