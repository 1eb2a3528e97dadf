"""The place behind a dancer, from frames in which they stood elsewhere."""

import cv2
import numpy as np
import pytest

from dancepipe.rendering.plate import clean_plate, hole_of, without_person

HEIGHT, WIDTH = 120, 160


def room() -> np.ndarray:
    """uint8 RGB: tiles, so that every place has its own edges."""
    rng = np.random.default_rng(4)
    tiles = rng.integers(30, 220, (HEIGHT // 8, 2 * WIDTH // 8, 3), dtype=np.uint8)
    return cv2.resize(tiles, (2 * WIDTH, HEIGHT), interpolation=cv2.INTER_NEAREST)


def frames(lefts, pan_px=0, light=1.0):
    """Somebody red who stands at each of `lefts` in turn; the camera pans by so much a frame."""
    images, masks = [], []
    for number, left in enumerate(lefts):
        image = room()[:, number * pan_px : number * pan_px + WIDTH] * light
        image = image.clip(0, 255).astype(np.uint8)
        image[30:110, left : left + 20] = (200, 20, 20)
        mask = np.zeros((HEIGHT, WIDTH), np.uint8)
        mask[30:110, left : left + 20] = 255
        images.append(image)
        masks.append(mask)
    return images, masks


def test_what_others_hide_is_seen_elsewhere():
    images, masks = frames([10, 60, 100])
    plate = clean_plate(images, masks)
    np.testing.assert_array_equal(plate, room()[:, :WIDTH])


def test_what_is_never_seen_is_painted_in_and_the_rest_is_as_it_was():
    images, masks = frames([60, 62, 64])
    plate = clean_plate(images, masks)
    hidden = np.min([hole_of(mask) for mask in masks], 0)
    near = cv2.dilate(hidden.astype(np.uint8), np.ones((15, 15))) > 0
    np.testing.assert_array_equal(plate[~near], room()[:, :WIDTH][~near])
    red = (plate[hidden].astype(int) - [200, 20, 20]).__abs__().sum(1)
    assert (red > 60).mean() > 0.9


def test_a_camera_that_moves_gives_no_plate():
    images, masks = frames([10, 40, 70, 100, 120], pan_px=12)
    assert clean_plate(images, masks) is None


def test_before_a_bare_wall_a_plate_is_made():
    images = [np.full((HEIGHT, WIDTH, 3), 180, np.uint8) for _ in range(3)]
    masks = frames([10, 60, 100])[1]
    for image, mask in zip(images, masks):
        image[mask > 0] = 20
    assert (clean_plate(images, masks) == 180).all()


@pytest.mark.parametrize("light", [0.9, 1.0, 1.1])
def test_a_frame_keeps_its_light_and_what_is_not_the_person(light):
    images, masks = frames([10, 60, 100])
    plate = clean_plate(images, masks)
    (image,), (mask,) = frames([80], light=light)
    made = without_person(image, mask, plate)
    lit = (room()[:, :WIDTH] * light).clip(0, 255)
    assert np.abs(made - lit)[mask > 0].mean() < 6
    far = cv2.dilate(mask, np.ones((25, 25))) == 0
    np.testing.assert_array_equal(made[far], image[far])


def test_a_frame_without_the_person_stays():
    images, _ = frames([10])
    nobody = np.zeros((HEIGHT, WIDTH), np.uint8)
    np.testing.assert_array_equal(without_person(images[0], nobody, images[0]), images[0])
