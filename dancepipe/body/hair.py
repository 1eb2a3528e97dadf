"""Whether the hair of the person of the photo falls below the chin, and how far."""

import numpy as np

from dancepipe.body.mesh import BodyMesh
from dancepipe.body.part_parser import PartLabels

_SURE = 0.5
_LEAST = 0.012  # torso lengths squared of hair below the mouth
_END = 0.9  # of that hair lies above what counts as its end
_BACK_DM = 0.3  # at rest, of the hair shell: what lies before it would cover the face
_MOUTH = (9, 10)
_AGREED = 0.5  # of what the photo shows of the shell


def find_hair_end(
    mesh: BodyMesh, landmarks: np.ndarray, labels: PartLabels, mask: np.ndarray, torso_px: float
) -> float | None:
    """The height at rest (dm) down to which hair falls; None for hair that ends at the head.

    landmarks (33, 4) in px of the labels.
    """
    hips, shoulders = landmarks[[23, 24], :2].mean(0), landmarks[[11, 12], :2].mean(0)
    down = hips - shoulders
    length = np.linalg.norm(down)
    if length < 0.3 * torso_px:  # bent over: hair hangs anywhere
        return None
    mouth = landmarks[list(_MOUTH), :2].mean(0)
    y, x = np.nonzero(labels.is_one_of("hair") & (labels.sure > _SURE) & (mask > 127))
    below = ((np.stack([x, y], 1) - mouth) @ down) / length / torso_px  # torso lengths
    below = below[(below > 0) & (below < 1)]
    if len(below) < _LEAST * torso_px**2:
        return None
    at_rest = mesh.landmarks_dm
    torso_dm = at_rest[[11, 12], 1].mean() - at_rest[[23, 24], 1].mean()
    return float(at_rest[list(_MOUTH), 1].mean() - np.quantile(below, _END) * torso_dm)


def hair_triangles(mesh: BodyMesh, end_dm: float) -> np.ndarray:
    """bool (T,): the part of the hair shell at the back and the sides that is worn."""
    shell = np.zeros(len(mesh.triangles), bool)
    shell[mesh.layer_of_triangles("hair")] = True
    corners = mesh.points_dm[mesh.triangles]
    return shell & (corners[..., 1].min(1) > end_dm - 0.3) & (corners[..., 2].mean(1) < _BACK_DM)


def is_seen_as_hair(is_shell: np.ndarray, labels: PartLabels) -> bool:
    """Whether the photo agrees where it shows the shell, bool (H, W): a ponytail is no curtain."""
    return not is_shell.any() or labels.is_one_of("hair")[is_shell].mean() > _AGREED
