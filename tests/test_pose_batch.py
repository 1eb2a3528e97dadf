"""Poses side by side: what each holds, and what happens to all of them alike."""

import numpy as np
import pytest
import torch
from figure import standing_pose

from dancepipe.pose.batch import PoseBatch
from dancepipe.records import BodyPose, Pose
from dancepipe.skeletons import BLAZEPOSE_33, HAND_21


def drawn(count: int = 3) -> PoseBatch:
    random = torch.Generator().manual_seed(0)
    shapes = ((count, 18, 3), (count, 33, 4), (count, 2, 21, 4))
    return PoseBatch(*(torch.randn(shape, generator=random) for shape in shapes))


def same(one: PoseBatch, other: PoseBatch) -> bool:
    return all(
        torch.equal(getattr(one, name), getattr(other, name))
        for name in ("joints", "landmarks", "hands")
    )


def test_poses_come_in_their_order():
    poses = [standing_pose((x, 4), 80) for x in (10, 20)]
    batch = PoseBatch.of(poses)
    assert len(batch) == 2 and batch.landmarks is None and batch.hands is None
    assert all((batch.joints[i].numpy() == pose.as_array()).all() for i, pose in enumerate(poses))


def test_landmarks_and_hands_come_along_when_all_have_some():
    rng = np.random.default_rng(2)

    def body(right=True) -> BodyPose:
        def points(skeleton):
            count = len(skeleton)
            return Pose(rng.random((count, 2)), np.ones(count), skeleton, rng.random(count))

        hand = points(HAND_21) if right else None
        return BodyPose(standing_pose((9, 4), 80), points(BLAZEPOSE_33), (hand, None))

    bodies = [body(), body(right=False)]
    batch = PoseBatch.of(bodies)
    assert (batch.landmarks[1].numpy() == bodies[1].landmarks.with_depth()).all()
    assert (batch.hands[0, 0].numpy() == bodies[0].hands[0].with_depth()).all()
    assert not batch.hands[0, 1].any() and not batch.hands[1].any()
    mixed = PoseBatch.of([bodies[0], standing_pose((9, 4), 80)])
    assert mixed.landmarks is None and mixed.hands is None


def test_some_of_them():
    batch = drawn()
    assert same(batch[1], batch[1:2]) and same(batch[-1], batch[[2]]) and len(batch[1]) == 1
    assert same(batch[torch.tensor([2, 0])], batch[[2, 0]])
    with pytest.raises(IndexError):
        batch[3]


def test_one_serves_many():
    batch = drawn(1).expand(4)
    assert len(batch) == 4 and same(batch[0], batch[3]) and same(drawn(3).expand(3), drawn(3))
    with pytest.raises(ValueError, match="cannot make 4 poses of 3"):
        drawn(3).expand(4)


def test_all_points_shrink_with_the_picture():
    batch, small = drawn(), drawn().shrunk(2)
    for name in ("joints", "landmarks", "hands"):
        whole, half = getattr(batch, name), getattr(small, name)
        torch.testing.assert_close(half[..., :2], whole[..., :2] / 2 - 0.25)
        assert torch.equal(half[..., 3:], whole[..., 3:])
    assert torch.equal(small.joints[..., 2], batch.joints[..., 2])
    assert torch.equal(small.landmarks[..., 2], batch.landmarks[..., 2] / 2)
    assert torch.equal(small.hands[..., 2], batch.hands[..., 2] / 2)
    assert batch.shrunk(1) is batch


@pytest.mark.parametrize(
    "values, message",
    [
        ((torch.zeros(2, 17, 3),), r"joints must be float32 of shape \(2, 18, 3\), got .*17"),
        ((torch.zeros(2, 18, 3).double(),), "joints must be float32 .*float64"),
        ((torch.zeros(2, 18, 3), torch.zeros(1, 33, 4)), r"landmarks must be .*\(2, 33, 4\)"),
        ((torch.zeros(1, 18, 3), None, torch.zeros(1, 21, 4)), "hands must be"),
    ],
)
def test_other_shapes_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        PoseBatch(*values)
