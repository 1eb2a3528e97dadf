"""The paper's system, ready to draw: shrink, draw the maps, prior, stage 1, enlarge, stage 2.

Over the body, stage 1 alone draws pictures of any size: it works at its own, and its plan for the
copy is enlarged and laid over a body that is drawn, and a photo that is read, at the picture's.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from dancepipe.nn.tensors import mask_to_network, to_mask, to_network, to_picture
from dancepipe.pose.batch import PoseBatch
from dancepipe.pose.draw import heat_maps, joint_map
from dancepipe.priors.names import prior_of
from dancepipe.priors.prior import Prior
from dancepipe.systems.focus_retain.dims import ModelDims
from dancepipe.systems.focus_retain.flow_attention import EncodedReference, FlowAttentionOutput
from dancepipe.systems.focus_retain.networks import Networks
from dancepipe.systems.focus_retain.sizes import at_size, enlarged
from dancepipe.systems.system import Drawn, SystemInfo, check_references, check_targets

if TYPE_CHECKING:
    from dancepipe.priors.body import BodyPrior


@dataclass(frozen=True, eq=False)
class EncodedPeople:
    """What serves any number of targets."""

    encoded: EncodedReference
    prior: Prior | None
    larger: "BodyPrior | None"  # the prior at the size of the pictures, where that is another
    size_hw: tuple[int, int]  # of the whole pictures
    coarse_hw: tuple[int, int]  # of what stage 1 works at
    count: int


class FocusRetain:
    """A System (system.py). Without an enhancer (stage 1 only) the enlarged coarse picture is the
    result."""

    def __init__(self, networks: Networks, device: str, precision: str):
        """networks: are moved to the device, and to channels_last."""
        self._dims, self._device = networks.dims, torch.device(device)
        self._flow_attention, self._enhancer = networks.flow_attention, networks.enhancer
        self._precision = precision
        self.info = info_of(networks)
        for network in (self._flow_attention, self._enhancer):
            if network is not None:
                # 1.3 to 4 times faster transposed convolutions on the CPU
                network.to(self._device).to(memory_format=torch.channels_last).eval()

    @torch.inference_mode()
    def encode(self, images: Tensor, masks: Tensor, poses: PoseBatch) -> EncodedPeople:
        check_references(images, masks, poses)
        size_hw = images.shape[1], images.shape[2]
        coarse_hw = coarse_size(self._dims, self.info, size_hw)
        whole = to_network(images, self._device), mask_to_network(masks, self._device)
        I_r, matte_r = (at_size(one, coarse_hw) for one in whole)
        coarse_poses = poses.shrunk(size_hw[0] / coarse_hw[0])
        S_r, J_r = self._maps(coarse_poses, coarse_hw)
        name = self._dims.flow_attention.prior
        prior = prior_of(name, I_r, matte_r, coarse_poses.to(self._device))
        larger = None
        if self.info.draws_larger and size_hw != coarse_hw:
            from dancepipe.priors.body import BodyPrior

            larger = BodyPrior(*whole, poses.to(self._device))
        with self._autocast():
            encoded = self._flow_attention.encode_reference(I_r, S_r, J_r)
        return EncodedPeople(encoded, prior, larger, size_hw, coarse_hw, len(images))

    @torch.inference_mode()
    def draw(self, state: EncodedPeople, targets: PoseBatch) -> Drawn:
        check_targets(state.count, targets)
        coarse_targets = targets.shrunk(state.size_hw[0] / state.coarse_hw[0])
        S_t, J_t = self._maps(coarse_targets, state.coarse_hw)
        prior_t = state.prior.at(coarse_targets.to(self._device)) if state.prior else None
        with self._autocast():
            made = self._flow_attention.render(state.encoded, S_t, J_t, prior_t)
        if state.larger is not None and made.plan is not None:
            from dancepipe.systems.focus_retain.larger import laid_over

            picture, matte = laid_over(
                state.larger, targets.to(self._device), made.plan, state.size_hw
            )
        else:
            picture, matte = self._refined(enlarged(made, self._dims.enlarge), targets)
        return Drawn(to_picture(picture).cpu(), to_mask(matte).cpu())

    def _refined(self, made: FlowAttentionOutput, targets: PoseBatch) -> tuple[Tensor, Tensor]:
        """The picture and its matte, by the enhancer where there is one."""
        if self._enhancer is None:
            return made.coarse, torch.sigmoid(made.matte_logits.float())
        height, width = made.coarse.shape[2:]
        J_t = joint_map(targets.joints, height, width, self._device)
        with self._autocast():
            refined = self._enhancer(made.coarse, made.matte_logits, J_t)
        return refined.final, torch.sigmoid(refined.matte_logits.float())

    def _maps(self, poses: PoseBatch, size_hw: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """S and J. J is drawn from joints where they are: on the CPU nothing waits for the
        device."""
        return (
            heat_maps(poses.joints.to(self._device), *size_hw),
            joint_map(poses.joints, *size_hw, self._device),
        )

    def _autocast(self):
        return torch.autocast(self._device.type, torch.bfloat16, enabled=self._precision == "bf16")


def coarse_size(dims: ModelDims, info: SystemInfo, size_hw: tuple[int, int]) -> tuple[int, int]:
    """What stage 1 works at. Pictures of another shape than its own are not shrunk to it."""
    height, width = dims.size_hw
    if info.draws_larger and size_hw[0] * width == size_hw[1] * height:
        return height, width
    return size_hw[0] // dims.enlarge, size_hw[1] // dims.enlarge


def info_of(networks: Networks) -> SystemInfo:
    """What these networks are, whoever runs them."""
    dims, parts, remark = networks.dims, "stage 1 and 2", None
    if networks.enhancer is None:
        parts = "stage 1 only"
        remark = "stage 1 only; the coarse picture is the result, no enhancer"
    if dims.enlarge > 1:
        height, width = dims.coarse_hw
        parts += f", stage 1 at {width} x {height}"
    is_body = dims.flow_attention.prior == "body"
    return SystemInfo(
        dims.system,
        dims.size_hw,
        draws_larger=is_body and networks.enhancer is None and dims.enlarge == 1,
        preset=dims.preset,
        parts=parts,
        remark=remark,
        reads_hands=is_body,
    )
