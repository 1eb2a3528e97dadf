"""A batch of pairs -> what the networks and the losses read, on the device."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from dancepipe.dataset.augment import mirrored, random_colours, recoloured
from dancepipe.dataset.pairs import PairBatch
from dancepipe.model.flow_losses import ExactFlow
from dancepipe.model.prior import shrunk_joints
from dancepipe.model.sizes import shrunk_pictures
from dancepipe.model.tensors import mask_to_network, to_network
from dancepipe.person.draw import heat_maps, joint_map


@dataclass(frozen=True)
class NetworkPair:
    """The paper's names: I pictures in [-1, 1] on grey, S heat maps, J joint maps, r reference, t target."""

    I_r: Tensor  # (B, 3, H, W)
    S_r: Tensor  # (B, 18, H, W)
    J_r: Tensor  # (B, 3, H, W)
    I_t: Tensor
    S_t: Tensor
    J_t: Tensor
    matte_r: Tensor  # (B, 1, H, W) in [0, 1]
    matte_t: Tensor
    joints_r: Tensor  # (B, 18, 3) px
    joints_t: Tensor
    exact: ExactFlow | None = None  # of data that know it


def shrunk_pair(pair: NetworkPair, factor: int) -> NetworkPair:
    """The same pair for pictures shrunk by factor, drawn anew; without its flow."""
    if factor == 1:
        return pair
    height, width = (side // factor for side in pair.I_t.shape[2:])
    joints_r, joints_t = shrunk_joints(pair.joints_r, factor), shrunk_joints(pair.joints_t, factor)
    return NetworkPair(
        I_r=shrunk_pictures(pair.I_r, factor),
        S_r=heat_maps(joints_r, height, width),
        J_r=joint_map(joints_r, height, width),
        I_t=shrunk_pictures(pair.I_t, factor),
        S_t=heat_maps(joints_t, height, width),
        J_t=joint_map(joints_t, height, width),
        matte_r=shrunk_pictures(pair.matte_r, factor),
        matte_t=shrunk_pictures(pair.matte_t, factor),
        joints_r=joints_r,
        joints_t=joints_t,
    )


def network_pair(batch: PairBatch, device: str, *, mirror: bool = False, colour_jitter: float = 0.0, seed: tuple[int, ...] = ()) -> NetworkPair:
    """Move, augment and draw. The augmentation is a function of `seed` alone, so that a resumed run repeats it."""
    generator = torch.Generator().manual_seed(int(np.random.SeedSequence(seed).generate_state(1)[0]))
    count = batch.target_image.shape[0]
    if mirror:
        batch = mirrored(batch, torch.rand(count, generator=generator) < 0.5)
    batch = batch.to(device)
    height, width = batch.target_image.shape[1:3]
    matte_r, matte_t = mask_to_network(batch.reference_mask), mask_to_network(batch.target_mask)
    I_r, I_t = to_network(batch.reference_image), to_network(batch.target_image)
    if colour_jitter:
        gain, order = (value.to(device) for value in random_colours(count, colour_jitter, generator))
        I_r, I_t = recoloured(I_r, matte_r, gain, order), recoloured(I_t, matte_t, gain, order)
    return NetworkPair(
        I_r=I_r,
        S_r=heat_maps(batch.reference_joints, height, width),
        J_r=joint_map(batch.reference_joints, height, width),
        I_t=I_t,
        S_t=heat_maps(batch.target_joints, height, width),
        J_t=joint_map(batch.target_joints, height, width),
        matte_r=matte_r,
        matte_t=matte_t,
        joints_r=batch.reference_joints,
        joints_t=batch.target_joints,
        exact=None if batch.flow is None else ExactFlow(batch.flow.permute(0, 3, 1, 2), batch.flow_visible[:, None].float()),
    )
