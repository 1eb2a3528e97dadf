"""The generator: two encoders, picture and pose, that scale and shift each other's features (bFT),
then residual blocks and a decoder.

Scale and shift are maps, one number a position, unlike FiLM's. They stand in the encoders in place
of a normalisation.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dancepipe.nn.blocks import instance_norm
from dancepipe.systems.guided.dims import GuidedDims
from dancepipe.systems.single.network import Made, MatteHead, SingleNetwork

# Of the weights at first, at the published width. Narrower layers have fewer inputs, and what they
# give would sink far below _EPSILON: nothing is learnt for thousands of steps.
_STD, _PUBLISHED_NF = 0.02, 64
_EPSILON = 1e-5  # beside variances that are as small where scales have just begun: it counts


def reflecting(channels_in: int, channels_out: int, kernel: int) -> nn.Conv2d:
    return nn.Conv2d(channels_in, channels_out, kernel, padding=kernel // 2, padding_mode="reflect")


def normalised(x: Tensor) -> Tensor:
    """Each channel of each picture to mean 0 and variance 1, which is unbiased. float32."""
    with torch.autocast(x.device.type, enabled=False):
        x = x.float()
        centred = x - x.mean((2, 3), keepdim=True)
        count = x.shape[2] * x.shape[3]
        variance = centred.square().sum((2, 3), keepdim=True) / (count - 1)
        return centred * torch.rsqrt(variance + _EPSILON)


class Maps(nn.Sequential):
    """What one branch says of the other: (B, C, h, w) -> a scale or a shift of that shape."""

    def __init__(self, channels: int, hidden: int):
        super().__init__(nn.Conv2d(channels, hidden, 1), nn.ReLU(), nn.Conv2d(hidden, channels, 1))


class Transformation(nn.Module):
    """(scale, shift), from the features of one branch for the other."""

    def __init__(self, channels: int, hidden: int):
        super().__init__()
        self.scale, self.shift = Maps(channels, hidden), Maps(channels, hidden)

    def forward(self, source: Tensor) -> tuple[Tensor, Tensor]:
        return self.scale(source), self.shift(source)


class Residual(nn.Module):
    """(B, C, h, w) -> (B, C, h, w); nothing after the sum."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv_1, self.conv_2 = (reflecting(channels, channels, 3) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        return x + instance_norm(self.conv_2(F.relu(instance_norm(self.conv_1(x)))))


@dataclass(frozen=True, eq=False)
class EncodedReference:
    """What the reference alone says: the first level, before the guide has its say."""

    features: Tensor  # (B, nf, H, W), normalised
    scale: Tensor  # for the guide's features
    shift: Tensor


class GuidedNetwork(SingleNetwork):
    def __init__(self, dims: GuidedDims):
        super().__init__()
        widths = [dims.nf * 2**level for level in range(4)]
        self.image_layers, self.guide_layers = (
            nn.ModuleList(
                [
                    reflecting(channels, widths[0], 7),
                    *(nn.Conv2d(i, o, 3, 2, 1) for i, o in zip(widths, widths[1:])),
                ]
            )
            for channels in (3, dims.pose_channels)
        )
        self.from_guide = nn.ModuleList(Transformation(width, dims.d) for width in widths)
        # The guide ends at the last level: nothing is said to it there.
        self.from_image = nn.ModuleList(Transformation(width, dims.d) for width in widths[:-1])
        self.body = nn.Sequential(*(Residual(widths[-1]) for _ in range(dims.blocks)))
        self.grow = nn.ModuleList(
            nn.ConvTranspose2d(i, o, 3, 2, 1, 1) for i, o in zip(widths[::-1], widths[-2::-1])
        )
        self.picture = reflecting(widths[0], 3, 7)
        self.matte = MatteHead(widths[0])
        for module in self.modules():
            if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
                nn.init.normal_(module.weight, 0, _STD * (_PUBLISHED_NF / dims.nf) ** 0.5)
                assert module.bias is not None  # all of them have one
                nn.init.zeros_(module.bias)

    def encode(self, I_r: Tensor, pose_r: Tensor | None = None) -> EncodedReference:
        features = self.image_layers[0](I_r)  # (B, nf, H, W)
        return EncodedReference(normalised(features), *self.from_image[0](features))

    def draw(self, reference: EncodedReference, pose_t: Tensor) -> Made:
        # Level 1: both directions are read before either branch is changed
        guide = self.guide_layers[0](pose_t)  # (B, nf, H, W)
        scale, shift = self.from_guide[0](guide)
        x = F.relu(scale * reference.features + shift)
        guide = F.relu(reference.scale * normalised(guide) + reference.shift)

        # Levels 2 to 4: at H/2, H/4, H/8; the last one in one direction
        for level in range(1, 4):
            x, guide = self.image_layers[level](x), self.guide_layers[level](guide)
            scale, shift = self.from_guide[level](guide)
            if level < 3:
                back_scale, back_shift = self.from_image[level](x)
                guide = F.relu(back_scale * normalised(guide) + back_shift)
            x = F.relu(scale * normalised(x) + shift)  # (B, nf * 2^level, H / 2^level, ...)

        x = self.body(x)  # (B, 8 nf, H/8, W/8)
        for grow in self.grow:
            x = F.relu(instance_norm(grow(x)))
        return Made(torch.tanh(self.picture(x)), self.matte(x))  # x (B, nf, H, W)
