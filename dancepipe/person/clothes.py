"""The colours of somebody's clothes: by them a person is known again among others."""

from dataclasses import dataclass

import cv2
import numpy as np

_GRID = 14  # samples a side of each part
_LIGHT, _CHROMA = 4, 8  # bins of Lab; few of lightness, which changes with the light
_CHROMA_LEVELS = 96  # chroma this far from grey, and all beyond, is in the last bin


@dataclass(frozen=True)
class Clothes:
    """What is worn above and below: histograms of Lab, each of sum 1."""

    shares: np.ndarray  # float32 (2, bins): trunk and thighs

    def likeness(self, other: "Clothes") -> float:
        """0 nothing in common, 1 the same (Bhattacharyya's coefficient, mean of both parts)."""
        return float(np.sqrt(self.shares * other.shares).sum(1).mean())

    def mixed_with(self, other: "Clothes", share: float) -> "Clothes":
        """These, with `share` of the others: what changes slowly is followed."""
        return Clothes((1 - share) * self.shares + share * other.shares)


def clothes_of(image: np.ndarray, corners_px: np.ndarray) -> Clothes | None:
    """image: uint8 RGB (H, W, 3). corners_px: (6, 2), right and left shoulder, hip and knee.

    None where a part lies mostly outside of the picture.
    """
    shoulders, hips, knees = np.asarray(corners_px, np.float64).reshape(3, 2, 2)
    parts = [_histogram(image, shoulders, hips), _histogram(image, hips, knees)]
    known = [part for part in parts if part is not None]
    if parts[0] is None:
        return None
    return Clothes(np.stack([known[0], known[-1]]))  # who shows no legs: the trunk twice


def _histogram(image: np.ndarray, upper: np.ndarray, lower: np.ndarray) -> np.ndarray | None:
    """float32 (bins,) of the quadrangle between two pairs of points."""
    across = np.linspace(0.1, 0.9, _GRID)[:, None, None]  # not the outline, nor what is behind
    down = np.linspace(0.1, 0.9, _GRID)[None, :, None]
    start = upper[0] + (upper[1] - upper[0]) * across
    end = lower[0] + (lower[1] - lower[0]) * across
    points = np.rint(start + (end - start) * down).astype(np.int64).reshape(-1, 2)
    inside = ((points >= 0) & (points < (image.shape[1], image.shape[0]))).all(1)
    if inside.mean() < 0.5:
        return None
    columns, rows = points[inside].T
    lab = cv2.cvtColor(np.ascontiguousarray(image[rows, columns][None]), cv2.COLOR_RGB2LAB)[0]
    light = lab[:, 0] / 255 * (_LIGHT - 1)
    chroma = (lab[:, 1:].astype(np.float64) - 128) / _CHROMA_LEVELS  # -1 .. 1
    chroma = (np.sign(chroma) * np.sqrt(np.abs(chroma).clip(0, 1)) + 1) / 2 * (_CHROMA - 1)
    return _soft_bins(np.column_stack([light, chroma]), (_LIGHT, _CHROMA, _CHROMA))


def _soft_bins(places: np.ndarray, counts: tuple[int, int, int]) -> np.ndarray:
    """Each of (N, 3) shared out among the eight bins around it; sum 1."""
    low = np.minimum(places.astype(np.int64), np.array(counts) - 2)
    part = places - low
    shares = np.zeros(int(np.prod(counts)), np.float64)
    for corner in np.ndindex(2, 2, 2):
        weight = np.where(corner, part, 1 - part).prod(1)
        bins = np.ravel_multi_index((low + corner).T, counts)
        shares += np.bincount(bins, weight, len(shares))
    return (shares / shares.sum()).astype(np.float32)
