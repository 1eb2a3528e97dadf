"""The driver's motion on the disk, in pieces of as many frames as a part: who was found in each
frame, and what the finder carried on from there."""

import logging
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import numpy as np

from dancepipe.files.npz_file import read_npz
from dancepipe.files.whole_file import WholeFile
from dancepipe.pose.retarget import measure_proportions
from dancepipe.records import PersonFrame
from dancepipe.rendering.motion import Survey
from dancepipe.rendering.people_arrays import people_arrays, people_of

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class DriverEnd:
    """What is known of the driver once its last frame was read."""

    frames_read: int
    corrupt_frames: int
    shortfall_seconds: Fraction


@dataclass(frozen=True)
class MotionPiece:
    """The frames of one part. times: seconds. memory: of the finder behind the last of them, empty
    at the end of the driver, where `end` is known."""

    times: list[Fraction]
    people: list[PersonFrame | None]
    memory: dict[str, np.ndarray]
    end: DriverEnd | None


def write_piece(path: Path, piece: MotionPiece) -> None:
    """Whole or absent. OutputError."""
    arrays = people_arrays(piece.people)
    arrays["times"] = texts_of(piece.times)
    if piece.end is not None:
        counts = piece.end.frames_read, piece.end.corrupt_frames
        arrays["end"] = np.array(counts, np.int64)
        arrays["shortfall"] = texts_of([piece.end.shortfall_seconds])
    memory = {f"memory_{name}": value for name, value in piece.memory.items()}
    write_arrays(path, {**arrays, **memory})


def read_piece(path: Path) -> MotionPiece:
    """OSError, ValueError."""
    arrays = read_npz(path)
    people, times = people_of(arrays), fractions_of(arrays, "times")
    if len(people) != len(times):
        raise ValueError("its arrays are of different lengths")
    end = None
    if "end" in arrays:
        frames_read, corrupt_frames = (int(count) for count in arrays["end"])
        (shortfall,) = fractions_of(arrays, "shortfall")
        end = DriverEnd(frames_read, corrupt_frames, shortfall)
    memory = {
        name.removeprefix("memory_"): value
        for name, value in arrays.items()
        if name.startswith("memory_")
    }
    return MotionPiece(times, people, memory, end)


def survey_arrays(survey: Survey) -> dict[str, np.ndarray]:
    """The inverse of survey_of()."""
    people = [PersonFrame(body, None) for body in survey.bodies]
    counts = survey.people_seen, survey.frames_looked_at, survey.frames_with_person
    return {**people_arrays(people), "counts": np.array(counts, np.int64)}


def survey_of(arrays: dict[str, np.ndarray]) -> Survey:
    """ValueError for arrays that survey_arrays() did not make."""
    bodies = [person.body for person in people_of(arrays) if person is not None]
    counts = arrays.get("counts")
    if not bodies or counts is None or counts.shape != (3,):
        raise ValueError("it holds no survey of ours")
    seen, looked_at, with_person = (int(count) for count in counts)
    return Survey(
        bodies, measure_proportions([body.joints for body in bodies]), seen, looked_at, with_person
    )


def write_arrays(path: Path, arrays: dict[str, np.ndarray], *, overwrite: bool = True) -> None:
    """An npz file, whole or absent. OutputError."""
    with WholeFile(path, overwrite=overwrite) as file, open(file.part, "wb") as out:
        np.savez(out, **arrays)  # type: ignore[arg-type]


class MotionPieces:
    """Those of one run, in its folder: motion-00000.npz and so on, without a gap.

    count: how many there are. end: of the driver, once the last one is there.
    """

    def __init__(self, folder: Path, frames_each: int):
        self.frames_each = frames_each
        self._folder = folder
        self.count, self.end = 0, None
        self.look_again()
        self._read = lru_cache(maxsize=2)(self._piece)

    def look_again(self) -> None:
        """Another process may have kept some."""
        while self.end is None and (piece := self._whole(self.count)) is not None:
            self.count, self.end = self.count + 1, piece.end

    @property
    def frames(self) -> int:
        """In all pieces that are there."""
        if self.end is None:
            return self.count * self.frames_each
        return (self.count - 1) * self.frames_each + len(self._read(self.count - 1).people)

    def keep(self, number: int, piece: MotionPiece) -> None:
        """One more; one that is there is left. OutputError."""
        if number == self.count:
            write_piece(self._path(number), piece)
            self.count, self.end = number + 1, piece.end

    def frame(self, index: int) -> tuple[Fraction, PersonFrame | None]:
        """Its time in seconds, and who is there."""
        piece, row = self._read(index // self.frames_each), index % self.frames_each
        return piece.times[row], piece.people[row]

    def memory_before(self, number: int) -> dict[str, np.ndarray] | None:
        """Of the finder, before it looks at that piece's first frame; None: as new."""
        return self._read(number - 1).memory if number else None

    def survey(self) -> Survey | None:
        """None: it was not kept."""
        try:
            return survey_of(read_npz(self._folder / "survey.npz"))
        except (OSError, ValueError, zipfile.BadZipFile):
            return None

    def keep_survey(self, survey: Survey) -> None:
        """OutputError."""
        write_arrays(self._folder / "survey.npz", survey_arrays(survey))

    def _path(self, number: int) -> Path:
        return self._folder / f"motion-{number:05d}.npz"

    def _piece(self, number: int) -> MotionPiece:
        return read_piece(self._path(number))

    def _whole(self, number: int) -> MotionPiece | None:
        path = self._path(number)
        if not path.exists():
            return None
        try:
            piece = read_piece(path)
        except (OSError, ValueError) as error:
            log.warning(f"{path} is damaged ({error}); the driver is looked at anew from there on")
            return None
        is_whole = len(piece.people) == self.frames_each or piece.end is not None
        return piece if is_whole else None


def texts_of(values: Sequence[Fraction]) -> np.ndarray:
    """As texts, which hold any of them; back by fractions_of()."""
    return np.array([f"{value.numerator}/{value.denominator}" for value in values], "U")


def fractions_of(arrays: dict[str, np.ndarray], name: str) -> list[Fraction]:
    """ValueError."""
    if name not in arrays or arrays[name].dtype.kind != "U" or arrays[name].ndim != 1:
        raise ValueError(f"it holds no '{name}'")
    try:
        return [Fraction(str(text)) for text in arrays[name]]
    except (ValueError, ZeroDivisionError) as error:
        raise ValueError(f"'{name}' holds no times") from error
