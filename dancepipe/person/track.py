"""Which of several people: the choice at the start, and staying with that person afterwards.

A Sighting is all a backend has to say about a person here: middle, size and score.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

# a body's middle moves less than this many of its reaches from one frame to the next, at 5 frames a
# second too
MAX_STEP = 0.6
MAX_GROWTH = 1.8  # nor does its size change by more than this factor
STEP_PER_MISSED_FRAME = (
    0.1  # how much further the person may have gone with each frame in which nobody was found
)
# for that many frames somebody else who is not seen is still thought to stand where he stood
REMEMBER_OTHERS = 15
PATIENCE_FRAMES = 60  # after that many frames without the person, anyone may be chosen
PATIENCE_PER_SIGHTING = (
    3  # and sooner for somebody who was seen in a few frames only: that may have been a mistake
)


@dataclass(frozen=True)
class Sighting:
    """A person seen in a frame."""

    center_xy_px: tuple[
        float, float
    ]  # middle of the hips, or of the box when the backend gives boxes
    reach_px: float  # half the body's extent
    score: float  # in [0, 1]

    def __post_init__(self):
        if not (self.reach_px > 0 and np.isfinite([*self.center_xy_px, self.reach_px]).all()):
            raise ValueError(f"a sighting needs a finite middle and a positive reach, got {self}")


def choose_person(sightings: Sequence[Sighting], size_wh: tuple[int, int]) -> int:
    """Index of the largest and most central person.

    Worth = reach * score-free centrality: a person at the left or right border counts half as large
    as one in the middle column. Height in the picture says nothing about importance and does not
    count.
    """
    if not sightings:
        raise ValueError("nobody to choose from")
    half_width = size_wh[0] / 2

    def worth(sighting: Sighting) -> float:
        offset = min(abs(sighting.center_xy_px[0] - half_width) / half_width, 1.0)
        return sighting.reach_px * (1 - 0.5 * offset)

    return max(range(len(sightings)), key=lambda i: worth(sightings[i]))


class PersonFollower:
    """Stays with one person through the frames of a clip: the first choice is choose_person's,
    then nearness in place and size decides. A person lost from sight is waited for near the last
    place, in a circle that grows with time."""

    def __init__(self, patience_frames: int = PATIENCE_FRAMES):
        self._patience_frames = patience_frames
        self._last: Sighting | None = None
        self._missed = 0
        self._seen = 0
        self._others: list[tuple[Sighting, int]] = []  # somebody else, and how many frames ago

    @property
    def last(self) -> Sighting | None:
        """Where the person was seen last; None before the first sighting."""
        return self._last

    def could_be(self, sighting: Sighting) -> bool:
        """Whether the followed person can have got there since last seen. True for anyone before
        the first choice."""
        return self._last is None or (
            self._distance(sighting) <= 1.0 and not self._is_another(sighting)
        )

    def accept(self, sighting: Sighting) -> None:
        """This sighting is the followed person (a tracker went on from the last frame)."""
        self._seen = 1 if self._out_of_patience else self._seen + 1
        self._last, self._missed = sighting, 0
        self._age_others()

    def miss(self) -> None:
        """The person was not found in this frame."""
        self._missed += 1
        self._age_others()

    def note_others(self, others: Sequence[Sighting]) -> None:
        """These are other people, seen in this frame: whoever is next seen where one of them
        stands is not ours."""
        kept = [
            (old, age)
            for old, age in self._others
            if all(_steps(new, old) > MAX_STEP / 2 for new in others)
        ]
        self._others = [(other, 0) for other in others] + kept

    def pick(self, sightings: Sequence[Sighting], size_wh: tuple[int, int]) -> int | None:
        """Index of the followed person among all who are seen in this frame, or None when none can
        be that person.

        Chooses at the first frame with people, and again after patience_frames frames without the
        person (fewer for somebody who was seen in a few frames only). Does not change the follower:
        tell the outcome through accept or miss.
        """
        if not sightings:
            return None
        if self._last is None or self._out_of_patience:
            return choose_person(sightings, size_wh)
        distances = [
            np.inf if self._is_another(sighting) else self._distance(sighting)
            for sighting in sightings
        ]
        nearest = int(np.argmin(distances))
        return nearest if distances[nearest] <= 1.0 else None

    @property
    def _out_of_patience(self) -> bool:
        return self._missed > min(self._patience_frames, PATIENCE_PER_SIGHTING * self._seen)

    def _distance(self, sighting: Sighting) -> float:
        """0 = same place and size; 1 = the farthest the person can have gone."""
        last = self._last
        step = _steps(sighting, last) / (MAX_STEP + STEP_PER_MISSED_FRAME * self._missed)
        growth = abs(np.log(sighting.reach_px / last.reach_px)) / np.log(MAX_GROWTH)
        growth /= 1 + STEP_PER_MISSED_FRAME * self._missed
        return float(np.hypot(step, growth))

    def _age_others(self) -> None:
        self._others = [(other, age + 1) for other, age in self._others if age < REMEMBER_OTHERS]

    def _is_another(self, sighting: Sighting) -> bool:
        """Whether somebody else stood nearer to this place than the followed person."""
        own = _steps(sighting, self._last)
        return any(_steps(sighting, other) < own for other, _ in self._others)


def _steps(sighting: Sighting, last: Sighting) -> float:
    """Distance of the middles in reaches."""
    return float(np.hypot(*np.subtract(sighting.center_xy_px, last.center_xy_px))) / last.reach_px
