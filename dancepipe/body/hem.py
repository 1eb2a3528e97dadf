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


def find_hem(
    mesh: BodyMesh, landmarks: np.ndarray, labels: PartLabels, torso_px: float
) -> float | None:
    """The height at rest (dm) down to which a skirt hangs; None for none.

    landmarks (33, 4) in px of the labels. Down to its hem a skirt covers both legs and what is
    between them. Of somebody who squats or stands with the legs apart it is not told.
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
    if not len(hem) or shares[hem[-1]] < _LEAST:
        return None
    return _height(mesh, float(shares[hem[-1]]))


def _along(leg: np.ndarray, share: float) -> np.ndarray:
    """A point on the leg (3, ...): 0 hip, .5 knee, 1 ankle."""
    hip, knee, ankle = leg
    if share < 0.5:
        return hip + (knee - hip) * share * 2
    return knee + (ankle - knee) * (share * 2 - 1)


def _height(mesh: BodyMesh, share: float) -> float:
    leg = np.array([mesh.landmarks_dm[[point, point + 1], 1].mean() for point in (23, 25, 27)])
    return float(_along(leg, share))
