"""Gates between pixels that are kept and pixels that are made."""

from dataclasses import dataclass

import torch
from torch import Tensor

OPEN = 3.0  # bias of a gate that begins with 95 % of what it keeps


@dataclass(frozen=True)
class Mixture:
    """What a gate mixed: gate * copied + (1 - gate) * made."""

    gate: Tensor  # (B, 1, H, W) in [0, 1], float32
    copied: Tensor  # (B, 3, H, W) in [-1, 1]
    made: Tensor  # (B, 3, H, W) in [-1, 1]


def blend(
    gate: Tensor, picture: Tensor, matte: Tensor, other_picture: Tensor, other_matte: Tensor
) -> tuple[Tensor, Tensor]:
    """gate * one + (1 - gate) * other: (picture, logits of the matte)."""
    mixed = (gate * matte + (1 - gate) * other_matte).clamp(1e-4, 1 - 1e-4)
    return gate * picture + (1 - gate) * other_picture, torch.logit(mixed)
