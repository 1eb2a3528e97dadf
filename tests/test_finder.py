"""Names become finders, and a segmenter takes the place of the backend's own mask. The rules that
pose backends are held to: test_pose_backends.py."""

import numpy as np
import pytest
from figure import standing_pose

from dancepipe.errors import ConfigError
from dancepipe.person.finder import PersonFinder, open_person_finder
from dancepipe.person.look import Sighting
from dancepipe.records import BodyPose, PersonFrame

POSE = standing_pose((160, 30), 270)


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


class Standing:
    """A reading that stands where it was seen."""

    def __init__(self, sighting: Sighting):
        self.sighting = sighting


class Crowd:
    """A backend that sees these people and keeps which it was asked to read, beside whom."""

    goes_on, neighbour_reaches = False, 1.5

    def __init__(self, *sightings: Sighting, bodies=None):
        self.size_wh, self.picture = (640, 360), np.zeros((360, 640, 3), np.uint8)
        self._sightings = list(sightings)
        self._bodies = {} if bodies is None else bodies  # index -> the sighting that is read
        self.asked = []

    def look(self, image):
        return self

    def sightings(self):
        return self._sightings

    def read(self, index, beside=(), last=None):
        self.asked.append((index, list(beside)))
        found = self._bodies.get(index, self._sightings[index])
        return None if found is None else Standing(found)

    def everyone(self):
        return [Standing(one) for one in self._sightings if one.is_sure]

    def clothes(self, reading):
        return None

    def person(self, reading, before=None):
        shift = np.subtract(reading.sighting.center_xy_px, (160, 150))
        return PersonFrame(BodyPose(POSE.scaled_and_shifted(1, shift)), None)

    def close(self):
        pass


def at(x, reach=80.0, is_sure=True):
    return Sighting((x, 180.0), reach, 0.9 if is_sure else 0.3, is_sure)


def found(crowd):
    with PersonFinder(crowd, mode="photo") as finder:
        return finder.find_all(np.zeros((360, 640, 3), np.uint8))


def test_only_the_chosen_one_is_read_when_one_is_wanted():
    crowd = Crowd(at(60), at(330), at(600))
    with PersonFinder(crowd, mode="video") as finder:
        person = finder.find(np.zeros((360, 640, 3), np.uint8))
    assert crowd.asked == [(1, [])] and person.people_seen == 3


def test_everyone_is_read_the_chosen_one_first_each_apart_from_those_beside():
    crowd = Crowd(at(60), at(330), at(400))
    people = found(crowd)
    assert crowd.asked == [(1, [2]), (2, [1]), (0, [])]
    np.testing.assert_allclose(
        [person.pose.points_px[1, 0] for person in people], [330, 400, 60], atol=1
    )


def test_two_sightings_that_lead_to_one_body_are_one_person():
    crowd = Crowd(at(330), at(350), at(60), bodies={1: at(331)})
    assert len(found(crowd)) == 2


def test_a_sighting_without_a_body_is_nobody():
    assert len(found(Crowd(at(330), at(60), bodies={0: None}))) == 1


def test_an_unsure_sighting_is_read_only_where_nobody_is_surely_seen():
    unsure = at(100, is_sure=False)
    assert len(found(Crowd(at(330), unsure))) == 1
    assert len(found(Crowd(unsure, at(500, is_sure=False)))) == 1
    people = found(Crowd(at(330), unsure, bodies={0: None}))
    assert len(people) == 1 and people[0].people_seen == 1


def test_a_segmenter_replaces_the_mask_of_each_and_is_closed_too():
    class EveryoneSegmenter:
        closed = False

        def segment(self, image, person):
            return np.full(image.shape[:2], 255, np.uint8)

        def close(self):
            self.closed = True

    segmenter = EveryoneSegmenter()
    image = np.zeros((360, 640, 3), np.uint8)
    with PersonFinder(Crowd(at(330), at(60)), segmenter, mode="photo") as finder:
        people = [finder.find(image), *finder.find_all(image)]
    assert [person.mask.min() for person in people] == [255, 255, 255]
    assert people[0].people_seen == 2
    assert segmenter.closed
