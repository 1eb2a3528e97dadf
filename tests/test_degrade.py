"""Degradations: none changes nothing, each changes what it says by what it says."""

import numpy as np
import pytest

pytest.importorskip("scipy")

from dancepipe.dancers.degrade import Degradation, compress_video, degrade_mask, degrade_picture, jpeg_round_trip


def drawn_picture(seed: int = 0) -> np.ndarray:
    from scipy.ndimage import gaussian_filter

    noise = np.random.default_rng(seed).random((64, 64, 3))
    smooth = gaussian_filter(noise, (4, 4, 0))
    return ((smooth - smooth.min()) / np.ptp(smooth) * 200 + 20).astype(np.uint8)


def test_no_degradation_changes_nothing():
    picture, mask = drawn_picture(), (np.indices((64, 64)).sum(0) > 60).astype(np.uint8) * 255
    rng = np.random.default_rng(0)
    np.testing.assert_array_equal(degrade_picture(rng, picture, Degradation()), picture)
    np.testing.assert_array_equal(degrade_mask(rng, mask, Degradation()), mask)


def test_noise_has_about_the_strength_asked_for():
    grey = np.full((200, 200, 3), 128, np.uint8)
    noisy = degrade_picture(np.random.default_rng(1), grey, Degradation(noise=6.0)).astype(float)
    assert 4 < noisy.std() < 8 and abs(noisy.mean() - 128) < 0.5


def test_poorer_jpeg_is_further_off():
    picture = drawn_picture()
    errors = [np.abs(jpeg_round_trip(picture, quality).astype(float) - picture).mean() for quality in (95, 60, 15)]
    assert errors[0] < errors[1] < errors[2]


def test_a_straying_mask_stays_near_the_outline():
    rows, columns = np.indices((96, 96))
    mask = (np.hypot(rows - 48, columns - 48) < 30).astype(np.uint8) * 255
    ragged = degrade_mask(np.random.default_rng(2), mask, Degradation(mask_shift_px=1.5))
    distance = np.abs(np.hypot(rows - 48, columns - 48) - 30)
    assert (ragged != mask).any()
    np.testing.assert_array_equal(ragged[distance > 8], mask[distance > 8])
    overlap = ((ragged > 127) & (mask > 127)).sum() / ((ragged > 127) | (mask > 127)).sum()
    assert 0.85 < overlap < 1


@pytest.mark.parametrize("size_hw", [(64, 64), (63, 65)])
def test_video_compression_keeps_count_size_and_look(size_hw):
    frames = [np.roll(drawn_picture(3), 2 * shift, 1) for shift in range(5)]
    frames = [np.ascontiguousarray(np.pad(frame, ((0, 2), (0, 2), (0, 0)), mode="edge")[: size_hw[0], : size_hw[1]]) for frame in frames]
    errors = []
    for crf in (12, 42):
        decoded = compress_video(frames, crf)
        assert [frame.shape for frame in decoded] == [(*size_hw, 3)] * 5
        errors.append(np.mean([np.abs(a.astype(float) - b).mean() for a, b in zip(frames, decoded)]))
    assert errors[0] < 6 and errors[0] < errors[1]
