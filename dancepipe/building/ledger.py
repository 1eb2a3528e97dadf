"""failures.jsonl: what could not be used, at which stage and why, one JSON object a line."""

import json
import logging
from pathlib import Path

from dancepipe.address import public_address, without_secrets
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

    def __init__(self, path: Path, tried: set[str]):
        try:
            older, damaged = read_lines(path, _is_failure)
        except OSError as error:
            raise DatasetError(f"cannot read {path}: {error.strerror or error}") from error
        if damaged:
            log.warning(f"{path}: {damaged} damaged line{'s'[: damaged > 1]} left out")
        tried = {public_address(source) for source in tried}
        kept = [record for record in older if record["source"] not in tried]
        if damaged or len(kept) < len(older):
            write_text(path, "".join(json.dumps(record) + "\n" for record in kept))
        self._file = LineFile(path)
        self.failures = 0

    def add(self, source: str, stage: str, reason: str) -> None:
        """One failure; what was added outlives this process."""
        reason = without_secrets(reason, of=source)
        self._file.add({"source": public_address(source), "stage": stage, "reason": reason})
        self.failures += 1

    def __enter__(self) -> "Ledger":
        return self

    def __exit__(self, kind, *_) -> None:
        try:
            if kind is None:
                self._file.sync()
        finally:
            self._file.close()


def ledger_path(out: Path, num_shards: int, shard_index: int) -> Path:
    """Shards that run at the same time have a file each."""
    name = "failures.jsonl" if num_shards == 1 else f"failures-{shard_index}-of-{num_shards}.jsonl"
    return Path(out) / name


def _is_failure(record: dict) -> bool:
    return all(isinstance(record.get(name), str) for name in _FIELDS)
