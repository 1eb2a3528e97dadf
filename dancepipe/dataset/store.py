"""One Parquet file per clip, with the pictures inside: the schema, writing and reading.

    OUT/train/NAME.parquet, OUT/test/NAME.parquet

`datasets.load_dataset(OUT)` of Hugging Face reads them as they are: image and mask
as pictures, keypoints as an 18 x 3 array.
"""

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from dancepipe.errors import DatasetError, OutputError
from dancepipe.media.image import decode_picture, encode_jpeg, encode_png
from dancepipe.records import Pose
from dancepipe.whole_file import WholeFile, make_folder

SPLITS = ("train", "test")
ROWS_PER_GROUP = 16  # one random read decodes one group: small groups keep random access cheap

_BUILT_FROM = b"dancepipe_built_from"
_PICTURE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
_FEATURES = {
    "identity": {"dtype": "string", "_type": "Value"},
    "clip": {"dtype": "string", "_type": "Value"},
    "frame_index": {"dtype": "int64", "_type": "Value"},
    "time_seconds": {"dtype": "float64", "_type": "Value"},
    "split": {"dtype": "string", "_type": "Value"},
    "image": {"_type": "Image"},
    "mask": {"_type": "Image"},
    "keypoints": {"shape": [18, 3], "dtype": "float32", "_type": "Array2D"},
    "box_xyxy_px": {"feature": {"dtype": "float32", "_type": "Value"}, "length": 4, "_type": "Sequence"},
    "source": {"dtype": "string", "_type": "Value"},
}
SCHEMA = pa.schema(
    [
        ("identity", pa.string()),
        ("clip", pa.string()),
        ("frame_index", pa.int64()),
        ("time_seconds", pa.float64()),
        ("split", pa.string()),
        ("image", _PICTURE),  # JPEG (or PNG), uint8 RGB (S, S, 3), the person on neutral grey
        ("mask", _PICTURE),  # PNG, uint8 (S, S), 255 = person
        ("keypoints", pa.list_(pa.list_(pa.float32()))),  # 18 x (x_px, y_px, confidence) in the picture; OpenPose order
        ("box_xyxy_px", pa.list_(pa.float32(), 4)),  # the crop in the source frame
        ("source", pa.string()),  # URL or file name the frame comes from
    ],
    metadata={"huggingface": json.dumps({"info": {"features": _FEATURES}})},
)


@dataclass(frozen=True)
class DatasetRow:
    """One labelled picture of one person."""

    identity: str
    clip: str
    frame_index: int
    time_seconds: float
    split: str
    image: np.ndarray  # uint8 RGB (S, S, 3), the person on neutral grey
    mask: np.ndarray  # uint8 (S, S), 255 = person
    pose: Pose  # in the picture's pixels
    box_xyxy_px: tuple[float, float, float, float]
    source: str

    def __post_init__(self):
        if self.split not in SPLITS:
            raise ValueError(f"split must be one of {SPLITS}, got {self.split!r}")
        if self.image.shape[:2] != self.mask.shape:
            raise ValueError(f"image {self.image.shape} and mask {self.mask.shape} differ in size")


class ClipWriter:
    """Writes one clip's file; it appears under its name only when the with-block ends well.

    built_from: a text that is kept in the file, for built_from(): what the clip was made of.
    Raises OutputError when the folder cannot be written or the disk is full.
    """

    def __init__(self, path: Path, *, lossless: bool = False, built_from: str | None = None):
        self.path = Path(path)
        self.rows_written = 0
        self._lossless, self._built_from = lossless, built_from
        self._pending: list[dict] = []

    def __enter__(self):
        make_folder(self.path.parent)
        self._whole = WholeFile(self.path, overwrite=True)
        schema = SCHEMA
        if self._built_from is not None:
            schema = SCHEMA.with_metadata({**SCHEMA.metadata, _BUILT_FROM: self._built_from})
        try:
            self._file = pa.OSFile(str(self._whole.part), "wb")
            self._writer = pq.ParquetWriter(self._file, schema, compression="zstd")
        except OSError as error:
            self._whole.discard()
            raise self._failure(error) from error
        return self

    def add(self, row: DatasetRow) -> None:
        encode = encode_png if self._lossless else encode_jpeg
        self._pending.append(
            {
                "identity": row.identity,
                "clip": row.clip,
                "frame_index": row.frame_index,
                "time_seconds": row.time_seconds,
                "split": row.split,
                "image": {"bytes": encode(row.image), "path": None},
                "mask": {"bytes": encode_png(row.mask), "path": None},
                "keypoints": row.pose.as_array().tolist(),
                "box_xyxy_px": [float(value) for value in row.box_xyxy_px],
                "source": row.source,
            }
        )
        self.rows_written += 1
        if len(self._pending) == ROWS_PER_GROUP:
            self._flush()

    def _flush(self) -> None:
        try:
            self._writer.write_table(pa.Table.from_pylist(self._pending, schema=self._writer.schema))
        except OSError as error:
            raise self._failure(error) from error
        self._pending = []

    def __exit__(self, kind, error, trace):
        try:
            if kind is None:
                if self._pending:
                    self._flush()
                self._writer.close()
                self._file.close()
                self._whole.publish()
        except OSError as problem:
            raise self._failure(problem) from problem
        finally:
            self._writer.is_open = False  # else it would try to finish its file when collected
            with suppress(OSError):
                self._file.close()
            self._whole.discard()
        return False

    def _failure(self, error: OSError) -> OutputError:
        return OutputError(
            f"cannot write {self.path}: {error.strerror or error}; "
            "free some space, or choose a folder that you may write to, and run again"
        )


def built_from(path: Path) -> str | None:
    """What ClipWriter was told that the clip was made of; None: nothing, or no clip. DatasetError."""
    text = (open_clip(path).schema_arrow.metadata or {}).get(_BUILT_FROM)
    return None if text is None else text.decode("utf-8", "replace")


def clip_files(folder: Path, split: str | None = None) -> list[Path]:
    """The clip files of a data set, sorted; one split or both. Raises DatasetError when there are none."""
    folder = Path(folder)
    if not folder.is_dir():
        raise DatasetError(f"no data set at {folder}: give the folder that build-dataset wrote (it holds train/ and test/)")
    wanted = SPLITS if split is None else (split,)
    files = sorted(path for name in wanted for path in (folder / name).glob("*.parquet"))
    if not files:
        elsewhere = [name for name in SPLITS if name != split and any((folder / name).glob("*.parquet"))]
        if elsewhere:
            hint = "; build it with --test-share 0 to train on them" if split == "train" else ""
            raise DatasetError(f"no clips in {folder} for split {split}: all its people are in split {elsewhere[0]}{hint}")
        raise DatasetError(f"no clips in {folder} for split {split or 'train or test'}: run build-dataset, or choose another folder")
    return files


def open_clip(path: Path) -> pq.ParquetFile:
    """The opened file of a clip. Raises DatasetError when it is damaged or of another schema."""
    try:
        file = pq.ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        raise DatasetError(f"cannot read {path}: {error}; delete it and run build-dataset again") from error
    missing = [name for name in SCHEMA.names if name not in file.schema_arrow.names]
    if missing:
        raise DatasetError(f"{path} is not a dancepipe clip: it lacks the columns {', '.join(missing)}")
    return file


def row_from(values: dict) -> DatasetRow:
    """A DatasetRow from one row of a file as plain values; pictures are decoded here."""
    return DatasetRow(
        identity=values["identity"],
        clip=values["clip"],
        frame_index=values["frame_index"],
        time_seconds=values["time_seconds"],
        split=values["split"],
        image=decode_picture(values["image"]["bytes"]),
        mask=decode_picture(values["mask"]["bytes"]),
        pose=Pose.from_array(values["keypoints"]),
        box_xyxy_px=tuple(values["box_xyxy_px"]),
        source=values["source"],
    )


def read_group(file: pq.ParquetFile, path: Path, group: int, columns: list[str] | None = None) -> list[dict]:
    """The rows of one group as plain values. Raises DatasetError when its bytes are damaged."""
    try:
        return file.read_row_group(group, columns=columns).to_pylist()
    except (pa.ArrowException, OSError) as error:
        raise DatasetError(f"{path} is damaged ({' '.join(str(error).split())}); delete it and run build-dataset again") from error


def read_clip(path: Path) -> Iterator[DatasetRow]:
    """The rows of one clip in order, one row group in memory at a time."""
    file = open_clip(path)
    for group in range(file.num_row_groups):
        for values in read_group(file, path, group):
            yield row_from(values)
