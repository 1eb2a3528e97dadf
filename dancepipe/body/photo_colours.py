"""The photo's colours freed of what lies behind the person, and carried on beyond its outline."""

from dataclasses import dataclass

import cv2
import numpy as np

from dancepipe.body.image_filters import (
    distance_transform_edt,
    gaussian_filter,
    maximum_filter,
    uniform_filter,
)
from dancepipe.records import GREY

INSIDE_PX, INSIDE_HEAD_PX = 2.4, 1.1  # how far colours at the outline are mixed; hair is thin
_DEEP_INSIDE = 0.055  # torso lengths: where surfaces turned away take their colour
_THIN = 0.55  # of the thickest near by: thin parts keep their middle


@dataclass(frozen=True)
class PhotoColours:
    """float32 RGB (H, W, 3) in [0, 255]."""

    raw: np.ndarray  # the person's own colour, grey taken out of mixed pixels
    sure: np.ndarray  # float32 (H, W): 1 where `sharp` is raw
    sharp: np.ndarray  # of sure pixels, the nearest of them elsewhere
    deep: np.ndarray  # of pixels well inside, blurred


def photo_colours(
    image: np.ndarray, mask: np.ndarray, head_xy_px: np.ndarray, torso_px: float
) -> PhotoColours:
    """image: uint8 RGB (H, W, 3) on grey; mask uint8 (H, W); head_xy_px: the middle of the head."""
    height, width = mask.shape
    y, x = np.mgrid[:height, :width]
    is_head = np.hypot(x - head_xy_px[0], y - head_xy_px[1]) < 0.38 * torso_px
    raw = _ungreyed(image, mask)
    depth = distance_transform_edt(mask > 0.6 * 255)
    sharp, sure = _carried_on(raw, mask, depth, np.where(is_head, INSIDE_HEAD_PX, INSIDE_PX))
    deep, _ = _carried_on(raw, mask, depth, max(2.5, _DEEP_INSIDE * torso_px))
    return PhotoColours(raw, sure, sharp, gaussian_filter(deep, (1.2, 1.2, 0)))


def sharpened(colours: PhotoColours, image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """float32 (H, W, 3): `sharp` of the shrunk photo, with the photo's own pixels where it is
    sure. image uint8 RGB (H, W, 3) on grey, mask uint8 (H, W): at full size."""
    size_wh = mask.shape[::-1]
    sharp, sure = (
        cv2.resize(one, size_wh, interpolation=cv2.INTER_LINEAR)
        for one in (colours.sharp, colours.sure)
    )
    return sharp + (_ungreyed(image, mask) - sharp) * sure[..., None]


def _ungreyed(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    share = mask[..., None].astype(np.float32) / 255
    own = (image.astype(np.float32) - GREY * (1 - share)) / np.maximum(share, 0.5)
    return np.clip(own, 0, 255)


def _carried_on(
    raw: np.ndarray, mask: np.ndarray, depth: np.ndarray, inside
) -> tuple[np.ndarray, np.ndarray]:
    """(the colours of sure pixels, carried on over the others; float32 (H, W): 1 where sure)."""
    near = 2 * int(np.max(inside) + 1.5) + 3
    sure = (depth > np.minimum(inside, _THIN * maximum_filter(depth, size=near))) & (
        mask > 0.8 * 255
    )
    if sure.sum() < 50:
        sure = mask > 127
    if not sure.any():
        return raw, np.ones(mask.shape, np.float32)
    far, (rows, columns) = distance_transform_edt(~sure, return_indices=True)
    carried = raw[rows, columns]
    softened = uniform_filter(carried, size=(3, 3, 1))
    colours = np.where((far > 0)[..., None], softened, carried)
    return np.ascontiguousarray(colours, np.float32), sure.astype(np.float32)
