"""Walks through bytes in Thrift's compact protocol (thrift-compact-protocol.md), in which Parquet
keeps what it says about itself. Fields that nobody asks for are passed over as fast as Python goes.
"""

from collections.abc import Iterator

BOOLEANS, BYTE, WHOLE, DOUBLE, BINARY, LISTS, STRUCT = (1, 2), 3, (4, 5, 6), 7, 8, (9, 10), 12


class Compact:
    """A place in the bytes. Each method reads what begins there and ends behind it.

    IndexError beyond the last byte, ValueError for what this protocol does not know, RecursionError
    for structures in structures without end.
    """

    def __init__(self, data, at: int = 0):
        self._data, self.at = data, at

    def fields(self) -> Iterator[tuple[int, int]]:
        """The (number, kind) of each field of a struct; whoever asks reads the value, or skips
        it."""
        number = 0
        while head := self._data[self.at]:
            self.at += 1
            number = number + (head >> 4) if head >> 4 else self._zigzag()
            yield number, head & 15
        self.at += 1

    def whole(self, kind: int) -> int:
        """A whole number. ValueError when the field is of another kind."""
        if kind not in WHOLE:
            raise ValueError(f"byte {self.at}: no whole number")
        return self._zigzag()

    def list_head(self, kind: int) -> tuple[int, int]:
        """How many elements follow, and of which kind. ValueError when the field is no list."""
        if kind not in LISTS:
            raise ValueError(f"byte {self.at}: no list")
        head = self._data[self.at]
        self.at += 1
        return (self._varint() if head >> 4 == 15 else head >> 4), head & 15

    def skip(self, kind: int) -> None:
        """Pass over a value."""
        if kind in WHOLE:
            data = self._data
            while data[self.at] > 127:
                self.at += 1
            self.at += 1
        elif kind == BINARY:
            length = self._varint()
            self.at += length
        elif kind == STRUCT:
            for _, inner in self.fields():
                self.skip(inner)
        elif kind in LISTS:
            count, inner = self.list_head(kind)
            if inner in BOOLEANS:  # a byte each in a list, none in a struct
                self.at += count
            else:
                for _ in range(count):
                    self.skip(inner)
        elif kind == BYTE:
            self.at += 1
        elif kind == DOUBLE:
            self.at += 8
        elif kind not in BOOLEANS:
            raise ValueError(f"byte {self.at}: a value of an unknown kind")

    def _varint(self) -> int:
        value = shift = 0
        while True:
            byte = self._data[self.at]
            self.at += 1
            value |= (byte & 127) << shift
            if byte < 128:
                return value
            shift += 7
            if shift > 63:
                raise ValueError(f"byte {self.at}: a number without end")

    def _zigzag(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)
