"""What a pair may undergo on the way into training: the same on reference and target, so that the task stays the same."""

import torch

from dancepipe.dataset.pairs import PairBatch
from dancepipe.person.skeleton import MIRROR


def mirrored(batch: PairBatch, which: torch.Tensor) -> PairBatch:
    """The pairs marked in `which` (bool (B,)) left-right mirrored, joints renamed (left becomes right)."""
    values = dict(vars(batch))
    mirror = torch.as_tensor(MIRROR, device=which.device)
    for role in ("reference", "target"):
        image, mask, joints = (values[f"{role}_{part}"] for part in ("image", "mask", "joints"))
        flipped = joints[:, mirror].clone()
        flipped[..., 0] = image.shape[2] - 1 - flipped[..., 0]
        values[f"{role}_image"] = torch.where(which[:, None, None, None], image.flip(2), image)
        values[f"{role}_mask"] = torch.where(which[:, None, None], mask.flip(2), mask)
        values[f"{role}_joints"] = torch.where(which[:, None, None], flipped, joints)
    if batch.flow is not None:
        turned = batch.flow.flip(2) * batch.flow.new_tensor([-1, 1])
        values["flow"] = torch.where(which[:, None, None, None], turned, batch.flow)
        values["flow_visible"] = torch.where(which[:, None, None], batch.flow_visible.flip(2), batch.flow_visible)
    return PairBatch(**values)


def recoloured(images: torch.Tensor, masks: torch.Tensor, gain: torch.Tensor, order: torch.Tensor) -> torch.Tensor:
    """Network pictures (B, 3, H, W) in [-1, 1] with their channels gained and reordered inside the mask.

    gain: (B, 3); order: int (B, 3), a permutation of the channels. masks: (B, 1, H, W)
    in [0, 1]. The grey background stays as it is.
    """
    batch = torch.arange(images.shape[0], device=images.device)[:, None]
    unit = (images + masks) / 2  # colour in [0, 1] times mask, since grey is 0
    changed = (unit[batch, order] * gain[:, :, None, None]).minimum(masks).clamp_min(0)
    return 2 * changed - masks


def random_colours(batch: int, strength: float, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """(gain (B, 3), channel order (B, 3)) on the CPU: gains exp(N(0, strength)), and the channels swapped in a third of the pairs."""
    gain = torch.exp(torch.randn(batch, 3, generator=generator) * strength)
    order = torch.arange(3).repeat(batch, 1)
    swap = torch.rand(batch, generator=generator) < 1 / 3
    for row in torch.nonzero(swap).flatten().tolist():
        order[row] = torch.randperm(3, generator=generator)
    return gain, order
