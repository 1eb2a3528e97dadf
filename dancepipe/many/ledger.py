"""The ledger of a folder of jobs: what was begun, what is done, what failed and why.

One JSON object a line, added as things happen, so that kill -9 loses nothing: a job that was begun
and did not end is begun again, unless its result, which is whole or absent, has come to be there.
Runs that share the folder have a file each, and read all of them.
"""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from dancepipe.errors import OutputError
from dancepipe.files.json_lines import LineFile, read_lines
from dancepipe.files.lock import Shard

STATES = ("waiting", "begun", "done", "failed", "cancelled")


@dataclass(frozen=True)
class Entry:
    """The last that is known of a job."""

    job: str
    state: str
    out: str
    at_seconds: float  # since 1970
    reason: str = ""  # of a failure
    before: list | None = None  # of a begun job: what lay at the result's place
    words: dict = field(default_factory=dict)  # whatever else the line says

    def is_done(self) -> bool:
        """Whether its result is there."""
        there = stamp_of(self.out)
        if self.state == "begun":  # killed after the result was put there, before it was told
            return there is not None and there != self.before
        return self.state == "done" and there is not None


class Ledger:
    """with-block: what is added outlives this process. OutputError."""

    def __init__(self, folder: Path, shard: Shard = Shard(0, 1)):
        """folder: of the results, which is there."""
        self._folder = Path(folder)
        self.entries = {entry.job: entry for entry in read_ledger(folder)}
        name = "" if shard.count == 1 else f"-{shard.index}-of-{shard.count}"
        self._file = LineFile(self._folder / f"ledger{name}.jsonl")

    def add(self, job: str, state: str, out: str, **words) -> None:
        """One line. words: plain values; reason and before among them are kept for themselves."""
        out = os.path.abspath(out)
        line = {"job": job, "state": state, "out": out, "at": round(time.time(), 3), **words}
        self._file.add(line)
        self.entries[job] = _entry(line)

    def begin(self, job: str, out: str, **words) -> None:
        """The job is begun now."""
        self.add(job, "begun", out, before=stamp_of(out), **words)

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> "Ledger":
        return self

    def __exit__(self, *_) -> None:
        self.close()


def read_ledger(folder: Path) -> Iterator[Entry]:
    """The last line of each job, of all ledgers in the folder. OutputError."""
    last: dict[str, dict] = {}
    for path in sorted(Path(folder).glob("ledger*.jsonl")):
        try:
            lines, _ = read_lines(path, _is_line)
        except OSError as error:
            raise OutputError(f"cannot read {path}: {error.strerror or error}") from error
        for line in lines:
            if line["job"] not in last or last[line["job"]]["at"] <= line["at"]:
                last[line["job"]] = line
    return map(_entry, last.values())


def stamp_of(path: str) -> list | None:
    """What is another when the file or folder is another; None where there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return [found.st_ino, found.st_size, found.st_mtime_ns]


def _is_line(line: dict) -> bool:
    return (
        all(isinstance(line.get(key), str) for key in ("job", "state", "out"))
        and line["state"] in STATES
        and isinstance(line.get("at"), (int, float))
        and isinstance(line.get("reason", ""), str)
    )


def _entry(line: dict) -> Entry:
    named = {"job", "state", "out", "at", "reason", "before"}
    return Entry(
        line["job"],
        line["state"],
        line["out"],
        line["at"],
        line.get("reason", ""),
        line.get("before"),
        {key: value for key, value in line.items() if key not in named},
    )
