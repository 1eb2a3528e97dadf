"""Commands of dancepipe in processes of their own that need not load every library anew.

A server process loads the libraries once, and each command runs in a fork of it: as real as any
process (it can be killed, it locks, it fills the disk), and there in a hundredth of a second.
"""

import multiprocessing
import os
import sys
from dataclasses import dataclass
from pathlib import Path

_LOADED = [
    "ai_edge_litert.interpreter",
    "dancepipe.cli",
    "dancepipe.rendering.animate",
    "dancepipe.building.build",
    "dancepipe.training.train",
    "dancepipe.evaluation.evaluate",
    "torch.utils.tensorboard",
    "warm",
]
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(_LOADED)


@dataclass(frozen=True)
class Ended:
    """How a command ended. code: its exit code, or the signal that killed it, negative."""

    code: int
    said: str

    @property
    def errors(self) -> list[str]:
        """The lines that tell the user what is wrong."""
        return [line for line in self.said.splitlines() if line.startswith("dancepipe:")]


def start(arguments: list[str], said: Path, together=None) -> multiprocessing.Process:
    """Begin a command; what it says goes to the file `said`. together: a barrier to wait at
    first."""
    arguments = [str(argument) for argument in arguments]
    process = CONTEXT.Process(target=_run, args=(arguments, str(said), together))
    process.start()
    return process


def end(process: multiprocessing.Process, said: Path, timeout_seconds: float = 120) -> Ended:
    """Wait for a command."""
    process.join(timeout_seconds)
    assert not process.is_alive(), f"it hangs: {said.read_text(errors='replace')}"
    return Ended(process.exitcode, said.read_text(encoding="utf-8", errors="replace"))


def run(arguments: list[str], said: Path) -> Ended:
    """A whole command."""
    return end(start(arguments, said), said)


def _run(arguments: list[str], said: str, together) -> None:
    file = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    os.dup2(file, 1)
    os.dup2(file, 2)
    sys.stdout, sys.stderr = (os.fdopen(number, "w", buffering=1) for number in (1, 2))
    sys.argv = ["dancepipe", *arguments]
    import torch

    from dancepipe.cli import run as command

    torch.set_num_threads(1)
    if together is not None:
        together.wait(60)
    command()
