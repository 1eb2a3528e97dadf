"""The one stage of these systems: discriminators on what the network makes, then the network by its
terms and by them; as the stages of focus_retain, batches may come in parts."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from dancepipe.losses.adversarial import Adversarial, Adversary
from dancepipe.losses.face import face_boxes
from dancepipe.losses.taps import FeatureTaps
from dancepipe.nn.compiled import compile_in_place
from dancepipe.nn.discriminator import renew_spectral_norms
from dancepipe.nn.ema import EMA, Anchor
from dancepipe.nn.optimise import adam, autocast, frozen, mean_figures, placed
from dancepipe.processes import Processes
from dancepipe.systems.single.dims import SingleDims
from dancepipe.systems.single.network import NETWORK, Loaded, Made, SingleNetwork
from dancepipe.systems.single.pose_input import PairInput
from dancepipe.systems.stage import NetworkPair, Shown


class SingleRecipe(Protocol):
    """What the stage reads of the options of train, whatever the system."""

    @property
    def stage1_steps(self) -> int: ...
    @property
    def average(self) -> float: ...
    @property
    def stay(self) -> float: ...
    @property
    def precision(self) -> str: ...
    @property
    def compile(self) -> bool: ...
    @property
    def seed(self) -> int: ...
    @property
    def prior(self) -> str | None: ...
    @property
    def height_px(self) -> int: ...
    @property
    def width_px(self) -> int: ...


@dataclass(frozen=True)
class Rates:
    """Of Adam."""

    rate: float
    beta1: float
    beta2: float
    epsilon: float = 1e-8


@dataclass(frozen=True, eq=False)
class Judge:
    """A discriminator and what it is shown."""

    network: nn.Module
    # of a pair and a picture (B, 3, H, W), the true or the made one: what the network reads, and
    # which samples count (B,), None for all
    view: Callable[[PairInput, Tensor], tuple[Tensor, Tensor | None]]


@dataclass(frozen=True, eq=False)
class Teaching:
    """How a system's network learns."""

    network: SingleNetwork
    generator: Rates
    discriminator: Rates
    decay: float  # share of the steps, the last ones, in which rates fall to 0, linearly
    kind: Adversarial
    judges: Mapping[str, Judge]  # by their names in checkpoints and logs
    # of what was made, the pair, the perceptual network, and the judges: the named terms
    terms: Callable[[Any, PairInput, FeatureTaps | None, Mapping[str, Judge]], dict[str, Tensor]]
    weights: Mapping[str, float]  # of the terms, by their names


def one_stage(teach: Callable[[Any, Any], Teaching]) -> Callable[..., Iterator["OneStage"]]:
    """The `stages` of a Training (systems/training.py). teach: of dims and recipe."""

    def stages(
        dims: SingleDims,
        recipe: SingleRecipe,
        perceptual: FeatureTaps | None,
        processes: Processes,
        initial: Loaded | None = None,
    ) -> Iterator[OneStage]:
        torch.manual_seed(recipe.seed)
        yield OneStage(dims, teach(dims, recipe), recipe, perceptual, processes, initial)

    return stages


class OneStage:
    """A Stage (systems/stage.py). Spectral norms of the network are renewed once a step, so that a
    batch in parts sees the same network in all of them."""

    number = 1
    draws_people = True

    def __init__(
        self,
        dims: SingleDims,
        teaching: Teaching,
        recipe: SingleRecipe,
        perceptual: FeatureTaps | None,
        processes: Processes,
        initial: Loaded | None = None,
    ):
        self.dims, self.size_hw, self.steps = dims, dims.size_hw, recipe.stage1_steps
        self._teaching, self._recipe = teaching, recipe
        self._perceptual, self._processes = perceptual, processes
        self.network = placed(teaching.network, processes.device)
        if initial is not None:
            self.network.load_state_dict(initial.network.state_dict())
        self._anchor = Anchor(self.network, recipe.stay)
        self.ema = EMA(self.network, recipe.average)
        own, other = teaching.generator, teaching.discriminator
        self._optimiser = adam(self.network, own.rate, own.beta1, own.beta2, own.epsilon)
        self._adversaries = {
            name: Adversary(
                name,
                judge.network,
                other.rate,
                other.beta1,
                recipe.precision,
                processes,
                beta2=other.beta2,
                kind=teaching.kind,
            )
            for name, judge in teaching.judges.items()
        }
        networks = {name: one.network for name, one in self._adversaries.items()}
        self.modules: dict[str, nn.Module] = {
            NETWORK: self.network,
            f"{NETWORK}_average": self.ema.module,
            **networks,
        }
        self.optimisers = {
            NETWORK: self._optimiser,
            **{name: one.optimiser for name, one in self._adversaries.items()},
        }
        self.renders: dict[str, nn.Module] = {NETWORK: self.ema.module}
        if recipe.compile:
            compile_in_place((self.network, *networks.values()))

    def step(
        self, parts: Sequence[NetworkPair], number: int, *, with_statistics: bool
    ) -> dict[str, Tensor]:
        """As Stage.step: one update of the discriminators, then one of the network."""
        teaching = self._teaching
        self._set_rates(number)
        renew_spectral_norms(self.network)
        given = self._given(parts)
        only = self._made(given[0]) if len(parts) == 1 else None

        # 1. The discriminators, on what the network makes
        scores: dict[str, Tensor] = {}
        if teaching.judges:
            with torch.no_grad():
                fakes = [(only or self._made(one)).picture.detach() for one in given]
            for name, judge in teaching.judges.items():
                real, made = (
                    [judge.view(one, picture) for one, picture in zip(given, pictures)]
                    for pictures in ([one.pair.I_t for one in given], fakes)
                )
                scores |= self._adversaries[name].update(
                    [seen for seen, _ in real],
                    [seen for seen, _ in made],
                    [present for _, present in real],
                    given[0].faces,
                )

        # 2. The network, by its terms and by the discriminators as they are then
        figures = []
        with frozen(*(judge.network for judge in teaching.judges.values())):
            self._optimiser.zero_grad(set_to_none=True)
            for one in given:
                made = only or self._made(one)
                with autocast(self._processes.device, self._recipe.precision):
                    terms = teaching.terms(made, one, self._perceptual, teaching.judges)
                    total = torch.stack(
                        [value * teaching.weights[name] for name, value in terms.items()]
                    ).sum()
                (total / len(parts)).backward()
                figures.append({"total": total, **terms})
            self._processes.average_gradients(self.network.parameters())
            self._optimiser.step()

        # 3. What is kept of it
        self._anchor.pull()
        self.ema.update(number)
        # An average of weights has norms of its own; u and v it has from the network.
        renew_spectral_norms(self.ema.module)
        return mean_figures(figures) | scores

    def _given(self, parts: Sequence[NetworkPair]) -> list[PairInput]:
        given = [PairInput.of(pair, self.dims, self.network) for pair in parts]
        if len(parts) * self._processes.count == 1:
            return given
        own = torch.stack([both_faces(pair).sum() for pair in parts]).sum().float()
        faces = self._processes.total(own).clamp_min(1) / (len(parts) * self._processes.count)
        return [replace(one, faces=faces) for one in given]

    def _made(self, given: PairInput) -> Made:
        with autocast(self._processes.device, self._recipe.precision):
            return given.through(self.network)

    def _set_rates(self, number: int) -> None:
        """A function of the step alone, so that a resumed run needs no more."""
        left, decay = 1 - number / max(self.steps, 1), self._teaching.decay
        share = min(1.0, left / decay) if decay else 1.0
        for name, optimiser in self.optimisers.items():
            rates = self._teaching.generator if name == NETWORK else self._teaching.discriminator
            for group in optimiser.param_groups:
                group["lr"] = rates.rate * share

    @torch.no_grad()
    def show(self, pair: NetworkPair) -> Shown:
        made = PairInput.of(pair, self.dims, self.ema.module).through(self.ema.module)
        return Shown(made.picture, made.matte_logits, {**made.columns, "made": made.picture})

    def remarks(self, step: int, figures: Mapping[str, float]) -> list[str]:
        return []


def both_faces(pair: NetworkPair) -> Tensor:
    """(B,) bool: whether the faces of reference and target are known."""
    height = pair.size_hw[0]
    return face_boxes(pair.joints_r, height).present & face_boxes(pair.joints_t, height).present
