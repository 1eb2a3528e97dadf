"""What each stage trains, by which terms, and one step of it. The stages differ in nothing else."""

from dataclasses import replace

import torch
from torch import Tensor

from dancepipe.model.dims import ModelDims
from dancepipe.model.discriminator import face_discriminator, image_discriminator
from dancepipe.model.enhancer import Enhancer
from dancepipe.model.face import crop_faces, face_boxes
from dancepipe.model.flow_attention import FlowAttentionNetwork, FlowAttentionOutput
from dancepipe.model.flow_losses import full_size
from dancepipe.model.local_attention import warp
from dancepipe.model.loss_weights import LossWeights
from dancepipe.model.losses import discriminator_loss, flow_terms, given_taps, stage1_terms, stage2_terms, weighted_sum
from dancepipe.model.networks import Networks
from dancepipe.model.perceptual import Vgg19Taps
from dancepipe.model.prior import LimbPrior, limb_prior
from dancepipe.model.sizes import enlarged
from dancepipe.train.average import Anchor, WeightAverage
from dancepipe.train.inputs import NetworkPair, shrunk_pair
from dancepipe.train.options import TrainOptions


def _adam(module: torch.nn.Module, rate: float, options: TrainOptions) -> torch.optim.Adam:
    return torch.optim.Adam(module.parameters(), lr=rate, betas=(options.beta1, 0.999))


def _placed(module: torch.nn.Module, device: str) -> torch.nn.Module:
    return module.to(device, memory_format=torch.channels_last)


def _autocast(device: str, options: TrainOptions):
    return torch.autocast(torch.device(device).type, torch.bfloat16, enabled=options.precision == "bf16")


def _learn(optimiser: torch.optim.Adam, loss: Tensor) -> None:
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    optimiser.step()


class _Judge:
    """A discriminator with its optimiser; absent, and free of cost, where its term weighs nothing."""

    def __init__(self, name: str, network: torch.nn.Module, weight: float, options: TrainOptions, device: str):
        self.name, self._device, self._options = name, device, options
        self.network = _placed(network, device) if weight else None
        self.modules = {name: self.network} if weight else {}
        self.optimisers = {name: _adam(self.network, options.discriminator_rate, options)} if weight else {}

    def learn(self, real: Tensor, made: Tensor, present: Tensor | None = None) -> dict[str, Tensor]:
        """One update on real and made pictures; its mean scores for the log. Until `thaw` gradients only pass through it."""
        if self.network is None:
            return {}
        with _autocast(self._device, self._options):
            judged = discriminator_loss(self.network, real, made, present)
        _learn(self.optimisers[self.name], judged.loss)
        self.network.requires_grad_(False)
        return {f"{self.name}_real": judged.real_score, f"{self.name}_made": judged.made_score}

    def thaw(self) -> None:
        if self.network is not None:
            self.network.requires_grad_(True)


def _coarse(network: FlowAttentionNetwork, pair: NetworkPair, enlarge: int = 1) -> FlowAttentionOutput:
    """enlarge: made of the pair at a fraction of its size, and enlarged to it."""
    pair = shrunk_pair(pair, enlarge)
    return enlarged(network(pair.I_r, pair.S_r, pair.S_t, pair.J_r, pair.J_t, _prior(network, pair)), enlarge)


class Stage0:
    """The flow network alone, as GFLA begins: M need not be learnt beside a flow that points nowhere. The other parts stay as they are."""

    def __init__(self, dims: ModelDims, options: TrainOptions, perceptual: Vgg19Taps | None, device: str):
        self.dims, self._options, self._perceptual, self._device = dims, options, perceptual, device
        self._weights = flow_alone(options.weights)
        self.flow_attention = _placed(FlowAttentionNetwork(dims.flow_attention), device)
        self.average = WeightAverage(self.flow_attention, options.average)
        self.modules = {"flow_attention": self.flow_attention, "flow_attention_average": self.average.module}
        self.optimisers = {"flow_attention": _adam(self.flow_attention.flow_network, options.learning_rate, options)}

    def step(self, pair: NetworkPair, number: int, *, with_statistics: bool) -> dict[str, float]:
        """Step `number` (from 0): one update of the flow network; with_statistics the named terms and the size of the flows."""
        self.flow_attention.train()
        with _autocast(self._device, self._options):
            flows = _flows(self.flow_attention, pair)
            taps_r, taps_t = given_taps(self._perceptual, pair.I_r, pair.I_t)
            terms = flow_terms(flows, pair.I_r, pair.I_t, taps_r, taps_t, self._weights, self._options.correctness, pair.exact)
            total = weighted_sum(terms, self._weights)
        _learn(self.optimisers["flow_attention"], total)
        self.average.update(number)
        if not with_statistics:
            return {}
        sizes = {f"flow_{level}_mean": flow.norm(dim=1).mean() for level, flow in zip(("8", "4"), flows)}
        return {name: value.item() for name, value in {"total": total, **terms, **sizes}.items()}

    @torch.no_grad()
    def show(self, pair: NetworkPair) -> tuple[FlowAttentionOutput, None, Tensor]:
        """(the reference moved by the averaged flow in place of the coarse picture, None, matte logits): the decoder has learnt nothing yet."""
        made = _coarse(self.average.module, pair)
        return replace(made, coarse=warp(pair.I_r, full_size(made.flows[1], pair.I_r))), None, made.matte_logits


def flow_alone(weights: LossWeights) -> LossWeights:
    """Those of stage 0: GFLA's 20 for correctness, eq. 5 beside it; what weighs nothing in stage 1 weighs nothing here."""
    return replace(weights, flow_feature=20.0 * bool(weights.flow_feature), flow_image=1.0 * bool(weights.flow_image))


def _flows(network: FlowAttentionNetwork, pair: NetworkPair) -> tuple[Tensor, Tensor]:
    return network.flow(network.flow_network.encode_reference(pair.I_r, pair.S_r), pair.S_t, _prior(network, pair))[1]


def _prior(network: FlowAttentionNetwork, pair: NetworkPair) -> LimbPrior | None:
    return limb_prior(pair.I_r, pair.matte_r, pair.joints_r, pair.joints_t) if network.has_prior else None


class Stage1:
    """Flow attention network and D. The terms in I_final do not exist yet."""

    def __init__(self, dims: ModelDims, options: TrainOptions, perceptual: Vgg19Taps | None, device: str, initial: Networks | None = None):
        self.dims, self._options, self._perceptual, self._device = dims, options, perceptual, device
        self.flow_attention = _placed(FlowAttentionNetwork(dims.flow_attention), device)
        if initial is not None:
            self.flow_attention.load_state_dict(initial.flow_attention.state_dict())
        self._anchor = Anchor(self.flow_attention, options.stay)
        self._D = _Judge("D", image_discriminator(dims.coarse_hw), options.weights.adversarial, options, device)
        self.average = WeightAverage(self.flow_attention, options.average)
        self.modules = {"flow_attention": self.flow_attention, "flow_attention_average": self.average.module, **self._D.modules}
        self.optimisers = {"flow_attention": _adam(self.flow_attention, options.learning_rate, options), **self._D.optimisers}

    def step(self, pair: NetworkPair, number: int, *, with_statistics: bool) -> dict[str, float]:
        """Step `number` (from 0): one update of both; with_statistics the named terms and the state of M, A and the flows."""
        self.flow_attention.train()
        with _autocast(self._device, self._options):
            made = _coarse(self.flow_attention, pair)
        scores = self._D.learn(pair.I_t, made.coarse)
        with _autocast(self._device, self._options):
            judges = self._perceptual, self._D.network, self._options.weights, self._options.correctness
            terms = stage1_terms(made, pair.I_r, pair.I_t, pair.matte_t, *judges, pair.exact)
            total = weighted_sum(terms, self._options.weights)
        _learn(self.optimisers["flow_attention"], total)
        self._anchor.pull()
        self.average.update(number)
        self._D.thaw()
        if not with_statistics:
            return {}
        return {"total": total.item(), **{name: value.item() for name, value in {**terms, **scores}.items()}, **inner_statistics(made)}

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
        device: str,
        initial: Networks | None = None,
    ):
        self.dims, self._options, self._perceptual, self._device = dims, options, perceptual, device
        self.flow_attention = flow_attention.eval().requires_grad_(False)
        self.enhancer = _placed(Enhancer(dims.enhancer), device)
        if initial is not None and initial.enhancer is not None:
            self.enhancer.load_state_dict(initial.enhancer.state_dict())
        self._anchor = Anchor(self.enhancer, options.stay)
        self._D = _Judge("D", image_discriminator(dims.size_hw), options.weights.adversarial, options, device)
        self._D_f = _Judge("D_f", face_discriminator(), options.weights.adversarial_face, options, device)
        self.average = WeightAverage(self.enhancer, options.average)
        self.modules = {
            "flow_attention": self.flow_attention,
            "enhancer": self.enhancer,
            "enhancer_average": self.average.module,
            **self._D.modules,
            **self._D_f.modules,
        }
        rate = options.learning_rate
        self.optimisers = {"enhancer": _adam(self.enhancer, rate, options), **self._D.optimisers, **self._D_f.optimisers}

    def step(self, pair: NetworkPair, number: int, *, with_statistics: bool) -> dict[str, float]:
        """Step `number` (from 0): one update of enhancer, D and D_f; with_statistics the named terms."""
        self.enhancer.train()
        boxes = face_boxes(pair.joints_t, pair.I_t.shape[2])
        with torch.no_grad(), _autocast(self._device, self._options):
            coarse = _coarse(self.flow_attention, pair, self.dims.enlarge)
        with _autocast(self._device, self._options):
            made = self.enhancer(coarse.coarse, coarse.matte_logits, pair.J_t)
            faces_t, faces = crop_faces(pair.I_t, boxes), crop_faces(made.final.detach(), boxes)
        scores = self._D.learn(pair.I_t, made.final) | self._D_f.learn(faces_t, faces, boxes.present)
        with _autocast(self._device, self._options):
            terms = stage2_terms(made, pair.I_t, pair.matte_t, pair.joints_t, self._perceptual, self._D.network, self._D_f.network, self._options.weights)
            total = weighted_sum(terms, self._options.weights)
        _learn(self.optimisers["enhancer"], total)
        self._anchor.pull()
        self.average.update(number)
        for judge in (self._D, self._D_f):
            judge.thaw()
        if not with_statistics:
            return {}
        return {"total": total.item(), **{name: value.item() for name, value in {**terms, **scores}.items()}}

    @torch.no_grad()
    def show(self, pair: NetworkPair) -> tuple[FlowAttentionOutput, Tensor, Tensor]:
        """(coarse, final, matte logits) by the averaged weights."""
        coarse = _coarse(self.flow_attention, pair, self.dims.enlarge)
        made = self.average.module(coarse.coarse, coarse.matte_logits, pair.J_t)
        return coarse, made.final, made.matte_logits


@torch.no_grad()
def inner_statistics(made: FlowAttentionOutput) -> dict[str, float]:
    """What tells a collapse early: M that leaves the middle for one end, A that piles up on one position, flows that run away."""
    values = {}
    for level, M, flow in zip(("8", "4"), made.masks, made.flows):
        values[f"M_{level}_mean"], values[f"M_{level}_std"] = M.float().mean().item(), M.float().std().item()
        values[f"flow_{level}_mean"] = flow.norm(dim=1).mean().item()
    values |= {f"A_{level}_max": A.max().item() for level, A in zip(("8", "4"), made.attention)}
    if made.mixture is not None:
        values["gate_mean"] = made.mixture.gate.mean().item()
    return values
