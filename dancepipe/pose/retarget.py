"""The driver's motion on the reference's body: bones keep the driver's directions and
foreshortening, and get the reference's proportions.

A picture shows bones shortened, never lengthened, so the length of a bone is a high percentile over
many poses, and of the left and right one the longer. Widths take a higher one: a dancer who turns
faces the camera for a moment. Lengths are in torso lengths (neck to mid hip), so the camera's
distance has no say.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from dancepipe.pose.skeleton import (
    L_ANKLE,
    L_EAR,
    L_ELBOW,
    L_EYE,
    L_HIP,
    L_KNEE,
    L_SHOULDER,
    L_WRIST,
    NECK,
    NOSE,
    R_ANKLE,
    R_EAR,
    R_ELBOW,
    R_EYE,
    R_HIP,
    R_KNEE,
    R_SHOULDER,
    R_WRIST,
)  # fmt: skip
from dancepipe.records import JOINT_COUNT, BodyPose, Pose
from dancepipe.skeletons import BLAZEPOSE_33, HAND_21, OPENPOSE_18

MIN_CONFIDENCE = 0.5  # joints less sure have no say in a measurement
PERCENTILE = 85
PERCENTILE_OF_WIDTHS = 97
_WIDTHS = ("shoulder_width", "hip_width", "head")
UNIT_WINDOW_FRAMES = 30  # on each side: over that time somebody who bends stands upright once
RATIO_RANGE = (0.6, 1.6)  # of a bone, reference / driver; beyond that a measurement has failed

_MID_HIP = JOINT_COUNT  # a nineteenth point, the root

_LANDMARK_OF_JOINT = {
    joint: BLAZEPOSE_33.index(name)
    for joint, name in enumerate(OPENPOSE_18.joints)
    if joint != NECK
}
# The joint that each landmark hangs on: its own, else the nearest one up the body.
_HANGS_ON = {
    "eye_inner": "eye", "eye_outer": "eye", "mouth": "nose", "little_finger": "wrist",
    "index_finger": "wrist", "thumb": "wrist", "heel": "ankle", "toes": "ankle",
}  # fmt: skip


def _joint_of(landmark: str) -> int:
    name = landmark.removeprefix("left_").removeprefix("right_")
    side = landmark.removesuffix(name)
    upward = _HANGS_ON.get(name, name)
    return OPENPOSE_18.joints.index("nose" if upward == "nose" else side + upward)


JOINT_OF_LANDMARK = np.array([_joint_of(landmark) for landmark in BLAZEPOSE_33.joints])


@dataclass(frozen=True)
class BodyProportions:
    """Lengths in torso lengths; None = not seen well enough, which leaves the driver's own
    proportion."""

    shoulder_width: float | None = None
    hip_width: float | None = None
    upper_arm: float | None = None
    forearm: float | None = None
    thigh: float | None = None
    shin: float | None = None
    neck: float | None = None  # neck to nose
    head: float | None = None  # ear to ear

    def __post_init__(self):
        for field in fields(self):
            length = getattr(self, field.name)
            if length is not None and not (np.isfinite(length) and length > 0):
                raise ValueError(f"{field.name} must be a positive length or None, got {length}")

    @property
    def stature(self) -> float | None:
        """Nose to ankles of the upright body, in torso lengths; None when a part of it is
        unknown."""
        if self.neck is None or self.thigh is None or self.shin is None:
            return None
        return 1 + (self.neck + self.thigh + self.shin)


# A usual body as the joints of mediapipe give it (medians over 43 clips and photos), and how far
# from it a measurement is
# believed: a thigh of half the usual length belongs to somebody who sits, half a shoulder width to
# somebody seen from the side.
USUAL = BodyProportions(
    shoulder_width=0.64,
    hip_width=0.37,
    upper_arm=0.54,
    forearm=0.48,
    thigh=0.75,
    shin=0.73,
    neck=0.40,
    head=0.24,
)
_BELIEVED = (0.65, 1.5)

_MEASURED_BONES = {
    "shoulder_width": ((R_SHOULDER, L_SHOULDER),),
    "hip_width": ((R_HIP, L_HIP),),
    "upper_arm": ((R_SHOULDER, R_ELBOW), (L_SHOULDER, L_ELBOW)),
    "forearm": ((R_ELBOW, R_WRIST), (L_ELBOW, L_WRIST)),
    "thigh": ((R_HIP, R_KNEE), (L_HIP, L_KNEE)),
    "shin": ((R_KNEE, R_ANKLE), (L_KNEE, L_ANKLE)),
    "neck": ((NECK, NOSE),),
    "head": ((R_EAR, L_EAR),),
}

# joint -> (parent, the proportion that its bone scales with); parents before children, from the mid
# hip.
_TREE = {
    NECK: (_MID_HIP, None),
    R_HIP: (_MID_HIP, "hip_width"),
    L_HIP: (_MID_HIP, "hip_width"),
    R_KNEE: (R_HIP, "thigh"),
    L_KNEE: (L_HIP, "thigh"),
    R_ANKLE: (R_KNEE, "shin"),
    L_ANKLE: (L_KNEE, "shin"),
    R_SHOULDER: (NECK, "shoulder_width"),
    L_SHOULDER: (NECK, "shoulder_width"),
    R_ELBOW: (R_SHOULDER, "upper_arm"),
    L_ELBOW: (L_SHOULDER, "upper_arm"),
    R_WRIST: (R_ELBOW, "forearm"),
    L_WRIST: (L_ELBOW, "forearm"),
    NOSE: (NECK, "neck"),
    R_EYE: (NOSE, "head"),
    L_EYE: (NOSE, "head"),
    R_EAR: (R_EYE, "head"),
    L_EAR: (L_EYE, "head"),
}


def measure_proportions(poses: Sequence[Pose | None]) -> BodyProportions:
    """Robust proportions of one person: of consecutive frames of a clip (None = nobody found), or
    of a single photo.

    A proportion that was never seen surely, or that is not believable (somebody sitting, seen from
    the side), is None. Without hips in any pose the torso is taken as 1 / 0.64 of the shoulder
    width.
    """
    poses = [pose for pose in poses if pose is not None]
    if not poses:
        return BodyProportions()
    points = np.stack([pose.points_px for pose in poses]).astype(np.float64)  # (T, 18, 2)
    sure = np.stack([pose.confidence for pose in poses]) >= MIN_CONFIDENCE

    def lengths(first: int, second: int) -> np.ndarray:
        distance = np.linalg.norm(points[:, first] - points[:, second], axis=1)
        return np.where(sure[:, first] & sure[:, second], distance, np.nan)

    mid_hip = (points[:, R_HIP] + points[:, L_HIP]) / 2
    torso = np.where(
        sure[:, [NECK, R_HIP, L_HIP]].all(1),
        np.linalg.norm(points[:, NECK] - mid_hip, axis=1),
        np.nan,
    )
    if np.isnan(torso).all():
        torso = lengths(R_SHOULDER, L_SHOULDER) / USUAL.shoulder_width
    unit = _rolling_percentile(torso)

    measured = {}
    for name, bones in _MEASURED_BONES.items():
        with np.errstate(invalid="ignore", divide="ignore"):
            ratios = np.fmax.reduce([lengths(*bone) for bone in bones]) / unit
        ratios = ratios[np.isfinite(ratios)]
        length = (
            float(np.percentile(ratios, PERCENTILE_OF_WIDTHS if name in _WIDTHS else PERCENTILE))
            if len(ratios)
            else None
        )
        usual = getattr(USUAL, name)
        believed = length is not None and _BELIEVED[0] * usual <= length <= _BELIEVED[1] * usual
        measured[name] = length if believed else None
    return BodyProportions(**measured)


def retarget(
    body: BodyPose,
    driver: BodyProportions,
    reference: BodyProportions,
    *,
    scale: float | None = None,
) -> BodyPose:
    """The driver's pose with the reference's proportions, in the driver's picture.

    The mid hip stays in its column; the lowest joint stays on the driver's ground line when an
    ankle is seen, else the mid hip keeps its height too (the neck, when no hip is seen). Each bone
    keeps its direction and is scaled by reference / driver (clamped to RATIO_RANGE; 1 where either
    is unknown) and by scale. scale None makes both bodies equally tall when standing, or leaves the
    torso as long as the driver's where a stature is unknown (half bodies). Missing joints stay
    missing; one whose parent is missing hangs on the nearest seen joint up the tree. Landmarks and
    hands go with their joints, and with them their depth, so that foreshortening stays what it was.
    """
    if not body.joints.present.any():
        return body
    if scale is None:
        scale = _stature_scale(driver, reference)
    joints = body.joints
    if body.landmarks is not None:
        joints = replace(joints, depth_px=_joint_depth(body.landmarks))
    moved = _retargeted(joints, driver, reference, scale)
    landmarks = body.landmarks and _carried(body.landmarks, joints, moved, scale)
    hands = body.hands
    if hands is not None:
        right, left = (
            hand and _carried_hand(hand, joints, moved, wrist, scale)
            for hand, wrist in zip(hands, (R_WRIST, L_WRIST))
        )
        hands = right, left
    return BodyPose(replace(moved, depth_px=None), landmarks, hands)


def _joint_depth(landmarks: Pose) -> np.ndarray:
    """float32 (18,): the depth of each joint; the neck's is the shoulders' mean."""
    depth = landmarks.with_depth()[:, 2]
    found = np.zeros(JOINT_COUNT, np.float32)
    for joint, landmark in _LANDMARK_OF_JOINT.items():
        found[joint] = depth[landmark]
    found[NECK] = (found[R_SHOULDER] + found[L_SHOULDER]) / 2
    return found


def _carried(landmarks: Pose, before: Pose, after: Pose, scale: float) -> Pose:
    """Landmarks that are joints take their places; the others keep their way from the joint that
    they hang on, scaled. A landmark whose joint is missing goes with the middle of the body."""
    old, new = _in_space(before), _in_space(after)
    places = np.concatenate([landmarks.points_px, landmarks.with_depth()[:, 2:3]], 1)
    moved = places.copy()
    seen = np.flatnonzero(before.present)
    middle_old, middle_new = old[seen].mean(0), new[seen].mean(0)
    for landmark, joint in enumerate(JOINT_OF_LANDMARK):
        if before.present[joint]:
            from_old, from_new = old[joint], new[joint]
        else:
            from_old, from_new = middle_old, middle_new
        moved[landmark] = from_new + (places[landmark] - from_old) * scale
    return Pose(moved[:, :2], landmarks.confidence, BLAZEPOSE_33, moved[:, 2])


def _carried_hand(hand: Pose, before: Pose, after: Pose, wrist: int, scale: float) -> Pose:
    """The hand as it was, scaled, at its wrist; its depth begins there."""
    if not before.present[wrist]:
        return hand
    places = hand.points_px - before.points_px[wrist]
    depth = None if hand.depth_px is None else hand.depth_px * np.float32(scale)
    points = after.points_px[wrist] + places * np.float32(scale)
    return Pose(points, hand.confidence, HAND_21, depth)


def _in_space(pose: Pose) -> np.ndarray:
    return np.concatenate([pose.points_px, pose.with_depth()[:, 2:3]], 1).astype(np.float64)


def _retargeted(
    pose: Pose, driver: BodyProportions, reference: BodyProportions, scale: float
) -> Pose:
    """The joints, in three dimensions where they have a depth."""
    points, present = _with_mid_hip(pose)
    result = points.copy()
    for joint, (parent, name) in _TREE.items():
        if not present[joint]:
            continue
        ratios = [_ratio(driver, reference, name)]
        while not present[parent] and parent in _TREE:
            parent, name = _TREE[parent]
            ratios.append(_ratio(driver, reference, name))
        if present[parent]:  # else this joint is the root of what is seen, and stays
            result[joint] = result[parent] + (points[joint] - points[parent]) * (
                scale * float(np.mean(ratios))
            )
    joints_present = present[:JOINT_COUNT]
    if joints_present[[R_ANKLE, L_ANKLE]].any():
        lowest = points[:JOINT_COUNT][joints_present, 1].max()
        result[:, 1] += lowest - result[:JOINT_COUNT][joints_present, 1].max()
    depth = result[:JOINT_COUNT, 2] if pose.depth_px is not None else None
    return Pose(result[:JOINT_COUNT, :2], pose.confidence, OPENPOSE_18, depth)


def _with_mid_hip(pose: Pose) -> tuple[np.ndarray, np.ndarray]:
    """Points (19, 2), or (19, 3) with depth, and presence (19,), the mid hip last; of one hip alone
    that hip is taken."""
    places = pose.points_px if pose.depth_px is None else _in_space(pose)
    points = np.concatenate([places, np.zeros((1, places.shape[1]))]).astype(np.float64)
    present = np.append(pose.present, False)
    hips = [joint for joint in (R_HIP, L_HIP) if present[joint]]
    if hips:
        points[_MID_HIP] = points[hips].mean(0)
        present[_MID_HIP] = True
    return points, present


def _ratio(driver: BodyProportions, reference: BodyProportions, name: str | None) -> float:
    if name is None:
        return 1.0
    own, other = getattr(driver, name), getattr(reference, name)
    if own is None or other is None:
        return 1.0
    return float(np.clip(other / own, *RATIO_RANGE))


def _stature_scale(driver: BodyProportions, reference: BodyProportions) -> float:
    """Makes the retargeted body as tall as the driver's, ratios clamped as they will be; 1 where a
    stature is unknown."""
    stature = driver.stature
    if stature is None or reference.stature is None:
        return 1.0
    parts = {name: getattr(driver, name) for name in ("neck", "thigh", "shin")}
    retargeted = 1 + sum(length * _ratio(driver, reference, name) for name, length in parts.items())
    return stature / retargeted


def _rolling_percentile(lengths: np.ndarray) -> np.ndarray:
    """The PERCENTILE of the lengths within UNIT_WINDOW_FRAMES of each frame; nan where there is
    none."""
    padded = np.pad(lengths, UNIT_WINDOW_FRAMES, constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * UNIT_WINDOW_FRAMES + 1)
    result = np.full(len(lengths), np.nan)
    seen = np.isfinite(windows).any(1)
    result[seen] = np.nanpercentile(windows[seen], PERCENTILE, axis=1)
    return result
