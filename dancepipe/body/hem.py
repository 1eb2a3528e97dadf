"""Whether the person of the photo wears a skirt or a dress, and how far down it hangs."""

import numpy as np

from dancepipe.body.mesh import BodyMesh
from dancepipe.body.outline import read_at
from dancepipe.body.part_parser import PartLabels

_STEPS = 45  # along a leg, hip to ankle
_FIRST, _LAST = 0.1, 0.95  # where along it hems are looked for: 0 hip, .5 knee, 1 ankle
_LEAST = 0.22  # shorter ones are the hems of tops
_LEGS_APART, _THIGH = 0.6, 0.5  # torso lengths
_AGREED = 0.75  # of the places down to the hem
# A straight dress, by its outline: nothing between the legs is free down to its hem, and most of it
# is from there on, within so many steps. Legs that touch let go of each other by and by.
_SOLID, _FREE, _SUDDEN = 0.95, 0.5, 2
# Knees that touch over shins that do not look the same; so it is told from below them on.
_HIGHEST_BY_OUTLINE, _LEGS_TOLD_APART = 0.6, 0.2  # share of the leg; torso lengths


def find_hem(
    mesh: BodyMesh, landmarks: np.ndarray, labels: PartLabels, mask: np.ndarray, torso_px: float
) -> float | None:
    """The height at rest (dm) down to which a skirt hangs; None for none.

    landmarks (33, 4) in px of the labels and of the mask, uint8 (H, W). Down to its hem a skirt
    covers both legs and what is between them. Of somebody who squats or stands with the legs apart
    it is not told.
    """
    apart = np.linalg.norm(landmarks[25, :2] - landmarks[26, :2])
    thighs = landmarks[[25, 26], :2] - landmarks[[23, 24], :2]
    if apart > _LEGS_APART * torso_px or np.linalg.norm(thighs, axis=1).min() < _THIGH * torso_px:
        return None
    shares = np.linspace(_FIRST, _LAST, _STEPS)
    right, left = (
        np.array([_along(landmarks[[hip, hip + 2, hip + 4], :2], share) for share in shares])
        for hip in (24, 23)
    )
    across = np.linspace(-0.15, 1.15, 7)[:, None, None]
    places = right + (left - right) * across  # (7, S, 2)
    is_skirt = read_at(labels.is_one_of("skirt", "torso"), places)
    covered = np.minimum(is_skirt.mean(0), is_skirt[2:5].mean(0))  # trousers leave the middle free
    agreed = np.cumsum(covered) / np.arange(1, _STEPS + 1)
    hem = np.flatnonzero((covered >= 0.5) & (agreed >= _AGREED))
    if len(hem) and shares[hem[-1]] >= _LEAST:
        return _height(mesh, float(shares[hem[-1]]))
    straight = _straight_hem(right, left, mask, torso_px)
    return None if straight is None else _height(mesh, float(shares[straight]))


def _straight_hem(right, left, mask, torso_px) -> int | None:
    """The step of a hem that the outline shows. The labels take straight long dresses for legs."""
    between = np.linspace(0.0, 1.0, 9)[:, None, None]
    solid = read_at(mask > 128, right + (left - right) * between).mean(0)
    free = np.flatnonzero(solid < _FREE)
    if not len(free):
        return None
    hem = free[0] - _SUDDEN
    told_apart = np.linalg.norm(left - right, axis=1)[free[0]] > _LEGS_TOLD_APART * torso_px
    is_one = hem >= 0 and (solid[: hem + 1] >= _SOLID).all() and (solid[free[0] :] < _SOLID).all()
    share = _FIRST + (_LAST - _FIRST) * hem / (_STEPS - 1)
    return int(hem) if is_one and told_apart and share >= _HIGHEST_BY_OUTLINE else None


def _along(leg: np.ndarray, share: float) -> np.ndarray:
    """A point on the leg (3, ...): 0 hip, .5 knee, 1 ankle."""
    hip, knee, ankle = leg
    if share < 0.5:
        return hip + (knee - hip) * share * 2
    return knee + (ankle - knee) * (share * 2 - 1)


def _height(mesh: BodyMesh, share: float) -> float:
    leg = np.array([mesh.landmarks_dm[[point, point + 1], 1].mean() for point in (23, 25, 27)])
    return float(_along(leg, share))
