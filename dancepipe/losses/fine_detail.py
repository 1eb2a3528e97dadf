"""Fine detail: how much there is, and training terms for it, ours: what an L1 alone smooths away.

L1 rewards the mean of all guesses, which is a blur. `gradient_loss` asks for edges
where the target has them; `lost_detail_loss` is the price at which a gate gives up
fine contrast that the copy has and the target has nearby, wherever exactly its threads
and stripes lie, and only where the copy is right but for them: a face on the back of a
head is sharp, too. It is linear in the gate on purpose: asked to match contrasts, a
decoder paints a checkerboard, and a gate opens and closes in one.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

SCALES = 3
_LUMA = (0.299, 0.587, 0.114)  # Rec. 601
_SIGMA_PX, _REACH = 1.0, 2  # of the Gaussian whose rest is "fine"
_WINDOW, _STEP = 8, 4  # px; the neighbourhood whose contrast is compared
_RIGHT, _WRONG = (
    0.25,
    0.65,
    # in the mean colour of a window, of [-1, 1]: the shading of another pose is .2 off, skin for
    # dark
    # hair .6 to 1.5
)
_RIM_PX = 2  # the outline against the background is an edge, not detail
_FEWEST_PX = 32


def gradient_loss(made: Tensor, I_t: Tensor) -> Tensor:
    """L1 between the differences of neighbouring pixels, across and down, mean over three
    scales. (B, 3, H, W) in [-1, 1]."""
    error = made.float() - I_t
    levels = []
    for scale in range(SCALES):
        if scale:
            error = F.avg_pool2d(error, 2)
        levels.append((error.diff(dim=3).abs().mean() + error.diff(dim=2).abs().mean()) / 2)
    return torch.stack(levels).mean()


def lost_detail_loss(
    gate: Tensor, copied: Tensor, I_t: Tensor, mask: Tensor, body: Tensor | None = None
) -> Tensor:
    """Share of the copy that a gate drops times the fine contrast that both copy and target have
    there, mean over the person.

    Where the mean colour of the copy is off by more than _RIGHT, the price falls, and from _WRONG
    on there is none.

    gate (B, 1, H, W) in [0, 1], the share that is kept; copied, I_t (B, 3, H, W) in [-1, 1]; mask
    (B, 1, H, W) in [0, 1]. body (): what to divide by in place of the sum of body_windows(mask),
    when these samples are part of a batch.
    """
    inside = body_windows(mask)
    with torch.no_grad():
        worth = torch.minimum(
            _local_contrast(copied.float(), mask), _local_contrast(I_t, mask)
        ) * _rightness(copied.float(), I_t, mask)
    dropped = F.avg_pool2d(1 - gate.float(), _WINDOW, _STEP)
    return (dropped * worth * inside).sum() / (inside.sum().clamp_min(1) if body is None else body)


def body_windows(mask: Tensor) -> Tensor:
    """(B, 1, H, W) -> (B, 1, h, w): how much of each window whose contrast is compared is the
    person."""
    return F.avg_pool2d(mask, _WINDOW, _STEP)


def high_passed(images: Tensor) -> Tensor:
    """Luminance less its Gaussian blur (sigma 1 px): (B, 3, H, W) -> (B, 1, H, W), on the same
    scale."""
    luma = (images * images.new_tensor(_LUMA).view(1, 3, 1, 1)).sum(1, keepdim=True)
    offsets = torch.arange(-_REACH, _REACH + 1, device=luma.device, dtype=luma.dtype)
    window = torch.softmax(-0.5 * (offsets / _SIGMA_PX).square(), 0)
    padded = F.pad(luma, (_REACH,) * 4, mode="replicate")
    return luma - F.conv2d(F.conv2d(padded, window.view(1, 1, -1, 1)), window.view(1, 1, 1, -1))


def fine_contrast(images: Tensor, masks: Tensor) -> Tensor:
    """hf (B,): standard deviation of the high-passed luminance inside the mask, 2 px away from its
    outline.

    images (B, 3, H, W) in [0, 1], masks uint8 (B, H, W). nan where less than 32 pixels remain.
    """
    outside = (masks <= 127).float()[:, None]
    inside = F.max_pool2d(outside, 2 * _RIM_PX + 1, 1, _RIM_PX) == 0  # eroded
    high = high_passed(images)
    count = inside.sum((1, 2, 3))
    mean = (high * inside).sum((1, 2, 3)) / count.clamp_min(1)
    variance = ((high - mean[:, None, None, None]).square() * inside).sum(
        (1, 2, 3)
    ) / count.clamp_min(1)
    return torch.where(count >= _FEWEST_PX, variance.sqrt(), torch.nan)


def _rightness(copied: Tensor, I_t: Tensor, mask: Tensor) -> Tensor:
    """(B, 1, h, w) in [0, 1]: 1 where the mean colour of the person in a window is the target's
    or nearly, 0 where it is off by _WRONG or more."""
    off = F.avg_pool2d((copied - I_t) * mask, _WINDOW, _STEP).abs().mean(
        1, keepdim=True
    ) / body_windows(mask).clamp_min(1e-3)
    return ((_WRONG - off) / (_WRONG - _RIGHT)).clamp(0, 1)


def _local_contrast(images: Tensor, mask: Tensor) -> Tensor:
    """(B, 1, h, w): root mean square of the fine part within each window; the outline, which is
    no texture, is left out by the mask."""
    return F.avg_pool2d((high_passed(images) * mask).square(), _WINDOW, _STEP).sqrt()
