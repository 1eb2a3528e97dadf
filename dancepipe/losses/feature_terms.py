"""Terms in the features of perceptual networks and of discriminators, as GANs of pix2pixHD's family
have them."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

_LEVELS = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1.0)
_TINY = 1e-6


def levelled_distance(taps: Sequence[Tensor], taps_t: Sequence[Tensor]) -> Tensor:
    """(B,): mean L1 of five maps, from fine to coarse weighing 1/32, 1/16, 1/8, 1/4, 1."""
    distances = [
        weight * (one.float() - other.float()).abs().mean((1, 2, 3))
        for weight, one, other in zip(_LEVELS, taps, taps_t, strict=True)
    ]
    return torch.stack(distances).sum(0)


def matching_distance(features: Sequence[Tensor], features_t: Sequence[Tensor]) -> Tensor:
    """(B,): mean L1 of each of a discriminator's layers, summed."""
    distances = [
        (one.float() - other.float()).abs().mean((1, 2, 3))
        for one, other in zip(features, features_t, strict=True)
    ]
    return torch.stack(distances).sum(0)


def contextual_distance(features: Tensor, others: Tensor) -> Tensor:
    """(B,): how little of what lies in features (B, C, h, w) is found anywhere in others, whatever
    its position. Mechrez et al., as CoCosNet has it: both are centred by the means over the
    channels of `others` at each position."""
    with torch.autocast(features.device.type, enabled=False):
        means = others.float().mean(1, keepdim=True)
        own, theirs = (
            F.normalize((one.float() - means).flatten(2), dim=1, eps=_TINY)
            for one in (features, others)
        )
        distance = 1 - own.transpose(1, 2) @ theirs  # (B, i, j)
        relative = distance / (distance.amin(2, keepdim=True) + 1e-3)
        similarity = torch.softmax(-relative / 0.1, 2)
        return -similarity.amax(2).mean(1).log()
