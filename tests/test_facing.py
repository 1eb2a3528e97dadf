"""Where a torso faces, and what is said when a result faces elsewhere than its target."""

from functools import cache

import numpy as np
import pytest
import torch
from people import SAMPLES
from PIL import Image
from test_posing import MIDDLE_PX, at_rest

from dancepipe.body.posing import DEPTH_SCALE
from dancepipe.evaluation.evaluate import evaluate
from dancepipe.evaluation.facing import facing_degrees, turn_error_degrees, turn_scores
from dancepipe.evaluation.options import EvaluateOptions
from dancepipe.media.image import save_png
from dancepipe.person.cutout import on_grey
from dancepipe.person.finder import open_person_finder
from dancepipe.pose.batch import PoseBatch
from dancepipe.records import BodyPose, Pose
from dancepipe.skeletons import BLAZEPOSE_33
from dancepipe.systems.open import open_unlearnt

NO_JOINTS = Pose(np.zeros((18, 2)), np.zeros(18))
SHOULDERS, HIPS = [11, 12], [23, 24]


def turned(landmarks: np.ndarray, degrees: float, middle_x_px: float) -> np.ndarray:
    """About the upright axis through there; the viewer sees the left side at 90."""
    x, z = landmarks[:, 0] - middle_x_px, -landmarks[:, 2] * DEPTH_SCALE
    angle, made = np.radians(degrees), landmarks.copy()
    made[:, 0] = middle_x_px + np.cos(angle) * x - np.sin(angle) * z
    made[:, 2] = -(np.sin(angle) * x + np.cos(angle) * z) / DEPTH_SCALE
    return made


def body_of(landmarks: np.ndarray) -> BodyPose:
    return BodyPose(NO_JOINTS, Pose.from_array(landmarks, BLAZEPOSE_33))


def facing(degrees: float) -> BodyPose:
    """The body at rest, turned."""
    return body_of(turned(at_rest(), degrees, MIDDLE_PX[0]))


@pytest.mark.parametrize("degrees", [0, 20, 45, 90, 135, 180, -45, -90, -135])
def test_a_turned_body_faces_where_it_was_turned(degrees):
    assert facing_degrees(facing(degrees)) == pytest.approx(degrees, abs=0.5)


def test_the_viewer_sees_the_left_side_at_90_degrees():
    nearer = facing(90).landmarks.depth_px
    assert nearer[SHOULDERS[0]] < nearer[SHOULDERS[1]]


def test_a_mirrored_body_faces_the_other_way():
    assert facing_degrees(facing(40).mirrored(400)) == pytest.approx(-40, abs=0.5)


def test_size_and_place_are_no_turn():
    moved = facing(35).scaled_and_shifted(2.5, (30, -70))
    assert facing_degrees(moved) == pytest.approx(35, abs=0.5)


@pytest.mark.parametrize(
    "one, other, apart", [(0, 180, 180), (-170, 170, 20), (30, -40, 70), (90, 90, 0)]
)
def test_the_error_is_the_smaller_angle_between_the_two(one, other, apart):
    found = turn_error_degrees(facing(one), facing(other))
    assert found == pytest.approx(apart, abs=1)
    assert found == turn_error_degrees(facing(other), facing(one))


def test_only_what_is_more_than_60_degrees_off_is_turned_away():
    scores = turn_scores([facing(57), facing(63), facing(180), None], [facing(0)] * 4)
    assert scores["turned_away"][:3].tolist() == [0, 1, 1]
    assert np.isnan(scores["turned_away"][3]) and np.isnan(scores["turn_error_degrees"][3])


def test_a_line_that_is_not_seen_has_no_say():
    landmarks = turned(at_rest(), 30, MIDDLE_PX[0])
    landmarks[HIPS, 2] = [500, -500]
    landmarks[HIPS[0], 3] = 0
    assert facing_degrees(body_of(landmarks)) == pytest.approx(30, abs=0.5)


def test_who_lies_on_the_side_or_has_no_depth_faces_nowhere():
    lying = at_rest()
    lying[:, :2] = lying[:, 1::-1]
    nothing = at_rest()
    nothing[:, 3] = 0
    for body in (body_of(lying), body_of(nothing), BodyPose(NO_JOINTS), None):
        assert np.isnan(facing_degrees(body))
        assert np.isnan(turn_error_degrees(body, facing(0)))


@cache
def views() -> dict[int, np.ndarray]:
    """Degrees -> a picture of the sample's person, turned that far from the photo."""
    photo = np.asarray(Image.open(SAMPLES / "reference.png").convert("RGB"))
    with open_person_finder(mode="photo") as finder:
        person = finder.find(photo)
    poses = PoseBatch.of([person.body])
    landmarks = poses.landmarks[0].numpy().astype(np.float64)
    middle_x_px = landmarks[HIPS, 0].mean()
    system = open_unlearnt("body", "cpu")
    images, masks = (
        torch.from_numpy(one[None].copy()) for one in (on_grey(photo, person.mask), person.mask)
    )
    state, found = system.encode(images, masks, poses), {}
    for degrees in (0, 30, 180):
        target = turned(landmarks, degrees, middle_x_px)[None].astype(np.float32)
        drawn = system.draw(state, PoseBatch(poses.joints, torch.from_numpy(target)))
        found[degrees] = drawn.pictures[0].numpy()
    return found


@pytest.mark.parametrize(
    "degrees, low, high, away", [(0, 0, 1, 0), (30, 15, 45, 0), (180, 165, 180, 1)]
)
def test_a_picture_of_a_back_is_scored_against_a_front(tmp_path, degrees, low, high, away):
    """Read by the pose network in both pictures."""
    for folder, picture in (("real", views()[0]), ("fake", views()[degrees])):
        (tmp_path / folder).mkdir()
        save_png(tmp_path / folder / "0.png", picture)
    scores = evaluate(
        real=tmp_path / "real",
        fake=tmp_path / "fake",
        options=EvaluateOptions(metrics="turn", device="cpu", cache="none", bootstrap=0),
    )
    assert low <= scores.methods["fake"]["turn_error_degrees"].value <= high
    assert scores.methods["fake"]["turned_away"].value == away


def test_a_backend_without_depth_gives_a_reason_and_no_number(tmp_path):
    pytest.importorskip("ultralytics", reason="needs the extra yolo")
    import yolo_networks

    for folder in ("real", "fake"):
        (tmp_path / folder).mkdir()
        save_png(tmp_path / folder / "0.png", views()[0])
    scores = evaluate(
        real=tmp_path / "real",
        fake=tmp_path / "fake",
        options=EvaluateOptions(
            metrics="turn,l1", pose="yolo", yolo_weights=str(yolo_networks.tiny_pose_file()),
            device="cpu", cache="none", bootstrap=0,
        ),
    )  # fmt: skip
    assert "--pose mediapipe" in scores.not_available["turn_error_degrees"]
    assert "turn_error_degrees" not in scores.methods["fake"]
