"""What a clip's file says of how it was made, beside its rows: who is in it, what was kept of what
was seen, and hashes by which the same pictures are known again. The report, the list of sources and
the decisions over the whole data set are made of these alone."""

import base64
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from dancepipe.data.store import facts_of
from dancepipe.errors import DatasetError
from dancepipe.person.clothes import Clothes


@dataclass(frozen=True)
class DancerFacts:
    """One person of a clip."""

    identity: str  # by the clip alone; the rows may have the name of somebody who looks the same
    clip: str  # of the rows
    rows: int
    is_named: bool  # by the user
    motion: float  # torsos
    clothes: str | None = None  # base64 of float16, as Clothes.shares
    scene_hashes: list[int] = field(default_factory=list)  # of each row
    poses: list[str] = field(default_factory=list)  # of each row, packed_pose

    def worn(self) -> Clothes | None:
        if self.clothes is None:
            return None
        shares = np.frombuffer(base64.b64decode(self.clothes), np.float16).reshape(2, -1)
        return Clothes(shares.astype(np.float32))


def packed(clothes: Clothes | None) -> str | None:
    """For DancerFacts.clothes."""
    if clothes is None:
        return None
    return base64.b64encode(clothes.shares.astype(np.float16).tobytes()).decode()


_POSE_STEPS = 32  # of a torso
_UNSEEN = -128


def packed_pose(vector: np.ndarray) -> str:
    """For DancerFacts.poses: (13, 2) of poses.pose_vectors, in steps of 1/32 torso."""
    steps = np.where(np.isfinite(vector), np.rint(vector * _POSE_STEPS).clip(-127, 127), _UNSEEN)
    return base64.b64encode(steps.astype(np.int8).tobytes()).decode()


def unpacked_poses(poses: list[str]) -> np.ndarray:
    """float32 (N, 13, 2), nan where a joint is not seen."""
    data = b"".join(map(base64.b64decode, poses))
    steps = np.frombuffer(data, np.int8).reshape(len(poses), -1, 2).astype(np.float32)
    return np.where(steps == _UNSEEN, np.float32(np.nan), steps / _POSE_STEPS)


@dataclass(frozen=True)
class ClipFacts:
    """One source."""

    source: str
    key: str  # of the source
    identity: str  # decides the split where nobody else looks the same
    kind: str = "video"  # or photos
    dancers: list[DancerFacts] = field(default_factory=list)
    frames_looked_at: int = 0
    frames_without_person: int = 0
    bodies: int = 0  # people in frames
    dropped: Mapping[str, int] = field(default_factory=dict)  # bodies, by cleaning.REASONS
    cut_frames: list[int] = field(default_factory=list)
    camera: list[float] = field(default_factory=list)  # of each shot, picture widths a second

    def text(self) -> str:
        return json.dumps(asdict(self), separators=(",", ":"), sort_keys=True)


def read_facts(path: Path) -> ClipFacts | None:
    """Of a clip; None where it has none. DatasetError for a damaged clip."""
    text = facts_of(path)
    if text is None:
        return None
    try:
        values = json.loads(text)
        dancers = [DancerFacts(**one) for one in values.pop("dancers")]
        return ClipFacts(dancers=dancers, **values)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise DatasetError(
            f"{path}: its note of how it was made is damaged; delete it and run build-dataset again"
        ) from error
