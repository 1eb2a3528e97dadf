"""The layers that all parts are made of."""

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from dancepipe.nn.blocks import InstanceNorm


def conv3x3(channels_in: int, channels_out: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(channels_in, channels_out, 3, stride, 1)


def rectified(x: Tensor) -> Tensor:
    return F.leaky_relu(x, 0.2)


def enlarged(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2, mode="nearest")


class Normed(nn.Module):
    """Convolution with spectral norm, instance norm, rectified."""

    def __init__(self, channels_in: int, channels_out: int, stride: int = 1):
        super().__init__()
        self.conv = spectral_norm(conv3x3(channels_in, channels_out, stride))
        self.norm = InstanceNorm(channels_out)

    def forward(self, x: Tensor) -> Tensor:
        return rectified(self.norm(self.conv(x)))
