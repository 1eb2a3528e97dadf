"""Poses -> what these networks read of them: the maps of dims.pose, and the prior beside them."""

from dataclasses import dataclass

import torch
from torch import Tensor

from dancepipe.pose.batch import PoseBatch
from dancepipe.pose.draw import heat_maps, joint_map, limb_distances
from dancepipe.priors.names import prior_of
from dancepipe.priors.prior import PriorAt
from dancepipe.systems.single.dims import SingleDims
from dancepipe.systems.single.network import Made, SingleNetwork
from dancepipe.systems.stage import NetworkPair


def pose_input(
    dims: SingleDims,
    poses: PoseBatch,
    size_hw: tuple[int, int],
    device: torch.device | str,
    prior: PriorAt | None,
) -> Tensor:
    """(B, dims.pose_channels, H, W). J is drawn from joints where they are: on the CPU nothing
    waits for the device. prior: at these poses, of networks that read one."""
    joints = poses.joints.to(device)
    drawn = {
        "S": lambda: heat_maps(joints, *size_hw),
        "J": lambda: joint_map(poses.joints, *size_hw, device),
        "L": lambda: limb_distances(joints, *size_hw),
    }
    maps = torch.cat([drawn[name]() for name in dims.pose], 1)
    if dims.signs_pose:
        maps = maps * 2 - 1
    guess = () if prior is None else (prior.inputs(),)
    return torch.cat((maps, *guess), 1).contiguous(memory_format=torch.channels_last)


@dataclass(frozen=True, eq=False)
class PairInput:
    """A pair, and what the network reads of it."""

    pair: NetworkPair
    pose_r: Tensor | None
    pose_t: Tensor
    # () samples whose two faces are known, of a batch in parts as losses/adversarial.py counts
    faces: Tensor | None = None

    @staticmethod
    @torch.no_grad()
    def of(pair: NetworkPair, dims: SingleDims, network: SingleNetwork) -> "PairInput":
        """Draws the maps, and the prior where the network reads one."""
        prior = prior_of(dims.prior, pair.I_r, pair.matte_r, pair.poses_r)
        sides = [(pair.joints_t_cpu, pair.poses_t)]
        if network.reads_reference_pose:
            sides.append((pair.joints_r_cpu, pair.poses_r))
        pose_t, *others = (
            pose_input(
                dims,
                PoseBatch(joints_cpu),
                pair.size_hw,
                pair.I_t.device,
                prior.at(poses) if prior else None,
            )
            for joints_cpu, poses in sides
        )
        return PairInput(pair, others[0] if others else None, pose_t)

    def through(self, network: SingleNetwork) -> Made:
        return network(self.pair.I_r, self.pose_r, self.pose_t)
