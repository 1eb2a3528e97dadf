"""The motion of one driver as a file of its own (npz): found once, worn by any number of photos."""

import json
import math
from dataclasses import asdict, dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import numpy as np

from dancepipe.errors import MotionError
from dancepipe.files.npz_file import read_npz
from dancepipe.media.stretch import Stretch
from dancepipe.records import PersonFrame
from dancepipe.rendering.motion import Survey
from dancepipe.rendering.motion_pieces import (
    DriverEnd,
    MotionPieces,
    fractions_of,
    survey_arrays,
    survey_of,
    texts_of,
    write_arrays,
)
from dancepipe.rendering.people_arrays import people_arrays, people_of
from dancepipe.rendering.plan import file_digest

SUFFIX = ".motion"
_FORMAT = "dancepipe motion 1"
_SURVEY = "survey_"
_MOST_SIDES = 100  # no joint lies that many frames beside the frame


@dataclass(frozen=True)
class MotionHead:
    """What a motion says of itself."""

    driver_sha256: str
    driver_name: str
    size_wh: tuple[int, int]  # of the frames that it counts its pixels in
    person: str  # who was followed, as AnimateOptions.person
    pose: str  # the backend
    frames_read: int
    corrupt_frames: int
    shortfall_seconds: str
    start: float = 0.0  # what of the driver it is the motion of, as MotionOptions
    duration: float | None = None
    origin_seconds: str = "0"  # of the driver, where its own times begin


def write_motion(path: Path, head: MotionHead, pieces: MotionPieces, *, overwrite: bool) -> None:
    """Whole or absent. pieces: all of them, and the survey. OutputError."""
    survey = pieces.survey()
    assert survey is not None and pieces.end is not None
    frames = [pieces.frame(index) for index in range(pieces.frames)]
    words = json.dumps({"format": _FORMAT, **asdict(head)})
    arrays = {
        "head": np.array(words),
        "times": texts_of([seconds for seconds, _ in frames]),
        **people_arrays([person for _, person in frames]),
        **{_SURVEY + name: value for name, value in survey_arrays(survey).items()},
    }
    write_arrays(path, arrays, overwrite=overwrite)


class Motion:
    """One that is there, read and checked; as MotionPieces, with every piece there."""

    def __init__(self, path: Path, frames_each: int):
        """MotionError."""
        self.frames_each = frames_each
        try:
            arrays = read_npz(path)
            self.head = _head(arrays)
            self._times = fractions_of(arrays, "times")
            self._survey = survey_of(
                {
                    name.removeprefix(_SURVEY): value
                    for name, value in arrays.items()
                    if name.startswith(_SURVEY)
                }
            )
            self._arrays = {
                name: value
                for name, value in arrays.items()
                if name not in ("head", "times") and not name.startswith(_SURVEY)
            }
            self.frames = len(self._times)
            self.count = math.ceil(self.frames / frames_each)
            self._read = lru_cache(maxsize=2)(self._piece)
            self._check()
            shortfall = Fraction(self.head.shortfall_seconds)
        except OSError as error:
            raise MotionError(f"cannot read {path}: {error.strerror or error}") from error
        except (ValueError, ZeroDivisionError, TypeError) as error:
            raise MotionError(
                f"{path} is no whole motion of dancepipe ({error}); make it anew: "
                f"dancepipe motion DRIVER -o {path.name}"
            ) from error
        self.end = DriverEnd(self.head.frames_read, self.head.corrupt_frames, shortfall)

    @property
    def stretch(self) -> Stretch:
        """What of the driver it is the motion of."""
        return Stretch.of(self.head.start, self.head.duration)

    def take(self, stretch: Stretch, path: Path) -> None:
        """Only that stretch of the driver from now on. MotionError where it holds less."""
        if stretch == self.stretch:
            return
        origin = Fraction(self.head.origin_seconds)
        times = [origin + seconds for seconds in self._times]
        own, begin = stretch.indices(times), stretch.origin_seconds(times)
        if not own or not self.stretch.covers(stretch):
            raise MotionError(
                f"{path} is the motion of {self.stretch.text()} of {self.head.driver_name}, and "
                f"{stretch.text()} are asked for; make another motion, or name another stretch"
            )
        self._times = [times[index] - begin for index in own]
        self._arrays = {name: all[own.start : own.stop] for name, all in self._arrays.items()}
        self._read.cache_clear()
        self.frames = len(own)
        self.count = math.ceil(self.frames / self.frames_each)
        is_to_the_end = own.stop == len(times)
        # It does not say which of its frames were damaged.
        corrupt = self.head.corrupt_frames if len(own) == len(times) else 0
        short = self.end.shortfall_seconds if is_to_the_end else Fraction(0)
        self.end = DriverEnd(self.frames, corrupt, short)

    def check_driver(self, driver: Path, path: Path) -> None:
        """MotionError where the motion is of another video."""
        if file_digest(driver) != self.head.driver_sha256:
            raise MotionError(
                f"{path} is the motion of another video ({self.head.driver_name}), not of "
                f"{driver}; make one: dancepipe motion {driver} -o {driver.stem}{SUFFIX}"
            )

    def frame(self, index: int) -> tuple[Fraction, PersonFrame | None]:
        """Its time in seconds, and who is there."""
        people = self._read(index // self.frames_each)
        return self._times[index], people[index % self.frames_each]

    def survey(self) -> Survey:
        """The look over the whole driver."""
        return self._survey

    def _piece(self, number: int) -> list[PersonFrame | None]:
        rows = slice(number * self.frames_each, (number + 1) * self.frames_each)
        return people_of({name: value[rows] for name, value in self._arrays.items()})

    def _check(self) -> None:
        """ValueError for people who cannot be, and times that do not rise."""
        if not self.frames or any(len(value) != self.frames for value in self._arrays.values()):
            raise ValueError("its arrays are of different lengths")
        if any(after <= before for before, after in zip(self._times, self._times[1:])):
            raise ValueError("its times do not rise")
        most_px = _MOST_SIDES * max(self.head.size_wh)
        people = [one for number in range(self.count) for one in self._far(number, most_px)]
        if people or any(_reach_px(body) > most_px for body in self._survey.bodies):
            raise ValueError("a joint lies far beside the frame")

    def _far(self, number: int, most_px: float) -> list[PersonFrame]:
        return [one for one in self._read(number) if one and _reach_px(one.body) > most_px]


def _reach_px(body) -> float:
    """The farthest of what is known."""
    poses = [body.joints, body.landmarks, *(body.hands or ())]
    return (
        max(
            float(np.abs(pose.points_px[pose.present]).max())
            for pose in poses
            if pose is not None and pose.present.any()
        )
        if any(pose is not None and pose.present.any() for pose in poses)
        else 0.0
    )


def _head(arrays: dict[str, np.ndarray]) -> MotionHead:
    """ValueError, TypeError."""
    if "head" not in arrays or arrays["head"].dtype.kind != "U" or arrays["head"].shape:
        raise ValueError("it has no head")
    words = json.loads(str(arrays["head"]))
    if not isinstance(words, dict) or words.pop("format", None) != _FORMAT:
        raise ValueError(f"it is not of the format '{_FORMAT}'")
    head = MotionHead(**words)
    texts = head.driver_sha256, head.driver_name, head.person, head.pose, head.shortfall_seconds
    numbers = head.start, head.duration or 0.0
    if not all(type(one) in (int, float) and 0 <= one < 1e9 for one in numbers):
        raise ValueError("its head is damaged")
    Fraction(head.origin_seconds)
    wide, tall = head.size_wh
    if not all(isinstance(text, str) for text in texts) or not all(
        type(count) is int and count >= 0
        for count in (wide - 1, tall - 1, head.frames_read, head.corrupt_frames)
    ):
        raise ValueError("its head is damaged")
    return MotionHead(**{**words, "size_wh": (wide, tall)})
