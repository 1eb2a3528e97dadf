"""Pictures to the size a network reads, masks back to the size of the picture, and the region
one person can fill."""

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from dancepipe.pose.skeleton import LIMBS, NECK, NOSE, torso_length_px
from dancepipe.records import Pose


def fit_within(image: np.ndarray, max_side_px: int) -> tuple[np.ndarray, float]:
    """Contiguous uint8 RGB picture of at most max_side_px on the longer side (never larger than
    before), and its scale."""
    height, width = image.shape[:2]
    if max(width, height) <= max_side_px:
        return np.ascontiguousarray(image), 1.0
    scale = max_side_px / max(width, height)
    size_wh = max(round(width * scale), 1), max(round(height * scale), 1)
    return np.asarray(
        Image.fromarray(image).resize(size_wh, Image.Resampling.BILINEAR, reducing_gap=2.0)
    ), scale


def full_mask(mask: np.ndarray, size_wh: tuple[int, int]) -> np.ndarray:
    """float (h, w) in [0, 1] -> uint8 (H, W) of size_wh."""
    small = Image.fromarray((mask.clip(0, 1) * 255 + 0.5).astype(np.uint8))
    return np.asarray(
        small if small.size == size_wh else small.resize(size_wh, Image.Resampling.BILINEAR)
    )


def limit_to_person(mask: np.ndarray, pose: Pose) -> np.ndarray:
    """The mask where this body can be: within 0.6 torso lengths of a limb (0.9 of the head), with a
    soft edge.

    Wide enough for a skirt or long hair, too narrow for somebody who stands beside. Without a body
    unit: unchanged.
    """
    unit = torso_length_px(pose)
    if unit is None:
        return mask
    height, width = mask.shape
    scale = min(1.0, 256 / max(width, height))
    canvas = Image.new("L", (max(round(width * scale), 1), max(round(height * scale), 1)))
    pen = ImageDraw.Draw(canvas)

    def disc(point, radius):
        x, y, r = point[0] * scale, point[1] * scale, radius * unit * scale
        pen.ellipse((x - r, y - r, x + r, y + r), fill=255)

    for first, second in LIMBS:
        if pose.present[first] and pose.present[second]:
            ends = [tuple(map(float, pose.points_px[joint] * scale)) for joint in (first, second)]
            pen.line(ends, fill=255, width=max(1, round(1.2 * unit * scale)))
    for joint in np.flatnonzero(pose.present):
        disc(pose.points_px[joint], 0.6)
    if pose.present[NOSE]:
        disc(pose.points_px[NOSE], 0.9)
    elif pose.present[NECK]:
        disc(pose.points_px[NECK], 1.1)
    region = canvas.filter(ImageFilter.GaussianBlur(0.05 * unit * scale)).resize(
        (width, height), Image.Resampling.BILINEAR
    )
    return (mask.astype(np.uint16) * np.asarray(region) // 255).astype(np.uint8)


def paste_square(
    square: np.ndarray, box_xyxy_px: tuple[float, float, float, float], size_wh: tuple[int, int]
) -> np.ndarray:
    """The mask of a square crop (crop.crop_square's inverse): uint8 (S, S) -> (H, W), 0 outside
    the box."""
    scale = (box_xyxy_px[2] - box_xyxy_px[0]) / square.shape[0]
    # Pillow counts from the outer edge of pixel 0, where the box begins at x0 + 0.5.
    offset_x, offset_y = (-(edge + 0.5) / scale for edge in box_xyxy_px[:2])
    bordered = Image.fromarray(
        np.pad(square, 1)
    )  # a border of 0, so that nothing smears beyond the box
    data = (1 / scale, 0, offset_x + 1, 0, 1 / scale, offset_y + 1)
    return np.asarray(
        bordered.transform(
            size_wh, Image.Transform.AFFINE, data, Image.Resampling.BILINEAR, fillcolor=0
        )
    )
