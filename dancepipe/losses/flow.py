"""Terms about the flow alone: eq. 3 to 5, what GFLA adds or does in their place, and what rendered
people allow.

The flow at H/8 moves relu4_1 of VGG-19, the flow at H/4 relu3_1; numbers are means over both
levels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from dancepipe.losses.taps import AT_4, AT_8
from dancepipe.nn.local_attention import warp

Correctness = Literal["eq3", "gfla"]
_WINDOWS = (3, 5)  # of the affine regulariser at H/8 and H/4: those of local attention
_BEST_CHUNK = (
    2**24
)  # similarities held at a time when the best source of every position is looked for


def flow_feature_loss(
    flows: tuple[Tensor, Tensor],
    taps_r: Sequence[Tensor],
    taps_t: Sequence[Tensor],
    correctness: Correctness = "eq3",
) -> Tensor:
    """Eq. 3 and 4: exp(-cosine) of the warped reference's and the target's features at each
    position.

    correctness "gfla": the cosine is divided by the best that any source position has, so that what
    the reference does not show is not held against the flow (GFLA, eq. 4).
    """
    levels = []
    for flow, tap in zip(flows, (AT_8, AT_4)):
        target = taps_t[tap].detach().float()
        similarity = F.cosine_similarity(warp(taps_r[tap], flow), target, dim=1)  # (B, h, w)
        if correctness == "gfla":
            similarity = similarity / (_best_similarity(taps_r[tap].float(), target) + 1e-6)
        levels.append(torch.exp(-similarity).mean())
    return torch.stack(levels).mean()


@torch.no_grad()
def _best_similarity(reference: Tensor, target: Tensor) -> Tensor:
    """(B, h, w): the largest cosine of each target position with any reference position; memory
    is bounded."""
    batch, _, height, width = target.shape
    sources, wanted = (
        F.normalize(features.flatten(2), dim=1) for features in (reference, target)
    )  # (B, C, h w)
    step = max(1, _BEST_CHUNK // (batch * height * width))
    best = [torch.einsum("bcs,bct->bst", sources, part).amax(1) for part in wanted.split(step, 2)]
    return torch.cat(best, 1).view(batch, height, width)


def flow_image_loss(flows: tuple[Tensor, Tensor], I_r: Tensor, I_t: Tensor) -> Tensor:
    """Eq. 5: L1 between the reference warped at full size and the target."""
    levels = [F.l1_loss(warp(I_r, full_size(flow, I_r)), I_t) for flow in flows]
    return torch.stack(levels).mean()


def full_size(flow: Tensor, picture: Tensor) -> Tensor:
    """A flow (B, 2, h, w) of a smaller map at the size of a picture (B, C, H, W), in its pixels:
    (B, 2, H, W)."""
    return F.interpolate(flow, size=picture.shape[2:], mode="bilinear", align_corners=False) * (
        picture.shape[2] / flow.shape[2]
    )


@dataclass(frozen=True)
class ExactFlow:
    """What rendered people know of a pair: target pixel p shows reference pixel p + flow(p)."""

    flow: Tensor  # (B, 2, H, W), x and y in pixels of the picture
    visible: Tensor  # (B, 1, H, W), 1 where that is so


def flow_exact_loss(flows: tuple[Tensor, Tensor], exact: ExactFlow) -> Tensor:
    """Ours, for rendered people: mean over all positions of the L1 against the exact flow, in
    widths of the map; 0 where nothing is known.

    A plain mean, so that a batch in parts gives the same: the person and what of it the reference
    shows are a small share of it.
    """
    levels = []
    for made in flows:
        step = exact.visible.shape[2] // made.shape[2]
        share = F.avg_pool2d(exact.visible, step)  # (B, 1, h, w)
        wanted = (
            F.avg_pool2d(exact.flow * exact.visible, step) / share.clamp_min(1e-6) / step
        )  # mean of what is visible, in pixels of the map
        error = (made.float() - wanted).abs().mean(1, keepdim=True)
        levels.append((error * share).mean() / made.shape[3])
    return torch.stack(levels).mean()


def affine_loss(flows: tuple[Tensor, Tensor]) -> Tensor:
    """GFLA's regulariser: how far the flow within each window is from an affine map, mean square
    in pixels of its own map."""
    levels = []
    for flow, side in zip(flows, _WINDOWS):
        windows = F.unfold(flow.float().flatten(0, 1)[:, None], side)  # (2 B, side^2, windows)
        levels.append((_not_affine(side, flow.device) @ windows).square().mean())
    return torch.stack(levels).mean()


def _not_affine(side: int, device: torch.device) -> Tensor:
    """(side^2, side^2): takes from the values in a window what a + b x + c y can explain, by
    least squares."""
    y, x = torch.meshgrid(
        *(torch.arange(side, dtype=torch.float32) - (side - 1) / 2,) * 2, indexing="ij"
    )
    basis = torch.stack((torch.ones_like(x), x, y), -1).view(-1, 3)
    return (torch.eye(side * side) - basis @ torch.linalg.pinv(basis)).to(device)
