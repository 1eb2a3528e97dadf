"""What is taken away from masks along the outline, and what is not."""

import numpy as np
import pytest

from dancepipe.person.halo import without_halo

SIDE, WIDE_PX = 256, 3


def person_in_a_wide_mask(person, wall) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A picture of a standing figure, a mask that is WIDE_PX too large, and the right one."""
    y, x = np.mgrid[:SIDE, :SIDE]
    away = np.maximum(np.abs(x - SIDE / 2) - 30, np.abs(y - SIDE / 2) - 90)  # px beyond it
    image = np.where((away <= 0)[..., None], person, wall).astype(np.uint8)
    noise = np.random.default_rng(1).normal(0, 4, image.shape)
    image = np.clip(image + noise, 0, 255).astype(np.uint8)
    return image, np.where(away <= WIDE_PX, 255, 0).astype(np.uint8), away <= 0


@pytest.mark.parametrize(
    "person, wall", [((30, 35, 70), (235, 235, 230)), ((220, 60, 50), (40, 120, 60))]
)
def test_a_rim_of_background_is_taken_away_and_no_more(person, wall):
    image, mask, right = person_in_a_wide_mask(person, wall)
    less = without_halo(image, mask)
    too_much = (mask > 0) & ~right
    assert less[too_much].mean() < 0.3 * 255
    assert less[right].mean() > 0.98 * 255
    assert (less <= mask).all()


def test_white_clothes_before_a_white_wall_stay():
    image, mask, _ = person_in_a_wide_mask((238, 236, 230), (215, 215, 210))
    np.testing.assert_array_equal(without_halo(image, mask), mask)


def test_nothing_is_touched_below_the_ankles():
    image, mask, right = person_in_a_wide_mask((30, 35, 70), (235, 235, 230))
    less = without_halo(image, mask, above_px=150.0)
    np.testing.assert_array_equal(less[152:], mask[152:])
    assert less[:148][(mask > 0)[:148] & ~right[:148]].mean() < 0.3 * 255


def test_a_mask_of_nothing_or_of_everything_stays():
    image, _, _ = person_in_a_wide_mask((30, 35, 70), (235, 235, 230))
    for value in (0, 255):
        mask = np.full((SIDE, SIDE), value, np.uint8)
        np.testing.assert_array_equal(without_halo(image, mask), mask)
