"""The test pairs of a data set, written down once and for all: who compares methods needs the same
ones.

The pairs of a person depend on that person's name and pictures alone: more people add lines, and
change none.
"""

import csv
import hashlib
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dancepipe.building.hard_poses import hard_kinds
from dancepipe.building.poses import distances_to, pose_vectors
from dancepipe.data.store import SPLITS, body_of, frame_index_of, read_columns, text_of
from dancepipe.files.whole_file import write_text
from dancepipe.records import BodyPose

PAIRS_FILE, HARD_FILE = "pairs-test.csv", "pairs-test-hard.csv"
PAIR_COLUMNS = ("reference_clip", "reference_frame", "target_clip", "target_frame")
LEAST_CHANGE = 0.15  # torso lengths a joint, from pose to pose
_LEAST_HARD = 2  # kinds that the target shows


@dataclass(frozen=True)
class _Picture:
    clip: str
    frame: int
    body: BodyPose


def write_pairs(out: Path, per_person: int) -> tuple[int, int]:
    """PAIRS_FILE and HARD_FILE of the test split -> how many pairs are in them. Without people in
    the test split there are no files. DatasetError, OutputError.

    Hard are those whose target shows two or more of hard_poses.KINDS, or a leg raised or the body
    turned as the reference does not; a column names them. The paper chose its list of 101 by eye.
    """
    people: dict[str, list[_Picture]] = {}
    columns = ["identity", "clip", "frame_index", "keypoints", "landmarks"]
    for path in sorted((Path(out) / SPLITS[1]).glob("*.parquet")):
        for row, values in enumerate(read_columns(path, columns)):
            picture = _Picture(
                text_of(values, "clip", path, row),
                frame_index_of(values, path, row),
                body_of(values, path, row),
            )
            people.setdefault(text_of(values, "identity", path, row), []).append(picture)
    lines, hard = [], []
    for identity, pictures in sorted(people.items()):
        pictures.sort(key=lambda one: (one.clip, one.frame))
        kinds = [hard_kinds(one.body) for one in pictures]
        for first, second in _drawn(identity, pictures, per_person):
            one, other = pictures[first], pictures[second]
            line = (one.clip, one.frame, other.clip, other.frame)
            lines.append(line)
            new = (kinds[second] - kinds[first]) & {"raised leg", "turned"}
            if new or len(kinds[second]) >= _LEAST_HARD:
                hard.append((*line, " + ".join(sorted(kinds[second]))))
    if lines:
        _write(Path(out) / PAIRS_FILE, PAIR_COLUMNS, lines)
        _write(Path(out) / HARD_FILE, (*PAIR_COLUMNS, "hard"), hard)
    return len(lines), len(hard)


def _drawn(identity: str, pictures: list[_Picture], count: int) -> list[tuple[int, int]]:
    """Ordered pairs of pictures whose poses differ, drawn by the person's name."""
    seed = int.from_bytes(hashlib.sha256(identity.encode()).digest()[:8], "big")
    random = np.random.default_rng(seed)
    # Each pose in lengths of its own torso: clips are filmed from anywhere.
    vectors = np.stack([pose_vectors([one.body.joints])[0] for one in pictures])
    pairs = []
    for number in random.permutation(len(pictures) ** 2):
        first, second = divmod(int(number), len(pictures))
        if first == second:
            continue
        if distances_to(vectors[first][None], vectors[second])[0] >= LEAST_CHANGE:
            pairs.append((first, second))
            if len(pairs) == count:
                break
    return pairs


def _write(path: Path, columns: tuple[str, ...], rows: list[tuple]) -> None:
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(columns)
    lines.writerows(rows)
    if not path.exists() or path.read_text(encoding="utf-8") != text.getvalue():
        write_text(path, text.getvalue())
