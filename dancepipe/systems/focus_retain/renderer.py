"""The paper's system, ready to draw: shrink, draw the maps, prior, stage 1, enlarge, stage 2."""

from dataclasses import dataclass

import torch
from torch import Tensor

from dancepipe.nn.tensors import mask_to_network, to_mask, to_network, to_picture
from dancepipe.pose.batch import PoseBatch
from dancepipe.pose.draw import heat_maps, joint_map
from dancepipe.priors.names import prior_of
from dancepipe.priors.prior import Prior
from dancepipe.systems.focus_retain.flow_attention import EncodedReference
from dancepipe.systems.focus_retain.networks import Networks
from dancepipe.systems.focus_retain.sizes import enlarged, shrunk_pictures
from dancepipe.systems.system import Drawn, SystemInfo, check_references, check_targets


@dataclass(frozen=True, eq=False)
class EncodedPeople:
    """What serves any number of targets."""

    encoded: EncodedReference
    prior: Prior | None
    size_hw: tuple[int, int]  # of the whole pictures
    count: int


class FocusRetain:
    """A System (system.py). Without an enhancer (stage 1 only) the enlarged coarse picture is the
    result."""

    def __init__(self, networks: Networks, device: str, precision: str):
        """networks: are moved to the device, and to channels_last."""
        self._dims, self._device = networks.dims, torch.device(device)
        self._flow_attention, self._enhancer = networks.flow_attention, networks.enhancer
        self._precision = precision
        self.info = _info(networks)
        for network in (self._flow_attention, self._enhancer):
            if network is not None:
                # 1.3 to 4 times faster transposed convolutions on the CPU
                network.to(self._device).to(memory_format=torch.channels_last).eval()

    @torch.inference_mode()
    def encode(self, images: Tensor, masks: Tensor, poses: PoseBatch) -> EncodedPeople:
        check_references(images, masks, poses)
        I_r, matte_r = (
            shrunk_pictures(one, self._dims.enlarge)
            for one in (to_network(images, self._device), mask_to_network(masks, self._device))
        )
        poses = poses.shrunk(self._dims.enlarge)
        height, width = I_r.shape[2:]
        S_r, J_r = self._maps(poses, (height, width))
        prior = prior_of(self._dims.flow_attention.prior, I_r, matte_r, poses.to(self._device))
        with self._autocast():
            encoded = self._flow_attention.encode_reference(I_r, S_r, J_r)
        return EncodedPeople(encoded, prior, (images.shape[1], images.shape[2]), len(images))

    @torch.inference_mode()
    def draw(self, state: EncodedPeople, targets: PoseBatch) -> Drawn:
        check_targets(state.count, targets)
        height, width = state.size_hw
        coarse_targets = targets.shrunk(self._dims.enlarge)
        S_t, J_t = self._maps(
            coarse_targets, (height // self._dims.enlarge, width // self._dims.enlarge)
        )
        prior_t = state.prior.at(coarse_targets.to(self._device)) if state.prior else None
        with self._autocast():
            made = self._flow_attention.render(state.encoded, S_t, J_t, prior_t)
            made = enlarged(made, self._dims.enlarge)
            picture, matte_logits = made.coarse, made.matte_logits
            if self._enhancer is not None:
                if self._dims.enlarge > 1:
                    J_t = joint_map(targets.joints, height, width, self._device)
                refined = self._enhancer(picture, matte_logits, J_t)
                picture, matte_logits = refined.final, refined.matte_logits
        return Drawn(to_picture(picture).cpu(), to_mask(torch.sigmoid(matte_logits.float())).cpu())

    def _maps(self, poses: PoseBatch, size_hw: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """S and J. J is drawn from joints where they are: on the CPU nothing waits for the
        device."""
        return (
            heat_maps(poses.joints.to(self._device), *size_hw),
            joint_map(poses.joints, *size_hw, self._device),
        )

    def _autocast(self):
        return torch.autocast(self._device.type, torch.bfloat16, enabled=self._precision == "bf16")


def _info(networks: Networks) -> SystemInfo:
    dims, parts, remark = networks.dims, "stage 1 and 2", None
    if networks.enhancer is None:
        parts = "stage 1 only"
        remark = "stage 1 only; the coarse picture is the result, no enhancer"
    if dims.enlarge > 1:
        height, width = dims.coarse_hw
        parts += f", stage 1 at {width} x {height}"
    reads_hands = dims.flow_attention.prior == "body"
    return SystemInfo(dims.system, dims.size_hw, dims.preset, parts, remark, reads_hands)
