"""One Parquet file per clip, with the pictures inside: the schema, writing and reading.

    OUT/train/NAME.parquet, OUT/test/NAME.parquet

`datasets.load_dataset(OUT)` of Hugging Face reads them as they are: image and mask
as pictures, keypoints as an 18 x 3 array, landmarks and hands as lists of numbers, None where
there are none.
"""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from weakref import WeakKeyDictionary

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from dancepipe.data.parquet_footer import check_footer_levels
from dancepipe.data.parquet_pages import check_footer, check_group
from dancepipe.errors import BadImageError, DatasetError, OutputError
from dancepipe.files.plain_text import plain_words, shortened
from dancepipe.files.whole_file import WholeFile, make_folder
from dancepipe.media.image import decode_picture, encode_jpeg, encode_png
from dancepipe.records import BodyPose, Pose
from dancepipe.skeletons import BLAZEPOSE_33, HAND_21

SPLITS = ("train", "test")
ROWS_PER_GROUP = 16  # one random read decodes one group: small groups keep random access cheap

_BUILT_FROM = b"dancepipe_built_from"
_FACTS = b"dancepipe_facts"
_POINTS = pa.list_(pa.list_(pa.float32()))
_PICTURE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
# Plain lists: a row without them is None in datasets, too.
_NUMBERS_FEATURE = {"feature": {"dtype": "float32", "_type": "Value"}, "_type": "Sequence"}
_POINTS_FEATURE = {"feature": _NUMBERS_FEATURE, "_type": "Sequence"}
_FEATURES = {
    "identity": {"dtype": "string", "_type": "Value"},
    "clip": {"dtype": "string", "_type": "Value"},
    "frame_index": {"dtype": "int64", "_type": "Value"},
    "time_seconds": {"dtype": "float64", "_type": "Value"},
    "split": {"dtype": "string", "_type": "Value"},
    "image": {"_type": "Image"},
    "mask": {"_type": "Image"},
    "keypoints": {"shape": [18, 3], "dtype": "float32", "_type": "Array2D"},
    "box_xyxy_px": {
        "feature": {"dtype": "float32", "_type": "Value"},
        "length": 4,
        "_type": "Sequence",
    },
    "source": {"dtype": "string", "_type": "Value"},
    "landmarks": _POINTS_FEATURE,
    "hands": {"feature": _POINTS_FEATURE, "_type": "Sequence"},
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
        (
            "keypoints",
            _POINTS,
        ),  # 18 x (x_px, y_px, confidence) in the picture; OpenPose order
        ("box_xyxy_px", pa.list_(pa.float32(), 4)),  # the crop in the source frame
        ("source", pa.string()),  # URL or file name the frame comes from
        # 33 x (x_px, y_px, depth_px, visibility) of BLAZEPOSE_33; null of backends without depth
        ("landmarks", _POINTS),
        # right and left, 21 x (x_px, y_px, depth_px, presence) of HAND_21; all zeros: that hand is
        # not seen; null when none were asked for
        ("hands", pa.list_(_POINTS)),
    ],
    metadata={"huggingface": json.dumps({"info": {"features": _FEATURES}})},
)

_MAY_BE_ABSENT = ("landmarks", "hands")  # the columns that a clip can do without
_HANDS_SHAPE = (2, len(HAND_21), 4)


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
    body: BodyPose  # in the picture's pixels
    box_xyxy_px: tuple[float, float, float, float]
    source: str

    @property
    def pose(self) -> Pose:
        """The 18 joints."""
        return self.body.joints

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
        self.facts: str | None = None  # a text for facts_of(), set before the with-block ends
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
                "landmarks": row.body.landmarks and row.body.landmarks.with_depth().tolist(),
                "hands": row.body.hands and hands_array(row.body.hands).tolist(),
            }
        )
        self.rows_written += 1
        if len(self._pending) == ROWS_PER_GROUP:
            self._flush()

    def _flush(self) -> None:
        try:
            self._writer.write_table(
                pa.Table.from_pylist(self._pending, schema=self._writer.schema)
            )
        except OSError as error:
            raise self._failure(error) from error
        self._pending = []

    def __exit__(self, kind, error, trace):
        try:
            if kind is None:
                if self._pending:
                    self._flush()
                if self.facts is not None:
                    self._writer.add_key_value_metadata({_FACTS.decode(): self.facts})
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


def rewrite_clip(path: Path, target: Path, split: str, identities: Mapping[str, str]) -> None:
    """The same clip at `target`, its rows in that split and with other identities (old -> new; who
    is not in it stays). What was said of it stays too. DatasetError, OutputError."""
    file = open_clip(path)
    schema = file.schema_arrow
    if schema.names == SCHEMA.names:  # names inside of lists are lost on the way: the same bytes
        schema = SCHEMA.with_metadata(schema.metadata)
    make_folder(target.parent)
    with WholeFile(target, overwrite=True) as whole:
        try:
            with pq.ParquetWriter(whole.part, schema, compression="zstd") as writer:
                for group in range(file.num_row_groups):
                    rows = file.read_row_group(group)
                    names = [identities.get(one, one) for one in rows["identity"].to_pylist()]
                    for column, values in (("identity", names), ("split", [split] * len(names))):
                        place = rows.schema.get_field_index(column)
                        kind = rows.schema.field(column)
                        rows = rows.set_column(place, kind, pa.array(values, kind.type))
                    writer.write_table(rows.cast(schema))
                facts = (file.metadata.metadata or {}).get(_FACTS)
                if facts is not None:
                    writer.add_key_value_metadata({_FACTS: facts})
        except pa.ArrowException as error:
            raise DatasetError(
                f"{path} is damaged ({plain_words(error)}); delete it and run build-dataset again"
            ) from error
        except OSError as error:
            raise OutputError(
                f"cannot write {target}: {error.strerror or error}; free some space, and run again"
            ) from error


def built_from(path: Path) -> str | None:
    """What ClipWriter was told that the clip was made of; None: nothing, or no clip.
    DatasetError."""
    text = (open_clip(path).schema_arrow.metadata or {}).get(_BUILT_FROM)
    return None if text is None else text.decode("utf-8", "replace")


def facts_of(path: Path) -> str | None:
    """What ClipWriter.facts was for that clip; None: nothing, or no clip. DatasetError."""
    text = (open_clip(path).metadata.metadata or {}).get(_FACTS)
    return None if text is None else text.decode("utf-8", "replace")


def clip_files(folder: Path, split: str | None = None) -> list[Path]:
    """The clip files of a data set, sorted; one split or both. Raises DatasetError when there
    are none."""
    folder = Path(folder)
    if not os.path.isdir(folder):
        raise DatasetError(
            f"no data set at {folder}: give the folder that build-dataset wrote (it holds train/ "
            "and test/)"
        )
    wanted = SPLITS if split is None else (split,)
    files = sorted(path for name in wanted for path in (folder / name).glob("*.parquet"))
    if not files:
        elsewhere = [
            name for name in SPLITS if name != split and any((folder / name).glob("*.parquet"))
        ]
        if elsewhere:
            hint = "; build it with --test-share 0 to train on them" if split == "train" else ""
            raise DatasetError(
                f"no clips in {folder} for split {split}: all its people are in split "
                f"{elsewhere[0]}{hint}"
            )
        raise DatasetError(
            f"no clips in {folder} for split {split or 'train or test'}: run build-dataset, or "
            "choose another folder"
        )
    return files


def open_clip(path: Path) -> pq.ParquetFile:
    """The opened file of a clip. Raises DatasetError when it is damaged or of another schema."""
    try:
        if not os.path.isfile(path):
            raise DatasetError(f"cannot read {path}: it is no plain file")
        file = pq.ParquetFile(path)
        check_footer(file.metadata)
        schema = file.schema_arrow
        _check_levels(path, file)
    except _READING_FAILS as error:
        raise DatasetError(
            f"cannot read {path}: {plain_words(error)}; delete it and run build-dataset again"
        ) from error
    missing = [
        name for name in SCHEMA.names if name not in schema.names and name not in _MAY_BE_ABSENT
    ]
    if missing:
        raise DatasetError(
            f"{path} is not a dancepipe clip: it lacks the columns {', '.join(missing)}"
        )
    for name, fits in _COLUMN_KINDS.items():
        if schema.names.count(name) > 1:
            raise DatasetError(f"{path} has the column {name} twice")
        if name not in schema.names:
            continue
        if not fits(kind := schema.field(name).type):
            raise DatasetError(
                f"{path}: column {name} is {shortened(str(kind))}; need {SCHEMA.field(name).type}"
            )
    return file


def read_group(
    file: pq.ParquetFile, path: Path, group: int, columns: list[str] | None = None
) -> list[dict]:
    """The rows of one group as plain values. Raises DatasetError when its bytes are damaged, or
    lie about their sizes."""
    return _group_rows(file, path, group, columns, slice(None))


def _group_rows(
    file: pq.ParquetFile, path: Path, group: int, columns: list[str] | None, which: slice
) -> list[dict]:
    """Only what is wanted becomes Python's values, which takes longer than reading it."""
    try:
        _check_sizes(file, path, group, columns)
        rows = file.metadata.row_group(group).num_rows
        found = file.read_row_group(group, columns=columns)
        if len(found) != rows:
            raise ValueError(f"row group {group} has {len(found)} rows in place of {rows}")
        return found[which].to_pylist()
    except _READING_FAILS as error:
        raise DatasetError(
            f"{path} is damaged ({plain_words(error)}); delete it and run build-dataset again"
        ) from error


def row_from(values: dict, path: Path, row: int) -> DatasetRow:
    """A DatasetRow from row number `row` of the file as plain values; pictures are decoded here.

    Raises DatasetError that names file, row and column for anything that no clip of ours holds.
    """
    where = f"{path}, row {row}"
    texts = {
        name: text_of(values, name, path, row) for name in ("identity", "clip", "split", "source")
    }
    if texts["split"] not in SPLITS:
        raise DatasetError(
            f"{where}: split is {shortened(texts['split'])}; need one of {', '.join(SPLITS)}"
        )
    image, mask = (_picture(values, name, where) for name in ("image", "mask"))
    if image.ndim != 3 or mask.ndim != 2 or image.shape[:2] != mask.shape:
        raise DatasetError(
            f"{where}: image {image.shape} and mask {mask.shape} do not belong together"
        )
    return DatasetRow(
        **texts,
        frame_index=frame_index_of(values, path, row),
        time_seconds=_numbers(values, "time_seconds", (), where).item(),
        image=image,
        mask=mask,
        body=body_of(values, path, row),
        box_xyxy_px=tuple(_numbers(values, "box_xyxy_px", (4,), where).tolist()),
    )


def read_row(file: pq.ParquetFile, path: Path, row: int) -> DatasetRow:
    """One row of an opened clip by its number. DatasetError as read_group and row_from."""
    group, inside = 0, row
    while inside >= (rows := file.metadata.row_group(group).num_rows):
        inside, group = inside - rows, group + 1
    (values,) = _group_rows(file, path, group, None, slice(inside, inside + 1))
    return row_from(values, path, row)


def read_columns(path: Path, columns: list[str]) -> Iterator[dict]:
    """Some columns of every row of a clip, as plain values. DatasetError as read_group."""
    file = open_clip(path)
    for group in range(file.num_row_groups):
        yield from read_group(file, path, group, columns)


def has_any(file: pq.ParquetFile, path: Path, column: str) -> bool:
    """Whether any row of an opened clip may have that column: False where the file lacks it, or
    says that all of it is null. No row is read. DatasetError for a damaged file."""
    try:
        schema, footer = file.schema_arrow, file.metadata
        if column not in schema.names or pa.types.is_null(schema.field(column).type):
            return False
        paths = [file.schema.column(number).path for number in range(len(file.schema))]
        leaf = [one.split(".")[0] for one in paths].index(column)
        for group in range(footer.num_row_groups):
            chunk = footer.row_group(group).column(leaf)
            counts = chunk.statistics
            if counts is None or not counts.has_null_count:
                return True
            if counts.null_count < chunk.num_values:
                return True
        return False
    except _READING_FAILS as error:
        raise DatasetError(
            f"{path} is damaged ({plain_words(error)}); delete it and run build-dataset again"
        ) from error


def text_of(values: dict, name: str, path: Path, row: int) -> str:
    """A column's text. DatasetError names file, row and column."""
    if not isinstance(value := values.get(name), str):
        raise DatasetError(f"{path}, row {row}: {name} is {shortened(value)}; need a text")
    return value


def frame_index_of(values: dict, path: Path, row: int) -> int:
    """The frame's number in its clip. DatasetError names file, row and column."""
    value = values.get("frame_index")
    if type(value) is not int or value < 0:
        raise DatasetError(
            f"{path}, row {row}: frame_index is {shortened(value)}; need a whole number"
        )
    return value


def pose_of(values: dict, path: Path, row: int) -> Pose:
    """The joints of a row. DatasetError names file, row and column."""
    where = f"{path}, row {row}"
    try:
        return Pose.from_array(_numbers(values, "keypoints", (18, 3), where))
    except ValueError as error:
        raise DatasetError(f"{where}: keypoints: {error}") from error


def body_of(values: dict, path: Path, row: int) -> BodyPose:
    """The joints of a row, and the landmarks and hands that it has. DatasetError names file, row
    and column."""
    where = f"{path}, row {row}"
    landmarks, hands = values.get("landmarks"), values.get("hands")
    if landmarks is not None:
        numbers = _numbers(values, "landmarks", (len(BLAZEPOSE_33), 4), where)
        try:
            landmarks = Pose.from_array(numbers, BLAZEPOSE_33)
        except ValueError as error:
            raise DatasetError(f"{where}: landmarks: {error}") from error
    if hands is not None:
        numbers = _numbers(values, "hands", _HANDS_SHAPE, where)
        try:
            right, left = (Pose.from_array(one, HAND_21) if one.any() else None for one in numbers)
        except ValueError as error:
            raise DatasetError(f"{where}: hands: {error}") from error
        hands = right, left
    return BodyPose(pose_of(values, path, row), landmarks, hands)


def hands_array(hands: tuple[Pose | None, Pose | None]) -> np.ndarray:
    """float32 (2, 21, 4): right and left, x_px, y_px, depth_px, presence; zeros for a hand that is
    not seen."""
    unseen = np.zeros(_HANDS_SHAPE[1:], np.float32)
    return np.stack([unseen if hand is None else hand.with_depth() for hand in hands])


def read_clip(path: Path) -> Iterator[DatasetRow]:
    """The rows of one clip in order, one row group in memory at a time."""
    file, row = open_clip(path), 0
    for group in range(file.num_row_groups):
        for values in read_group(file, path, group):
            yield row_from(values, path, row)
            row += 1


# pyarrow raises all of these for damaged bytes, and Python for texts that are none.
_READING_FAILS = (
    pa.ArrowException,
    OSError,
    ValueError,
    KeyError,
    TypeError,
    OverflowError,
    MemoryError,
)
_checked: WeakKeyDictionary = WeakKeyDictionary()  # opened file -> {(group, columns)}


_sound: set[tuple] = set()  # (file, size, time) of footers that were walked through


def _check_levels(path: Path, file: pq.ParquetFile) -> None:
    """Once a file: training opens the same ones again and again."""
    stat = os.stat(path)
    key = os.path.abspath(path), stat.st_size, stat.st_mtime_ns
    if key not in _sound:
        check_footer_levels(path, file.schema)
        _sound.add(key)


def _check_sizes(file: pq.ParquetFile, path: Path, group: int, columns: list[str] | None) -> None:
    """One look a group, as training comes back to each many times."""
    known = _checked.setdefault(file, set())
    key = group, None if columns is None else tuple(columns)
    if key not in known:
        check_group(path, file.metadata, group, columns)
        known.add(key)


def _picture(values: dict, name: str, where: str) -> np.ndarray:
    value = values.get(name)
    data = value.get("bytes") if isinstance(value, dict) else None
    if not isinstance(data, bytes) or not data:
        raise DatasetError(f"{where}: {name} holds no picture")
    try:
        return decode_picture(data)
    except BadImageError as error:
        raise DatasetError(f"{where}: {name}: {error.reason}") from error


def _numbers(values: dict, name: str, shape: tuple[int, ...], where: str) -> np.ndarray:
    """float64 of that shape, all finite."""
    try:
        numbers = np.asarray(values.get(name), np.float64)
    except (TypeError, ValueError):
        numbers = np.full(1, np.nan)
    if numbers.shape != shape or not np.isfinite(numbers).all():
        needed = "a number" if not shape else f"{' x '.join(map(str, shape))} numbers"
        raise DatasetError(f"{where}: {name} is {shortened(values.get(name))}; need {needed}")
    return numbers


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def _is_list(kind: pa.DataType) -> bool:
    return (
        pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    )


def _is_points(kind: pa.DataType) -> bool:
    """Lists of lists of numbers."""
    return _is_list(kind) and _is_numbers(kind.value_type)


def _is_numbers(kind: pa.DataType) -> bool:
    return _is_list(kind) and pa.types.is_floating(kind.value_type)


def _is_picture(kind: pa.DataType) -> bool:
    if not pa.types.is_struct(kind) or kind.get_field_index("bytes") < 0:
        return False
    data = kind.field("bytes").type
    return pa.types.is_binary(data) or pa.types.is_large_binary(data)


# What datasets of Hugging Face writes back may differ from SCHEMA in these ways.
_COLUMN_KINDS = {
    "identity": _is_text,
    "clip": _is_text,
    "frame_index": pa.types.is_integer,
    "time_seconds": pa.types.is_floating,
    "split": _is_text,
    "image": _is_picture,
    "mask": _is_picture,
    "keypoints": _is_points,
    "box_xyxy_px": _is_numbers,
    "source": _is_text,
    "landmarks": lambda kind: pa.types.is_null(kind) or _is_points(kind),
    "hands": lambda kind: (
        pa.types.is_null(kind) or (_is_list(kind) and _is_points(kind.value_type))
    ),
}
