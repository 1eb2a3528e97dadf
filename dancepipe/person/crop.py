"""A square crop around a person, and the joints in it.

Boxes share the points' coordinates: pixel centres at integers, so pixel i covers [i - 0.5, i + 0.5]
and the box of a whole W x H picture is (-0.5, -0.5, W - 0.5, H - 0.5). Canvas pixel j of a box of
side s has its centre at x0 + (j + 0.5) * s / size_px, and both directions below use that one rule.
"""

import math
from typing import TypeVar

import numpy as np
from PIL import Image

from dancepipe.pose.skeleton import (
    L_ANKLE,
    L_ELBOW,
    L_KNEE,
    L_WRIST,
    NECK,
    NOSE,
    R_ANKLE,
    R_ELBOW,
    R_KNEE,
    R_WRIST,
    torso_length_px,
)
from dancepipe.records import BodyPose, Pose

Box = tuple[float, float, float, float]
AnyPose = TypeVar("AnyPose", Pose, BodyPose)

# What a body has beyond its outermost joints, in torso lengths (neck to mid hip, 0.29 of a standing
# body).
_HEAD_TOP = 0.45  # above the nose, along neck -> nose; hair included
_HEAD_SIDE = 0.35  # around the nose in all directions
_HAND = 0.40  # beyond the wrist, along the forearm
_FOOT = 0.25  # beyond the ankle, along the shin
_FLESH = 0.15  # around any joint


def body_bounds(pose: Pose, mask: np.ndarray | None = None) -> Box:
    """Bounds of the whole body (x0, y0, x1, y1 px): joints, plus estimated head top, hands, feet
    and flesh.

    mask (uint8 (H, W), 255 = person) widens the bounds, but by at most one torso length, so a stray
    patch of mask far from the body has no say. ValueError for a pose without joints.
    """
    points, present = pose.points_px.astype(np.float64), pose.present
    if not present.any():
        raise ValueError("a box needs at least one joint")
    unit = torso_length_px(pose)
    if unit is None:
        seen = points[present]
        unit = max(float(np.hypot(*(seen.max(0) - seen.min(0)))), 1.0)
    outer = [points[present] - _FLESH * unit, points[present] + _FLESH * unit]
    if present[NOSE]:
        up = _direction(points[NOSE] - points[NECK]) if present[NECK] else np.array([0.0, -1.0])
        outer.append(points[NOSE] + up * _HEAD_TOP * unit)
        outer.append(points[NOSE] + _HEAD_SIDE * unit * np.array([[-1, 0], [1, 0], [0, -1]]))
    for inner, end, beyond in (
        (R_ELBOW, R_WRIST, _HAND),
        (L_ELBOW, L_WRIST, _HAND),
        (R_KNEE, R_ANKLE, _FOOT),
        (L_KNEE, L_ANKLE, _FOOT),
    ):
        if present[inner] and present[end]:
            outer.append(points[end] + _direction(points[end] - points[inner]) * beyond * unit)
    outer = np.concatenate([np.asarray(part, np.float64).reshape(-1, 2) for part in outer])
    low, high = outer.min(0), outer.max(0)

    if mask is not None:
        allowed_low, allowed_high = low - unit, high + unit
        is_person = mask > 127
        columns, rows = np.flatnonzero(is_person.sum(0) >= 2), np.flatnonzero(is_person.sum(1) >= 2)
        if len(columns) and len(rows):
            low = np.maximum(np.minimum(low, [columns[0] - 0.5, rows[0] - 0.5]), allowed_low)
            high = np.minimum(np.maximum(high, [columns[-1] + 0.5, rows[-1] + 0.5]), allowed_high)
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])


def person_box(pose: Pose, mask: np.ndarray | None = None, *, margin: float = 0.06) -> Box:
    """The square box around a whole person, centred on the body's bounds; it may reach beyond the
    picture.

    margin: empty border on each side, in box sides. ValueError for a pose without joints.
    """
    return square_box(body_bounds(pose, mask), margin=margin)


def square_box(bounds: Box, *, margin: float = 0.06) -> Box:
    """The smallest square with bounds in its middle and an empty border of margin box sides."""
    x0, y0, x1, y1 = bounds
    side = max(x1 - x0, y1 - y0, 1.0) / (1 - 2 * margin)
    center_x, center_y = (x0 + x1) / 2, (y0 + y1) / 2
    return center_x - side / 2, center_y - side / 2, center_x + side / 2, center_y + side / 2


def crop_square(
    image: np.ndarray, box_xyxy_px: Box, size_px: int, fill: int | tuple[int, int, int] = 128
) -> np.ndarray:
    """The square box of a uint8 picture (H, W, 3) or mask (H, W), resampled to size_px x size_px,
    to a fraction of a pixel.

    Outside the picture lies fill. Shrinking averages over the area that a canvas pixel covers;
    growing is bicubic.
    """
    _check_box(box_xyxy_px)
    if image.dtype != np.uint8 or image.ndim not in (2, 3):
        raise ValueError(f"expected a uint8 picture or mask, got {image.dtype} {image.shape}")
    height, width = image.shape[:2]
    x0, y0, x1, y1 = (edge + 0.5 for edge in box_xyxy_px)  # now pixel i covers [i, i + 1]
    # The part of the plane that is read: the box and a filter's reach around it.
    reach = 3 * max(1.0, (x1 - x0) / size_px)
    left, top = math.floor(x0 - reach), math.floor(y0 - reach)
    right, bottom = math.ceil(x1 + reach), math.ceil(y1 + reach)
    plane = np.empty((bottom - top, right - left) + image.shape[2:], np.uint8)
    plane[:] = fill
    inner_x, inner_y = (
        slice(max(left, 0), min(right, width)),
        slice(max(top, 0), min(bottom, height)),
    )
    if inner_x.start < inner_x.stop and inner_y.start < inner_y.stop:
        plane[
            inner_y.start - top : inner_y.stop - top, inner_x.start - left : inner_x.stop - left
        ] = image[inner_y, inner_x]
    # Hamming is an area average with soft edges: Pillow's BOX counts whole source pixels only and
    # shimmers when a box glides.
    shrinks = (x1 - x0) > size_px
    resample = Image.Resampling.HAMMING if shrinks else Image.Resampling.BICUBIC
    box = (x0 - left, y0 - top, x1 - left, y1 - top)
    return np.array(Image.fromarray(plane).resize((size_px, size_px), resample, box=box))


def pose_in_box(pose: AnyPose, box_xyxy_px: Box, size_px: int) -> AnyPose:
    """The pose, or all of a body, in canvas pixels. Confidences stay, also of joints that now lie
    outside the canvas."""
    _check_box(box_xyxy_px)
    scale = size_px / (box_xyxy_px[2] - box_xyxy_px[0])
    return pose.scaled_and_shifted(
        scale, (-box_xyxy_px[0] * scale - 0.5, -box_xyxy_px[1] * scale - 0.5)
    )


def pose_from_box(pose: Pose, box_xyxy_px: Box, size_px: int) -> Pose:
    """The inverse of pose_in_box: canvas pixels -> picture pixels."""
    _check_box(box_xyxy_px)
    scale = (box_xyxy_px[2] - box_xyxy_px[0]) / size_px
    return pose.scaled_and_shifted(
        scale, (box_xyxy_px[0] + 0.5 * scale, box_xyxy_px[1] + 0.5 * scale)
    )


def _direction(vector: np.ndarray) -> np.ndarray:
    length = float(np.hypot(*vector))
    return vector / length if length > 1e-6 else np.zeros(2)


def _check_box(box: Box) -> None:
    x0, y0, x1, y1 = box
    if not (x1 > x0 and y1 > y0 and abs((x1 - x0) - (y1 - y0)) <= 1e-3 * (x1 - x0)):
        raise ValueError(f"a crop needs a square box (x0, y0, x1, y1), got {box}")
