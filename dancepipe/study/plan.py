"""What a volunteer sees: pairs, sides and order, from a seed and the volunteer's name alone.

All chance comes from SHA-256 of plain text, so that the same study is drawn by every version of
Python and numpy.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

SIDES = ("left", "right")
LONGEST_METHOD = 40  # characters
MOST_METHODS = 50
MOST_TRIALS = 10_000  # of one volunteer: a working day


@dataclass(frozen=True)
class Trial:
    """One pair to be shown. `method` is None in an attention check; `real_side` is left or
    right."""

    method: str | None
    picture: str
    real_side: str

    def __post_init__(self):
        if self.real_side not in SIDES:
            raise ValueError(f"real_side must be left or right, got {self.real_side!r}")


def shuffled(items: Iterable, *key) -> list:
    """The items in an order drawn from `key`: equal keys give equal orders."""

    def place(item) -> bytes:
        return hashlib.sha256("\0".join(map(str, (*key, item))).encode()).digest()

    return sorted(items, key=place)


def choose_pool(
    names: Sequence[str], methods: int, pictures: int, checks: int, seed: int
) -> list[str]:
    """The names that the study uses: where there are enough, one for every pair of a volunteer
    and for every attention check."""
    return shuffled(names, seed, "pool")[: methods * pictures + checks]


def count_trials(pool: Sequence[str], methods: int, pictures: int, checks: int) -> int:
    """How many trials plan_trials() makes of these."""
    return methods * min(pictures, len(pool)) + checks


def plan_trials(
    pool: Sequence[str],
    methods: Sequence[str],
    pictures: int,
    checks: int,
    seed: int,
    volunteer: str,
) -> list[Trial]:
    """The trials of one volunteer, in order: min(pictures, pool) of each method, and the attention
    checks.

    Each round shows every method once, in random order; the real picture is on the left in half of
    each method's trials (odd counts: in half of all). Where the pool allows it, a volunteer never
    sees a real picture twice, because the one that comes again would be known as the real one; else
    the repeats are as far apart as can be.
    """
    shown = shuffled(pool[: len(methods) * pictures], seed, volunteer, "pictures")
    rounds = min(pictures, len(shown))
    step = max(len(shown) // len(methods), 1)
    turn = {
        method: index for index, method in enumerate(shuffled(methods, seed, volunteer, "turns"))
    }
    sides = {
        method: _balanced_sides(rounds, index, seed, volunteer, method)
        for method, index in turn.items()
    }
    trials = []
    for number in range(rounds):
        for method in shuffled(methods, seed, volunteer, "round", number):
            picture = shown[(turn[method] * step + number) % len(shown)]
            trials.append(Trial(method, picture, sides[method][number]))
    return _with_checks(trials, pool[len(shown) :], shown, checks, seed, volunteer)


def _balanced_sides(count: int, first: int, *key) -> list[str]:
    sides = [SIDES[(index + first) % 2] for index in range(count)]
    return [sides[place] for place in shuffled(range(count), *key, "sides")]


def _with_checks(
    trials: list[Trial], spare: Sequence[str], shown: Sequence[str], checks: int, *key
) -> list[Trial]:
    """One check at a random place of each of `checks` equal stretches, so that flagging
    attention is noticed wherever it sets in."""
    pictures = [
        spare[index % len(spare)] if spare else shown[-1 - index % len(shown)]
        for index in range(checks)
    ]
    sides = _balanced_sides(checks, 0, *key, "checks")
    result: list[Trial] = []
    for index in range(checks):
        start, stop = index * len(trials) // checks, (index + 1) * len(trials) // checks
        place = shuffled(range(start, stop + 1), *key, "check", index)[0]
        result += [
            *trials[start:place],
            Trial(None, pictures[index], sides[index]),
            *trials[place:stop],
        ]
    return result if checks else list(trials)
