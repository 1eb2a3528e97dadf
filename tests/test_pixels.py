"""L1, PSNR and SSIM: known answers, each region alone, and scikit-image's SSIM."""

import numpy as np
import pytest
import torch

from dancepipe.evaluation.pixels import boxes, pixel_scores

EVERY = {"l1", "psnr", "ssim"}


def pictures(count: int = 2, side: int = 40, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(
        np.random.default_rng(seed).integers(0, 256, (count, side, side, 3), dtype=np.uint8)
    )


def middle_mask(side: int = 40) -> torch.Tensor:
    mask = torch.zeros(2, side, side, dtype=torch.uint8)
    mask[:, 10:30, 15:25] = 255
    mask[:, 12, 17] = 0  # a hole: in the box, not in the mask
    return mask


def test_equal_pictures_are_perfect_everywhere():
    real = pictures()
    for name, values in pixel_scores(real, real, middle_mask(), EVERY).items():
        wanted = {"l1": 0.0, "psnr": 100.0, "ssim": 1.0}[name.split("_")[0]]
        torch.testing.assert_close(values, torch.full((2,), wanted), atol=1e-5, rtol=0)


def test_a_known_difference_gives_the_known_numbers():
    real = torch.full((2, 40, 40, 3), 100, dtype=torch.uint8)
    fake = real.clone()
    fake[:, 10:30, 15:25] = 151  # .2 more, exactly in the box
    scores = pixel_scores(fake, real, middle_mask(), EVERY)
    torch.testing.assert_close(scores["l1_box"], torch.full((2,), 0.2))
    torch.testing.assert_close(scores["l1_mask"], torch.full((2,), 0.2))
    torch.testing.assert_close(scores["l1"], torch.full((2,), 0.2 * 200 / 1600))
    torch.testing.assert_close(
        scores["psnr_box"], torch.full((2,), -10 * float(np.log10(0.04))), atol=1e-4, rtol=0
    )


def test_regions_see_only_themselves():
    real = pictures()
    fake = real.clone()
    fake[:, 0, 0] = 255 - fake[:, 0, 0]  # outside the box
    scores = pixel_scores(fake, real, middle_mask(), EVERY)
    assert (
        (scores["l1"] > 0).all()
        and (scores["l1_box"] == 0).all()
        and (scores["l1_mask"] == 0).all()
    )
    fake = real.clone()
    fake[:, 12, 17] = 255 - fake[:, 12, 17]  # in the box, not in the mask
    scores = pixel_scores(fake, real, middle_mask(), EVERY)
    assert (scores["l1_box"] > 0).all() and (scores["l1_mask"] == 0).all()


def test_ssim_is_the_usual_one():
    metrics = pytest.importorskip("skimage.metrics")
    real = torch.from_numpy(
        np.random.default_rng(1).integers(0, 256, (3, 48, 56, 3), dtype=np.uint8)
    )
    fake = (real.float() * 0.8 + pictures(3, 56, 2)[:, :48].float() * 0.2).round().to(torch.uint8)
    ours = pixel_scores(fake, real, None, {"ssim"})["ssim"]
    for i in range(3):
        wanted = metrics.structural_similarity(
            fake[i].numpy() / 255,
            real[i].numpy() / 255,
            channel_axis=2,
            data_range=1.0,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
        assert float(ours[i]) == pytest.approx(wanted, abs=1e-5)


def test_without_masks_regions_do_not_apply():
    scores = pixel_scores(pictures(), pictures(seed=1), None, EVERY)
    assert (
        torch.isfinite(scores["l1"]).all()
        and torch.isnan(scores["l1_box"]).all()
        and torch.isnan(scores["ssim_mask"]).all()
    )


def test_the_box_is_that_of_the_mask():
    mask = torch.zeros(1, 8, 8, dtype=torch.uint8)
    mask[0, 2, 3] = mask[0, 5, 6] = 200
    assert boxes(mask)[0, 0].nonzero().tolist() == [
        [y, x] for y in range(2, 6) for x in range(3, 7)
    ]


def test_nobody_has_no_box_and_no_mask():
    scores = pixel_scores(
        pictures(), pictures(seed=1), torch.zeros(2, 40, 40, dtype=torch.uint8), EVERY
    )
    assert (
        torch.isnan(scores["l1_box"]).all()
        and torch.isnan(scores["psnr_mask"]).all()
        and torch.isfinite(scores["l1"]).all()
    )
