"""A clip's file is whole or absent, and gives back what was put in, to us and to Hugging Face
datasets."""

import io
import resource
import signal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from dancepipe.data.store import (
    ROWS_PER_GROUP,
    ClipWriter,
    DatasetRow,
    clip_files,
    has_any,
    open_clip,
    read_clip,
)
from dancepipe.errors import DatasetError, OutputError
from dancepipe.records import BodyPose, Pose
from dancepipe.skeletons import BLAZEPOSE_33, HAND_21


def drawn_points(rng, skeleton, size_px: int = 32) -> Pose:
    count = len(skeleton)
    depth = rng.normal(0, size_px, count)
    return Pose(rng.uniform(0, size_px, (count, 2)), rng.uniform(0.1, 1, count), skeleton, depth)


def drawn_row(
    index: int,
    identity: str = "ann",
    split: str = "train",
    size_px: int = 32,
    landmarks: bool = True,
    hands: bool = True,
) -> DatasetRow:
    """hands: every third picture lacks the left one."""
    rng = np.random.default_rng(index)
    mask = np.zeros((size_px, size_px), np.uint8)
    mask[4:-4, 8:-8] = 255
    image = np.full((size_px, size_px, 3), 128, np.uint8)
    image[mask > 0] = (40 + index * 5) % 200
    pose = Pose(rng.uniform(0, size_px, (18, 2)), (rng.random(18) > 0.2).astype(np.float32))
    points = drawn_points(rng, BLAZEPOSE_33, size_px) if landmarks else None
    both = drawn_points(rng, HAND_21, size_px), drawn_points(rng, HAND_21, size_px)
    if index % 3 == 0:
        both = both[0], None
    return DatasetRow(
        identity,
        "clip",
        index,
        index / 30,
        split,
        image,
        mask,
        BodyPose(pose, points, both if hands else None),
        (1.5, 2.0, 33.5, 34.0),
        "https://example.org/v",
    )


def write(path, count, **settings):
    rows = [drawn_row(index, **settings) for index in range(count)]
    with ClipWriter(path, lossless=True) as out:
        for row in rows:
            out.add(row)
    return rows


def test_rows_come_back_as_they_went_in(tmp_path):
    rows = write(tmp_path / "train" / "a.parquet", ROWS_PER_GROUP + 3)
    back = list(read_clip(tmp_path / "train" / "a.parquet"))
    assert len(back) == len(rows)
    for row, got in zip(rows, back):
        np.testing.assert_array_equal(row.image, got.image)
        np.testing.assert_array_equal(row.mask, got.mask)
        np.testing.assert_array_equal(row.pose.as_array(), got.pose.as_array())
        np.testing.assert_array_equal(
            row.body.landmarks.with_depth(), got.body.landmarks.with_depth()
        )
        for hand, other in zip(row.body.hands, got.body.hands, strict=True):
            assert (hand is None) == (other is None)
            if hand is not None:
                np.testing.assert_array_equal(hand.with_depth(), other.with_depth())
        assert (row.identity, row.frame_index, row.time_seconds, row.split, row.box_xyxy_px) == (
            got.identity, got.frame_index, got.time_seconds, got.split, got.box_xyxy_px,
        )  # fmt: skip


def test_a_clip_without_landmarks_or_hands_says_so(tmp_path):
    write(tmp_path / "a.parquet", 3, landmarks=False, hands=False)
    for row in read_clip(tmp_path / "a.parquet"):
        assert row.body.landmarks is None and row.body.hands is None


def test_files_that_lack_the_columns_are_read(tmp_path):
    rows = write(tmp_path / "a.parquet", 3)
    pq.write_table(
        pq.read_table(tmp_path / "a.parquet").drop(["landmarks", "hands"]), tmp_path / "b.parquet"
    )
    for row, got in zip(rows, read_clip(tmp_path / "b.parquet"), strict=True):
        np.testing.assert_array_equal(row.pose.as_array(), got.pose.as_array())
        assert got.body.landmarks is None and got.body.hands is None


@pytest.mark.parametrize("column", ["landmarks", "hands"])
def test_whether_a_clip_has_a_column_is_known_without_reading_a_row(tmp_path, column):
    """Also of files that others wrote; one that does not count what is null may have it."""

    def has(name: str) -> bool:
        return has_any(open_clip(tmp_path / name), tmp_path / name, column)

    without = {"landmarks": False, "hands": False}
    rows = [drawn_row(index, **without) for index in range(ROWS_PER_GROUP)]
    for name, last in (("bare", drawn_row(20, **without)), ("late", drawn_row(20))):
        with ClipWriter(tmp_path / name, lossless=True) as out:
            for row in [*rows, last]:
                out.add(row)
    assert not has("bare") and has("late")
    table = pq.read_table(tmp_path / "bare")
    pq.write_table(table.drop([column]), tmp_path / "lacks")
    pq.write_table(table, tmp_path / "uncounted", write_statistics=False)
    nothing = table.drop([column]).append_column(column, pa.nulls(len(table)))
    pq.write_table(nothing, tmp_path / "null")
    assert not has("lacks") and not has("null") and has("uncounted")


@pytest.mark.parametrize("column", ["landmarks", "hands"])
@pytest.mark.parametrize(("lie", "words"), [("few", "numbers"), ("sure", "confidences")])
def test_points_that_cannot_be_are_named(tmp_path, column, lie, words):
    write(tmp_path / "a.parquet", 2)
    table = pq.read_table(tmp_path / "a.parquet")
    values = table.column(column).to_pylist()
    points = values[1] if column == "landmarks" else values[1][0]
    if lie == "few":
        points.pop()
    else:
        points[4][3] = 1.5
    place = table.schema.get_field_index(column)
    field = table.schema.field(place)
    table = table.set_column(place, field, pa.array(values, field.type))
    pq.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(DatasetError, match=f"a.parquet, row 1: {column}.*{words}"):
        list(read_clip(tmp_path / "a.parquet"))


def test_jpeg_is_close_and_small(tmp_path):
    row = drawn_row(3, size_px=128)
    for name, lossless in (("jpeg", False), ("png", True)):
        with ClipWriter(tmp_path / f"{name}.parquet", lossless=lossless) as out:
            out.add(row)
    got = next(read_clip(tmp_path / "jpeg.parquet"))
    assert np.abs(got.image.astype(int) - row.image).mean() < 1.5
    stored = pq.read_table(tmp_path / "jpeg.parquet").column("image")[0]["bytes"].as_py()
    assert Image.open(io.BytesIO(stored)).format == "JPEG"


def test_hugging_face_datasets_reads_the_folder(tmp_path):
    datasets = pytest.importorskip("datasets", reason="needs the package datasets")
    rows = write(tmp_path / "data" / "train" / "a.parquet", 3) + write(
        tmp_path / "data" / "test" / "b.parquet",
        2,
        identity="bob",
        split="test",
        landmarks=False,
        hands=False,
    )
    loaded = datasets.load_dataset(
        "parquet", data_dir=str(tmp_path / "data"), cache_dir=str(tmp_path / "cache")
    )
    assert {name: len(part) for name, part in loaded.items()} == {"train": 3, "test": 2}
    first = loaded["train"][0]
    assert (
        first["image"].size == (32, 32)
        and first["image"].mode == "RGB"
        and first["mask"].mode == "L"
    )
    np.testing.assert_allclose(np.array(first["keypoints"]), rows[0].pose.as_array())
    np.testing.assert_allclose(
        np.array(first["landmarks"]), rows[0].body.landmarks.with_depth(), rtol=1e-6
    )
    assert np.shape(first["hands"]) == (2, 21, 4) and not np.any(first["hands"][1])
    assert loaded["test"][0]["landmarks"] is loaded["test"][0]["hands"] is None
    assert loaded["test"][1]["identity"] == "bob" and first["box_xyxy_px"] == [1.5, 2.0, 33.5, 34.0]


def test_an_interrupted_clip_leaves_nothing(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        with ClipWriter(tmp_path / "a.parquet") as out:
            out.add(drawn_row(0))
            raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_an_output_error_and_leaves_nothing(tmp_path):
    old_limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    old_handler = signal.signal(
        signal.SIGXFSZ, signal.SIG_IGN
    )  # the write then fails with an error, as on a full disk
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, old_limit[1]))
        with pytest.raises(OutputError, match="cannot write .*a.parquet: .*; free some space"):
            with ClipWriter(tmp_path / "a.parquet", lossless=True) as out:
                for index in range(3 * ROWS_PER_GROUP):
                    out.add(drawn_row(index, size_px=64))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old_limit)
        signal.signal(signal.SIGXFSZ, old_handler)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="choose a folder that you may write to"):
        with ClipWriter(tmp_path / "file" / "a.parquet"):
            pass


def test_listing_by_split_and_its_errors(tmp_path):
    write(tmp_path / "train" / "b.parquet", 1)
    write(tmp_path / "train" / "a.parquet", 1)
    assert [path.name for path in clip_files(tmp_path, "train")] == ["a.parquet", "b.parquet"]
    with pytest.raises(DatasetError, match="no clips in .* for split test"):
        clip_files(tmp_path, "test")
    with pytest.raises(DatasetError, match="no data set at"):
        clip_files(tmp_path / "nope")


def test_damaged_and_foreign_files_are_named(tmp_path):
    write(tmp_path / "a.parquet", 2)
    whole = (tmp_path / "a.parquet").read_bytes()
    (tmp_path / "cut.parquet").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DatasetError, match="cannot read .*cut.parquet.*run build-dataset again"):
        open_clip(tmp_path / "cut.parquet")
    pq.write_table(
        pq.read_table(tmp_path / "a.parquet").drop(["keypoints"]), tmp_path / "other.parquet"
    )
    with pytest.raises(DatasetError, match="lacks the columns keypoints"):
        open_clip(tmp_path / "other.parquet")


def test_a_damaged_page_is_named(tmp_path):
    write(tmp_path / "a.parquet", 20, size_px=64)
    data = bytearray((tmp_path / "a.parquet").read_bytes())
    data[400:1400] = bytes(1000)
    (tmp_path / "a.parquet").write_bytes(data)
    with pytest.raises(
        DatasetError, match="a.parquet is damaged .*; delete it and run build-dataset again"
    ):
        list(read_clip(tmp_path / "a.parquet"))


def test_an_unfinished_file_beside_the_clips_does_not_disturb_readers(tmp_path):
    datasets = pytest.importorskip("datasets", reason="needs the package datasets")
    write(tmp_path / "data" / "train" / "a.parquet", 3)
    writer = ClipWriter(tmp_path / "data" / "train" / "b.parquet")
    writer.__enter__()  # and the process is killed here
    assert len(clip_files(tmp_path / "data")) == 1
    assert (
        len(
            datasets.load_dataset(
                "parquet", data_dir=str(tmp_path / "data"), cache_dir=str(tmp_path / "cache")
            )["train"]
        )
        == 3
    )
    writer.__exit__(KeyboardInterrupt, None, None)


def test_a_row_checks_itself():
    row = drawn_row(0)
    with pytest.raises(ValueError, match="split must be one of"):
        DatasetRow(**{**vars(row), "split": "validation"})
    with pytest.raises(ValueError, match="differ in size"):
        DatasetRow(**{**vars(row), "mask": np.zeros((8, 8), np.uint8)})
