"""Ours: a gate that copies the prior's pixels at full size.

Features at H/8 and H/4 cannot carry a face or a stripe through the decoder; a copy
at full size can. The gate starts open, so an untrained network gives the prior's picture,
and what it learns is where to correct the copy (a smooth move) and where to make pixels of its own.
Over the body it makes no pixels where the photo shows the surface: given the choice, a mean of
copy and synthesis has the smaller error, and is a blur. Nor does it lay light and shade on the
copy: a tone that rendered people taught was wrong on real ones (docs/history/weights.md).

What it learns is smooth or a gate, so that it may be laid over a larger copy than the network
worked at: the photo's own pixels then stay as they are.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dancepipe.nn.blocks import begin_near, in_float32
from dancepipe.nn.mixture import OPEN, Mixture, blend
from dancepipe.priors.prior import Layers, PriorAt

_FINE_FLOW = 64  # the correction of the copy is in units of W / 64: a few pixels
# px; the decoder's two last transposed convolutions repeat a pattern over this many, which would
# tear the copy
_FLOW_CELL = 4
_SEAM = 5  # px over which what the photo shows and what it does not are blended


@dataclass(frozen=True, eq=False)
class CopyPlan:
    """What to do with the prior's layers."""

    gate: Tensor  # (B, 1, H, W) in [0, 1]: share of the copy
    move: Tensor  # (B, 2, H, W) px: where the copy is read
    made: Tensor  # (B, 3, H, W) in [-1, 1]: the rest
    made_matte: Tensor  # (B, 1, H, W) in [0, 1]

    def over(self, layers: Layers) -> tuple[Tensor, Tensor, Mixture]:
        """Picture (B, 3, H, W), logits of the matte (B, 1, H, W), what was mixed; float32."""
        copied, matte = layers.read(self.move)
        picture, matte_logits = blend(self.gate, copied, matte, self.made, self.made_matte)
        return picture, matte_logits, Mixture(self.gate, copied, self.made)

    def enlarged(self, there: tuple[slice, slice], size_hw: tuple[int, int]) -> "CopyPlan":
        """A part of it, rows and columns, for layers of that size; bilinear."""
        rows, columns = there

        def at_size(values: Tensor) -> Tensor:
            part = values[:, :, rows, columns]
            return F.interpolate(part, size_hw, mode="bilinear", align_corners=False)

        return CopyPlan(
            at_size(self.gate),
            at_size(self.move) * (size_hw[1] / (columns.stop - columns.start)),
            at_size(self.made),
            at_size(self.made_matte),
        )


class GatedCopy(nn.Module):
    """gate * moved prior + (1 - gate) * synthesis, for the picture and for the matte."""

    def __init__(self, nf: int, known: int, *, over_body: bool):
        """known: channels of the prior's inputs. over_body: the prior is a body, whose surface is
        known."""
        super().__init__()
        self._over_body = over_body
        # The gate, and where the copy comes from (x, y).
        self.head = nn.Conv2d(nf + known, 3, 3, 1, 1, padding_mode="reflect")
        begin_near(self.head, OPEN, 0, 0)

    def forward(
        self, features: Tensor, prior: PriorAt, synthesis: Tensor, matte_logits: Tensor
    ) -> CopyPlan:
        """features (B, nf, H, W), synthesis (B, 3, H, W), matte_logits (B, 1, H, W)."""
        inputs = prior.inputs()
        head = in_float32(
            self.head, torch.cat((features, inputs.to(features.dtype)), 1)
        )  # (B, 3, H, W)
        gate = torch.sigmoid(head[:, :1])
        if self._over_body:
            assert prior.seen is not None
            seen = F.avg_pool2d(prior.seen, _SEAM, 1, _SEAM // 2) * prior.seen
            gate = gate + (1 - gate) * seen
        move = _smooth(head[:, 1:3], _FLOW_CELL) * (inputs.shape[3] / _FINE_FLOW)
        return CopyPlan(gate, move, synthesis, torch.sigmoid(matte_logits))


def _smooth(values: Tensor, cell_px: int) -> Tensor:
    """Means of cells, interpolated between."""
    return F.interpolate(
        F.avg_pool2d(values, cell_px),
        scale_factor=cell_px,
        mode="bilinear",
        align_corners=False,
    )
