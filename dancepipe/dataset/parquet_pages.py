"""What a Parquet file says about its sizes, looked at before a reader believes it.

A column chunk is a row of pages, each behind a header in Thrift's compact protocol (Apache Parquet
format, parquet.thrift: PageHeader; Apache Thrift, thrift-compact-protocol.md). A header of a few
bytes may ask for 2 GB, and a dictionary of one large value may be pointed at from every row.
"""

import mmap
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

MOST_GROUP_BYTES = 512 << 20  # of the wanted columns of a row group, unpacked
MOST_PAGE_BYTES = 64 << 20
MOST_ROWS_OF_GROUP = 100_000
MOST_ROWS = 100_000_000
MOST_COLUMNS = 200
_MOST_VALUES_A_ROW = 64  # 18 joints of three numbers are 54
_DEEPEST = 8
_POINTS_AT_DICTIONARY = (2, 8)  # Encoding: PLAIN_DICTIONARY, RLE_DICTIONARY


@dataclass(frozen=True)
class PageSizes:
    """One page's header."""

    header_bytes: int
    stored_bytes: int
    unpacked_bytes: int
    values: int
    is_dictionary: bool
    points_at_dictionary: bool


def check_footer(metadata) -> None:
    """pyarrow's FileMetaData. ValueError for more rows or columns than a data set has."""
    if metadata.num_columns > MOST_COLUMNS:
        raise ValueError(f"it says that it has {metadata.num_columns} columns")
    if not 0 <= metadata.num_rows <= MOST_ROWS:
        raise ValueError(f"it says that it has {metadata.num_rows} rows")


def check_group(path: Path, metadata, group: int, columns: Collection[str] | None) -> None:
    """The pages of the wanted columns (None: all) of a row group against the footer.

    ValueError says what does not fit, OSError when the file cannot be read.
    """
    footer = metadata.row_group(group)
    if not 0 <= footer.num_rows <= MOST_ROWS_OF_GROUP:
        raise ValueError(f"row group {group} says that it has {footer.num_rows} rows")
    chunks = [footer.column(number) for number in range(footer.num_columns)]
    if columns is not None:
        chunks = [chunk for chunk in chunks if chunk.path_in_schema.split(".")[0] in columns]
    unpacked = sum(chunk.total_uncompressed_size for chunk in chunks)
    if not 0 <= unpacked <= MOST_GROUP_BYTES:
        raise ValueError(
            f"row group {group} says that it takes {unpacked >> 20} MiB; "
            f"{MOST_GROUP_BYTES >> 20} can be read: write smaller row groups"
        )
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        for chunk in chunks:
            _check_chunk(data, chunk, footer.num_rows)


def _check_chunk(data: mmap.mmap, chunk, rows: int) -> None:
    name = chunk.path_in_schema
    if not 0 <= chunk.num_values <= _MOST_VALUES_A_ROW * rows:
        raise ValueError(f"column {name} says that it has {chunk.num_values} values in {rows} rows")
    at = chunk.data_page_offset
    if chunk.has_dictionary_page and 0 < (offset := chunk.dictionary_page_offset) < at:
        at = offset
    end = at + chunk.total_compressed_size
    if not (4 <= at <= end <= len(data)):
        raise ValueError(f"column {name} does not lie inside the file")
    unpacked = values = pointing = 0
    dictionary = b""
    while at < end:
        page = read_page_header(data, at, end)
        begin, at = at + page.header_bytes, at + page.header_bytes + page.stored_bytes
        unpacked += page.header_bytes + page.unpacked_bytes
        if page.unpacked_bytes > MOST_PAGE_BYTES:
            raise ValueError(f"column {name} has a page of {page.unpacked_bytes >> 20} MiB")
        if page.is_dictionary:
            dictionary, dictionary_bytes = data[begin:at], page.unpacked_bytes
        else:
            values += page.values
            pointing += page.values * page.points_at_dictionary
    if at != end or unpacked > chunk.total_uncompressed_size or values != chunk.num_values:
        raise ValueError(f"the pages of column {name} are not those that the file's end tells of")
    if not dictionary or pointing * dictionary_bytes <= MOST_GROUP_BYTES:
        return
    if pointing * _longest_entry(chunk, dictionary, dictionary_bytes) > MOST_GROUP_BYTES:
        raise ValueError(f"column {name} would take more than {MOST_GROUP_BYTES >> 20} MiB")


def _longest_entry(chunk, stored: bytes, unpacked_bytes: int) -> int:
    """Bytes of the longest value in a dictionary page (encoding PLAIN)."""
    if chunk.physical_type != "BYTE_ARRAY":
        return 16
    data = stored
    if chunk.compression != "UNCOMPRESSED":
        codec = chunk.compression.lower()
        data = pa.decompress(stored, unpacked_bytes, codec=codec, asbytes=True)
    at = longest = 0
    while at + 4 <= len(data):
        length = int.from_bytes(data[at : at + 4], "little")
        at, longest = at + 4 + length, max(longest, length)
    return longest


def read_page_header(data, at: int, end: int) -> PageSizes:
    """The header of the page at `at`. ValueError when it is none, or leads beyond `end`."""
    reader = _Compact(data, at, end)
    fields = reader.struct(0)
    unpacked, stored = fields.get(2), fields.get(3)
    kinds = [fields.get(number) for number in (5, 7, 8)]
    inside = next((kind for kind in kinds if isinstance(kind, dict)), {})
    values = inside.get(1, 0)
    encoding = inside.get(4 if kinds[2] else 2)
    numbers = (unpacked, stored, values)
    if any(type(number) is not int or number < 0 for number in numbers):
        raise ValueError(f"byte {at}: no header of a page")
    if reader.at + stored > end:
        raise ValueError(f"byte {at}: a page of {stored} bytes, {end - reader.at} are there")
    is_dictionary = isinstance(kinds[1], dict)
    points = encoding in _POINTS_AT_DICTIONARY
    return PageSizes(reader.at - at, stored, unpacked, values, is_dictionary, points)


class _Compact:
    """Just enough of Thrift's compact protocol to walk through a header."""

    def __init__(self, data, at: int, end: int):
        self._data, self.at, self._end = data, at, end

    def struct(self, depth: int) -> dict:
        """Field number -> int, dict (a struct) or None (something else)."""
        if depth > _DEEPEST:
            raise ValueError(f"byte {self.at}: structures in structures")
        fields, number = {}, 0
        while head := self._byte():
            number = number + (head >> 4) if head >> 4 else self._zigzag()
            fields[number] = self._value(head & 15, depth)
        return fields

    def _value(self, kind: int, depth: int):
        if kind in (1, 2):  # true, false
            return None
        if kind == 3:
            return self._byte()
        if kind in (4, 5, 6):
            return self._zigzag()
        if kind == 7:
            return self._skip(8)
        if kind == 8:
            return self._skip(self._varint())
        if kind in (9, 10):
            return self._list(depth)
        if kind == 12:
            return self.struct(depth + 1)
        raise ValueError(f"byte {self.at}: no field of a page's header")

    def _list(self, depth: int) -> None:
        if depth > _DEEPEST:
            raise ValueError(f"byte {self.at}: lists in lists")
        head = self._byte()
        count, kind = head >> 4, head & 15
        if count == 15:
            count = self._varint()
        for _ in range(count):
            before = self.at
            self._skip(1) if kind in (1, 2) else self._value(kind, depth + 1)
            if self.at == before:
                raise ValueError(f"byte {self.at}: a list of nothing")

    def _byte(self) -> int:
        if self.at >= self._end:
            raise ValueError(f"byte {self.at}: a page's header is cut off")
        self.at += 1
        return self._data[self.at - 1]

    def _skip(self, count: int) -> None:
        if not 0 <= count <= self._end - self.at:
            raise ValueError(f"byte {self.at}: a page's header is cut off")
        self.at += count

    def _varint(self) -> int:
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & 127) << shift
            if byte < 128:
                return value
            shift += 7
            if shift > 63:
                raise ValueError(f"byte {self.at}: a number without end")

    def _zigzag(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)
