"""The rendered square back into the frame, on any background, to a fraction of a pixel."""

import math
from functools import cache

import cv2
import numpy as np

from dancepipe.records import GREY

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
_OWN_COLOUR = 1 / 16  # with less alpha a pixel's own colour is mostly rounding


def premultiplied(picture: np.ndarray, matte: np.ndarray) -> np.ndarray:
    """float32 (S, S, 4): colour times matte, and matte in [0, 1], from a person on grey.

    picture: uint8 RGB (S, S, 3) = m F + (1 - m) grey; matte m: uint8 (S, S).
    """
    person = np.zeros((*matte.shape, 4), np.float32)
    there = _filled(matte)
    weight = matte[there].astype(np.float32)[..., None] / 255
    crisp = np.clip((weight - _FAINT) / (_FULL - _FAINT), 0, 1) * _inside(len(matte))[there]
    coloured = picture[there] - (1 - weight) * np.float32(GREY)  # m F
    coloured = np.clip(coloured * (crisp / np.maximum(weight, _FAINT)), 0, 255 * crisp)
    person[there] = np.concatenate([coloured, crisp], -1)
    return person


def _filled(values: np.ndarray) -> tuple[slice, slice]:
    """Rows and columns (H, W) of all that is not 0: a person fills a part of its canvas."""
    rows, columns = np.flatnonzero(values.any(1)), np.flatnonzero(values.any(0))
    if not len(rows):
        return np.s_[0:0, 0:0]
    return np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


@cache
def _inside(size_px: int) -> np.ndarray:
    """float32 (S, S, 1): 0 at the border of the canvas, 1 from _RIM inwards."""
    from_border = np.minimum(np.arange(size_px), np.arange(size_px)[::-1]).astype(np.float32)
    ramp = np.clip(from_border / (_RIM * size_px), 0, 1)
    return np.minimum(ramp[:, None], ramp[None, :])[..., None]


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
    there = _filled(layer[..., 3])
    layer, place = layer[there], background[top:bottom, left:right][there]
    blended = layer[..., :3] + (1 - np.clip(layer[..., 3:], 0, 1)) * place.astype(np.float32)
    place[:] = np.rint(np.clip(blended, 0, 255)).astype(np.uint8)


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
    """Top, bottom, left and right of the part of the frame that the canvas covers, and the person
    in it, float32 (H, W, 4). None: it is outside the frame."""
    width, height = size_wh
    x0, y0, x1, y1 = box_xyxy_px
    left, top = max(0, math.ceil(x0)), max(0, math.ceil(y0))
    right, bottom = min(width, math.floor(x1) + 1), min(height, math.floor(y1) + 1)
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
