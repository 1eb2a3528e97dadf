"""What a structural prior is: a first guess at the target, made without a network from the
reference and the poses alone."""

from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from dancepipe.pose.batch import PoseBatch


class Layers(Protocol):
    """What the guessed picture is made of: the reference, and where each target pixel comes
    from."""

    def read(self, move: Tensor) -> tuple[Tensor, Tensor]:
        """The guess at p + move(p), the reference read once: move (B, 2, H, W) px -> picture (B, 3,
        H, W) in [-1, 1], matte (B, 1, H, W) in [0, 1]. Gradients reach `move`."""
        ...


@dataclass(frozen=True)
class PriorAt:
    """What the poses alone say about the target. Not differentiated."""

    picture: Tensor  # (B, 3, H, W) in [-1, 1], on grey
    matte: Tensor  # (B, 1, H, W) in [0, 1]
    flow_4: Tensor  # (B, 2, H/4, W/4), smooth: target p + flow = source, in pixels of that map
    layers: Layers
    surface: Tensor | None = None  # (B, C, H, W): what else is known of each pixel; priors/body.py

    @property
    def seen(self) -> Tensor | None:
        """(B, 1, H, W): 1 where the photo shows the surface; None of priors that have none."""
        return None if self.surface is None else self.surface[:, :1]

    def inputs(self) -> Tensor:
        """(B, CHANNELS of names.py, H, W) for the encoders, channels_last in memory like what they
        are laid beside."""
        surface = () if self.surface is None else (self.surface,)
        return torch.cat((self.picture, self.matte, *surface), 1).contiguous(
            memory_format=torch.channels_last
        )

    @property
    def flow_8(self) -> Tensor:
        """(B, 2, H/8, W/8), in pixels of that map."""
        return F.avg_pool2d(self.flow_4, 2) / 2


class Prior(Protocol):
    """Made from references, of batch 1 (serves any number of targets) or one a target."""

    def at(self, targets: PoseBatch) -> PriorAt:
        """The guess at each target, in the size of the reference; float32 under autocast too. The
        targets lie on the reference's device."""
        ...
