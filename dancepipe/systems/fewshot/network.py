"""The generator of single frames: features of the reference, modulated level by level by the
target's pose through weights that the reference made, and by the reference moved along a flow.

Not there: the later frames of a video, which read the one before (a second warp embedding, a
discriminator of time), and more than one reference.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from dancepipe.nn.blocks import instance_norm
from dancepipe.nn.local_attention import warp
from dancepipe.systems.fewshot.dims import FewshotDims
from dancepipe.systems.fewshot.generated import (
    Kernel,
    LevelWeightNets,
    LevelWeights,
    Pair,
    ReferenceEncoder,
    summed,
)
from dancepipe.systems.fewshot.layers import conv3x3, enlarged, rectified
from dancepipe.systems.fewshot.warping import FlowNetwork, WarpEmbedding
from dancepipe.systems.single.begin import begin_small
from dancepipe.systems.single.network import Made, MatteHead, SingleNetwork

_WARPED_LEVELS = 2  # the finest ones, which the moved reference modulates


@dataclass(frozen=True, eq=False)
class EncodedReference:
    start: Tensor  # X, (B, C, H / 2^levels, W / 2^levels)
    weights: list[LevelWeights]  # of level 0, 1, ...
    picture: Tensor
    pose: Tensor


@dataclass(frozen=True, eq=False, kw_only=True)
class FewshotMade(Made):
    flow: Tensor  # (B, 2, H, W) px, float32
    warped: Tensor  # the reference along it, (B, 3, H, W)
    occlusion: Tensor  # (B, 1, H, W): 1 = made anew, 0 = as the moved reference has it


class ScaleAndShift(nn.Module):
    """1 x 1 convolutions of a map (B, in, h, w): a scale and a shift (B, out, h, w)."""

    def __init__(self, channels_in: int, channels_out: int):
        super().__init__()
        self.scale, self.shift = (nn.Conv2d(channels_in, channels_out, 1) for _ in range(2))


class Modulation(nn.Module):
    """x, normalised, scaled and shifted by one map after the other: the label's through generated
    weights, or own ones where there are none; then the moved reference's, at the finest levels."""

    def __init__(self, channels: int, map_channels: int, *, generated: bool, warped: bool):
        super().__init__()
        self.label = None if generated else ScaleAndShift(map_channels, channels)
        self.warped = ScaleAndShift(map_channels, channels) if warped else None

    def forward(
        self, x: Tensor, label: Tensor, weights: Pair | None, moved: Tensor | None
    ) -> Tensor:
        x = instance_norm(x)
        own = self.label if weights is None else weights
        assert own is not None  # one of both is there
        x = x * (1 + own.scale(label)) + own.shift(label)
        if self.warped is not None and moved is not None:
            x = x * (1 + self.warped.scale(moved)) + self.warped.shift(moved)
        return x


class MainBlock(nn.Module):
    """R_i: (B, in, h, w) -> (B, out, h, w)."""

    def __init__(self, channels_in: int, channels_out: int, *, generated: bool, warped: bool):
        super().__init__()

        def modulation(channels: int) -> Modulation:
            return Modulation(channels, channels_out, generated=generated, warped=warped)

        self.modulate_0, self.modulate_1 = modulation(channels_in), modulation(channels_out)
        self.conv_0 = spectral_norm(conv3x3(channels_in, channels_out))
        self.conv_1 = spectral_norm(conv3x3(channels_out, channels_out))
        self.modulate_skip = self.conv_skip = None
        if channels_in != channels_out:
            self.modulate_skip = modulation(channels_in)
            self.conv_skip = spectral_norm(nn.Conv2d(channels_in, channels_out, 1, bias=False))

    def forward(
        self, x: Tensor, label: Tensor, weights: LevelWeights | None, moved: Tensor | None
    ) -> Tensor:
        pairs = (
            (weights.modulate_0, weights.modulate_1, weights.modulate_skip)
            if weights
            else (None, None, None)
        )
        y = self.conv_0(rectified(self.modulate_0(x, label, pairs[0], moved)))
        y = self.conv_1(rectified(self.modulate_1(y, label, pairs[1], moved)))
        if self.modulate_skip is None or self.conv_skip is None:
            return x + y
        return self.conv_skip(self.modulate_skip(x, label, pairs[2], moved)) + y


class LabelEmbedding(nn.Module):
    """The target's pose (B, P, H, W) -> maps of level 0, 1, ..., the finest ones through generated
    kernels."""

    def __init__(self, channels: int, dims: FewshotDims):
        super().__init__()
        *widths, _ = dims.widths
        self.first = conv3x3(channels, widths[0])
        self.shrink = nn.ModuleList(conv3x3(i, o, 2) for i, o in zip(widths, widths[1:]))
        back = widths[::-1]
        own = dims.levels - dims.generated
        self.grow = nn.ModuleList(conv3x3(i, o) for i, o in list(zip(back, back[1:]))[:own])

    def forward(self, pose: Tensor, kernels: list[Kernel]) -> list[Tensor]:
        x = rectified(self.first(pose))
        for layer in self.shrink:
            x = rectified(layer(x))
        found = [x]
        for layer in (*self.grow, *kernels[::-1]):
            found.append(x := rectified(layer(enlarged(x))))
        return found[::-1]


class FewshotNetwork(SingleNetwork):
    reads_reference_pose = True

    def __init__(self, dims: FewshotDims):
        super().__init__()
        widths, channels = dims.widths, dims.pose_channels
        self.of_picture, self.of_pose = (ReferenceEncoder(c, widths) for c in (3, channels))
        self.weight_nets = nn.ModuleList(
            LevelWeightNets(widths[level], widths[level + 1]) for level in range(dims.generated)
        )
        self.label = LabelEmbedding(channels, dims)
        self.main = nn.ModuleList(
            MainBlock(
                widths[level + 1],
                widths[level],
                generated=level < dims.generated,
                warped=level < _WARPED_LEVELS,
            )
            for level in range(dims.levels + 1)
        )
        self.flow_network = FlowNetwork(2 * channels + 3, dims.nf, dims.flow_blocks)
        self.warp_embedding = WarpEmbedding(widths)
        self.picture = conv3x3(widths[0], 3)
        self.matte = MatteHead(widths[0])
        begin_small(self)

    def encode(self, I_r: Tensor, pose_r: Tensor | None) -> EncodedReference:
        assert pose_r is not None  # reads_reference_pose
        of_picture, of_pose = self.of_picture(I_r), self.of_pose(pose_r)
        # From the innermost level to 1; the innermost one makes no weights
        sums = [summed(*both) for both in zip(of_picture, of_pose)][::-1]
        weights = [net(sums[level]) for level, net in enumerate(self.weight_nets)]
        return EncodedReference(of_picture[0], weights, I_r, pose_r)

    def draw(self, reference: EncodedReference, pose_t: Tensor) -> FewshotMade:
        count = len(pose_t)
        picture, pose, x = (
            one.expand(count, -1, -1, -1)
            for one in (reference.picture, reference.pose, reference.start)
        )
        flow, occlusion_logits = self.flow_network(torch.cat((pose_t, pose, picture), 1))
        warped, occlusion = warp(picture.float(), flow), torch.sigmoid(occlusion_logits)
        moved = self.warp_embedding(torch.cat((warped, occlusion), 1))
        labels = self.label(pose_t, [one.label for one in reference.weights])
        for level in reversed(range(len(self.main))):
            generated = level < len(reference.weights)
            x = self.main[level](
                x,
                labels[level],
                reference.weights[level] if generated else None,
                moved[level] if level < _WARPED_LEVELS else None,
            )
            if level:
                x = enlarged(x)
        x = rectified(x)  # (B, nf, H, W)
        return FewshotMade(
            picture=torch.tanh(self.picture(x)),
            matte_logits=self.matte(x),
            columns={
                "warped": warped,
                "made anew": (occlusion * 2 - 1).expand(-1, 3, -1, -1),
            },
            flow=flow,
            warped=warped,
            occlusion=occlusion,
        )
