"""A stretch of a video: from when, and for how long."""

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from dancepipe.errors import BadVideoError, ConfigError

_SECONDS = re.compile(r"(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d*)?|\.\d+)s?", re.ASCII)


@dataclass(frozen=True)
class Span:
    """Of sound: on its file's own clock, as media/packets.py has it."""

    begin_seconds: Fraction | None = None  # None: from its first packet on, also before 0
    end_seconds: Fraction | None = None  # None: to its last


@dataclass(frozen=True)
class Stretch:
    """The frames that are shown at or after begin_seconds and before end_seconds.

    Times are those of the whole video's reader. What comes out of the stretch begins at 0 with its
    first frame; without a begin it keeps its times.
    """

    begin_seconds: Fraction = Fraction(0)
    end_seconds: Fraction | None = None  # None: to the video's end

    @staticmethod
    def of(start: float, duration: float | None) -> "Stretch":
        """Of the options of these names, seconds: 0.1 means a tenth. ConfigError."""
        if duration is not None and duration <= 0:
            raise ConfigError(f"duration must be more than 0 seconds, got {duration:g}")
        begin = Fraction(repr(float(start)))
        return Stretch(begin, None if duration is None else begin + Fraction(repr(float(duration))))

    @property
    def is_whole(self) -> bool:
        """Everything there is."""
        return self == WHOLE

    def indices(self, times: Sequence[Fraction]) -> range:
        """Which frames of a video it holds. times: seconds of all of them, rising."""
        first = bisect_left(times, self.begin_seconds) if self.begin_seconds else 0
        end = self.end_seconds
        return range(first, max(first, len(times) if end is None else bisect_left(times, end)))

    def origin_seconds(self, times: Sequence[Fraction]) -> Fraction:
        """What its own 0 is in the whole video. times: as indices() has them."""
        if not self.begin_seconds:
            return Fraction(0)
        own = self.indices(times)
        return times[own.start] if own else self.begin_seconds

    def sound(self, times: Sequence[Fraction]) -> Span:
        """What is heard while its frames are shown. times: as indices() has them."""
        after = self.indices(times).stop
        return Span(
            self.origin_seconds(times) if self.begin_seconds else None,
            times[after] if after < len(times) else None,
        )

    def covers(self, other: "Stretch") -> bool:
        """Whether the other one lies in it."""
        ends = self.end_seconds, other.end_seconds
        return self.begin_seconds <= other.begin_seconds and (
            ends[0] is None or (ends[1] is not None and ends[1] <= ends[0])
        )

    def text(self) -> str:
        """For people."""
        end = "its end" if self.end_seconds is None else f"{float(self.end_seconds):g} s"
        return f"{float(self.begin_seconds):g} s to {end}"

    def without_frames(self, path: Path, last_seconds: Fraction) -> BadVideoError:
        """Of a video whose last frame is shown then."""
        return BadVideoError(
            path,
            f"it shows no frame from {self.text()}, its last one comes at "
            f"{float(last_seconds):.2f} s; name another start or duration",
        )


WHOLE = Stretch()


def seconds_of(text: str) -> float:
    """90, 90.5, 1:30 or 1:02:03.5. ValueError."""
    found = _SECONDS.fullmatch(text.strip())
    if found is None:
        raise ValueError("seconds (90, 90.5) or a time (1:30, 1:02:03)")
    hours, minutes, seconds = found.groups(default="0")
    if found[2] is not None and float(seconds) >= 60 or found[1] is not None and int(minutes) >= 60:
        raise ValueError("minutes and seconds below 60 in a time (1:30, 1:02:03)")
    return 60.0 * (60 * int(hours) + int(minutes)) + float(seconds)
