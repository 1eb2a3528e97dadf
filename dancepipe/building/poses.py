"""How far poses are apart, and which of many to keep."""

import numpy as np

from dancepipe.pose.skeleton import FACE, L_HIP, MIRROR, NOSE, R_HIP, torso_length_px
from dancepipe.records import Pose

# The face's points say little of a pose, and much of where a head is turned: one of them will do.
_LIMBS = [number for number in range(18) if number not in FACE or number == NOSE]


_MIRROR = [_LIMBS.index(MIRROR[number]) for number in _LIMBS]


def mirrored_vectors(vectors: np.ndarray) -> np.ndarray:
    """(N, 13, 2) of the left-right mirrored pictures."""
    return vectors[:, _MIRROR] * np.array([-1, 1], np.float32)


def pose_vectors(poses: list[Pose]) -> np.ndarray:
    """float32 (N, 13, 2): joints from the middle of the hips, in torso lengths (the median of all);
    nan where a joint is not seen."""
    lengths = [length for pose in poses if (length := torso_length_px(pose))]
    unit = float(np.median(lengths)) if lengths else 1.0
    vectors = np.full((len(poses), len(_LIMBS), 2), np.nan, np.float32)
    for vector, pose in zip(vectors, poses, strict=True):
        hips = [number for number in (R_HIP, L_HIP) if pose.present[number]]
        seen = pose.present[_LIMBS]
        points = pose.points_px
        middle = points[hips].mean(0) if hips else points[pose.present].mean(0)
        vector[seen] = (points[_LIMBS][seen] - middle) / unit
    return vectors


def distances_to(vectors: np.ndarray, one: np.ndarray) -> np.ndarray:
    """float32 (N,): mean distance of the joints that both show, in torso lengths; 0 without any."""
    apart = np.hypot(vectors[..., 0] - one[..., 0], vectors[..., 1] - one[..., 1])
    both = np.isfinite(apart)
    return np.where(both, apart, 0).sum(1) / np.maximum(both.sum(1), 1)


def farthest_points(vectors: np.ndarray, most: int, least_apart: float) -> list[int]:
    """Which poses to keep, in order: each time the one that is farthest from all that are kept
    (Gonzalez 1985), beginning with the first, until there are `most` (0: any number) or the next is
    nearer than least_apart to one of them."""
    if not len(vectors):
        return []
    kept, away = [0], distances_to(vectors, vectors[0])
    while len(kept) < (most or len(vectors)):
        farthest = int(away.argmax())
        if away[farthest] < max(least_apart, 1e-6):
            break
        kept.append(farthest)
        away = np.minimum(away, distances_to(vectors, vectors[farthest]))
    return sorted(kept)


def motion_of(vectors: np.ndarray) -> float:
    """How much a dancer moves: mean distance of the joints from their mean places, in torsos."""
    if len(vectors) < 2:
        return 0.0
    seen = np.isfinite(vectors).all(axis=2, keepdims=True)
    counts = np.maximum(seen.sum(0), 1)
    mean = np.where(seen, vectors, 0).sum(0) / counts
    return float(distances_to(vectors, mean).mean())
