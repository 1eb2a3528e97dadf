"""Fine detail: how much small structure the person has. Errors such as L1 reward blur; this number shows it."""

import torch
import torch.nn.functional as F
from torch import Tensor

_LUMA = (0.299, 0.587, 0.114)
_SIGMA_PX, _RADIUS_PX = 1.0, 2
_RIM_PX = 2  # the outline against the background is an edge, not detail
_FEWEST_PX = 32


def high_passed(pictures: Tensor) -> Tensor:
    """uint8 RGB (B, H, W, 3) -> luminance less its Gaussian blur (sigma 1 px), (B, 1, H, W), values in [0, 1] before."""
    luma = (pictures.float() / 255 * torch.tensor(_LUMA, device=pictures.device)).sum(3)[:, None]  # (B, 1, H, W)
    offsets = torch.arange(-_RADIUS_PX, _RADIUS_PX + 1, device=luma.device, dtype=torch.float32)
    window = torch.softmax(-0.5 * (offsets / _SIGMA_PX).square(), 0)
    padded = F.pad(luma, (_RADIUS_PX,) * 4, mode="replicate")
    return luma - F.conv2d(F.conv2d(padded, window.view(1, 1, -1, 1)), window.view(1, 1, 1, -1))


def fine_detail(pictures: Tensor, masks: Tensor) -> Tensor:
    """hf (B,): standard deviation of the high-passed luminance inside the mask (uint8 (B, H, W)), 2 px away from its outline.

    nan where less than 32 pixels remain.
    """
    outside = (masks <= 127).float()[:, None]
    inside = F.max_pool2d(outside, 2 * _RIM_PX + 1, 1, _RIM_PX) == 0  # eroded
    high = high_passed(pictures)
    count = inside.sum((1, 2, 3))
    mean = (high * inside).sum((1, 2, 3)) / count.clamp_min(1)
    variance = ((high - mean[:, None, None, None]).square() * inside).sum((1, 2, 3)) / count.clamp_min(1)
    return torch.where(count >= _FEWEST_PX, variance.sqrt(), torch.nan)
