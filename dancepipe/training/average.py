"""What else is kept of a generator's weights: their running average, calmer than the last
step's, and where they started."""

import copy

import torch


class Anchor:
    """Where a module's weights started: every step ends a little nearer to it, so that what is
    not asked for is not forgotten."""

    def __init__(self, module: torch.nn.Module, stay: float):
        self._parameters, self._stay = list(module.parameters()), stay
        self._start = [parameter.detach().clone() for parameter in self._parameters] if stay else []

    @torch.no_grad()
    def pull(self) -> None:
        if self._stay:
            torch._foreach_lerp_(self._parameters, self._start, self._stay)


class WeightAverage:
    """Exponential moving average of a module's parameters; buffers (batch norm statistics) are
    taken as they are."""

    def __init__(self, module: torch.nn.Module, decay: float):
        """decay: how much of the average stays with each step; in the first steps less, so that
        the start is forgotten."""
        self._module, self._decay = module, decay
        self.module = copy.deepcopy(module).eval().requires_grad_(False)

    @torch.no_grad()
    def update(self, step: int) -> None:
        """After step `step` (from 0) of the module's optimiser."""
        decay = min(self._decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(
            list(self.module.parameters()), list(self._module.parameters()), 1 - decay
        )
        for kept, current in zip(self.module.buffers(), self._module.buffers(), strict=True):
            kept.copy_(current)
