"""The end of a Parquet file, walked through before pyarrow takes it apart.

pyarrow 26 ends the whole process (a C++ exception that nobody catches) when it is asked for a
column of a row group whose statistics of sizes do not fit the schema, as one flipped bit can make
them. What it would stumble over is looked at here (Apache Parquet format, parquet.thrift:
FileMetaData, RowGroup, ColumnChunk, ColumnMetaData, SizeStatistics).
"""

from pathlib import Path

from dancepipe.data.thrift_compact import STRUCT, Compact

_MAGIC = b"PAR1"
_ROW_GROUPS, _COLUMNS, _META, _CRYPTO, _ENCRYPTED_META, _SIZES = 4, 1, 3, 8, 9, 16
_LEVELS = (2, 3)  # histograms: how often each repetition level, each definition level


def check_footer_levels(path: Path, schema) -> None:
    """schema: pyarrow's ParquetSchema of the file. ValueError when a column does not fit it."""
    expected = []
    for number in range(len(schema)):
        column = schema.column(number)
        expected.append((column.max_repetition_level + 1, column.max_definition_level + 1))
    try:
        found = _row_groups(Compact(_footer(path)))
    except (IndexError, RecursionError):
        raise ValueError("its end is damaged") from None
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


# How many levels each histogram counts, (repetition, definition): by row group and column.


def _row_groups(walk: Compact) -> list[list[tuple[int, int]]]:
    groups = []
    for number, kind in walk.fields():
        if number == _ROW_GROUPS:
            groups += [_columns(walk) for _ in range(_structs(walk, kind))]
        else:
            walk.skip(kind)
    return groups


def _columns(walk: Compact) -> list[tuple[int, int]]:
    columns = []
    for number, kind in walk.fields():
        if number == _COLUMNS:
            columns += [_levels_of_chunk(walk) for _ in range(_structs(walk, kind))]
        else:
            walk.skip(kind)
    return columns


def _levels_of_chunk(walk: Compact) -> tuple[int, int]:
    levels = (0, 0)
    for number, kind in walk.fields():
        if number in (_CRYPTO, _ENCRYPTED_META):
            raise ValueError("it is encrypted")
        if number == _META and kind == STRUCT:
            for inner, inner_kind in walk.fields():
                if inner == _SIZES and inner_kind == STRUCT:
                    levels = _levels(walk)
                else:
                    walk.skip(inner_kind)
        else:
            walk.skip(kind)
    return levels


def _levels(walk: Compact) -> tuple[int, int]:
    counts = dict.fromkeys(_LEVELS, 0)
    for number, kind in walk.fields():
        if number in _LEVELS:
            counts[number], inner = walk.list_head(kind)
            for _ in range(counts[number]):
                walk.skip(inner)
        else:
            walk.skip(kind)
    repetition, definition = counts.values()
    return repetition, definition


def _structs(walk: Compact, kind: int) -> int:
    """How many structs the list holds. ValueError when it is another list."""
    count, inner = walk.list_head(kind)
    if inner != STRUCT:
        raise ValueError("its end is damaged")
    return count
