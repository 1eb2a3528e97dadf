"""A soft shadow where the feet touch the ground, as light from above gives it."""

import math
from dataclasses import dataclass

import numpy as np

from dancepipe.person.crop import Box, torso_length_px
from dancepipe.pose.skeleton import L_ANKLE, R_ANKLE
from dancepipe.records import BodyPose
from dancepipe.skeletons import BLAZEPOSE_33

# In torso lengths, which are .3 of a person's height.
_FOOT = 0.2  # half of one, seen from the front
_SOLE = 0.12  # of a skeleton without heels, below its ankle
_FLAT = 0.26  # of a shadow's height by its width: people are filmed from the height of the chest
_LEVEL = 0.16  # so much higher stands a foot that is only farther away
_LIFTED = 0.5  # from so much on a foot throws no shadow of its own
_TIP = 0.04  # the lowest edge is that of the toes, and the sole's middle lies behind them
_SEARCH = 0.25  # for the lower edge of what was drawn
_BODY = 0.5  # half of the body's own shadow
_FOOT_DARK, _BODY_DARK = 0.5, 0.28
_REACH = 2.6  # of a blob's radii, where nothing is left of it
_OPAQUE = 0.5


@dataclass(frozen=True)
class _Blob:
    """A soft ellipse, in the picture's pixels."""

    x: float
    y: float
    half_wide: float
    half_tall: float
    dark: float


def contact_shadow(
    body: BodyPose, person: np.ndarray, box_xyxy_px: Box, size_wh: tuple[int, int]
) -> tuple[tuple[slice, slice], np.ndarray] | None:
    """Which part of the picture is darkened, and by which share, float32 (H, W, 1) in [0, 1]; None
    where no foot is known.

    body: in the canvas. person: premultiplied (S, S, 4), in it. box: where the canvas lies in the
    picture of size_wh.
    """
    blobs = _blobs(body, person, box_xyxy_px)
    if not blobs:
        return None
    left = max(0, math.floor(min(one.x - _REACH * one.half_wide for one in blobs)))
    right = min(size_wh[0], math.ceil(max(one.x + _REACH * one.half_wide for one in blobs)))
    top = max(0, math.floor(min(one.y - _REACH * one.half_tall for one in blobs)))
    bottom = min(size_wh[1], math.ceil(max(one.y + _REACH * one.half_tall for one in blobs)))
    if right <= left or bottom <= top:
        return None
    y, x = np.mgrid[top:bottom, left:right].astype(np.float32)
    light = np.ones_like(x)
    for one in blobs:
        away = ((x - one.x) / one.half_wide) ** 2 + ((y - one.y) / one.half_tall) ** 2
        light *= 1 - one.dark * np.exp(-away)
    return (slice(top, bottom), slice(left, right)), (1 - light)[..., None]


def darken(picture: np.ndarray, shadow: tuple[tuple[slice, slice], np.ndarray]) -> None:
    """A picture, uint8 RGB (H, W, 3), in place."""
    there, share = shadow
    picture[there] = np.rint(picture[there] * (1 - share))


def lay_under(picture: np.ndarray, shadow: tuple[tuple[slice, slice], np.ndarray]) -> None:
    """The shadow, black and partly transparent, behind what is in a picture, uint8 RGBA
    (H, W, 4), straight alpha, in place."""
    there, share = shadow
    own = picture[there].astype(np.float32)
    alpha = own[..., 3:] / 255
    both = alpha + share * (1 - alpha)
    colour = own[..., :3] * np.where(both > 0, alpha / np.maximum(both, 1e-6), 1)
    # Where next to nothing is dark, colours that go on beyond the outline stay.
    colour = np.where((alpha == 0) & (share < 1 / 255), own[..., :3], colour)
    picture[there] = np.rint(np.concatenate((colour, 255 * both), -1))


def _blobs(body: BodyPose, person: np.ndarray, box_xyxy_px: Box) -> list[_Blob]:
    side = box_xyxy_px[2] - box_xyxy_px[0]
    scale = side / person.shape[0]
    torso = torso_length_px(body.joints) or 0.27 * person.shape[0]
    feet = [
        one for one in (_foot(body, person, which, torso) for which in ("left", "right")) if one
    ]
    if not feet:
        return []
    ground = max(y for _, y, _ in feet)

    def blob(x: float, y: float, half: float, dark: float) -> _Blob:
        wide = half * torso * scale
        x, y = ((place + 0.5) * scale + edge - 0.5 for place, edge in zip((x, y), box_xyxy_px))
        return _Blob(x, y, wide, _FLAT * wide, dark)

    blobs = []
    for x, y, half in feet:
        lifted = max(0.0, (ground - y) / torso - _LEVEL)
        share = max(0.0, 1 - lifted / _LIFTED)
        on_ground = y + min(lifted, 2 * _LIFTED) * torso
        blobs.append(blob(x, on_ground, half * (1 + lifted), _FOOT_DARK * share**2))
    middle = sum(x for x, _, _ in feet) / len(feet)
    apart = max(abs(x - middle) for x, _, _ in feet) / torso
    height = sum(y for _, y, _ in feet) / len(feet)
    height = max(height, ground - _LEVEL * torso)
    blobs.append(blob(middle, height, _BODY + 0.7 * apart, _BODY_DARK))
    return blobs


def _foot(
    body: BodyPose, person: np.ndarray, which: str, torso: float
) -> tuple[float, float, float] | None:
    """In the canvas: the middle of a sole, x and y, and half of its width in torso lengths."""
    marks = body.landmarks
    half = _FOOT
    if marks is not None and marks.skeleton is BLAZEPOSE_33:
        ends = [BLAZEPOSE_33.index(f"{which}_{part}") for part in ("heel", "toes")]
        if not marks.present[ends].all():
            return None
        (x0, y0), (x1, y1) = marks.points_px[ends].astype(float)
        x, y = (x0 + x1) / 2, max(y0, y1)
        half = max(half, abs(x1 - x0) / 2 / torso + 0.1)
    else:
        ankle = L_ANKLE if which == "left" else R_ANKLE
        if not body.joints.present[ankle]:
            return None
        x, y = body.joints.points_px[ankle].astype(float)
        y += _SOLE * torso
    edge = _edge_below(person[..., 3], x, y, half * torso, _SEARCH * torso)
    return x, edge - _TIP * torso, half


def _edge_below(alpha: np.ndarray, x: float, y: float, half: float, reach: float) -> float:
    """The lowest row near that place in which the person is drawn, or y where nobody is."""
    top, bottom = max(0, round(y - reach)), max(0, round(y + reach))
    left, right = max(0, round(x - half)), max(0, round(x + half))
    rows = np.flatnonzero((alpha[top:bottom, left:right] > _OPAQUE).any(1))
    return float(top + rows[-1]) if len(rows) else y
