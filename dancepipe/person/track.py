"""Which of several people: the choice at the start, and staying with that person afterwards.

A Sighting is all a backend has to say about a person here: middle, size and score.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Generic

import numpy as np

from dancepipe.person.look import Look, PoseBackend, R, Sighting
from dancepipe.records import PersonFrame

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
# While one person is read from frame to frame everyone is looked for this often, to count the
# others; on every frame while somebody stands beside.
RECOUNT_FRAMES = 30
# Two readings whose middles and sizes differ by less than this, in reaches, are one body.
SAME_BODY = 0.1


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
        assert last is not None  # asked only once somebody is followed
        step = _steps(sighting, last) / (MAX_STEP + STEP_PER_MISSED_FRAME * self._missed)
        growth = abs(np.log(sighting.reach_px / last.reach_px)) / np.log(MAX_GROWTH)
        growth /= 1 + STEP_PER_MISSED_FRAME * self._missed
        return float(np.hypot(step, growth))

    def _age_others(self) -> None:
        self._others = [(other, age + 1) for other, age in self._others if age < REMEMBER_OTHERS]

    def _is_another(self, sighting: Sighting) -> bool:
        """Whether somebody else stood nearer to this place than the followed person."""
        assert self._last is not None  # asked only once somebody is followed
        own = _steps(sighting, self._last)
        return any(_steps(sighting, other) < own for other, _ in self._others)


def _steps(sighting: Sighting, last: Sighting) -> float:
    """Distance of the middles in reaches."""
    return float(np.hypot(*np.subtract(sighting.center_xy_px, last.center_xy_px))) / last.reach_px


class PersonTracker(Generic[R]):
    """The followed person through the frames of one clip, and how many people are there."""

    def __init__(self, backend: PoseBackend[R]):
        self._backend = backend
        self._follower = PersonFollower()
        self._last: R | None = None  # what was read in the last frame
        self._people_seen = 1
        self._has_neighbour = False
        self._frame = 0

    def find(self, look: Look[R]) -> PersonFrame | None:
        """The followed person in the next frame; None while nobody can be that person."""
        reading = self._go_on(look) or self._look_around(look)
        self._frame += 1
        before, self._last = self._last, reading
        if reading is None:
            self._follower.miss()
            return None
        self._follower.accept(reading.sighting)
        person = look.person(reading, before)
        return None if person is None else replace(person, people_seen=self._people_seen)

    def _go_on(self, look: Look[R]) -> R | None:
        """The followed person, read where the last frame left off; None when that is not, or no
        longer, the same person."""
        if self._last is None or not self._backend.goes_on:
            return None
        index, beside = None, []
        if self._frame % RECOUNT_FRAMES == 0 or self._has_neighbour:
            seen = look.sightings()
            sure = self._count(seen)
            index = self._pick(look, sure)
            own = self._last.sighting if index is None else seen[index]
            beside = self._beside(own, seen, [other for other in sure if other != index])
        reading = look.read(index, beside, self._last)
        if reading is None or not self._follower.could_be(reading.sighting):
            return None
        return reading

    def _look_around(self, look: Look[R]) -> R | None:
        """The person to follow, among all who are seen."""
        seen = look.sightings()
        sure = self._count(seen)
        # An unsure sighting is tried too: whoever reads the body has the last word.
        for candidates in (sure, [i for i in range(len(seen)) if i not in sure]):
            left = list(candidates)
            while (index := self._pick(look, left)) is not None:
                left.remove(index)
                others = [other for other in sure if other != index]
                reading = look.read(index, self._beside(seen[index], seen, others))
                if reading is not None:
                    return reading
        return None

    def _count(self, seen: Sequence[Sighting]) -> list[int]:
        """The indices of those who are surely there."""
        sure = [index for index, sighting in enumerate(seen) if sighting.is_sure]
        self._people_seen = max(len(sure), 1)
        self._has_neighbour = False
        return sure

    def _pick(self, look: Look[R], indices: Sequence[int]) -> int | None:
        """Which of these sightings is the followed person."""
        seen = look.sightings()
        picked = self._follower.pick([seen[index] for index in indices], look.size_wh)
        return None if picked is None else indices[picked]

    def _beside(self, own: Sighting, seen: Sequence[Sighting], others: Sequence[int]) -> list[int]:
        """Which of the others can be taken for the followed person; they are remembered."""
        near = _near(own, seen, others, self._backend.neighbour_reaches)
        self._has_neighbour = bool(near)
        self._follower.note_others([seen[index] for index in near])
        return near


def read_everyone(look: Look[R], backend: PoseBackend[R]) -> list[PersonFrame]:
    """All people of one picture; whom a tracker would choose comes first, then by the same
    measure. Where nobody is surely seen, the first unsure sighting that has a body."""
    seen = look.sightings()
    sure = _by_worth([i for i, one in enumerate(seen) if one.is_sure], look)
    read: list[R] = []
    for index in sure:
        others = [other for other in sure if other != index]
        reading = look.read(index, _near(seen[index], seen, others, backend.neighbour_reaches))
        if reading is not None and not any(_is_same(reading, other) for other in read):
            read.append(reading)
    for index in _by_worth([i for i, one in enumerate(seen) if not one.is_sure], look):
        if read:
            break
        others = _near(seen[index], seen, sure, backend.neighbour_reaches)
        reading = look.read(index, others)
        read += [] if reading is None else [reading]
    people = [person for reading in read if (person := look.person(reading)) is not None]
    count = max(len(sure), len(people))
    return [replace(person, people_seen=count) for person in people]


def _by_worth(indices: list[int], look: Look) -> list[int]:
    """In the order in which choose_person would take them."""
    left, order, seen = list(indices), [], look.sightings()
    while left:
        order.append(left.pop(choose_person([seen[index] for index in left], look.size_wh)))
    return order


def _near(
    own: Sighting, seen: Sequence[Sighting], others: Sequence[int], reaches: float
) -> list[int]:
    """Those of the others whose middle is that near to one's own, in one's own reaches."""
    limit = reaches * own.reach_px
    return [i for i in others if math.dist(seen[i].center_xy_px, own.center_xy_px) < limit]


def _is_same(reading: R, other: R) -> bool:
    """Whether two sightings led to one body."""
    one, two = reading.sighting, other.sighting
    return _steps(one, two) < SAME_BODY and abs(one.reach_px / two.reach_px - 1) < SAME_BODY
