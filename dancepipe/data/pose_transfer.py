"""The layout in which the pose-transfer papers publish DeepFashion and Market-1501: folders of
pictures, CSV files of joints and of pairs.

    FOLDER/train/NAME.jpg, FOLDER/test/NAME.jpg
    FOLDER/PREFIX-annotation-SPLIT.csv     name:keypoints_y:keypoints_x    a.jpg: [12, -1, ...]: [40, -1, ...]    18 joints, -1 = missing
    FOLDER/PREFIX-pairs-SPLIT.csv          from,to                         a.jpg,b.jpg    reference, target

The 18 joints are OpenPose's, in our order (their tables name the eyes and ears the other way round,
but nobody reads the names).
"""  # noqa: E501

import csv
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from dancepipe.data.picture import LabelledPicture
from dancepipe.errors import DatasetError
from dancepipe.files.plain_text import parse_json, read_text, shortened
from dancepipe.records import Pose

_HEADER = ["name", "keypoints_y", "keypoints_x"]
_JOINTS = 18
_MOST_BYTES = 128 << 20
_LARGEST_PX = 100_000


@dataclass(frozen=True)
class PoseTransferLayout:
    """What tells one of these data sets from the other."""

    name: str
    prefixes: tuple[str, ...]  # of the CSV files, the first one found is taken
    folders: dict[str, tuple[str, ...]]  # split -> names of the folder of pictures
    identity: Callable[[str], str | None]  # file name -> who it shows; None: nobody
    framed: Callable[
        [np.ndarray, np.ndarray, Pose, int], LabelledPicture
    ]  # picture, mask, joints as annotated, their width -> as we keep it


@dataclass(frozen=True)
class AnnotatedPicture:
    """One picture of the data set. The pose is in the pixels of the annotation."""

    name: str
    path: Path
    identity: str
    pose: Pose


def annotated_pictures(
    layout: PoseTransferLayout, folder: Path, split: str
) -> list[AnnotatedPicture] | None:
    """Those of a split that show somebody, by identity and name; only those that its pairs name,
    where it has pairs. None: no such split.

    DatasetError for a damaged file, or when pictures are missing.
    """
    path = _csv_file(layout, folder, "annotation", split)
    if path is None:
        return None
    wanted = {name for pair in read_name_pairs(layout, folder, split) or () for name in pair}
    pictures = next(
        (folder / name for name in layout.folders[split] if (folder / name).is_dir()), None
    )
    if pictures is None:
        raise DatasetError(
            f"{path} is there, but no folder {' or '.join(layout.folders[split])} of pictures "
            "beside it"
        )
    found, missing = [], []
    for number, line in enumerate(_lines(path)):
        fields = [field.strip() for field in line.split(":")]
        if number == 0 and fields == _HEADER:
            continue
        name, pose = _plain_name(fields[0], path, number), _pose(path, number, fields)
        identity = layout.identity(name)
        if identity is None or wanted and name not in wanted:
            continue
        (found if os.path.isfile(pictures / name) else missing).append(
            AnnotatedPicture(name, pictures / name, identity, pose)
        )
    if missing:
        raise DatasetError(
            f"{len(missing)} of {len(found) + len(missing)} pictures of {path} are not in "
            f"{pictures}, first {missing[0].name}; unpack all of them"
        )
    return sorted(found, key=lambda one: (one.identity, one.name))


def read_name_pairs(
    layout: PoseTransferLayout, folder: Path, split: str
) -> list[tuple[str, str]] | None:
    """(reference, target) names of a split in the order of its file; None without a file."""
    path = _csv_file(layout, folder, "pairs", split)
    if path is None:
        return None
    try:
        rows = list(csv.reader(_lines(path)))
    except csv.Error as error:
        raise DatasetError(f"{path} is no list of pairs ({error}); download it anew") from error
    if (
        not rows
        or [field.strip() for field in rows[0]] != ["from", "to"]
        or any(len(row) != 2 for row in rows)
    ):
        raise DatasetError(
            f"{path} is no list of pairs: need the header from,to and two names a line"
        )
    return [
        (
            _plain_name(reference.strip(), path, number),
            _plain_name(target.strip(), path, number),
        )
        for number, (reference, target) in enumerate(rows[1:], 1)
    ]


def annotated_width(pictures: list[AnnotatedPicture]) -> int:
    """The smallest width that all joints fit into."""
    return 1 + max(
        (
            int(np.ceil(one.pose.points_px[one.pose.present, 0].max()))
            for one in pictures
            if one.pose.present.any()
        ),
        default=0,
    )


def _csv_file(layout: PoseTransferLayout, folder: Path, kind: str, split: str) -> Path | None:
    return next(
        (
            path
            for prefix in layout.prefixes
            if (path := folder / f"{prefix}-{kind}-{split}.csv").is_file()
        ),
        None,
    )


def _lines(path: Path) -> list[str]:
    try:
        return [line for line in read_text(path, _MOST_BYTES).splitlines() if line.strip()]
    except (OSError, ValueError) as error:
        raise DatasetError(f"cannot read {path} ({error}); download it anew") from error


def _plain_name(name: str, path: Path, number: int) -> str:
    """The name of a picture in its folder; a path that leads out of it is none. DatasetError."""
    parts = PurePosixPath(name.replace("\\", "/")).parts
    if (
        not parts
        or name.startswith(("/", "\\"))
        or ".." in parts
        or ":" in parts[0]
        or not name.isprintable()
    ):
        raise DatasetError(f"{path}, line {number + 1}: {shortened(name)} is no name of a picture")
    return name


def _pose(path: Path, number: int, fields: list[str]) -> Pose:
    try:
        y, x = (_coordinates(field) for field in fields[1:])
    except ValueError as error:
        raise DatasetError(
            f"{path}, line {number + 1}: need name:[18 y]:[18 x] ({error}); download it anew"
        ) from error
    present = (x >= 0) & (y >= 0)
    return Pose(
        np.where(present[:, None], np.stack([x, y], -1), 0).astype(np.float32),
        present.astype(np.float32),
    )


def _coordinates(field: str) -> np.ndarray:
    """float32 (18,) of "[12, -1, ...]". ValueError."""
    numbers = parse_json(field)
    if (
        not isinstance(numbers, list)
        or len(numbers) != _JOINTS
        or not all(type(one) in (int, float) and abs(one) <= _LARGEST_PX for one in numbers)
    ):
        raise ValueError(f"need {_JOINTS} numbers, got {shortened(numbers)}")
    return np.array(numbers, np.float32)
