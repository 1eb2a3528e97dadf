import copy
import pickle

import numpy as np
import pytest
from figure import standing_pose

from dancepipe.pose import skeleton
from dancepipe.pose.skeleton import (
    JOINTS,
    LIMBS,
    MIRROR,
    NECK,
    R_HIP,
    is_from_behind,
    openpose_view,
)
from dancepipe.records import BodyPose, Pose
from dancepipe.skeletons import (
    BLAZEPOSE_33,
    COCO_17,
    HAND_21,
    OPENPOSE_18,
    SKELETONS,
    skeleton_of,
)

# Names as the two published tables have them, in their order.
BLAZEPOSE = (
    "nose left_eye_inner left_eye left_eye_outer right_eye_inner right_eye right_eye_outer "
    "left_ear right_ear mouth_left mouth_right "
    "left_shoulder right_shoulder left_elbow right_elbow left_wrist right_wrist left_pinky "
    "right_pinky left_index right_index "
    "left_thumb right_thumb left_hip right_hip left_knee right_knee left_ankle right_ankle "
    "left_heel right_heel left_foot right_foot"
).split()
COCO = (
    "nose left_eye right_eye left_ear right_ear left_shoulder right_shoulder left_elbow "
    "right_elbow left_wrist right_wrist "
    "left_hip right_hip left_knee right_knee left_ankle right_ankle"
).split()


@pytest.mark.parametrize(("names", "rich"), [(BLAZEPOSE, BLAZEPOSE_33), (COCO, COCO_17)])
def test_every_joint_comes_from_the_point_of_its_name_and_the_neck_from_the_shoulders(names, rich):
    points = np.array(
        [[10 + 3 * i, 200 - 2 * i, 0.5 + i / 100] for i in range(len(names))], np.float32
    )
    pose = openpose_view(points, rich, (300, 300))
    for joint, name in enumerate(JOINTS):
        if name == "neck":
            left, right = (
                points[names.index("left_shoulder")],
                points[names.index("right_shoulder")],
            )
            expected = (*(left[:2] + right[:2]) / 2, min(left[2], right[2]))
        else:
            expected = points[names.index(name)]
        np.testing.assert_allclose(pose.as_array()[joint], expected, rtol=1e-6, err_msg=name)


def test_joints_outside_the_picture_or_hardly_visible_are_missing():
    points = np.full((17, 3), 0.9, np.float32)
    points[:, :2] = 50
    points[COCO.index("left_wrist"), 0] = -3  # outside
    points[COCO.index("right_wrist"), 1] = 100  # one below the last row
    points[COCO.index("left_knee"), 2] = 0.05  # hardly visible
    points[COCO.index("left_shoulder"), 2] = 0.1  # takes the neck along
    points[COCO.index("right_knee"), 0] = np.nan
    pose = openpose_view(points, COCO_17, (100, 100))
    missing = {JOINTS[i] for i in np.flatnonzero(~pose.present)}
    assert missing == {
        "left_wrist",
        "right_wrist",
        "left_knee",
        "left_shoulder",
        "neck",
        "right_knee",
    }


def test_a_wrong_number_of_points_is_refused():
    with pytest.raises(ValueError, match=r"\(33, 3\)"):
        openpose_view(np.zeros((17, 3)), BLAZEPOSE_33, (10, 10))


def test_mirroring_swaps_left_and_right_and_twice_gives_the_same():
    assert [JOINTS[i] for i in MIRROR] == [
        name.replace("left", "*").replace("right", "left").replace("*", "right") for name in JOINTS
    ]
    points = np.random.default_rng(0).uniform(1, 90, (17, 3)) / [1, 1, 100]
    pose = openpose_view(points, COCO_17, (100, 100))
    once = pose.mirrored(100)
    assert once.points_px[skeleton.L_WRIST, 0] == 99 - pose.points_px[skeleton.R_WRIST, 0]
    np.testing.assert_allclose(once.mirrored(100).as_array(), pose.as_array(), atol=1e-5)


def test_the_limbs_are_a_tree_over_all_joints():
    reached = {skeleton.NECK}
    for _ in LIMBS:
        reached |= {end for limb in LIMBS if reached & set(limb) for end in limb}
    assert reached == set(range(18))
    assert len(LIMBS) == 17


def drawn(rich, seed=3):
    rng = np.random.default_rng(seed)
    count = len(rich)
    points = rng.uniform(0, 99, (count, 2))
    return Pose(points, rng.uniform(0, 1, count), rich, rng.normal(0, 30, count))


@pytest.mark.parametrize("rich", SKELETONS, ids=lambda one: one.name)
def test_a_skeleton_is_a_tree_or_more_over_all_of_its_points(rich):
    assert len(set(rich.joints)) == len(rich.joints)
    assert (rich.mirror[rich.mirror] == np.arange(len(rich))).all()
    assert {end for limb in rich.limbs for end in limb} >= set(range(len(rich))) - {9, 10}
    named = [point for group in rich.groups.values() for point in group]
    assert len(named) == len(set(named)) and set(named) <= set(range(len(rich)))
    mirrored = {frozenset(rich.mirror[list(limb)].tolist()) for limb in rich.limbs}
    assert mirrored == {frozenset(limb) for limb in rich.limbs}


@pytest.mark.parametrize("rich", SKELETONS, ids=lambda one: one.name)
def test_arrays_and_mirrors_give_back_what_went_in(rich):
    pose = drawn(rich)
    back = Pose.from_array(pose.with_depth(), rich)
    np.testing.assert_array_equal(back.with_depth(), pose.with_depth())
    np.testing.assert_array_equal(Pose.from_array(pose.as_array(), rich).points_px, pose.points_px)
    twice = pose.mirrored(100).mirrored(100)
    np.testing.assert_allclose(twice.with_depth(), pose.with_depth(), atol=1e-4)
    moved = pose.scaled_and_shifted(2.0, (5, -3))
    np.testing.assert_allclose(moved.depth_px, 2 * pose.depth_px)
    np.testing.assert_allclose(moved.points_px, 2 * pose.points_px + [5, -3])


def test_a_mirrored_body_has_its_hands_exchanged():
    right, left = drawn(HAND_21, 1), drawn(HAND_21, 2)
    body = BodyPose(
        Pose.from_array(drawn(OPENPOSE_18).as_array()), drawn(BLAZEPOSE_33), (right, left)
    )
    other = body.mirrored(100)
    np.testing.assert_array_equal(other.hands[0].depth_px, left.depth_px)
    np.testing.assert_array_equal(other.hands[1].points_px[:, 0], 99 - right.points_px[:, 0])
    half = BodyPose(body.joints, None, (None, left)).mirrored(100)
    assert half.hands[1] is None and half.landmarks is None


@pytest.mark.parametrize("travel", [copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])
def test_a_skeleton_stays_itself_in_another_process(travel):
    assert travel(drawn(BLAZEPOSE_33)).skeleton is BLAZEPOSE_33
    with pytest.raises(ValueError, match="known are"):
        skeleton_of("centaur-20")


def test_what_does_not_fit_the_skeleton_is_refused():
    with pytest.raises(ValueError, match="openpose-18 needs an array"):
        Pose.from_array(np.zeros((17, 3)))
    with pytest.raises(ValueError, match="has no depth"):
        Pose(np.zeros((18, 2)), np.ones(18)).with_depth()
    with pytest.raises(ValueError, match="33 finite numbers"):
        Pose(np.zeros((33, 2)), np.ones(33), BLAZEPOSE_33, np.full(33, np.nan))
    with pytest.raises(ValueError, match="joints are of hand-21"):
        BodyPose(drawn(HAND_21))


def rotated(pose: Pose, degrees: float, squeeze: float = 1.0) -> Pose:
    """In the picture, after what a turn about the upright axis does to widths."""
    middle = pose.points_px[NECK]
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return Pose((pose.points_px - middle) * [squeeze, 1] @ turn.T + middle, pose.confidence)


@pytest.mark.parametrize("degrees", [0, 90, 180])  # upright, lying, on the hands
@pytest.mark.parametrize("squeeze, behind", [(1, False), (-1, True), (0.2, False), (-0.2, False)])
def test_a_back_is_told_from_a_front_and_a_side(degrees, squeeze, behind):
    pose = rotated(standing_pose((200, 50), 400), degrees, squeeze)
    assert is_from_behind(pose) == behind
    confidence = pose.confidence.copy()
    confidence[R_HIP] = 0
    assert not is_from_behind(Pose(pose.points_px, confidence))
