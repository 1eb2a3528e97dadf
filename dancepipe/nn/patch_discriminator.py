"""Discriminators of patches, as pix2pix has them: convolutions of 4 x 4, a score a patch, at one or
more scales."""

from collections.abc import Sequence
from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from dancepipe.nn.blocks import InstanceNorm, instance_norm

_AFFINE_EPSILON = 0.1


class PatchDiscriminator(nn.Module):
    """(B, channels_in, H, W) -> scores (B, 1, h, w), float32, of overlapping patches.

    Every layer but the last halves the picture. The layers between the first and the score are
    normalised by instance ("plain", or "affine" with a scale, a shift and a large epsilon).
    """

    def __init__(
        self,
        channels_in: int,
        widths: Sequence[int],
        *,
        spectral: bool = False,
        norm: Literal["plain", "affine"] = "plain",
        bias: bool = True,
        padding: int = 1,
        attention: nn.Module | None = None,
    ):
        """spectral, bias: of the layers that are normalised. attention: after the last layer
        that halves."""
        super().__init__()
        self.first = nn.Conv2d(channels_in, widths[0], 4, 2, padding)
        inner = [
            nn.Conv2d(i, o, 4, 2 if place < len(widths) - 2 else 1, padding, bias=bias)
            for place, (i, o) in enumerate(zip(widths, widths[1:]))
        ]
        self.inner = nn.ModuleList(spectral_norm(one) if spectral else one for one in inner)
        self.norms = nn.ModuleList(
            InstanceNorm(width, _AFFINE_EPSILON) if norm == "affine" else nn.Identity()
            for width in widths[1:]
        )
        self._is_plain = norm == "plain"
        self.attention = attention
        self.score = nn.Conv2d(widths[-1], 1, 4, 1, padding)

    def judge(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Scores, and the features before them, layer by layer."""
        x = F.leaky_relu(self.first(x), 0.2)
        features = [x]
        for place, (layer, norm) in enumerate(zip(self.inner, self.norms)):
            x = layer(x)
            x = F.leaky_relu(instance_norm(x) if self._is_plain else norm(x), 0.2)
            if self.attention is not None and place == len(self.inner) - 2:
                x = self.attention(x)
            features.append(x)
        return self.score(x).float(), features


class Scales(nn.Module):
    """One discriminator a scale; each but the first reads pictures shrunk by two once more."""

    def __init__(self, *discriminators: PatchDiscriminator):
        super().__init__()
        self.scales = nn.ModuleList(discriminators)

    def judge(self, x: Tensor) -> list[tuple[Tensor, list[Tensor]]]:
        """Of each scale, its scores and features."""
        found = []
        for place, one in enumerate(self.scales):
            if place:  # borders are not counted
                x = F.avg_pool2d(x, 3, 2, 1, count_include_pad=False)
            found.append(one.judge(x))  # pyright: ignore[reportCallIssue]
        return found

    def forward(self, x: Tensor) -> list[Tensor]:
        return [scores for scores, _ in self.judge(x)]
