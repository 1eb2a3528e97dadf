"""What came of each source: failures.jsonl, at which stage and why, as it happens; ledger.jsonl, at
the end of a run, every source of the data set once. One JSON object a line."""

import json
import logging
from collections.abc import Iterable
from pathlib import Path

from dancepipe.address import public_address, without_secrets
from dancepipe.building.settle import Settled
from dancepipe.errors import DatasetError
from dancepipe.files.json_lines import LineFile, read_lines
from dancepipe.files.whole_file import write_text

log = logging.getLogger(__name__)

_FIELDS = ("source", "stage", "reason")


class Ledger:
    """The failures of this run, added one by one, behind those of earlier runs.

    tried: the sources that this run tries; what earlier runs said of them is dropped. Lines that a
    crash tore are left out, which is said. Addresses are written without their secrets.
    Raises OutputError, DatasetError (a file that cannot be read).
    """

    def __init__(self, path: Path, tried: Iterable[str] = ()):
        self._path = Path(path)
        older, damaged = _read(self._path)
        if damaged:
            log.warning(f"{path}: {damaged} damaged line{'s'[: damaged > 1]} left out")
        self._older = {record["source"]: record for record in older}
        tried = set(map(public_address, tried))
        kept = [record for record in older if record["source"] not in tried]
        if damaged or len(kept) < len(older):
            write_text(path, "".join(json.dumps(record) + "\n" for record in kept))
        self._file: LineFile | None = None
        self.failures = 0

    def has_failed(self, source: str, state: list | None) -> bool:
        """Whether it failed in an earlier run, when it was in that state, for good."""
        record = self._older.get(public_address(source))
        return record is not None and record.get("state") == state and not record.get("for_now")

    def add(
        self, source: str, stage: str, reason: str, *, state: list | None = None,
        for_now: bool = False,
    ) -> None:  # fmt: skip
        """One failure; what was added outlives this process. state: as has_failed has it. for_now:
        another run may do better."""
        reason = without_secrets(reason, of=source)
        record = {"source": public_address(source), "stage": stage, "reason": reason}
        record |= {"for_now": True} if for_now else {}
        self._file = self._file or LineFile(self._path)
        self._file.add(record if state is None else record | {"state": state})
        self.failures += 1

    def __enter__(self) -> "Ledger":
        self._file = self._file or LineFile(self._path)  # an empty one says that nothing failed
        return self

    def __exit__(self, kind, *_) -> None:
        if self._file is None:
            return
        try:
            if kind is None:
                self._file.sync()
        finally:
            self._file.close()


def ledger_path(out: Path, num_shards: int, shard_index: int) -> Path:
    """Shards that run at the same time have a file each."""
    name = "failures.jsonl" if num_shards == 1 else f"failures-{shard_index}-of-{num_shards}.jsonl"
    return Path(out) / name


def write_outcomes(out: Path, settled: Settled) -> None:
    """ledger.jsonl: every source once, by its name. Outcomes: kept, copy, failed. OutputError,
    DatasetError."""
    records: dict[str, dict] = {}
    for path in sorted(Path(out).glob("failures*.jsonl")):
        for record in _read(path)[0]:
            place = {name: record[name] for name in _FIELDS}
            records[record["source"]] = {"source": record["source"], "outcome": "failed"} | place
    for clip in settled.clips:
        rows = sum(dancer.rows for dancer in clip.facts.dancers)
        records[clip.facts.source] = {
            "source": clip.facts.source,
            "outcome": "kept" if clip.copy_of is None else "copy",
            **({} if clip.copy_of is None else {"of": clip.copy_of}),
            "file": f"{clip.path.parent.name}/{clip.path.name}",
            "people": list(clip.identities),
            "pictures": rows,
        }
    lines = (json.dumps(records[source]) + "\n" for source in sorted(records))
    write_text(Path(out) / "ledger.jsonl", "".join(lines))


def _read(path: Path) -> tuple[list[dict], int]:
    try:
        return read_lines(path, _is_failure)
    except OSError as error:
        raise DatasetError(f"cannot read {path}: {error.strerror or error}") from error


def _is_failure(record: dict) -> bool:
    return all(isinstance(record.get(name), str) for name in _FIELDS)
