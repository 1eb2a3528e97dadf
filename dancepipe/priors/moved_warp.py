"""The limb warp read beside its place, straight from the reference.

A learnt correction says of each target pixel "take what the warp has over there". Reading the
finished warp there would interpolate what was interpolated before, and the second time costs as
much fine detail as the first: a sixth at 256 x 256, a third at 128 x 128 on photographs. So the
places go through the part's map, and the reference is read once.
"""

from dataclasses import dataclass

from torch import Tensor

from dancepipe.nn.local_attention import coordinates, sample


@dataclass(frozen=True)
class WarpLayers:
    """What the warp is made of. Not differentiated; `read` passes gradients to where it is asked
    to read."""

    # (B or 1, 5, H, W), of the reference: picture in [-1, 1], matte, and where a forearm hides what
    # lies behind it
    pixels: Tensor
    maps: Tensor  # (B, P, 2, 3), target to source px
    part: Tensor  # (B, H, W) int64: the part that a target pixel is of
    is_arm: Tensor  # (P,) 1 for the parts that take along what lies before the others, else 0
    # (B, 5, H, W): how much body there is, and what fills holes: its colour times its matte, its
    # matte
    rest: Tensor

    def read(self, move: Tensor) -> tuple[Tensor, Tensor]:
        """move (B, 2, H, W) px -> picture (B, 3, H, W) in [-1, 1] and matte (B, 1, H, W) in [0,
        1] of the warp at p + move(p)."""
        height, width = move.shape[2:]
        x, y = (
            at.nan_to_num().clamp(0, side - 1)
            for at, side in zip(coordinates(move), (width, height))
        )  # borders repeat, as the warp's own
        nearest = (y.round() * width + x.round()).long().flatten(1)  # (B, H W)
        part = self.part.flatten(1).gather(1, nearest).view(-1, height, width)
        moved = sample(
            self.pixels, *mapped(self.maps, part, x, y), "zeros"
        )  # nothing (0: grey, no body) lies outside the picture
        return laid(uncovered(moved, self.is_arm[part]), sample(self.rest, x, y))


def mapped(maps: Tensor, part: Tensor, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """The points x, y (H, W) or (B, H, W) by the map of each one's part: maps (B, P, 2, 3), part
    (B, H, W) -> x, y (B, H, W)."""
    chosen = (
        maps.flatten(2)
        .gather(1, part.flatten(1)[..., None].expand(-1, -1, 6))
        .view(*part.shape, 2, 3)
    )
    moved = chosen[..., 0] * x[..., None] + chosen[..., 1] * y[..., None] + chosen[..., 2]
    return moved[..., 0], moved[..., 1]


def uncovered(moved: Tensor, is_arm: Tensor) -> Tensor:
    """moved (B, 5, H, W), as WarpLayers.pixels -> (B, 4, H, W): torso and legs do not take the
    hands along. is_arm (B, H, W)."""
    return moved[:, :4] * (1 - moved[:, 4:] * (1 - is_arm[:, None]))


def laid(moved: Tensor, rest: Tensor) -> tuple[Tensor, Tensor]:
    """moved (B, 4, H, W) where there is body, over what fills holes (WarpLayers.rest): picture
    and matte."""
    both = moved * rest[:, :1] + rest[:, 1:]
    return both[:, :3].clamp(-1, 1), both[:, 3:].clamp(0, 1)
