"""What else is kept of a generator's weights: their EMA, calmer than the last step's, and where
they started."""

from typing import Generic, TypeVar, cast

import torch
from torch import Tensor
from torch.optim.swa_utils import PARAM_LIST, AveragedModel

M = TypeVar("M", bound=torch.nn.Module)


def _lerp_(values: list[Tensor], towards: list[Tensor], share: float) -> None:
    """In place, all at once. torch's own averages call it; only its name is marked private."""
    torch._foreach_lerp_(values, towards, share)  # pyright: ignore[reportPrivateImportUsage]


class Anchor:
    """Where a module's weights started: every step ends a little nearer to it, so that what is
    not asked for is not forgotten."""

    def __init__(self, module: torch.nn.Module, stay: float):
        self._parameters: list[Tensor] = list(module.parameters())
        self._stay = stay
        self._start = [parameter.detach().clone() for parameter in self._parameters] if stay else []

    @torch.no_grad()
    def pull(self) -> None:
        if self._stay:
            _lerp_(self._parameters, self._start, self._stay)


class EMA(Generic[M]):
    """Exponential moving average of a module's parameters; buffers (batch norm statistics) are
    taken as they are. torch's AveragedModel, with a decay that grows with the step."""

    def __init__(self, module: M, decay: float):
        """decay: how much of the average stays with each step; in the first steps less, so that
        the start is forgotten."""
        self._source, self._decay, self._step = module, decay, 0
        self._averaged = AveragedModel(module, multi_avg_fn=self._towards, use_buffers=False)
        # torch copies the first time it averages; here the start is one of what is averaged. The
        # count stays on the CPU: nothing waits for the device.
        self._averaged.n_averaged.fill_(1)
        self.module = cast(M, self._averaged.module.eval().requires_grad_(False))

    @torch.no_grad()
    def update(self, step: int) -> None:
        """After step `step` (from 0) of the module's optimiser."""
        self._step = step
        self._averaged.update_parameters(self._source)

    def _towards(self, averaged: PARAM_LIST, current: PARAM_LIST, _: object) -> None:
        """By the step and not by torch's count: a resumed run goes on where it was."""
        decay = min(self._decay, (1 + self._step) / (10 + self._step))
        _lerp_(list(averaged), list(current), 1 - decay)
