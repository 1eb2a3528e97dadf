"""A mask without the rim of background that masks of small networks leave around people."""

import cv2
import numpy as np

from dancepipe.media.display import fit_size

_WORKING_SIDE_PX = 256  # for what is smooth
# Shares of a side of the picture, which the person fills.
_SURELY_INSIDE, _SURELY_OUTSIDE, _AROUND = 1 / 85, 1 / 170, 1 / 40
_ALIKE, _TOLD_APART = 70.0, 130.0  # between person and background; distances in RGB
_OFF, _FAR_OFF = 20.0, 50.0  # from the line between the two
_BACKGROUND, _PERSON = 0.15, 0.65  # along it


def without_halo(
    image: np.ndarray, mask: np.ndarray, *, above_px: float | None = None
) -> np.ndarray:
    """uint8 RGB (H, W, 3) and its soft mask uint8 (H, W) -> the mask, smaller along the outline
    where the picture has the colour of what lies around the person there.

    It only takes away, and only where person and background differ clearly; white clothes before a
    white wall stay as they are. above_px: nothing below this row is touched; soles look like the
    floor.
    """
    side_px = max(mask.shape)
    share = mask.astype(np.float32) / 255
    inside = _eroded(share, _SURELY_INSIDE * side_px) > 0.9
    outside = _eroded(1 - share, _SURELY_OUTSIDE * side_px) > 0.9
    person, person_near = _means_around(image, inside)
    background, background_near = _means_around(image, outside)

    rim = (mask > 0) & ~inside  # (H, W) with R pixels
    if above_px is not None:
        rim[max(0, round(above_px)) :] = False
    person, background, own = person[rim], background[rim], image[rim]  # (R, 3)
    across, away = person - background, own - background
    contrast = np.linalg.norm(across, axis=1)
    along = (away * across).sum(1) / np.maximum(contrast**2, 1)
    off = np.linalg.norm(away - along[:, None] * across, axis=1)
    sure = np.zeros_like(share)
    sure[rim] = (
        ((contrast - _ALIKE) / (_TOLD_APART - _ALIKE)).clip(0, 1)
        * ((_FAR_OFF - off) / (_FAR_OFF - _OFF)).clip(0, 1)
        * (np.minimum(person_near, background_near)[rim] / 0.02).clip(0, 1)
    )
    like_person = np.ones_like(share)
    like_person[rim] = ((along - _BACKGROUND) / (_PERSON - _BACKGROUND)).clip(0, 1)
    less = cv2.blur(share * (1 - sure * (1 - like_person)), (3, 3))
    return np.where(sure > 0, np.minimum(share, less) * 255 + 0.5, mask).astype(np.uint8)


def _eroded(share: np.ndarray, by_px: float) -> np.ndarray:
    side = 2 * max(1, round(by_px)) + 1
    return cv2.erode(share, np.ones((side, side), np.uint8))


def _means_around(image: np.ndarray, where: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """float32 (H, W, 3): the mean colour of the pixels of `where` nearby; (H, W): how many of the
    pixels nearby they are."""
    height, width = where.shape
    size_wh = fit_size((width, height), _WORKING_SIDE_PX)
    both = np.dstack((image * where[..., None], where)).astype(np.float32)
    small = cv2.resize(both, size_wh, interpolation=cv2.INTER_AREA)
    sums = cv2.GaussianBlur(small, (0, 0), _AROUND * max(size_wh))
    means = sums / np.maximum(sums[..., 3:], 1e-3)
    colours = cv2.resize(means[..., :3], (width, height), interpolation=cv2.INTER_LINEAR)
    return colours, cv2.resize(sums[..., 3], (width, height), interpolation=cv2.INTER_LINEAR)
