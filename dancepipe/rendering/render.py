"""Target poses -> pictures of the reference in those poses, in batches; the reference is encoded
once."""

import numpy as np
import torch

from dancepipe.nn.tensors import mask_to_network, to_network, to_picture
from dancepipe.pose.draw import heat_maps, joint_map
from dancepipe.priors.limb_warp import warp_source
from dancepipe.priors.limbs import limb_prior, shrunk_joints
from dancepipe.records import Pose
from dancepipe.rendering.reference import Reference
from dancepipe.systems.focus_retain.networks import Networks
from dancepipe.systems.focus_retain.sizes import enlarged, shrunk_pictures


class Renderer:
    """Renders one reference. networks: loaded weights; without an enhancer (stage 1 only) the
    coarse picture is the result."""

    def __init__(self, networks: Networks, reference: Reference, device: str, precision: str):
        self._device, self._precision = torch.device(device), precision
        self._enlarge = networks.dims.enlarge
        self._whole_hw = reference.image.shape[:2]
        self._coarse_hw = tuple(side // self._enlarge for side in self._whole_hw)
        self._flow_attention = networks.flow_attention.to(self._device).eval()
        self._enhancer = (
            networks.enhancer.to(self._device).eval() if networks.enhancer is not None else None
        )
        for network in (self._flow_attention, self._enhancer):
            if network is not None:
                network.to(
                    memory_format=torch.channels_last
                )  # 1.3 to 4 times faster transposed convolutions on the CPU
        with torch.inference_mode(), self._autocast():
            self._image = shrunk_pictures(
                to_network(reference.image[None], self._device), self._enlarge
            )
            self._matte = shrunk_pictures(
                mask_to_network(reference.mask[None], self._device), self._enlarge
            )
            self._joints = shrunk_joints(self._joints_of([reference.pose]), self._enlarge)
            self._source = (
                warp_source(self._image, self._matte, self._joints)
                if self._flow_attention.has_prior
                else None
            )
            self._encoded = self._flow_attention.encode_reference(
                self._image, *self._maps(self._joints)
            )

    def render(self, poses: list[Pose]) -> tuple[np.ndarray, np.ndarray]:
        """(uint8 RGB (B, S, S, 3) on grey, uint8 matte (B, S, S)) for B poses in canvas pixels."""
        with torch.inference_mode(), self._autocast():
            whole_joints = self._joints_of(poses)
            joints = shrunk_joints(whole_joints, self._enlarge)
            S_t, J_t = self._maps(joints)
            prior = (
                limb_prior(self._image, self._matte, self._joints, joints, self._source)
                if self._flow_attention.has_prior
                else None
            )
            made = enlarged(
                self._flow_attention.render(self._encoded, S_t, J_t, prior), self._enlarge
            )
            picture, matte_logits = made.coarse, made.matte_logits
            if self._enhancer is not None:
                if self._enlarge > 1:
                    J_t = joint_map(whole_joints, *self._whole_hw)
                refined = self._enhancer(made.coarse, made.matte_logits, J_t)
                picture, matte_logits = refined.final, refined.matte_logits
            matte = (torch.sigmoid(matte_logits.float())[:, 0] * 255).round().to(torch.uint8)
            return to_picture(picture.float()).cpu().numpy(), matte.cpu().numpy()

    def _joints_of(self, poses: list[Pose]) -> torch.Tensor:
        return torch.from_numpy(np.stack([pose.as_array() for pose in poses])).to(
            self._device
        )  # (B, 18, 3)

    def _maps(self, joints: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return heat_maps(joints, *self._coarse_hw), joint_map(joints, *self._coarse_hw)

    def _autocast(self):
        return torch.autocast(self._device.type, torch.bfloat16, enabled=self._precision == "bf16")
