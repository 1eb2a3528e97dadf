"""Votes -> the JND table: how often a made picture was taken for the real one, with intervals."""

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import numpy as np

from dancepipe.errors import StudyError
from dancepipe.study.votes_file import MOST_TRIALS_IN_ALL, VolunteerVotes, Vote, read_votes

RESAMPLES = 4000
CACHED = 50_000  # numbers that are worked on at once: they stay in the processor's cache
MOST_AT_ONCE = 4_000_000  # weights of pictures that are held at once
Z_95 = 1.959963984540054  # 97.5 % point of the normal distribution


@dataclass(frozen=True)
class JndRow:
    """One method. `jnd` is the share of pairs in which the made picture was taken for the real one:
    0.5 cannot be told apart.

    `interval` is the 95 % interval, `interval_by` bootstrap or wilson; None without votes.
    """

    method: str
    jnd: float | None
    interval: tuple[float, float] | None
    interval_by: str | None
    volunteers: int
    votes: int
    median_response_seconds: float | None


@dataclass(frozen=True)
class JndDifference:
    """jnd of `method` minus jnd of `other`, with its 95 % bootstrap interval (None where there
    is nothing to resample)."""

    method: str
    other: str
    difference: float
    interval: tuple[float, float] | None


@dataclass(frozen=True)
class VolunteerRow:
    """One volunteer. `counted` is False where too few attention checks were right. `left_share`:
    answers that were "left"."""

    name: str
    counted: bool
    answered: int
    total: int
    checks_right: int
    checks_answered: int
    median_response_seconds: float | None
    left_share: float | None
    shown_again: int


@dataclass(frozen=True)
class StudyReport:
    """The results of a study and the protocol they were won by."""

    protocol: dict
    methods: tuple[JndRow, ...]
    differences: tuple[JndDifference, ...]
    volunteers: tuple[VolunteerRow, ...]

    def as_plain(self) -> dict:
        """Plain values, ready for JSON."""
        return asdict(self)

    def json(self) -> str:
        return json.dumps(self.as_plain(), indent=2, ensure_ascii=False)

    def text(self) -> str:
        """A table for the screen."""
        excluded = [row for row in self.volunteers if not row.counted]
        votes = sum(row.votes for row in self.methods)
        lines = [
            f"{len(self.volunteers)} volunteers, {len(excluded)} not counted, {votes} votes "
            "counted",
            "JND: share of pairs in which the made picture was taken for the real one (50 % = "
            "cannot be told apart)",
            "",
        ]
        header = ("method", "JND", "95 % interval", "volunteers", "votes", "median answer")
        rows = [
            (
                row.method,
                _percent(row.jnd),
                f"{_percent(row.interval[0])} to {_percent(row.interval[1])}"
                if row.interval
                else "-",
                str(row.volunteers),
                str(row.votes),
                _seconds(row.median_response_seconds),
            )
            for row in self.methods
        ]
        lines += _table(header, rows)
        if self.differences:
            lines += [
                "",
                *_table(
                    ("difference of JND", "points", "95 % interval"),
                    [_difference_cells(row) for row in self.differences],
                ),
            ]
        header = (
            "volunteer",
            "answered",
            "checks right",
            "median answer",
            "left",
            "shown again",
            "",
        )
        cells = [
            (
                row.name,
                f"{row.answered} of {row.total}",
                f"{row.checks_right} of {row.checks_answered}",
                _seconds(row.median_response_seconds),
                _percent(row.left_share),
                str(row.shown_again),
                "" if row.counted else "NOT COUNTED: attention checks",
            )
            for row in self.volunteers
        ]
        lines += ["", *_table(header, cells)] if cells else ["", "no volunteer has come yet"]
        by = sorted({row.interval_by for row in self.methods if row.interval_by})
        how = {
            "bootstrap": "bootstrap over volunteers and pictures",
            "wilson": "Wilson (one volunteer, or all votes alike: nothing to resample)",
        }
        if by:
            lines += ["", "intervals: " + "; ".join(how[name] for name in by)]
        return "\n".join(line.rstrip() for line in lines)


def study_report(database: Path, seed: int = 0, resamples: int = RESAMPLES) -> StudyReport:
    """The JND table of a database of votes ("Focus and Retain", section 4.4), also while the study
    goes on.

    Volunteers with fewer right attention checks than the study asks for are listed and not counted;
    unfinished ones are. Raises StudyError.
    """
    protocol, volunteers = read_votes(database)
    if "check_share" not in protocol:
        raise StudyError(
            f"cannot report {database}: table study, row 1: protocol has no check_share; "
            "name a database that `dancepipe study` wrote its votes to"
        )
    rows = tuple(_volunteer_row(volunteer, protocol["check_share"]) for volunteer in volunteers)
    counted = [volunteer for volunteer, row in zip(volunteers, rows) if row.counted]
    names = sorted(
        {
            vote.trial.picture
            for volunteer in counted
            for vote in volunteer.votes
            if vote.trial.method is not None
        }
    )
    if len(counted) * len(names) > MOST_TRIALS_IN_ALL:  # a study shows everybody as many pairs
        raise StudyError(
            f"cannot report {database}: table vote holds votes of {len(counted)} volunteers on "
            f"{len(names)} pictures, more than a study can have; name a copy of it that is whole"
        )
    votes = _votes_by_method(counted, protocol["methods"])
    tallies = {method: _tally(cast, len(counted), names) for method, cast in votes.items()}
    draws = (
        _bootstrap(tallies, len(counted), len(names), seed, resamples) if len(counted) > 1 else {}
    )
    methods = tuple(
        _jnd_row(method, votes[method], *tallies[method], draws.get(method)) for method in tallies
    )
    return StudyReport(protocol, methods, _differences(methods, draws), rows)


def wilson_interval(hits: int, count: int) -> tuple[float, float]:
    """95 % interval of a share (Wilson 1927): sensible also for 0 or all hits. `count` at least
    1."""
    share, square = hits / count, Z_95**2
    centre = (share + square / (2 * count)) / (1 + square / count)
    half = (
        Z_95
        * math.sqrt(share * (1 - share) / count + square / (4 * count**2))
        / (1 + square / count)
    )
    return max(centre - half, 0.0), min(centre + half, 1.0)


def _volunteer_row(volunteer: VolunteerVotes, check_share: float) -> VolunteerRow:
    checks = [vote for vote in volunteer.votes if vote.trial.method is None]
    pairs = [vote for vote in volunteer.votes if vote.trial.method is not None]
    right = sum(vote.right for vote in checks)
    return VolunteerRow(
        volunteer.name,
        right >= check_share * len(checks) - 1e-9,
        len(volunteer.votes),
        volunteer.total,
        right,
        len(checks),
        _median_response(pairs),
        sum(vote.side == "left" for vote in pairs) / len(pairs) if pairs else None,
        sum(vote.showings > 1 for vote in volunteer.votes),
    )


def _median_response(votes: list[Vote]) -> float | None:
    return median(vote.response_seconds for vote in votes) if votes else None


def _votes_by_method(
    volunteers: list[VolunteerVotes], methods: list[str]
) -> dict[str, list[tuple[int, Vote]]]:
    """The votes on each method, with the index of the volunteer."""
    found = {method: [] for method in methods}
    for row, volunteer in enumerate(volunteers):
        for vote in volunteer.votes:
            if vote.trial.method is not None:
                found[vote.trial.method].append((row, vote))
    return found


def _tally(
    votes: list[tuple[int, Vote]], volunteers: int, names: list[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Votes on a method and those that took the made picture for the real one.

    Both (volunteers, pictures).
    """
    column = {name: index for index, name in enumerate(names)}
    count, fooled = np.zeros((2, volunteers, len(names)), np.uint16)
    for row, vote in votes:
        count[row, column[vote.trial.picture]] += 1
        fooled[row, column[vote.trial.picture]] += not vote.right
    return count, fooled


def _bootstrap(
    tallies: dict, volunteers: int, pictures: int, seed: int, resamples: int
) -> dict[str, np.ndarray]:
    """Resampled shares of each method, (resamples,), nan where a resample has no vote.

    Volunteers and pictures are drawn anew, each with replacement, and a vote weighs as often as
    both were drawn (Owen 2007, "The pigeonhole bootstrap"): votes of one person, or on one picture,
    are alike and must not pass for independent ones. All methods share the draws, so that
    differences between them are paired.
    """
    chance = np.random.default_rng(seed)
    of_volunteers = chance.multinomial(volunteers, np.full(volunteers, 1 / volunteers), resamples)
    draws = {method: np.full(resamples, np.nan) for method in tallies}
    if not pictures:
        return draws
    cast = {method: _votes_of_each(*tables) for method, tables in tallies.items()}
    groups = [len(columns) for voters in cast.values() for _, columns, _ in voters]
    at_once = max(1, min(CACHED * len(groups) // max(sum(groups), 1), MOST_AT_ONCE // pictures))
    for start in range(0, resamples, at_once):
        count = min(at_once, resamples - start)
        now = slice(start, start + count)
        of_pictures = chance.multinomial(pictures, np.full(pictures, 1 / pictures), count)
        weights = np.ascontiguousarray(of_pictures.T, np.float32)  # (pictures, now)
        for method, voters in cast.items():
            both = np.zeros((2, count))  # votes, and those that were fooled
            for volunteer, columns, numbers in voters:
                both += of_volunteers[now, volunteer] * (numbers @ weights[columns])
            np.divide(both[1], both[0], out=draws[method][now], where=both[0] > 0)
    return draws


def _votes_of_each(count: np.ndarray, fooled: np.ndarray) -> list[tuple]:
    """Of each volunteer with votes: row, columns of pictures, and votes and fooled (2, columns).

    Tables of many methods are mostly empty; what is done with them must not grow with their size.
    """
    found = []
    for row in np.flatnonzero(count.any(1)):
        columns = np.flatnonzero(count[row])
        numbers = np.stack([count[row, columns], fooled[row, columns]]).astype(np.float32)
        found.append((row, columns, numbers))
    return found


def _jnd_row(
    method: str,
    cast: list[tuple[int, Vote]],
    count: np.ndarray,
    fooled: np.ndarray,
    draws: np.ndarray | None,
) -> JndRow:
    votes, hits = int(count.sum()), int(fooled.sum())
    if votes == 0:
        return JndRow(method, None, None, None, 0, 0, None)
    voters = int((count.sum(1) > 0).sum())
    if draws is not None and voters > 1 and 0 < hits < votes:
        interval, by = _middle(draws), "bootstrap"
    else:
        interval, by = wilson_interval(hits, votes), "wilson"
    seconds = _median_response([vote for _, vote in cast])
    return JndRow(method, hits / votes, interval, by, voters, votes, seconds)


def _differences(
    rows: tuple[JndRow, ...], draws: dict[str, np.ndarray]
) -> tuple[JndDifference, ...]:
    found = []
    voted = [(row, row.jnd) for row in rows if row.jnd is not None]
    for index, (row, jnd) in enumerate(voted):
        for other, other_jnd in voted[index + 1 :]:
            resampled = min(row.volunteers, other.volunteers) > 1 and "bootstrap" in (
                row.interval_by,
                other.interval_by,
            )
            interval = _middle(draws[row.method] - draws[other.method]) if resampled else None
            found.append(JndDifference(row.method, other.method, jnd - other_jnd, interval))
    return tuple(found)


def _middle(draws: np.ndarray) -> tuple[float, float]:
    low, high = np.nanpercentile(draws, [2.5, 97.5])
    return float(low), float(high)


def _difference_cells(row: JndDifference) -> tuple[str, str, str]:
    interval = (
        f"{100 * row.interval[0]:+.1f} to {100 * row.interval[1]:+.1f}" if row.interval else "-"
    )
    return f"{row.method} - {row.other}", f"{100 * row.difference:+.1f}", interval


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f} %"


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f} s"


def _table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(len(line[column]) for line in (header, *rows)) for column in range(len(header))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths))
        for line in (header, *rows)
    ]
