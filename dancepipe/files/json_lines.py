"""Files of one JSON object a line, which grow while a command runs: logs, and lists of failures.

A line is written in one piece; where it does not fit on the disk the file is cut back to whole
lines. What a crash tore all the same is passed over when the file is read, and counted.
"""

import json
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from dancepipe.errors import OutputError

_LONGEST_LINE_BYTES = 1 << 20


def read_lines(path: Path, fits: Callable[[dict], bool]) -> tuple[list[dict], int]:
    """The objects of the file for which fits() holds, in order, and the number of other lines.

    A file that is not there holds none. OSError when it cannot be read.
    """
    records, damaged = [], 0
    try:
        file = open(path, "rb")
    except FileNotFoundError:
        return [], 0
    with file:
        while line := file.readline(_LONGEST_LINE_BYTES):
            if not line.strip():
                continue
            try:
                record = json.loads(line)
                is_whole = isinstance(record, dict) and fits(record)
            except (ValueError, RecursionError, TypeError):
                is_whole = False
            if is_whole:
                records.append(record)
            else:
                damaged += 1
    return records, damaged


class LineFile:
    """Adds lines to the end of a file, which is made where it is not there. OutputError."""

    def __init__(self, path: Path):
        self._path, self._is_open = Path(path), False
        try:
            self._file: int = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        except OSError as error:
            raise self._failure(error) from error
        self._is_open = True

    def add(self, record: dict) -> None:
        """One line. It outlives this process at once, and a power cut after sync()."""
        line = json.dumps(record).encode() + b"\n"
        end = None
        try:
            end = os.fstat(self._file).st_size
            if end and self._last_byte() != b"\n":
                line = b"\n" + line  # a torn end stays a line of its own
            written = os.write(self._file, line)
            if written < len(line):
                os.write(self._file, line[written:])  # says why it did not fit
        except OSError as error:
            with suppress(OSError):
                if end is not None:
                    os.ftruncate(self._file, end)
            raise self._failure(error) from error

    def _last_byte(self) -> bytes:
        os.lseek(self._file, -1, os.SEEK_END)
        return os.read(self._file, 1)

    def sync(self) -> None:
        """See that the lines are on the disk."""
        try:
            os.fsync(self._file)
        except OSError as error:
            raise self._failure(error) from error

    def close(self) -> None:
        """Harmless when done already."""
        if self._is_open:
            self._is_open = False
            os.close(self._file)

    def _failure(self, error: OSError) -> OutputError:
        return OutputError(
            f"cannot write {self._path}: {error.strerror or error}; free some space, "
            "or choose a folder that you may write to, and run again"
        )
