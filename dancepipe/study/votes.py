"""The votes, in one SQLite file: written before the next pair is shown, whole after any
interruption."""

import json
import secrets
import sqlite3
import threading
import unicodedata
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from dancepipe.errors import StudyError
from dancepipe.files.plain_text import shortened
from dancepipe.study.plan import SIDES, Trial
from dancepipe.study.votes_file import (
    APPLICATION_ID,
    MOST_TRIALS_IN_ALL,
    MOST_VOLUNTEERS,
    TABLES,
    harden,
    holds_study,
    is_begun,
    read_digests,
    read_study,
    read_votes,
    unsound,
)
from dancepipe.study.votes_rules import LONGEST_NAME, is_token, place_of, wrong_with

QUOTES = "'\""
MOST_TOLD = 10  # differences


class NoSuchVolunteerError(Exception):
    """A token that this database does not know: the page belongs to another study."""


class NameTakenError(Exception):
    """A name that another volunteer has, or the same one without the token to show for it."""


class WrongTurnError(Exception):
    """A vote on a pair that has not been shown yet."""


@dataclass(frozen=True)
class Progress:
    """Where a volunteer stands. `token` names the volunteer to the page; `number` of the next
    trial counts from 0."""

    token: str
    name: str
    answered: int
    total: int


def clean_name(text: str) -> str:
    """A volunteer's name as stored: no control characters, single spaces. ValueError says what
    is wrong."""
    name = " ".join(unicodedata.normalize("NFC", text).split())
    if not name:
        raise ValueError("Please type a name.")
    if len(name) > LONGEST_NAME:
        raise ValueError(f"Please take a name of at most {LONGEST_NAME} letters.")
    if not name.isprintable():
        raise ValueError("Please take a name without control characters.")
    return name


def name_key(name: str) -> str:
    """What makes two names the same volunteer: "Ann" and "ann" go on with one study. Also what
    the volunteer's plan is drawn from."""
    return unicodedata.normalize("NFC", name.casefold())


class VoteStore:
    """The open database of one study; safe to use from many threads and beside other processes.

    Every change is one transaction, on the disk (synchronous=FULL) before the call returns; after
    it the write-ahead log is worked into the file, so that a copy of the file alone has all votes.
    What is in a file that is there is checked to the last row. Raises StudyError, and sqlite3.Error
    where the disk fails later on.
    """

    def __init__(self, database: Path):
        self.database = Path(database)
        self._lock = threading.RLock()
        if is_begun(self.database):
            read_votes(self.database)
        try:
            self._connection = sqlite3.connect(
                self.database, timeout=20, isolation_level=None, check_same_thread=False
            )
            try:
                harden(self._connection)
                self._connection.execute("PRAGMA journal_mode=WAL")
                self._connection.execute("PRAGMA synchronous=FULL")
                self._connection.execute("PRAGMA wal_autocheckpoint=1")
                self._connection.execute("PRAGMA foreign_keys=ON")
            except BaseException:
                self._connection.close()
                raise
        except sqlite3.Error as error:
            raise self._unwritable(error) from error

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    def begin(self, protocol: Mapping, digests: Mapping[tuple[str, str], str]) -> None:
        """Make the tables, or check that the study in the file is this one: same protocol, same
        pictures. Raises StudyError."""
        try:
            with self._transaction() as connection:
                if holds_study(connection, self.database):
                    self._check_same(connection, protocol, digests)
                    # A file that cannot be written is told now, not at the first vote.
                    connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
                    return
                for statement in TABLES.split(";\n"):
                    connection.execute(statement)
                connection.execute(
                    "INSERT INTO study VALUES (?, ?)",
                    (json.dumps(protocol, sort_keys=True), _now()),
                )
                connection.executemany(
                    "INSERT INTO file VALUES (?, ?, ?)",
                    [(*key, digest) for key, digest in digests.items()],
                )
                connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
        except sqlite3.Error as error:
            raise self._unwritable(error) from error

    def study_id(self) -> str:
        """A name of this very study, for the browser to tell it from others. It tells nothing."""
        with self._lock:
            return read_study(self._connection, self.database)[1]

    def enter(
        self, name: str, plan: Callable[[str], list[Trial]], token: str | None = None
    ) -> Progress:
        """The volunteer of that (clean) name: a new one, or the one who shows its token.

        A new one gets the trials that `plan` gives for the name's key, and `token` where it is one
        (32 hexadecimal digits) that nobody has: who asks again, because the answer got lost, is
        known by it. NameTakenError: a name that is there, and not this token. StudyError: too many.
        """
        key = name_key(name)
        with self._transaction() as connection:
            known = connection.execute(
                "SELECT token FROM volunteer WHERE key = ?", (key,)
            ).fetchone()
            if known is None:
                token = self._add_volunteer(connection, key, name, plan(key), token)
            elif token is None or not _is_same(token, known[0]):
                raise NameTakenError(name)
        return self.progress(token)

    def _add_volunteer(
        self,
        connection: sqlite3.Connection,
        key: str,
        name: str,
        trials: list[Trial],
        token: str | None,
    ) -> str:
        """The token of the new volunteer."""
        volunteers, there = connection.execute(
            "SELECT (SELECT count(*) FROM volunteer), (SELECT count(*) FROM trial)"
        ).fetchone()
        if volunteers >= MOST_VOLUNTEERS or there + len(trials) > MOST_TRIALS_IN_ALL:
            raise StudyError(
                f"{volunteers} volunteers with {there} pairs are in {self.database}, "
                "no more are taken"
            )
        if token is None or not is_token(token) or self._has(connection, token):
            token = secrets.token_hex(16)
        volunteer = connection.execute(
            "INSERT INTO volunteer (token, key, name, began) VALUES (?, ?, ?, ?)",
            (token, key, name, _now()),
        ).lastrowid
        connection.executemany(
            "INSERT INTO trial (volunteer, number, method, picture, real_side)"
            " VALUES (?, ?, ?, ?, ?)",
            [
                (volunteer, number, trial.method, trial.picture, trial.real_side)
                for number, trial in enumerate(trials)
            ],
        )
        return token

    def check_pictures(self, names: Collection[str]) -> None:
        """StudyError where a volunteer is to see a picture that is none of `names`."""
        with self._lock:
            shown = self._connection.execute(
                "SELECT picture, min(volunteer), number FROM trial GROUP BY picture"
            ).fetchall()
        for picture, volunteer, number in shown:
            if picture not in names:
                place = place_of("trial", (volunteer, number))
                raise unsound(
                    self.database, f"{place}: picture {shortened(picture)} is not of this study"
                )

    def progress(self, token: str) -> Progress:
        """Raises NoSuchVolunteerError."""
        with self._lock:
            _, progress = self._find(token)
        return progress

    def current_trial(self, token: str, number: int) -> Trial:
        """The trial the volunteer is at; WrongTurnError when `number` is not that one (nobody
        looks ahead or back)."""
        with self._lock:
            volunteer, progress = self._find(token)
            if number != progress.answered or number >= progress.total:
                raise WrongTurnError(f"pair {number} is not the one to be shown")
            row = self._connection.execute(
                "SELECT * FROM trial WHERE volunteer = ? AND number = ?", (volunteer, number)
            ).fetchone()
        if problem := wrong_with("trial", row):  # the file was changed behind our back
            raise unsound(self.database, problem)
        return Trial(*row[2:5])

    def count_showing(self, token: str) -> Progress:
        """Note that the current trial is shown (once more). Raises NoSuchVolunteerError."""
        with self._transaction() as connection:
            volunteer, progress = self._find(token)
            connection.execute(
                "UPDATE trial SET showings = showings + 1 WHERE volunteer = ? AND number = ?",
                (volunteer, progress.answered),
            )
        return progress

    def add_vote(
        self,
        token: str,
        number: int,
        side: str,
        response_seconds: float,
        shown_seconds: float,
        picture_width_px: float,
    ) -> Progress:
        """Store the answer to the current trial; for one that is answered already the first answer
        stands and nothing changes.

        Raises NoSuchVolunteerError, WrongTurnError (a trial that was not shown yet).
        """
        if side not in SIDES:
            raise ValueError(f"side must be left or right, got {side!r}")
        with self._transaction() as connection:
            volunteer, progress = self._find(token)
            if number > progress.answered or number >= progress.total or number < 0:
                raise WrongTurnError(f"pair {number} is not the one shown")
            if number == progress.answered:
                shown = "SELECT showings FROM trial WHERE volunteer = ? AND number = ?"
                if connection.execute(shown, (volunteer, number)).fetchone()[0] == 0:
                    raise WrongTurnError(f"pair {number} was not shown yet")
                values = (
                    volunteer,
                    number,
                    side,
                    response_seconds,
                    shown_seconds,
                    picture_width_px,
                    _now(),
                )
                connection.execute("INSERT INTO vote VALUES (?, ?, ?, ?, ?, ?, ?)", values)
        return self.progress(token)

    def _unwritable(self, error: sqlite3.Error) -> StudyError:
        return StudyError(
            f"cannot write votes to {self.database}: {error}; "
            "name a file in a folder that can be written"
        )

    @staticmethod
    def _has(connection: sqlite3.Connection, token: str) -> bool:
        found = connection.execute("SELECT 1 FROM volunteer WHERE token = ?", (token,)).fetchone()
        return found is not None

    def _find(self, token: str) -> tuple[int, Progress]:
        row = self._connection.execute(
            "SELECT id, name, (SELECT count(*) FROM vote WHERE volunteer = id), (SELECT count(*) "
            "FROM trial WHERE volunteer = id)"
            " FROM volunteer WHERE token = ?",
            (token,),
        ).fetchone()
        if row is None:
            raise NoSuchVolunteerError(token)
        return row[0], Progress(token, *row[1:])

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def _check_same(
        self,
        connection: sqlite3.Connection,
        protocol: Mapping,
        digests: Mapping[tuple[str, str], str],
    ) -> None:
        stored, _ = read_study(connection, self.database)
        given = json.loads(json.dumps(protocol))
        differing = [
            f"{shortened(key).strip(QUOTES)} is {shortened(stored.get(key))} there, "
            f"{shortened(given.get(key))} here"
            for key in sorted({*stored, *given})
            if stored.get(key) != given.get(key)
        ]
        if not differing:
            known = read_digests(connection, self.database, stored)
            changed = sum(known.get(key) != digests.get(key) for key in {*known, *digests})
            if changed:
                differing = [f"{changed} of {len(known)} picture files are not the same"]
        if differing:
            words = "; ".join(differing[:MOST_TOLD])
            raise StudyError(
                f"{self.database} holds another study ({words}); "
                "run that one again, or name a new database"
            )


def _is_same(shown: str, token: str) -> bool:
    """In a time that does not tell how much of it is right."""
    return secrets.compare_digest(shown.encode("utf-8", "surrogatepass"), token.encode())


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")
