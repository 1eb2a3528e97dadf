"""The correspondence network: pose and picture in one space, each position of the one with each of
the other compared, the reference warped by what matches."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from dancepipe.nn.blocks import instance_norm
from dancepipe.systems.cocos.blocks import SpadeBlock, reflecting
from dancepipe.systems.cocos.dims import CocosDims

TILE = 4  # px: the correspondence works at H/4, and what is warped are tiles of the reference
TEMPERATURE = 0.01
_TINY = 1e-6


class Features(nn.Module):
    """F_A, of poses, or F_B, of pictures: (B, channels, H, W) -> (B, 4 nf, H/4, W/4), each position
    of length 1."""

    def __init__(self, channels: int, nf: int, hidden: int):
        super().__init__()
        shapes = [
            (channels, nf, 3),
            (nf, 2 * nf, 4),  # halves
            (2 * nf, 4 * nf, 3),
            (4 * nf, 8 * nf, 4),  # halves
            (8 * nf, 8 * nf, 3),
        ]
        self.layers = nn.ModuleList(
            spectral_norm(nn.Conv2d(i, o, kernel, kernel - 2 if kernel == 4 else 1, 1, bias=False))
            for i, o, kernel in shapes
        )
        self.blocks = nn.ModuleList(
            SpadeBlock(8 * nf, width, channels, hidden) for width in (8 * nf, 8 * nf, 4 * nf)
        )

    def forward(self, given: Tensor) -> Tensor:
        x = given
        for place, layer in enumerate(self.layers):
            x = instance_norm(layer(x))
            if place + 1 < len(self.layers):
                x = F.leaky_relu(x, 0.2)
        for block in self.blocks:
            x = block(x, given)
        return of_length_1(x)


class SharedResidual(nn.Module):
    """(B, C, h, w) -> (B, C, h, w)."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv_1, self.conv_2 = (reflecting(channels, channels) for _ in range(2))
        self.rectify = nn.PReLU()

    def forward(self, x: Tensor) -> Tensor:
        y = self.rectify(instance_norm(self.conv_1(x)))
        return self.rectify(x + instance_norm(self.conv_2(y)))


class Correspondence(nn.Module):
    def __init__(self, dims: CocosDims):
        super().__init__()
        width = 4 * dims.nf
        self.of_pose = Features(dims.pose_channels, dims.nf, dims.h)
        self.of_picture = Features(3, dims.nf, dims.h)
        self.residual = nn.Sequential(*(SharedResidual(width) for _ in range(4)))
        self.theta, self.phi = (nn.Conv2d(width, width, 1) for _ in range(2))

    def keys(self, picture: Tensor) -> Tensor:
        """Of a reference: (B, N, D), N = H/4 * W/4."""
        return windows(self.phi(self.residual(self.of_picture(picture))))

    def queries(self, pose_features: Tensor) -> Tensor:
        """Of what of_pose gives: (B, N, D)."""
        return windows(self.theta(self.residual(pose_features)))


def of_length_1(x: Tensor) -> Tensor:
    """Each position of (B, C, h, w), over its channels."""
    return x / (x.norm(dim=1, keepdim=True) + _TINY)


def windows(x: Tensor) -> Tensor:
    """(B, C, h, w) -> (B, h w, 9 C): 3 x 3 windows, centred over their numbers, of length 1;
    float32, as a similarity that is off by .004 is off by .4 in the exponent."""
    with torch.autocast(x.device.type, enabled=False):
        values = F.unfold(x.float(), 3, padding=1).transpose(1, 2)
        values = values - values.mean(2, keepdim=True)
        return values / (values.norm(dim=2, keepdim=True) + _TINY)


def similarities(queries: Tensor, keys: Tensor) -> Tensor:
    """M: (B, N, D), (B or 1, N, D) -> (B, N, N), cosines of target and reference positions."""
    with torch.autocast(queries.device.type, enabled=False):
        return queries @ keys.transpose(1, 2)


def matched(similarity: Tensor, tiles: Tensor) -> Tensor:
    """A mean of tiles for each row of the similarity (B, N, N): (B, N, 48)."""
    with torch.autocast(similarity.device.type, enabled=False):
        return torch.softmax(similarity / TEMPERATURE, 2) @ tiles


def in_tiles(pictures: Tensor) -> Tensor:
    """(B, 3, H, W) -> (B, N, 48), row by row; float32."""
    return F.unfold(pictures.float(), TILE, stride=TILE).transpose(1, 2)


def of_tiles(tiles: Tensor, size_hw: tuple[int, int]) -> Tensor:
    """Undoes in_tiles."""
    return F.fold(tiles.transpose(1, 2), size_hw, TILE, stride=TILE)
