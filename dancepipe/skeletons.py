"""Skeletons as data: which points there are, which limbs join them, and what mirrors what."""

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True, eq=False)
class Skeleton:
    """One convention of points. Two skeletons are the same only when they are the same object."""

    name: str
    joints: tuple[str, ...]
    limbs: tuple[tuple[int, int], ...]
    groups: dict[str, tuple[int, ...]] = field(default_factory=dict)  # by what they belong to
    mirror: np.ndarray = field(init=False)  # int (N,): what a point becomes in a mirrored picture

    def __post_init__(self):
        object.__setattr__(self, "mirror", np.array([self._other_side(j) for j in self.joints]))

    def __len__(self) -> int:
        return len(self.joints)

    def __reduce__(self):
        return skeleton_of, (self.name,)  # the same object in a worker process

    def index(self, joint: str) -> int:
        """The number of a point. ValueError for an unknown one."""
        return self.joints.index(joint)

    def _other_side(self, joint: str) -> int:
        for side, other in (("left_", "right_"), ("right_", "left_")):
            if joint.startswith(side):
                return self.joints.index(other + joint.removeprefix(side))
        return self.joints.index(joint)


def _limbs(joints: tuple[str, ...], *chains: str) -> tuple[tuple[int, int], ...]:
    """Each chain is a line of names; left_ and right_ are tried for names with a *."""
    found = []
    for chain in chains:
        for side in ("right_", "left_") if "*" in chain else ("",):
            numbers = [joints.index(name.replace("*", side)) for name in chain.split()]
            found += zip(numbers, numbers[1:])
    return tuple(dict.fromkeys(found))


_OPENPOSE = (
    "nose", "neck",
    "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow", "left_wrist",
    "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle",
    "right_eye", "left_eye", "right_ear", "left_ear",
)  # fmt: skip
# The paper's joints. Limb i is drawn with hue i / 17 in the joint map, so their order counts.
OPENPOSE_18 = Skeleton(
    "openpose-18",
    _OPENPOSE,
    (
        (1, 2), (1, 5), (2, 3), (3, 4), (5, 6), (6, 7), (1, 8), (8, 9), (9, 10),
        (1, 11), (11, 12), (12, 13), (1, 0), (0, 14), (14, 16), (0, 15), (15, 17),
    ),
    {"face": (0, 14, 15, 16, 17), "trunk": (1, 2, 5, 8, 11), "arms": (3, 4, 6, 7),
     "legs": (9, 10, 12, 13)},
)  # fmt: skip

_BLAZEPOSE = (
    "nose", "left_eye_inner", "left_eye", "left_eye_outer",
    "right_eye_inner", "right_eye", "right_eye_outer", "left_ear", "right_ear",
    "left_mouth", "right_mouth", "left_shoulder", "right_shoulder", "left_elbow", "right_elbow",
    "left_wrist", "right_wrist", "left_little_finger", "right_little_finger",
    "left_index_finger", "right_index_finger", "left_thumb", "right_thumb",
    "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle",
    "left_heel", "right_heel", "left_toes", "right_toes",
)  # fmt: skip
# BlazePose GHUM's landmarks. Depth: px, larger = farther, 0 in the middle of the hips; in the
# network's own convention, about 3.7 times too large.
BLAZEPOSE_33 = Skeleton(
    "blazepose-33",
    _BLAZEPOSE,
    _limbs(
        _BLAZEPOSE, "left_shoulder right_shoulder", "left_hip right_hip",
        "*shoulder *hip *knee *ankle *heel *toes", "*ankle *toes",
        "*shoulder *elbow *wrist *index_finger *little_finger *wrist *thumb",
        "nose *eye_inner *eye *eye_outer *ear", "left_mouth right_mouth",
    ),
    {"face": tuple(range(11)), "trunk": (11, 12, 23, 24), "arms": (13, 14, 15, 16),
     "hands": tuple(range(17, 23)), "legs": (25, 26, 27, 28), "feet": (29, 30, 31, 32)},
)  # fmt: skip

_COCO = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder",
    "left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip",
    "left_knee", "right_knee", "left_ankle", "right_ankle",
)  # fmt: skip
COCO_17 = Skeleton(
    "coco-17",
    _COCO,
    _limbs(
        _COCO, "left_shoulder right_shoulder", "left_hip right_hip", "*shoulder *hip *knee *ankle",
        "*shoulder *elbow *wrist", "nose *eye *ear",
    ),
    {"face": (0, 1, 2, 3, 4), "trunk": (5, 6, 11, 12), "arms": (7, 8, 9, 10),
     "legs": (13, 14, 15, 16)},
)  # fmt: skip

_FINGERS = ("thumb", "index", "middle", "ring", "little")
_HAND = ("wrist", *(f"{finger}_{joint}" for finger in _FINGERS for joint in range(1, 5)))
# The hand network's points, of one hand. Depth: px, larger = farther, 0 at the wrist.
HAND_21 = Skeleton(
    "hand-21",
    _HAND,
    _limbs(_HAND, *(f"wrist {f}_1 {f}_2 {f}_3 {f}_4" for f in _FINGERS)),
    {finger: tuple(range(4 * i + 1, 4 * i + 5)) for i, finger in enumerate(_FINGERS)},
)

SKELETONS = (OPENPOSE_18, BLAZEPOSE_33, COCO_17, HAND_21)


def skeleton_of(name: str) -> Skeleton:
    """The skeleton of a name. ValueError for an unknown one."""
    for skeleton in SKELETONS:
        if skeleton.name == name:
            return skeleton
    raise ValueError(f"no skeleton {name!r}; known are {[one.name for one in SKELETONS]}")
