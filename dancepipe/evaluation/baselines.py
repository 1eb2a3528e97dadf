"""What learns nothing: any model must beat these."""

import torch

from dancepipe.errors import ConfigError
from dancepipe.evaluation.options import BASELINES
from dancepipe.nn.tensors import mask_to_network, to_network, to_picture
from dancepipe.priors.limb_warp import limb_warp


def baseline_pictures(
    name: str,
    images: torch.Tensor,
    masks: torch.Tensor,
    joints_r: torch.Tensor,
    joints_t: torch.Tensor,
    device: str,
) -> torch.Tensor:
    """References uint8 (B, H, W, 3), masks uint8 (B, H, W), joints (B, 18, 3) px -> results
    uint8 (B, H, W, 3)."""
    if name == "copy":
        return images
    if name == "limb-warp":
        warped = limb_warp(
            to_network(images, device),
            mask_to_network(masks, device),
            joints_r.to(device),
            joints_t.to(device),
        )
        return to_picture(warped.picture).cpu()
    raise ConfigError(f"unknown baseline '{name}'; known are: {', '.join(BASELINES)}")
