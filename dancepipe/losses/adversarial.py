"""LSGAN: what a discriminator minimises, and its half of a training step."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dancepipe.nn.discriminator import Discriminator, renew_spectral_norms
from dancepipe.nn.optimise import adam, autocast, mean_figures, placed
from dancepipe.processes import Processes


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
) -> DiscriminatorLoss:
    """LSGAN: half of (D(real) - 1)^2 + D(made)^2. No gradient reaches `made`.

    present (B,): samples that count, default all. count (): what to divide by when these samples
    are part of a batch.
    """
    real_scores, made_scores = discriminator(real), discriminator(made.detach())
    present = torch.ones(len(real), device=real.device) if present is None else present
    loss = 0.5 * ((real_scores - 1).square() + made_scores.square()).mean((1, 2, 3))
    return DiscriminatorLoss(
        *(
            mean_where(values, present, count)
            for values in (
                loss,
                real_scores.detach().mean((1, 2, 3)),
                made_scores.detach().mean((1, 2, 3)),
            )
        )
    )


def mean_where(values: Tensor, present: Tensor, count: Tensor | None = None) -> Tensor:
    """Mean of values (B,) over the present samples; 0, with zero gradients, when there is none.
    count: how many to divide by, default those."""
    present = present.to(values.dtype)
    return (values * present).sum() / (present.sum().clamp_min(1) if count is None else count)


class Adversary:
    """A discriminator with its optimiser."""

    def __init__(
        self,
        name: str,
        network: Discriminator,
        rate: float,
        beta1: float,
        precision: str,
        processes: Processes,
    ):
        """name: in checkpoints and in the log. precision: as autocast has it."""
        self.name, self._precision, self._processes = name, precision, processes
        self.network = placed(network, processes.device)
        self.optimiser = adam(self.network, rate, beta1)

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
                found = discriminator_loss(self.network, one_real, one_made, who, count)
            (found.loss / len(real)).backward()
            scores.append(
                {f"{self.name}_real": found.real_score, f"{self.name}_made": found.made_score}
            )
        self._processes.average_gradients(self.network.parameters())
        self.optimiser.step()
        return mean_figures(scores)
