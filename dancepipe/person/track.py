"""Which of several people: the choice at the start, and staying with that person afterwards.

A Sighting is all a backend has to say about a person here: middle, size and score; and what a body
wears tells it from others, where people cross, at cuts, and after an absence.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic

import numpy as np

from dancepipe.person.clothes import Clothes
from dancepipe.person.cuts import CutDetector
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
# While one person is read from frame to frame everyone is looked for this often: that takes ten
# times as long as a body.
RECOUNT_FRAMES = 30
# While others are about, a body that moved further than this in a frame, in reaches, or that wears
# other clothes than the followed person, is looked for among everyone, but not in each frame.
DOUBTFUL_STEP = 0.2
DOUBTFUL_LIKENESS = 0.8
EVERYONE_FRAMES = 10
LOST_FRAMES = 3  # and sooner while the person is nowhere
COMPANY_FRAMES = 90  # others are thought to be about for that long after they were seen
# Nobody is followed, or found again, who is less like the person than this. Of people in other
# clothes some are at .8, of the same person in another light some are at .75.
LIKE_THE_PERSON = 0.7
LIKENESS_WEIGHT = 3.0  # a difference in likeness of 1/3 counts as much as the farthest step
NEW_CLOTHES_SHARE = 0.05  # of each frame in what is known of the clothes
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
            self.distance(sighting) <= 1.0 and not self._is_another(sighting)
        )

    def accept(self, sighting: Sighting) -> None:
        """This sighting is the followed person (a tracker went on from the last frame)."""
        self._seen = 1 if self.is_lost else self._seen + 1
        self._last, self._missed = sighting, 0
        self._age_others()

    def lose(self) -> None:
        """The place says nothing any more: another shot begins."""
        self._missed = max(self._patience_frames, PATIENCE_PER_SIGHTING * self._seen)
        self._others = []

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
        if self._last is None or self.is_lost:
            return choose_person(sightings, size_wh)
        distances = [
            np.inf if self._is_another(sighting) else self.distance(sighting)
            for sighting in sightings
        ]
        nearest = int(np.argmin(distances))
        return nearest if distances[nearest] <= 1.0 else None

    @property
    def is_lost(self) -> bool:
        """Whether the place where the person was seen last says nothing any more."""
        return self._missed >= min(self._patience_frames, PATIENCE_PER_SIGHTING * self._seen)

    def distance(self, sighting: Sighting) -> float:
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


@dataclass(frozen=True)
class Named:
    """Somebody who was named among the people of one frame."""

    frame: int  # of those that the tracker is given, from 0
    sighting: Sighting  # in that frame
    clothes: Clothes | None


class PersonTracker(Generic[R]):
    """The followed person through the frames of one clip, and how many people are there."""

    def __init__(self, backend: PoseBackend[R], named: Named | None = None):
        """named: whom to follow. Before that frame, at cuts and after an absence nobody is who is
        not like that person. None: the first choice is choose_person's, and whoever is there
        after a long absence is followed."""
        self._backend, self._named = backend, named
        self._follower = PersonFollower()
        self._cuts = CutDetector()
        self._last: R | None = None  # what was read in the last frame
        self._beside: list[R] = []  # others there who stand near
        self._clothes = None if named is None else named.clothes
        self._people_seen = 1
        self._frame = 0
        self._recount_at, self._everyone_at = 1, 0  # the frames from which on that may be done
        self._company_until = 0  # the frame

    def find(self, look: Look[R]) -> PersonFrame | None:
        """The followed person in the next frame; None while nobody can be that person."""
        if self._cuts.is_cut(look.picture):
            self._follower.lose()
            self._last, self._beside, self._everyone_at = None, [], self._frame
        if self._named is not None and self._frame == self._named.frame:
            reading = self._named_one(look, self._named)
        else:
            reading = self._go_on(look) or self._look_around(look)
        self._frame += 1
        before, self._last = self._last, reading
        if reading is None:
            self._follower.miss()
            self._beside = []
            return None
        self._follower.accept(reading.sighting)
        self._follower.note_others([other.sighting for other in self._beside])
        if self._clothes is None or not self._beside:
            self._learn_clothes(look.clothes(reading))
        person = look.person(reading, before)
        return None if person is None else replace(person, people_seen=self._people_seen)

    def memory(self) -> dict[str, Any]:
        """All that is carried from one frame to the next: plain values, Sightings, Clothes, and
        what the backend's readings are made of."""
        passed_in = ("_backend", "_named")
        own = {name: value for name, value in vars(self).items() if name not in passed_in}
        return {**own, "_follower": dict(vars(self._follower)), "_cuts": dict(vars(self._cuts))}

    def recall(self, memory: dict[str, Any]) -> None:
        """Go on behind the frame after which that was memory()."""
        memory = dict(memory)
        vars(self._follower).update(memory.pop("_follower"))
        vars(self._cuts).update(memory.pop("_cuts"))
        vars(self).update(memory)

    def _named_one(self, look: Look[R], named: Named) -> R | None:
        """The named person, in the frame in which that was done."""
        bodies = self._everyone(look)
        if not bodies:
            return None
        own = min(bodies, key=lambda body: _steps(body.sighting, named.sighting))
        return self._apart(look, own, bodies)

    def _go_on(self, look: Look[R]) -> R | None:
        """The followed person, read where the last frame left off; None when that is not, or no
        longer, the same person."""
        last = self._last
        if last is None or not self._backend.goes_on:
            return None
        if self._frame >= self._recount_at:
            bodies = self._everyone(look)
            if len(bodies) > 1 and (reading := self._like_the_person(look, bodies)) is not None:
                return reading
        if self._beside:
            reading, self._beside = look.read_apart(last, self._beside)
        else:
            reading = look.read(None, (), last)
        if reading is None or not self._follower.could_be(reading.sighting):
            return None
        if self._frame >= self._company_until:
            return reading
        likeness = self._likeness(look, reading)
        if likeness < LIKE_THE_PERSON:
            return None
        is_doubtful = (
            likeness < DOUBTFUL_LIKENESS or _steps(reading.sighting, last.sighting) > DOUBTFUL_STEP
        )
        if is_doubtful and self._frame >= self._everyone_at:
            return self._like_the_person(look, self._everyone(look)) or reading
        return reading

    def _look_around(self, look: Look[R]) -> R | None:
        """The person to follow, among all who are seen."""
        seen = look.sightings()
        sure = [index for index, sighting in enumerate(seen) if sighting.is_sure]
        self._people_seen = max(len(sure), 1)
        if self._named is not None or (self._clothes is not None and len(sure) > 1):
            if self._frame >= self._everyone_at or self._last is not None:  # or lost just now
                return self._like_the_person(look, self._everyone(look))
            if self._named is not None:
                return None
        # An unsure sighting is tried too: whoever reads the body has the last word.
        for candidates in (sure, [i for i in range(len(seen)) if i not in sure]):
            left = list(candidates)
            while (index := self._pick(look, left)) is not None:
                left.remove(index)
                others = [other for other in sure if other != index]
                near = _near(seen[index], seen, others, self._backend.neighbour_reaches)
                self._follower.note_others([seen[other] for other in near])
                reading = look.read(index, near)
                if reading is not None:
                    return reading
        return None

    def _like_the_person(self, look: Look[R], bodies: Sequence[R]) -> R | None:
        """Among everyone whoever stands and is clothed as the followed person; None when that is
        nobody."""
        is_lost = self._follower.last is None or self._follower.is_lost
        best, least = None, np.inf
        for body in bodies:
            likeness = self._likeness(look, body)
            away = 0.0 if self._follower.last is None else self._follower.distance(body.sighting)
            if likeness < LIKE_THE_PERSON or (away > 1 and not is_lost):
                continue
            last = self._follower.last
            is_elsewhere = last is not None and _steps(body.sighting, last) > DOUBTFUL_STEP
            if is_elsewhere and likeness < DOUBTFUL_LIKENESS:  # either alone may be the person
                continue
            unlike = (0.1 if is_lost else 1) * min(away, 1) + LIKENESS_WEIGHT * (1 - likeness)
            if unlike < least:
                best, least = body, unlike
        if best is None and is_lost and self._named is None and bodies:
            self._clothes = None  # somebody else is followed from here on
            best = bodies[choose_person([body.sighting for body in bodies], look.size_wh)]
        if best is None:
            self._everyone_at = min(self._everyone_at, self._frame + LOST_FRAMES)
            return None
        return self._apart(look, best, bodies)

    def _apart(self, look: Look[R], own: R, bodies: Sequence[R]) -> R:
        """That body of all, read once more beside those who stand near; they are remembered."""
        limit = self._backend.neighbour_reaches
        others = [body for body in bodies if body is not own]
        self._beside = [one for one in others if _steps(one.sighting, own.sighting) < limit]
        if not self._beside or not self._backend.goes_on:
            return own
        reading, self._beside = look.read_apart(own, self._beside)
        return own if reading is None else reading

    def _everyone(self, look: Look[R]) -> Sequence[R]:
        bodies = look.everyone()
        self._people_seen = max(len(bodies), 1)
        self._recount_at = self._frame + RECOUNT_FRAMES
        if len(bodies) > 1:
            self._company_until = self._frame + COMPANY_FRAMES
        self._everyone_at = self._frame + (EVERYONE_FRAMES if self._backend.goes_on else 0)
        return bodies

    def _likeness(self, look: Look[R], reading: R) -> float:
        """Of what that body wears to what the person wears; 1 where either is not known."""
        worn = None if self._clothes is None else look.clothes(reading)
        return 1.0 if worn is None or self._clothes is None else worn.likeness(self._clothes)

    def _learn_clothes(self, worn: Clothes | None) -> None:
        if self._clothes is None:
            self._clothes = worn
        elif worn is not None and worn.likeness(self._clothes) > LIKE_THE_PERSON:
            self._clothes = self._clothes.mixed_with(worn, NEW_CLOTHES_SHARE)

    def _pick(self, look: Look[R], indices: Sequence[int]) -> int | None:
        """Which of these sightings is the followed person."""
        seen = look.sightings()
        picked = self._follower.pick([seen[index] for index in indices], look.size_wh)
        return None if picked is None else indices[picked]


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
