"""One update of one network by a batch that comes in parts of one size, on one or on several
processes.

Each part's gradient is that of a mean over its samples, and the mean over parts and processes is
the gradient of the whole batch: whatever else divides a term is counted over the whole
(losses.Counts).
"""

from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor

from dancepipe.nn.discriminator import renew_spectral_norms
from dancepipe.systems.focus_retain.losses import Counts, discriminator_loss
from dancepipe.training.inputs import NetworkPair
from dancepipe.training.options import TrainOptions
from dancepipe.training.processes import Processes


def adam(module: torch.nn.Module, rate: float, options: TrainOptions) -> torch.optim.Adam:
    return torch.optim.Adam(module.parameters(), lr=rate, betas=(options.beta1, 0.999))


def placed(module: torch.nn.Module, device: str) -> torch.nn.Module:
    return module.to(device, memory_format=torch.channels_last)


def autocast(device: str, options: TrainOptions):
    return torch.autocast(
        torch.device(device).type, torch.bfloat16, enabled=options.precision == "bf16"
    )


def learn(
    optimiser: torch.optim.Adam, losses: Iterable[Tensor], parts: int, processes: Processes
) -> None:
    """One update by the mean of the parts' losses, each of which is done with before the next is
    asked for."""
    optimiser.zero_grad(set_to_none=True)
    for loss in losses:
        (loss / parts).backward()
    processes.average_gradients(optimiser.param_groups[0]["params"])
    optimiser.step()


def counts_of(parts: Sequence[NetworkPair], processes: Processes) -> Counts | None:
    """Of the whole batch, spread over all parts of all processes; None where the one part is the
    batch."""
    if len(parts) * processes.count == 1:
        return None
    whole = processes.total(sum(Counts.of(pair.matte_t, pair.joints_t) for pair in parts))
    return Counts.spread(whole, len(parts) * processes.count)


def mean_figures(values: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    """Of each number over the parts, detached."""
    return (
        {name: torch.stack([one[name].detach() for one in values]).mean() for name in values[0]}
        if values
        else {}
    )


class Judge:
    """A discriminator with its optimiser; absent, and free of cost, where its term weighs
    nothing."""

    def __init__(
        self,
        name: str,
        network: torch.nn.Module,
        weight: float,
        options: TrainOptions,
        processes: Processes,
    ):
        self.name, self._options, self._processes = name, options, processes
        self.network = placed(network, processes.device) if weight else None
        self.modules = {name: self.network} if weight else {}
        self.optimisers = (
            {name: adam(self.network, options.discriminator_rate, options)} if weight else {}
        )

    def learn(
        self,
        samples: Iterable[tuple[Tensor, Tensor, Tensor | None]],
        parts: int,
        count: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """One update on parts of (real, made, who is present); its mean scores for the log. Until
        `thaw` gradients only pass through it.

        count: of those who are present, as in losses.Counts.
        """
        if self.network is None:
            return {}
        scores = []
        renew_spectral_norms(self.network)

        def losses() -> Iterator[Tensor]:
            for real, made, present in samples:
                with autocast(self._processes.device, self._options):
                    judged = discriminator_loss(self.network, real, made, present, count)
                scores.append(
                    {f"{self.name}_real": judged.real_score, f"{self.name}_made": judged.made_score}
                )
                yield judged.loss

        learn(self.optimisers[self.name], losses(), parts, self._processes)
        self.network.requires_grad_(False)
        return mean_figures(scores)

    def thaw(self) -> None:
        if self.network is not None:
            self.network.requires_grad_(True)
