"""The structural prior, our addition to the paper: the limb warp as first guess, and a gate that
copies its pixels at full size.

Features at H/8 and H/4 cannot carry a face or a stripe through the decoder; a copy
at full size can. The gate starts open, so an untrained network gives the limb warp,
and what it learns is where to correct the copy and where to make pixels of its own.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dancepipe.nn.blocks import in_float32
from dancepipe.priors.limb_warp import WarpSource, limb_flow, limb_warp
from dancepipe.priors.moved_warp import WarpLayers

# the warped picture and its matte, as more inputs of the pose encoder and of the flow network
CHANNELS = 4
OPEN = 3.0  # bias of the gate: 95 % copy
_FINE_FLOW = 64  # the correction of the copy is in units of W / 64: a few pixels
# px; the decoder's two last transposed convolutions repeat a pattern over this many, which would
# tear the copy
_FLOW_CELL = 4


@dataclass(frozen=True)
class LimbPrior:
    """What the joints alone say about the target. Not differentiated."""

    picture: Tensor  # (B, 3, H, W) in [-1, 1], the limb warp on grey
    matte: Tensor  # (B, 1, H, W) in [0, 1]
    flow_4: Tensor  # (B, 2, H/4, W/4), smooth: target p + flow = source, in pixels of that map
    layers: WarpLayers  # what the warp is made of

    def inputs(self) -> Tensor:
        """(B, 4, H, W) for the encoders, channels_last in memory like what they are laid beside."""
        return torch.cat((self.picture, self.matte), 1).contiguous(
            memory_format=torch.channels_last
        )

    @property
    def flow_8(self) -> Tensor:
        """(B, 2, H/8, W/8), in pixels of that map."""
        return F.avg_pool2d(self.flow_4, 2) / 2


def limb_prior(
    I_r: Tensor,
    matte_r: Tensor,
    joints_r: Tensor,
    joints_t: Tensor,
    source: WarpSource | None = None,
) -> LimbPrior:
    """I_r (B, 3, H, W) in [-1, 1] on grey, matte_r (B, 1, H, W) in [0, 1], joints (B, 18, 3); I_r
    and its own may have batch 1.

    source: `warp_source` of the reference, when it serves many targets.
    """
    batch, (height, width) = len(joints_t), I_r.shape[2:]
    joints_r = joints_r.expand(batch, -1, -1)
    with torch.autocast(I_r.device.type, enabled=False):  # bfloat16 coordinates are off by a pixel
        warped = limb_warp(
            I_r.expand(batch, -1, -1, -1),
            matte_r.expand(batch, -1, -1, -1),
            joints_r,
            joints_t,
            source,
        )
        # Smooth, and read at H/4 and H/8 only: drawn there, which costs a sixteenth.
        flow_4, _ = limb_flow(
            shrunk_joints(joints_r, 4), shrunk_joints(joints_t, 4), height // 4, width // 4
        )
    return LimbPrior(warped.picture, warped.matte, flow_4, warped.layers)


def shrunk_joints(joints: Tensor, factor: int) -> Tensor:
    """Joints (..., 3: x_px, y_px, confidence) in the pixels of a picture shrunk by factor; pixel
    centres are at integers."""
    return (
        joints
        if factor == 1
        else torch.cat(((joints[..., :2] + 0.5) / factor - 0.5, joints[..., 2:]), -1)
    )


@dataclass(frozen=True)
class Mixture:
    """What a gate mixed: gate * copied + (1 - gate) * made."""

    gate: Tensor  # (B, 1, H, W) in [0, 1], float32
    copied: Tensor  # (B, 3, H, W) in [-1, 1]
    made: Tensor  # (B, 3, H, W) in [-1, 1]


class GatedCopy(nn.Module):
    """gate * moved limb warp + (1 - gate) * synthesis, for the picture and for the matte."""

    def __init__(self, nf: int):
        super().__init__()
        self.head = nn.Conv2d(
            nf + CHANNELS, 3, 3, 1, 1, padding_mode="reflect"
        )  # gate, and where the copy comes from (x, y)
        nn.init.normal_(self.head.weight, 0, 1e-3)
        nn.init.zeros_(self.head.bias)
        nn.init.constant_(self.head.bias[:1], OPEN)

    def forward(
        self, features: Tensor, prior: LimbPrior, synthesis: Tensor, matte_logits: Tensor
    ) -> tuple[Tensor, Tensor, Mixture]:
        """features (B, nf, H, W), synthesis (B, 3, H, W), matte_logits (B, 1, H, W) -> picture,
        matte logits, what was mixed; float32."""
        inputs = prior.inputs()
        head = in_float32(
            self.head, torch.cat((features, inputs.to(features.dtype)), 1)
        )  # (B, 3, H, W)
        gate = torch.sigmoid(head[:, :1])
        copied, matte = prior.layers.read(_smooth(head[:, 1:]) * (inputs.shape[3] / _FINE_FLOW))
        picture, matte_logits = blend(gate, copied, matte, synthesis, torch.sigmoid(matte_logits))
        return picture, matte_logits, Mixture(gate, copied, synthesis)


def _smooth(flow: Tensor) -> Tensor:
    """Means of cells, interpolated between."""
    return F.interpolate(
        F.avg_pool2d(flow, _FLOW_CELL),
        scale_factor=_FLOW_CELL,
        mode="bilinear",
        align_corners=False,
    )


def blend(
    gate: Tensor, picture: Tensor, matte: Tensor, other_picture: Tensor, other_matte: Tensor
) -> tuple[Tensor, Tensor]:
    """gate * one + (1 - gate) * other: (picture, logits of the matte)."""
    mixed = (gate * matte + (1 - gate) * other_matte).clamp(1e-4, 1 - 1e-4)
    return gate * picture + (1 - gate) * other_picture, torch.logit(mixed)
