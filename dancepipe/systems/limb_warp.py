"""The limb warp as a system: what arithmetic alone makes of two sets of joints
(priors/limb_warp.py)."""

from dataclasses import dataclass

import torch
from torch import Tensor

from dancepipe.nn.tensors import mask_to_network, to_mask, to_network, to_picture
from dancepipe.pose.batch import PoseBatch
from dancepipe.priors.limb_warp import WarpSource, limb_warp, warp_source
from dancepipe.systems.system import (
    Drawn,
    SystemEntry,
    SystemInfo,
    check_references,
    check_targets,
)


@dataclass(frozen=True, eq=False)
class _Reference:
    I_r: Tensor  # (B, 3, H, W) in [-1, 1]
    matte_r: Tensor  # (B, 1, H, W)
    joints_r: Tensor  # (B, 18, 3)
    source: WarpSource


class LimbWarpSystem:
    """A System (system.py)."""

    info = SystemInfo("limb_warp", None)

    def __init__(self, device: str):
        self._device = torch.device(device)

    @torch.inference_mode()
    def encode(self, images: Tensor, masks: Tensor, poses: PoseBatch) -> _Reference:
        check_references(images, masks, poses)
        I_r, matte_r = to_network(images, self._device), mask_to_network(masks, self._device)
        joints_r = poses.joints.to(self._device)
        return _Reference(I_r, matte_r, joints_r, warp_source(I_r, matte_r, joints_r))

    @torch.inference_mode()
    def draw(self, state: _Reference, targets: PoseBatch) -> Drawn:
        check_targets(len(state.I_r), targets)
        I_r, matte_r, joints_r = (
            one.expand(len(targets), *one.shape[1:])
            for one in (state.I_r, state.matte_r, state.joints_r)
        )
        warped = limb_warp(I_r, matte_r, joints_r, targets.joints.to(self._device), state.source)
        return Drawn(to_picture(warped.picture).cpu(), to_mask(warped.matte).cpu())


ENTRY = SystemEntry("limb_warp", open=lambda weights, device, precision: LimbWarpSystem(device))
