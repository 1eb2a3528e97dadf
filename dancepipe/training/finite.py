"""Divergence: a number of a step that is not finite stops the run by name."""

import math

import torch

from dancepipe.errors import TrainingDivergedError


class FiniteWatch:
    """Looks at every step's numbers, one step later, so that a GPU is never waited for while it has
    nothing else to do.

    Nothing broken gets out: `settle` before anything is logged, drawn or saved.
    """

    def __init__(self, stage: int):
        self._stage = stage
        self._waiting: tuple[int, list[str], torch.Tensor, torch.cuda.Event | None] | None = None

    def look(self, step: int, names: list[str], values: torch.Tensor) -> None:
        """values (N,): the numbers of this step. Raises TrainingDivergedError for the step
        before."""
        before, self._waiting = self._waiting, (step, names, *_on_its_way(values))
        self._check(before)

    def settle(self) -> None:
        """Raises TrainingDivergedError for the last step."""
        before, self._waiting = self._waiting, None
        self._check(before)

    def _check(self, waiting) -> None:
        if waiting is None:
            return
        step, names, values, arrived = waiting
        if arrived is not None:
            arrived.synchronize()
        bad = [
            f"{name} is {value}"
            for name, value in zip(names, values.tolist(), strict=True)
            if not math.isfinite(value)
        ]
        if bad:
            raise TrainingDivergedError(
                f"training diverged: {', '.join(bad)} in step {step} of stage {self._stage}; "
                "lower the learning rate or the weight of that term"
            )


def _on_its_way(values: torch.Tensor) -> tuple[torch.Tensor, torch.cuda.Event | None]:
    """A copy on the CPU, and what says that it has arrived."""
    if values.device.type == "cpu":
        return values, None
    copy = torch.empty_like(values, device="cpu", pin_memory=True).copy_(values, non_blocking=True)
    arrived = torch.cuda.Event()
    arrived.record()
    return copy, arrived


def check_finite(figures: dict[str, float], stage: int, step: int) -> None:
    """Of what the networks make after a step. Raises TrainingDivergedError."""
    _refuse([name for name, value in figures.items() if not math.isfinite(value)], stage, step)


def check_modules(modules: dict[str, torch.nn.Module], stage: int, step: int) -> None:
    """Nothing broken is saved: the losses are looked at before an update, this looks at what it
    left. Raises TrainingDivergedError."""
    broken = [
        name
        for name, module in modules.items()
        if not all(torch.isfinite(value).all() for value in module.state_dict().values())
    ]
    _refuse(broken, stage, step)


def _refuse(bad: list[str], stage: int, step: int) -> None:
    if bad:
        raise TrainingDivergedError(
            f"training diverged: {', '.join(bad)} not finite after step {step} of stage {stage}; "
            "lower the learning rate"
        )
