"""What is done with a data set that is there: its index, its card, shards, a look at it, and other
programs that read it."""

from pathlib import Path

import numpy as np
import pytest

from dancepipe.data.card import write_card
from dancepipe.data.compact import compact
from dancepipe.data.index import read_index, write_index
from dancepipe.data.inspect import inspect_dataset
from dancepipe.data.pairs import PairSource
from dancepipe.data.remote import local_data
from dancepipe.data.store import ClipWriter, DatasetRow, clip_files, read_clip, rewrite_clip
from dancepipe.errors import ConfigError, DatasetError
from dancepipe.records import BodyPose, Pose

SIDE = 32


def write_clip(path: Path, identity: str, split: str, rows: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    with ClipWriter(path, built_from="note") as out:
        for index in range(rows):
            points = rng.uniform(4, SIDE - 4, (18, 2)).astype(np.float32)
            out.add(
                DatasetRow(
                    identity, path.stem, index, index / 10, split,
                    rng.integers(0, 255, (SIDE, SIDE, 3), np.uint8),
                    rng.integers(0, 255, (SIDE, SIDE), np.uint8),
                    BodyPose(Pose(points, np.ones(18, np.float32))),
                    (0.0, 0.0, float(SIDE), float(SIDE)), "a.mp4",
                )
            )  # fmt: skip
        out.facts = "{}"


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "data"
    for number, (identity, split, rows) in enumerate(
        [("ann", "train", 20), ("bob", "train", 9), ("ann", "train", 5), ("eve", "test", 18)]
    ):
        write_clip(folder / split / f"clip-{number}.parquet", identity, split, rows, number)
    return folder


def test_with_an_index_training_sees_the_same_pairs(data):
    before = PairSource(data, "train", (SIDE, SIDE), 3)
    assert write_index(data) == 52
    assert read_index(data, clip_files(data, "train")) is not None
    after = PairSource(data, "train", (SIDE, SIDE), 3)
    assert before.facts == after.facts
    for number in range(5):
        one, two = before[number], after[number]
        assert all(np.array_equal(one[name], two[name]) for name in one)


def test_an_index_of_other_files_is_passed_over(data):
    write_index(data)
    write_clip(data / "train" / "clip-9.parquet", "zoe", "train", 4, 9)
    assert read_index(data, clip_files(data, "train")) is None
    assert PairSource(data, "train", (SIDE, SIDE), 3).identities == 3
    (data / "index.parquet").write_bytes(b"no parquet")
    assert PairSource(data, "train", (SIDE, SIDE), 3).identities == 3


def test_a_renamed_person_is_all_that_changes_and_renaming_back_gives_the_same_bytes(data):
    path = data / "train" / "clip-0.parquet"
    before = path.read_bytes()
    rewrite_clip(path, data / "test" / path.name, "test", {"ann": "may"})
    rows = list(read_clip(data / "test" / path.name))
    assert {(row.identity, row.split) for row in rows} == {("may", "test")}
    rewrite_clip(data / "test" / path.name, path, "train", {"may": "ann"})
    assert path.read_bytes() == before


def test_shards_hold_all_rows_in_order(data, tmp_path):
    before = [
        (row.identity, row.frame_index, row.image.tobytes())
        for split in ("train", "test") for path in clip_files(data, split)
        for row in read_clip(path)
    ]  # fmt: skip
    summary = compact(data, tmp_path / "few", rows_per_shard=15)
    assert (summary.files_read, summary.shards, summary.rows) == (4, 5, 52)
    files = [path for split in ("train", "test") for path in clip_files(tmp_path / "few", split)]
    rows = [list(read_clip(path)) for path in files]
    assert [len(one) for one in rows] == [15, 15, 4, 15, 3]
    assert before == [
        (row.identity, row.frame_index, row.image.tobytes()) for one in rows for row in one
    ]
    assert PairSource(tmp_path / "few", "train", (SIDE, SIDE), 3).identities == 2
    with pytest.raises(ConfigError, match="few is there already; name a new folder"):
        compact(data, tmp_path / "few", rows_per_shard=15)
    with pytest.raises(ConfigError, match="rows-per-shard 0"):
        compact(data, tmp_path / "none", rows_per_shard=0)


def test_a_look_finds_what_is_broken_and_who_is_in_both_splits(data, tmp_path):
    facts = inspect_dataset(data, sheet=tmp_path / "sheet.jpg")
    assert (facts.pictures, facts.people) == ({"train": 34, "test": 18}, {"train": 2, "test": 1})
    assert not facts.broken and (tmp_path / "sheet.jpg").stat().st_size > 1000
    write_clip(data / "test" / "clip-8.parquet", "bob", "test", 3, 8)
    write_clip(data / "test" / "clip-9.parquet", "tom", "train", 2, 9)
    damaged = data / "train" / "clip-1.parquet"
    damaged.write_bytes(damaged.read_bytes()[:-30])
    facts = inspect_dataset(data)
    assert facts.in_both_splits == [] and len(facts.broken) == 3  # bob's other clip is damaged
    write_clip(damaged, "bob", "train", 9, 1)
    assert inspect_dataset(data).in_both_splits == ["bob"]


def test_a_card_of_somebody_is_left_alone(data):
    write_card(data)
    assert "| train | 34 | 2 |" in (data / "README.md").read_text()
    (data / "README.md").write_text("mine")
    write_card(data)
    assert (data / "README.md").read_text() == "mine"


def test_others_read_it(data, tmp_path):
    datasets = pytest.importorskip("datasets")
    write_index(data)
    write_card(data)
    found = datasets.load_dataset(str(data), cache_dir=str(tmp_path / "cache"))
    assert {split: len(rows) for split, rows in found.items()} == {"train": 34, "test": 18}
    assert found["test"][0]["image"].size == (SIDE, SIDE)


@pytest.mark.parametrize("reader", ["polars", "duckdb"])
def test_queries_touch_no_pictures(data, reader):
    library = pytest.importorskip(reader)
    write_index(data)
    if reader == "polars":
        frame = library.scan_parquet(data / "train" / "*.parquet")
        counts = dict(frame.group_by("identity").len().collect().iter_rows())
        rows = library.scan_parquet(data / "index.parquet").select("row").collect().height
    else:
        query = f"select identity, count(*) from '{data}/train/*.parquet' group by identity"
        counts = dict(library.sql(query).fetchall())
        rows = library.sql(f"select count(*) from '{data}/index.parquet'").fetchall()[0][0]
    assert counts == {"ann": 25, "bob": 9} and rows == 52


def test_a_data_set_in_a_bucket_is_copied_once(data, tmp_path, monkeypatch):
    fsspec = pytest.importorskip("fsspec")
    monkeypatch.setenv("DANCEPIPE_CACHE", str(tmp_path / "cache"))
    bucket = fsspec.filesystem("memory")
    write_index(data)
    for path in data.rglob("*.*"):
        bucket.pipe(f"/bucket/d/{path.relative_to(data).as_posix()}", path.read_bytes())
    folder = local_data("memory://bucket/d")
    assert PairSource(folder, "train", (SIDE, SIDE), 3).identities == 2
    times = {path: path.stat().st_mtime_ns for path in folder.rglob("*.parquet")}
    bucket.rm("/bucket/d/train/clip-1.parquet")
    assert local_data("memory://bucket/d/") == folder
    left = {path: path.stat().st_mtime_ns for path in folder.rglob("*.parquet")}
    assert times.items() > left.items() and len(left) == len(times) - 1
    with pytest.raises(DatasetError, match="no data set at memory://bucket/none"):
        local_data("memory://bucket/none")
    with pytest.raises(DatasetError, match="cannot read what://x"):
        local_data("what://x")
    assert local_data(data) == data
