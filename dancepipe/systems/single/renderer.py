"""A network of these systems, ready to draw."""

from dataclasses import dataclass
from typing import Any

import torch

from dancepipe.nn.tensors import mask_to_network, to_mask, to_network, to_picture
from dancepipe.pose.batch import PoseBatch
from dancepipe.priors.names import prior_of
from dancepipe.priors.prior import Prior
from dancepipe.systems.single.network import Loaded
from dancepipe.systems.single.pose_input import pose_input
from dancepipe.systems.system import Drawn, SystemInfo, check_references, check_targets


@dataclass(frozen=True, eq=False)
class _People:
    encoded: Any  # the network's own
    prior: Prior | None
    size_hw: tuple[int, int]
    count: int


class SingleSystem:
    """A System (system.py)."""

    def __init__(self, loaded: Loaded, device: str, precision: str):
        """loaded: its network is moved to the device, and to channels_last."""
        self._dims, self._device = loaded.dims, torch.device(device)
        self._network = loaded.network.eval()
        # torch's overloads leave memory_format out.
        self._network.to(self._device).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        self._precision = precision
        self.info = SystemInfo(
            loaded.info.system,
            self._dims.size_hw,
            preset=self._dims.preset,
            parts="one network"
            + ("" if self._dims.prior == "none" else f", prior {self._dims.prior}"),
            reads_hands=self._dims.prior == "body",
        )

    @torch.inference_mode()
    def encode(self, images: torch.Tensor, masks: torch.Tensor, poses: PoseBatch) -> _People:
        check_references(images, masks, poses)
        size_hw, step = (images.shape[1], images.shape[2]), self._dims.size_step
        if size_hw[0] % step or size_hw[1] % step:
            raise ValueError(f"height and width must be multiples of {step}, got {size_hw}")
        I_r, matte_r = to_network(images, self._device), mask_to_network(masks, self._device)
        prior = prior_of(self._dims.prior, I_r, matte_r, poses.to(self._device))
        pose_r = None
        if self._network.reads_reference_pose:
            pose_r = self._pose(poses, prior, size_hw)
        with self._autocast():
            encoded = self._network.encode(I_r, pose_r)
        return _People(encoded, prior, size_hw, len(images))

    @torch.inference_mode()
    def draw(self, state: _People, targets: PoseBatch) -> Drawn:
        check_targets(state.count, targets)
        pose_t = self._pose(targets, state.prior, state.size_hw)
        with self._autocast():
            made = self._network.draw(state.encoded, pose_t)
        matte = torch.sigmoid(made.matte_logits.float())
        return Drawn(to_picture(made.picture).cpu(), to_mask(matte).cpu())

    def _pose(
        self, poses: PoseBatch, prior: Prior | None, size_hw: tuple[int, int]
    ) -> torch.Tensor:
        at = prior.at(poses.to(self._device)) if prior else None
        return pose_input(self._dims, poses, size_hw, self._device, at)

    def _autocast(self):
        return torch.autocast(self._device.type, torch.bfloat16, enabled=self._precision == "bf16")
