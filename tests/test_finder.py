"""The rules every pose backend is held to."""

import numpy as np
import pytest
from figure import draw_figure, standing_pose

from dancepipe.errors import ConfigError
from dancepipe.person.finder import PersonFinder, open_person_finder
from dancepipe.records import BodyPose, PersonFrame

POSE = standing_pose((160, 30), 270)


def open_mediapipe(mode, mask):
    return open_person_finder("mediapipe", "mediapipe" if mask else None, mode=mode)


def open_yolo(mode, mask):
    """Joints as a YOLO network with trained weights would give them, through everything that
    stands around the network."""
    pytest.importorskip("ultralytics", reason="needs the extra yolo")
    from yolo_networks import seeing, tiny_pose_file

    finder = open_person_finder(
        "yolo",
        "mediapipe" if mask else None,
        mode=mode,
        yolo_weights=tiny_pose_file(),
    )
    finder._pose_finder._model.predict = seeing([POSE])
    return finder


BACKENDS = [pytest.param(open_mediapipe, id="mediapipe"), pytest.param(open_yolo, id="yolo")]


@pytest.mark.parametrize("open_finder", BACKENDS)
@pytest.mark.parametrize("mode", ["video", "photo"])
def test_every_backend_gives_the_person_in_the_pictures_own_pixels(open_finder, mode):
    image = draw_figure(POSE, (320, 340))
    before = image.copy()
    with open_finder(mode, True) as finder:
        person = finder.find(image)
        view = finder.find(np.ascontiguousarray(image[:, ::-1])[:, ::-1])  # not contiguous
    assert isinstance(person, PersonFrame)
    assert np.abs(person.pose.points_px - POSE.points_px).max() < 15
    assert person.mask.shape == (340, 320) and person.mask.dtype == np.uint8
    inside, outside = person.mask[150, 160], person.mask[20, 20]
    assert inside > 200 and outside < 20
    assert person.people_seen == 1
    assert (
        np.abs(view.pose.points_px - person.pose.points_px).max() < 10
    )  # the second frame is read in a better region
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize("open_finder", BACKENDS)
def test_no_mask_is_given_when_none_was_asked_for(open_finder):
    with open_finder("photo", False) as finder:
        assert finder.find(draw_figure(POSE, (320, 340))).mask is None


@pytest.mark.parametrize("open_finder", BACKENDS)
def test_bad_input_is_refused_and_the_finder_lives_on(open_finder):
    image = draw_figure(POSE, (320, 340))
    with open_finder("video", True) as finder:
        for bad in (
            image[..., 0],
            image.astype(np.float32),
            np.dstack([image, image[..., :1]]),
            "photo.jpg",
            None,
        ):
            with pytest.raises(ValueError, match="uint8 RGB picture"):
                finder.find(bad)
        for tiny in (image[:0], image[:1, :1], image[:7]):
            assert finder.find(tiny) is None
        assert finder.find(np.zeros((9, 2000, 3), np.uint8)) is None
        assert finder.find(image) is not None


@pytest.mark.parametrize("open_finder", BACKENDS)
def test_closing_twice_is_allowed_and_a_closed_finder_says_so(open_finder):
    finder = open_finder("photo", False)
    finder.close()
    finder.close()
    with pytest.raises(ValueError, match="closed"):
        finder.find(draw_figure(POSE, (320, 340)))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"pose": "openpose"}, "choose from mediapipe, yolo"),
        ({"mask": "bria"}, "choose from mediapipe"),
        ({"mode": "live"}, "video or photo"),
    ],
)
def test_unknown_names_are_config_errors(options, words):
    with pytest.raises(ConfigError, match=words):
        open_person_finder(**options)


def test_a_segmenter_replaces_the_mask_and_is_closed_too():
    class EveryoneSegmenter:
        closed = False

        def segment(self, image, person):
            return np.full(image.shape[:2], 255, np.uint8)

        def close(self):
            self.closed = True

    class OnePose:
        def find(self, image):
            return PersonFrame(BodyPose(POSE), None, 3)

        def close(self):
            pass

    segmenter = EveryoneSegmenter()
    with PersonFinder(OnePose(), segmenter) as finder:
        person = finder.find(np.zeros((340, 320, 3), np.uint8))
    assert person.mask.min() == 255 and person.people_seen == 3
    assert segmenter.closed
