"""The one pair of functions between pictures (uint8, H x W x 3) and network tensors (float, 3 x
H x W, [-1, 1])."""

import numpy as np
import torch
from torch import Tensor

# People stand on neutral grey (records.GREY). No uint8 is exactly the middle of [-1, 1]: 128 is
# 0.0039 to the networks.


def _checked(
    pictures: np.ndarray | Tensor, dimensions: int, device: torch.device | str | None
) -> Tensor:
    pictures = torch.as_tensor(pictures, device=device)
    if pictures.dtype != torch.uint8 or pictures.ndim != dimensions:
        raise ValueError(
            f"need a uint8 batch of {dimensions} dimensions, got {pictures.dtype} "
            f"{tuple(pictures.shape)}"
        )
    return pictures


def to_network(images: np.ndarray | Tensor, device: torch.device | str | None = None) -> Tensor:
    """uint8 RGB (B, H, W, 3) -> float32 (B, 3, H, W) in [-1, 1], channels_last in memory, on
    `device` (default: where they are)."""
    images = _checked(images, 4, device)
    if images.shape[3] != 3:
        raise ValueError(f"pictures have 3 channels, last; got shape {tuple(images.shape)}")
    return (images.float() / 127.5 - 1).permute(0, 3, 1, 2)


def mask_to_network(masks: np.ndarray | Tensor, device: torch.device | str | None = None) -> Tensor:
    """uint8 (B, H, W), 255 = person -> float32 (B, 1, H, W) in [0, 1]."""
    return _checked(masks, 3, device)[:, None].float() / 255


def to_mask(matte: Tensor) -> Tensor:
    """(B, 1, H, W) in [0, 1] -> uint8 (B, H, W) on the same device, rounded. Undoes mask_to_network
    exactly."""
    return (matte.detach().float()[:, 0] * 255).round().to(torch.uint8)


def to_picture(rgb: Tensor) -> Tensor:
    """(B, 3, H, W) in [-1, 1] -> uint8 RGB (B, H, W, 3) on the same device, rounded, clipped.
    Undoes to_network exactly."""
    return (
        ((rgb.detach().float() + 1) * 127.5)
        .round_()
        .clamp_(0, 255)
        .to(torch.uint8)
        .permute(0, 2, 3, 1)
        .contiguous()
    )
