"""How good a mask is, by itself and by the joints that should lie in it."""

import cv2
import numpy as np

from dancepipe.pose.skeleton import (
    L_ANKLE,
    L_ELBOW,
    L_HIP,
    L_KNEE,
    L_SHOULDER,
    R_ANKLE,
    R_ELBOW,
    R_HIP,
    R_KNEE,
    R_SHOULDER,
)
from dancepipe.records import Pose

_INSIDE = (
    R_SHOULDER, L_SHOULDER, R_HIP, L_HIP, R_KNEE, L_KNEE, R_ANKLE, L_ANKLE, R_ELBOW, L_ELBOW,
)  # fmt: skip
_SURE = 0.5  # joints less sure than this say nothing about the mask
_NEAR = 1 / 80  # of a person's box: so near to the mask a joint lies in it


def edge_px(mask: np.ndarray) -> int:
    """How many pixels of uint8 (H, W) lie along one edge of the picture, at most."""
    return max(int((edge > 127).sum()) for edge in (mask[0], mask[-1], mask[:, 0], mask[:, -1]))


def quality_of(mask: np.ndarray, joints: Pose, side_px: float) -> float:
    """Share of the sure joints that lie in uint8 (H, W), or beside it, times that of its largest
    piece in all of it. side_px: of the person's box."""
    columns, rows = np.flatnonzero(mask.max(0) > 127), np.flatnonzero(mask.max(1) > 127)
    if not len(columns):
        return 0.0
    part = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] > 127
    pieces = cv2.connectedComponentsWithStats(part.astype(np.uint8))[2][1:, cv2.CC_STAT_AREA]
    whole = float(pieces.max() / pieces.sum())
    sure = [number for number in _INSIDE if joints.confidence[number] >= _SURE]
    if not sure:
        return whole
    reach = max(1, round(side_px * _NEAR))
    # A joint beyond the picture's edge is looked for at the edge.
    places = np.rint(joints.points_px[sure]).astype(int).clip(0, np.array(mask.shape[::-1]) - 1)
    around = [
        mask[max(0, y - reach) : y + reach + 1, max(0, x - reach) : x + reach + 1]
        for x, y in places
    ]
    inside = np.mean([bool((near > 127).any()) for near in around])
    return float(inside) * whole
