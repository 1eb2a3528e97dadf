"""The paper's 18 joints: their numbers, and how they are read off richer skeletons.

Everything that knows what joint 4 is reads it here; dancepipe/skeletons.py has the tables.
"""

import numpy as np

from dancepipe.records import Pose
from dancepipe.skeletons import BLAZEPOSE_33, COCO_17, OPENPOSE_18, Skeleton

JOINTS, LIMBS, MIRROR = OPENPOSE_18.joints, OPENPOSE_18.limbs, OPENPOSE_18.mirror
(
    NOSE,
    NECK,
    R_SHOULDER,
    R_ELBOW,
    R_WRIST,
    L_SHOULDER,
    L_ELBOW,
    L_WRIST,
    R_HIP,
    R_KNEE,
    R_ANKLE,
    L_HIP,
    L_KNEE,
    L_ANKLE,
    R_EYE,
    L_EYE,
    R_EAR,
    L_EAR,
) = range(18)

FACE = (NOSE, NECK, R_EYE, L_EYE, R_EAR, L_EAR)  # the six points of the paper's face region

# mediapipe's visibility is low for a joint behind the body although its place is mostly right, and
# a limb that blinks is worse for the networks than one a few pixels off: only joints it calls
# nearly impossible to be there are dropped.
BLAZEPOSE_MIN_VISIBILITY = 0.1
# YOLO-pose scores a joint that it does not see near 0 and puts it anywhere; 0.3 is where places
# begin to mean something.
COCO_MIN_CONFIDENCE = 0.3
_LEAST_TURNED = 0.3  # of the torso's length; shoulders have .5 to .8 of it
_LEAST_OF_SKELETON = {BLAZEPOSE_33: BLAZEPOSE_MIN_VISIBILITY, COCO_17: COCO_MIN_CONFIDENCE}


def openpose_view(
    points: np.ndarray,
    skeleton: Skeleton,
    size_wh: tuple[int, int],
    least: float | None = None,
) -> Pose:
    """The 18 joints as a view of richer points: those of the same names, and the neck, which is in
    neither skeleton, in the middle of the shoulders.

    points: (N, 3) x_px, y_px, confidence of BLAZEPOSE_33 or COCO_17. A joint outside the picture of
    size_wh, or less sure than least (default: what suits the skeleton), is missing (confidence 0);
    one that is not finite too.
    """
    points = np.asarray(points, np.float32)
    if points.shape != (len(skeleton), 3):
        raise ValueError(f"expected ({len(skeleton)}, 3) points, got {points.shape}")
    least = _LEAST_OF_SKELETON[skeleton] if least is None else least
    joints = np.zeros((len(OPENPOSE_18), 3), np.float32)
    for number, name in enumerate(JOINTS):
        if number != NECK:
            joints[number] = points[skeleton.index(name)]
    joints[NECK, :2] = (joints[R_SHOULDER, :2] + joints[L_SHOULDER, :2]) / 2
    joints[NECK, 2] = min(joints[R_SHOULDER, 2], joints[L_SHOULDER, 2])
    finite = np.isfinite(joints).all(1)
    with np.errstate(invalid="ignore"):
        inside = ((joints[:, :2] >= -0.5) & (joints[:, :2] <= np.array(size_wh) - 0.5)).all(1)
        found = finite & inside & (joints[:, 2] >= least)
    joints[~finite] = 0
    joints[:, 2] = np.where(found, joints[:, 2].clip(0, 1), 0)
    return Pose.from_array(joints)


def torso_length_px(pose: Pose) -> float | None:
    """Body unit in px, of what is seen: the longest of neck-hip, shoulder width * 1.3 and thigh
    * 1.1, since turning and bending only shorten a projected bone. None when no such bone is
    seen."""
    points, present = pose.points_px, pose.present
    lengths = []
    for first, second, factor in (
        (NECK, R_HIP, 1.0),
        (NECK, L_HIP, 1.0),
        (R_SHOULDER, L_SHOULDER, 1.3),
        (R_HIP, R_KNEE, 1.1),
        (L_HIP, L_KNEE, 1.1),
    ):
        if present[first] and present[second]:
            lengths.append(factor * float(np.hypot(*(points[first] - points[second]))))
    return max(lengths) if lengths else None


def is_from_behind(pose: Pose) -> bool:
    """Whether a viewer sees the back: shoulders and hips run the other way than on a front, by so
    much that it is no side view. False where they are not all seen."""
    wanted = (NECK, R_SHOULDER, L_SHOULDER, R_HIP, L_HIP)
    if not pose.present[list(wanted)].all():
        return False
    neck, right, left, right_hip, left_hip = pose.points_px[list(wanted)].astype(float)
    up = neck - (right_hip + left_hip) / 2
    length = max(float(np.hypot(*up)), 1e-6)
    # Of the lines from right to left, what lies to the viewer's right of a person who stands.
    shoulders, hips = (
        float(line[1] * up[0] - line[0] * up[1]) / length**2
        for line in (left - right, left_hip - right_hip)
    )
    return shoulders < -_LEAST_TURNED and hips < 0
