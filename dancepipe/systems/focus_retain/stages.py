"""Training: the flow network alone if asked for, stage 1, then stage 2 with stage 1 frozen (section
4.3).

A step's batch comes in parts of one size. Each part's gradient is that of a mean over its samples,
and the mean over parts and processes is the gradient of the whole batch: whatever else divides a
term is counted over the whole (losses.Counts). Of a batch in parts no part's activations outlive
it: what D looks at is made once more without them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from dancepipe.losses.adversarial import Adversary
from dancepipe.losses.face import crop_faces, face_boxes
from dancepipe.losses.flow import full_size
from dancepipe.losses.taps import FeatureTaps
from dancepipe.nn.compiled import compile_in_place
from dancepipe.nn.discriminator import Discriminator, face_discriminator, image_discriminator
from dancepipe.nn.ema import EMA, Anchor
from dancepipe.nn.local_attention import warp
from dancepipe.nn.optimise import adam, autocast, frozen, mean_figures, placed
from dancepipe.nn.shared_norm import share_batch_norms, statistics_kept
from dancepipe.pose.draw import joint_map
from dancepipe.processes import Processes
from dancepipe.systems.focus_retain.coarse_input import CoarseInput
from dancepipe.systems.focus_retain.collapse import CollapseWatch
from dancepipe.systems.focus_retain.dims import ModelDims
from dancepipe.systems.focus_retain.enhancer import Enhancer, EnhancerOutput
from dancepipe.systems.focus_retain.flow_attention import FlowAttentionNetwork, FlowAttentionOutput
from dancepipe.systems.focus_retain.loss_weights import LossWeights
from dancepipe.systems.focus_retain.losses import (
    Counts,
    flow_terms,
    given_taps,
    stage1_terms,
    stage2_terms,
    sum_of,
    weighted_sum,
)
from dancepipe.systems.focus_retain.networks import Networks
from dancepipe.systems.focus_retain.recipe import Recipe
from dancepipe.systems.stage import NetworkPair, Shown, Stage
from dancepipe.systems.weights import WeightsInfo


def stages(
    dims: ModelDims,
    recipe: Recipe,
    perceptual: FeatureTaps | None,
    processes: Processes,
    initial: Networks | None = None,
) -> Iterator[Stage]:
    """One after the other; each begins with what the one before has learnt until it is asked for.

    initial: weights to start from.
    """
    if recipe.stage0_steps:
        torch.manual_seed(recipe.seed)
        stage0 = Stage0(dims, recipe, perceptual, processes)
        yield stage0
        initial = Networks(dims, WeightsInfo(dims, 1, 0), stage0.ema.module, None)
    torch.manual_seed(recipe.seed)
    stage1 = Stage1(dims, recipe, perceptual, processes, initial)
    yield stage1
    if not recipe.stage2_steps:
        return
    torch.manual_seed(recipe.seed + 1)
    yield Stage2(stage1.ema.module, dims, recipe, perceptual, processes, initial)


class Stage0:
    """The flow network alone, as GFLA begins: M need not be learnt beside a flow that points
    nowhere. The other parts stay as they are."""

    number = 0
    draws_people = False

    def __init__(
        self,
        dims: ModelDims,
        recipe: Recipe,
        perceptual: FeatureTaps | None,
        processes: Processes,
    ):
        self.dims, self.size_hw, self.steps = dims, dims.coarse_hw, recipe.stage0_steps
        self._recipe, self._perceptual, self._processes = recipe, perceptual, processes
        self._weights = flow_alone(recipe.weights)
        self.flow_attention = placed(FlowAttentionNetwork(dims.flow_attention), processes.device)
        self.ema = EMA(self.flow_attention, recipe.average)
        self._optimiser = adam(self.flow_attention.flow_network, recipe.learning_rate, recipe.beta1)
        self.modules: dict[str, torch.nn.Module] = {
            "flow_attention": self.flow_attention,
            "flow_attention_average": self.ema.module,
        }
        self.optimisers = {"flow_attention": self._optimiser}
        self.renders: dict[str, torch.nn.Module] = {"flow_attention": self.ema.module}

    def step(
        self, parts: Sequence[NetworkPair], number: int, *, with_statistics: bool
    ) -> dict[str, Tensor]:
        """As Stage.step: one update of the flow network. Statistics: the size of the flows."""
        self.flow_attention.train()
        figures = []
        self._optimiser.zero_grad(set_to_none=True)
        for pair in parts:
            given = CoarseInput.of(pair, self.flow_attention)
            with autocast(self._processes.device, self._recipe.precision):
                flows = given.flows(self.flow_attention)
                terms = flow_terms(
                    flows,
                    pair.I_r,
                    pair.I_t,
                    *given_taps(self._perceptual, pair.I_r, pair.I_t),
                    self._weights,
                    self._recipe.correctness,
                    pair.exact,
                )
                total = weighted_sum(terms, self._weights)
            (total / len(parts)).backward()
            sizes = _flow_statistics(flows) if with_statistics else {}
            figures.append({"total": total, **terms, **sizes})
        self._processes.average_gradients(self.flow_attention.flow_network.parameters())
        self._optimiser.step()

        self.ema.update(number)
        return mean_figures(figures)

    @torch.no_grad()
    def show(self, pair: NetworkPair) -> Shown:
        """The reference moved by the flow: the decoder has learnt nothing yet."""
        coarse = CoarseInput.of(pair, self.ema.module).through(self.ema.module)
        moved = _warped(pair, coarse)
        return _shown(pair, coarse, moved, None, coarse.matte_logits)

    def remarks(self, step: int, figures: Mapping[str, float]) -> list[str]:
        return []


def flow_alone(weights: LossWeights) -> LossWeights:
    """Those of stage 0: GFLA's 20 for correctness, eq. 5 beside it; what weighs nothing in stage
    1 weighs nothing here."""
    return replace(
        weights,
        flow_feature=20.0 * bool(weights.flow_feature),
        flow_image=1.0 * bool(weights.flow_image),
    )


class Stage1:
    """Flow attention network and D. The terms in I_final do not exist yet."""

    number = 1
    draws_people = True

    def __init__(
        self,
        dims: ModelDims,
        recipe: Recipe,
        perceptual: FeatureTaps | None,
        processes: Processes,
        initial: Networks | None = None,
    ):
        self.dims, self.size_hw, self.steps = dims, dims.coarse_hw, recipe.stage1_steps
        self._recipe, self._perceptual, self._processes = recipe, perceptual, processes
        self._collapse = CollapseWatch(dims.coarse_hw)
        self.flow_attention = placed(FlowAttentionNetwork(dims.flow_attention), processes.device)
        if initial is not None:
            self.flow_attention.load_state_dict(initial.flow_attention.state_dict())
        self._anchor = Anchor(self.flow_attention, recipe.stay)
        self._D = _adversary(
            "D", image_discriminator(dims.coarse_hw), recipe.weights.adversarial, recipe, processes
        )
        self.ema = EMA(self.flow_attention, recipe.average)
        self._optimiser = adam(self.flow_attention, recipe.learning_rate, recipe.beta1)
        self.modules: dict[str, torch.nn.Module] = {
            "flow_attention": self.flow_attention,
            "flow_attention_average": self.ema.module,
            **_networks(self._D),
        }
        self.optimisers = {"flow_attention": self._optimiser, **_optimisers(self._D)}
        self.renders: dict[str, torch.nn.Module] = {"flow_attention": self.ema.module}
        if recipe.compile:
            compile_in_place((self.flow_attention, *_networks(self._D).values()))

    def step(
        self, parts: Sequence[NetworkPair], number: int, *, with_statistics: bool
    ) -> dict[str, Tensor]:
        """As Stage.step: one update of both. Statistics: the state of M, A and the flows."""
        self.flow_attention.train()
        weights = self._recipe.weights
        counts, figures, scores = counts_of(parts, self._processes), [], {}
        given = [CoarseInput.of(pair, self.flow_attention) for pair in parts]
        only = self._made(given[0]) if len(parts) == 1 else None

        # 1. D, on what the generator makes
        if self._D:
            with torch.no_grad():
                fakes = [(only or self._made(one)).coarse for one in given]
            scores = self._D.update([pair.I_t for pair in parts], fakes, [None] * len(parts))

        # 2. The generator, by its terms and by D as it is then
        D = self._D.network if self._D else None
        with frozen(D):
            self._optimiser.zero_grad(set_to_none=True)
            for pair, one in zip(parts, given):
                made = only or self._made(one)
                with autocast(self._processes.device, self._recipe.precision):
                    terms = stage1_terms(
                        made,
                        pair.I_r,
                        pair.I_t,
                        pair.matte_t,
                        self._perceptual,
                        D,
                        weights,
                        self._recipe.correctness,
                        pair.exact,
                        counts,
                    )
                    total = weighted_sum(terms, weights)
                (total / len(parts)).backward()
                statistics = inner_statistics(made) if with_statistics else {}
                figures.append({"total": total, **terms, **statistics})
            self._processes.average_gradients(self.flow_attention.parameters())
            self._optimiser.step()

        # 3. What is kept of it
        self._anchor.pull()
        self.ema.update(number)
        return mean_figures(figures) | scores

    def _made(self, given: CoarseInput) -> FlowAttentionOutput:
        with autocast(self._processes.device, self._recipe.precision):
            return given.through(self.flow_attention)

    @torch.no_grad()
    def show(self, pair: NetworkPair) -> Shown:
        coarse = CoarseInput.of(pair, self.ema.module).through(self.ema.module)
        return _shown(pair, coarse, coarse.coarse, None, coarse.matte_logits)

    def remarks(self, step: int, figures: Mapping[str, float]) -> list[str]:
        return self._collapse.look(step, figures)


class Stage2:
    """Enhancer, a fresh D and D_f; the flow attention network is frozen, bit for bit."""

    number = 2
    draws_people = True

    def __init__(
        self,
        flow_attention: FlowAttentionNetwork,
        dims: ModelDims,
        recipe: Recipe,
        perceptual: FeatureTaps | None,
        processes: Processes,
        initial: Networks | None = None,
    ):
        self.dims, self.size_hw, self.steps = dims, dims.size_hw, recipe.stage2_steps
        self._recipe, self._perceptual, self._processes = recipe, perceptual, processes
        self.flow_attention = flow_attention.eval().requires_grad_(False)
        self.enhancer = placed(Enhancer(dims.enhancer), processes.device)
        share_batch_norms(self.enhancer, processes)
        if initial is not None and initial.enhancer is not None:
            self.enhancer.load_state_dict(initial.enhancer.state_dict())
        self._anchor = Anchor(self.enhancer, recipe.stay)
        weights = recipe.weights
        self._D = _adversary(
            "D", image_discriminator(dims.size_hw), weights.adversarial, recipe, processes
        )
        self._D_f = _adversary(
            "D_f", face_discriminator(), weights.adversarial_face, recipe, processes
        )
        self.ema = EMA(self.enhancer, recipe.average)
        self._optimiser = adam(self.enhancer, recipe.learning_rate, recipe.beta1)
        adversaries = _networks(self._D, self._D_f)
        self.modules: dict[str, torch.nn.Module] = {
            "flow_attention": self.flow_attention,
            "enhancer": self.enhancer,
            "enhancer_average": self.ema.module,
            **adversaries,
        }
        self.optimisers = {"enhancer": self._optimiser, **_optimisers(self._D, self._D_f)}
        self.renders: dict[str, torch.nn.Module] = {
            "flow_attention": self.flow_attention,
            "enhancer": self.ema.module,
        }
        if recipe.compile:
            compile_in_place((self.flow_attention, self.enhancer, *adversaries.values()))

    def step(
        self, parts: Sequence[NetworkPair], number: int, *, with_statistics: bool
    ) -> dict[str, Tensor]:
        """As Stage.step: one update of enhancer, D and D_f. There are no statistics."""
        self.enhancer.train()
        weights = self._recipe.weights
        counts, figures, scores = counts_of(parts, self._processes), [], {}
        coarse = [self._frozen_coarse(pair) for pair in parts]
        only = self._made(parts[0], coarse[0]) if len(parts) == 1 else None

        # 1. D on the pictures, D_f on their faces
        if self._D or self._D_f:
            fakes = [
                only.final.detach() if only else self._glimpsed(pair, before)
                for pair, before in zip(parts, coarse)
            ]
        if self._D:
            scores |= self._D.update([pair.I_t for pair in parts], fakes, [None] * len(parts))
        if self._D_f:
            boxes = [face_boxes(pair.joints_t, pair.size_hw[0]) for pair in parts]
            scores |= self._D_f.update(
                [crop_faces(pair.I_t, where) for pair, where in zip(parts, boxes)],
                [crop_faces(fake, where) for fake, where in zip(fakes, boxes)],
                [where.present for where in boxes],
                counts and counts.faces,
            )

        # 2. The enhancer, by its terms and by both as they are then
        D, D_f = (one.network if one else None for one in (self._D, self._D_f))
        with frozen(D, D_f):
            self._optimiser.zero_grad(set_to_none=True)
            for pair, before in zip(parts, coarse):
                made = only or self._made(pair, before)
                with autocast(self._processes.device, self._recipe.precision):
                    terms = stage2_terms(
                        made,
                        pair.I_t,
                        pair.matte_t,
                        pair.joints_t,
                        self._perceptual,
                        D,
                        D_f,
                        weights,
                        counts,
                    )
                    total = weighted_sum(terms, weights)
                (total / len(parts)).backward()
                figures.append({"total": total, **terms})
            self._processes.average_gradients(self.enhancer.parameters())
            self._optimiser.step()

        # 3. What is kept of it
        self._anchor.pull()
        self.ema.update(number)
        return mean_figures(figures) | scores

    @torch.no_grad()
    def _frozen_coarse(self, pair: NetworkPair) -> FlowAttentionOutput:
        given = CoarseInput.of(pair, self.flow_attention, self.dims.enlarge)
        with autocast(self._processes.device, self._recipe.precision):
            return given.through(self.flow_attention)

    def _made(self, pair: NetworkPair, coarse: FlowAttentionOutput) -> EnhancerOutput:
        J_t = _joint_map(pair)
        with autocast(self._processes.device, self._recipe.precision):
            return self.enhancer(coarse.coarse, coarse.matte_logits, J_t)

    @torch.no_grad()
    def _glimpsed(self, pair: NetworkPair, coarse: FlowAttentionOutput) -> Tensor:
        """The picture for the discriminators, when its graph cannot be kept."""
        with statistics_kept(self.enhancer):
            return self._made(pair, coarse).final

    @torch.no_grad()
    def show(self, pair: NetworkPair) -> Shown:
        given = CoarseInput.of(pair, self.flow_attention, self.dims.enlarge)
        coarse = given.through(self.flow_attention)
        made = self.ema.module(coarse.coarse, coarse.matte_logits, _joint_map(pair))
        return _shown(pair, coarse, made.final, made.final, made.matte_logits)

    def remarks(self, step: int, figures: Mapping[str, float]) -> list[str]:
        return []


def counts_of(parts: Sequence[NetworkPair], processes: Processes) -> Counts | None:
    """Of the whole batch, spread over all parts of all processes; None where the one part is the
    batch."""
    if len(parts) * processes.count == 1:
        return None
    whole = processes.total(sum_of(Counts.of(pair.matte_t, pair.joints_t) for pair in parts))
    return Counts.spread(whole, len(parts) * processes.count)


def _adversary(
    name: str, network: Discriminator, weight: float, recipe: Recipe, processes: Processes
) -> Adversary[Discriminator] | None:
    """None, and free of cost, where its term weighs nothing."""
    if not weight:
        return None
    rate, beta1 = recipe.discriminator_rate, recipe.beta1
    return Adversary(name, network, rate, beta1, recipe.precision, processes)


def _networks(*adversaries: Adversary | None) -> dict[str, torch.nn.Module]:
    return {one.name: one.network for one in adversaries if one}


def _optimisers(*adversaries: Adversary | None) -> dict[str, torch.optim.Adam]:
    return {one.name: one.optimiser for one in adversaries if one}


def _joint_map(pair: NetworkPair) -> Tensor:
    """J of the target at the pair's size."""
    return joint_map(pair.joints_t_cpu, *pair.size_hw, pair.I_t.device)


def _warped(pair: NetworkPair, coarse: FlowAttentionOutput) -> Tensor:
    return warp(pair.I_r, full_size(coarse.flows[1], pair.I_r))


def _shown(
    pair: NetworkPair,
    coarse: FlowAttentionOutput,
    picture: Tensor,
    final: Tensor | None,
    matte_logits: Tensor,
) -> Shown:
    """final: None before there is an enhancer."""
    M = torch.nn.functional.interpolate(
        coarse.masks[1].float(), size=pair.size_hw, mode="bilinear", align_corners=False
    )
    columns = {
        "J": _joint_map(pair) * 2 - 1,
        "warped": _warped(pair, coarse),
        "M": (M * 2 - 1).expand(-1, 3, -1, -1),
        "coarse": picture if final is None else coarse.coarse,
        "final": torch.zeros_like(pair.I_t) if final is None else final,
    }
    return Shown(picture, matte_logits, columns)


def _flow_statistics(flows: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
    return {f"flow_{level}_mean": flow.norm(dim=1).mean() for level, flow in zip(("8", "4"), flows)}


@torch.no_grad()
def inner_statistics(made: FlowAttentionOutput) -> dict[str, Tensor]:
    """What tells a collapse early: M that leaves the middle for one end, A that piles up on one
    position, flows that run away."""
    values = {}
    for level, M in zip(("8", "4"), made.masks):
        values[f"M_{level}_mean"], values[f"M_{level}_std"] = M.float().mean(), M.float().std()
    values |= _flow_statistics(made.flows)
    values |= {f"A_{level}_max": A.max() for level, A in zip(("8", "4"), made.attention)}
    if made.mixture is not None:
        values["gate_mean"] = made.mixture.gate.mean()
    return values
