"""The rendered square back into the frame, on any background, to a fraction of a pixel."""

import math
from functools import cache

import cv2
import numpy as np

from dancepipe.records import GREY
from dancepipe.rendering.composite_kernels import filled, lay_over, premultiply

_FAINT, _FULL = (
    0.35,
    0.8,
    # mattes below and above are taken as 0 and 1: where an outline is uncertain networks spread it,
    # which shows as a halo
)
_RIM = (
    1 / 64
)  # of the canvas: nobody stands there, but convolutions are unsure of themselves at borders


_RIM_PX = 17  # transparent pixels that near have the person's colours
_MARGIN_PX = _RIM_PX  # of the frame that is looked at around the person
_MARGIN_CANVAS_PX = 3  # cubic interpolation reads two pixels to each side
_OWN_COLOUR = 1 / 16  # with less alpha a pixel's own colour is mostly rounding


def premultiplied(picture: np.ndarray, matte: np.ndarray) -> np.ndarray:
    """float32 (S, S, 4): colour times matte, and matte in [0, 1], from a person on grey.

    picture: uint8 RGB (S, S, 3) = m F + (1 - m) grey; matte m: uint8 (S, S).
    """
    person = np.zeros((*matte.shape, 4), np.float32)
    faint, full = np.float32(_FAINT), np.float32(_FULL)
    premultiply(picture, matte, _inside(len(matte)), faint, full, np.float32(GREY), person)
    return person


@cache
def _inside(size_px: int) -> np.ndarray:
    """float32 (S,): 0 at the border of the canvas, 1 from _RIM inwards."""
    from_border = np.minimum(np.arange(size_px), np.arange(size_px)[::-1]).astype(np.float32)
    return np.clip(from_border / (_RIM * size_px), 0, 1).astype(np.float32)


def paste(
    background: np.ndarray, person: np.ndarray, box_xyxy_px: tuple[float, float, float, float]
) -> None:
    """Lay the premultiplied person (S, S, 4) into `background` (uint8 RGB (H, W, 3)), in place.

    box: the square in the background that the person's canvas covers (edges at pixel borders, see
    person/crop.py).
    """
    placed = _placed(person, box_xyxy_px, (background.shape[1], background.shape[0]))
    if placed is None:
        return
    (top, bottom, left, right), layer = placed
    lay_over(layer, background[top:bottom, left:right])


def alone(
    size_wh: tuple[int, int], person: np.ndarray, box_xyxy_px: tuple[float, float, float, float]
) -> np.ndarray:
    """The premultiplied person (S, S, 4) on nothing: uint8 RGBA (H, W, 4), straight alpha.

    Next to the outline transparent pixels have the colours of the person: encoders and players
    that mix neighbours draw no dark rim. box: as in paste().
    """
    picture = np.zeros((size_wh[1], size_wh[0], 4), np.uint8)
    placed = _placed(person, box_xyxy_px, size_wh)
    if placed is None:
        return picture
    (top, bottom, left, right), layer = placed
    alpha = np.clip(layer[..., 3:], 0, 1)
    around = cv2.blur(layer, (_RIM_PX, _RIM_PX))
    colour = np.where(
        alpha > _OWN_COLOUR,
        layer[..., :3] / np.maximum(alpha, _OWN_COLOUR),
        around[..., :3] / np.maximum(around[..., 3:], 1 / 512),
    )
    straight = np.concatenate((np.clip(colour, 0, 255), 255 * alpha), -1)
    picture[top:bottom, left:right] = np.rint(straight).astype(np.uint8)
    return picture


def _placed(
    person: np.ndarray,
    box_xyxy_px: tuple[float, float, float, float],
    size_wh: tuple[int, int],
) -> tuple[tuple[int, int, int, int], np.ndarray] | None:
    """Top, bottom, left and right of the part of the frame where the person is, and the person in
    it, float32 (H, W, 4). None: that is outside the frame."""
    width, height = size_wh
    x0, y0, x1, y1 = box_xyxy_px
    on_frame = (x1 - x0) / person.shape[0]  # frame pixels per canvas pixel
    first_y, last_y, first_x, last_x = filled(person)
    reach = _MARGIN_PX + _MARGIN_CANVAS_PX * on_frame
    left = max(0, math.ceil(max(x0, x0 + first_x * on_frame - reach)))
    top = max(0, math.ceil(max(y0, y0 + first_y * on_frame - reach)))
    right = min(width, math.floor(min(x1, x0 + last_x * on_frame + reach)) + 1)
    bottom = min(height, math.floor(min(y1, y0 + last_y * on_frame + reach)) + 1)
    if right <= left or bottom <= top:
        return None
    interpolation = cv2.INTER_CUBIC
    if person.shape[0] > x1 - x0:  # warpAffine samples points: average first
        side = max(1, round(x1 - x0))
        person, interpolation = (
            cv2.resize(person, (side, side), interpolation=cv2.INTER_AREA),
            cv2.INTER_LINEAR,
        )
    step = person.shape[0] / (x1 - x0)  # canvas pixels per frame pixel
    to_canvas = np.array([[step, 0, (left - x0) * step - 0.5], [0, step, (top - y0) * step - 0.5]])
    layer = cv2.warpAffine(
        person, to_canvas, (right - left, bottom - top), flags=cv2.WARP_INVERSE_MAP | interpolation
    )  # zeros outside
    return (top, bottom, left, right), layer
