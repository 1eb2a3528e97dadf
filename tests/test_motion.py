"""The driver's motion on the reference's body: same scale in the canvas as in the photo, held
where nobody is seen, in order."""

from fractions import Fraction

import numpy as np
import pytest
from figure import draw_figure, standing_pose

from dancepipe.errors import NoPersonError
from dancepipe.person.crop import body_bounds, person_box, pose_from_box, pose_in_box
from dancepipe.person.finder import open_person_finder
from dancepipe.pose.retarget import measure_proportions
from dancepipe.pose.skeleton import L_ANKLE, L_HIP, NECK, R_ANKLE, R_HIP, torso_length_px
from dancepipe.records import BodyPose, Frame, PersonFrame, Pose
from dancepipe.rendering.motion import MotionPlan, Survey, survey_driver, targets
from dancepipe.rendering.reference import Reference

SIZE = 256


def frame(index: int) -> Frame:
    return Frame(index, Fraction(index, 30), np.zeros((360, 640, 3), np.uint8))


def reference_of(pose: Pose) -> Reference:
    blank = np.zeros((SIZE, SIZE), np.uint8)
    return Reference(
        blank[..., None].repeat(3, 2),
        blank,
        BodyPose(pose_in_box(pose, person_box(pose), SIZE)),
        blank[..., None].repeat(3, 2),
        blank,
    )


def survey_of(poses: list[Pose]) -> Survey:
    bodies = [BodyPose(pose) for pose in poses]
    return Survey(bodies, measure_proportions(poses), 1, len(poses), len(poses))


def stretched_legs(pose: Pose, factor: float) -> Pose:
    points = pose.points_px.copy()
    hips = points[[R_HIP, L_HIP]].mean(0)
    below = points[:, 1] > hips[1] + 1
    points[below, 1] = hips[1] + (points[below, 1] - hips[1]) * factor
    return Pose(points, pose.confidence)


@pytest.mark.parametrize("driver_height", [120, 200, 300])
def test_a_body_of_the_references_proportions_gets_the_references_scale(driver_height):
    photo, driver = standing_pose((200, 20), 400), standing_pose((320, 30), driver_height)
    reference = reference_of(photo)
    plan = MotionPlan(survey_of([driver] * 8), reference, SIZE, with_retargeting=True)
    canvas, box = plan.place(BodyPose(driver))
    canvas_pose = canvas.joints
    assert torso_length_px(canvas_pose) == pytest.approx(torso_length_px(reference.pose), rel=0.02)
    assert np.abs(canvas_pose.points_px - reference.pose.points_px).max() < 3
    back = pose_from_box(canvas_pose, box, SIZE)
    assert np.abs(back.points_px - driver.points_px).max() < 0.1 * driver_height / 10


def test_long_legs_become_the_references_and_the_feet_stay_on_the_ground():
    photo, driver = (
        standing_pose((200, 20), 400),
        stretched_legs(standing_pose((320, 30), 260), 1.25),
    )
    plan = MotionPlan(survey_of([driver] * 8), reference_of(photo), SIZE, with_retargeting=True)
    moved = plan.target_body(BodyPose(driver)).joints

    def legs_per_torso(pose):
        hips = pose.points_px[[R_HIP, L_HIP]].mean(0)
        return (pose.points_px[[R_ANKLE, L_ANKLE], 1].mean() - hips[1]) / np.hypot(
            *(pose.points_px[NECK] - hips)
        )

    assert legs_per_torso(driver) > 1.15 * legs_per_torso(photo)
    assert legs_per_torso(moved) == pytest.approx(legs_per_torso(photo), rel=0.05)
    assert moved.points_px[:, 1].max() == pytest.approx(driver.points_px[:, 1].max(), abs=0.5)
    untouched = (
        MotionPlan(survey_of([driver] * 8), reference_of(photo), SIZE, with_retargeting=False)
        .target_body(BodyPose(driver))
        .joints
    )
    assert np.array_equal(untouched.points_px, driver.points_px)


def test_raised_arms_fit_into_the_canvas():
    driver = standing_pose((320, 80), 200)
    raised = driver.points_px.copy()
    raised[[4, 7], 1] = driver.points_px[NECK, 1] - 100
    raised[[3, 6], 1] = driver.points_px[NECK, 1] - 50
    raised = Pose(raised, driver.confidence)
    plan = MotionPlan(
        survey_of([driver] * 8),
        reference_of(standing_pose((200, 20), 400)),
        SIZE,
        with_retargeting=True,
    )
    canvas, box = plan.place(BodyPose(raised))
    canvas_pose = canvas.joints
    x0, y0, x1, y1 = body_bounds(canvas_pose)
    assert min(x0, y0) >= 0 and max(x1, y1) <= SIZE
    assert box[2] - box[0] == pytest.approx(box[3] - box[1])


def test_targets_come_in_order_and_hold_the_last_pose():
    poses = [standing_pose((300 + 4 * index, 40), 220) for index in range(12)]
    people = [
        None if index in (0, 6, 7) else PersonFrame(BodyPose(pose), None)
        for index, pose in enumerate(poses)
    ]
    plan = MotionPlan(
        survey_of(poses), reference_of(standing_pose((200, 20), 400)), SIZE, with_retargeting=True
    )
    made = list(
        targets(
            ((frame(index), person) for index, person in enumerate(people)),
            plan,
            survey_of(poses),
            3,
            (640, 360),
        )
    )
    assert [target.frame.index for target in made] == list(range(12))
    assert [target.is_held for target in made] == [index in (0, 6, 7) for index in range(12)]
    assert made[6].box_xyxy_px == made[5].box_xyxy_px == made[7].box_xyxy_px
    middles = [
        (target.box_xyxy_px[0] + target.box_xyxy_px[2]) / 2 for target in made if not target.is_held
    ]
    assert np.all(np.diff(middles) > 0)


def test_half_bodies_and_nobody():
    photo = standing_pose((200, 20), 400)
    head_only = Pose(photo.points_px, np.where(np.isin(np.arange(18), (0, 14, 15)), 1, 0))
    with pytest.raises(NoPersonError, match="the photo shows too little of the person"):
        MotionPlan(survey_of([photo] * 4), reference_of(head_only), SIZE, with_retargeting=True)
    with open_person_finder(mode="photo", mask=None) as finder:
        with pytest.raises(
            NoPersonError, match="no person found in 3 frames spread over dance.mp4"
        ):
            survey_driver([finder.find(frame(0).image)] * 3, "dance.mp4")
        image = draw_figure(standing_pose((160, 30), 280), (320, 360))
        seen = [finder.find(picture) for picture in (image, frame(1).image)]
        found = survey_driver(seen, "dance.mp4")
    assert (found.frames_looked_at, found.frames_with_person, found.people_seen) == (2, 1, 1)
