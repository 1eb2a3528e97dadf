"""The flow attention network, stage 1 (section 3.2, figure 2): reference and poses in, coarse
picture out.

What depends on the reference alone is computed once (`encode_reference`) and
then serves any number of target poses (`render`); `forward` is the one after
the other. A fourth output channel, the person's matte, is our addition to the
paper. "8" and "4" in names mean H/8 and H/4, 32 x 32 and 64 x 64 at 256 x 256.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from dancepipe.nn.blocks import Encoder, EntryPart, Residual, Up, activate
from dancepipe.nn.local_attention import LocalAttention
from dancepipe.nn.mixture import Mixture
from dancepipe.priors.names import CHANNELS, PriorName
from dancepipe.priors.prior import PriorAt
from dancepipe.systems.focus_retain.dims import SIZE_STEP, FlowAttentionDims
from dancepipe.systems.focus_retain.flow_attention_module import (
    JOINT_MAP,
    FlowAttentionModule,
    FlowMasks,
)
from dancepipe.systems.focus_retain.flow_network import HEAT_MAPS, REFERENCE_CHANNELS, FlowNetwork
from dancepipe.systems.focus_retain.gated_copy import CopyPlan, GatedCopy

_WARP_FIRST = 2.0  # with a prior M begins at 0.88


@dataclass(frozen=True)
class EncodedReference:
    """What `render` needs of the reference. Batch 1 (serves any number of targets) or one per
    target."""

    # (B, 4 nf, H/8, W/8), channels_last: its memory is the table local attention gathers from
    F_r_8: Tensor
    F_r_4: Tensor  # (B, 2 nf, H/4, W/4), channels_last
    key_8: Tensor  # (B, 2 nf, H/8 + 2, W/8 + 2)
    key_4: Tensor  # (B, 2 nf, H/4 + 4, W/4 + 4) for a window of 5
    flow_entry: EntryPart  # shares of the first blocks: (B, nf / 2, H/2, W/2) each
    attention_entry: EntryPart | None  # None without a flow attention module


@dataclass(frozen=True)
class FlowAttentionOutput:
    """The coarse picture, and what can be seen and trained inside. All float32; pairs are (at
    H/8, at H/4)."""

    coarse: Tensor  # (B, 3, H, W) in [-1, 1]
    matte_logits: Tensor  # (B, 1, H, W); sigmoid = how much of the pixel is the person
    flows: tuple[Tensor, Tensor]  # (B, 2, h, w), in pixels of its own map
    masks: tuple[Tensor, Tensor]  # M (B, 1, h, w) in [0, 1]: share of the warped features
    attention: tuple[
        Tensor, ...
    ]  # A of eq. 2 (B, 1, h, w), mean 1 when spatial; empty without a flow attention module
    mixture: Mixture | None = None  # of the prior's copy and the synthesis; None without a prior
    plan: CopyPlan | None = None  # which made it


@dataclass(frozen=True)
class Entries:
    """The first, linear blocks of the encoders, over reference and target."""

    flow: EntryPart
    attention: EntryPart | None  # None without a flow attention module
    pose: EntryPart  # of the target alone


def fuse(M: Tensor, warped: Tensor, pose: Tensor) -> Tensor:
    """Eq. 1: M * psi(F_r, F_p, f) + (1 - M) * F_p, in the pose features' dtype."""
    return (M * warped + (1 - M) * pose).to(pose.dtype)


def _corrected(flows: tuple[Tensor, Tensor], prior: PriorAt | None) -> tuple[Tensor, Tensor]:
    """The network predicts the correction of the prior's flow."""
    f_8, f_4 = flows
    return (prior.flow_8 + f_8, prior.flow_4 + f_4) if prior else (f_8, f_4)


def _check_size(images: Tensor) -> None:
    if images.shape[2] % SIZE_STEP or images.shape[3] % SIZE_STEP:
        raise ValueError(
            f"height and width must be multiples of {SIZE_STEP}, got {tuple(images.shape[2:])}"
        )


class FlowAttentionNetwork(nn.Module):
    """I_r, S_r, S_t, J_r, J_t -> FlowAttentionOutput."""

    def __init__(self, dims: FlowAttentionDims):
        super().__init__()
        self.prior: PriorName = dims.prior
        nf, more = dims.nf, CHANNELS[dims.prior]
        self.appearance_encoder = Encoder(3, nf)  # G_ea
        self.pose_encoder = Encoder(HEAT_MAPS + JOINT_MAP + more, nf)  # G_ep
        self.flow_network = FlowNetwork(nf, HEAT_MAPS + more)
        self.attention_module = (
            FlowAttentionModule(nf, dims.attention) if dims.attention_module else FlowMasks(nf)
        )
        self.local_attention_8 = LocalAttention(4 * nf, 2 * nf, window=3)
        self.local_attention_4 = LocalAttention(2 * nf, 2 * nf, window=dims.window_4)
        # G_d
        self.decode_8 = nn.Sequential(Residual(4 * nf), Up(4 * nf, 2 * nf, 4 * nf))
        self.decode_4 = nn.Sequential(
            Residual(2 * nf), Up(2 * nf, nf, 2 * nf), Residual(nf), Up(nf, nf, nf)
        )
        self.picture = nn.Conv2d(nf, 3 + 1, 3, 1, 1, padding_mode="reflect")
        self.copy = (
            None if dims.prior == "none" else GatedCopy(nf, more, over_body=dims.prior == "body")
        )
        # the flow is good from the start: begin with the warped features, or the pose features
        # learn first and M never comes back
        if self.has_prior:
            for mask in (self.attention_module.mask_8, self.attention_module.mask_4):
                assert mask.bias is not None
                nn.init.constant_(mask.bias, _WARP_FIRST)

    def forward(
        self,
        I_r: Tensor,
        S_r: Tensor,
        S_t: Tensor,
        J_r: Tensor,
        J_t: Tensor,
        prior: PriorAt | None = None,
    ) -> FlowAttentionOutput:
        """I_r (B, 3, H, W) in [-1, 1]; S_r, S_t (B, 18, H, W) and J_r, J_t (B, 3, H, W) in [0, 1].
        H, W multiples of 16.

        prior: for networks with a prior, and for those only.
        """
        return self.render(self.encode_reference(I_r, S_r, J_r), S_t, J_t, prior)

    @property
    def has_prior(self) -> bool:
        return self.copy is not None

    def encode_reference(self, I_r: Tensor, S_r: Tensor, J_r: Tensor) -> EncodedReference:
        """Everything that depends on the reference alone."""
        _check_size(I_r)
        _, F_r_4, F_r_8 = (
            features.contiguous(memory_format=torch.channels_last)
            for features in self.appearance_encoder(I_r)
        )
        return EncodedReference(
            F_r_8,
            F_r_4,
            self.local_attention_8.key_map(F_r_8),
            self.local_attention_4.key_map(F_r_4),
            self.flow_network.encode_reference(I_r, S_r),
            self.attention_module.encode_reference(J_r),
        )

    def flow(
        self, entry: EntryPart, S_t: Tensor, prior: PriorAt | None = None
    ) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
        """entry: `flow_network.encode_reference` -> (F_f at H/8, at H/4), (f at H/8, at H/4);
        all that stage 0 trains."""
        F_f, (f_8, f_4) = self.flow_network(
            entry, torch.cat((S_t, prior.inputs()), 1) if prior else S_t
        )
        return F_f, _corrected((f_8, f_4), prior)

    def render(
        self,
        reference: EncodedReference,
        S_t: Tensor,
        J_t: Tensor,
        prior: PriorAt | None = None,
        fixed_mask: float | None = None,
    ) -> FlowAttentionOutput:
        """The targets S_t (B, 18, H, W), J_t (B, 3, H, W) from a reference of batch B or 1.

        fixed_mask puts one number in place of M when fusing: 1 decodes the warped features alone, 0
        the pose features alone (figure 4).
        """
        made = self.planned(reference, S_t, J_t, prior, fixed_mask)
        if prior is None or made.plan is None:
            return made
        coarse, matte_logits, mixture = made.plan.over(prior.layers)
        return replace(made, coarse=coarse, matte_logits=matte_logits, mixture=mixture)

    def planned(
        self,
        reference: EncodedReference,
        S_t: Tensor,
        J_t: Tensor,
        prior: PriorAt | None = None,
        fixed_mask: float | None = None,
    ) -> FlowAttentionOutput:
        """`render` before the plan is laid over the prior's layers, which are not read: the
        picture is the synthesis alone."""
        _check_size(S_t)
        if self.has_prior != (prior is not None):
            raise ValueError(f"this network {'needs a' if self.has_prior else 'takes no'} prior")
        known = (prior.inputs(),) if prior else ()
        module, attention = self.attention_module, reference.attention_entry
        if isinstance(module, FlowAttentionModule) and attention is not None:
            attention = attention + module.encoder.entry.part(J_t, JOINT_MAP)
        of_flow = self.flow_network.entry.part(torch.cat((S_t, *known), 1), REFERENCE_CHANNELS)
        entries = Entries(
            reference.flow_entry + of_flow,
            attention,
            self.pose_encoder.entry.part(torch.cat((S_t, J_t, *known), 1), 0),
        )
        return self.after_entries(reference, entries, prior, fixed_mask)

    def after_entries(
        self,
        reference: EncodedReference,
        entries: Entries,
        prior: PriorAt | None,
        fixed_mask: float | None = None,
    ) -> FlowAttentionOutput:
        """`planned`, the maps having been read."""
        F_f, flows = self.flow_network.after_entry(entries.flow)
        f_8, f_4 = _corrected(flows, prior)
        module = self.attention_module
        if isinstance(module, FlowAttentionModule):
            assert entries.attention is not None
            (M_8, M_4), attention = module.after_entry(entries.attention, F_f)
        else:
            (M_8, M_4), attention = module.after_entry(None, F_f)
        if fixed_mask is not None:
            M_8, M_4 = torch.full_like(M_8, fixed_mask), torch.full_like(M_4, fixed_mask)

        _, _, pose = self.pose_encoder.after_entry(entries.pose)  # F_p (B, 4 nf, H/8, W/8)
        x = fuse(M_8, self.local_attention_8(reference.F_r_8, reference.key_8, pose, f_8), pose)
        x = self.decode_8(x)  # (B, 2 nf, H/4, W/4): the pose features of this level
        x = fuse(M_4, self.local_attention_4(reference.F_r_4, reference.key_4, x, f_4), x)
        x = self.decode_4(x)  # (B, nf, H, W)
        picture = self.picture(activate(x)).float()  # (B, 4, H, W)
        coarse, matte_logits, plan = torch.tanh(picture[:, :3]), picture[:, 3:], None
        if prior and self.copy is not None:
            plan = self.copy(activate(x), prior, coarse, matte_logits)
        return FlowAttentionOutput(
            coarse, matte_logits, (f_8, f_4), (M_8, M_4), attention, plan=plan
        )
