"""How fast a run goes, how much of it waits for data, and when it will be done."""

import sys
import time
from collections.abc import Iterable, Iterator

import torch

TIMES = (
    "samples_per_second",
    "data_wait",
    "memory_gib",
)  # what `figures` gives: never the same twice, unlike the losses


class Pace:
    """Wraps the batches of a stage; `figures` since the last call of it."""

    def __init__(self, batch: int, step: int, total: int, device: str):
        self._batch, self._total, self._device = batch, total, torch.device(device)
        self._since_step, self._since, self._waited = step, time.perf_counter(), 0.0
        self._rate = 0.0  # steps a second

    def waited_for(self, batches: Iterable) -> Iterator:
        """The same batches, with the waiting for them timed."""
        iterator = iter(batches)
        while True:
            asked = time.perf_counter()
            try:
                batch = next(iterator)
            except StopIteration:
                return
            self._waited += time.perf_counter() - asked
            yield batch

    def figures(self, step: int) -> dict[str, float]:
        """Samples a second, share of the time that went into waiting for data, GiB: the device's
        peak, or this process's on the CPU."""
        now = time.perf_counter()
        seconds = max(now - self._since, 1e-9)
        self._rate = (step - self._since_step) / seconds
        values = {
            "samples_per_second": self._rate * self._batch,
            "data_wait": self._waited / seconds,
            **self._memory(),
        }
        self._since_step, self._since, self._waited = step, now, 0.0
        return values

    def line(self, stage: int, step: int, values: dict[str, float]) -> str:
        """For logs without a terminal, after `figures`."""
        left = (self._total - step) / self._rate if self._rate else float("nan")
        hours, seconds = divmod(round(left), 3600) if left == left else (0, 0)
        terms = ", ".join(
            f"{name} {values[name]:.4f}" for name in ("l1", "total") if name in values
        )
        pace = (
            f"{values['samples_per_second']:.1f} samples/s, data wait "
            f"{values['data_wait']:.0%}, {hours}:{seconds // 60:02}:{seconds % 60:02} to go"
        )
        return f"stage {stage}, step {step} of {self._total}: {pace}, {terms}"

    def _memory(self) -> dict[str, float]:
        if self._device.type == "cuda":
            return {"memory_gib": torch.cuda.max_memory_allocated(self._device) / 2**30}
        if sys.platform == "win32":  # has no such count
            return {}
        import resource

        unit = 1 if sys.platform == "darwin" else 1024  # bytes there, KiB on Linux
        return {"memory_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30}
