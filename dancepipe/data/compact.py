"""Many small clip files -> few large ones: a hub, a file system and a loader of another kind want
shards."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from dancepipe.data.card import write_card
from dancepipe.data.exact_flow import truth_file
from dancepipe.data.index import write_index
from dancepipe.data.store import SCHEMA, SPLITS, clip_files, open_clip
from dancepipe.errors import ConfigError, DatasetError, OutputError
from dancepipe.files.plain_text import plain_words
from dancepipe.files.whole_file import make_folder, whole_folder, write_bytes

_BESIDE = ("pairs-test.csv", "pairs-test-hard.csv", "report.html", "ledger.jsonl")


@dataclass(frozen=True)
class CompactSummary:
    """What was written."""

    files_read: int
    shards: int
    rows: int


def compact(folder: Path, out: Path, *, rows_per_shard: int) -> CompactSummary:
    """The data set in `folder` -> another one in `out` (new), of files of rows_per_shard rows; the
    last one of a split has what is left, and rows keep their order. Memory stays flat.

    `folder` is left as it is: build-dataset goes on there. Raises ConfigError (out is there, or a
    data set with exact flow, which belongs to single clips), DatasetError, OutputError.
    """
    folder, out = Path(folder), Path(out)
    if rows_per_shard < 1:
        raise ConfigError(f"rows-per-shard {rows_per_shard} must be at least 1")
    files = clip_files(folder)
    if out.exists():
        raise ConfigError(f"{out} is there already; name a new folder")
    if any(truth_file(path).exists() for path in files):
        raise ConfigError(f"{folder} has exact flow of single clips (truth/); it stays as it is")
    shards = rows = 0
    with whole_folder(out) as part:
        for split in SPLITS:
            own = [path for path in files if path.parent.name == split]
            if own:
                count, written = _write_shards(own, part / split, rows_per_shard)
                shards, rows = shards + count, rows + written
        for name in _BESIDE:
            if (folder / name).is_file():
                write_bytes(part / name, (folder / name).read_bytes())
        write_index(part)
        write_card(part)
    return CompactSummary(len(files), shards, rows)


def _write_shards(files: list[Path], folder: Path, rows_per_shard: int) -> tuple[int, int]:
    """(shards, rows). Row groups stay as they are as far as they fit."""
    total = sum(open_clip(path).metadata.num_rows for path in files)
    count = -(-total // rows_per_shard)
    make_folder(folder)
    groups = _groups(files)
    left = next(groups, None)
    try:
        for number in range(count):
            path = folder / f"shard-{number:05d}-of-{count:05d}.parquet"
            with pq.ParquetWriter(path, SCHEMA, compression="zstd") as writer:
                room = rows_per_shard
                while left is not None and room:
                    writer.write_table(left.slice(0, room))
                    taken = min(room, len(left))
                    left, room = left.slice(taken), room - taken
                    left = left if len(left) else next(groups, None)
    except OSError as error:
        raise OutputError(
            f"cannot write {folder}: {error.strerror or error}; free some space, and run again"
        ) from error
    return count, total


def _groups(files: list[Path]) -> Iterator[pa.Table]:
    for path in files:
        file = open_clip(path)
        try:
            for group in range(file.num_row_groups):
                rows = file.read_row_group(group)
                yield _in_our_schema(rows)
        except (pa.ArrowException, OSError, ValueError) as error:
            raise DatasetError(
                f"{path} is damaged ({plain_words(error)}); delete it and run build-dataset again"
            ) from error


def _in_our_schema(rows: pa.Table) -> pa.Table:
    """Columns that older clips lack are null."""
    columns = [
        rows[field.name].cast(field.type)
        if field.name in rows.schema.names
        else pa.nulls(len(rows), field.type)
        for field in SCHEMA
    ]
    return pa.Table.from_arrays(columns, schema=SCHEMA)
