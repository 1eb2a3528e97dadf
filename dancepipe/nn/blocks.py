"""The parts all networks of stage 1 are built from (section 4.3: "the basic component is residual
block").

Shapes follow GFLA, the paper's baseline, with a shortcut added where GFLA has
none. Activations are LeakyReLU(0.1), normalisation is per picture and channel.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_EPSILON = 1e-5  # of the normalisation


def activate(x: Tensor) -> Tensor:
    return F.leaky_relu(x, 0.1)


class _InstanceNorm(torch.autograd.Function):
    """Instance norm and its gradient by hand, the same numbers whatever the number of threads.

    group_norm with one group per channel adds up a share of the picture per thread, so that its
    result depends on how many there are; means do not. Its variance, E[x^2] - E[x]^2, is 3 to 50
    times less exact, and maps of 16 x 16 take it 3 to 5 times as long. F.instance_norm does not
    keep channels_last, and its gradient is wrong for a single picture in it (PyTorch 2.14).
    """

    @staticmethod
    def forward(
        context, x: Tensor, weight: Tensor | None, bias: Tensor | None, epsilon: float
    ) -> Tensor:
        wide = torch.promote_types(x.dtype, torch.float32)  # sums are never in bfloat16
        centred = x - x.mean((2, 3), keepdim=True)
        variance = centred.square().mean((2, 3), keepdim=True, dtype=wide)
        inverse = torch.rsqrt(variance + epsilon)  # (B, C, 1, 1), 1 / deviation
        context.save_for_backward(centred, weight, inverse)
        if weight is None or bias is None:
            return centred * inverse.to(x.dtype)
        size, shift = inverse * weight[:, None, None].to(wide), bias[:, None, None].to(x.dtype)
        return torch.addcmul(shift, centred, size.to(x.dtype))

    @staticmethod
    def backward(context, upstream: Tensor) -> tuple[Tensor, Tensor | None, Tensor | None, None]:
        centred, weight, inverse = context.saved_tensors
        wide = inverse.dtype
        total = upstream.sum((2, 3), keepdim=True, dtype=wide)  # (B, C, 1, 1)
        along = (upstream * centred).sum((2, 3), keepdim=True, dtype=wide)
        size = inverse if weight is None else inverse * weight[:, None, None].to(wide)
        count = centred.shape[2] * centred.shape[3]
        slope, offset = size * inverse.square() * along / -count, size * total / count
        gradient = torch.addcmul(
            upstream * size.to(upstream.dtype), centred, slope.to(centred.dtype)
        ).sub_(offset.to(upstream.dtype))
        if weight is None:
            return gradient, None, None, None
        return (
            gradient,
            (along * inverse).sum((0, 2, 3)).to(weight.dtype),
            total.sum((0, 2, 3)).to(weight.dtype),
            None,
        )


def instance_norm(
    x: Tensor,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    epsilon: float = _EPSILON,
) -> Tensor:
    """Instance normalisation: each channel of each picture to mean 0 and deviation 1, then
    scaled and shifted by (C,); in x's dtype and memory format."""
    if torch.onnx.is_in_onnx_export():  # a graph has an operator for it
        return F.instance_norm(x, weight=weight, bias=bias)
    with torch.autocast(x.device.type, enabled=False):
        return _InstanceNorm.apply(x, weight, bias, epsilon)


class InstanceNorm(nn.Module):
    """`instance_norm` with a learnt scale and shift. (B, C, H, W) -> (B, C, H, W)."""

    def __init__(self, channels: int, epsilon: float = _EPSILON):
        super().__init__()
        self.epsilon = epsilon
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        return instance_norm(x, self.weight, self.bias, self.epsilon)


def conv3x3(channels_in: int, channels_out: int, dilation: int = 1) -> nn.Conv2d:
    return nn.Conv2d(channels_in, channels_out, 3, 1, dilation, dilation)


def begin_near(head: nn.Conv2d, *biases: float) -> None:
    """The head starts almost, but not exactly, from these numbers, one a channel: exactly would
    give nothing behind it a gradient."""
    assert head.bias is not None
    nn.init.normal_(head.weight, 0, 1e-3)
    for channel, bias in enumerate(biases):
        nn.init.constant_(head.bias[channel : channel + 1], bias)


def in_float32(layer: nn.Module, x: Tensor) -> Tensor:
    """The layer outside autocast: flow, masks and attention need more than bfloat16's 8 bits of
    mantissa."""
    with torch.autocast(x.device.type, enabled=False):
        return layer(x.to(next(layer.parameters()).dtype))


class Down(nn.Module):
    """Residual block, half the size. (B, in, H, W) -> (B, out, H/2, W/2)."""

    def __init__(self, channels_in: int, channels_out: int):
        super().__init__()
        self.norm_shrink = InstanceNorm(channels_in)
        self.shrink = nn.Conv2d(channels_in, channels_out, 4, 2, 1)
        self.norm_refine = InstanceNorm(channels_out)
        self.refine = conv3x3(channels_out, channels_out)
        self.shortcut = nn.Conv2d(channels_in, channels_out, 1)

    def forward(self, x: Tensor) -> Tensor:
        shrunk = self.shrink(activate(self.norm_shrink(x)))  # (B, out, H/2, W/2)
        return self.refine(activate(self.norm_refine(shrunk))) + self.shortcut(F.avg_pool2d(x, 2))


@dataclass(frozen=True)
class EntryPart:
    """What some input channels of an EntryDown contribute; parts of all channels add up to the
    block."""

    shrunk: Tensor  # (B, out, H/2, W/2)
    shortcut: Tensor  # (B, out, H/2, W/2)

    def __add__(self, other: "EntryPart") -> "EntryPart":
        return EntryPart(self.shrunk + other.shrunk, self.shortcut + other.shortcut)


class EntryDown(nn.Module):
    """The first Down of an encoder. (B, in, H, W) -> (B, out, H/2, W/2).

    It starts with its convolution: normalising raw pictures and heat maps would
    erase their level. So it is linear up to `finish`, and what the reference
    contributes can be computed once and kept.
    """

    def __init__(self, channels_in: int, channels_out: int):
        super().__init__()
        self.shrink = nn.Conv2d(channels_in, channels_out, 4, 2, 1)
        self.norm_refine = InstanceNorm(channels_out)
        self.refine = conv3x3(channels_out, channels_out)
        self.shortcut = nn.Conv2d(channels_in, channels_out, 1)

    def part(self, x: Tensor, first_channel: int) -> EntryPart:
        """The contribution of x as input channels first_channel, first_channel + 1, ...; the
        biases go with channel 0."""
        channels = slice(first_channel, first_channel + x.shape[1])
        bias_shrink, bias_shortcut = (
            (self.shrink.bias, self.shortcut.bias) if first_channel == 0 else (None, None)
        )
        return EntryPart(
            F.conv2d(x, self.shrink.weight[:, channels], bias_shrink, stride=2, padding=1),
            F.conv2d(F.avg_pool2d(x, 2), self.shortcut.weight[:, channels], bias_shortcut),
        )

    def finish(self, whole: EntryPart) -> Tensor:
        return self.refine(activate(self.norm_refine(whole.shrunk))) + whole.shortcut

    def forward(self, x: Tensor) -> Tensor:
        return self.finish(self.part(x, 0))


class Residual(nn.Module):
    """Residual block, same size. (B, C, H, W) -> (B, C, H, W)."""

    def __init__(self, channels: int, dilation: int = 1):
        super().__init__()
        self.norm_1 = InstanceNorm(channels)
        self.conv_1 = conv3x3(channels, channels, dilation)
        self.norm_2 = InstanceNorm(channels)
        self.conv_2 = conv3x3(channels, channels, dilation)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv_2(activate(self.norm_2(self.conv_1(activate(self.norm_1(x))))))


class Up(nn.Module):
    """Residual block, twice the size. (B, in, H, W) -> (B, out, 2H, 2W)."""

    def __init__(self, channels_in: int, channels_out: int, hidden: int):
        super().__init__()
        self.norm_1 = InstanceNorm(channels_in)
        self.conv_1 = conv3x3(channels_in, hidden)
        self.norm_2 = InstanceNorm(hidden)
        self.grow = nn.ConvTranspose2d(hidden, channels_out, 3, 2, 1, 1)
        self.shortcut = nn.ConvTranspose2d(channels_in, channels_out, 3, 2, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.conv_1(activate(self.norm_1(x)))  # (B, hidden, H, W)
        return self.grow(activate(self.norm_2(hidden))) + self.shortcut(x)


class Encoder(nn.Module):
    """Three Downs. (B, in, H, W) -> (B, nf, H/2, W/2), (B, 2 nf, H/4, W/4), (B, 4 nf, H/8, W/8)."""

    def __init__(self, channels_in: int, nf: int):
        super().__init__()
        self.entry = EntryDown(channels_in, nf)
        self.down_4 = Down(nf, 2 * nf)
        self.down_8 = Down(2 * nf, 4 * nf)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return self.after_entry(self.entry.part(x, 0))

    def after_entry(self, whole: EntryPart) -> tuple[Tensor, Tensor, Tensor]:
        half = self.entry.finish(whole)
        quarter = self.down_4(half)
        return half, quarter, self.down_8(quarter)
