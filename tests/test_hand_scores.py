"""Hands of a result against those of its target."""

import numpy as np
import pytest

from dancepipe.errors import ConfigError
from dancepipe.evaluation.evaluate import evaluate
from dancepipe.evaluation.hands import SURE_HAND, hand_scores
from dancepipe.evaluation.options import EvaluateOptions, metrics_of_form
from dancepipe.records import BodyPose, Pose
from dancepipe.skeletons import HAND_21

NO_JOINTS = Pose(np.zeros((18, 2)), np.zeros(18))


def hand(x_px: float, y_px: float, presence: float = 1.0) -> Pose:
    points = np.random.default_rng(0).normal(0, 8, (21, 2)) + [x_px, y_px]
    return Pose(points, np.full(21, presence), HAND_21, np.zeros(21))


def body(right: Pose | None, left: Pose | None) -> BodyPose:
    return BodyPose(NO_JOINTS, hands=(right, left))


def scored(found: BodyPose | None, target: BodyPose | None) -> tuple[float, float]:
    scores = hand_scores([found], [target])
    return scores["pre_hands"][0], scores["hands_found"][0]


def test_equal_hands_are_perfect_and_moved_ones_are_off_by_their_way():
    both = body(hand(50, 80), hand(120, 80))
    assert scored(both, both) == (0, 1)
    moved = body(hand(53, 76), hand(120, 80))
    assert scored(moved, both) == (pytest.approx(7 / 2, abs=1e-4), 1)


def test_right_is_compared_with_right():
    swapped = body(hand(120, 80), hand(50, 80))
    assert scored(swapped, body(hand(50, 80), hand(120, 80)))[0] == pytest.approx(70, abs=1e-4)


def test_a_hand_that_is_lost_or_unsure_is_not_found_and_has_no_place():
    target = body(hand(50, 80), hand(120, 80))
    for lost in (None, hand(0, 0, SURE_HAND - 0.01)):
        assert scored(body(hand(50, 80), lost), target) == (0, 0.5)
    pre, found = scored(None, target)
    assert np.isnan(pre) and found == 0


def test_a_target_without_sure_hands_asks_for_none():
    for target in (body(None, hand(9, 9, 0.5)), BodyPose(NO_JOINTS), None):
        assert np.isnan(scored(body(hand(50, 80), hand(9, 9)), target)).all()


def test_hands_are_read_only_when_asked_for():
    form = "--real and --fake"
    assert "hands" not in metrics_of_form(EvaluateOptions(), form)
    assert "hands" in metrics_of_form(EvaluateOptions(hands=True), form)
    assert metrics_of_form(EvaluateOptions(metrics="l1", hands=True), form) == ("l1", "hands")
    assert metrics_of_form(EvaluateOptions(metrics="hands"), form) == ("hands",)
    with pytest.raises(ConfigError, match="--hands has no say with --driver and --result"):
        evaluate(driver="a.mp4", result="b.mp4", options=EvaluateOptions(hands=True))


def test_hands_of_pictures_are_read_in_both(tmp_path):
    from people import SAMPLES
    from PIL import Image

    from dancepipe.media.image import save_png

    photo = np.array(Image.open(SAMPLES / "reference.png").convert("RGB"))
    for folder, picture in (("real", photo), ("same", photo), ("down", np.roll(photo, 5, 0))):
        (tmp_path / folder).mkdir()
        save_png(tmp_path / folder / "0.png", picture)
    scores = evaluate(
        real=tmp_path / "real",
        fake={name: tmp_path / name for name in ("same", "down")},
        options=EvaluateOptions(metrics="hands", device="cpu", cache="none", bootstrap=0),
    )
    same, down = scores.methods["same"], scores.methods["down"]
    assert same["pre_hands"].value == 0 and same["hands_found"].value == 1
    assert down["pre_hands"].value == pytest.approx(5, abs=2)
