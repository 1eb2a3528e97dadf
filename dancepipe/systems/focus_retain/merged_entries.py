"""The first blocks of the three encoders, of one target: the same numbers in a third of the time.

They are linear, and read the same maps. A heat map is the outer product of two rows of numbers, so
its convolution is two small matrix products; the other maps go through one convolution for all
three encoders, as kernels for few channels waste most of a processor's width.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dancepipe.nn.blocks import EntryDown, EntryPart
from dancepipe.pose.draw import SIGMA_OF_HEIGHT
from dancepipe.priors.names import CHANNELS
from dancepipe.systems.focus_retain.flow_attention import FlowAttentionNetwork
from dancepipe.systems.focus_retain.flow_attention_module import JOINT_MAP
from dancepipe.systems.focus_retain.flow_network import HEAT_MAPS, REFERENCE_CHANNELS

_KERNEL = 4  # of the first convolution, of stride 2


class MergedEntries(nn.Module):
    """What the target adds to the encoders of flow, pose and attention, in this order."""

    def __init__(self, network: FlowAttentionNetwork):
        super().__init__()
        known = CHANNELS[network.prior]
        flow, pose = network.flow_network.entry, network.pose_encoder.entry
        # Of each encoder: the block, where its heat maps are among its channels, and where the
        # joint map and what the prior knows are.
        parts: list[tuple[EntryDown, int | None, int | None, int]] = [
            (flow, REFERENCE_CHANNELS, None, REFERENCE_CHANNELS + HEAT_MAPS),
            (pose, 0, HEAT_MAPS, HEAT_MAPS + JOINT_MAP),
        ]
        attention = getattr(network.attention_module, "encoder", None)
        if attention is not None:
            parts.append((attention.entry, None, JOINT_MAP, 0))
        self.widths = [block.shrink.out_channels for block, *_ in parts]
        both = [(block.shrink.weight, block.shortcut.weight) for block, *_ in parts]
        for place, name in enumerate(("shrink", "shortcut")):
            maps, other = [], []
            for (_, first_map, joint_map, first_known), weights in zip(parts, both):
                weight = weights[place].detach()
                size = (len(weight), weight.shape[2], weight.shape[3])
                if first_map is not None:
                    maps.append(weight[:, first_map : first_map + HEAT_MAPS])
                is_read = weight.shape[1] > first_known > 0
                other.append(
                    torch.cat(
                        (
                            _channels(weight, joint_map, JOINT_MAP, size),
                            _channels(weight, first_known if is_read else None, known, size),
                        ),
                        1,
                    )
                )
            self.register_buffer(f"{name}_maps", torch.cat(maps))  # (P, 18, k, k), flow and pose
            self.register_buffer(f"{name}_other", torch.cat(other))  # (O, 3 + known, k, k)
            # Those of flow and attention go with the reference.
            bias = [torch.zeros(width) for width in self.widths]
            own = (pose.shrink.bias, pose.shortcut.bias)[place]
            assert own is not None
            bias[1] = own.detach()
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


def _channels(weight: Tensor, first: int | None, count: int, size: tuple[int, ...]) -> Tensor:
    """Those channels of a weight (O, C, k, k); 0 for what the block does not read."""
    if first is None:
        return torch.zeros(size[0], count, *size[1:])
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
