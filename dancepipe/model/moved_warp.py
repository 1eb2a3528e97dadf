"""The limb warp read beside its place, straight from the reference.

A learnt correction says of each target pixel "take what the warp has over there". Reading the finished warp there would
interpolate what was interpolated before, and the second time costs as much fine detail as the first: a sixth at 256 x 256,
a third at 128 x 128 on photographs. So the places go through the part's map, and the reference is read once.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class WarpLayers:
    """What the warp is made of. Not differentiated; `read` passes gradients to where it is asked to read."""

    pixels: Tensor  # (B or 1, 5, H, W), of the reference: picture in [-1, 1], matte, and where a forearm hides what lies behind it
    maps: Tensor  # (B, P, 2, 3), target to source px
    part: Tensor  # (B, H, W) int64: the part that a target pixel is of
    shows_covered: Tensor  # (B, 1, H, W): 1 where that part is an arm, which takes along what the others leave out
    rest: Tensor  # (B, 5, H, W): how much body there is, and what fills holes: its colour times its matte, its matte

    def read(self, move: Tensor) -> tuple[Tensor, Tensor]:
        """move (B, 2, H, W) px -> picture (B, 3, H, W) in [-1, 1] and matte (B, 1, H, W) in [0, 1] of the warp at p + move(p)."""
        batch, _, height, width = move.shape
        at = (move.float() + _pixels(height, width, move)).nan_to_num()  # the gradient of grid_sample would write outside of its memory
        x, y = (at[:, axis].clamp(0, side - 1) for axis, side in ((0, width), (1, height)))  # borders repeat, as the warp's own
        nearest = (y.round() * width + x.round()).long().view(batch, -1)  # (B, H W)
        part = self.part.view(batch, -1).gather(1, nearest)
        maps = self.maps.flatten(2).gather(1, part[..., None].expand(-1, -1, 6)).view(batch, height, width, 2, 3)
        source = maps[..., 0] * x[..., None] + maps[..., 1] * y[..., None] + maps[..., 2]  # (B, H, W, 2)
        moved = _sampled(self.pixels, source, "zeros")  # nothing (0: grey, no body) lies outside the picture
        rest = _sampled(self.rest, torch.stack((x, y), -1), "border")
        is_arm = self.shows_covered.view(batch, -1).gather(1, nearest).view(batch, 1, height, width)
        share = rest[:, :1] * (1 - moved[:, 4:] * (1 - is_arm))
        return (moved[:, :3] * share + rest[:, 1:4]).clamp(-1, 1), (moved[:, 3:4] * share + rest[:, 4:]).clamp(0, 1)


def _pixels(height: int, width: int, like: Tensor) -> Tensor:
    y, x = torch.meshgrid(*(torch.arange(side, device=like.device, dtype=torch.float32) for side in (height, width)), indexing="ij")
    return torch.stack((x, y))


def _sampled(source: Tensor, at: Tensor, outside: str) -> Tensor:
    """source (B or 1, C, H, W) at px (B, h, w, 2)."""
    height, width = source.shape[2:]
    grid = 2 * at / at.new_tensor([width - 1, height - 1]) - 1
    return F.grid_sample(source.expand(len(at), -1, -1, -1), grid, mode="bilinear", padding_mode=outside, align_corners=True)
