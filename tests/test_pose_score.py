"""PRE (eq. 11): shifted joints give the shift, and no way of losing a joint lowers the error."""

import numpy as np
import pytest
from figure import standing_pose

from dancepipe.pose.score import joint_errors, pose_scores
from dancepipe.pose.skeleton import L_ANKLE, R_ANKLE, R_WRIST
from dancepipe.records import Pose

SIZE_WH = (200, 220)
_DRAWN = standing_pose((100, 20), 180)
TARGET = Pose(
    np.round(_DRAWN.points_px * 4) / 4, _DRAWN.confidence
)  # quarters of pixels: shifts of these are exact in float32


def shifted(x: float, y: float) -> Pose:
    return TARGET.scaled_and_shifted(1, (x, y))


def without(pose: Pose, *joints: int) -> Pose:
    confidence = pose.confidence.copy()
    confidence[list(joints)] = 0
    return Pose(pose.points_px, confidence)


def one(found: Pose | None, target: Pose = TARGET) -> dict[str, float]:
    return {
        name: float(values[0]) for name, values in pose_scores([found], [target], SIZE_WH).items()
    }


def test_shifted_joints_give_the_shift():
    scores = one(shifted(3, -4.5))
    for name in ("pre", "pre_found", "pre_arms", "pre_legs", "pre_head"):
        assert scores[name] == pytest.approx(7.5, abs=1e-6)
    assert scores["missing_joints"] == 0 and scores["found"] == 1 and scores["pck"] == 1


def test_the_same_pose_is_without_error():
    assert one(TARGET)["pre"] == pytest.approx(0, abs=1e-6)


def test_k_counts_the_joints_of_the_target():
    target = without(TARGET, *range(8, 14))
    moved = TARGET.points_px.copy()
    moved[0, 0] += 12
    scores = pose_scores([Pose(moved, TARGET.confidence)], [target], SIZE_WH)
    assert scores["pre"][0] == pytest.approx(12 / 12, abs=1e-6) and np.isnan(scores["pre_legs"][0])


def test_limbs_are_measured_apart():
    moved = TARGET.points_px.copy()
    moved[[R_ANKLE, L_ANKLE], 1] += 8
    scores = one(Pose(moved, TARGET.confidence))
    assert scores["pre_legs"] == pytest.approx(4, abs=1e-6) and scores["pre_arms"] == pytest.approx(
        0, abs=1e-6
    )
    assert scores["pre_head"] == pytest.approx(0, abs=1e-6)


def test_losing_joints_never_lowers_the_error():
    """Wherever joints were found in the picture, dropping any of them raises pre or leaves it."""
    random = np.random.default_rng(0)
    for _ in range(200):
        points = random.uniform((0, 0), (SIZE_WH[0] - 1, SIZE_WH[1] - 1), (18, 2)).astype(
            np.float32
        )
        confidence = (random.random(18) > 0.3).astype(np.float32)
        found = Pose(points, confidence)
        before = joint_errors(found, TARGET, SIZE_WH)
        dropped = without(found, *random.choice(18, random.integers(1, 18), replace=False))
        after = joint_errors(dropped, TARGET, SIZE_WH)
        assert (after >= before - 1e-9).all()
        assert joint_errors(None, TARGET, SIZE_WH).mean() >= after.mean() - 1e-9


def test_rates_stand_beside_the_error():
    some, nobody = one(without(shifted(1, 0), R_WRIST, R_ANKLE)), one(None)
    assert (
        some["missing_joints"] == pytest.approx(2 / 18)
        and some["pre_found"] == pytest.approx(1, abs=1e-6)
        and some["pre"] > 10
    )
    assert some["pck"] == pytest.approx(16 / 18)
    assert (
        nobody["found"] == 0
        and nobody["missing_joints"] == 1
        and nobody["pck"] == 0
        and np.isnan(nobody["pre_found"])
    )
    assert nobody["pre"] > some["pre"]


def test_a_target_without_joints_says_nothing():
    scores = one(TARGET, without(TARGET, *range(18)))
    assert scores["found"] == 1 and np.isnan(scores["pre"]) and np.isnan(scores["missing_joints"])
