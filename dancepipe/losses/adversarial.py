"""LSGAN and hinge: what a discriminator minimises, and its half of a training step."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dancepipe.nn.discriminator import renew_spectral_norms
from dancepipe.nn.optimise import adam, autocast, mean_figures, placed
from dancepipe.processes import Processes

Adversarial = Literal["lsgan", "hinge"]
_Network = TypeVar("_Network", bound=nn.Module)


@dataclass(frozen=True)
class DiscriminatorLoss:
    """What the discriminator minimises, and its mean scores (detached) for the log."""

    loss: Tensor
    real_score: Tensor
    made_score: Tensor


def discriminator_loss(
    discriminator: nn.Module,
    real: Tensor,
    made: Tensor,
    present: Tensor | None = None,
    count: Tensor | None = None,
    kind: Adversarial = "lsgan",
) -> DiscriminatorLoss:
    """LSGAN: half of (D(real) - 1)^2 + D(made)^2. Hinge: max(0, 1 - D(real)) + max(0, 1 + D(made)).
    No gradient reaches `made`; the mean over the scales of a discriminator that gives a list.

    present (B,): samples that count, default all. count (): what to divide by when these samples
    are part of a batch.
    """
    real_scores, made_scores = (
        [scores] if isinstance(scores, Tensor) else scores
        for scores in (discriminator(real), discriminator(made.detach()))
    )
    present = torch.ones(len(real), device=real.device) if present is None else present
    losses = [_loss(*both, kind) for both in zip(real_scores, made_scores, strict=True)]
    values = (losses, *([one.detach() for one in side] for side in (real_scores, made_scores)))
    return DiscriminatorLoss(*(mean_where(_by_sample(one), present, count) for one in values))


def _loss(real: Tensor, made: Tensor, kind: Adversarial) -> Tensor:
    if kind == "hinge":
        return F.relu(1 - real) + F.relu(1 + made)
    return 0.5 * ((real - 1).square() + made.square())


def _by_sample(scales: Sequence[Tensor]) -> Tensor:
    """(B,): means over positions, then over scales."""
    return torch.stack([one.mean((1, 2, 3)) for one in scales]).mean(0)


def mean_where(values: Tensor, present: Tensor, count: Tensor | None = None) -> Tensor:
    """Mean of values (B,) over the present samples; 0, with zero gradients, when there is none.
    count: how many to divide by, default those."""
    present = present.to(values.dtype)
    return (values * present).sum() / (present.sum().clamp_min(1) if count is None else count)


class Adversary(Generic[_Network]):
    """A discriminator with its optimiser."""

    def __init__(
        self,
        name: str,
        network: _Network,
        rate: float,
        beta1: float,
        precision: str,
        processes: Processes,
        *,
        beta2: float = 0.999,
        kind: Adversarial = "lsgan",
    ):
        """name: in checkpoints and in the log. precision: as autocast has it."""
        self.name, self._precision, self._processes = name, precision, processes
        self._kind: Adversarial = kind
        self.network = placed(network, processes.device)
        self.optimiser = adam(self.network, rate, beta1, beta2)

    def update(
        self,
        real: Sequence[Tensor],
        made: Sequence[Tensor],
        present: Sequence[Tensor | None],
        count: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """One step, on a batch in parts of one size; its mean scores for the log.

        present, count: of each part, as in discriminator_loss.
        """
        renew_spectral_norms(self.network)
        self.optimiser.zero_grad(set_to_none=True)
        scores = []
        for one_real, one_made, who in zip(real, made, present):
            with autocast(self._processes.device, self._precision):
                found = discriminator_loss(self.network, one_real, one_made, who, count, self._kind)
            (found.loss / len(real)).backward()
            scores.append(
                {f"{self.name}_real": found.real_score, f"{self.name}_made": found.made_score}
            )
        self._processes.average_gradients(self.network.parameters())
        self.optimiser.step()
        return mean_figures(scores)
