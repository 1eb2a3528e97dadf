"""The stage: hold a study on a local page until it is stopped; the votes are in the database at
any moment."""

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dancepipe.config import as_plain
from dancepipe.errors import StudyError
from dancepipe.study.options import StudyOptions
from dancepipe.study.pairs import (
    REAL,
    MatchedPictures,
    check_pairs,
    digest_files,
    match_pictures,
)
from dancepipe.study.plan import MOST_TRIALS, choose_pool, count_trials, plan_trials
from dancepipe.study.server import StudyServer, bind_server
from dancepipe.study.votes import VoteStore
from dancepipe.study.votes_file import is_begun, read_votes

log = logging.getLogger(__name__)

# What makes two studies the same; where the page is served and what may be left out while matching
# do not.
PROTOCOL_OPTIONS = (
    "pictures",
    "show_seconds",
    "checks",
    "check_share",
    "seed",
    "shrink",
    "enlarge",
)
LONGEST_SHOWING_SECONDS = 3600


@dataclass(frozen=True)
class StudySummary:
    """What is in the database when the page is closed."""

    volunteers: int
    finished: int
    votes: int


def study(
    real: Path,
    fakes: Mapping[str, Path],
    database: Path,
    options: StudyOptions = StudyOptions(),
) -> StudySummary:
    """Serve the page on which volunteers tell real from made pictures, until Ctrl-C ("Focus and
    Retain", sections 4.2 and 4.4).

    real: folder of real pictures; fakes: method -> folder of made ones, matched by file name;
    database: SQLite file of the votes, begun or gone on with. Raises StudyError (folders, port, a
    database of another study), BadImageError.
    """
    server = open_study(real, fakes, database, options)
    try:
        log.info(f"the study is at {server.address} (Ctrl-C closes it; votes are in {database})")
        server.serve_forever(poll_interval=0.2)
    except KeyboardInterrupt:
        log.info("closed; the same command goes on")
    finally:
        server.close()
    _, volunteers = read_votes(database)
    finished = sum(len(volunteer.votes) == volunteer.total for volunteer in volunteers)
    return StudySummary(
        len(volunteers), finished, sum(len(volunteer.votes) for volunteer in volunteers)
    )


def open_study(
    real: Path,
    fakes: Mapping[str, Path],
    database: Path,
    options: StudyOptions = StudyOptions(),
) -> StudyServer:
    """A server of the study, listening but not answering yet: call its serve_forever(), and
    close() at the end. Raises like study()."""
    if not options.show_seconds <= LONGEST_SHOWING_SECONDS:
        raise StudyError(
            f"show_seconds is {options.show_seconds}; at most {LONGEST_SHOWING_SECONDS}, or 0 to "
            "show pairs until the answer"
        )
    for name in ("enlarge", "check_share"):
        if not math.isfinite(getattr(options, name)):
            raise StudyError(f"{name} is {getattr(options, name)}; it needs a finite number")
    server = bind_server(
        options.host, options.port
    )  # first: checking many pictures only to find the port taken helps nobody
    try:
        begun = is_begun(database)
        if begun:  # before the pictures: reading many only to find the votes damaged helps nobody
            server.store = VoteStore(database)  # closed with the server from here on
        matched = match_pictures(real, fakes, options.common)
        pool = choose_pool(
            matched.names, len(matched.methods), options.pictures, options.checks, options.seed
        )
        each = count_trials(pool, len(matched.methods), options.pictures, options.checks)
        if each > MOST_TRIALS:
            raise StudyError(
                f"each volunteer would see {each} pairs; at most {MOST_TRIALS} fit, "
                "ask for less with --pictures and --checks"
            )
        shown = _only(matched, pool)
        digests = digest_files(shown)
        if not begun:  # pictures with the stored digests were checked when the study began
            log.info(f"reading {len(digests)} pictures")
            check_pairs(shown, options.shrink)
            _say_what_is_short(pool, matched, options)
        protocol = {
            name: value for name, value in as_plain(options).items() if name in PROTOCOL_OPTIONS
        } | {"methods": list(matched.methods)}
        if server.store is None:
            server.store = VoteStore(database)
        server.store.begin(protocol, digests)
        server.store.check_pictures(shown.names)
    except BaseException:
        server.close()
        raise
    server.pictures, server.options = shown, options
    server.plan = lambda volunteer: plan_trials(
        pool, matched.methods, options.pictures, options.checks, options.seed, volunteer
    )
    if not server.is_local:
        log.warning(
            f"served on {options.host}: everybody who reaches this machine can see the pictures "
            "and vote"
        )
    return server


def _only(matched: MatchedPictures, names: list[str]) -> MatchedPictures:
    files = {
        (method, name): matched.files[method, name]
        for method in (REAL, *matched.methods)
        for name in names
    }
    return MatchedPictures(matched.methods, tuple(names), files)


def _say_what_is_short(pool: list[str], matched: MatchedPictures, options: StudyOptions) -> None:
    methods, available = len(matched.methods), len(pool)
    if available < options.pictures:
        log.warning(
            f"only {available} pictures are there: each volunteer sees {available} pairs of each "
            f"method, not {options.pictures}"
        )
    if available < methods * options.pictures and methods > 1:
        enough = methods * options.pictures + options.checks
        log.info(
            "a volunteer will meet the same real picture with several methods, far apart "
            f"({enough} pictures would avoid it)"
        )
