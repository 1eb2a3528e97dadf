"""BlazePose's 33 landmarks and the 21 points of each hand of a rendered person, with depth, in the
networks' own conventions.

The landmarks that are joints too lie where joints.py puts them. The mesh has bones down to the
wrist only, and fingers that bend by a morph; its finger joints bend with them, so that every point
of a hand is exact.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from dancepipe.body.posing import DEPTH_SCALE, HAND_DEPTH_SCALE
from dancepipe.pose.retarget import JOINT_OF_LANDMARK
from dancepipe.pose.skeleton import JOINTS
from dancepipe.records import BodyPose, Pose
from dancepipe.skeletons import BLAZEPOSE_33, HAND_21, Skeleton
from dancepipe.synthetic.assets import DancerAssets
from dancepipe.synthetic.body import finger_bend, mouth_corner
from dancepipe.synthetic.figure import Figure
from dancepipe.synthetic.joints import (
    CONFIDENCE_OF,
    FACE_DEPTH_DM,
    LIMB_DEPTH_DM,
    JointPlaces,
    find_joints,
    joints_in_space,
    what_is_seen,
)
from dancepipe.synthetic.raster import skin_vertices
from dancepipe.synthetic.render import View

# In MakeHuman's hm08 topology each finger joint is the middle of eight vertices. Their first ones,
# of the left hand, in HAND_21's order from the thumb's root to the little finger's tip; the right
# hand's lie further on.
_FINGER_JOINTS = (
    14006, 13998, 13990, 13982, 13974, 13918, 13910, 13854, 13966, 13926, 13902, 13862,
    13958, 13934, 13894, 13870, 13950, 13942, 13886, 13878,
)  # fmt: skip
_FINGER_JOINT_VERTICES, _TO_RIGHT_HAND = 8, 440
# The corners of the left eye on the base mesh (dm).
_EYE_CORNERS = {"eye_inner": (0.182, 7.286, 1.406), "eye_outer": (0.505, 7.296, 1.397)}
# How far beside the vertex of the corner, the hindmost of the foot and the foremost one the pose
# network sees the left side's, dm at rest, and between which points of a hand those of the hand.
# Medians over rendered people, as tools/check_dancers.py shows them; those of the hand over
# photographs too, where it puts them nearer to the palm than the knuckles that they are named for.
_BESIDE_DM = {
    "eye_inner": (0, 0, 0), "eye_outer": (-0.06, 0, -0.08), "mouth": (-0.09, 0, -0.05),
    "heel": (-0.07, 0.16, 0.05), "toes": (0.1, 0.05, -0.2),
}  # fmt: skip
_OF_HAND = {"index_finger": (2, 13, 0.6), "little_finger": (2, 17, 0.7), "thumb": (1, 12, 0.2)}
_WRIST = HAND_21.index("wrist")
_SIDES = ("right", "left")  # the order of hands
HIPS = [BLAZEPOSE_33.index("left_hip"), BLAZEPOSE_33.index("right_hip")]
_WRISTS = [BLAZEPOSE_33.index(f"{side}_wrist") for side in _SIDES]
_IS_JOINT = np.array([name in JOINTS for name in BLAZEPOSE_33.joints])
HAND_JOINTS = tuple(JOINTS.index(f"{side}_wrist") for side in _SIDES)  # right, left


@dataclass(frozen=True)
class LandmarkPlaces:
    """Points of a body at rest that are no joints, and what moves them: P of them."""

    names: tuple[str, ...]  # of BLAZEPOSE_33; the fingers' joints come after them
    rest_dm: np.ndarray  # float32 (P, 3)
    skin_bone: np.ndarray  # uint8 (P, 4)
    skin_weight: np.ndarray  # float32 (P, 4)
    bend_dm: np.ndarray  # float32 (P, 3): to be added times the grip
    is_left: np.ndarray  # bool (P,)

    @cached_property
    def numbers(self) -> list[int]:
        """Which landmarks the named ones are."""
        return [BLAZEPOSE_33.index(name) for name in self.names]


def find_landmark_places(assets: DancerAssets, points_dm: np.ndarray) -> LandmarkPlaces:
    """Find them on a shaped body."""
    body = assets.body
    groups, shifts = [], []
    for name, vertices, shift in _named_places(assets):
        groups.append((name, vertices))
        shifts.append(shift)
    for further in (_TO_RIGHT_HAND, 0):
        for first in _FINGER_JOINTS:
            groups.append(("", np.arange(first, first + _FINGER_JOINT_VERTICES) + further))
            shifts.append(np.zeros(3))
    bend = np.zeros_like(points_dm)
    bent, moves = finger_bend(assets)
    bend[bent] = moves
    # All vertices of a point have the same bones.
    firsts = np.array([vertices[0] for _, vertices in groups])
    rest = np.stack([points_dm[vertices].mean(0) for _, vertices in groups]) + np.array(shifts)
    return LandmarkPlaces(
        tuple(name for name, _ in groups if name),
        rest.astype(np.float32),
        body.skin_bone[firsts],
        body.skin_weight[firsts],
        np.stack([bend[vertices].mean(0) for _, vertices in groups]).astype(np.float32),
        rest[:, 0] > 0,
    )


def _named_places(assets: DancerAssets) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Landmark, the vertex that it lies at, and how far beside it (dm)."""
    body = assets.body
    surface = np.zeros(len(body.points_dm), bool)
    surface[body.group_triangles("body").ravel()] = True

    def nearest(target: np.ndarray) -> np.ndarray:
        away = ((body.points_dm - target) ** 2).sum(1)
        return np.array([np.where(surface, away, np.inf).argmin()])

    found = []
    corners = {**_EYE_CORNERS, "mouth": mouth_corner(assets)}
    for side, suffix, sign in (("left", "L", 1), ("right", "R", -1)):
        to_side = np.array([sign, 1, 1])
        vertices = {name: nearest(place * to_side) for name, place in corners.items()}
        share = body.bone_share(f"foot.{suffix}", f"toe1-1.{suffix}")
        foot = np.flatnonzero(surface & (share > 0.9))
        depth = body.points_dm[foot, 2]
        vertices |= {"heel": foot[[depth.argmin()]], "toes": foot[[depth.argmax()]]}
        for name, chosen in vertices.items():
            found.append((f"{side}_{name}", chosen, _BESIDE_DM[name] * to_side))
    return found


def landmarks_in_space(
    figure: Figure, joint_places: JointPlaces, places: LandmarkPlaces, view: View
) -> tuple[np.ndarray, np.ndarray]:
    """(float64 (33, 3), float64 (2, 21, 3)): landmarks, and right and left hand, in decimetres."""
    landmarks = joints_in_space(figure, joint_places, view)[JOINT_OF_LANDMARK]
    posed = _posed(places, view)
    landmarks[places.numbers] = posed[: len(places.names)]
    hands = np.empty((2, len(HAND_21), 3))
    hands[:, _WRIST] = landmarks[_WRISTS]
    hands[:, 1:] = posed[len(places.names) :].reshape(2, -1, 3)
    for side, hand in zip(_SIDES, hands):
        for name, (start, end, share) in _OF_HAND.items():
            place = hand[start] + share * (hand[end] - hand[start])
            landmarks[BLAZEPOSE_33.index(f"{side}_{name}")] = place
    return landmarks, hands


def _posed(places: LandmarkPlaces, view: View) -> np.ndarray:
    left, right = view.bones.grip
    grip = np.where(places.is_left, left, right)[:, None]
    count = len(places.rest_dm)
    posed, crease = np.empty((count, 3), np.float32), np.empty(count, np.float32)
    skin_vertices(
        places.rest_dm + grip * places.bend_dm,
        places.skin_bone,
        places.skin_weight,
        view.bones.rotation,
        view.bones.shift,
        view.bones.bend,
        view.bones.drift,
        np.zeros(count, np.float32),
        posed,
        crease,
    )
    return posed


def find_body(
    figure: Figure, joint_places: JointPlaces, places: LandmarkPlaces, view: View
) -> tuple[BodyPose, np.ndarray]:
    """(body, visibility): all of a pose in the picture's pixels, and uint8 (18,) of its joints.

    Confidences are 1 for what is seen, 0.5 for what is hidden and 0 for what is outside the
    picture. Depth as the networks have it: px at the middle of the hips, of a hand at its wrist,
    where it is 0, divided by how much too large the networks' is (body.posing.DEPTH_SCALE).
    """
    joints, visibility = find_joints(figure, joint_places, view)
    landmarks_dm, hands_dm = landmarks_in_space(figure, joint_places, places, view)
    landmarks = view.camera.project(landmarks_dm)
    tolerance = np.full(len(landmarks), LIMB_DEPTH_DM)
    tolerance[list(BLAZEPOSE_33.groups["face"])] = FACE_DEPTH_DM
    seen = np.where(
        _IS_JOINT, visibility[JOINT_OF_LANDMARK], what_is_seen(view, landmarks, tolerance)
    )
    middle = view.camera.project(landmarks_dm[HIPS].mean(0)[None])[0, 2]
    whole = _pose(landmarks, seen, view, middle, DEPTH_SCALE, BLAZEPOSE_33)
    right, left = (_hand(view.camera.project(hand), view) for hand in hands_dm)
    return BodyPose(joints, whole, (right, left)), visibility


def _hand(points: np.ndarray, view: View) -> Pose:
    seen = what_is_seen(view, points, np.full(len(points), LIMB_DEPTH_DM))
    return _pose(points, seen, view, points[_WRIST, 2], HAND_DEPTH_SCALE, HAND_21)


def _pose(
    points: np.ndarray,
    seen: np.ndarray,
    view: View,
    middle_dm: float,
    depth_scale: float,
    skeleton: Skeleton,
) -> Pose:
    """points: float64 (N, 3), as Camera.project has them; 0 of the depth is at middle_dm."""
    px_per_dm = view.camera.focal_px / middle_dm
    depth = (points[:, 2] - middle_dm) * px_per_dm / depth_scale
    return Pose(points[:, :2], CONFIDENCE_OF[seen], skeleton, depth)
