"""Fine detail falls with blur, counts inside the mask alone, and does not take the outline for
detail."""

import numpy as np
import torch
from PIL import Image, ImageFilter

from dancepipe.evaluation.detail import fine_detail


def noisy(side: int = 64) -> np.ndarray:
    return np.random.default_rng(0).integers(60, 196, (side, side, 3), dtype=np.uint8)


def hf(picture: np.ndarray, mask: np.ndarray) -> float:
    return float(fine_detail(torch.from_numpy(picture[None]), torch.from_numpy(mask[None]))[0])


FULL = np.full((64, 64), 255, np.uint8)


def test_blur_takes_detail_away():
    sharp = noisy()
    blurred = [
        np.array(Image.fromarray(sharp).filter(ImageFilter.GaussianBlur(radius)))
        for radius in (1, 2)
    ]
    values = [hf(picture, FULL) for picture in (sharp, *blurred)]
    assert values[0] > 3 * values[1] > 6 * values[2] > 0


def test_a_checkerboard_has_the_known_detail():
    y, x = np.mgrid[0:64, 0:64]
    board = np.repeat(np.where((x + y) % 2, 178, 76).astype(np.uint8)[..., None], 3, 2)  # +- .2
    assert abs(hf(board, FULL) - 0.2) < 0.02  # the blur removes nearly all of the highest frequency


def test_only_the_inside_of_the_mask_counts():
    mask = np.zeros((64, 64), np.uint8)
    mask[16:48, 16:48] = 255
    picture = noisy()
    inside = hf(picture, mask)
    picture[:12] = 128
    picture[52:] = 0
    assert hf(picture, mask) == inside


def test_a_plain_person_on_another_background_has_no_detail():
    picture = np.full((64, 64, 3), 128, np.uint8)
    mask = np.zeros((64, 64), np.uint8)
    mask[16:48, 16:48] = 255
    picture[16:48, 16:48] = 220
    assert hf(picture, mask) < 2e-3


def test_a_person_of_a_few_pixels_has_no_number():
    mask = np.zeros((64, 64), np.uint8)
    mask[10:16, 10:16] = 255
    assert np.isnan(hf(noisy(), mask))
