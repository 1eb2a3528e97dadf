"""A pair -> what the flow attention network reads of it."""

from dataclasses import dataclass

import torch
from torch import Tensor

from dancepipe.geometry import shrunk_joints
from dancepipe.pose.draw import heat_maps, joint_map
from dancepipe.priors.names import prior_of
from dancepipe.priors.prior import PriorAt
from dancepipe.systems.focus_retain.flow_attention import FlowAttentionNetwork, FlowAttentionOutput
from dancepipe.systems.focus_retain.sizes import enlarged, shrunk_pictures
from dancepipe.systems.stage import NetworkPair


@dataclass(frozen=True, eq=False)
class CoarseInput:
    """The paper's names: S heat maps (B, 18, h, w), J joint maps (B, 3, h, w), r reference, t
    target. At the picture's size divided by `enlarge`."""

    I_r: Tensor  # (B, 3, h, w)
    S_r: Tensor
    S_t: Tensor
    J_r: Tensor
    J_t: Tensor
    prior: PriorAt | None
    enlarge: int

    @staticmethod
    @torch.no_grad()
    def of(pair: NetworkPair, network: FlowAttentionNetwork, enlarge: int = 1) -> "CoarseInput":
        """Shrink and draw. The prior is there for networks that read one."""
        height, width = (side // enlarge for side in pair.size_hw)
        I_r, matte_r = (shrunk_pictures(one, enlarge) for one in (pair.I_r, pair.matte_r))
        poses_r, poses_t = (poses.shrunk(enlarge) for poses in (pair.poses_r, pair.poses_t))
        joints_r_cpu, joints_t_cpu = (
            shrunk_joints(joints, enlarge) for joints in (pair.joints_r_cpu, pair.joints_t_cpu)
        )
        prior = prior_of(network.prior, I_r, matte_r, poses_r)
        return CoarseInput(
            I_r=I_r,
            S_r=heat_maps(poses_r.joints, height, width),
            S_t=heat_maps(poses_t.joints, height, width),
            J_r=joint_map(joints_r_cpu, height, width, I_r.device),
            J_t=joint_map(joints_t_cpu, height, width, I_r.device),
            prior=prior.at(poses_t) if prior else None,
            enlarge=enlarge,
        )

    def through(self, network: FlowAttentionNetwork) -> FlowAttentionOutput:
        """The coarse picture, at the size of the pair."""
        made = network(self.I_r, self.S_r, self.S_t, self.J_r, self.J_t, self.prior)
        return enlarged(made, self.enlarge)

    def flows(self, network: FlowAttentionNetwork) -> tuple[Tensor, Tensor]:
        """Those at H/8 and H/4 alone."""
        encoded = network.flow_network.encode_reference(self.I_r, self.S_r)
        return network.flow(encoded, self.S_t, self.prior)[1]
