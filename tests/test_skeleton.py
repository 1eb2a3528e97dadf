import numpy as np
import pytest

from dancepipe.pose import skeleton
from dancepipe.pose.skeleton import (
    JOINTS,
    LIMBS,
    MIRROR,
    mirror_pose,
    pose_from_blazepose,
    pose_from_coco,
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


@pytest.mark.parametrize(
    ("names", "convert"), [(BLAZEPOSE, pose_from_blazepose), (COCO, pose_from_coco)]
)
def test_every_joint_comes_from_the_point_of_its_name_and_the_neck_from_the_shoulders(
    names, convert
):
    points = np.array(
        [[10 + 3 * i, 200 - 2 * i, 0.5 + i / 100] for i in range(len(names))], np.float32
    )
    pose = convert(points, (300, 300))
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
    pose = pose_from_coco(points, (100, 100))
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
        pose_from_blazepose(np.zeros((17, 3)), (10, 10))


def test_mirroring_swaps_left_and_right_and_twice_gives_the_same():
    assert [JOINTS[i] for i in MIRROR] == [
        name.replace("left", "*").replace("right", "left").replace("*", "right") for name in JOINTS
    ]
    pose = pose_from_coco(
        np.random.default_rng(0).uniform(1, 90, (17, 3)) / [1, 1, 100], (100, 100)
    )
    once = mirror_pose(pose, 100)
    assert once.points_px[skeleton.L_WRIST, 0] == 99 - pose.points_px[skeleton.R_WRIST, 0]
    np.testing.assert_allclose(mirror_pose(once, 100).as_array(), pose.as_array(), atol=1e-5)


def test_the_limbs_are_a_tree_over_all_joints():
    reached = {skeleton.NECK}
    for _ in LIMBS:
        reached |= {end for limb in LIMBS if reached & set(limb) for end in limb}
    assert reached == set(range(18))
    assert len(LIMBS) == 17
