"""Drawn pairs for training tests: a puppet of five colours in two poses, on the networks' grey."""

from dataclasses import dataclass

import torch
from torch import Tensor

from dancepipe.pose.draw import heat_maps, joint_map
from dancepipe.pose.skeleton import JOINTS, LIMBS

# In picture heights; x from the middle, y from the top.
_STANDING = {
    "nose": (0, 0.14),
    "neck": (0, 0.27),
    "right_shoulder": (-0.13, 0.27),
    "right_elbow": (-0.2, 0.42),
    "right_wrist": (-0.2, 0.57),
    "left_shoulder": (0.13, 0.27),
    "left_elbow": (0.2, 0.42),
    "left_wrist": (0.2, 0.57),
    "right_hip": (-0.07, 0.55),
    "right_knee": (-0.08, 0.75),
    "right_ankle": (-0.08, 0.93),
    "left_hip": (0.07, 0.55),
    "left_knee": (0.08, 0.75),
    "left_ankle": (0.08, 0.93),
    "right_eye": (-0.03, 0.11),
    "left_eye": (0.03, 0.11),
    "right_ear": (-0.06, 0.13),
    "left_ear": (0.06, 0.13),
}
_FOLLOWS = {"elbow": "shoulder", "wrist": "elbow", "knee": "hip", "ankle": "knee"}
_HEAD = ("nose", "eye", "ear")


@dataclass(frozen=True)
class PuppetPairs:
    """What a training batch holds. Pictures (B, 3, S, S) in [-1, 1], mask (B, 1, S, S), joints
    (B, 18, 3) of the target."""

    I_r: Tensor
    S_r: Tensor
    S_t: Tensor
    J_r: Tensor
    J_t: Tensor
    I_t: Tensor
    mask: Tensor
    joints: Tensor

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """In the order FlowAttentionNetwork takes them."""
        return self.I_r, self.S_r, self.S_t, self.J_r, self.J_t


def puppet_pairs(count: int, side_px: int, seed: int = 0) -> PuppetPairs:
    random = torch.Generator().manual_seed(seed)
    colours = torch.rand(count, 5, 3, generator=random) * 2 - 1
    reference, target = _poses(count, side_px, random), _poses(count, side_px, random)
    (I_r, _), (I_t, mask) = (
        _pictures(reference, colours, side_px),
        _pictures(target, colours, side_px),
    )
    (S_r, J_r), (S_t, J_t) = (
        (heat_maps(joints, side_px, side_px), joint_map(joints, side_px, side_px))
        for joints in (reference, target)
    )
    return PuppetPairs(I_r, S_r, S_t, J_r, J_t, I_t, mask, target)


def _poses(count: int, side_px: int, random: torch.Generator) -> Tensor:
    points = torch.tensor([_STANDING[name] for name in JOINTS]) + torch.tensor([0.5, 0])
    moves = (torch.rand(count, len(JOINTS), 2, generator=random) - 0.5) * 0.16
    for i, name in enumerate(JOINTS):
        side, _, joint = name.rpartition("_")
        if joint in _FOLLOWS:
            moves[:, i] += 0.8 * moves[:, JOINTS.index(f"{side}_{_FOLLOWS[joint]}")]
        elif joint in _HEAD:
            moves[:, i] = moves[:, 0]
    shift = (torch.rand(count, 1, 2, generator=random) - 0.5) * 0.12
    return torch.cat(((points + moves + shift) * side_px, torch.ones(count, len(JOINTS), 1)), 2)


def _pictures(joints: Tensor, colours: Tensor, side_px: int) -> tuple[Tensor, Tensor]:
    """Every limb a capsule of its part's colour, drawn over those before it."""
    y, x = torch.meshgrid(torch.arange(float(side_px)), torch.arange(float(side_px)), indexing="ij")
    pixels = torch.stack((x, y), -1)  # (S, S, 2)
    picture, mask = (
        torch.zeros(len(joints), 3, side_px, side_px),
        torch.zeros(len(joints), 1, side_px, side_px),
    )
    for a, b in LIMBS:
        start, end = joints[:, a, None, None, :2], joints[:, b, None, None, :2]
        along = (
            ((pixels - start) * (end - start)).sum(-1)
            / (end - start).square().sum(-1).clamp_min(1e-6)
        ).clamp(0, 1)
        distance = (pixels - start - along[..., None] * (end - start)).norm(dim=-1)
        cover = (side_px / 20 + 0.5 - distance).clamp(0, 1)[:, None]  # (B, 1, S, S)
        picture = picture * (1 - cover) + colours[:, _part(JOINTS[b]), :, None, None] * cover
        mask = torch.maximum(mask, cover)
    return picture, mask


def _part(joint: str) -> int:
    groups = (("shoulder", "hip"), ("elbow",), ("wrist",), ("knee", "ankle"), _HEAD)
    return next(i for i, endings in enumerate(groups) if joint.endswith(endings))
