"""Clips that somebody else wrote, or a disk damaged, are refused with file, row and column."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from test_store import write

from dancepipe.data.pairs import PairSource
from dancepipe.data.parquet_pages import read_page_header
from dancepipe.data.store import SCHEMA, read_clip, read_columns
from dancepipe.errors import DatasetError
from dancepipe.evaluation.pair_list import HeldOut
from dancepipe.media.image import encode_jpeg, encode_png

GREY = np.full((32, 32, 3), 128, np.uint8)


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("honest") / "train" / "a.parquet"
    write(path, 20, identity="ann")
    return path


def rewritten(clip: Path, out: Path, column: str, value, row: int = 17) -> Path:
    """The clip with another value in one place."""
    rows = pq.read_table(clip).to_pylist()
    rows[row][column] = value
    out.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), out, row_group_size=16)
    return out


def picture(data: bytes | None) -> dict:
    return {"bytes": data, "path": None}


LIES = {
    "identity": [None],
    "clip": [None],
    "split": [None, "validation", "x" * 100_000],
    "source": [None],
    "frame_index": [None, -1],
    "time_seconds": [None, float("nan"), float("inf")],
    "image": [
        None,
        picture(None),
        picture(b""),
        picture(b"no picture"),
        picture(encode_png(GREY[:, :, 0])),
        picture(encode_jpeg(GREY[:16])),
    ],
    "mask": [None, picture(None), picture(encode_png(GREY)), picture(encode_png(GREY[:8, :8, 0]))],
    "keypoints": [
        None,
        [],
        [[1.0, 2.0, 0.5]] * 17,
        [[1.0, 2.0]] * 18,
        [[1.0, float("nan"), 0.5]] * 18,
        [[1.0, 2.0, 7.0]] * 18,
        [None] * 18,
    ],
    "box_xyxy_px": [None, [0.0, 1.0, 2.0, float("inf")]],
}


@pytest.mark.parametrize("column", LIES)
def test_a_lie_is_named_with_file_row_and_column(clip, tmp_path, column):
    for value in LIES[column]:
        path = rewritten(clip, tmp_path / "a.parquet", column, value)
        with pytest.raises(DatasetError) as refused:
            list(read_clip(path))
        words = str(refused.value)
        assert f"{path}, row 17" in words and (column in words or "mask" in words)
        assert "\n" not in words and len(words) < 500


@pytest.mark.parametrize("column", ["identity", "keypoints", "frame_index"])
def test_training_and_scoring_go_through_the_same_door(clip, tmp_path, column):
    for split, door in (
        ("train", lambda: PairSource(tmp_path, "train", (32, 32), 0)),
        ("test", lambda: HeldOut(tmp_path)),
    ):
        rewritten(clip, tmp_path / split / "a.parquet", column, None)
        if split == "train" and column != "identity":
            source = door()
            with pytest.raises(DatasetError, match=f"row 17: {column}"):
                for number in range(60):
                    source[number]
        else:
            with pytest.raises(DatasetError, match=f"row 17: {column}"):
                door()


@pytest.mark.parametrize("column", SCHEMA.names)
def test_columns_of_other_kinds_are_refused(clip, tmp_path, column):
    table = pq.read_table(clip)
    number = table.schema.names.index(column)
    other = pa.array([[1]] * len(table))
    pq.write_table(table.set_column(number, column, other), tmp_path / "a.parquet")
    with pytest.raises(DatasetError, match=f"a.parquet: column {column} is 'list"):
        list(read_clip(tmp_path / "a.parquet"))


def test_what_others_write_back_is_read(clip, tmp_path):
    """Large strings, lists without a fixed length, another order, a column more, one row group."""
    table = pq.read_table(clip)
    for name in ("identity", "source", "split", "clip"):
        table = table.set_column(
            table.schema.names.index(name), name, table[name].cast(pa.large_string())
        )
    box = pa.array(table["box_xyxy_px"].to_pylist(), pa.list_(pa.float64()))
    table = table.set_column(table.schema.names.index("box_xyxy_px"), "box_xyxy_px", box)
    table = table.append_column("more", pa.array(range(len(table)))).select(
        [*reversed(SCHEMA.names), "more"]
    )
    pq.write_table(
        table, tmp_path / "a.parquet", compression="gzip", version="1.0", data_page_version="2.0"
    )
    for one, other in zip(read_clip(clip), read_clip(tmp_path / "a.parquet"), strict=True):
        assert one.source == other.source and np.array_equal(one.image, other.image)
        assert one.box_xyxy_px == pytest.approx(other.box_xyxy_px)


def large_page(path: Path) -> None:
    """300 MB in one page that takes a few kilobytes on the disk."""
    rows = {"identity": ["a" * 300_000_000], "frame_index": [0]}
    pq.write_table(pa.table(rows), path, compression="zstd", write_statistics=False)


def large_dictionary(path: Path) -> None:
    """50,000 rows that all point at one value of 30 MB: 1.5 TB."""
    values = pa.DictionaryArray.from_arrays(pa.array([0] * 50_000), pa.array(["a" * 30_000_000]))
    table = pa.table({"identity": values, "frame_index": pa.array(range(50_000))})
    options = {"use_dictionary": ["identity"], "dictionary_pagesize_limit": 1 << 30}
    pq.write_table(table, path, compression="zstd", write_statistics=False, **options)


READ = """
import resource, sys
from pathlib import Path
import dancepipe.data.store as store
from dancepipe.errors import DatasetError
store.SCHEMA = store.SCHEMA.empty_table().select(["identity", "frame_index"]).schema
store._COLUMN_KINDS = {}
idle = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    list(store.read_columns(Path(sys.argv[1]), ["identity"]))
except DatasetError as error:
    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - idle) // 1024, error)
"""


@pytest.mark.parametrize("lie", [large_page, large_dictionary])
def test_what_would_take_gigabytes_is_refused_before_it_does(tmp_path, lie):
    lie(tmp_path / "a.parquet")
    assert (tmp_path / "a.parquet").stat().st_size < 500_000
    command = [sys.executable, "-c", READ, str(tmp_path / "a.parquet")]
    told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    assert "a.parquet is damaged" in told and int(told.split()[0]) < 900, told


def test_damaged_bytes_are_one_line(clip, tmp_path):
    whole, random = clip.read_bytes(), np.random.default_rng(0)
    path = tmp_path / "a.parquet"
    refused = 0
    for number in range(150):
        data = bytearray(whole)
        if number % 3 == 0:  # the end tells where everything is
            places = len(data) - 1 - random.integers(0, 3000, 2)
        else:
            places = random.integers(0, len(data), 4)
        for place in places:
            data[place] = random.integers(256)
        path.write_bytes(data)
        try:
            list(read_clip(path))
            list(read_columns(path, ["identity", "keypoints"]))
        except DatasetError as error:
            refused += 1
            assert "\n" not in str(error) and "a.parquet" in str(error)
    assert refused > 40


def test_statistics_that_fit_no_column_do_not_end_the_process(clip, tmp_path):
    """One more level in a histogram of the footer: pyarrow aborts when asked for that column."""
    whole = clip.read_bytes()
    length = int.from_bytes(whole[-8:-4], "little")
    footer = whole[-8 - length : -8]
    refused = 0
    for place in range(len(footer)):
        if footer[place] in (0x26, 0x36):  # a list of two or three whole numbers of 64 bits
            changed = bytearray(footer)
            changed[place] ^= 0x10
            path = tmp_path / "a.parquet"
            path.write_bytes(whole[: -8 - length] + changed + whole[-8:])
            try:
                list(read_columns(path, ["identity"]))
            except DatasetError:
                refused += 1
    assert refused > 10


def test_a_page_header_is_read_as_pyarrow_writes_it(clip):
    data = clip.read_bytes()
    metadata = pq.ParquetFile(clip).metadata
    for number in range(metadata.row_group(0).num_columns):
        chunk = metadata.row_group(0).column(number)
        at = chunk.dictionary_page_offset if chunk.has_dictionary_page else chunk.data_page_offset
        end, unpacked, values = at + chunk.total_compressed_size, 0, 0
        while at < end:
            page = read_page_header(data, at, end)
            at += page.header_bytes + page.stored_bytes
            unpacked += page.header_bytes + page.unpacked_bytes
            values += 0 if page.is_dictionary else page.values
        assert at == end
        assert unpacked == chunk.total_uncompressed_size and values == chunk.num_values
