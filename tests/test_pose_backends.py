"""One contract for every pose backend, through the finder that holds it: whatever opens by name is
held to these rules.

A backend with weights of its own gives the joints that trained weights would give, through
everything that stands around its network.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from figure import draw_figure, standing_pose

from dancepipe.errors import ConfigError
from dancepipe.person.finder import POSE_BACKENDS, PersonFinder, open_person_finder
from dancepipe.pose.skeleton import L_ANKLE, L_SHOULDER, NOSE, R_SHOULDER
from dancepipe.records import BodyPose, PersonFrame, Pose
from dancepipe.skeletons import BLAZEPOSE_33, OPENPOSE_18

SIZE_WH = (640, 360)
ONE = standing_pose((300, 50), 270)
LEFT, RIGHT = standing_pose((300, 50), 270), standing_pose((520, 60), 250)
NEAR_PX = 15  # a backend reads a drawn figure this well
SHIRTS = ((40, 120, 60), (170, 40, 45))


class Mediapipe:
    gives_depth = gives_hands = True

    def open(self, mode: str, mask: bool = False, poses: Sequence[Pose] = ()) -> PersonFinder:
        return open_person_finder("mediapipe", "mediapipe" if mask else None, mode=mode)

    def shows(self, finder: PersonFinder, poses: Sequence[Pose]) -> None:
        """It looks for itself."""


class Yolo:
    gives_depth = gives_hands = False

    def open(self, mode: str, mask: bool = False, poses: Sequence[Pose] = (ONE,)) -> PersonFinder:
        pytest.importorskip("ultralytics", reason="needs the extra yolo")
        from yolo_networks import tiny_pose_file

        masks = "mediapipe" if mask else None
        finder = open_person_finder("yolo", masks, mode=mode, yolo_weights=tiny_pose_file())
        self.shows(finder, poses)
        return finder

    def shows(self, finder: PersonFinder, poses: Sequence[Pose]) -> None:
        """A network with random weights is told what is in the next pictures."""
        from yolo_networks import seeing

        finder._backend._model.predict = seeing(list(poses))


BACKENDS = {"mediapipe": Mediapipe(), "yolo": Yolo()}


@pytest.fixture(params=BACKENDS)
def backend(request):
    return BACKENDS[request.param]


def picture_of(*poses: Pose, size_wh: tuple[int, int] = SIZE_WH) -> np.ndarray:
    image = np.full((size_wh[1], size_wh[0], 3), (205, 210, 205), np.uint8)
    for pose, shirt in zip(poses, SHIRTS):
        image = draw_figure(pose, size_wh, shirt=shirt, onto=image)
    return image


def off_px(person: PersonFrame, pose: Pose) -> float:
    return float(np.abs(person.pose.points_px - pose.points_px).max())


def same(one: PersonFrame, other: PersonFrame) -> bool:
    points = np.array_equal(one.pose.as_array(), other.pose.as_array())
    masks = one.mask is other.mask is None or np.array_equal(one.mask, other.mask)
    depth = (one.body.landmarks is None) == (other.body.landmarks is None)
    if depth and one.body.landmarks is not None:
        depth = np.array_equal(one.body.landmarks.with_depth(), other.body.landmarks.with_depth())
    return points and masks and depth and one.people_seen == other.people_seen


def test_every_backend_that_opens_by_name_is_held_to_this_contract():
    assert set(BACKENDS) == set(POSE_BACKENDS)


@pytest.mark.parametrize("mode", ["video", "photo"])
def test_nobody_is_found_in_an_empty_picture_and_the_next_one_is_read(backend, mode):
    empty = np.full((360, 640, 3), 128, np.uint8)
    with backend.open(mode) as finder:
        assert finder.find(empty) is None
        assert mode == "video" or finder.find_all(empty) == []
        assert finder.find(picture_of(ONE)) is not None


@pytest.mark.parametrize("mode", ["video", "photo"])
def test_one_person_is_found_in_the_pictures_own_pixels(backend, mode):
    image = picture_of(ONE)
    before = image.copy()
    with backend.open(mode, mask=True) as finder:
        person = finder.find(image)
        view = finder.find(np.ascontiguousarray(image[:, ::-1])[:, ::-1])  # not contiguous
    assert isinstance(person, PersonFrame) and person.people_seen == 1
    assert off_px(person, ONE) < NEAR_PX
    assert off_px(view, person.pose) < 10  # the second frame is read in a better region
    assert person.mask.shape == (360, 640) and person.mask.dtype == np.uint8
    assert person.mask[150, 300] > 200 and person.mask[20, 20] < 20
    np.testing.assert_array_equal(image, before)


def test_all_people_of_a_picture_are_given_with_a_pose_and_a_mask_of_their_own(backend):
    image = picture_of(LEFT, RIGHT)
    with backend.open("photo", mask=True, poses=(RIGHT, LEFT)) as finder:
        people = finder.find_all(image)
    assert len(people) == 2 and [person.people_seen for person in people] == [2, 2]
    for person, own, other in zip(people, (LEFT, RIGHT), (RIGHT, LEFT)):
        assert off_px(person, own) < NEAR_PX
        chest, elsewhere = (
            pose.points_px[[2, 5, 8, 11]].mean(0).astype(int) for pose in (own, other)
        )
        assert (
            person.mask[chest[1], chest[0]] > 200 and person.mask[elsewhere[1], elsewhere[0]] < 20
        )


def test_who_would_be_chosen_comes_first_and_is_read_the_same(backend):
    for poses in ((LEFT,), (LEFT, RIGHT), (RIGHT, LEFT)):
        image = picture_of(*poses)
        with backend.open("photo", mask=True, poses=poses) as finder:
            assert same(finder.find_all(image)[0], finder.find(image))


def test_one_of_two_is_followed_when_the_other_becomes_larger_and_more_central(backend):
    with backend.open("video") as finder:
        for t in range(8):
            mine, other = (
                standing_pose((300 - 8 * t, 60), 260),
                standing_pose((540 - 8 * t, 45), 290),
            )
            backend.shows(finder, (mine, other) if t % 2 else (other, mine))
            person = finder.find(picture_of(mine, other))
            assert off_px(person, mine) < 1.5 * NEAR_PX and person.people_seen == 2


def test_anything_but_rgb_of_uint8_is_refused_and_the_finder_lives_on(backend):
    image = picture_of(ONE)
    alpha = np.dstack([image, image[..., :1]])
    with backend.open("photo") as finder:
        for bad in (image[..., 0], image.astype(np.float32), alpha, "photo.jpg", None):
            for ask in (finder.find, finder.find_all):
                with pytest.raises(ValueError, match="uint8 RGB picture"):
                    ask(bad)
        assert finder.find(image) is not None


def test_in_a_picture_that_is_too_small_nobody_is_found(backend):
    image = picture_of(ONE)
    with backend.open("photo") as finder:
        for tiny in (image[:0], image[:1, :1], image[:7], image[:, :7]):
            assert finder.find(tiny) is None and finder.find_all(tiny) == []
        assert finder.find(np.zeros((9, 2000, 3), np.uint8)) is None
        assert finder.find(image) is not None


def test_joints_are_in_the_papers_order_with_confidences(backend):
    with backend.open("photo") as finder:
        pose = finder.find(picture_of(ONE)).pose
    assert pose.skeleton is OPENPOSE_18 and pose.present.all()
    assert pose.points_px[R_SHOULDER, 0] < pose.points_px[L_SHOULDER, 0]  # they face the camera
    assert pose.points_px[NOSE, 1] < pose.points_px[R_SHOULDER, 1] < pose.points_px[L_ANKLE, 1]


def test_points_are_where_the_person_is_in_a_larger_and_wider_picture(backend):
    pose = standing_pose((1500, 100), 900)
    with backend.open("photo", poses=(pose,)) as finder:
        person = finder.find(picture_of(pose, size_wh=(1920, 1080)))
    assert off_px(person, pose) < NEAR_PX * 900 / 270


def test_depth_is_given_with_all_landmarks_or_left_out(backend):
    with backend.open("photo") as finder:
        body = finder.find(picture_of(ONE)).body
    assert isinstance(body, BodyPose) and body.joints.depth_px is None
    if not backend.gives_depth:
        assert body.landmarks is None
    else:
        assert body.landmarks.skeleton is BLAZEPOSE_33
        assert np.ptp(body.landmarks.depth_px) > 1  # px: nobody is flat


def test_hands_are_given_when_asked_for_or_refused_by_name(backend):
    name = next(name for name, other in BACKENDS.items() if other is backend)
    if backend.gives_hands:
        with open_person_finder(name, None, mode="photo", hands=True) as finder:
            assert len(finder.find(picture_of(ONE)).body.hands) == 2
    else:
        with pytest.raises(ConfigError, match=f"the pose backend {name} reads no hands"):
            open_person_finder(name, None, hands=True)
    with backend.open("photo") as finder:
        assert finder.find(picture_of(ONE)).body.hands is None


def test_no_mask_is_given_when_none_was_asked_for(backend):
    with backend.open("photo") as finder:
        assert finder.find(picture_of(ONE)).mask is None


def test_a_picture_gives_the_same_twice_whatever_was_looked_at_between(backend):
    image, between = picture_of(LEFT, RIGHT), picture_of(standing_pose((100, 20), 300))
    with backend.open("photo", mask=True, poses=(LEFT, RIGHT)) as finder:
        first = finder.find_all(image)
        finder.find(between)
        finder.find_all(between)
        again = finder.find_all(image)
    assert len(first) == len(again) == 2 and all(map(same, first, again))


def test_a_clip_gives_the_same_to_a_fresh_finder(backend):
    runs = []
    for _ in range(2):
        with backend.open("video") as finder:
            run = []
            for t in range(4):
                pose = standing_pose((300 + 3 * t, 50), 270)
                backend.shows(finder, (pose,))
                run.append(finder.find(picture_of(pose)))
            runs.append(run)
    assert all(map(same, *runs))


def test_one_thread_or_three_give_the_same(backend):
    images = [picture_of(LEFT, RIGHT), picture_of(LEFT)] * 3
    with backend.open("photo", poses=(LEFT, RIGHT)) as finder:
        alone = [finder.find(image) for image in images]
        with ThreadPoolExecutor(3) as threads:
            together = list(threads.map(finder.find, images))
    assert all(map(same, alone, together))


def test_a_frame_of_another_size_starts_the_following_anew(backend):
    far = standing_pose((90, 30), 260)
    with backend.open("video") as finder:
        for pose, size_wh in ((ONE, SIZE_WH), (far, (320, 340)), (ONE, SIZE_WH)):
            for _ in range(2):
                backend.shows(finder, (pose,))
                assert off_px(finder.find(picture_of(pose, size_wh=size_wh)), pose) < NEAR_PX


def test_a_finder_that_follows_one_person_gives_that_one_only(backend):
    with backend.open("video") as finder:
        with pytest.raises(ValueError, match="find_all needs a finder in mode photo"):
            finder.find_all(picture_of(ONE))


def test_closing_twice_is_allowed_and_a_closed_finder_says_so(backend):
    finder = backend.open("photo")
    finder.close()
    finder.close()
    for ask in (finder.find, finder.find_all):
        with pytest.raises(ValueError, match="closed"):
            ask(picture_of(ONE))
