"""Landmarks become bones."""

import numpy as np
import pytest

from dancepipe.body.mesh import load_mesh
from dancepipe.body.posing import DEPTH_SCALE, Poser
from dancepipe.body.raster import skin

TORSO_PX = 100.0
MIDDLE_PX = np.array([200.0, 300.0])


def at_rest() -> np.ndarray:
    """float64 (33, 4): what the pose network says of the mesh at rest, seen from the front."""
    mesh = load_mesh()
    scaled = mesh.landmarks_dm / Poser(mesh).torso_dm * TORSO_PX
    landmarks = np.ones((33, 4))
    landmarks[:, 0], landmarks[:, 1] = scaled[:, 0] + MIDDLE_PX[0], MIDDLE_PX[1] - scaled[:, 1]
    landmarks[:, 2] = -scaled[:, 2] / DEPTH_SCALE
    return landmarks


def posed(landmarks: np.ndarray, hands=None) -> np.ndarray:
    mesh = load_mesh()
    pose = Poser(mesh).pose(landmarks, TORSO_PX, hands=hands)
    points = np.empty_like(mesh.points_dm)
    skin(mesh.points_dm, mesh.skin_bone, mesh.skin_weight, pose.A, pose.b, points)
    return points[mesh.layer_of_points("body")]


def test_the_body_at_rest_stays_what_it_is():
    mesh = load_mesh()
    body = mesh.points_dm[mesh.layer_of_points("body")]
    expected = body * [1, -1, 1] / Poser(mesh).torso_dm * TORSO_PX + [*MIDDLE_PX, 0]
    assert np.abs(posed(at_rest()) - expected).max() < 2.5
    assert np.quantile(np.abs(posed(at_rest()) - expected), 0.95) < 0.5


def test_a_mirrored_pose_gives_the_mirrored_body():
    mesh = load_mesh()
    rng = np.random.default_rng(4)
    landmarks = at_rest()
    landmarks[:, :3] += rng.normal(0, 8, (33, 3))
    other = np.array(
        [0, 4, 5, 6, 1, 2, 3, 8, 7, 10, 9, *(i + 1 - 2 * (i % 2 == 0) for i in range(11, 33))]
    )
    mirrored = landmarks[other].copy()
    mirrored[:, 0] = -mirrored[:, 0]
    mirror = mesh.mirror[mesh.layer_of_points("body")]
    np.testing.assert_allclose(
        posed(mirrored)[mirror] * [-1, 1, 1], posed(landmarks), atol=0.05 * TORSO_PX
    )


def test_a_raised_forearm_takes_the_hand_along():
    landmarks = at_rest()
    elbow = landmarks[13].copy()
    for point in (15, 17, 19, 21):  # straight up from the elbow
        away = np.hypot(*(landmarks[point, :2] - elbow[:2]))
        landmarks[point, :3] = elbow[:3] - [0, away, 0]
    mesh = load_mesh()
    hand = (
        mesh.part[mesh.layer_of_points("body")] == mesh.part[np.argmax(mesh.points_dm[:, 0])]
    )  # the left hand reaches furthest to the left
    assert (posed(landmarks)[hand, 1] < elbow[1] - 0.2 * TORSO_PX).all()


def test_a_seen_hand_before_the_belly_is_not_swallowed():
    landmarks = at_rest()
    for point in (15, 17, 19, 21):
        landmarks[point, :3] = [MIDDLE_PX[0] + 5, MIDDLE_PX[1] - 30, 0]  # inside, says its depth
    landmarks[17, 1] += 6
    landmarks[19, 1] -= 6
    mesh = load_mesh()
    points, part = posed(landmarks), mesh.part[mesh.layer_of_points("body")]
    hand = part == part[np.argmax(mesh.points_dm[:, 0])]
    belly = (part == 1) & (np.hypot(*(points[:, :2] - landmarks[15, :2]).T) < 15)
    assert points[hand, 2].min() > points[belly, 2].max() - 0.1 * TORSO_PX
    landmarks[:, 3] = 0.1  # behind the back the network sees nothing of it
    assert posed(landmarks)[hand, 2].mean() < points[hand, 2].mean() - 0.1 * TORSO_PX


@pytest.mark.parametrize("kind", ["noise", "huge", "flat", "point", "line", "few"])
def test_no_pose_is_so_strange_that_a_bone_is_not_finite(kind):
    rng = np.random.default_rng(len(kind))
    poser = Poser(load_mesh())
    for _ in range(1700):
        landmarks = rng.normal(128, 60, (33, 4))
        landmarks[:, 3] = rng.random(33)
        hands = rng.normal(128, 60, (2, 21, 4))
        hands[..., 3] = rng.random()
        if kind == "huge":
            landmarks[:, :3] *= 10 ** rng.uniform(0, 5)
        elif kind == "flat":
            landmarks[:, rng.integers(3)] = 0
        elif kind == "point":
            landmarks[:, :3] = rng.normal(size=3)
            hands[..., :3] = 0
        elif kind == "line":
            landmarks[:, :3] = landmarks[:1, :3] + rng.random((33, 1)) * rng.normal(0, 50, 3)
        elif kind == "few":
            landmarks[rng.random(33) < 0.7, :3] = landmarks[0, :3]
        pose = poser.pose(landmarks, float(10 ** rng.uniform(-1, 3)), None, hands)
        assert np.isfinite(pose.A).all() and np.isfinite(pose.b).all()
