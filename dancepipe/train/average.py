"""The running average of a generator's weights: what is shown, saved and rendered with, calmer than the last step's."""

import copy

import torch


class WeightAverage:
    """Exponential moving average of a module's parameters; buffers (batch norm statistics) are taken as they are."""

    def __init__(self, module: torch.nn.Module, decay: float):
        """decay: how much of the average stays with each step; in the first steps less, so that the start is forgotten."""
        self._module, self._decay = module, decay
        self.module = copy.deepcopy(module).eval().requires_grad_(False)

    @torch.no_grad()
    def update(self, step: int) -> None:
        """After step `step` (from 0) of the module's optimiser."""
        decay = min(self._decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(list(self.module.parameters()), list(self._module.parameters()), 1 - decay)
        for kept, current in zip(self.module.buffers(), self._module.buffers(), strict=True):
            kept.copy_(current)
