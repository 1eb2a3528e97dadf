"""What makes a pose hard to show: the kinds of which the paper's hard list is made."""

import numpy as np

from dancepipe.pose.skeleton import (
    L_ANKLE,
    L_ELBOW,
    L_HIP,
    L_KNEE,
    L_SHOULDER,
    L_WRIST,
    R_ANKLE,
    R_ELBOW,
    R_HIP,
    R_KNEE,
    R_SHOULDER,
    R_WRIST,
    torso_length_px,
)
from dancepipe.records import BodyPose, Pose

KINDS = ("raised leg", "arms over torso", "limbs crossed", "turned")
_TURNED_DEGREES = 50  # from facing the camera
_LIMBS = (
    (R_ELBOW, R_WRIST),
    (L_ELBOW, L_WRIST),
    (R_KNEE, R_ANKLE),
    (L_KNEE, L_ANKLE),
    (R_HIP, R_KNEE),
    (L_HIP, L_KNEE),
)


def hard_kinds(body: BodyPose) -> set[str]:
    """Which of KINDS a body shows. Without landmarks with depth nobody is turned, as far as is
    known."""
    pose = body.joints
    found = set()
    if _has_raised_leg(pose):
        found.add("raised leg")
    if _has_arm_over_torso(pose):
        found.add("arms over torso")
    if _has_crossed_limbs(pose):
        found.add("limbs crossed")
    if body.landmarks is not None and _degrees_turned(body.landmarks) > _TURNED_DEGREES:
        found.add("turned")
    return found


def _has_raised_leg(pose: Pose) -> bool:
    """An ankle above the other knee, or a knee near the height of the hips."""
    points, there = pose.points_px, pose.present
    unit = torso_length_px(pose)
    if unit is None:
        return False
    for knee, ankle, other_knee, hip in (
        (R_KNEE, R_ANKLE, L_KNEE, R_HIP),
        (L_KNEE, L_ANKLE, R_KNEE, L_HIP),
    ):
        if there[ankle] and there[other_knee] and points[ankle, 1] < points[other_knee, 1]:
            return True
        if there[knee] and there[hip] and points[knee, 1] < points[hip, 1] + 0.25 * unit:
            return True
    return False


def _has_arm_over_torso(pose: Pose) -> bool:
    corners = [R_SHOULDER, L_SHOULDER, L_HIP, R_HIP]
    if not pose.present[corners].all():
        return False
    square = pose.points_px[corners].astype(np.float64)
    across = np.linalg.norm(square[0] - square[1])
    if across < 0.3 * np.linalg.norm(square[0] - square[3]):
        return False  # from the side an arm always lies over the trunk
    ends = [joint for joint in (R_WRIST, L_WRIST) if pose.present[joint]]
    return any(_is_inside(pose.points_px[joint], square) for joint in ends)


def _is_inside(point: np.ndarray, corners: np.ndarray) -> bool:
    """Of a convex quadrangle."""
    steps = np.roll(corners, -1, 0) - corners
    off = point - corners
    sides = steps[:, 0] * off[:, 1] - steps[:, 1] * off[:, 0]
    return bool((sides > 0).all() or (sides < 0).all())


def _has_crossed_limbs(pose: Pose) -> bool:
    limbs = [one for one in _LIMBS if pose.present[list(one)].all()]
    points = pose.points_px.astype(np.float64)
    return any(
        _do_cross(points[one[0]], points[one[1]], points[two[0]], points[two[1]])
        for number, one in enumerate(limbs)
        for two in limbs[:number]
        if not set(one) & set(two)
    )


def _do_cross(a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray) -> bool:
    def side(p: np.ndarray, q: np.ndarray, r: np.ndarray) -> float:
        return (q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0])

    return side(a, b, c) * side(a, b, d) < 0 and side(c, d, a) * side(c, d, b) < 0


def _degrees_turned(landmarks: Pose) -> float:
    """0 facing the camera, 180 the back; of shoulders and hips together."""
    depth = landmarks.depth_px
    if depth is None:
        return 0.0
    across = depths = 0.0
    for right, left in (("right_shoulder", "left_shoulder"), ("right_hip", "left_hip")):
        one, two = landmarks.skeleton.index(right), landmarks.skeleton.index(left)
        if landmarks.present[[one, two]].all():
            across += float(landmarks.points_px[two, 0] - landmarks.points_px[one, 0])
            depths += float(depth[two] - depth[one])
    return abs(float(np.degrees(np.arctan2(depths, across))))
