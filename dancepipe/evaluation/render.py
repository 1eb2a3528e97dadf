"""Weights and pairs -> pictures."""

import torch

from dancepipe.nn.tensors import mask_to_network, to_network, to_picture
from dancepipe.pose.draw import heat_maps, joint_map
from dancepipe.priors.limbs import limb_prior, shrunk_joints
from dancepipe.systems.focus_retain.networks import Networks
from dancepipe.systems.focus_retain.sizes import enlarged, shrunk_pictures


class PairRenderer:
    """Renders pairs with the networks of a weight file, on the device."""

    def __init__(self, networks: Networks, device: str, precision: str):
        self._networks, self._device, self._precision = networks, torch.device(device), precision
        for network in (networks.flow_attention, networks.enhancer):
            if network is not None:
                network.to(self._device, memory_format=torch.channels_last).eval()

    @torch.inference_mode()
    def __call__(
        self,
        images: torch.Tensor,
        masks: torch.Tensor,
        joints_r: torch.Tensor,
        joints_t: torch.Tensor,
    ) -> torch.Tensor:
        """References uint8 (B, H, W, 3), masks uint8 (B, H, W), joints (B, 18, 3) px of both ->
        uint8 (B, H, W, 3) on grey."""
        network, enlarge, whole_joints_t = (
            self._networks.flow_attention,
            self._networks.dims.enlarge,
            joints_t.to(self._device),
        )
        I_r, matte_r = (
            shrunk_pictures(one, enlarge)
            for one in (to_network(images, self._device), mask_to_network(masks, self._device))
        )
        joints_r, joints_t = (
            shrunk_joints(joints_r.to(self._device), enlarge),
            shrunk_joints(whole_joints_t, enlarge),
        )
        size_hw = I_r.shape[2:]
        J_t = joint_map(joints_t, *size_hw)
        prior = limb_prior(I_r, matte_r, joints_r, joints_t) if network.has_prior else None
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._precision == "bf16"):
            made = network(
                I_r,
                heat_maps(joints_r, *size_hw),
                heat_maps(joints_t, *size_hw),
                joint_map(joints_r, *size_hw),
                J_t,
                prior,
            )
            made = enlarged(made, enlarge)
            if self._networks.enhancer is None:
                return to_picture(made.coarse).cpu()
            if enlarge > 1:
                J_t = joint_map(whole_joints_t, *images.shape[1:3])
            return to_picture(
                self._networks.enhancer(made.coarse, made.matte_logits, J_t).final
            ).cpu()
