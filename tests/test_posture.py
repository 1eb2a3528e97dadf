"""Postures: turning bones changes no lengths, mirroring twice changes nothing, limits hold."""

import numpy as np
import pytest

pytest.importorskip("numba")

from dancepipe.synthetic.motion import conjugate, limit_angle
from dancepipe.synthetic.poses import mirror_angles, squat
from dancepipe.synthetic.posture import (
    Posture,
    Rig,
    axis_quaternion,
    multiply_quaternions,
    pose_bones,
    quaternion_matrices,
    rotation_between,
)


def drawn_quaternions(seed, count):
    quaternions = np.random.default_rng(seed).normal(size=(count, 4))
    return quaternions / np.linalg.norm(quaternions, axis=1, keepdims=True)


def test_quaternions_multiply_as_their_matrices_do():
    first, second = drawn_quaternions(1, 20), drawn_quaternions(2, 20)
    wanted = quaternion_matrices(first) @ quaternion_matrices(second)
    np.testing.assert_allclose(
        quaternion_matrices(multiply_quaternions(first, second)), wanted, atol=1e-12
    )
    np.testing.assert_allclose(
        multiply_quaternions(first, conjugate(first)), np.tile([0, 0, 0, 1.0], (20, 1)), atol=1e-12
    )


def test_axis_quaternion_turns_right_handed():
    turned = quaternion_matrices(axis_quaternion((0, 0, 2), np.pi / 2)[None])[0] @ [1, 0, 0]
    np.testing.assert_allclose(turned, [0, 1, 0], atol=1e-12)


def test_rotation_between_turns_one_direction_onto_the_other():
    rng = np.random.default_rng(4)
    for start, end in rng.normal(size=(20, 2, 3)):
        rotation = rotation_between(start, end)
        np.testing.assert_allclose(
            rotation @ start / np.linalg.norm(start), end / np.linalg.norm(end), atol=1e-9
        )
        np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-9)


def test_posing_keeps_bone_lengths_and_carries_rest_points_to_the_heads():
    rng = np.random.default_rng(6)
    parent = np.array([-1, 0, 1, 1, 3, 0])
    heads = rng.normal(size=(6, 3)) * 3
    rig = Rig(
        heads,
        parent,
        tuple((joint, joint) for joint in range(6)),
        np.tile(np.eye(3), (6, 1, 1)),
        8.0,
    )
    bones = pose_bones(rig, Posture(drawn_quaternions(7, 6), np.array([1.0, 2, 3])))
    for bone in range(1, 6):
        rest, posed = (
            heads[bone] - heads[parent[bone]],
            bones.heads_dm[bone] - bones.heads_dm[parent[bone]],
        )
        assert np.linalg.norm(rest) == pytest.approx(np.linalg.norm(posed))
    carried = np.einsum("bij,bj->bi", bones.rotation, heads.astype(np.float32)) + bones.shift
    np.testing.assert_allclose(carried, bones.heads_dm, atol=1e-4)
    assert bones.bend.min() >= 0 and bones.bend.max() <= 1.2 + 1e-6


@pytest.mark.parametrize("degrees", [-170, -40, -5, 0, 5, 40, 170])
def test_angles_are_limited_without_changing_their_axis(degrees):
    limited = limit_angle(axis_quaternion((1, 2, 2), np.radians(degrees)), np.radians(30))
    wanted = axis_quaternion((1, 2, 2), np.radians(np.clip(degrees, -30, 30)))
    np.testing.assert_allclose(
        quaternion_matrices(limited[None]), quaternion_matrices(wanted[None]), atol=1e-9
    )


def test_mirroring_angles_twice_changes_nothing():
    angles = squat(np.random.default_rng(0))
    mirrored = mirror_angles(angles)
    assert mirrored["lThigh"][0] == angles["rThigh"][0] and mirrored["lThigh"] != angles["lThigh"]
    assert mirror_angles(mirrored) == angles
