"""The reference, moved: where each target pixel is seen in it, whether it is, and what of it
modulates the finest levels."""

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from dancepipe.nn.blocks import InstanceNorm, in_float32
from dancepipe.systems.fewshot.layers import Normed, conv3x3, enlarged, rectified

_FLOW_PX = 20.0  # of a picture 256 px wide


class FlowBlock(nn.Module):
    """(B, C, h, w) -> (B, C, h, w)."""

    def __init__(self, channels: int):
        super().__init__()
        self.norms = nn.ModuleList(InstanceNorm(channels) for _ in range(2))
        self.convs = nn.ModuleList(spectral_norm(conv3x3(channels, channels)) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        y = x
        for norm, conv in zip(self.norms, self.convs):
            y = conv(rectified(norm(y)))
        return x + y


class FlowNetwork(nn.Module):
    """Phi: poses of target and reference, and its picture (B, 2 P + 3, H, W) -> flow (B, 2, H, W)
    in px, target p shows source p + flow(p); logits of the occlusion (B, 1, H, W)."""

    def __init__(self, channels: int, nf: int, blocks: int):
        super().__init__()
        widths = [nf * 2**level for level in range(4)]
        self.first = Normed(channels, nf)
        self.shrink = nn.ModuleList(Normed(i, o, 2) for i, o in zip(widths, widths[1:]))
        self.blocks = nn.Sequential(*(FlowBlock(widths[-1]) for _ in range(blocks)))
        self.grow = nn.ModuleList(Normed(i, o) for i, o in zip(widths[::-1], widths[-2::-1]))
        self.flow, self.occlusion = conv3x3(nf, 2), conv3x3(nf, 1)

    def forward(self, given: Tensor) -> tuple[Tensor, Tensor]:
        x = self.first(given)
        for layer in self.shrink:
            x = layer(x)
        x = self.blocks(x)  # at H/8
        for layer in self.grow:
            x = layer(enlarged(x))
        flow = in_float32(self.flow, x) * (_FLOW_PX * given.shape[3] / 256)
        return flow, in_float32(self.occlusion, x)


class WarpEmbedding(nn.Module):
    """U_r: the moved reference and its occlusion (B, 4, H, W) -> maps of the two finest levels,
    (B, nf, H, W) and (B, 2 nf, H/2, W/2)."""

    def __init__(self, widths: list[int]):
        super().__init__()
        *widths, _ = widths
        self.first = conv3x3(4, widths[0])
        self.shrink = nn.ModuleList(conv3x3(i, o, 2) for i, o in zip(widths, widths[1:]))
        back = widths[::-1]
        self.grow = nn.ModuleList(
            conv3x3(i if place == 0 else 2 * i, o)
            for place, (i, o) in enumerate(zip(back, back[1:]))
        )

    def forward(self, moved: Tensor) -> list[Tensor]:
        x = rectified(self.first(moved))
        there = [x]
        for layer in self.shrink:
            there.append(x := rectified(layer(x)))
        found = []
        for place, layer in enumerate(self.grow):
            if place:
                x = torch.cat((x, there[len(self.grow) - place]), 1)
            found.append(x := rectified(layer(enlarged(x))))
        return found[:-3:-1]
