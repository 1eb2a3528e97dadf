"""The networks as graphs for runtimes beside torch: what depends on the reference alone, what is
drawn of each target, and the enhancer.

Everything is of batch 1 and of fixed size. Maps, prior and copy are arithmetic, not networks: they
stay outside, so that one graph serves every prior, and the photo is read at its own size.
"""

import torch
from torch import Tensor, nn

from dancepipe.nn.blocks import EntryPart
from dancepipe.priors.names import CHANNELS
from dancepipe.priors.prior import Layers, PriorAt
from dancepipe.runtime.graph import as_onnx
from dancepipe.systems.focus_retain.enhancer import JOINT_MAP, Enhancer
from dancepipe.systems.focus_retain.flow_attention import (
    EncodedReference,
    Entries,
    FlowAttentionNetwork,
)
from dancepipe.systems.focus_retain.flow_network import HEAT_MAPS
from dancepipe.systems.focus_retain.merged_entries import MergedEntries

REFERENCE = ("I_r", "S_r", "J_r")
STATE = ("F_r_8", "F_r_4", "key_8", "key_4", "flow_a", "flow_b", "attention_a", "attention_b")


def encode_graph(network: FlowAttentionNetwork, coarse_hw: tuple[int, int]) -> bytes:
    """The ONNX file of REFERENCE -> the state that draw_graph reads, by state_names."""
    return as_onnx(_Encode(network), _reference(coarse_hw), state_names(network))


def draw_graph(network: FlowAttentionNetwork, coarse_hw: tuple[int, int]) -> bytes:
    """The ONNX file of joints_t (1, 18, 3) in pixels of that size, J_t, what a prior gives (known,
    flow_4: PriorAt.inputs and its flow) and the state -> draw_outputs."""
    with torch.no_grad():
        made = _Encode(network)(*_reference(coarse_hw).values())
    state = dict(zip(state_names(network), made))
    inputs = {**_targets(network, coarse_hw), **state}
    return as_onnx(_Draw(network), inputs, draw_outputs(network))


def refine_graph(enhancer: Enhancer, size_hw: tuple[int, int]) -> bytes:
    """The ONNX file of coarse, matte_logits, J_t -> picture, matte (not its logits)."""
    channels = {"coarse": 3, "matte_logits": 1, "J_t": JOINT_MAP}
    inputs = {name: torch.rand(1, count, *size_hw) for name, count in channels.items()}
    return as_onnx(_Refine(enhancer), inputs, ("picture", "matte"))


def state_of(encoded: EncodedReference) -> dict[str, Tensor]:
    """What encode_graph gives, by its names."""
    flow, attention = encoded.flow_entry, encoded.attention_entry
    more = () if attention is None else (attention.shrunk, attention.shortcut)
    kept = (encoded.F_r_8, encoded.F_r_4, encoded.key_8, encoded.key_4)
    return dict(zip(STATE, (*kept, flow.shrunk, flow.shortcut, *more)))


def state_names(network: FlowAttentionNetwork) -> tuple[str, ...]:
    """A network without a flow attention module (GFLA's) keeps nothing for one."""
    return STATE if hasattr(network.attention_module, "encoder") else STATE[:-2]


def draw_outputs(network: FlowAttentionNetwork) -> tuple[str, ...]:
    """A CopyPlan (gated_copy.py), or, without a prior to copy, the coarse picture."""
    if network.copy is None:
        return "coarse", "matte_logits"
    return ("gate", "move", "made", "made_matte")


def _reference(size_hw: tuple[int, int]) -> dict[str, Tensor]:
    channels = dict(zip(REFERENCE, (3, HEAT_MAPS, JOINT_MAP)))
    return {name: torch.rand(1, count, *size_hw) for name, count in channels.items()}


def _targets(network: FlowAttentionNetwork, size_hw: tuple[int, int]) -> dict[str, Tensor]:
    inputs = {
        "joints_t": torch.rand(1, HEAT_MAPS, 3),
        "J_t": torch.rand(1, JOINT_MAP, *size_hw),
    }
    if network.has_prior:
        inputs["known"] = torch.rand(1, CHANNELS[network.prior], *size_hw)
        inputs["flow_4"] = torch.rand(1, 2, size_hw[0] // 4, size_hw[1] // 4)
    return inputs


class _Encode(nn.Module):
    def __init__(self, network: FlowAttentionNetwork):
        super().__init__()
        self.network = network

    def forward(self, I_r: Tensor, S_r: Tensor, J_r: Tensor) -> tuple[Tensor, ...]:
        return tuple(state_of(self.network.encode_reference(I_r, S_r, J_r)).values())


class _Draw(nn.Module):
    def __init__(self, network: FlowAttentionNetwork):
        super().__init__()
        self.network, self.entries = network, MergedEntries(network)

    def forward(self, joints_t: Tensor, J_t: Tensor, *rest: Tensor) -> tuple[Tensor, ...]:
        prior, other = None, J_t
        if self.network.has_prior:
            known, flow_4, rest = rest[0], rest[1], rest[2:]
            surface = known[:, 4:] if known.shape[1] > 4 else None
            prior = PriorAt(known[:, :3], known[:, 3:4], flow_4, _NotRead(), surface)
            other = torch.cat((J_t, known), 1)
        F_r_8, F_r_4, key_8, key_4, *kept = rest
        of_flow = EntryPart(*kept[:2])
        of_attention = EntryPart(*kept[2:]) if kept[2:] else None
        flow, pose, *attention = self.entries(joints_t, other)
        entries = Entries(
            of_flow + flow, None if of_attention is None else of_attention + attention[0], pose
        )
        encoded = EncodedReference(F_r_8, F_r_4, key_8, key_4, of_flow, of_attention)
        made = self.network.after_entries(encoded, entries, prior)
        if made.plan is None:
            return made.coarse, made.matte_logits
        plan = made.plan
        return plan.gate, plan.move, plan.made, plan.made_matte


class _Refine(nn.Module):
    def __init__(self, enhancer: Enhancer):
        super().__init__()
        self.enhancer = enhancer

    def forward(self, coarse: Tensor, matte_logits: Tensor, J_t: Tensor) -> tuple[Tensor, Tensor]:
        made = self.enhancer(coarse, matte_logits, J_t)
        return made.final, torch.sigmoid(made.matte_logits)


class _NotRead(Layers):
    """The copy is laid outside of the graph."""

    def read(self, move: Tensor) -> tuple[Tensor, Tensor]:
        raise NotImplementedError
