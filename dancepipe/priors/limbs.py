"""The limb warp as structural prior, our addition to the paper: what the 18 joints alone say."""

import torch
from torch import Tensor

from dancepipe.geometry import shrunk_joints
from dancepipe.pose.batch import PoseBatch
from dancepipe.priors.limb_warp import limb_flow, limb_warp, warp_source
from dancepipe.priors.prior import PriorAt


class LimbPrior:
    """A Prior (prior.py). What depends on the reference alone is computed once."""

    def __init__(self, I_r: Tensor, matte_r: Tensor, poses_r: PoseBatch):
        """I_r (B, 3, H, W) in [-1, 1] on grey, matte_r (B, 1, H, W) in [0, 1]."""
        self._picture, self._matte, self._joints = I_r, matte_r, poses_r.joints.to(I_r.device)
        with torch.autocast(I_r.device.type, enabled=False):
            self._source = warp_source(I_r, matte_r, self._joints)

    def at(self, targets: PoseBatch) -> PriorAt:
        height, width = self._picture.shape[2:]
        picture, matte, joints_r = (
            one.expand(len(targets), *one.shape[1:])
            for one in (self._picture, self._matte, self._joints)
        )
        # bfloat16 coordinates are off by a pixel
        with torch.autocast(picture.device.type, enabled=False):
            warped = limb_warp(picture, matte, joints_r, targets.joints, self._source)
            # Smooth, and read at H/4 and H/8 only: drawn there, which costs a sixteenth.
            flow_4, _ = limb_flow(
                shrunk_joints(joints_r, 4),
                shrunk_joints(targets.joints, 4),
                height // 4,
                width // 4,
            )
        return PriorAt(warped.picture, warped.matte, flow_4, warped.layers)


def limb_prior(I_r: Tensor, matte_r: Tensor, joints_r: Tensor, joints_t: Tensor) -> PriorAt:
    """For references that serve once: I_r (B, 3, H, W) in [-1, 1] on grey, matte_r (B, 1, H, W) in
    [0, 1], joints (B, 18, 3); I_r and its own may have batch 1."""
    return LimbPrior(I_r, matte_r, PoseBatch(joints_r)).at(PoseBatch(joints_t))
