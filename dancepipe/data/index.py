"""index.parquet: what a data set holds, row by row without its pictures, so that opening one reads
a single file, and a query over it too.

It is a copy of columns that the clips have: where it does not fit the files that are there, it is
passed over.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from dancepipe.data.store import clip_files, has_any, open_clip, read_group, text_of
from dancepipe.errors import OutputError
from dancepipe.files.whole_file import WholeFile

INDEX_FILE = "index.parquet"
_FILES = b"dancepipe_files"
_COLUMNS = ["identity", "clip", "frame_index", "time_seconds", "split", "source", "keypoints"]
_POINTS = ("landmarks", "hands")


@dataclass(frozen=True)
class IndexedFile:
    """What is known of one clip file without its pictures."""

    identities: list[str]  # of its rows
    has: dict[str, bool]  # whether any row has landmarks, hands


def write_index(folder: Path) -> int:
    """Write the index of the clips that are there -> rows. DatasetError, OutputError."""
    folder = Path(folder)
    files, tables, rows = {}, [], 0
    for path in clip_files(folder):
        file, name = open_clip(path), path.relative_to(folder).as_posix()
        has = {column: has_any(file, path, column) for column in _POINTS}
        files[name] = {"bytes": os.stat(path).st_size, **has}
        table = file.read(columns=_COLUMNS)
        count = len(table)
        table = table.add_column(0, "file", pa.array([name] * count, pa.string()))
        table = table.add_column(1, "row", pa.array(range(count), pa.int64()))
        tables.append(table.replace_schema_metadata({}))
        rows += count
    whole = pa.concat_tables(tables)
    note = {_FILES: json.dumps(files, sort_keys=True)}
    try:
        with WholeFile(folder / INDEX_FILE, overwrite=True) as out:
            pq.write_table(whole.replace_schema_metadata(note), out.part, compression="zstd")
    except OSError as error:
        raise OutputError(
            f"cannot write {folder / INDEX_FILE}: {error.strerror or error}; free some space"
        ) from error
    return rows


def read_index(folder: Path, files: list[Path]) -> dict[Path, IndexedFile] | None:
    """What is known of these clip files; None where there is no index, or one of other files."""
    path = Path(folder) / INDEX_FILE
    if not path.is_file():
        return None
    try:
        file = pq.ParquetFile(path)
        noted = json.loads((file.schema_arrow.metadata or {})[_FILES])
        names = {one.relative_to(folder).as_posix(): one for one in files}
        if any(noted[name]["bytes"] != os.stat(one).st_size for name, one in names.items()):
            return None
        table = file.read(columns=["file", "identity"])
        identities: dict[str, list[str]] = {}
        for name, identity in zip(
            table["file"].to_pylist(), table["identity"].to_pylist(), strict=True
        ):
            if name in names:
                identities.setdefault(name, []).append(identity)
        if len(identities) < len(names):
            return None
        return {
            names[name]: IndexedFile(found, {one: bool(noted[name][one]) for one in _POINTS})
            for name, found in identities.items()
        }
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError):
        return None  # written anew by the next build


def identities_of(folder: Path, files: list[Path]) -> dict[Path, IndexedFile]:
    """Of each file the identity of every row, and whether any has landmarks or hands: from the
    index, else from the files themselves. DatasetError."""
    known = read_index(folder, files)
    if known is not None:
        return known
    found = {}
    for path in files:
        file = open_clip(path)
        has = {column: has_any(file, path, column) for column in _POINTS}
        rows = (
            values
            for group in range(file.num_row_groups)
            for values in read_group(file, path, group, ["identity"])
        )
        column = [text_of(values, "identity", path, row) for row, values in enumerate(rows)]
        found[path] = IndexedFile(column, has)
    return found
