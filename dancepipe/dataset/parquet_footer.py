"""The end of a Parquet file, walked through before pyarrow takes it apart.

pyarrow 26 ends the whole process (a C++ exception that nobody catches) when it is asked for a
column of a row group whose statistics of sizes do not fit the schema, as one flipped bit can make
them. What it would stumble over is looked at here (Apache Parquet format, parquet.thrift:
FileMetaData, RowGroup, ColumnChunk, ColumnMetaData, SizeStatistics).
"""

from pathlib import Path

_MAGIC = b"PAR1"
_FILE, _GROUP, _CHUNK, _COLUMN, _SIZES = range(5)
_INSIDE = {(_FILE, 4): _GROUP, (_GROUP, 1): _CHUNK, (_CHUNK, 3): _COLUMN, (_COLUMN, 16): _SIZES}
_ENCRYPTED = ((_CHUNK, 8), (_CHUNK, 9))
_LEVELS = {(_SIZES, 2): 0, (_SIZES, 3): 1}  # histograms: how often each repetition, definition level


def check_footer_levels(path: Path, schema) -> None:
    """schema: pyarrow's ParquetSchema of the file. ValueError when a column does not fit it."""
    expected = []
    for number in range(len(schema)):
        column = schema.column(number)
        expected.append((column.max_repetition_level + 1, column.max_definition_level + 1))
    found = _Walk(_footer(path)).groups()
    for number, group in enumerate(found):
        if len(group) != len(expected):
            raise ValueError(f"row group {number} has {len(group)} columns, not {len(expected)}")
        for levels, needed in zip(group, expected):
            if any(count not in (0, need) for count, need in zip(levels, needed)):
                raise ValueError(f"row group {number}: statistics that fit no column")


def _footer(path: Path) -> bytes:
    with open(path, "rb") as file:
        size = file.seek(0, 2)
        file.seek(max(size - 8, 0))
        end = file.read(8)
        length = int.from_bytes(end[:4], "little")
        if end[4:] != _MAGIC or length > size - 8:
            raise ValueError("its end is no Parquet file's")
        file.seek(size - 8 - length)
        return file.read(length)


class _Walk:
    """Thrift's compact protocol, passed over as fast as Python goes: once for each file opened."""

    def __init__(self, data: bytes):
        self._data, self._at = data, 0
        self._groups: list[list[list[int]]] = []

    def groups(self) -> list[list[list[int]]]:
        """Of each column of each row group, how many repetition and definition levels it counts."""
        try:
            self._struct(_FILE)
        except (IndexError, RecursionError):
            raise ValueError("its end is damaged") from None
        return self._groups

    def _struct(self, place: int | None) -> None:
        if place == _GROUP:
            self._groups.append([])
        elif place == _CHUNK:
            self._groups[-1].append([0, 0])
        data, number = self._data, 0
        while head := data[self._at]:
            self._at += 1
            number = number + (head >> 4) if head >> 4 else self._varint()
            if place is not None and (place, number) in _ENCRYPTED:
                raise ValueError("it is encrypted")
            self._value(head & 15, place, number)
        self._at += 1

    def _value(self, kind: int, place: int | None, number: int) -> None:
        if kind in (1, 2):  # true, false
            return
        if kind == 3:
            self._at += 1
        elif kind in (4, 5, 6):
            data = self._data
            while data[self._at] > 127:
                self._at += 1
            self._at += 1
        elif kind == 7:
            self._at += 8
        elif kind == 8:
            length = self._varint()
            self._at += length
        elif kind in (9, 10):
            self._list(place, number)
        elif kind == 12:
            self._struct(_INSIDE.get((place, number)))
        else:
            raise ValueError("its end is damaged")

    def _list(self, place: int | None, number: int) -> None:
        head = self._data[self._at]
        self._at += 1
        count, kind = head >> 4, head & 15
        if count == 15:
            count = self._varint()
        if (place, number) in _LEVELS:
            self._groups[-1][-1][_LEVELS[place, number]] = count
        if kind in (1, 2):
            self._at += count
            return
        for _ in range(count):
            self._value(kind, place, number)

    def _varint(self) -> int:
        value = shift = 0
        while True:
            byte = self._data[self._at]
            self._at += 1
            value |= (byte & 127) << shift
            if byte < 128:
                return value
            shift += 7
            if shift > 63:
                raise ValueError("its end is damaged")
