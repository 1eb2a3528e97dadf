"""Ours: a gate that copies the prior's pixels at full size.

Features at H/8 and H/4 cannot carry a face or a stripe through the decoder; a copy
at full size can. The gate starts open, so an untrained network gives the prior's picture,
and what it learns is where to correct the copy and where to make pixels of its own.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dancepipe.nn.blocks import begin_near, in_float32
from dancepipe.nn.mixture import OPEN, Mixture, blend
from dancepipe.priors.prior import PriorAt

_FINE_FLOW = 64  # the correction of the copy is in units of W / 64: a few pixels
# px; the decoder's two last transposed convolutions repeat a pattern over this many, which would
# tear the copy
_FLOW_CELL = 4


class GatedCopy(nn.Module):
    """gate * moved prior + (1 - gate) * synthesis, for the picture and for the matte."""

    def __init__(self, nf: int, known: int):
        """known: channels of the prior's inputs."""
        super().__init__()
        self.head = nn.Conv2d(
            nf + known, 3, 3, 1, 1, padding_mode="reflect"
        )  # gate, and where the copy comes from (x, y)
        begin_near(self.head, OPEN, 0, 0)

    def forward(
        self, features: Tensor, prior: PriorAt, synthesis: Tensor, matte_logits: Tensor
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
