"""The one table of the 18 joints (OpenPose order) and the 17 limbs between them.

Everything that knows what joint 4 is reads it here.
"""

import numpy as np

from dancepipe.records import JOINT_COUNT, Pose

JOINTS = (
    "nose", "neck",
    "right_shoulder", "right_elbow", "right_wrist",
    "left_shoulder", "left_elbow", "left_wrist",
    "right_hip", "right_knee", "right_ankle",
    "left_hip", "left_knee", "left_ankle",
    "right_eye", "left_eye", "right_ear", "left_ear",
)  # fmt: skip

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

# Limb i is drawn with hue i / 17 in the joint map.
LIMBS = (
    (NECK, R_SHOULDER), (NECK, L_SHOULDER),
    (R_SHOULDER, R_ELBOW), (R_ELBOW, R_WRIST), (L_SHOULDER, L_ELBOW), (L_ELBOW, L_WRIST),
    (NECK, R_HIP), (R_HIP, R_KNEE), (R_KNEE, R_ANKLE),
    (NECK, L_HIP), (L_HIP, L_KNEE), (L_KNEE, L_ANKLE),
    (NECK, NOSE), (NOSE, R_EYE), (R_EYE, R_EAR), (NOSE, L_EYE), (L_EYE, L_EAR),
)  # fmt: skip

# MIRROR[i] is the joint that joint i becomes in a mirrored picture.
MIRROR = np.array([0, 1, 5, 6, 7, 2, 3, 4, 11, 12, 13, 8, 9, 10, 15, 14, 17, 16])

FACE = (NOSE, NECK, R_EYE, L_EYE, R_EAR, L_EAR)  # the six points of the paper's face region

# Our joint -> point of BlazePose-33 and of COCO-17. The neck is in neither: it is the middle of the
# shoulders.
_BLAZEPOSE_OF_JOINT = {
    NOSE: 0,
    R_SHOULDER: 12,
    R_ELBOW: 14,
    R_WRIST: 16,
    L_SHOULDER: 11,
    L_ELBOW: 13,
    L_WRIST: 15,
    R_HIP: 24,
    R_KNEE: 26,
    R_ANKLE: 28,
    L_HIP: 23,
    L_KNEE: 25,
    L_ANKLE: 27,
    R_EYE: 5,
    L_EYE: 2,
    R_EAR: 8,
    L_EAR: 7,
}
_COCO_OF_JOINT = {
    NOSE: 0,
    R_SHOULDER: 6,
    R_ELBOW: 8,
    R_WRIST: 10,
    L_SHOULDER: 5,
    L_ELBOW: 7,
    L_WRIST: 9,
    R_HIP: 12,
    R_KNEE: 14,
    R_ANKLE: 16,
    L_HIP: 11,
    L_KNEE: 13,
    L_ANKLE: 15,
    R_EYE: 2,
    L_EYE: 1,
    R_EAR: 4,
    L_EAR: 3,
}

# mediapipe's visibility is low for a joint behind the body although its place is mostly right, and
# a limb that blinks is
# worse for the networks than one a few pixels off: only joints it calls nearly impossible to be
# there are dropped.
BLAZEPOSE_MIN_VISIBILITY = 0.1
# YOLO-pose scores a joint that it does not see near 0 and puts it anywhere; 0.3 is where places
# begin to mean something.
COCO_MIN_CONFIDENCE = 0.3


def pose_from_blazepose(
    landmarks: np.ndarray,
    size_wh: tuple[int, int],
    min_visibility: float = BLAZEPOSE_MIN_VISIBILITY,
) -> Pose:
    """(33, 3) BlazePose points (x_px, y_px, visibility; pixel centres at integers) -> our 18
    joints.

    A joint outside the picture of size_wh or less visible than min_visibility is missing
    (confidence 0).
    """
    return _convert(landmarks, 33, _BLAZEPOSE_OF_JOINT, size_wh, min_visibility)


def pose_from_coco(
    keypoints: np.ndarray, size_wh: tuple[int, int], min_confidence: float = COCO_MIN_CONFIDENCE
) -> Pose:
    """(17, 3) COCO points (x_px, y_px, confidence; pixel centres at integers) -> our 18 joints,
    missing ones as above."""
    return _convert(keypoints, 17, _COCO_OF_JOINT, size_wh, min_confidence)


def _convert(
    points: np.ndarray,
    count: int,
    source_of_joint: dict[int, int],
    size_wh: tuple[int, int],
    minimum: float,
) -> Pose:
    points = np.asarray(points, np.float32)
    if points.shape != (count, 3):
        raise ValueError(f"expected ({count}, 3) points, got {points.shape}")
    joints = np.zeros((JOINT_COUNT, 3), np.float32)
    for joint, source in source_of_joint.items():
        joints[joint] = points[source]
    joints[NECK, :2] = (joints[R_SHOULDER, :2] + joints[L_SHOULDER, :2]) / 2
    joints[NECK, 2] = min(joints[R_SHOULDER, 2], joints[L_SHOULDER, 2])
    finite = np.isfinite(joints).all(1)
    with np.errstate(invalid="ignore"):
        inside = ((joints[:, :2] >= -0.5) & (joints[:, :2] <= np.array(size_wh) - 0.5)).all(1)
        found = finite & inside & (joints[:, 2] >= minimum)
    joints[~finite] = 0
    joints[:, 2] = np.where(found, joints[:, 2].clip(0, 1), 0)
    return Pose.from_array(joints)


def mirror_pose(pose: Pose, width_px: int) -> Pose:
    """The pose in the left-right mirrored picture of that width."""
    points = pose.points_px[MIRROR].copy()
    points[:, 0] = width_px - 1 - points[:, 0]
    return Pose(points, pose.confidence[MIRROR])


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
