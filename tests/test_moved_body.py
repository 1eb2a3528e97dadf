"""The body's picture read beside its place: surfaces keep their own places in the photo, and what
the photo does not show is read off the finished picture."""

import numpy as np
import pytest
import torch

from dancepipe.priors.moved_body import BodyLayers

SIDE, MIDDLE = 32, 16
PER_PX = 1 / 64  # the photo is a ramp: its colour says where it was read
CUBIC_PX = 0.06  # how far from it torch's cubic reads a ramp


def layers(source, seen, unseen_colour=0.0):
    """Of a ramp that rises by x, source (H, W, 2), seen (H, W)."""
    x = torch.arange(SIDE) * PER_PX
    photo = x.expand(1, 3, SIDE, SIDE)
    shown = torch.from_numpy(source[..., 0]) * PER_PX
    shown = torch.where(torch.from_numpy(seen), shown, torch.tensor(unseen_colour))
    picture = shown.expand(1, 3, SIDE, SIDE)
    return BodyLayers.of(
        photo, picture, torch.ones(1, 1, SIDE, SIDE), source[None], seen[None].astype(np.float32)
    )  # fmt: skip


def read(made, x_px, y_px=0.0):
    """Where in the photo each pixel of a middle row reads, in px."""
    move = torch.tensor([x_px, y_px]).view(1, 2, 1, 1).expand(1, 2, SIDE, SIDE)
    return made.read(move)[0][0, 0, MIDDLE].numpy() / PER_PX


def places(at_x):
    """float32 (H, W, 2): at_x(column) and the row."""
    y, x = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    return np.stack((at_x(x), y), -1).astype(np.float32)


EVERYWHERE = np.ones((SIDE, SIDE), bool)


@pytest.mark.parametrize("scale", [0.5, 1.0])
def test_a_move_is_scaled_as_the_surface_is(scale):
    made = layers(places(lambda x: 1 + scale * x), EVERYWHERE)
    for move in (0.0, 0.3, -0.4, 2.7):
        got = read(made, move)[4:-6]
        np.testing.assert_allclose(got, 1 + scale * (np.arange(SIDE)[4:-6] + move), atol=CUBIC_PX)


def test_a_turned_surface_is_read_along_its_turn():
    y, x = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    made = layers(np.stack((y, SIDE - 1 - x), -1), EVERYWHERE)
    np.testing.assert_allclose(read(made, 0.0, 0.4)[4:-4], MIDDLE + 0.4, atol=CUBIC_PX)
    np.testing.assert_allclose(read(made, 0.4, 0.0)[4:-4], MIDDLE, atol=CUBIC_PX)


def test_two_surfaces_that_meet_are_not_mixed():
    made = layers(places(lambda x: np.where(x < MIDDLE, x, x - 10)), EVERYWHERE)
    got = read(made, 0.4)
    assert got[MIDDLE - 1] == pytest.approx(MIDDLE - 1 + 0.4, abs=CUBIC_PX)
    assert got[MIDDLE] == pytest.approx(MIDDLE - 10 + 0.4, abs=CUBIC_PX)


def test_beside_what_is_not_seen_the_two_are_mixed_and_no_other_place_is_read():
    seen = np.zeros((SIDE, SIDE), bool)
    seen[:, :MIDDLE] = True
    made = layers(places(lambda x: np.where(x < MIDDLE, x, 3)), seen, unseen_colour=-0.5)
    wanted = 0.5 * (MIDDLE - 1 + 0.5) + 0.5 * -0.5 / PER_PX  # a cubic has the half there, too
    assert read(made, 0.5)[MIDDLE - 1] == pytest.approx(wanted, abs=CUBIC_PX)
    np.testing.assert_allclose(read(made, 0.4)[MIDDLE + 1 :], -0.5 / PER_PX, atol=CUBIC_PX)


def test_the_matte_moves_along():
    photo = torch.zeros(1, 3, SIDE, SIDE)
    matte = torch.zeros(1, 1, SIDE, SIDE)
    matte[..., :MIDDLE] = 1
    made = BodyLayers.of(photo, photo, matte, places(lambda x: x)[None], EVERYWHERE[None])
    move = torch.zeros(1, 2, SIDE, SIDE)
    move[:, 0] = 0.5
    assert made.read(move)[1][0, 0, MIDDLE, MIDDLE - 1] == pytest.approx(0.5)
