"""Which tracks of a clip are one person, decided when the whole clip has been seen.

By the clothes, and only where they tell: a track goes on as somebody whom it is much more like than
anybody else it could be. Else it is a person of its own, so that a group in one costume gives
more people than there are, and no person who is two.
"""

from dataclasses import dataclass

from dancepipe.person.clothes import Clothes

LIKE_THE_SAME = 0.88  # of clothes, means over the tracks
LIKE_THE_SAME_HERE = 0.8  # in the place where somebody was lost a moment ago, and alone
MARGIN = 0.08  # by which the likeness to all others must be less
HERE_REACHES, HERE_SECONDS = 0.5, 1.0
MAX_GROWTH = 1.4  # within one shot


@dataclass(frozen=True)
class Tracklet:
    """One track: when, in which shot, where it begins and ends, and what is worn."""

    number: int
    first_seconds: float
    last_seconds: float
    shots: tuple[int, int]  # of the first and the last frame
    first_xyr_px: tuple[float, float, float]  # middle and reach
    last_xyr_px: tuple[float, float, float]
    clothes: Clothes | None


def linked(tracklets: list[Tracklet]) -> list[list[Tracklet]]:
    """Groups of one person each, by the time of their first tracks."""
    groups: list[list[Tracklet]] = []
    for one in sorted(tracklets, key=lambda track: (track.first_seconds, track.number)):
        group = _group_of(one, groups, tracklets)
        if group is None:
            groups.append([one])
        else:
            group.append(one)
    return groups


def _group_of(
    one: Tracklet, groups: list[list[Tracklet]], tracklets: list[Tracklet]
) -> list[Tracklet] | None:
    free = [group for group in groups if not any(_overlap(one, other) for other in group)]
    if not free:
        return None
    likeness = [_likeness(one, group) for group in free]
    best = max(range(len(free)), key=likeness.__getitem__)
    rivals = [likeness[index] for index in range(len(free)) if index != best]
    # Whoever else is about then could be that person as well.
    beside = [other for other in tracklets if other is not one and _overlap(one, other)]
    members = {id(track) for group in groups for track in group}
    rivals += [_likeness(other, free[best]) for other in beside if id(other) not in members]
    alone = not rivals and not beside
    least = LIKE_THE_SAME_HERE if alone and _is_here(one, free[best]) else LIKE_THE_SAME
    if likeness[best] < least or any(likeness[best] - rival < MARGIN for rival in rivals):
        return None
    if one.shots[0] == free[best][-1].shots[1] and _growth(one, free[best][-1]) > MAX_GROWTH:
        return None
    return free[best]


def _likeness(one: Tracklet, group: list[Tracklet]) -> float:
    """To the most alike of that person's tracks; 0 where nothing is known."""
    worn = [track.clothes for track in group if track.clothes is not None]
    if one.clothes is None or not worn:
        return 0.0
    return max(one.clothes.likeness(other) for other in worn)


def _overlap(one: Tracklet, other: Tracklet) -> bool:
    return one.first_seconds <= other.last_seconds and other.first_seconds <= one.last_seconds


def _is_here(one: Tracklet, group: list[Tracklet]) -> bool:
    last = group[-1]
    x, y, _ = one.first_xyr_px
    gone = ((x - last.last_xyr_px[0]) ** 2 + (y - last.last_xyr_px[1]) ** 2) ** 0.5
    return (
        one.shots[0] == last.shots[1]
        and one.first_seconds - last.last_seconds <= HERE_SECONDS
        and gone <= HERE_REACHES * last.last_xyr_px[2]
    )


def _growth(one: Tracklet, last: Tracklet) -> float:
    ratio = one.first_xyr_px[2] / last.last_xyr_px[2]
    return max(ratio, 1 / ratio)
