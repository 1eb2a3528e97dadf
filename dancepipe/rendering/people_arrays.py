"""People, frame by frame, as plain arrays, and back, bit for bit. Masks stay behind."""

from collections.abc import Mapping, Sequence

import numpy as np

from dancepipe.records import BodyPose, PersonFrame, Pose
from dancepipe.skeletons import BLAZEPOSE_33, HAND_21, OPENPOSE_18, Skeleton

_PARTS: dict[str, Skeleton] = {
    "joints": OPENPOSE_18,
    "landmarks": BLAZEPOSE_33,
    "right_hand": HAND_21,
    "left_hand": HAND_21,
}
_ABSENT, _FLAT, _DEEP = 0, 1, 2  # of a part: not known, without depth, with depth


def people_arrays(people: Sequence[PersonFrame | None]) -> dict[str, np.ndarray]:
    """people_seen: int32 (N,), 0 where the person is not there. with_hands: bool (N,), whether
    hands were looked for. Each of _PARTS: float32 (N, points, 4), x_px, y_px, depth_px and
    confidence; and name_kind: uint8 (N,)."""
    count = len(people)
    arrays = {
        "people_seen": np.array([one.people_seen if one else 0 for one in people], np.int32),
        "with_hands": np.array([bool(one and one.body.hands is not None) for one in people]),
    }
    for name, skeleton in _PARTS.items():
        points = arrays[name] = np.zeros((count, len(skeleton), 4), np.float32)
        kinds = arrays[f"{name}_kind"] = np.zeros(count, np.uint8)
        for row, one in enumerate(people):
            pose = one and _part(one.body, name)
            if pose:
                points[row, :, :2], points[row, :, 3] = pose.points_px, pose.confidence
                kinds[row] = _FLAT
                if pose.depth_px is not None:
                    points[row, :, 2], kinds[row] = pose.depth_px, _DEEP
    return arrays


def people_of(arrays: Mapping[str, np.ndarray]) -> list[PersonFrame | None]:
    """The inverse of people_arrays. ValueError for arrays that it did not make."""
    try:
        seen, with_hands = arrays["people_seen"], arrays["with_hands"]
        parts = {name: _poses(arrays, name, skeleton) for name, skeleton in _PARTS.items()}
        if any(len(poses) != len(seen) for poses in (*parts.values(), with_hands)):
            raise ValueError("its arrays are of different lengths")
        return [
            _person(int(count), bool(hands), *of_row)
            for count, hands, *of_row in zip(seen, with_hands, *parts.values())
        ]
    except (KeyError, TypeError, IndexError) as error:
        raise ValueError(f"it holds no people of ours ({error})") from error


def _part(body: BodyPose, name: str) -> Pose | None:
    if name == "joints":
        return body.joints
    if name == "landmarks":
        return body.landmarks
    return body.hands and body.hands[name == "left_hand"]


def _poses(arrays: Mapping[str, np.ndarray], name: str, skeleton: Skeleton) -> list[Pose | None]:
    points, kinds = arrays[name], arrays[f"{name}_kind"]
    if points.dtype != np.float32 or points.shape != (len(kinds), len(skeleton), 4):
        raise ValueError(f"'{name}' is {points.dtype} {points.shape}")
    return [
        None
        if kind == _ABSENT
        else Pose(one[:, :2], one[:, 3], skeleton, one[:, 2] if kind == _DEEP else None)
        for kind, one in zip(kinds, points)
    ]


def _person(count: int, with_hands: bool, joints, landmarks, right, left) -> PersonFrame | None:
    if not count:
        return None
    if joints is None:
        raise ValueError("somebody is seen who has no joints")
    hands = (right, left) if with_hands else None
    return PersonFrame(BodyPose(joints, landmarks, hands), None, count)
