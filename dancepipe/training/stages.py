"""What each stage trains, by which terms, and one step of it. The stages differ in nothing else.

A step's batch comes in parts of one size (update.py).
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from dancepipe.losses.face import crop_faces, face_boxes
from dancepipe.losses.flow import full_size
from dancepipe.losses.perceptual import Vgg19Taps
from dancepipe.nn.discriminator import face_discriminator, image_discriminator
from dancepipe.nn.local_attention import warp
from dancepipe.priors.limbs import LimbPrior, limb_prior
from dancepipe.systems.focus_retain.dims import ModelDims
from dancepipe.systems.focus_retain.enhancer import Enhancer, EnhancerOutput
from dancepipe.systems.focus_retain.flow_attention import FlowAttentionNetwork, FlowAttentionOutput
from dancepipe.systems.focus_retain.loss_weights import LossWeights
from dancepipe.systems.focus_retain.losses import (
    flow_terms,
    given_taps,
    stage1_terms,
    stage2_terms,
    weighted_sum,
)
from dancepipe.systems.focus_retain.networks import Networks
from dancepipe.systems.focus_retain.sizes import enlarged
from dancepipe.training.average import Anchor, WeightAverage
from dancepipe.training.compiled import compile_in_place
from dancepipe.training.inputs import NetworkPair, shrunk_pair
from dancepipe.training.options import TrainOptions
from dancepipe.training.processes import Processes
from dancepipe.training.shared_norm import share_batch_norms, statistics_kept
from dancepipe.training.update import Judge, adam, autocast, counts_of, learn, mean_figures, placed


def _coarse(
    network: FlowAttentionNetwork, pair: NetworkPair, enlarge: int = 1
) -> FlowAttentionOutput:
    """enlarge: made of the pair at a fraction of its size, and enlarged to it."""
    pair = shrunk_pair(pair, enlarge)
    return enlarged(
        network(pair.I_r, pair.S_r, pair.S_t, pair.J_r, pair.J_t, _prior(network, pair)), enlarge
    )


class Stage0:
    """The flow network alone, as GFLA begins: M need not be learnt beside a flow that points
    nowhere. The other parts stay as they are."""

    def __init__(
        self,
        dims: ModelDims,
        options: TrainOptions,
        perceptual: Vgg19Taps | None,
        processes: Processes,
    ):
        self.dims, self._options, self._perceptual, self._processes = (
            dims,
            options,
            perceptual,
            processes,
        )
        self._weights = flow_alone(options.weights)
        self.flow_attention = placed(FlowAttentionNetwork(dims.flow_attention), processes.device)
        self.average = WeightAverage(self.flow_attention, options.average)
        self.modules = {
            "flow_attention": self.flow_attention,
            "flow_attention_average": self.average.module,
        }
        self.optimisers = {
            "flow_attention": adam(self.flow_attention.flow_network, options.learning_rate, options)
        }
        self.renders = {"flow_attention": self.average.module}

    def step(
        self, parts: Sequence[NetworkPair], number: int, *, with_statistics: bool
    ) -> dict[str, Tensor]:
        """Step `number` (from 0): one update of the flow network. Gives the named terms;
        with_statistics also the size of the flows."""
        self.flow_attention.train()
        figures = []

        def losses() -> Iterator[Tensor]:
            for pair in parts:
                with autocast(self._processes.device, self._options):
                    flows = _flows(self.flow_attention, pair)
                    taps_r, taps_t = given_taps(self._perceptual, pair.I_r, pair.I_t)
                    terms = flow_terms(
                        flows,
                        pair.I_r,
                        pair.I_t,
                        taps_r,
                        taps_t,
                        self._weights,
                        self._options.correctness,
                        pair.exact,
                    )
                    total = weighted_sum(terms, self._weights)
                sizes = (
                    {
                        f"flow_{level}_mean": flow.norm(dim=1).mean()
                        for level, flow in zip(("8", "4"), flows)
                    }
                    if with_statistics
                    else {}
                )
                figures.append({"total": total, **terms, **sizes})
                yield total

        learn(self.optimisers["flow_attention"], losses(), len(parts), self._processes)
        self.average.update(number)
        return mean_figures(figures)

    @torch.no_grad()
    def show(self, pair: NetworkPair) -> tuple[FlowAttentionOutput, None, Tensor]:
        """(the reference moved by the averaged flow in place of the coarse picture, None, matte
        logits): the decoder has learnt nothing yet."""
        made = _coarse(self.average.module, pair)
        return (
            replace(made, coarse=warp(pair.I_r, full_size(made.flows[1], pair.I_r))),
            None,
            made.matte_logits,
        )


def flow_alone(weights: LossWeights) -> LossWeights:
    """Those of stage 0: GFLA's 20 for correctness, eq. 5 beside it; what weighs nothing in stage
    1 weighs nothing here."""
    return replace(
        weights,
        flow_feature=20.0 * bool(weights.flow_feature),
        flow_image=1.0 * bool(weights.flow_image),
    )


def _flows(network: FlowAttentionNetwork, pair: NetworkPair) -> tuple[Tensor, Tensor]:
    return network.flow(
        network.flow_network.encode_reference(pair.I_r, pair.S_r), pair.S_t, _prior(network, pair)
    )[1]


def _prior(network: FlowAttentionNetwork, pair: NetworkPair) -> LimbPrior | None:
    return (
        limb_prior(pair.I_r, pair.matte_r, pair.joints_r, pair.joints_t)
        if network.has_prior
        else None
    )


class Stage1:
    """Flow attention network and D. The terms in I_final do not exist yet."""

    def __init__(
        self,
        dims: ModelDims,
        options: TrainOptions,
        perceptual: Vgg19Taps | None,
        processes: Processes,
        initial: Networks | None = None,
    ):
        self.dims, self._options, self._perceptual, self._processes = (
            dims,
            options,
            perceptual,
            processes,
        )
        self.flow_attention = placed(FlowAttentionNetwork(dims.flow_attention), processes.device)
        if initial is not None:
            self.flow_attention.load_state_dict(initial.flow_attention.state_dict())
        self._anchor = Anchor(self.flow_attention, options.stay)
        self._D = Judge(
            "D",
            image_discriminator(dims.coarse_hw),
            options.weights.adversarial,
            options,
            processes,
        )
        self.average = WeightAverage(self.flow_attention, options.average)
        self.modules = {
            "flow_attention": self.flow_attention,
            "flow_attention_average": self.average.module,
            **self._D.modules,
        }
        self.optimisers = {
            "flow_attention": adam(self.flow_attention, options.learning_rate, options),
            **self._D.optimisers,
        }
        self.renders = {"flow_attention": self.average.module}  # what weight files hold
        if options.compile:
            compile_in_place((self.flow_attention, self._D.network))

    def step(
        self, parts: Sequence[NetworkPair], number: int, *, with_statistics: bool
    ) -> dict[str, Tensor]:
        """Step `number` (from 0): one update of both. Gives the named terms; with_statistics
        also the state of M, A and the flows."""
        self.flow_attention.train()
        counts, figures = counts_of(parts, self._processes), []
        only = (
            self._made(parts[0]) if len(parts) == 1 else None
        )  # of a batch in parts, no part's activations outlive it

        def fakes() -> Iterator[tuple[Tensor, Tensor, None]]:
            for pair in parts:
                with torch.no_grad():
                    made = only or self._made(pair)
                yield pair.I_t, made.coarse, None

        def losses() -> Iterator[Tensor]:
            for pair in parts:
                made = only or self._made(pair)
                with autocast(self._processes.device, self._options):
                    judges = (
                        self._perceptual,
                        self._D.network,
                        self._options.weights,
                        self._options.correctness,
                    )
                    terms = stage1_terms(
                        made, pair.I_r, pair.I_t, pair.matte_t, *judges, pair.exact, counts
                    )
                    total = weighted_sum(terms, self._options.weights)
                figures.append(
                    {"total": total, **terms, **(inner_statistics(made) if with_statistics else {})}
                )
                yield total

        scores = self._D.learn(fakes(), len(parts))
        learn(self.optimisers["flow_attention"], losses(), len(parts), self._processes)
        self._anchor.pull()
        self.average.update(number)
        self._D.thaw()
        return mean_figures(figures) | scores

    def _made(self, pair: NetworkPair) -> FlowAttentionOutput:
        with autocast(self._processes.device, self._options):
            return _coarse(self.flow_attention, pair)

    @torch.no_grad()
    def show(self, pair: NetworkPair) -> tuple[FlowAttentionOutput, None, Tensor]:
        """(coarse, None, matte logits) by the averaged weights."""
        coarse = _coarse(self.average.module, pair)
        return coarse, None, coarse.matte_logits


class Stage2:
    """Enhancer, a fresh D and D_f; the flow attention network is frozen, bit for bit."""

    def __init__(
        self,
        flow_attention: FlowAttentionNetwork,
        dims: ModelDims,
        options: TrainOptions,
        perceptual: Vgg19Taps | None,
        processes: Processes,
        initial: Networks | None = None,
    ):
        self.dims, self._options, self._perceptual, self._processes = (
            dims,
            options,
            perceptual,
            processes,
        )
        self.flow_attention = flow_attention.eval().requires_grad_(False)
        self.enhancer = placed(Enhancer(dims.enhancer), processes.device)
        share_batch_norms(self.enhancer, processes)
        if initial is not None and initial.enhancer is not None:
            self.enhancer.load_state_dict(initial.enhancer.state_dict())
        self._anchor = Anchor(self.enhancer, options.stay)
        self._D = Judge(
            "D", image_discriminator(dims.size_hw), options.weights.adversarial, options, processes
        )
        self._D_f = Judge(
            "D_f", face_discriminator(), options.weights.adversarial_face, options, processes
        )
        self.average = WeightAverage(self.enhancer, options.average)
        self.modules = {
            "flow_attention": self.flow_attention,
            "enhancer": self.enhancer,
            "enhancer_average": self.average.module,
            **self._D.modules,
            **self._D_f.modules,
        }
        rate = options.learning_rate
        self.optimisers = {
            "enhancer": adam(self.enhancer, rate, options),
            **self._D.optimisers,
            **self._D_f.optimisers,
        }
        self.renders = {"flow_attention": self.flow_attention, "enhancer": self.average.module}
        if options.compile:
            compile_in_place(
                (self.flow_attention, self.enhancer, self._D.network, self._D_f.network)
            )

    def step(
        self, parts: Sequence[NetworkPair], number: int, *, with_statistics: bool
    ) -> dict[str, Tensor]:
        """Step `number` (from 0): one update of enhancer, D and D_f. Gives the named terms."""
        self.enhancer.train()
        counts, figures = counts_of(parts, self._processes), []
        coarse = [self._frozen(pair) for pair in parts]
        only = self._made(parts[0], coarse[0]) if len(parts) == 1 else None
        fakes = []
        if self._D.network is not None or self._D_f.network is not None:
            fakes = [
                only.final.detach() if only else self._glimpsed(pair, before)
                for pair, before in zip(parts, coarse)
            ]

        def faces() -> Iterator[tuple[Tensor, Tensor, Tensor]]:
            for pair, fake in zip(parts, fakes):
                boxes = face_boxes(pair.joints_t, pair.I_t.shape[2])
                yield crop_faces(pair.I_t, boxes), crop_faces(fake, boxes), boxes.present

        def losses() -> Iterator[Tensor]:
            for pair, before in zip(parts, coarse):
                made = only or self._made(pair, before)
                with autocast(self._processes.device, self._options):
                    terms = stage2_terms(
                        made,
                        pair.I_t,
                        pair.matte_t,
                        pair.joints_t,
                        self._perceptual,
                        self._D.network,
                        self._D_f.network,
                        self._options.weights,
                        counts,
                    )
                    total = weighted_sum(terms, self._options.weights)
                figures.append({"total": total, **terms})
                yield total

        scores = self._D.learn(
            ((pair.I_t, fake, None) for pair, fake in zip(parts, fakes)), len(parts)
        )
        scores |= self._D_f.learn(faces(), len(parts), counts and counts.faces)
        learn(self.optimisers["enhancer"], losses(), len(parts), self._processes)
        self._anchor.pull()
        self.average.update(number)
        for judge in (self._D, self._D_f):
            judge.thaw()
        return mean_figures(figures) | scores

    @torch.no_grad()
    def _frozen(self, pair: NetworkPair) -> FlowAttentionOutput:
        with autocast(self._processes.device, self._options):
            return _coarse(self.flow_attention, pair, self.dims.enlarge)

    def _made(self, pair: NetworkPair, coarse: FlowAttentionOutput) -> EnhancerOutput:
        with autocast(self._processes.device, self._options):
            return self.enhancer(coarse.coarse, coarse.matte_logits, pair.J_t)

    @torch.no_grad()
    def _glimpsed(self, pair: NetworkPair, coarse: FlowAttentionOutput) -> Tensor:
        """The picture for the judges, when its graph cannot be kept."""
        with statistics_kept(self.enhancer):
            return self._made(pair, coarse).final

    @torch.no_grad()
    def show(self, pair: NetworkPair) -> tuple[FlowAttentionOutput, Tensor, Tensor]:
        """(coarse, final, matte logits) by the averaged weights."""
        coarse = _coarse(self.flow_attention, pair, self.dims.enlarge)
        made = self.average.module(coarse.coarse, coarse.matte_logits, pair.J_t)
        return coarse, made.final, made.matte_logits


@torch.no_grad()
def inner_statistics(made: FlowAttentionOutput) -> dict[str, Tensor]:
    """What tells a collapse early: M that leaves the middle for one end, A that piles up on one
    position, flows that run away."""
    values = {}
    for level, M, flow in zip(("8", "4"), made.masks, made.flows):
        values[f"M_{level}_mean"], values[f"M_{level}_std"] = M.float().mean(), M.float().std()
        values[f"flow_{level}_mean"] = flow.norm(dim=1).mean()
    values |= {f"A_{level}_max": A.max() for level, A in zip(("8", "4"), made.attention)}
    if made.mixture is not None:
        values["gate_mean"] = made.mixture.gate.mean()
    return values
