"""Pose and mask drawn over a picture, for eyes; never for networks (draw.py)."""

import numpy as np
from PIL import Image, ImageDraw

from dancepipe.pose.draw import LIMB_COLOURS
from dancepipe.pose.skeleton import LIMBS
from dancepipe.records import Pose


def draw_overlay(
    image: np.ndarray, pose: Pose | None, mask: np.ndarray | None = None
) -> np.ndarray:
    """A copy of the uint8 RGB picture with limbs and joints drawn; outside the mask, when given, it
    is darkened to a third.

    Joints are white dots; one of confidence below 0.5 is a hollow dot. pose None draws no limbs.
    """
    if mask is not None:
        keep = (mask.astype(np.float32) / 255 * (2 / 3) + 1 / 3)[..., None]
        image = (image * keep).astype(np.uint8)
    canvas = Image.fromarray(image)
    if pose is None:
        return np.asarray(canvas)
    pen = ImageDraw.Draw(canvas)
    thickness = max(1, round(max(canvas.size) / 200))
    points, present = pose.points_px, pose.present
    for (first, second), colour in zip(LIMBS, LIMB_COLOURS, strict=True):
        if present[first] and present[second]:
            ends = [tuple(map(float, points[first])), tuple(map(float, points[second]))]
            pen.line(ends, fill=tuple(round(255 * part) for part in colour), width=thickness)
    for joint in np.flatnonzero(present):
        x, y = map(float, points[joint])
        sure = pose.confidence[joint] >= 0.5
        pen.ellipse(
            (x - thickness, y - thickness, x + thickness, y + thickness),
            fill="white" if sure else None,
            outline="white",
        )
    return np.asarray(canvas)
