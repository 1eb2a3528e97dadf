"""Fine detail: how much small structure the person has. Errors such as L1 reward blur; this number shows it."""

import torch
import torch.nn.functional as F
from torch import Tensor

from dancepipe.evaluate.pixels import unit_range
from dancepipe.model.fine_detail import high_passed

_RIM_PX = 2  # the outline against the background is an edge, not detail
_FEWEST_PX = 32


def fine_detail(pictures: Tensor, masks: Tensor) -> Tensor:
    """hf (B,): standard deviation of the high-passed luminance inside the mask (uint8 (B, H, W)), 2 px away from its outline.

    nan where less than 32 pixels remain.
    """
    outside = (masks <= 127).float()[:, None]
    inside = F.max_pool2d(outside, 2 * _RIM_PX + 1, 1, _RIM_PX) == 0  # eroded
    high = high_passed(unit_range(pictures))
    count = inside.sum((1, 2, 3))
    mean = (high * inside).sum((1, 2, 3)) / count.clamp_min(1)
    variance = ((high - mean[:, None, None, None]).square() * inside).sum((1, 2, 3)) / count.clamp_min(1)
    return torch.where(count >= _FEWEST_PX, variance.sqrt(), torch.nan)
