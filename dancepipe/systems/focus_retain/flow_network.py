"""The flow-guided network (section 3.2): where in the reference each part of the target comes from.

"We utilize dilated convolutions to enlarge the receptive fields" (section 4.3):
an hourglass with skips as in GFLA, its innermost blocks dilated.
"""

import torch
from torch import Tensor, nn

from dancepipe.nn.blocks import (
    Down,
    EntryDown,
    EntryPart,
    Residual,
    Up,
    activate,
    begin_near,
    conv3x3,
    in_float32,
)

HEAT_MAPS = 18
REFERENCE_CHANNELS = 3 + HEAT_MAPS  # I_r, S_r; then S_t


class FlowNetwork(nn.Module):
    """I_r, S_r, S_t -> features F_f and flows f, at H/8 and at H/4."""

    def __init__(self, nf: int, target_channels: int = HEAT_MAPS):
        super().__init__()
        half = nf // 2
        self.entry = EntryDown(REFERENCE_CHANNELS + target_channels, half)
        self.down_4 = Down(half, 2 * half)
        self.down_8 = Down(2 * half, 4 * half)
        self.down_16 = Down(4 * half, 8 * half)
        self.dilated = nn.Sequential(*(Residual(8 * half, dilation) for dilation in (1, 2, 4)))
        self.up_8 = Up(8 * half, 4 * half, 4 * half)
        self.skip_8 = conv3x3(4 * half, 4 * half)
        self.up_4 = Up(4 * half, 2 * half, 2 * half)
        self.skip_4 = conv3x3(2 * half, 2 * half)
        self.flow_8 = conv3x3(4 * half, 2)
        self.flow_4 = conv3x3(2 * half, 2)
        for head in (self.flow_8, self.flow_4):  # "stay where you are"
            begin_near(head, 0, 0)

    def encode_reference(self, I_r: Tensor, S_r: Tensor) -> EntryPart:
        """The reference's share of the first block: it is linear, so the share is computed once
        per reference."""
        return self.entry.part(torch.cat((I_r, S_r), 1), 0)

    def forward(
        self, reference: EntryPart, S_t: Tensor
    ) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
        """reference of batch B or 1, S_t (B, target_channels, H, W) -> (F_f at H/8, at H/4), (f at
        H/8, at H/4).

        S_t: the 18 heat maps, and what else is known of the target.

        Flows are (B, 2, h, w), float32, in pixels of their own map: x, y from a target position to
        its source.
        """
        return self.after_entry(reference + self.entry.part(S_t, REFERENCE_CHANNELS))

    def after_entry(self, whole: EntryPart) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
        half = self.entry.finish(whole)  # (B, nf/2, H/2, W/2)
        quarter = self.down_4(half)  # (B, nf, H/4, W/4)
        eighth = self.down_8(quarter)  # (B, 2 nf, H/8, W/8)
        innermost = self.dilated(self.down_16(eighth))  # (B, 4 nf, H/16, W/16)
        features_8 = self.up_8(innermost) + self.skip_8(activate(eighth))  # (B, 2 nf, H/8, W/8)
        features_4 = self.up_4(features_8) + self.skip_4(activate(quarter))  # (B, nf, H/4, W/4)
        flows = [
            # Scaled by the map's width: the same numbers from the head mean the same motion at any
            # size.
            in_float32(head, activate(features)) * (features.shape[3] / 8)
            for head, features in ((self.flow_8, features_8), (self.flow_4, features_4))
        ]
        return (features_8, features_4), (flows[0], flows[1])
