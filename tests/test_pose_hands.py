"""Hands through a clip: read where their picture changed, carried along where it did not."""

import numpy as np
import pytest
from people import SAMPLES
from PIL import Image

from dancepipe.person.backends.pose_blazepose import BlazePoseBackend
from dancepipe.person.blazepose.follow_hands import SeenHand, follow_hands
from dancepipe.person.finder import PersonFinder

RIGHT, LEFT = np.array([[60, 80], [55, 95], [60, 96]]), np.array([[200, 80], [205, 95], [200, 96]])


class Hands:
    """A network that keeps where it was asked to read, and sees 21 points around the wrist."""

    def __init__(self, sees=True):
        self.asked, self._sees = [], sees

    def read(self, image, hand_xy_px):
        self.asked.append("right" if hand_xy_px[0, 0] < 130 else "left")
        if not self._sees:
            return None
        spread = np.random.default_rng(0).uniform(-20, 20, (21, 4)).astype(np.float32)
        spread[:, :2] += hand_xy_px[0]
        spread[:, 3] = 0.9
        return spread


def noise(seed=0):
    coarse = np.random.default_rng(seed).integers(0, 255, (20, 26, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((260, 200), Image.Resampling.BICUBIC))


def with_other(image, column):
    """The picture with something else right or left of that column."""
    changed = image.copy()
    changed[:, column] = noise(1)[:, column]
    return changed


NOTHING = (None, None)


def test_hands_that_were_not_read_yet_are_both_read_and_then_carried_with_the_body():
    network, image = Hands(), noise()
    first, seen = follow_hands(network, image, (RIGHT, LEFT), NOTHING)
    assert network.asked == ["right", "left"]
    moved = np.roll(image, (4, -7), (0, 1))
    second, again = follow_hands(network, moved, [at + (-7, 4) for at in (RIGHT, LEFT)], seen)
    assert network.asked == ["right", "left"]
    assert [hand.points is last.points for hand, last in zip(again, seen)] == [True, True]
    for before, now in zip(first, second):
        np.testing.assert_allclose(now[:, :2], before[:, :2] + (-7, 4), atol=1e-3)
        np.testing.assert_allclose(now[:, 2:], before[:, 2:], rtol=1e-5)


def test_points_are_turned_and_scaled_with_the_body_and_depth_with_them():
    hand = SeenHand(RIGHT, noise()[:32, :32], Hands().read(None, RIGHT))
    turned = (RIGHT - RIGHT[0]) @ np.array([[0, 2], [-2, 0]]) + (30, 10)  # a quarter, twice as far
    carried = hand.carried(turned)
    wanted = (hand.points[:, :2] - RIGHT[0]) @ np.array([[0, 2], [-2, 0]]) + (30, 10)
    np.testing.assert_allclose(carried[:, :2], wanted, atol=1e-3)
    np.testing.assert_allclose(carried[:, 2], 2 * hand.points[:, 2], rtol=1e-5)
    np.testing.assert_array_equal(carried[:, 3], hand.points[:, 3])


def test_a_hand_whose_picture_changed_is_read_again():
    network, image = Hands(), noise()
    _, seen = follow_hands(network, image, (RIGHT, LEFT), NOTHING)
    network.asked.clear()
    _, again = follow_hands(network, with_other(image, slice(130, None)), (RIGHT, LEFT), seen)
    assert network.asked == ["left"]
    assert again[0].points is seen[0].points and again[1].points is not seen[1].points


def test_a_dark_hand_changes_as_much_as_a_bright_one():
    network = Hands()
    for levels in (1.0, 0.2):
        image, changed = (
            (picture * levels).astype(np.uint8)
            for picture in (noise(), with_other(noise(), slice(130, None)))
        )
        _, seen = follow_hands(network, image, (RIGHT, LEFT), NOTHING)
        network.asked.clear()
        follow_hands(network, changed, (RIGHT, LEFT), seen)
        assert network.asked == ["left"]


def test_of_two_that_changed_a_little_one_is_read_and_then_the_other():
    network, image = Hands(), noise()
    _, seen = follow_hands(network, image, (RIGHT, LEFT), NOTHING)
    network.asked.clear()
    changed = (0.7 * image + 0.3 * noise(1)).astype(np.uint8)
    _, seen = follow_hands(network, changed, (RIGHT, LEFT), seen)
    assert len(network.asked) == 1
    follow_hands(network, changed, (RIGHT, LEFT), seen)
    assert sorted(network.asked) == ["left", "right"]


def test_who_waited_has_the_next_turn_however_much_the_other_changes():
    network, image = Hands(sees=False), noise()
    _, seen = follow_hands(network, image, (RIGHT, LEFT), NOTHING)
    network.asked.clear()
    for frame in range(4):
        other = noise(1 + frame)
        changed = (0.6 * image + 0.4 * other).astype(np.uint8)
        changed[:, 130:] = other[:, 130:]  # the left one changes more, each time
        _, seen = follow_hands(network, changed, (RIGHT, LEFT), seen)
    assert network.asked == ["left", "right", "left", "right"]


def test_two_that_changed_much_are_both_read_unless_no_hand_was_seen_there():
    for sees, count in ((True, 2), (False, 1)):
        network = Hands(sees)
        points, seen = follow_hands(network, noise(), (RIGHT, LEFT), NOTHING)
        assert (points[0] is not None) == sees
        network.asked.clear()
        follow_hands(network, noise(1), (RIGHT, LEFT), seen)
        assert len(network.asked) == count


def test_a_hand_out_of_sight_is_not_given_and_a_crumb_is_not_read():
    network = Hands()
    points, _ = follow_hands(network, noise(), (None, np.full((3, 2), 50.0)), NOTHING)
    assert points == [None, None] and network.asked == []


@pytest.fixture(scope="module")
def photo():
    return np.array(Image.open(SAMPLES / "reference.png").convert("RGB"))


@pytest.fixture
def counting(monkeypatch):
    """open(mode) -> a finder, and a list that grows with each hand that is read."""

    def open_counting(mode):
        backend = BlazePoseBackend(mask=False, hands=True)
        read, runs = backend.hands.read, []
        monkeypatch.setattr(backend.hands, "read", lambda *at: runs.append(1) or read(*at))
        return PersonFinder(backend, mode=mode), runs

    return open_counting


def test_a_still_clip_reads_its_hands_once_and_gives_them_in_every_frame(photo, counting):
    finder, runs = counting("video")
    with finder:
        people = [finder.find(photo) for _ in range(4)]
    assert len(runs) == 2
    for person in people[1:]:
        for hand, first in zip(person.body.hands, people[0].body.hands, strict=True):
            assert np.abs(hand.points_px - first.points_px).max() < 6


def test_hands_in_photos_are_read_each_time(photo, counting):
    finder, runs = counting("photo")
    with finder:
        for _ in range(2):
            finder.find(photo)
    assert len(runs) == 4


def test_hands_of_somebody_who_comes_back_are_read_anew(photo, counting):
    finder, runs = counting("video")
    with finder:
        finder.find(photo)
        assert finder.find(np.full_like(photo, 128)) is None
        finder.find(photo)
    assert len(runs) == 4
