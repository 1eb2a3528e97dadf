"""A square anywhere in a picture, turned by any angle: what a network reads of it, and back.

The one place that knows the networks' pixel grids. Points have pixel centres at integers, as
everywhere here. Inside the square (u, v) runs from (0, 0), its upper left corner, to (1, 1).
Pictures are read as mediapipe's CPU graphs read them (ImageToTensorCalculator with OpenCV): pixel j
of the n x n input takes the value at u = j / n, measured from the outer edge of picture pixel 0 as
if that were its centre. Where a step of the input is s picture pixels, that is (s - 1) / 2 of them
off in an upright square, and up to (s + 1) / 2 in one that lies; the networks' points are what they
are with it, and masks go back the same way, so that they lie true. Places between pixels are
rounded to 1/32 as in those graphs, which is every OpenCV's way with whole-number maps: the networks
answer to less than that, depth by several pixels, and the other ways differ from one OpenCV to the
next.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np


@dataclass(frozen=True)
class TurnedSquare:
    """A square with its middle, side and turn in a picture; it may reach beyond the picture."""

    center_xy_px: tuple[float, float]
    side_px: float
    turn_radians: float = 0.0  # of its content, clockwise as seen: 0 is upright

    @staticmethod
    def around(size_wh: tuple[int, int]) -> "TurnedSquare":
        """The smallest upright square that holds a whole picture, which lies in its middle."""
        width, height = size_wh
        return TurnedSquare(((width - 1) / 2, (height - 1) / 2), max(width, height))

    def read(self, image: np.ndarray, size_px: int, *, repeat_border: bool) -> np.ndarray:
        """uint8 (H, W, 3) -> uint8 (size_px, size_px, 3). Beyond the picture lie its border pixels,
        or black."""
        matrix, grid = self._grid_to_picture(size_px), np.arange(size_px)
        x, y = (
            (row[1] * grid + row[2]).astype(np.float32)[:, None]
            + (row[0] * grid).astype(np.float32)
            for row in matrix
        )
        places, fractions = cv2.convertMaps(x, y, cv2.CV_16SC2)
        border = cv2.BORDER_REPLICATE if repeat_border else cv2.BORDER_CONSTANT
        return cv2.remap(image, places, fractions, cv2.INTER_LINEAR, borderMode=border)

    def spread(self, values: np.ndarray, size_wh: tuple[int, int]) -> np.ndarray:
        """float32 (n, n) over the square -> float32 (H, W) over the picture, 0 outside."""
        matrix = self._grid_to_picture(values.shape[0])
        return cv2.warpAffine(
            values, matrix, size_wh, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT
        )

    def to_picture(self, points_uv: np.ndarray) -> np.ndarray:
        """(..., 2) in the square -> (..., 2) in pixels of the picture."""
        cos, sin = math.cos(self.turn_radians), math.sin(self.turn_radians)
        local = (np.asarray(points_uv, np.float64) - 0.5) * self.side_px
        return local @ np.array([[cos, sin], [-sin, cos]]) + self.center_xy_px

    def _grid_to_picture(self, size_px: int) -> np.ndarray:
        """(2, 3): pixel of the n x n grid -> pixel of the picture, as the head of this file
        says."""
        step = self.side_px / size_px
        cos, sin = step * math.cos(self.turn_radians), step * math.sin(self.turn_radians)
        x, y = self.center_xy_px[0] + 0.5, self.center_xy_px[1] + 0.5
        half = size_px / 2
        return np.array([[cos, -sin, x - (cos - sin) * half], [sin, cos, y - (sin + cos) * half]])
