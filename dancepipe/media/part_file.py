"""A part of a result on the disk: pieces of data and what is known of each, whole or absent.

The pieces lie one after the other; behind them an index (JSON), its length and a checksum of all.
"""

import json
import struct
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from dancepipe.files.whole_file import WholeFile

_MAGIC = b"dancepipe part 1\n"
_TAIL = struct.Struct("<QI")  # bytes of the index, and the checksum of all before the tail
_LONGEST_INDEX = 64 << 20
_BLOCK = 1 << 20


class PartFileWriter:
    """`with PartFileWriter(path) as out: out.add(...)`: appears when the block ends well.

    OutputError: folder, space. facts: of the whole part, plain numbers and texts; may be set until
    the end.
    """

    def __init__(self, path: Path):
        self.facts: dict = {}
        self._pieces: list[list] = []
        self._checksum = 0
        self._whole = WholeFile(path, overwrite=True)
        try:
            self._out = open(self._whole.part, "wb")
            self._write(_MAGIC)
        except BaseException as error:
            self.__exit__(type(error), error, None)
            raise

    def __enter__(self) -> "PartFileWriter":
        return self

    def __exit__(self, kind, error, traceback) -> None:
        try:
            if kind is None:
                self._end()
        except BaseException as failure:
            self._close()
            self._whole.__exit__(type(failure), failure, None)  # which says what a full disk means
            raise
        self._close()
        self._whole.__exit__(kind, error, traceback)

    def add(self, data: bytes, *facts: int) -> None:
        """One more piece. OutputError."""
        self._write(data)
        self._pieces.append([len(data), *facts])

    def _write(self, data: bytes) -> None:
        self._checksum = zlib.crc32(data, self._checksum)
        self._out.write(data)

    def _end(self) -> None:
        index = json.dumps({"pieces": self._pieces, "facts": self.facts}).encode()
        self._write(index)
        self._out.write(_TAIL.pack(len(index), self._checksum))
        self._out.close()

    def _close(self) -> None:
        if hasattr(self, "_out"):
            with suppress(OSError):  # what is thrown away need not fit on the disk
                self._out.close()


@dataclass(frozen=True)
class PartFile:
    """A part that is there and whole."""

    path: Path
    facts: dict
    pieces: list[list[int]]  # of each its bytes, and what add() was told of it

    def data(self) -> Iterator[bytes]:
        """The pieces, in order. OSError."""
        with open(self.path, "rb") as file:
            file.seek(len(_MAGIC))
            for size, *_ in self.pieces:
                yield file.read(size)


def read_part_file(path: Path) -> PartFile:
    """After a look at every byte. OSError; ValueError for what is no whole part."""
    with open(path, "rb") as file:
        size = file.seek(0, 2)
        if size < len(_MAGIC) + _TAIL.size:
            raise ValueError("it is too short")
        file.seek(size - _TAIL.size)
        length, checksum = _TAIL.unpack(file.read())
        begin = size - _TAIL.size - length
        if not len(_MAGIC) <= begin or length > _LONGEST_INDEX:
            raise ValueError("its end is damaged")
        file.seek(0)
        if file.read(len(_MAGIC)) != _MAGIC:
            raise ValueError("it is no part")
        found, left = zlib.crc32(_MAGIC), size - _TAIL.size - len(_MAGIC)
        while left:
            block = file.read(min(_BLOCK, left))
            if not block:
                raise ValueError("it became shorter")
            found, left = zlib.crc32(block, found), left - len(block)
        if found != checksum:
            raise ValueError("its checksum is wrong")
        file.seek(begin)
        index = json.loads(file.read(length))
    return PartFile(path, index["facts"], index["pieces"])
