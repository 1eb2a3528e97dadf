"""What stood behind the dancer, from frames in which they stood elsewhere: a clean plate."""

from collections.abc import Sequence

import cv2
import numpy as np

from dancepipe.media.display import fit_size

LOOKED_AT = 16  # frames, spread over the driver
_SMALL_SIDE_PX = 160  # for whether the camera stands still
# What is painted in is a guess: it is made small and enlarged, which also hides its seams.
PAINT_SIDE_PX = 320
_FLAT, _SAME_EDGES = 1.5, 0.6  # standard deviation of 255; correlation
_STILL_SHARE = 0.75  # of the frames
_MARGIN = 0.012  # of the longer side, around masks; networks cut hands and hair short
_LIGHTER = 1.25  # at most, of a frame against the plate
_ROWS = 64  # worked on at once
_NOBODY = 512  # above every value, for the sorting


def clean_plate(images: Sequence[np.ndarray], masks: Sequence[np.ndarray]) -> np.ndarray | None:
    """uint8 RGB (H, W, 3) each and the person's mask uint8 (H, W) -> the place without the person,
    or None where the camera moves. What the person hid in all of them is painted in from around it.
    """
    holes = [hole_of(mask) for mask in masks]
    if not _stands_still(images, holes):
        return None
    seen = len(holes) - np.sum(holes, axis=0, dtype=np.int64)  # (H, W)
    middle = np.maximum(seen - 1, 0) // 2
    plate = np.empty_like(images[0])
    for top in range(0, len(plate), _ROWS):
        there = np.s_[top : top + _ROWS]
        stack = np.stack([image[there] for image in images]).astype(np.uint16)  # (N, rows, W, 3)
        stack[np.stack([hole[there] for hole in holes])] = _NOBODY
        stack.sort(axis=0)
        median = np.take_along_axis(stack, middle[None, there, :, None], 0)[0]
        plate[there] = np.minimum(median, 255)
    return painted(plate, seen == 0)


def hole_of(mask: np.ndarray) -> np.ndarray:
    """bool (H, W): where the person may be, with a margin."""
    side = 2 * max(1, round(_MARGIN * max(mask.shape))) + 1
    return cv2.dilate(mask, np.ones((side, side), np.uint8)) > 16


def without_person(image: np.ndarray, mask: np.ndarray, plate: np.ndarray) -> np.ndarray:
    """The frame with the plate where the person is, as light as the frame is around it."""
    hole = hole_of(mask)
    if not hole.any():
        return image.copy()
    left, top, width, height = cv2.boundingRect(hole.astype(np.uint8))
    reach = max(4, round(2 * _MARGIN * max(mask.shape)))
    there = np.s_[
        max(0, top - reach) : top + height + reach, max(0, left - reach) : left + width + reach
    ]
    part, hole, behind = image[there], hole[there], plate[there].astype(np.float32)
    if (around := ~hole).any():
        light = (part[around].mean(0) + 1) / (behind[around].mean(0) + 1)
        behind *= light.clip(1 / _LIGHTER, _LIGHTER)
    share = cv2.GaussianBlur(hole.astype(np.float32), (0, 0), reach / 6)[..., None]
    result = image.copy()
    result[there] = np.clip(part * (1 - share) + behind * share, 0, 255) + 0.5
    return result


def painted(image: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """The picture with the hole, bool (H, W), filled from around it; what is made up is soft."""
    if not hole.any():
        return image
    size_wh = image.shape[1], image.shape[0]
    small_wh = fit_size(size_wh, PAINT_SIDE_PX)
    small = cv2.resize(image, small_wh, interpolation=cv2.INTER_AREA)
    small_hole = cv2.resize(hole.astype(np.float32), small_wh, interpolation=cv2.INTER_AREA) > 0
    small_hole = cv2.dilate(small_hole.astype(np.uint8), np.ones((3, 3), np.uint8))
    filled = cv2.GaussianBlur(cv2.inpaint(small, small_hole, 3, cv2.INPAINT_TELEA), (0, 0), 3)
    filled = cv2.resize(filled, size_wh, interpolation=cv2.INTER_CUBIC)
    share = cv2.GaussianBlur(small_hole.astype(np.float32), (0, 0), 1.5)
    share = cv2.resize(share, size_wh)[..., None]
    known = np.where(hole[..., None], filled, image)  # what is in the hole must not shine through
    return np.rint(known * (1 - share) + filled * share).astype(np.uint8)


def _stands_still(images: Sequence[np.ndarray], holes: Sequence[np.ndarray]) -> bool:
    """Whether most frames show one place from one place: their edges lie where the usual ones do.
    Frames without edges (a wall, the dark) tell nothing else."""
    small_wh = fit_size(holes[0].shape[::-1], _SMALL_SIDE_PX)
    edges = np.stack(
        [_edges(cv2.resize(one, small_wh, interpolation=cv2.INTER_AREA)) for one in images]
    )
    free = [
        cv2.resize(hole.astype(np.float32), small_wh, interpolation=cv2.INTER_AREA) == 0
        for hole in holes
    ]  # fmt: skip
    free = np.stack([cv2.erode(one.astype(np.uint8), np.ones((5, 5))) > 0 for one in free])
    edges[~free] = np.nan
    seen = free.any(0)  # of the rest there is no median
    if not seen.any():
        return False
    usual = np.nanmedian(edges[:, seen], axis=0)
    still = [_agrees(own[seen], usual) for own in edges]
    return float(np.mean(still)) >= _STILL_SHARE


def _edges(image: np.ndarray) -> np.ndarray:
    """float32 (H, W): luminance less its surroundings."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    return grey - cv2.GaussianBlur(grey, (0, 0), 2)


def _agrees(own: np.ndarray, usual: np.ndarray) -> bool:
    known = ~np.isnan(own)
    own, usual = own[known], usual[known]
    if len(own) < 2 or max(own.std(), usual.std()) < _FLAT:
        return True
    return float((own * usual).mean() / (own.std() * usual.std() + 1e-6)) > _SAME_EDGES
