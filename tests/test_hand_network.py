"""Hands, from where the body says they are. Reference numbers: mediapipe 0.10.14's own graph."""

import math

import numpy as np
import pytest
from people import SAMPLES
from PIL import Image

from dancepipe.errors import ConfigError
from dancepipe.person.blazepose.hand_network import HandNetwork, rough_square
from dancepipe.person.blazepose.litert import Network
from dancepipe.person.blazepose.models import HAND, HAND_REGION, read_model
from dancepipe.person.finder import open_person_finder
from dancepipe.pose.skeleton import L_WRIST, R_WRIST
from dancepipe.skeletons import HAND_21

HANDS_XY_PX = {
    "right": (  # wrist, little finger and index of the body; every fourth point: x, y, depth
        [(114.7, 338.0), (105.1, 364.6), (110.4, 363.6)],
        [
            (107.78, 339.37, 0.00),
            (133.49, 354.31, -42.55),
            (119.97, 377.65, -43.86),
            (117.28, 388.68, -36.85),
            (117.10, 388.09, -27.25),
            (117.98, 381.24, -15.94),
        ],
    ),
    "left": (  # wrist, little finger and index of the body; every fourth point: x, y, depth
        [(396.5, 332.9), (403.9, 360.7), (396.8, 358.7)],
        [
            (399.46, 334.21, 0.00),
            (367.68, 348.67, -41.89),
            (380.29, 369.92, -44.75),
            (385.11, 382.69, -41.12),
            (389.01, 383.54, -30.46),
            (391.66, 379.91, -18.21),
        ],
    ),
}


@pytest.fixture(scope="module")
def photo():
    return np.array(Image.open(SAMPLES / "reference.png").convert("RGB"))


@pytest.fixture(scope="module")
def network():
    parts = [Network(model.name, read_model(model)) for model in (HAND_REGION, HAND)]
    network = HandNetwork(*parts)
    yield network
    network.close()


@pytest.mark.parametrize("hand", HANDS_XY_PX)
def test_a_rendered_hand_is_read_as_mediapipe_reads_it(network, photo, hand):
    body_points, truth = HANDS_XY_PX[hand]
    points = network.read(photo, np.array(body_points))
    assert points.shape == (21, 4) and points.dtype == np.float32
    np.testing.assert_allclose(points[::4, :3], truth, atol=0.5)
    assert 0.5 < points[0, 3] <= 1


def test_a_hand_that_hangs_is_upright_in_its_square():
    square = rough_square(np.array([[50, 40], [54, 60], [48, 60]]))  # wrist above the fingers
    assert abs(square.turn_radians) == pytest.approx(math.pi)
    assert square.side_px == pytest.approx(2 * 20 * 2.7)
    np.testing.assert_allclose(square.center_xy_px, [50, 60 + 0.1 * 2 * 20])  # 10 % further out


def test_where_there_is_no_hand_none_is_read(network, photo):
    shoes = np.array([[200.0, 690.0], [190.0, 730.0], [210.0, 730.0]])
    assert network.read(photo, shoes) is None
    assert network.read(photo, np.full((3, 2), 100.0)) is None  # three points in one: no square
    assert network.read(photo, np.full((3, 2), np.nan)) is None


def test_a_finder_gives_both_hands_at_the_wrists_when_asked(photo):
    with open_person_finder(mode="photo", mask=None, hands=True) as finder:
        person = finder.find(photo)
        mirrored = finder.find(np.ascontiguousarray(photo[:, ::-1])[:, ::-1])  # a view
    hands = person.body.hands
    for hand, wrist in zip(hands, (R_WRIST, L_WRIST), strict=True):
        assert hand.skeleton is HAND_21 and (hand.confidence > 0.5).all()
        assert math.dist(hand.points_px[0], person.pose.points_px[wrist]) < 15
        assert np.ptp(hand.points_px[:, 1]) > 20  # px, from the wrist to the finger tips
    for hand, other in zip(hands, mirrored.body.hands, strict=True):
        np.testing.assert_array_equal(hand.with_depth(), other.with_depth())


def test_no_hands_are_given_when_none_were_asked_for(photo):
    with open_person_finder(mode="photo", mask=None) as finder:
        assert finder.find(photo).body.hands is None


def test_a_backend_without_hands_says_so():
    with pytest.raises(ConfigError, match="the pose backend yolo reads no hands: choose mediapipe"):
        open_person_finder("yolo", None, hands=True)
