"""Pixel for pixel: L1, PSNR and SSIM over the whole picture, the person's box, and the person's
mask.

Pictures are uint8 RGB; values are taken in [0, 1]. All batched torch, on the pictures' device.
"""

from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

# Wang et al. 2004; the same window and constants as scikit-image with gaussian_weights=True,
# use_sample_covariance=False
_SIGMA_PX, _RADIUS_PX = 1.5, 5
_C1, _C2 = 0.01**2, 0.03**2
_LEAST_ERROR = 1e-10  # PSNR of equal pictures is 100 dB, not infinite: infinite values have no mean


def unit_range(pictures: Tensor) -> Tensor:
    """uint8 (B, H, W, 3) -> float32 (B, 3, H, W) in [0, 1]."""
    return pictures.permute(0, 3, 1, 2).float() / 255


def boxes(masks: Tensor) -> Tensor:
    """uint8 masks (B, H, W) -> float (B, 1, H, W): 1 in the bounding box of what is more than
    half person, 0 elsewhere."""
    inside = masks > 127
    rows, columns = inside.any(2), inside.any(1)  # (B, H), (B, W)

    def spanned(seen: Tensor) -> Tensor:
        return (seen.cumsum(1) > 0) & (seen.flip(1).cumsum(1).flip(1) > 0)

    return (spanned(rows)[:, :, None] & spanned(columns)[:, None, :]).float()[:, None]


def weighted_mean(values: Tensor, weights: Tensor) -> Tensor:
    """Mean over a picture: values (B, C, H, W), weights (B, 1, H, W) -> (B,); nan where all
    weights are 0."""
    total = weights.sum((1, 2, 3)) * values.shape[1]
    return torch.where(
        total > 0, (values * weights).sum((1, 2, 3)) / total.clamp_min(1e-9), torch.nan
    )


def l1_scores(fake: Tensor, real: Tensor, regions: dict[str, Tensor]) -> dict[str, Tensor]:
    """{"l1" + region: (B,)} of pictures in [0, 1]; regions: suffix -> weights (B, 1, H, W)."""
    error = (fake - real).abs()
    return {f"l1{suffix}": weighted_mean(error, weights) for suffix, weights in regions.items()}


def psnr_scores(fake: Tensor, real: Tensor, regions: dict[str, Tensor]) -> dict[str, Tensor]:
    """{"psnr" + region: (B,)} in dB, of the picture's own mean square error, at most 100."""
    error = (fake - real).square()
    return {
        f"psnr{suffix}": -10 * weighted_mean(error, weights).clamp_min(_LEAST_ERROR).log10()
        for suffix, weights in regions.items()
    }


def ssim_map(fake: Tensor, real: Tensor) -> Tensor:
    """(B, 3, H, W) in [0, 1] -> the similarity of every pixel and channel; borders replicated."""
    down, across = (_blur_matrix(side, fake.device) for side in fake.shape[2:])

    def blurred(values: Tensor) -> Tensor:
        return down @ values @ across.T

    mean_f, mean_r = blurred(fake), blurred(real)
    variance_f, variance_r = (
        blurred(fake * fake) - mean_f.square(),
        blurred(real * real) - mean_r.square(),
    )
    covariance = blurred(fake * real) - mean_f * mean_r
    return ((2 * mean_f * mean_r + _C1) * (2 * covariance + _C2)) / (
        (mean_f.square() + mean_r.square() + _C1) * (variance_f + variance_r + _C2)
    )


@lru_cache(maxsize=8)
def _blur_matrix(side: int, device: torch.device) -> Tensor:
    """(side, side): the window along one axis, borders replicated. As a product it takes a
    seventh of a convolution's time on a CPU."""
    offsets = torch.arange(-_RADIUS_PX, _RADIUS_PX + 1)
    window = torch.softmax(-0.5 * (offsets / _SIGMA_PX).square(), 0)
    rows = torch.arange(side)[:, None].expand(-1, len(offsets))
    matrix = torch.zeros(side, side).index_put(
        (rows, (rows + offsets).clamp(0, side - 1)), window.expand(side, -1), accumulate=True
    )
    return matrix.to(device)


def ssim_scores(fake: Tensor, real: Tensor, regions: dict[str, Tensor]) -> dict[str, Tensor]:
    """{"ssim" + region: (B,)}. Over the whole picture the outermost 5 pixels, whose windows
    reach out, do not count, as usual."""
    similarity = ssim_map(fake, real)
    scores = {}
    for suffix, weights in regions.items():
        if suffix == "" and min(fake.shape[2:]) > 2 * _RADIUS_PX:
            weights = F.pad(
                weights[..., _RADIUS_PX:-_RADIUS_PX, _RADIUS_PX:-_RADIUS_PX], (_RADIUS_PX,) * 4
            )
        scores[f"ssim{suffix}"] = weighted_mean(similarity, weights)
    return scores


def pixel_scores(
    fake: Tensor, real: Tensor, masks: Tensor | None, wanted: set[str]
) -> dict[str, Tensor]:
    """uint8 (B, H, W, 3) twice, uint8 masks (B, H, W) or None -> every number of `wanted` (l1,
    psnr, ssim), each (B,).

    Without masks, and of a picture whose mask is empty, the numbers over box and mask are nan.
    """
    fake, real = unit_range(fake), unit_range(real)
    whole = torch.ones_like(real[:, :1])
    nothing = torch.zeros_like(whole)
    regions = {
        "": whole,
        "_box": nothing if masks is None else boxes(masks),
        "_mask": nothing if masks is None else masks[:, None].float() / 255,
    }
    scores = {}
    for name, function in (("l1", l1_scores), ("psnr", psnr_scores), ("ssim", ssim_scores)):
        if name in wanted:
            scores |= function(fake, real, regions)
    return scores
