"""The flow attention module (section 3.2, figure 3): which positions to warp, and which to make
from the pose.

FlowMasks is what GFLA has in its place, for the paper's ablation.
"""

import torch
from torch import Tensor, nn

from dancepipe.nn.blocks import Encoder, EntryPart, Up, activate, conv3x3, in_float32
from dancepipe.systems.focus_retain.dims import Attention

JOINT_MAP = 3
Pair = tuple[Tensor, Tensor]  # at H/8, at H/4


class FlowAttentionBlock(nn.Module):
    """A_limb of eq. 2. F_f (B, c_f, h, w), F_J (B, c_j, h, w) -> cat(F_J, A * F_f) and A (B, 1, h,
    w).

    The paper writes "a softmax layer" and A of shape H x W. "spatial": softmax over the positions,
    times their number, so that A is 1 on average. "gate": softmax over two channels, the first
    kept, so that A stays within 0 and 1.
    """

    def __init__(self, flow_channels: int, joint_channels: int, hidden: int, attention: Attention):
        super().__init__()
        self.attention = attention
        self.conv_1 = conv3x3(flow_channels + joint_channels, hidden)
        self.conv_2 = conv3x3(hidden, 1 if attention == "spatial" else 2)
        # Starts uniform. A spatial softmax that starts peaked can put all its mass on one position
        # and stay there.
        for parameter in self.conv_2.parameters():
            nn.init.zeros_(parameter)

    def forward(self, F_f: Tensor, F_J: Tensor) -> tuple[Tensor, Tensor]:
        logits = in_float32(
            self.conv_2, activate(self.conv_1(torch.cat((F_f, F_J), 1)))
        )  # (B, 1 or 2, h, w)
        if self.attention == "spatial":
            A = (
                torch.softmax(logits.flatten(1), 1).view_as(logits) * logits[0].numel()
            )  # (B, 1, h, w)
        else:
            A = torch.softmax(logits, 1)[:, :1]
        return torch.cat((F_J, A.to(F_f.dtype) * F_f), 1), A


class FlowAttentionModule(nn.Module):
    """J_r, J_t, F_f -> the flow-attn-masks M, at H/8 and at H/4. M weighs the warped features, 1
    - M the pose features."""

    def __init__(self, nf: int, attention: Attention):
        super().__init__()
        self.encoder = Encoder(2 * JOINT_MAP, nf // 2)
        self.attend_8 = FlowAttentionBlock(2 * nf, 2 * nf, nf, attention)
        self.mask_8 = conv3x3(4 * nf, 1)
        self.up_4 = Up(4 * nf, nf, 2 * nf)
        self.skip_4 = conv3x3(nf, nf)
        self.attend_4 = FlowAttentionBlock(nf, nf, nf, attention)
        self.mask_4 = conv3x3(2 * nf, 1)

    def encode_reference(self, J_r: Tensor) -> EntryPart:
        """The reference's share of the first block, once per reference."""
        return self.encoder.entry.part(J_r, 0)

    def forward(self, reference: EntryPart, J_t: Tensor, F_f: Pair) -> tuple[Pair, Pair]:
        """reference of batch B or 1, J_t (B, 3, H, W) -> (M at H/8, at H/4), (A at H/8, at H/4);
        each (B, 1, h, w), float32."""
        return self.after_entry(reference + self.encoder.entry.part(J_t, JOINT_MAP), F_f)

    def after_entry(self, whole: EntryPart, F_f: Pair) -> tuple[Pair, Pair]:
        _, quarter, eighth = self.encoder.after_entry(whole)
        joined, A_8 = self.attend_8(F_f[0], eighth)  # (B, 4 nf, H/8, W/8)
        M_8 = torch.sigmoid(in_float32(self.mask_8, activate(joined)))
        F_J = self.up_4(joined) + self.skip_4(activate(quarter))  # (B, nf, H/4, W/4)
        joined, A_4 = self.attend_4(F_f[1], F_J)  # (B, 2 nf, H/4, W/4)
        M_4 = torch.sigmoid(in_float32(self.mask_4, activate(joined)))
        return (M_8, M_4), (A_8, A_4)


class FlowMasks(nn.Module):
    """F_f -> M at H/8 and at H/4, by one convolution each: GFLA's occlusion masks. Called as
    FlowAttentionModule, deaf to the joint maps."""

    def __init__(self, nf: int):
        super().__init__()
        self.mask_8 = conv3x3(2 * nf, 1)
        self.mask_4 = conv3x3(nf, 1)

    def encode_reference(self, J_r: Tensor) -> None:
        """Nothing of the reference is needed."""

    def forward(self, reference: None, J_t: Tensor, F_f: Pair) -> tuple[Pair, tuple[()]]:
        """-> (M at H/8, at H/4), each (B, 1, h, w), float32; there is no A."""
        return self.after_entry(reference, F_f)

    def after_entry(self, whole: None, F_f: Pair) -> tuple[Pair, tuple[()]]:
        M_8, M_4 = (
            torch.sigmoid(in_float32(mask, activate(features)))
            for mask, features in zip((self.mask_8, self.mask_4), F_f)
        )
        return (M_8, M_4), ()
