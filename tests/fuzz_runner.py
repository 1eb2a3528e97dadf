"""Runs cases of fuzz_cases.py in a process of its own, and watches it.

    python tests/fuzz_runner.py fuzz_cases     a worker: orders in, reports out, a JSON a line

A case fails when anything but a DancepipeError leaves its door, when it takes LONGEST_SECONDS, when
it takes MOST_BYTES of memory more than before, or when the process dies of it.
"""

import importlib
import json
import os
import selectors
import shutil
import subprocess
import sys
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fuzz_cases import copied, write_case

LONGEST_SECONDS = 10.0
MOST_BYTES = 10**9
_NET_BYTES = 4 << 30  # of addresses beyond those in use: stops what the machine has no memory for
_LONGEST_WARMING_SECONDS = 100
_MOST_WAITING = 3  # times as long, on a machine so busy that the worker hardly ran


@dataclass(frozen=True)
class Failure:
    """One case that went wrong. kept: the input as the door was given it."""

    kind: str
    seed: int
    number: int
    reason: str
    kept: Path

    def __str__(self) -> str:
        name = f"{self.kind}:{self.seed}:{self.number}"
        return f"--repeat {name}, input kept at {self.kept}\n{self.reason}"


class Runner:
    """Runs cases one after the other in a warm worker process; a new one after each that is lost.

    folder: where sound inputs are made once, and cases while they run. cases: the module of KINDS.
    """

    def __init__(
        self,
        folder: Path,
        *,
        cases: str = "fuzz_cases",
        longest_seconds: float = LONGEST_SECONDS,
        most_bytes: int = MOST_BYTES,
    ):
        self._folder, self._cases = Path(folder), cases
        self._longest_seconds, self._most_bytes = longest_seconds, most_bytes
        self._worker: subprocess.Popen | None = None
        self._waiting = None

    def failures(self, kind: str, seed: int, numbers: range, keep: Path) -> Iterator[Failure]:
        """Those of the cases (kind, seed, number) that fail. Their inputs are kept in `keep`.

        ValueError when a sound input of the kind is not read.
        """
        for number in numbers:
            if reason := self._reason(kind, seed, number):
                yield self._failure(kind, seed, number, reason, keep)

    def _reason(self, kind: str, seed: int, number: int) -> str:
        """What is wrong with the case; empty when nothing is."""
        if self._worker is None:
            self._start()
        if kind not in self._warm:  # makes and reads sound inputs
            self._warm.add(kind)
            self._order({"kind": kind, "seed": None})
            if wrong := self._wait(_LONGEST_WARMING_SECONDS):
                raise ValueError(f"a sound input of {kind} is not read: {wrong}")
        order = {"kind": kind, "seed": seed, "number": number, "most_bytes": self._most_bytes}
        self._order(order)
        return self._wait(self._longest_seconds)

    def _order(self, order: dict) -> None:
        line = json.dumps({**order, "folder": str(self._folder)})
        self._worker.stdin.write(line.encode() + b"\n")

    def _wait(self, longest_seconds: float) -> str:
        used = _cpu_seconds(self._worker.pid)
        for _ in range(_MOST_WAITING):
            if self._waiting.select(longest_seconds):
                break
            if _cpu_seconds(self._worker.pid) - used > longest_seconds / 2:
                self.close()
                return f"takes more than {longest_seconds} s"
        else:
            self.close()
            return f"hangs for {_MOST_WAITING * longest_seconds} s"
        answer = self._worker.stdout.readline()
        if not answer:
            code = self._worker.wait()
            self.close()
            return f"the process dies of it (exit code {code})"
        return json.loads(answer)["reason"]

    def _start(self) -> None:
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        self._warm: set[str] = set()
        self._worker = subprocess.Popen(
            [sys.executable, __file__, self._cases],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            bufsize=0,
        )
        self._waiting = selectors.DefaultSelector()
        self._waiting.register(self._worker.stdout, selectors.EVENT_READ)

    def _failure(self, kind: str, seed: int, number: int, reason: str, keep: Path) -> Failure:
        kept = Path(keep) / f"{kind}-{seed}-{number}"
        shutil.rmtree(kept, ignore_errors=True)
        shutil.copytree(_case_folder(self._folder), kept)
        return Failure(kind, seed, number, reason, kept)

    def close(self) -> None:
        """Ends the worker."""
        if self._worker is not None:
            self._worker.kill()
            self._worker.wait()
            self._waiting.close()
            self._worker.stdin.close()
            self._worker.stdout.close()
            self._worker = None

    def __enter__(self) -> "Runner":
        return self

    def __exit__(self, *_) -> None:
        self.close()


def _case_folder(folder: Path) -> Path:
    return Path(folder) / "case"


def _cpu_seconds(process: int) -> float:
    """What the process has computed so far; infinite where that cannot be known."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return float("inf")
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# The worker


def sound_inputs(kind, folder: Path) -> Path:
    """The folder of the kind's sound inputs, which are made and read first, once."""
    ready = Path(folder) / f"sound-{kind.name}"
    if not ready.exists():
        made = Path(folder) / f"making-{kind.name}"
        shutil.rmtree(made, ignore_errors=True)
        made.mkdir(parents=True)
        names = kind.make(made)
        for entry in list(made.iterdir()):
            if entry.name not in names:
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        os.rename(made, ready)
    return ready


def read_sound_inputs(kind, folder: Path) -> str:
    """What is wrong with them; empty when nothing is. Also loads all libraries that are needed."""
    try:
        for entry in sorted(sound_inputs(kind, folder).iterdir()):
            kind.door(copied(entry, emptied(_case_folder(folder))))
    except BaseException:
        return _trace()
    return ""


def _trace() -> str:
    """The traceback that is under way; what its last lines quote may be long."""
    return "\n".join(line[:300] for line in traceback.format_exc().splitlines())[-6000:]


def emptied(folder: Path) -> Path:
    """The folder, with nothing in it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def run_case(kind, path: Path, most_bytes: int = MOST_BYTES) -> str:
    """What is wrong with the door's answer; empty when nothing is."""
    from dancepipe.errors import DancepipeError

    before = _memory("VmRSS")
    _forget_highest()
    try:
        kind.door(path)
    except DancepipeError as error:
        if "\n" in str(error):
            return f"the message has several lines: {str(error)[:2000]!r}"
        if len(str(error)) > 4000:
            return f"the message has {len(str(error))} letters: {str(error)[:500]!r}"
    except BaseException:
        return _trace()
    taken = _memory("VmHWM") - before
    return f"takes {taken >> 20} MiB of memory" if taken > most_bytes else ""


def _forget_highest() -> None:
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        pass  # then the highest of all cases counts


def _memory(name: str) -> int:
    """Bytes in memory now (VmRSS), or at most (VmHWM)."""
    try:
        text = Path("/proc/self/status").read_text()
    except OSError:
        return 0
    return int(text.split(f"{name}:")[1].split()[0]) << 10


def _work(cases: str, orders, reports) -> None:
    kinds = importlib.import_module(cases).KINDS
    for line in orders:
        order = json.loads(line)
        kind, folder = kinds[order["kind"]], Path(order["folder"])
        if order["seed"] is None:
            reason = read_sound_inputs(kind, folder)
        else:
            case = emptied(_case_folder(folder))
            sound = sound_inputs(kind, folder)
            path = write_case(kind, sound, order["seed"], order["number"], case)
            _net()
            reason = run_case(kind, path, order["most_bytes"])
        reports.write(json.dumps({"reason": reason}) + "\n")
        reports.flush()


def _net() -> None:
    import resource

    in_use = _memory("VmSize")
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (in_use + _NET_BYTES, hard))


def _main() -> None:
    import warnings

    warnings.simplefilter("ignore")
    reports = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a door prints is no report
    _work(sys.argv[1], sys.stdin, reports)


if __name__ == "__main__":
    _main()
