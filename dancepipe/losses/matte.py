"""Ours: the fourth channel, which the papers do not have."""

import torch
import torch.nn.functional as F
from torch import Tensor


def matte_loss(matte_logits: Tensor, mask: Tensor) -> Tensor:
    """L1 of the matte plus its binary cross-entropy, which still pulls where the sigmoid is flat.
    Both (B, 1, H, W)."""
    matte_logits = matte_logits.float()
    return F.l1_loss(torch.sigmoid(matte_logits), mask) + F.binary_cross_entropy_with_logits(
        matte_logits, mask
    )
