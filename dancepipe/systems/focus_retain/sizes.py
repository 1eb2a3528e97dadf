"""Between the size at which stage 1 works and that of the whole picture: the same for "enlarge"
1, half of it for 2."""

from dataclasses import replace

import torch.nn.functional as F
from torch import Tensor

from dancepipe.systems.focus_retain.flow_attention import FlowAttentionOutput


def shrunk_pictures(pictures: Tensor, factor: int) -> Tensor:
    """(B, C, H, W) -> (B, C, H / factor, W / factor), area means."""
    return pictures if factor == 1 else F.avg_pool2d(pictures, factor)


def at_size(pictures: Tensor, size_hw: tuple[int, int]) -> Tensor:
    """(B, C, H, W) -> that size: area means, or bilinear where it grows."""
    if pictures.shape[2:] == size_hw:
        return pictures
    if pictures.shape[2] >= size_hw[0]:
        return F.interpolate(pictures, size_hw, mode="area")
    return F.interpolate(pictures, size_hw, mode="bilinear", align_corners=False)


def enlarged(made: FlowAttentionOutput, factor: int) -> FlowAttentionOutput:
    """The coarse picture and its matte, bilinear; what lies inside stays at its size."""
    return replace(
        made,
        coarse=enlarged_pictures(made.coarse, factor),
        matte_logits=enlarged_pictures(made.matte_logits, factor),
    )


def enlarged_pictures(pictures: Tensor, factor: int) -> Tensor:
    """(B, C, H, W) -> (B, C, factor * H, factor * W), bilinear."""
    if factor == 1:
        return pictures
    return F.interpolate(pictures, scale_factor=factor, mode="bilinear", align_corners=False)
