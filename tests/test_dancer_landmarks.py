"""All 33 landmarks and both hands of rendered people, in the networks' own conventions."""

import numpy as np
import pytest
import torch
from dancer_pack import dancer_pack  # noqa: F401

pytest.importorskip("numba")

from dancepipe.body.posing import DEPTH_SCALE, HAND_DEPTH_SCALE, hands_in_view, in_view
from dancepipe.data.augment import mirrored
from dancepipe.data.pairs import collate
from dancepipe.data.picture import LabelledPicture
from dancepipe.person.finder import open_person_finder
from dancepipe.pose.skeleton import openpose_view
from dancepipe.records import PersonFrame
from dancepipe.skeletons import BLAZEPOSE_33, HAND_21, OPENPOSE_18
from dancepipe.synthetic.assets import load_assets
from dancepipe.synthetic.camera import aim_camera, make_light
from dancepipe.synthetic.frames import FrameOptions, frames_of_person
from dancepipe.synthetic.landmarks import find_body, landmarks_in_space
from dancepipe.synthetic.person import draw_person
from dancepipe.synthetic.poses import posture_from_angles, standing
from dancepipe.synthetic.posture import pose_bones
from dancepipe.synthetic.render import render_figure
from dancepipe.synthetic.shots import outline_points

SIZE_PX = 192
KNUCKLES = [HAND_21.index(f"{finger}_1") for finger in ("index", "middle", "ring", "little")]
TIPS = [HAND_21.index(f"{finger}_4") for finger in ("index", "middle", "ring", "little")]


@pytest.fixture(scope="module")
def assets(dancer_pack):
    return load_assets(dancer_pack)


@pytest.fixture(scope="module")
def person(assets):
    return draw_person(assets, (3, 1))


@pytest.fixture(scope="module")
def frames(assets, person):
    return list(frames_of_person(assets, person, 3, 1, 8, FrameOptions(size_px=SIZE_PX)))


def seen_from(assets, person, yaw: float, grip=(0.0, 0.0)):
    posture = posture_from_angles(assets, standing(np.random.default_rng(0)))
    bones = pose_bones(person.rig, type(posture)(posture.quaternions, posture.root_dm, grip))
    points = outline_points(assets, bones)
    middle = (points.max(0) + points.min(0)) / 2
    camera = aim_camera(middle, yaw, 0.0, 60, SIZE_PX * 60 / 22, (SIZE_PX, SIZE_PX))
    view = render_figure(person.figure, bones, camera, make_light(0.4, 0.7, 0.7, 0.6))
    return view, find_body(person.figure, person.joint_places, person.landmark_places, view)[0]


def points_of(body, *names: str) -> np.ndarray:
    return body.landmarks.with_depth()[[BLAZEPOSE_33.index(name) for name in names]]


def test_the_joints_are_a_view_of_the_landmarks(frames):
    for frame in frames:
        landmarks, joints = frame.body.landmarks, frame.body.joints
        view = openpose_view(
            np.concatenate([landmarks.points_px, landmarks.confidence[:, None]], 1),
            BLAZEPOSE_33,
            (SIZE_PX, SIZE_PX),
        )
        both = view.present & joints.present
        assert both.sum() >= joints.present.sum() - 1  # the neck goes with its shoulders
        assert np.abs(view.points_px - joints.points_px)[both].max() < 1
        own = [name in OPENPOSE_18.joints for name in BLAZEPOSE_33.joints]
        names = [name for name in BLAZEPOSE_33.joints if name in OPENPOSE_18.joints]
        numbers = [OPENPOSE_18.index(name) for name in names]
        np.testing.assert_array_equal(landmarks.confidence[own], joints.confidence[numbers])


def test_landmarks_and_hands_that_are_seen_lie_on_the_person(frames):
    from scipy.ndimage import distance_transform_edt

    for frame in frames:
        outside = distance_transform_edt(frame.mask < 128)
        for pose in (frame.body.landmarks, *frame.body.hands):
            x, y = np.rint(pose.points_px[pose.confidence == 1]).astype(int).T
            assert (outside[y, x] <= 2).all()
        hands = np.concatenate([hand.confidence for hand in frame.body.hands])
        assert (hands > 0).mean() > 0.9


def test_a_mirrored_pair_has_its_landmarks_on_the_mirrored_person(frames):
    """Each side's on that side, and mirrored again it is what it was."""
    pairs = [
        LabelledPicture(reference.image, reference.mask, reference.body).arrays(
            "reference", landmarks=True, hands=True
        )
        | LabelledPicture(target.image, target.mask, target.body).arrays(
            "target", landmarks=True, hands=True
        )
        for reference, target in zip(frames[::2], frames[1::2])
    ]
    batch = collate(pairs)
    everyone = torch.ones(len(pairs), dtype=torch.bool)
    once = mirrored(batch, everyone)
    for picture, frame in enumerate(frames[1::2]):
        other = frame.body.mirrored(SIZE_PX)
        assert (once.target_landmarks[picture].numpy() == other.landmarks.with_depth()).all()
        for hand, expected in zip(once.target_hands[picture], other.hands):
            assert (hand.numpy() == expected.with_depth()).all()
    points = once.target_landmarks[..., :2].round().long().clamp(0, SIZE_PX - 1)
    seen = once.target_landmarks[..., 3] == 1
    rows = torch.arange(len(pairs))[:, None].expand_as(seen)
    on_person = once.target_mask[rows, points[..., 1], points[..., 0]] > 0
    assert on_person[seen].float().mean() > 0.95
    twice = mirrored(once, everyone)
    for name, value in vars(batch).items():
        assert value is getattr(twice, name) is None or torch.allclose(
            value.float(), getattr(twice, name).float(), atol=1e-4
        ), name


def test_sides_and_depths_are_right_from_the_front_from_the_left_and_from_behind(assets, person):
    """Smaller depth is nearer, and 0 lies between the hips."""
    _, front = seen_from(assets, person, 0.0)
    for part in ("eye_inner", "eye_outer", "ear", "mouth", "heel", "toes", "index_finger", "thumb"):
        left, right = points_of(front, f"left_{part}", f"right_{part}")
        assert left[0] > right[0]
    hips = points_of(front, "left_hip", "right_hip")[:, 2]
    assert abs(hips.mean()) < 1e-3
    nose, ear, toes, heel = points_of(front, "nose", "left_ear", "left_toes", "left_heel")[:, 2]
    assert nose < ear and toes < heel
    _, back = seen_from(assets, person, np.pi)
    nose, ear, toes, heel = points_of(back, "nose", "left_ear", "left_toes", "left_heel")[:, 2]
    assert nose > ear and toes > heel
    _, aside = seen_from(assets, person, np.pi / 2)  # from the person's left
    left, right = points_of(aside, "left_shoulder", "right_shoulder")[:, 2]
    assert left < right


def test_what_the_body_reads_of_the_depths_is_the_body_itself(assets, person):
    """In the view space of posing.py, all distances between points are those in space, whichever
    way the person is turned (the camera is far: perspective changes a tenth)."""
    assert DEPTH_SCALE < 1 and HAND_DEPTH_SCALE < 1
    for yaw in (0.0, 0.8, 2.2):
        view, body = seen_from(assets, person, yaw)
        landmarks_dm, hands_dm = landmarks_in_space(
            person.figure, person.joint_places, person.landmark_places, view
        )
        px_per_dm = view.camera.focal_px / 60
        hands = np.stack([hand.with_depth() for hand in body.hands])
        sets = [(in_view(body.landmarks.with_depth()), landmarks_dm)]
        sets += [(seen[:, :3], true) for seen, true in zip(hands_in_view(hands), hands_dm)]
        for seen, true in sets:
            seen_px = np.linalg.norm(seen[:, None] - seen, axis=-1)
            true_px = np.linalg.norm(true[:, None] - true, axis=-1) * px_per_dm
            np.testing.assert_allclose(seen_px, true_px, rtol=0.1, atol=0.5)


def test_fingers_bend_with_the_grip_and_knuckles_stay(assets, person):
    def reach(points: list[int], grip: tuple[float, float]) -> np.ndarray:
        """Of the right and the left hand: how far from the wrist they are."""
        view, _ = seen_from(assets, person, 0.0, grip)
        _, hands = landmarks_in_space(
            person.figure, person.joint_places, person.landmark_places, view
        )
        return np.linalg.norm(hands[:, points] - hands[:, :1], axis=-1).mean(1)

    open_hands, left_fist = reach(TIPS, (0.0, 0.0)), reach(TIPS, (1.0, 0.0))
    assert left_fist[1] < 0.95 * open_hands[1]
    assert left_fist[0] == pytest.approx(open_hands[0])
    np.testing.assert_allclose(reach(KNUCKLES, (0.0, 0.0)), reach(KNUCKLES, (1.0, 0.0)))


def test_what_the_finder_says_replaces_the_truth_and_the_truth_stays(assets, person, frames):
    found = PersonFrame(frames[0].body, np.full((SIZE_PX, SIZE_PX), 9, np.uint8))
    options = FrameOptions(size_px=SIZE_PX, detected_share=1.0)
    made = list(frames_of_person(assets, person, 3, 1, 8, options, lambda picture: found))
    for frame, exact in zip(made, frames, strict=True):
        assert frame.body is found.body
        np.testing.assert_array_equal(
            frame.true_body.landmarks.with_depth(), exact.body.landmarks.with_depth()
        )


def test_the_pose_network_sees_the_landmarks_where_they_are(assets):
    """On the default finder: a few px of 256, and depths of the same sign and about the same
    size."""
    away, depths = [], []
    with open_person_finder("mediapipe", None, mode="photo") as finder:
        for number in range(3):
            someone = draw_person(assets, (9, number))
            options = FrameOptions(size_px=256)
            for frame in frames_of_person(assets, someone, 9, number, 4, options):
                found = finder.find(frame.view.over(np.full(3, 150)))
                if found is None:
                    continue
                true, seen = (one.landmarks.with_depth() for one in (frame.body, found.body))
                both = (true[:, 3] == 1) & (seen[:, 3] > 0.5)
                away.append(np.where(both, np.hypot(*(seen - true)[:, :2].T), np.nan))
                depths.append(np.stack([true[:, 2], seen[:, 2]])[:, both])
    assert len(away) >= 10
    away = np.array(away)
    assert np.nanmedian(away) < 3
    often = np.isfinite(away).sum(0) >= 4
    assert often.sum() > 25 and np.nanmedian(away[:, often], 0).max() < 8
    true, seen = np.concatenate(depths, 1)
    clear = np.abs(true) > 30
    assert (np.sign(true) == np.sign(seen))[clear].mean() > 0.75
    assert 0.5 < (true @ seen) / (true @ true) < 1.3
