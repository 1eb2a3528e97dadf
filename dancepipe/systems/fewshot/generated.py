"""Weights made from the reference: two encoders, what is summed of them over all positions, and the
networks that turn it into kernels and biases."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from dancepipe.systems.fewshot.layers import Normed, rectified


@dataclass(frozen=True, eq=False)
class Kernel:
    """Of a 1 x 1 convolution, another one for each sample."""

    weight: Tensor  # (B, out, in)
    bias: Tensor  # (B, out)

    def __call__(self, x: Tensor) -> Tensor:
        """(B, in, h, w) -> (B, out, h, w), float32; a kernel of batch 1 serves all."""
        with torch.autocast(x.device.type, enabled=False):
            weight = self.weight.expand(len(x), -1, -1)
            made = torch.baddbmm(self.bias[..., None], weight, x.float().flatten(2))
        return made.unflatten(2, x.shape[2:])


@dataclass(frozen=True, eq=False)
class Pair:
    """Scale and shift of one modulation."""

    scale: Kernel
    shift: Kernel


@dataclass(frozen=True, eq=False)
class LevelWeights:
    """What is generated for one level."""

    modulate_0: Pair
    modulate_1: Pair
    modulate_skip: Pair
    label: Kernel


class ReferenceEncoder(nn.Module):
    """Of the reference's picture, or of its pose: (B, c, H, W) -> the innermost features, then
    those of each level from the last but one to 1, all at the innermost size."""

    def __init__(self, channels: int, widths: list[int]):
        super().__init__()
        *widths, _ = widths
        self.first = Normed(channels, widths[0])
        self.shrink = nn.ModuleList(Normed(i, o, 2) for i, o in zip(widths, widths[1:]))
        # Called up-sampling where this comes from, but nothing is enlarged.
        inner = widths[:0:-1]
        self.back = nn.ModuleList(Normed(i, o) for i, o in zip(inner, inner[1:]))

    def forward(self, x: Tensor) -> list[Tensor]:
        x = self.first(x)
        for layer in self.shrink:
            x = layer(x)
        found = [x]
        for layer in self.back:
            found.append(layer(found[-1]))
        return found


def summed(picture: Tensor, pose: Tensor) -> Tensor:
    """X · softmax(Y)^T over all positions: (B, C, h, w) each -> (B, C, C), rows are those of X.
    float32: sums of many large numbers."""
    with torch.autocast(picture.device.type, enabled=False):
        shares = torch.softmax(pose.float(), 1).flatten(2)
        return picture.float().flatten(2) @ shares.transpose(1, 2)


class Rows(nn.Sequential):
    """On each row of a (B, c, c): (B, c, out)."""

    def __init__(self, width: int, out: int):
        super().__init__(*(spectral_norm(nn.Linear(width, size)) for size in (width, width, out)))

    def forward(self, input: Tensor) -> Tensor:
        first, second, last = self
        with torch.autocast(input.device.type, enabled=False):
            return last(rectified(second(rectified(first(input)))))


class LevelWeightNets(nn.Module):
    """Of level i with a channels, from the sums of level i + 1 with c = 2 a channels. Each row
    gives its own output channel's kernel and bias; a row of the label's gives one input channel."""

    def __init__(self, a: int, c: int):
        super().__init__()
        self.modulate_0, self.modulate_skip = (Rows(c, 2 * (a + 1)) for _ in range(2))
        self.modulate_1, self.label = (Rows(c, a + 1) for _ in range(2))

    def forward(self, sums: Tensor) -> LevelWeights:
        label = self.label(sums)  # (B, c, a + 1)
        a = label.shape[2] - 1
        return LevelWeights(
            _of_halved_rows(self.modulate_0(sums)),
            _of_halved_columns(self.modulate_1(sums)),
            _of_halved_rows(self.modulate_skip(sums)),
            Kernel(label[..., :-1].transpose(1, 2), label[:, :a, -1]),
        )


def _of_halved_rows(rows: Tensor) -> Pair:
    """(B, c, 2 (a + 1)): each row holds its channel's scale and its shift."""
    scale, shift = rows.chunk(2, 2)
    return Pair(_kernel(scale), _kernel(shift))


def _of_halved_columns(rows: Tensor) -> Pair:
    """(B, 2 a, a + 1): the first half of the rows are scales, the other shifts."""
    scale, shift = rows.chunk(2, 1)
    return Pair(_kernel(scale), _kernel(shift))


def _kernel(rows: Tensor) -> Kernel:
    return Kernel(rows[..., :-1], rows[..., -1])
