"""Layers of a limb warp, made by hand."""

import torch

from dancepipe.priors.moved_warp import WarpLayers


def still_layers(picture, matte):
    """Those of a warp that moves nothing: picture (1, 3, H, W), matte (1, 1, H, W)."""
    nothing, everywhere = torch.zeros_like(matte), torch.ones_like(matte)
    pixels, rest = (
        torch.cat((picture, matte, nothing), 1),
        torch.cat((everywhere, nothing.expand(-1, 4, -1, -1)), 1),
    )
    return WarpLayers(
        pixels, torch.eye(2, 3)[None, None], nothing[:, 0].long(), torch.ones(1), rest
    )
