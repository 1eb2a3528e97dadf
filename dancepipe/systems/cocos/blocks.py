"""The parts of both networks: SPADE blocks over positional norms, and attention."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

_EPSILON = 1e-5


def reflecting(channels_in: int, channels_out: int) -> nn.Conv2d:
    return nn.Conv2d(channels_in, channels_out, 3, padding=1, padding_mode="reflect")


def positional_norm(x: Tensor) -> Tensor:
    """Each position to mean 0 and variance 1 over its channels, which is unbiased. float32."""
    with torch.autocast(x.device.type, enabled=False):
        x = x.float()
        variance, mean = torch.var_mean(x, 1, keepdim=True)
        return (x - mean) * torch.rsqrt(variance + _EPSILON)


class Modulation(nn.Module):
    """M: x (B, C, h, w), normalised, scaled and shifted as the condition (B, c, H, W) says."""

    def __init__(self, channels: int, condition: int, hidden: int):
        super().__init__()
        self.read = reflecting(condition, hidden)
        self.scale_and_shift = reflecting(hidden, 2 * channels)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        there = F.interpolate(condition, x.shape[2:], mode="nearest")
        scale, shift = self.scale_and_shift(F.relu(self.read(there))).chunk(2, 1)
        return positional_norm(x) * (1 + scale) + shift


class SpadeBlock(nn.Module):
    """B: (B, in, h, w) and a condition -> (B, out, h, w)."""

    def __init__(self, channels_in: int, channels_out: int, condition: int, hidden: int):
        super().__init__()
        middle = min(channels_in, channels_out)
        self.modulate_0 = Modulation(channels_in, condition, hidden)
        self.modulate_1 = Modulation(middle, condition, hidden)
        self.conv_0 = spectral_norm(reflecting(channels_in, middle))
        self.conv_1 = spectral_norm(reflecting(middle, channels_out))
        self.modulate_skip = self.conv_skip = None
        if channels_in != channels_out:
            self.modulate_skip = Modulation(channels_in, condition, hidden)
            self.conv_skip = spectral_norm(nn.Conv2d(channels_in, channels_out, 1, bias=False))

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        y = self.conv_0(F.leaky_relu(self.modulate_0(x, condition), 0.2))
        y = self.conv_1(F.leaky_relu(self.modulate_1(y, condition), 0.2))
        if self.conv_skip is None or self.modulate_skip is None:
            return x + y
        return self.conv_skip(self.modulate_skip(x, condition)) + y


class Attention(nn.Module):
    """SAGAN's: x + gamma * what x reads at other positions of a map of half the size; gamma
    begins at 0. (B, C, h, w) -> (B, C, h, w)."""

    def __init__(self, channels: int):
        super().__init__()

        def one_by_one(channels_in: int, channels_out: int) -> nn.Module:
            return spectral_norm(nn.Conv2d(channels_in, channels_out, 1, bias=False))

        self.query, self.key = (one_by_one(channels, channels // 8) for _ in range(2))
        self.value = one_by_one(channels, channels // 2)
        self.out = one_by_one(channels // 2, channels)
        self.gamma = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        key, value = F.max_pool2d(self.key(x), 2), F.max_pool2d(self.value(x), 2)
        query, key, value = (
            one.flatten(2).transpose(1, 2)[:, None] for one in (self.query(x), key, value)
        )
        read = F.scaled_dot_product_attention(query, key, value, scale=1.0)  # (B, 1, h w, C/2)
        read = read[:, 0].transpose(1, 2).unflatten(2, x.shape[2:])  # (B, C/2, h, w)
        return x + self.gamma * self.out(read)
