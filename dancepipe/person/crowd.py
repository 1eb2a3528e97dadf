"""Everyone through one clip, each apart.

A track is one person for sure. It ends at a cut, where the person is lost, where another one stands
in the way, and where the clothes are suddenly others: who goes on as whom is decided afterwards, by
all that was seen (tracklets.py). So a mistake costs a few frames, and never mixes two people.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Generic

import numpy as np

from dancepipe.person.clothes import Clothes
from dancepipe.person.look import Look, PoseBackend, R, Sighting
from dancepipe.records import PersonFrame

# Two bodies whose middles are nearer than this, in reaches, hide parts of each other until they are
# farther than that.
CROSSING_REACHES, APART_REACHES = 0.33, 0.42
SAME_BODY_REACHES = 0.2  # two readings of which one must be a mistake
MAX_STEP, MAX_GROWTH = 0.45, 1.5  # of a middle in reaches, of a size, from frame to frame
LIKE_ONESELF = 0.7  # clothes from one frame to the next
NEW_CLOTHES_SHARE = 0.1
RECOUNT_FRAMES = 15  # everyone is looked for this often: it takes ten times as long as a body
LOST_FRAMES = 3  # and this often for as long as somebody was lost just now
LOST_FOR = 12


@dataclass(frozen=True)
class Tracked:
    """One person in one frame. is_crossing: another one stands before or behind."""

    track: int  # the same for one track through the clip, from 0
    person: PersonFrame
    sighting: Sighting
    clothes: Clothes | None
    is_crossing: bool


@dataclass
class _Track(Generic[R]):
    number: int
    last: R
    clothes: Clothes | None
    is_knotted: bool = False  # has come too near to another


class CrowdTracker(Generic[R]):
    """find(look) frame by frame of one clip -> everyone in it, with the numbers of their tracks."""

    def __init__(self, backend: PoseBackend[R]):
        self._backend = backend
        self._tracks: list[_Track[R]] = []
        self._count = 0
        self._frame = 0
        self._everyone_at = 0
        self._lost_until = 0

    def find(self, look: Look[R], *, is_cut: bool = False) -> list[Tracked]:
        """is_cut: with this frame another shot begins."""
        if is_cut:
            self._tracks, self._everyone_at = [], self._frame
        before = {track.number: track.last for track in self._tracks}
        if self._backend.goes_on:
            self._go_on(look)
            if not self._tracks and look.sightings():
                self._everyone_at = self._frame
        else:
            self._everyone_at = self._frame
        if self._untie() or self._frame >= self._everyone_at:
            self._look_around(look)
        self._frame += 1
        crossing = self._crossing()
        found = []
        for track in self._tracks:
            person = look.person(track.last, before.get(track.number))
            if person is not None:
                person = replace(person, people_seen=len(self._tracks))
                is_crossing = track.number in crossing
                sighting = track.last.sighting
                found.append(
                    Tracked(track.number, person, sighting, look.clothes(track.last), is_crossing)
                )
        return found

    def _go_on(self, look: Look[R]) -> None:
        """Each body is read where the last frame left off; whoever is not there is lost."""
        new: dict[int, R | None] = {}
        for track in self._tracks:
            if track.number in new:
                continue
            # Who has not been read yet comes first: the first one of the others is read as well.
            near = sorted(self._near(track), key=lambda other: other.number in new)
            if not near:
                new[track.number] = look.read(None, (), track.last)
                continue
            others = [new.get(other.number) or other.last for other in near]
            own, kept = look.read_apart(track.last, others)
            new[track.number] = own
            if near[0].number not in new:
                new[near[0].number] = kept[-1] if len(kept) == len(others) else None
        going = [track for track in self._tracks if self._goes_on_as(look, track, new)]
        self._lose(len(self._tracks) - len(going))
        self._tracks = going

    def _near(self, track: _Track[R]) -> list[_Track[R]]:
        limit = self._backend.neighbour_reaches
        return [
            other
            for other in self._tracks
            if other is not track and _steps(other.last.sighting, track.last.sighting) < limit
        ]

    def _goes_on_as(self, look: Look[R], track: _Track[R], new: dict[int, R | None]) -> bool:
        """Whether what was read is still that person; then it is the track's last reading."""
        reading = new[track.number]
        if reading is None or not _can_be(reading.sighting, track.last.sighting):
            return False
        worn = look.clothes(reading)
        if worn is not None and track.clothes is not None and not track.is_knotted:
            if worn.likeness(track.clothes) < LIKE_ONESELF:
                return False
            track.clothes = track.clothes.mixed_with(worn, NEW_CLOTHES_SHARE)
        track.last = reading
        track.clothes = track.clothes or worn
        return True

    def _lose(self, count: int) -> None:
        if count:
            self._lost_until = self._frame + LOST_FOR
            self._everyone_at = min(self._everyone_at, self._frame + 1)

    def _crossing(self) -> set[int]:
        """The tracks of people who stand before or behind another."""
        limits = {
            track.number: APART_REACHES if track.is_knotted else CROSSING_REACHES
            for track in self._tracks
        }
        pairs = [
            (one.number, other.number)
            for index, one in enumerate(self._tracks)
            for other in self._tracks[:index]
            if _apart(one, other) < max(limits[one.number], limits[other.number])
        ]
        return {number for pair in pairs for number in pair}

    def _untie(self) -> bool:
        """Ends the tracks of those who stand apart again; whether there were any. From the knot on
        nobody knows which of them is who."""
        crossing = self._crossing()
        for track in self._tracks:
            track.is_knotted = track.is_knotted or track.number in crossing
        free = [
            track for track in self._tracks if track.is_knotted and track.number not in crossing
        ]
        self._tracks = [track for track in self._tracks if track not in free]
        return bool(free)

    def _look_around(self, look: Look[R]) -> None:
        """Everyone is looked for: who is nobody's begins a track."""
        bodies = list(look.everyone())
        if not self._backend.goes_on:
            self._assign(look, bodies)
            self._untie()
        known = list(self._tracks)
        self._end_doubles(bodies)
        for body in bodies:
            if all(_apart_from(body, track) > SAME_BODY_REACHES for track in known):
                self._tracks.append(_Track(self._count, body, look.clothes(body)))
                self._count += 1
        crossing = self._crossing()
        for track in self._tracks:
            track.is_knotted = track.is_knotted or track.number in crossing
        is_soon = self._frame < self._lost_until
        self._everyone_at = self._frame + (LOST_FRAMES if is_soon else RECOUNT_FRAMES)

    def _end_doubles(self, bodies: Sequence[R]) -> None:
        """Of two tracks that are both on one body nobody knows which is whose."""
        on: dict[int, list[_Track[R]]] = {}
        for track in self._tracks:
            away = [_apart_from(body, track) for body in bodies]
            if away and min(away) < CROSSING_REACHES:
                on.setdefault(int(np.argmin(away)), []).append(track)
        doubles = [track for tracks in on.values() if len(tracks) > 1 for track in tracks]
        if doubles:
            self._tracks = [track for track in self._tracks if track not in doubles]
            self._lose(len(doubles))

    def _assign(self, look: Look[R], bodies: Sequence[R]) -> None:
        """Bodies of a backend that reads all of them anew -> tracks, the nearest first."""
        nearest = sorted(
            (_steps(body.sighting, track.last.sighting), index, track.number)
            for index, body in enumerate(bodies)
            for track in self._tracks
        )
        new: dict[int, R | None] = dict.fromkeys(track.number for track in self._tracks)
        taken: set[int] = set()
        for _, index, number in nearest:
            if index not in taken and new[number] is None:
                new[number] = bodies[index]
                taken.add(index)
        self._tracks = [track for track in self._tracks if self._goes_on_as(look, track, new)]


def _steps(sighting: Sighting, other: Sighting) -> float:
    """Distance of the middles, in reaches of the larger one."""
    reach = max(sighting.reach_px, other.reach_px)
    return float(np.hypot(*np.subtract(sighting.center_xy_px, other.center_xy_px))) / reach


def _can_be(sighting: Sighting, last: Sighting) -> bool:
    growth = abs(np.log(sighting.reach_px / last.reach_px))
    return _steps(sighting, last) <= MAX_STEP and bool(growth <= np.log(MAX_GROWTH))


def _apart(one: _Track, other: _Track) -> float:
    return _steps(one.last.sighting, other.last.sighting)


def _apart_from(body, track: _Track) -> float:
    return _steps(body.sighting, track.last.sighting)
