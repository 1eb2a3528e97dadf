"""Squares turned in a picture: what is read of them, and the way back."""

import math

import numpy as np
import pytest

from dancepipe.person.blazepose.region import Region
from dancepipe.person.blazepose.turned_square import TurnedSquare

SQUARES = [
    TurnedSquare((100.0, 80.0), 90.0),
    TurnedSquare((96.5, 83.25), 128.0, 0.7),
    TurnedSquare((60.0, 120.0), 200.0, -2.4),
]


def picture_with_slopes(size_wh=(200, 180)) -> np.ndarray:
    """Red grows to the right, green downwards, both by one level a pixel."""
    y, x = np.mgrid[: size_wh[1], : size_wh[0]]
    return np.stack([x, y, np.zeros_like(x)], -1).astype(np.uint8)


def test_corners_lie_half_a_side_from_the_middle():
    corners = TurnedSquare((10.0, 20.0), 8.0).to_picture(np.array([[0, 0], [1, 0], [0.5, 1]]))
    np.testing.assert_allclose(corners, [[6, 16], [14, 16], [10, 24]])


def test_a_quarter_turn_lays_the_upper_edge_to_the_right():
    tip = TurnedSquare((10.0, 20.0), 8.0, math.pi / 2).to_picture(np.array([0.5, 0]))
    np.testing.assert_allclose(tip, [14, 20], atol=1e-9)


@pytest.mark.parametrize("square", SQUARES)
def test_what_is_read_is_the_picture_at_that_place(square):
    size = 64
    seen = square.read(picture_with_slopes(), size, repeat_border=True).astype(float)
    y, x = np.mgrid[:size, :size]
    # The grid of the networks: half a step of the input less half a pixel beside the true place.
    places = square.to_picture(np.stack([x, y], -1) / size) + 0.5
    inside = ((places > 1) & (places < [198, 178])).all(-1)
    assert inside.sum() > 500
    assert np.abs(seen[..., :2] - places)[inside].max() < 0.6


@pytest.mark.parametrize("square", SQUARES)
def test_what_was_read_is_laid_back_where_it_was(square):
    picture = np.zeros((180, 200, 3), np.uint8)
    picture[70:110, 80:105] = 255
    seen = square.read(picture, 256, repeat_border=False)[..., 0].astype(np.float32) / 255
    back = square.spread(seen, (200, 180))
    truth = picture[..., 0] > 127
    there = back > 0.5
    within = square.spread(np.ones((256, 256), np.float32), (200, 180)) > 0.99
    assert (there & truth).sum() / ((there | truth) & within).sum() > 0.97
    assert back.shape == (180, 200) and back[~(back > 0)].size  # 0 outside


def test_beyond_the_picture_lie_its_border_pixels_or_black():
    white = np.full((50, 50, 3), 200, np.uint8)
    square = TurnedSquare((0.0, 0.0), 60.0)
    assert square.read(white, 32, repeat_border=True).min() == 200
    assert square.read(white, 32, repeat_border=False)[:8, :8].max() == 0


def test_a_region_stands_upright_in_its_square():
    region = Region((50.0, 60.0), (80.0, 20.0))
    square = region.square()
    assert square.side_px == pytest.approx(125)
    # the tip lies on the square's upright axis, a reach above the middle
    np.testing.assert_allclose(
        square.to_picture(np.array([0.5, 0.5 - 1 / 2.5])), [80, 20], atol=1e-6
    )
