"""The enhancer, stage 2 (section 3.3): the coarse picture refined under the target's joint map, by
SPADE residual blocks.

A fourth output channel, the person's matte, is our addition to the paper, and so
the coarse matte joins the coarse picture and the joint map in the modulation.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dancepipe.nn.blocks import begin_near, conv3x3, in_float32, instance_norm
from dancepipe.nn.mixture import OPEN, Mixture, blend
from dancepipe.systems.focus_retain.dims import SIZE_STEP, EnhancerDims, EnhancerNorm

JOINT_MAP = 3
MODULATION = 3 + 1 + JOINT_MAP  # I_coarse, its matte, J_t


def _activate(x: Tensor) -> Tensor:
    return F.leaky_relu(x, 0.2)


@dataclass(frozen=True)
class EnhancerOutput:
    """The final picture. Both float32."""

    final: Tensor  # (B, 3, H, W) in [-1, 1]
    matte_logits: Tensor  # (B, 1, H, W)
    mixture: Mixture | None = (
        None  # of the coarse picture and the enhancer's own; None without a keep gate
    )


class Modulation(nn.Module):
    """SPADE: normalise(x) * (1 + alpha) + beta, alpha and beta from two convolutions over the
    modulation map."""

    def __init__(self, channels: int, hidden: int, norm: EnhancerNorm):
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=False) if norm == "batch" else None
        self.hidden = conv3x3(MODULATION, hidden)
        self.alpha_beta = conv3x3(hidden, 2 * channels)

    def forward(self, x: Tensor, modulation: Tensor) -> Tensor:
        alpha, beta = self.alpha_beta(F.relu(self.hidden(modulation))).chunk(2, 1)
        return (instance_norm(x) if self.norm is None else self.norm(x)) * (1 + alpha) + beta


class ModulatedBlock(nn.Module):
    """SPADE residual block. x (B, in, h, w), modulation (B, 7, h, w) -> (B, out, h, w)."""

    def __init__(self, channels_in: int, channels_out: int, hidden: int, norm: EnhancerNorm):
        super().__init__()
        middle = min(channels_in, channels_out)
        self.modulate_1 = Modulation(channels_in, hidden, norm)
        self.conv_1 = conv3x3(channels_in, middle)
        self.modulate_2 = Modulation(middle, hidden, norm)
        self.conv_2 = conv3x3(middle, channels_out)
        self.modulate_shortcut = Modulation(channels_in, hidden, norm)
        self.shortcut = nn.Conv2d(channels_in, channels_out, 1, bias=False)

    def forward(self, x: Tensor, modulation: Tensor) -> Tensor:
        inner = self.conv_1(_activate(self.modulate_1(x, modulation)))  # (B, min(in, out), h, w)
        inner = self.conv_2(_activate(self.modulate_2(inner, modulation)))  # (B, out, h, w)
        return self.shortcut(self.modulate_shortcut(x, modulation)) + inner


class KeepGate(nn.Module):
    """Ours: how much of the coarse pixel stays. Open at first, so that detail is lost only where
    something better is learnt."""

    def __init__(self, channels: int):
        super().__init__()
        self.gate = conv3x3(channels, 1)
        begin_near(self.gate, OPEN)

    def forward(self, x: Tensor) -> Tensor:
        return torch.sigmoid(in_float32(self.gate, x))  # (B, 1, H, W)


class Enhancer(nn.Module):
    """I_coarse, its matte, J_t -> EnhancerOutput. "Four SPADE residual blocks with up-sampling
    layers" (section 4.3)."""

    def __init__(self, dims: EnhancerDims):
        super().__init__()
        widths = [factor * dims.n for factor in (16, 8, 4, 2, 1)]
        self.entry = conv3x3(JOINT_MAP, widths[0])
        self.blocks = nn.ModuleList(
            ModulatedBlock(i, o, dims.h, dims.norm) for i, o in zip(widths, widths[1:])
        )
        self.picture = conv3x3(dims.n, 3 + 1)
        self.keep = KeepGate(dims.n) if dims.keep else None

    def forward(self, coarse: Tensor, matte_logits: Tensor, J_t: Tensor) -> EnhancerOutput:
        """coarse (B, 3, H, W) in [-1, 1], matte_logits (B, 1, H, W), J_t (B, 3, H, W) in [0, 1].
        H, W multiples of 16."""
        if coarse.shape[2] % SIZE_STEP or coarse.shape[3] % SIZE_STEP:
            raise ValueError(
                f"height and width must be multiples of {SIZE_STEP}, got {tuple(coarse.shape[2:])}"
            )
        modulation = torch.cat(
            (coarse, torch.sigmoid(matte_logits.float()), J_t), 1
        )  # (B, 7, H, W)
        scales = [modulation]
        for _ in (
            self.blocks
        ):  # averaged, not picked: a limb of J_t is thinner than the spacing of the small maps
            scales.append(F.avg_pool2d(scales[-1], 2))  # H/2, H/4, H/8, H/16
        x = self.entry(scales.pop()[:, -JOINT_MAP:])  # (B, 16 n, H/16, W/16)
        for block in self.blocks:
            x = block(
                F.interpolate(x, scale_factor=2, mode="nearest"), scales.pop()
            )  # (B, 8 n, H/8, W/8) ... (B, n, H, W)
        x = _activate(x)
        picture = self.picture(x).float()  # (B, 4, H, W)
        final, final_matte = torch.tanh(picture[:, :3]), picture[:, 3:]
        if self.keep is not None:
            mixture = Mixture(self.keep(x), coarse, final)
            final, final_matte = blend(
                mixture.gate,
                coarse,
                torch.sigmoid(matte_logits.float()),
                final,
                torch.sigmoid(final_matte),
            )
            return EnhancerOutput(final, final_matte, mixture)
        return EnhancerOutput(final, final_matte)
