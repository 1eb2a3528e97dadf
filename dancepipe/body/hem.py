"""Whether the person of the photo wears a skirt, and how long it is, from the outline alone."""

import numpy as np
from scipy.ndimage import distance_transform_edt

from dancepipe.body.mesh import PARTS, BodyMesh, Part
from dancepipe.body.posing import BonePose, in_view
from dancepipe.body.raster import draw_mesh, skin

_FOREARMS = [
    PARTS.index(part)
    for part in (Part.FOREARM_RIGHT, Part.FOREARM_LEFT, Part.HAND_RIGHT, Part.HAND_LEFT)
]
_LONGEST_DM = -7.0


def find_hem(
    mesh: BodyMesh, pose: BonePose, landmarks: np.ndarray, mask: np.ndarray
) -> float | None:
    """The height at rest (dm) down to which a skirt hangs; None for none.

    A skirt fills the gap between the legs, or steps in at its hem on both outer sides.
    """
    torso = pose.torso_px
    Q = in_view(landmarks)
    if abs(Q[23, 0] - Q[24, 0]) < 0.18 * torso or abs(Q[25, 0] - Q[26, 0]) < 0.15 * torso:
        return None
    body = mesh.layer_of_triangles("body")
    points = np.empty_like(mesh.points_dm)
    skin(mesh.points_dm, mesh.skin_bone, mesh.skin_weight, pose.A, pose.b, points)
    _, winner, _ = draw_mesh(points, mesh.triangles[body], mask.shape)
    is_free = winner < 0
    legs = [[Q[point + side, :2] * [1, -1] for point in (23, 25, 27)] for side in (0, 1)]
    last, below, area, widest = None, None, 0.0, 0.0
    for share in np.linspace(0.08, 0.98, 37):
        left, right = (_along(leg, share) for leg in legs)
        places = left + (right - left) * np.linspace(0.1, 0.9, 41)[:, None]
        free = _read(is_free, places)
        wide = free.mean() * np.linalg.norm(left - right) * 0.8
        if wide < 2.5:
            continue
        filled = (_read(mask, places)[free] > 127).mean()
        if filled <= 0.75:
            below = filled
            break
        area += wide * 0.03 * 1.5 * torso
        last, widest = share, max(widest, wide)
    is_filled = last is not None and area >= 0.012 * torso**2 and widest >= 0.07 * torso
    ends = below is not None and below < 0.5 and last is not None and 0.15 < last < 0.62
    if is_filled and (ends or widest > 0.45 * torso):
        return max(_height(mesh, last) - 0.15, _LONGEST_DM) if last > 0.2 else None
    part = np.where(winner >= 0, mesh.triangle_part[body][np.maximum(winner, 0)], -1)
    arms = distance_transform_edt(~np.isin(part, _FOREARMS)) < 0.09 * torso
    across = Q[23, :2] - Q[24, :2]
    step = _step_in(legs, np.where(arms, 0, mask), across * [1, -1], torso)
    return None if step is None else _height(mesh, step) - 0.1


def _step_in(legs, mask, across, torso) -> float | None:
    """Where along the legs both outer outlines step in at once."""
    shares = np.arange(0.1, 0.7, 0.02)
    across = across / max(np.linalg.norm(across), 1e-6)
    ways = np.arange(0, 0.9 * torso, 0.5)
    widths = []
    for leg, sign in zip(legs, (1, -1)):
        starts = np.array([_along(leg, share) for share in shares])
        places = starts[:, None] + sign * across * ways[None, :, None]
        inside = _read(mask, places) > 127
        widths.append(np.where(inside.all(1), 0.9 * torso, ways[np.argmin(inside, 1)]))
    widths = np.array(widths) / torso
    narrower = widths[:, :-4] - widths[:, 4:]
    both = narrower.min(0)
    index = int(np.argmax(np.where(both > 0.05, narrower.sum(0), -1)))
    is_hem = both[index] > 0.07 and narrower[:, index].sum() > 0.22
    return float(shares[index] + 0.03) if is_hem and widths[:, index].min() > 0.25 else None


def _along(leg, share: float) -> np.ndarray:
    """A point on the leg: 0 hip, .5 knee, 1 ankle."""
    hip, knee, ankle = leg
    if share < 0.5:
        return hip + (knee - hip) * share * 2
    return knee + (ankle - knee) * (share * 2 - 1)


def _height(mesh: BodyMesh, share: float) -> float:
    hip, knee, ankle = (mesh.landmarks_dm[[point, point + 1], 1].mean() for point in (23, 25, 27))
    return float(_along((hip, knee, ankle), share))


def _read(values: np.ndarray, places_xy: np.ndarray) -> np.ndarray:
    height, width = values.shape
    x = np.clip(np.round(places_xy[..., 0]).astype(int), 0, width - 1)
    y = np.clip(np.round(places_xy[..., 1]).astype(int), 0, height - 1)
    return values[y, x]
