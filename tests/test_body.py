"""Proportions: a body scaled as a whole changes its height and no bone; a longer shin changes
bones."""

import numpy as np
import pytest
from figure import standing_pose

from dancepipe.evaluation.body import (
    height_ratio,
    pose_body_scores,
    pose_bone_error,
    proportions_error,
)
from dancepipe.pose.retarget import BodyProportions
from dancepipe.pose.skeleton import L_ANKLE, L_KNEE, R_ANKLE, R_KNEE
from dancepipe.records import Pose

TARGET = standing_pose((100, 20), 180)


def test_the_same_body_is_itself():
    scores = pose_body_scores([TARGET], [TARGET])
    assert scores["bone_error"][0] == pytest.approx(0, abs=1e-6) and scores["height_ratio"][
        0
    ] == pytest.approx(1)


def test_a_larger_body_is_caught_by_height_alone():
    larger = TARGET.scaled_and_shifted(1.3, (-10, -10))
    assert height_ratio(larger, TARGET) == pytest.approx(1.3, abs=1e-5)
    assert pose_bone_error(larger, TARGET) == pytest.approx(0, abs=1e-5)


def test_height_is_a_share_of_the_picture():
    assert height_ratio(TARGET.scaled_and_shifted(2, (0, 0)), TARGET, 400, 200) == pytest.approx(1)


def test_longer_shins_are_caught_by_bones():
    points = TARGET.points_px.copy()
    for knee, ankle in ((R_KNEE, R_ANKLE), (L_KNEE, L_ANKLE)):
        points[ankle] = points[knee] + 1.5 * (points[ankle] - points[knee])
    assert pose_bone_error(Pose(points, TARGET.confidence), TARGET) == pytest.approx(
        2 * np.log(1.5) / 13, abs=1e-4
    )


def test_nobody_has_no_numbers():
    assert np.isnan(pose_bone_error(None, TARGET)) and np.isnan(height_ratio(None, TARGET))


def test_proportions_are_compared_where_both_are_known():
    own, wanted = BodyProportions(thigh=0.8, shin=0.7), BodyProportions(thigh=0.4, forearm=0.5)
    assert proportions_error(own, wanted) == pytest.approx(np.log(2))
    assert np.isnan(proportions_error(own, BodyProportions()))


def test_on_another_device_it_says_that_it_draws_on_the_cpu():
    from dancepipe.systems.names import system_of

    on_cpu, on_gpu = (system_of("body").open(None, name, "fp32") for name in ("cpu", "cuda:0"))
    assert on_cpu.info.remark is None
    assert on_gpu.info.remark == "drawn on the CPU, not on cuda:0"
