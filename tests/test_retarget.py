from dataclasses import asdict, replace

import numpy as np
import pytest

from dancepipe.pose import retarget as retargeting
from dancepipe.pose import skeleton as s
from dancepipe.pose.retarget import USUAL, BodyProportions, measure_proportions
from dancepipe.records import BodyPose, Pose
from dancepipe.skeletons import BLAZEPOSE_33, HAND_21, OPENPOSE_18

SHORT = BodyProportions(0.60, 0.35, 0.48, 0.42, 0.65, 0.62, 0.45, 0.27)
TALL = BodyProportions(0.72, 0.40, 0.62, 0.55, 0.92, 0.88, 0.36, 0.21)


def retarget(pose: Pose, *given, **options) -> Pose:
    """The 18 joints alone."""
    return retargeting.retarget(BodyPose(pose), *given, **options).joints


def body(proportions, torso_px, mid_hip=(300.0, 300.0), angles=None, shorten=None) -> Pose:
    """A drawn skeleton: bone directions in degrees (0 = down, 90 = to the picture's right), lengths
    from the proportions.

    shorten: {bone: factor}, foreshortening.
    """
    degrees = dict(
        r_arm=-40,
        r_forearm=-70,
        l_arm=60,
        l_forearm=20,
        r_thigh=-5,
        r_shin=0,
        l_thigh=15,
        l_shin=-10,
        tilt=0,
    ) | (angles or {})
    shorten = shorten or {}

    def along(angle, length, name):
        angle = np.deg2rad(angle)
        return np.array([np.sin(angle), np.cos(angle)]) * length * torso_px * shorten.get(name, 1)

    points = np.zeros((18, 2))
    root = np.array(mid_hip)
    tilt = degrees["tilt"]
    points[s.NECK] = root - along(tilt, 1, "torso")
    side = along(tilt + 90, 1, "width")
    for sign, shoulder, elbow, wrist, hip, knee, ankle, eye, ear, key in (
        (
            -1,
            s.R_SHOULDER,
            s.R_ELBOW,
            s.R_WRIST,
            s.R_HIP,
            s.R_KNEE,
            s.R_ANKLE,
            s.R_EYE,
            s.R_EAR,
            "r",
        ),
        (
            1,
            s.L_SHOULDER,
            s.L_ELBOW,
            s.L_WRIST,
            s.L_HIP,
            s.L_KNEE,
            s.L_ANKLE,
            s.L_EYE,
            s.L_EAR,
            "l",
        ),
    ):
        points[shoulder] = points[s.NECK] + sign * side * proportions.shoulder_width / 2
        points[elbow] = points[shoulder] + along(
            degrees[f"{key}_arm"], proportions.upper_arm, f"{key}_arm"
        )
        points[wrist] = points[elbow] + along(
            degrees[f"{key}_forearm"], proportions.forearm, f"{key}_forearm"
        )
        points[hip] = root + sign * side * proportions.hip_width / 2
        points[knee] = points[hip] + along(
            degrees[f"{key}_thigh"], proportions.thigh, f"{key}_thigh"
        )
        points[ankle] = points[knee] + along(
            degrees[f"{key}_shin"], proportions.shin, f"{key}_shin"
        )
        points[s.NOSE] = points[s.NECK] - along(tilt, proportions.neck, "neck")
        points[eye] = (
            points[s.NOSE]
            + sign * side * proportions.head * 0.25
            - along(tilt, proportions.head * 0.2, "head")
        )
        points[ear] = (
            points[s.NOSE]
            + sign * side * proportions.head * 0.5
            - along(tilt, proportions.head * 0.1, "head")
        )
    return Pose(points, np.ones(18))


def dance(proportions, torso_px=100.0, frames=120, **keywords):
    """Arms and legs swinging in and out of the picture plane."""
    poses = []
    for t in range(frames):
        swing = np.sin(t / 7)
        shorten = {
            name: 0.4 + 0.6 * abs(np.cos(t / 11 + i))
            for i, name in enumerate(("r_arm", "l_arm", "r_forearm", "l_thigh", "r_shin"))
        }
        poses.append(
            body(
                proportions,
                torso_px,
                angles={"r_arm": 80 * swing, "l_thigh": 20 * swing},
                shorten=shorten,
                **keywords,
            )
        )
    return poses


def same(pose, expected, atol):
    np.testing.assert_allclose(pose.points_px, expected.points_px, atol=atol)


def test_proportions_of_a_frontal_body_are_measured_exactly():
    measured = measure_proportions([body(TALL, 130)])
    for name, length in asdict(TALL).items():
        assert getattr(measured, name) == pytest.approx(length, rel=1e-4), name


def test_proportions_survive_foreshortening_distance_and_a_bad_first_frame():
    near = [body(TALL, 220, angles={"r_arm": a}) for a in range(60)]
    poses = (
        [
            body(
                TALL,
                100,
                shorten=dict.fromkeys(("r_arm", "l_arm", "r_thigh", "l_thigh", "width"), 0.3),
            )
        ]
        + dance(TALL)
        + near
    )
    measured = measure_proportions([None, *poses])
    for name, length in asdict(TALL).items():
        assert getattr(measured, name) == pytest.approx(length, rel=0.05), name


def test_the_widths_of_somebody_who_seldom_faces_the_camera_are_those_of_that_moment():
    turned = replace(TALL, shoulder_width=0.45, hip_width=0.25, head=0.15)
    poses = [body(TALL if 10 <= frame < 13 else turned, 100) for frame in range(24)]
    measured = measure_proportions(poses)
    for name in ("shoulder_width", "hip_width", "head"):
        assert getattr(measured, name) == pytest.approx(getattr(TALL, name), rel=0.01), name


def test_bending_does_not_lengthen_the_limbs():
    bent = [body(SHORT, 100, shorten={"torso": 0.4 + 0.6 * (t % 20 < 8)}) for t in range(120)]
    assert measure_proportions(bent).thigh == pytest.approx(SHORT.thigh, rel=0.02)


def test_unsure_joints_have_no_say():
    confidence = np.ones(18)
    confidence[[s.R_WRIST, s.L_WRIST]] = 0.3
    wild = body(SHORT, 100).points_px.copy()
    wild[s.R_WRIST] += 300
    assert measure_proportions([Pose(wild, confidence)]).forearm is None


def test_what_is_unbelievable_is_unknown():
    sitting = body(SHORT, 100, shorten={"r_thigh": 0.2, "l_thigh": 0.25})
    assert measure_proportions([sitting]).thigh is None
    assert measure_proportions([]) == measure_proportions([None]) == BodyProportions()


@pytest.mark.parametrize(("driver", "reference"), [(SHORT, TALL), (TALL, SHORT)])
def test_the_same_dance_of_the_other_body_is_recovered_exactly(driver, reference):
    """Also where bones are foreshortened, and in the driver's picture: same column, same ground,
    same height."""
    scale = driver.stature / reference.stature
    measured = [measure_proportions(dance(body_of)) for body_of in (driver, reference)]
    for given, atol in (((driver, reference), 1e-3), (measured, 4.0)):
        for t in (0, 17, 40):
            made = retarget(dance(driver)[t], *given)
            expected = dance(reference, torso_px=100 * scale)[t]
            ground = dance(driver)[t].points_px[:, 1].max() - expected.points_px[:, 1].max()
            same(made, expected.scaled_and_shifted(1, (0, ground)), atol)


def test_bone_lengths_become_the_references_within_five_percent():
    driver, reference = measure_proportions(dance(SHORT)), measure_proportions([body(TALL, 300)])
    made = measure_proportions([retarget(body(SHORT, 90, angles={"tilt": 8}), driver, reference)])
    for name, length in asdict(TALL).items():
        assert getattr(made, name) == pytest.approx(length, rel=0.05), name


def test_the_feet_stay_on_the_drivers_ground_and_the_hips_in_their_column():
    for t, pose in enumerate(dance(SHORT)):
        jump = 30 * max(np.sin(t / 5), 0)
        pose = pose.scaled_and_shifted(1, (2.0 * t, -jump))
        made = retarget(pose, SHORT, TALL)
        assert made.points_px[:, 1].max() == pytest.approx(pose.points_px[:, 1].max(), abs=1e-2)
        hips = [s.R_HIP, s.L_HIP]
        assert made.points_px[hips, 0].mean() == pytest.approx(
            pose.points_px[hips, 0].mean(), abs=1e-2
        )


def test_standing_both_are_equally_tall():
    upright = dict.fromkeys(("r_thigh", "r_shin", "l_thigh", "l_shin"), 0)
    pose = body(SHORT, 100, angles=upright)
    made = retarget(pose, SHORT, TALL)
    assert np.ptp(made.points_px[[s.NOSE, s.L_ANKLE], 1]) == pytest.approx(
        np.ptp(pose.points_px[[s.NOSE, s.L_ANKLE], 1]), rel=1e-3
    )


def test_equal_bodies_and_unknown_ones_change_nothing():
    for pose in dance(SHORT)[::17]:
        same(retarget(pose, SHORT, SHORT), pose, 1e-2)
        same(retarget(pose, SHORT, BodyProportions()), pose, 1e-2)
        same(retarget(pose, BodyProportions(), TALL), pose, 1e-2)


def test_a_half_body_reference_gives_its_arms_and_leaves_the_legs():
    half = replace(TALL, thigh=None, shin=None)
    pose = body(SHORT, 100)
    made = retarget(pose, SHORT, half)
    length = lambda p, a, b: np.hypot(*(p.points_px[a] - p.points_px[b]))  # noqa: E731
    assert length(made, s.R_SHOULDER, s.R_ELBOW) == pytest.approx(100 * TALL.upper_arm, rel=1e-3)
    assert length(made, s.R_HIP, s.R_KNEE) == pytest.approx(100 * SHORT.thigh, rel=1e-3)


def test_a_half_body_driver_keeps_its_root_and_its_missing_joints():
    pose = body(SHORT, 100)
    confidence = np.ones(18)
    confidence[[s.R_KNEE, s.R_ANKLE, s.L_KNEE, s.L_ANKLE]] = 0
    half = Pose(pose.points_px, confidence)
    made = retarget(half, SHORT, TALL, scale=1.0)
    np.testing.assert_array_equal(made.confidence, confidence)
    np.testing.assert_allclose(made.points_px[[s.R_HIP, s.L_HIP]].mean(0), (300, 300), atol=1e-3)
    confidence[[s.R_HIP, s.L_HIP]] = 0
    made = retarget(Pose(pose.points_px, confidence), SHORT, TALL, scale=1.0)
    np.testing.assert_allclose(made.points_px[s.NECK], pose.points_px[s.NECK], atol=1e-3)
    assert measure_proportions([Pose(pose.points_px, confidence)]).upper_arm == pytest.approx(
        SHORT.upper_arm * USUAL.shoulder_width / SHORT.shoulder_width, rel=1e-3
    )


def test_a_missing_elbow_lets_the_wrist_hang_on_the_shoulder():
    pose = body(SHORT, 100, angles={"r_arm": -60, "r_forearm": -60})
    confidence = np.ones(18)
    confidence[s.R_ELBOW] = 0
    longer = replace(SHORT, upper_arm=SHORT.upper_arm * 1.2, forearm=SHORT.forearm * 1.2)
    made = retarget(Pose(pose.points_px, confidence), SHORT, longer)
    vector, before = (p.points_px[s.R_WRIST] - p.points_px[s.R_SHOULDER] for p in (made, pose))
    np.testing.assert_allclose(vector, before * 1.2, atol=0.1)


def test_a_pose_without_joints_passes_and_lengths_are_checked():
    nobody = Pose(np.zeros((18, 2)), np.zeros(18))
    assert retarget(nobody, SHORT, TALL) is nobody
    with pytest.raises(ValueError, match="thigh must be a positive length"):
        BodyProportions(thigh=-1.0)


def whole(pose: Pose, depth_px: float = 12.0) -> BodyPose:
    """Landmarks where the joints are, the others 10 px below what they hang on; a right hand."""
    points, depth = np.zeros((33, 2), np.float32), np.full(33, depth_px, np.float32)
    for landmark, joint in enumerate(retargeting.JOINT_OF_LANDMARK):
        own = BLAZEPOSE_33.joints[landmark] in OPENPOSE_18.joints
        points[landmark] = pose.points_px[joint] + (0 if own else (0, 10))
    hand = Pose(
        pose.points_px[s.R_WRIST] + np.arange(21)[:, None], np.ones(21), HAND_21, np.arange(21.0)
    )
    return BodyPose(pose, Pose(points, np.ones(33), BLAZEPOSE_33, depth), (hand, None))


def test_landmarks_and_hands_go_where_their_joints_go():
    made = retargeting.retarget(whole(body(SHORT, 90)), SHORT, TALL, scale=1.0)
    for joint, name in enumerate(OPENPOSE_18.joints):
        if joint != s.NECK:
            landmark = made.landmarks.points_px[BLAZEPOSE_33.index(name)]
            np.testing.assert_allclose(landmark, made.joints.points_px[joint], atol=1e-3)
    toes = made.landmarks.points_px[BLAZEPOSE_33.index("right_toes")]
    np.testing.assert_allclose(toes - made.joints.points_px[s.R_ANKLE], [0, 10], atol=1e-3)
    right, left = made.hands
    np.testing.assert_allclose(right.points_px[0], made.joints.points_px[s.R_WRIST], atol=1e-3)
    assert left is None
    alone = retarget(body(SHORT, 90), SHORT, TALL, scale=1.0)
    np.testing.assert_array_equal(made.joints.points_px, alone.points_px)


def test_a_bone_keeps_its_direction_in_depth_too():
    pose = body(SHORT, 90)
    before = whole(pose)
    depth = before.landmarks.depth_px.copy()
    elbow, wrist = (BLAZEPOSE_33.index(f"right_{name}") for name in ("elbow", "wrist"))
    depth[wrist] += 30  # the forearm points away from the camera
    landmarks = replace(before.landmarks, depth_px=depth)
    made = retargeting.retarget(replace(before, landmarks=landmarks), SHORT, TALL, scale=1.0)

    def forearm(landmarks: Pose) -> np.ndarray:
        places = landmarks.with_depth()[[elbow, wrist], :3]
        return places[1] - places[0]

    was, is_now = forearm(landmarks), forearm(made.landmarks)
    longer = np.linalg.norm(is_now) / np.linalg.norm(was)
    assert longer == pytest.approx(TALL.forearm / SHORT.forearm, rel=0.01)
    np.testing.assert_allclose(is_now / longer, was, atol=0.05)
