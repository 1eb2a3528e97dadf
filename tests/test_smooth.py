import numpy as np
import pytest
from figure import standing_pose

from dancepipe.pose.skeleton import L_WRIST, NECK, R_WRIST, torso_length_px
from dancepipe.pose.smooth import PersonSmoother, smoothing_radius
from dancepipe.records import BodyPose, PersonFrame, Pose
from dancepipe.skeletons import BLAZEPOSE_33, HAND_21

BODY = standing_pose((200, 50), 400)
TORSO = torso_length_px(BODY)


def moving(offsets_px, joint=None):
    """One pose a frame, the body (or one joint) shifted sideways by that much."""
    poses = []
    for offset in offsets_px:
        points = BODY.points_px.copy()
        points[slice(None) if joint is None else joint, 0] += offset
        poses.append(Pose(points, BODY.confidence))
    return poses


def smooth(poses, radius=3):
    smoother = PersonSmoother(radius)
    out = []
    for i, pose in enumerate(poses):
        out += smoother.push(pose and PersonFrame(BodyPose(pose), None), i)
    out += smoother.flush()
    assert [payload for _, payload in out] == list(range(len(poses)))
    return [person and person.pose for person, _ in out]


def x_of(poses, joint=R_WRIST):
    return np.array([pose.points_px[joint, 0] for pose in poses]) - BODY.points_px[joint, 0]


def jitter(x):
    return np.sqrt(np.mean(np.diff(x, n=2) ** 2))


def test_jitter_of_a_noisy_dance_falls_to_a_quarter_and_the_error_by_a_third():
    time = np.arange(300) / 30
    truth = 60 * np.sin(2 * np.pi * 1.5 * time)  # one and a half swings a second
    noise = np.random.default_rng(1).normal(0, 3, (300, 18, 2))
    noisy = [Pose(p.points_px + n, p.confidence) for p, n in zip(moving(truth), noise, strict=True)]
    calm = smooth(noisy)
    assert jitter(x_of(calm) - truth) < 0.25 * jitter(x_of(noisy) - truth)
    assert np.std(x_of(calm) - truth) < 0.67 * np.std(x_of(noisy) - truth)


def test_a_swing_is_not_delayed_and_keeps_its_height():
    time = np.arange(200) / 30
    truth = 60 * np.sin(2 * np.pi * 2 * time)  # two swings a second
    calm = x_of(smooth(moving(truth)))
    lags = range(-4, 5)
    likeness = [np.dot(calm[10:-10], np.roll(truth, lag)[10:-10]) for lag in lags]
    assert lags[int(np.argmax(likeness))] == 0
    # The fit is symmetric: a quarter of a frame of delay would show as a difference in phase.
    spectrum = np.fft.rfft(calm[15:195])[12] / np.fft.rfft(truth[15:195])[12]
    assert abs(np.angle(spectrum)) < 1e-3
    assert abs(spectrum) > 0.9


def test_a_step_stays_in_its_place():
    step = np.where(np.arange(40) < 20, 0.0, 0.3 * TORSO)
    calm = x_of(smooth(moving(step, joint=R_WRIST)))
    np.testing.assert_allclose(calm[:17], 0, atol=1e-3)
    np.testing.assert_allclose(calm[23:], 0.3 * TORSO, atol=1e-3)
    # Mirrored in time it is the same curve, so nothing comes late.
    np.testing.assert_allclose(calm, 0.3 * TORSO - calm[::-1], atol=1e-3)


def test_a_cut_is_not_smeared_at_all():
    cut = np.where(np.arange(20) < 10, 0.0, 1.5 * TORSO)
    np.testing.assert_allclose(x_of(smooth(moving(cut))), cut, atol=1e-3)


def test_a_single_wild_frame_is_mended():
    wild = np.zeros(21)
    wild[10] = 0.5 * TORSO
    calm = x_of(smooth(moving(wild, joint=L_WRIST)), joint=L_WRIST)
    assert np.abs(calm).max() < 0.04 * TORSO  # was 0.5


def test_no_joint_is_invented_and_no_fit_crosses_a_gap():
    generator = np.random.default_rng(2)
    poses = moving(generator.normal(0, 2, 30))
    for i in (10, 11):
        confidence = BODY.confidence.copy()
        confidence[[R_WRIST, NECK]] = 0
        poses[i] = Pose(poses[i].points_px, confidence)
    poses[20] = None
    calm = smooth(poses)
    assert [pose is None for pose in calm] == [i == 20 for i in range(30)]
    for before, after in zip(poses, calm, strict=True):
        if before is not None:
            np.testing.assert_array_equal(before.confidence, after.confidence)
    # What comes after the gap has no say before it.
    changed = poses[:21] + moving(np.full(9, 30.0))
    np.testing.assert_array_equal(smooth(changed)[19].points_px, calm[19].points_px)
    np.testing.assert_array_equal(smooth(changed)[18].points_px, calm[18].points_px)


def test_a_straight_and_a_curved_motion_pass_unchanged_also_at_the_ends():
    time = np.arange(25.0)
    for truth in (3 * time, 0.2 * (time - 12) ** 2):
        np.testing.assert_allclose(x_of(smooth(moving(truth))), truth, atol=1e-2)


def test_frames_come_out_radius_later_and_a_flushed_smoother_starts_anew():
    smoother = PersonSmoother(2)
    person = PersonFrame(BodyPose(BODY), None)
    assert [len(smoother.push(person, i)) for i in range(5)] == [0, 0, 1, 1, 1]
    assert [payload for _, payload in smoother.flush()] == [3, 4]
    assert smoother.push(person, "new") == []
    assert smoother.flush()[0][1] == "new"
    assert smoother.flush() == []


def test_an_unsure_joint_weighs_less():
    poses = moving(np.zeros(15))
    points, confidence = poses[7].points_px.copy(), BODY.confidence.copy()
    points[R_WRIST, 0] += 4
    sure = smooth(poses[:7] + [Pose(points, confidence)] + poses[8:])
    confidence[R_WRIST] = 0.1
    unsure = smooth(poses[:7] + [Pose(points, confidence)] + poses[8:])
    assert abs(x_of(unsure)[7]) < 0.5 * abs(x_of(sure)[7])


def test_short_clips_and_small_radii_change_nothing():
    poses = moving([0, 9, -5])
    np.testing.assert_array_equal(x_of(smooth(poses)), x_of(poses))
    poses = moving(np.random.default_rng(0).normal(0, 5, 12))
    np.testing.assert_array_equal(x_of(smooth(poses, radius=1)), x_of(poses))
    assert [smoothing_radius(rate) for rate in (5, 15, 25, 29.97, 60)] == [1, 2, 2, 3, 6]
    with pytest.raises(ValueError, match="radius"):
        PersonSmoother(-1)


def test_depth_and_hands_are_calmed_with_their_points():
    rng = np.random.default_rng(6)
    time = np.arange(60)
    truth = 40 * np.sin(2 * np.pi * time / 30)  # of a wrist's depth
    people = []
    for i in time:
        points = rng.normal(200, 1, (33, 2)) + np.arange(33)[:, None]
        depth = rng.normal(0, 6, 33) + truth[i]
        hand = Pose(points[:21], np.ones(21), HAND_21, depth[:21])
        landmarks = Pose(points, np.ones(33), BLAZEPOSE_33, depth)
        hands = (hand, None) if i != 30 else (None, None)
        people.append(PersonFrame(BodyPose(BODY, landmarks, hands), None))
    smoother = PersonSmoother(3)
    out = [done for i, person in enumerate(people) for done in smoother.push(person, i)]
    calm = [person for person, _ in out + smoother.flush()]
    rough, smooth_ = (
        np.array([one.body.landmarks.depth_px[15] for one in those]) - truth
        for those in (people, calm)
    )
    assert jitter(smooth_) < 0.35 * jitter(rough) and np.std(smooth_) < 0.75 * np.std(rough)
    hand = np.array([one.body.hands[0].depth_px[4] for one in calm[:28]]) - truth[:28]
    assert jitter(hand) < 0.4 * jitter([one.body.hands[0].depth_px[4] for one in people[:28]])
    assert calm[30].body.hands == (None, None) and calm[31].body.hands[1] is None
