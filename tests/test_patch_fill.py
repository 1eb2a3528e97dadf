"""A person is taken out of the photo's place: what is put there is of the place, and shows no
outline."""

import numpy as np
import pytest

from dancepipe.rendering.background import rebuilt
from dancepipe.rendering.patch_fill import patch_filled

SIZE_HW = (240, 180)


def person() -> np.ndarray:
    """uint8 (H, W): a head over a body."""
    y, x = np.mgrid[: SIZE_HW[0], : SIZE_HW[1]]
    head = np.hypot(x - 90, y - 60) < 16
    body = (abs(x - 90) < 24) & (y > 70) & (y < 200)
    return np.where(head | body, 255, 0).astype(np.uint8)


def wall_and_floor() -> np.ndarray:
    """Vertical boards with a grain, and a floor below."""
    random = np.random.default_rng(3)
    y, x = np.mgrid[: SIZE_HW[0], : SIZE_HW[1]]
    image = np.where(x % 12 < 2, 60, 150)[..., None] + np.array((10, 0, -20))
    image = np.where((y > 170)[..., None], np.array((60, 90, 50)), image)
    return np.clip(image + random.normal(0, 6, (*SIZE_HW, 1)), 0, 255).astype(np.uint8)


def gradient() -> np.ndarray:
    y, x = np.mgrid[: SIZE_HW[0], : SIZE_HW[1]]
    return np.stack((200 + y / 6, 190 + x / 6, 210 + 0 * x), -1).astype(np.uint8)


@pytest.mark.parametrize(
    "place, most_off, least_texture", [(wall_and_floor, 40, 0.7), (gradient, 3, 0)]
)
@pytest.mark.parametrize("scale", [1, 4])
def test_the_place_goes_on_where_the_person_stood(place, most_off, least_texture, scale):
    """Also where pieces are found in a smaller size."""
    behind = np.kron(place(), np.ones((scale, scale, 1), np.uint8))
    mask = np.kron(person(), np.ones((scale, scale), np.uint8))
    photo = behind.copy()
    photo[mask > 0] = (250, 20, 120)
    filled = rebuilt(photo, mask)
    inside = mask > 0
    off = np.abs(filled.astype(float) - behind)
    assert off[inside].mean() < most_off
    assert np.array_equal(filled[:20], photo[:20])  # far from the person nothing changes
    pink = (filled[..., 0].astype(int) - filled[..., 1]) > 80
    assert not pink.any()
    if place is wall_and_floor:
        wall, floor = np.s_[100 * scale : 150 * scale], np.s_[180 * scale : 195 * scale]
        columns = np.s_[70 * scale : 110 * scale]
        assert filled[wall, columns].std() > least_texture * behind[wall, columns].std()
        assert np.abs(filled[floor, columns].mean((0, 1)) - (60, 90, 50)).max() < 25


def test_it_is_the_same_twice_and_needs_something_around(said):
    photo, mask = wall_and_floor(), person()
    assert np.array_equal(rebuilt(photo, mask), rebuilt(photo, mask))
    everywhere = np.full(SIZE_HW, 255, np.uint8)
    everywhere[:8] = 0
    assert patch_filled(photo, everywhere > 0) is None
    assert rebuilt(photo, everywhere).shape == photo.shape
    assert any("shows little beside the person" in line for line in said)
    assert np.array_equal(rebuilt(photo, 0 * mask), photo)
