"""Which of several people is meant: largest, left, right, the Nth from the left, or whoever stands
at a place; at a time, or in the first frame that shows anybody."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from dancepipe.errors import ConfigError, NoPersonError
from dancepipe.person.look import Sighting
from dancepipe.person.track import choose_person

_WORDS = ("largest", "left", "right")
_NUMBER = r"\d+(?:\.\d*)?|\.\d+"
_FORM = re.compile(
    rf"(?:(?P<word>{'|'.join(_WORDS)})|(?P<n>\d{{1,6}})"
    rf"|(?P<x>{_NUMBER})\s*,\s*(?P<y>{_NUMBER}))(?:@(?P<seconds>{_NUMBER}))?",
    re.ASCII,
)
_AT_MOST_REACHES = 0.6  # from a named place to the middle of whoever is meant


@dataclass(frozen=True)
class PersonChoice:
    """Who is meant. At most one of number and place is set; without both it is the word."""

    word: str = "largest"
    number: int | None = None  # from the left, from 1
    place: tuple[float, float] | None = None  # shares of width and height, (0, 0) upper left
    seconds: float | None = None  # None: in the first frame that shows anybody

    @property
    def is_default(self) -> bool:
        """Whether nobody was named."""
        return self == PersonChoice()

    def index_among(self, people: Sequence[Sighting], size_wh: tuple[int, int]) -> int:
        """Which of these people, from left to right, in a picture of that size. NoPersonError when
        none of them can be meant. people: at least one."""
        if self.place is not None:
            return self._nearest(people, size_wh)
        if self.number is not None:
            if self.number > len(people):
                raise NoPersonError(
                    f"there is no person {self.number}: {len(people)} "
                    f"{'is' if len(people) == 1 else 'are'} seen; count from the left, from 1, or "
                    f"name another time, as in {self.number}@2.5"
                )
            return self.number - 1
        if self.word == "largest":
            return choose_person(people, size_wh)
        return 0 if self.word == "left" else len(people) - 1

    def _nearest(self, people: Sequence[Sighting], size_wh: tuple[int, int]) -> int:
        assert self.place is not None
        x, y = (share * side for share, side in zip(self.place, size_wh, strict=True))
        # A point on the head or the feet of one is nearer to the middle of a smaller neighbour:
        # sideways counts more, since people stand.
        away = [
            math.hypot(x - one.center_xy_px[0], 0.3 * (y - one.center_xy_px[1])) / one.reach_px
            for one in people
        ]
        nearest = min(range(len(people)), key=away.__getitem__)
        if away[nearest] > _AT_MOST_REACHES:
            seen = "; ".join(
                f"{one.center_xy_px[0] / size_wh[0]:.2f},{one.center_xy_px[1] / size_wh[1]:.2f}"
                for one in people
            )
            raise NoPersonError(
                f"nobody stands at {self.place[0]:g},{self.place[1]:g}; people are seen at {seen}"
            )
        return nearest


def parse_choice(text: str) -> PersonChoice:
    """largest, left, right, N or x,y, each with or without @seconds. ConfigError for all else."""
    found = _FORM.fullmatch(text.strip().lower())
    if found is None:
        raise ConfigError(
            f"person {text!r} is none of largest, left, right, a number from the left (2), a place "
            "(0.3,0.5), each with @seconds or without (left@2.5)"
        )
    seconds = None if found["seconds"] is None else float(found["seconds"])
    if found["word"]:
        return PersonChoice(found["word"], seconds=seconds)
    if found["n"]:
        number = int(found["n"])
        if number < 1:
            raise ConfigError("person 0: people are counted from the left, from 1")
        return PersonChoice(number=number, seconds=seconds)
    place = float(found["x"]), float(found["y"])
    if max(place) > 1:
        raise ConfigError(
            f"person {text!r}: a place is given in shares of width and height, from 0,0 (upper "
            "left) to 1,1; divide pixels by the picture's size"
        )
    return PersonChoice(place=place, seconds=seconds)
