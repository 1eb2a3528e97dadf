"""What the dancer stands in front of: a colour, the photo's place or the driver's place, each
without its own person."""

from collections.abc import Callable

import cv2
import numpy as np
from PIL import ImageColor

from dancepipe.errors import ConfigError
from dancepipe.rendering.motion import Target
from dancepipe.rendering.reference import Reference

# a painted-out person is a guess: it is made small and enlarged, which also hides its seams
_PAINT_SIDE_PX = 320

Background = Callable[[Target], np.ndarray]  # -> uint8 RGB (H, W, 3), may be written to


def check_background(name: str) -> None:
    """Raises ConfigError for a name that is neither reference, driver, nor a colour."""
    if name not in ("reference", "driver"):
        _colour(name)


def _colour(name: str) -> tuple[int, int, int]:
    try:
        return ImageColor.getrgb(name)[:3]
    except ValueError:
        raise ConfigError(
            f"background '{name}' is neither reference, driver, nor a colour; colours are names "
            "or #rrggbb"
        ) from None


def open_background(name: str, reference: Reference, size_wh: tuple[int, int]) -> Background:
    """The background named by the user: reference, driver, or a colour. Raises ConfigError for
    an unknown colour."""
    width, height = size_wh
    if name == "driver":
        return lambda target: resized(painted_out(target.frame.image, target.mask), size_wh)
    if name == "reference":
        # Shrunk first: a photo has many more pixels than a frame.
        plate = painted_out(
            covering(reference.photo, size_wh), covering(reference.photo_mask, size_wh)
        )
        return lambda target: plate.copy()
    colour = _colour(name)
    return lambda target: np.full((height, width, 3), colour, np.uint8)


def painted_out(image: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
    """The picture (H, W, 3) with the masked person replaced by what the surroundings suggest
    (blurred)."""
    if mask is None or not (mask > 16).any():
        return image.copy()
    height, width = mask.shape
    scale = min(1.0, _PAINT_SIDE_PX / max(height, width))
    small_wh = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(image, small_wh, interpolation=cv2.INTER_AREA)
    hole = cv2.dilate(
        (cv2.resize(mask, small_wh, interpolation=cv2.INTER_AREA) > 16).astype(np.uint8),
        np.ones((9, 9), np.uint8),
    )
    filled = cv2.GaussianBlur(cv2.inpaint(small, hole, 3, cv2.INPAINT_TELEA), (0, 0), 3)
    weight = cv2.resize(cv2.GaussianBlur(hole.astype(np.float32), (0, 0), 1.5), (width, height))[
        ..., None
    ]
    filled = cv2.resize(filled, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.rint(image * (1 - weight) + filled * weight).astype(np.uint8)


def resized(image: np.ndarray, size_wh: tuple[int, int]) -> np.ndarray:
    """The picture at another size (area average when shrinking)."""
    if image.shape[1::-1] == tuple(size_wh):
        return image
    shrinks = size_wh[0] < image.shape[1]
    return cv2.resize(image, size_wh, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)


def covering(image: np.ndarray, size_wh: tuple[int, int]) -> np.ndarray:
    """The middle of the picture (or mask) scaled so that it covers size_wh without distortion."""
    height, width = image.shape[:2]
    scale = max(size_wh[0] / width, size_wh[1] / height)
    wide, tall = max(size_wh[0], round(width * scale)), max(size_wh[1], round(height * scale))
    image = resized(image, (wide, tall))
    left, top = (wide - size_wh[0]) // 2, (tall - size_wh[1]) // 2
    return image[top : top + size_wh[1], left : left + size_wh[0]]
