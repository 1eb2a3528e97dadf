"""The test pairs of a data set: read from a CSV file, or drawn from the test split with a fixed
seed and a clear change of pose."""

import csv
import hashlib
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dancepipe.data.picture import LabelledPicture
from dancepipe.data.store import (
    clip_files,
    frame_index_of,
    open_clip,
    pose_of,
    read_columns,
    read_row,
    text_of,
)
from dancepipe.errors import DatasetError
from dancepipe.files.plain_text import plain_words, read_text, shortened
from dancepipe.pose.skeleton import torso_length_px
from dancepipe.records import Pose

COLUMNS = ("reference_clip", "reference_frame", "target_clip", "target_frame")
_MOST_FRAMES = 160  # of one person, among which pairs are drawn
_FEWEST_JOINTS = 8


@dataclass(frozen=True)
class FrameId:
    """One picture of a data set."""

    clip: str
    frame_index: int


@dataclass(frozen=True)
class PairId:
    """Two pictures of one person."""

    identity: str
    reference: FrameId
    target: FrameId

    @property
    def name(self) -> str:
        """For people: clip and frames."""
        clip = (
            self.reference.clip
            if self.reference.clip == self.target.clip
            else f"{self.reference.clip} > {self.target.clip}"
        )
        return f"{clip} {self.reference.frame_index} > {self.target.frame_index}"


class HeldOut:
    """The pictures of the test split by clip and frame. Poses and names are in memory, pictures
    are read when asked for."""

    def __init__(self, folder: Path):
        self.folder = Path(folder)
        self._files = {}
        self._place: dict[FrameId, tuple[Path, int]] = {}
        self.identity: dict[FrameId, str] = {}
        self.poses: dict[FrameId, Pose] = {}
        for path in clip_files(folder, "test"):
            self._files[path] = open_clip(path)
            columns = ["identity", "clip", "frame_index", "keypoints"]
            for row, values in enumerate(read_columns(path, columns)):
                key = FrameId(text_of(values, "clip", path, row), frame_index_of(values, path, row))
                self._place[key], self.poses[key] = (path, row), pose_of(values, path, row)
                self.identity[key] = text_of(values, "identity", path, row)

    def stored_size_hw(self) -> tuple[int, int]:
        """Of the first picture."""
        return self.picture(next(iter(self._place)), None).mask.shape

    def picture(self, key: FrameId, size_hw: tuple[int, int] | None) -> LabelledPicture:
        """The picture at that size (None: as stored)."""
        path, row = self._place[key]
        entry = read_row(self._files[path], path, row)
        picture = LabelledPicture(entry.image, entry.mask, entry.body)
        return picture if size_hw is None else picture.resized(size_hw)

    def without_landmarks(self, keys: Iterable[FrameId]) -> list[FrameId]:
        """Those pictures of which no landmarks with depth are stored."""
        wanted: dict[Path, dict[int, FrameId]] = {}
        for key in keys:
            path, row = self._place[key]
            wanted.setdefault(path, {})[row] = key
        without = []
        for path, rows in wanted.items():
            if "landmarks" not in self._files[path].schema_arrow.names:
                without += rows.values()
                continue
            for row, values in enumerate(read_columns(path, ["landmarks"])):
                if row in rows and values["landmarks"] is None:
                    without.append(rows[row])
        return without


def pose_change(first: Pose, second: Pose) -> float:
    """Mean distance of the joints that both have, in torso lengths, the bodies laid on each
    other; nan when too few are seen."""
    both = first.present & second.present
    unit = torso_length_px(first)
    if both.sum() < _FEWEST_JOINTS or unit is None:
        return float("nan")
    moved = (first.points_px[both] - first.points_px[both].mean(0)) - (
        second.points_px[both] - second.points_px[both].mean(0)
    )
    return float(np.hypot(*moved.T).mean() / unit)


def drawn_pairs(
    split: HeldOut, per_person: int, min_change: float, seed: int
) -> tuple[list[PairId], list[str]]:
    """per_person pairs of every person of the split, and the people who have none with such a
    change of pose.

    The pairs of a person depend on the seed and on that person alone. DatasetError when nobody has
    a pair.
    """
    people: dict[str, list[FrameId]] = {}
    for key, identity in split.identity.items():
        people.setdefault(identity, []).append(key)
    pairs, without = [], []
    for identity, frames in sorted(people.items()):
        own_seed = int.from_bytes(hashlib.sha256(identity.encode()).digest()[:8], "big")
        random = np.random.default_rng([seed, own_seed])
        frames = sorted(frames, key=lambda key: (key.clip, key.frame_index))
        if len(frames) > _MOST_FRAMES:
            frames = [
                frames[i] for i in np.sort(random.choice(len(frames), _MOST_FRAMES, replace=False))
            ]
        own = []
        for number in random.permutation(len(frames) ** 2):
            first, second = frames[number // len(frames)], frames[number % len(frames)]
            if (
                first != second
                and pose_change(split.poses[first], split.poses[second]) >= min_change
            ):
                own.append(PairId(identity, first, second))
                if len(own) == per_person:
                    break
        pairs += own
        if not own:
            without.append(identity)
    if not pairs:
        raise DatasetError(
            f"{split.folder}: nobody in the test split has two pictures whose poses differ by "
            f"{min_change} torso lengths; "
            "lower --min-pose-change, or name pairs with --pairs"
        )
    return pairs, without


def read_pairs(path: Path, split: HeldOut) -> list[PairId]:
    """The pairs of a CSV file with the columns COLUMNS. DatasetError for a bad file, unknown
    pictures, or two people in a pair."""
    try:
        reader = csv.DictReader(io.StringIO(read_text(path), newline=""))
        missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
        if missing:
            raise DatasetError(
                f"{path} lacks the columns {', '.join(missing)}; need {', '.join(COLUMNS)}"
            )
        rows = list(reader)
    except (OSError, ValueError, csv.Error) as error:
        raise DatasetError(
            f"cannot read pairs {path}: {getattr(error, 'strerror', None) or plain_words(error)}"
        ) from error
    pairs = []
    for number, row in enumerate(rows, 2):
        try:
            reference, target = (
                FrameId(row[f"{role}_clip"], int(row[f"{role}_frame"]))
                for role in ("reference", "target")
            )
        except (TypeError, ValueError):
            raise DatasetError(
                f"{path}, line {number}: frames must be whole numbers, got {shortened(row)}"
            ) from None
        for key in (reference, target):
            if key not in split.identity:
                raise DatasetError(
                    f"{path}, line {number}: no picture of clip {shortened(key.clip)} frame "
                    f"{key.frame_index} in the test split of {split.folder}"
                )
        if split.identity[reference] != split.identity[target]:
            raise DatasetError(f"{path}, line {number}: the two pictures show different people")
        pairs.append(PairId(split.identity[reference], reference, target))
    if not pairs:
        raise DatasetError(f"{path} names no pairs; need one line for each")
    return pairs
