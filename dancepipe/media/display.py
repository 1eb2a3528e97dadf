"""From the stored picture to the displayed one: display matrix, sample aspect ratio, colours,
smaller size."""

import struct
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from dancepipe.media.color import mapped_to_bt709, needs_mapping, tag_as_shown

# Pixels flatter or taller than this are a damaged header, not an anamorphic film.
MOST_ANAMORPHIC = 8


@dataclass(frozen=True)
class Orientation:
    """One of the eight ways to lay a picture: transpose first, then mirror left-right and
    top-bottom."""

    transposed: bool = False
    mirrored_x: bool = False
    mirrored_y: bool = False

    @property
    def rotation_degrees(self) -> int:
        """0, 90, 180 or 270, counter-clockwise. A mirrored picture counts the turn made before
        mirroring left-right."""
        if self.transposed:
            return 90 if self.mirrored_y else 270
        return 180 if self.mirrored_y else 0

    def turn(self, image: np.ndarray) -> np.ndarray:
        """(H, W, 3) as stored -> as displayed, contiguous."""
        if self.transposed:
            image = image.transpose(1, 0, 2)
        if self.mirrored_y:
            image = image[::-1]
        if self.mirrored_x:
            image = image[:, ::-1]
        return np.ascontiguousarray(image)

    def turn_size(self, size_wh: tuple[int, int]) -> tuple[int, int]:
        """The same for a size; it is its own inverse."""
        return (size_wh[1], size_wh[0]) if self.transposed else size_wh


def orientation_of(frame) -> Orientation:
    """Orientation that the display matrix of a decoded PyAV frame asks for.

    The matrix maps stored (p, q) to displayed (a p + c q, b p + d q), x to the right, y down, in
    16.16 fixed point (libavutil/display.h). Angles in between are rounded to the nearest quarter
    turn: a player with square corners does that too.
    """
    matrix = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return Orientation()
    a, b, _, c, d = struct.unpack("=5i", bytes(matrix)[:20])
    if abs(b) + abs(c) > abs(a) + abs(d):
        return Orientation(True, mirrored_x=c < 0, mirrored_y=b < 0)
    return Orientation(False, mirrored_x=a < 0, mirrored_y=d < 0)


def square_pixel_size(
    coded_size_wh: tuple[int, int], sample_aspect_ratio: Fraction | None
) -> tuple[int, int]:
    """Coded size with the width scaled so that pixels are square. ValueError where the declared
    ratio is absurd."""
    width, height = coded_size_wh
    if not sample_aspect_ratio or sample_aspect_ratio < 0:
        return width, height
    if not 1 / MOST_ANAMORPHIC <= sample_aspect_ratio <= MOST_ANAMORPHIC:
        raise ValueError(
            "it declares pixels of the shape "
            f"{sample_aspect_ratio.numerator}:{sample_aspect_ratio.denominator}"
        )
    return max(1, round(width * sample_aspect_ratio)), height


def fit_size(size_wh: tuple[int, int], max_side_px: int | None) -> tuple[int, int]:
    """The size scaled down so that its longer side is at most max_side_px; never up."""
    if max_side_px is None:
        return size_wh
    if max_side_px < 1:
        raise ValueError(f"max_side_px must be positive, got {max_side_px}")
    longer = max(size_wh)
    if longer <= max_side_px:
        return size_wh
    return max(1, round(size_wh[0] * max_side_px / longer)), max(
        1, round(size_wh[1] * max_side_px / longer)
    )


class DisplayConverter:
    """PyAV frames of one stream -> uint8 RGB pictures (BT.709), all of size_wh, upright, square
    pixels."""

    def __init__(self, size_wh: tuple[int, int], orientation: Orientation):
        from av.video.reformatter import VideoReformatter

        self.size_wh, self.orientation = size_wh, orientation
        self._stored_wh = orientation.turn_size(size_wh)
        self._swscale = VideoReformatter()  # keeps its context from frame to frame

    def convert(self, frame) -> np.ndarray:
        """uint8 RGB (H, W, 3). Scaling is done in swscale, before the conversion to arrays:
        several times cheaper than after it."""
        width, height = self._stored_wh
        scaled = (frame.width, frame.height) != (width, height)
        tag_as_shown(frame)
        is_mapped = needs_mapping(frame)
        format = "rgb48le" if is_mapped else "rgb24"
        rgb = self._swscale.reformat(
            frame, width, height, format, interpolation="AREA" if scaled else None
        ).to_ndarray()
        if is_mapped:
            rgb = mapped_to_bt709(rgb, frame.color_trc, frame.color_primaries)
        return self.orientation.turn(rgb)
