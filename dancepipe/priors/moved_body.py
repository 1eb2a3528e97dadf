"""The body's picture read beside its place, the photo read once (moved_warp.py says why).

A pixel of the body knows where its surface lies in the photo, how much of its colour was read
there, and by its neighbours on the same surface how that place moves with the pixel. A learnt move
reads that share in the photo; the rest (mirrored and diffused colours, what fades at the outline)
is read off the finished picture, by a cubic: what is between pixels would be blurred by less, and a
network may not be given a way to blur.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numba import njit
from torch import Tensor

from dancepipe.geometry import unit_px
from dancepipe.nn.local_attention import coordinates, sample

_ONE_SURFACE_PX = 3.0  # px of the photo between neighbours; more is the edge of a part


@dataclass(frozen=True)
class BodyLayers:
    """What the body's picture is made of. Not differentiated; `read` passes gradients to where it
    is asked to read."""

    photo: (
        Tensor  # (B or 1, 3, H, W) in [-1, 1]: the person's colours, carried on beyond its outline
    )
    places: Tensor  # (B, 6, H, W): x_px, y_px in the photo, and how they change by x and by y
    # (B, 5, H, W): what the photo's share lacks of the picture, the photo's share, and the matte
    rest: Tensor

    @staticmethod
    def of(
        photo: Tensor, picture: Tensor, matte: Tensor, source: np.ndarray, read_share: np.ndarray
    ) -> "BodyLayers":
        """photo as above; picture (B, 3, H, W) in [-1, 1] on grey, matte (B, 1, H, W) in [0, 1];
        source float32 (B, H, W, 2): x_px, y_px in the photo; read_share float32 (B, H, W): how much
        of the colour was read there."""
        places = np.zeros((*read_share.shape, 6), np.float32)
        for one in zip(source, read_share > 0, places):
            _fill_places(*one)
        moved = torch.from_numpy(places).permute(0, 3, 1, 2).contiguous().to(photo.device)
        share = matte * torch.from_numpy(read_share).to(photo.device)[:, None]
        lacking = picture - share * sample(
            photo.expand(len(moved), -1, -1, -1), moved[:, 0], moved[:, 1]
        )
        return BodyLayers(photo, moved, torch.cat((lacking, share, matte), 1))

    def read(self, move: Tensor) -> tuple[Tensor, Tensor]:
        """move (B, 2, H, W) px -> picture (B, 3, H, W) in [-1, 1] and matte (B, 1, H, W) in [0,
        1] of the body at p + move(p)."""
        height, width = move.shape[2:]
        x, y = (
            at.nan_to_num().clamp(0, side - 1)
            for at, side in zip(coordinates(move), (width, height))
        )  # borders repeat
        column, row = x.round(), y.round()  # the pixel whose surface it is
        nearest = (row * width + column).long().flatten(1)[:, None].expand(-1, 6, -1)
        own = self.places.flatten(2).gather(2, nearest).view(-1, 6, height, width)
        aside, down = x - column, y - row
        photo = sample(
            self.photo.expand(len(own), -1, -1, -1),
            own[:, 0] + own[:, 2] * aside + own[:, 4] * down,
            own[:, 1] + own[:, 3] * aside + own[:, 5] * down,
        )
        rest = _cubic(self.rest, x, y)
        picture = rest[:, :3] + rest[:, 3:4] * photo
        return picture.clamp(-1, 1), rest[:, 4:].clamp(0, 1)


def _cubic(values: Tensor, x_px: Tensor, y_px: Tensor) -> Tensor:
    """Borders repeat."""
    height, width = values.shape[2:]
    grid = torch.stack((unit_px(x_px, width), unit_px(y_px, height)), -1)
    return F.grid_sample(values, grid, mode="bicubic", padding_mode="border", align_corners=True)


@njit(cache=True, nogil=True)
def _fill_places(source, seen, places):
    """places (H, W, 6): source (H, W, 2) and its differences along x and y, each within one
    surface. A pixel beside one that is seen continues that one's surface, so that a read between
    the two finds the right place."""
    height, width = seen.shape
    for y in range(height):
        for x in range(width):
            places[y, x, 0], places[y, x, 1] = source[y, x, 0], source[y, x, 1]
            if seen[y, x]:
                for axis in range(2):
                    dx, dy = (1, 0) if axis == 0 else (0, 1)
                    places[y, x, 2 + 2 * axis + axis] = 1  # as it is in the photo
                    count = 0
                    total_x, total_y = np.float32(0), np.float32(0)
                    for way in (-1, 1):
                        row, column = y + dy * way, x + dx * way
                        if row < 0 or column < 0 or row >= height or column >= width:
                            continue
                        step_x = (source[row, column, 0] - source[y, x, 0]) * way
                        step_y = (source[row, column, 1] - source[y, x, 1]) * way
                        if seen[row, column] and abs(step_x) + abs(step_y) < _ONE_SURFACE_PX:
                            total_x, total_y, count = total_x + step_x, total_y + step_y, count + 1
                    if count:
                        places[y, x, 2 + 2 * axis] = total_x / count
                        places[y, x, 3 + 2 * axis] = total_y / count
    for y in range(height):
        for x in range(width):
            if seen[y, x]:
                continue
            for near in range(8):  # the four beside it first
                dx = (-1, 1, 0, 0, -1, 1, -1, 1)[near]
                dy = (0, 0, -1, 1, -1, -1, 1, 1)[near]
                row, column = y + dy, x + dx
                if row < 0 or column < 0 or row >= height or column >= width:
                    continue
                if seen[row, column]:
                    for k in range(2, 6):
                        places[y, x, k] = places[row, column, k]
                    for k in range(2):
                        places[y, x, k] = (
                            places[row, column, k]
                            - places[row, column, 2 + k] * dx
                            - places[row, column, 4 + k] * dy
                        )
                    break
