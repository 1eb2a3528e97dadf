"""The first blocks of the three encoders, of one target: the same numbers in a third of the time.

They are linear, and read the same maps. A heat map is the outer product of two rows of numbers, so
its convolution is two small matrix products; the other maps go through one convolution for all
three encoders, as kernels for few channels waste most of a processor's width.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dancepipe.nn.blocks import EntryDown, EntryPart
from dancepipe.pose.draw import SIGMA_OF_HEIGHT
from dancepipe.priors.names import CHANNELS
from dancepipe.systems.focus_retain.flow_attention import FlowAttentionNetwork
from dancepipe.systems.focus_retain.flow_attention_module import (
    JOINT_MAP,
    FlowAttentionModule,
)
from dancepipe.systems.focus_retain.flow_network import HEAT_MAPS, REFERENCE_CHANNELS

_KERNEL = 4  # of the first convolution, of stride 2


@dataclass(frozen=True)
class _Reads:
    """The first block of an encoder, and where its channels are; None: it does not read them."""

    block: EntryDown
    heat_maps: slice | None
    joint_map: int | None  # the first of them
    known: int | None


class MergedEntries(nn.Module):
    """What the target adds to the encoders of flow, pose and attention, in this order."""

    # Of flow and pose alone: (P, 18, k, k); k is 4, and 1 for the shortcut.
    shrink_maps: Tensor
    shortcut_maps: Tensor
    # Of all three, (O, 3 + known, k, k): the joint map, and what the prior knows.
    shrink_other: Tensor
    shortcut_other: Tensor
    shrink_bias: Tensor
    shortcut_bias: Tensor

    def __init__(self, network: FlowAttentionNetwork):
        super().__init__()
        known = CHANNELS[network.prior]
        flow, pose = network.flow_network.entry, network.pose_encoder.entry
        first = REFERENCE_CHANNELS
        reads = [
            _Reads(flow, slice(first, first + HEAT_MAPS), None, first + HEAT_MAPS),
            _Reads(pose, slice(0, HEAT_MAPS), HEAT_MAPS, HEAT_MAPS + JOINT_MAP),
        ]
        attention = network.attention_module
        if isinstance(attention, FlowAttentionModule):
            reads.append(_Reads(attention.encoder.entry, None, JOINT_MAP, None))
        self.widths = [one.block.shrink.out_channels for one in reads]
        for name in ("shrink", "shortcut"):
            maps, other, bias = [], [], []
            for one in reads:
                layer = getattr(one.block, name)
                weight = layer.weight.detach()
                if one.heat_maps is not None:
                    maps.append(weight[:, one.heat_maps])
                joint_map = _channels(weight, one.joint_map, JOINT_MAP)
                other.append(torch.cat((joint_map, _channels(weight, one.known, known)), 1))
                # Those of flow and attention go with the reference.
                own = layer.bias.detach()
                bias.append(own if one.block is pose else torch.zeros_like(own))
            self.register_buffer(f"{name}_maps", torch.cat(maps))
            self.register_buffer(f"{name}_other", torch.cat(other))
            self.register_buffer(f"{name}_bias", torch.cat(bias))

    def forward(self, joints: Tensor, other: Tensor) -> list[EntryPart]:
        """joints (1, 18, 3) in pixels of the maps; other (1, 3 + known, H, W), the joint map and
        what the prior knows."""
        height, width = other.shape[2:]
        across, down = (
            _row(joints[0, :, axis], joints[0, :, 2] > 0, side, height)
            for axis, side in ((0, width), (1, height))
        )
        shrunk = self._of_maps(across, down)
        across, down = ((row[:, ::2] + row[:, 1::2]) / 2 for row in (across, down))
        rows = self.shortcut_maps[:, None, :, 0, 0] * down.T  # (P, H/2, 18)
        of_maps = EntryPart(shrunk, _outer(rows, across))
        of_other = EntryPart(
            F.conv2d(other, self.shrink_other, self.shrink_bias, stride=2, padding=1),
            F.conv2d(F.avg_pool2d(other, 2), self.shortcut_other, self.shortcut_bias),
        )
        flow, pose, *attention = _split(of_other, self.widths)
        maps_of_flow, maps_of_pose = _split(of_maps, self.widths[:2])
        return [flow + maps_of_flow, pose + maps_of_pose, *attention]

    def _of_maps(self, across: Tensor, down: Tensor) -> Tensor:
        """across (18, W), down (18, H) -> (1, P, H/2, W/2)."""
        weight = self.shrink_maps
        count = len(weight)
        taps_x, taps_y = _taps(across), _taps(down)
        # Of each joint, (4 O, 4) @ (4, H/2), by output channel and tap along the row.
        rows = weight.permute(1, 0, 3, 2).reshape(HEAT_MAPS, count * _KERNEL, _KERNEL) @ taps_y
        rows = rows.view(HEAT_MAPS, count, _KERNEL, -1).permute(1, 3, 0, 2)  # (P, H/2, 18, 4)
        return _outer(
            rows.reshape(count, -1, HEAT_MAPS * _KERNEL), taps_x.reshape(HEAT_MAPS * _KERNEL, -1)
        )


def _split(whole: EntryPart, widths: list[int]) -> list[EntryPart]:
    pairs = zip(whole.shrunk.split(widths, 1), whole.shortcut.split(widths, 1))
    return [EntryPart(*pair) for pair in pairs]


def _outer(rows: Tensor, across: Tensor) -> Tensor:
    """rows (O, h, N), across (N, w) -> (1, O, h, w). One large matrix product, with the small
    factor on the right: other ways round take ten times as long."""
    count, height, terms = rows.shape
    return (rows.reshape(-1, terms) @ across).view(1, count, height, -1)


def _channels(weight: Tensor, first: int | None, count: int) -> Tensor:
    """Those channels of a weight (O, C, k, k); 0 where the block does not read them."""
    if first is None:
        return weight.new_zeros(len(weight), count, *weight.shape[2:])
    return weight[:, first : first + count]


def _row(points: Tensor, is_there: Tensor, side: int, height: int) -> Tensor:
    """One axis of heat_maps (pose/draw.py): (18, side)."""
    places = torch.arange(side, dtype=torch.float32)
    offset = places - torch.where(is_there, points, torch.zeros_like(points))[:, None]
    sigma = SIGMA_OF_HEIGHT * height
    return torch.exp(offset.square() * (-0.5 / sigma**2)) * is_there[:, None].float()


def _taps(row: Tensor) -> Tensor:
    """(18, side) -> (18, 4, side / 2): what each tap of the convolution meets."""
    padded = F.pad(row, (1, 1))
    return torch.stack([padded[:, tap : tap + row.shape[1] : 2] for tap in range(_KERNEL)], 1)
