"""What a Parquet file says about its sizes, looked at before a reader believes it.

A column chunk is a row of pages, each behind a header in Thrift's compact protocol (Apache Parquet
format, parquet.thrift: PageHeader). A header of a few bytes may ask for 2 GB, and a dictionary of
one large value may be pointed at from every row.
"""

import mmap
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from dancepipe.data.thrift_compact import STRUCT, WHOLE, Compact

MOST_GROUP_BYTES = 512 << 20  # of the wanted columns of a row group, unpacked
MOST_PAGE_BYTES = 64 << 20
MOST_ROWS_OF_GROUP = 100_000
MOST_ROWS = 100_000_000
MOST_COLUMNS = 200
_MOST_VALUES_A_ROW = 192  # two hands of 21 points of four numbers are 168
# Fields of PageHeader.
_UNPACKED, _STORED, _DATA_V1, _DICTIONARY, _DATA_V2 = 2, 3, 5, 7, 8
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
    walk = Compact(data, at)
    sizes: dict[int, int] = {}
    inside: dict[int, int] = {}
    kind_of_page = None
    try:
        for number, kind in walk.fields():
            if number in (_UNPACKED, _STORED):
                sizes[number] = walk.whole(kind)
            elif number in (_DATA_V1, _DICTIONARY, _DATA_V2) and kind == STRUCT:
                kind_of_page = number
                for inner, inner_kind in walk.fields():
                    if inner_kind in WHOLE:
                        inside[inner] = walk.whole(inner_kind)
                    else:
                        walk.skip(inner_kind)
            else:
                walk.skip(kind)
    except (IndexError, RecursionError):
        raise ValueError(f"byte {at}: the header of a page is cut off") from None
    unpacked, stored, values = sizes.get(_UNPACKED, -1), sizes.get(_STORED, -1), inside.get(1, 0)
    if min(unpacked, stored, values) < 0 or walk.at + stored > end:
        raise ValueError(f"byte {at}: no header of a page that fits here")
    encoding = inside.get(4 if kind_of_page == _DATA_V2 else 2)
    return PageSizes(
        walk.at - at, stored, unpacked, values,
        is_dictionary=kind_of_page == _DICTIONARY,
        points_at_dictionary=encoding in _POINTS_AT_DICTIONARY,
    )  # fmt: skip
