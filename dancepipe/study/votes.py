"""The votes, in one SQLite file: written before the next pair is shown, whole after any interruption."""

import json
import secrets
import sqlite3
import threading
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from dancepipe.errors import StudyError
from dancepipe.study.plan import SIDES, Trial

APPLICATION_ID = 0x64706A6E  # "dpjn" in the header of the file: a study of ours
MOST_VOLUNTEERS = 1000
LONGEST_NAME = 40
TABLES = """
CREATE TABLE study (protocol TEXT NOT NULL, began TEXT NOT NULL);
CREATE TABLE file (method TEXT NOT NULL, name TEXT NOT NULL, sha256 TEXT NOT NULL, PRIMARY KEY (method, name)) WITHOUT ROWID;
CREATE TABLE volunteer (
    id INTEGER PRIMARY KEY, token TEXT NOT NULL UNIQUE, key TEXT NOT NULL UNIQUE, name TEXT NOT NULL, began TEXT NOT NULL);
CREATE TABLE trial (
    volunteer INTEGER NOT NULL REFERENCES volunteer, number INTEGER NOT NULL, method TEXT, picture TEXT NOT NULL,
    real_side TEXT NOT NULL, showings INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (volunteer, number)) WITHOUT ROWID;
CREATE TABLE vote (
    volunteer INTEGER NOT NULL, number INTEGER NOT NULL, side TEXT NOT NULL, response_seconds REAL NOT NULL, shown_seconds REAL NOT NULL,
    picture_width_px REAL NOT NULL, came TEXT NOT NULL, PRIMARY KEY (volunteer, number),
    FOREIGN KEY (volunteer, number) REFERENCES trial) WITHOUT ROWID;
"""


class NoSuchVolunteerError(Exception):
    """A token that this database does not know: the page belongs to another study."""


class WrongTurnError(Exception):
    """A vote on a pair that has not been shown yet."""


@dataclass(frozen=True)
class Progress:
    """Where a volunteer stands. `token` names the volunteer to the page; `number` of the next trial counts from 0."""

    token: str
    name: str
    answered: int
    total: int


@dataclass(frozen=True)
class Vote:
    """One answered trial. `picture_width_px` is the width on screen in CSS pixels; `showings` above 1 means a reload of the page."""

    trial: Trial
    side: str
    response_seconds: float
    shown_seconds: float
    picture_width_px: float
    showings: int

    @property
    def right(self) -> bool:
        """Whether the real picture was found."""
        return self.side == self.trial.real_side


@dataclass(frozen=True)
class VolunteerVotes:
    """What one volunteer answered, in order, of `total` trials."""

    name: str
    total: int
    votes: tuple[Vote, ...]


def clean_name(text: str) -> str:
    """A volunteer's name as stored: no control characters, single spaces. ValueError says what is wrong."""
    name = " ".join(unicodedata.normalize("NFC", text).split())
    if not name:
        raise ValueError("Please type a name.")
    if len(name) > LONGEST_NAME:
        raise ValueError(f"Please take a name of at most {LONGEST_NAME} letters.")
    if not name.isprintable():
        raise ValueError("Please take a name without control characters.")
    return name


def name_key(name: str) -> str:
    """What makes two names the same volunteer: "Ann" and "ann" go on with one study. Also what the volunteer's plan is drawn from."""
    return unicodedata.normalize("NFC", name.casefold())


def is_begun(database: Path) -> bool:
    """Whether there is a study in the file. StudyError where it is something else. Creates nothing."""
    database = Path(database)
    try:
        if not database.exists() or database.is_file() and database.stat().st_size == 0:
            return False
        with _reading(database) as connection:
            application = connection.execute("PRAGMA application_id").fetchone()[0]
            tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    except (OSError, sqlite3.Error) as error:
        raise StudyError(
            f"cannot read votes from {database}: {error}; name a database of a study, or a file that is not there yet"
        ) from error
    if application != APPLICATION_ID and tables:
        raise StudyError(f"{database} is a database of something else; name a database of a study, or a file that is not there yet")
    return application == APPLICATION_ID


class VoteStore:
    """The open database of one study; safe to use from many threads and beside other processes.

    Every change is one transaction, on the disk (synchronous=FULL) before the call returns; after it the write-ahead log is
    worked into the file, so that a copy of the file alone has all votes. Raises StudyError, and sqlite3.Error where the disk
    fails later on.
    """

    def __init__(self, database: Path):
        self.database = Path(database)
        self._lock = threading.RLock()
        try:
            self._connection = sqlite3.connect(self.database, timeout=20, isolation_level=None, check_same_thread=False)
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=FULL")
            self._connection.execute("PRAGMA wal_autocheckpoint=1")
            self._connection.execute("PRAGMA foreign_keys=ON")
        except sqlite3.Error as error:
            raise StudyError(f"cannot write votes to {self.database}: {error}; name a file in a folder that can be written") from error

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    def begin(self, protocol: Mapping, digests: Mapping[tuple[str, str], str]) -> None:
        """Make the tables, or check that the study in the file is this one: same protocol, same pictures. Raises StudyError."""
        try:
            with self._transaction() as connection:
                if connection.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID:
                    self._check_same(connection, protocol, digests)
                    return
                for statement in TABLES.split(";\n"):
                    connection.execute(statement)
                connection.execute("INSERT INTO study VALUES (?, ?)", (json.dumps(protocol, sort_keys=True), _now()))
                connection.executemany("INSERT INTO file VALUES (?, ?, ?)", [(*key, digest) for key, digest in digests.items()])
                connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
        except sqlite3.Error as error:
            raise StudyError(f"cannot write votes to {self.database}: {error}; name a file in a folder that can be written") from error

    def enter(self, name: str, plan: Callable[[str], list[Trial]]) -> Progress:
        """The volunteer of that (clean) name; a new one gets the trials that `plan` gives for the name's key. StudyError: too many."""
        key = name_key(name)
        with self._transaction() as connection:
            known = connection.execute("SELECT token FROM volunteer WHERE key = ?", (key,)).fetchone()
            if known is None:
                if connection.execute("SELECT count(*) FROM volunteer").fetchone()[0] >= MOST_VOLUNTEERS:
                    raise StudyError(f"{MOST_VOLUNTEERS} volunteers are in {self.database}, no more are taken")
                known = (secrets.token_hex(16),)
                values = (*known, key, name, _now())
                volunteer = connection.execute("INSERT INTO volunteer (token, key, name, began) VALUES (?, ?, ?, ?)", values).lastrowid
                rows = [(volunteer, number, trial.method, trial.picture, trial.real_side) for number, trial in enumerate(plan(key))]
                connection.executemany("INSERT INTO trial (volunteer, number, method, picture, real_side) VALUES (?, ?, ?, ?, ?)", rows)
        return self.progress(known[0])

    def progress(self, token: str) -> Progress:
        """Raises NoSuchVolunteerError."""
        with self._lock:
            _, progress = self._find(token)
        return progress

    def current_trial(self, token: str, number: int) -> Trial:
        """The trial the volunteer is at; WrongTurnError when `number` is not that one (nobody looks ahead or back)."""
        with self._lock:
            volunteer, progress = self._find(token)
            if number != progress.answered or number >= progress.total:
                raise WrongTurnError(f"pair {number} is not the one to be shown")
            row = self._connection.execute(
                "SELECT method, picture, real_side FROM trial WHERE volunteer = ? AND number = ?", (volunteer, number)
            ).fetchone()
        return Trial(*row)

    def count_showing(self, token: str) -> Progress:
        """Note that the current trial is shown (once more). Raises NoSuchVolunteerError."""
        with self._transaction() as connection:
            volunteer, progress = self._find(token)
            connection.execute(
                "UPDATE trial SET showings = showings + 1 WHERE volunteer = ? AND number = ?", (volunteer, progress.answered)
            )
        return progress

    def add_vote(
        self, token: str, number: int, side: str, response_seconds: float, shown_seconds: float, picture_width_px: float
    ) -> Progress:
        """Store the answer to the current trial; for one that is answered already the first answer stands and nothing changes.

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
                values = (volunteer, number, side, response_seconds, shown_seconds, picture_width_px, _now())
                connection.execute("INSERT INTO vote VALUES (?, ?, ?, ?, ?, ?, ?)", values)
        return self.progress(token)

    def _find(self, token: str) -> tuple[int, Progress]:
        row = self._connection.execute(
            "SELECT id, name, (SELECT count(*) FROM vote WHERE volunteer = id), (SELECT count(*) FROM trial WHERE volunteer = id)"
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

    def _check_same(self, connection: sqlite3.Connection, protocol: Mapping, digests: Mapping[tuple[str, str], str]) -> None:
        stored = json.loads(connection.execute("SELECT protocol FROM study").fetchone()[0])
        given = json.loads(json.dumps(protocol))
        differing = [
            f"{key} is {stored.get(key)!r} there, {given.get(key)!r} here"
            for key in sorted({*stored, *given})
            if stored.get(key) != given.get(key)
        ]
        if not differing:
            known = {(method, name): digest for method, name, digest in connection.execute("SELECT method, name, sha256 FROM file")}
            changed = sum(known.get(key) != digests.get(key) for key in {*known, *digests})
            if changed:
                differing = [f"{changed} of {len(known)} picture files are not the same"]
        if differing:
            raise StudyError(f"{self.database} holds another study ({'; '.join(differing)}); run that one again, or name a new database")


def read_votes(database: Path) -> tuple[dict, list[VolunteerVotes]]:
    """The protocol and the volunteers of a database, in order of arrival; also while the study goes on. Raises StudyError."""
    if not is_begun(database):
        raise StudyError(f"no study in {database}; name the database that `dancepipe study` wrote its votes to")
    try:
        with _reading(database) as connection:
            connection.execute("BEGIN")  # one state of the file, whatever comes in meanwhile
            protocol = json.loads(connection.execute("SELECT protocol FROM study").fetchone()[0])
            volunteers = []
            for key, name in connection.execute("SELECT id, name FROM volunteer ORDER BY id").fetchall():
                total = connection.execute("SELECT count(*) FROM trial WHERE volunteer = ?", (key,)).fetchone()[0]
                rows = connection.execute(
                    "SELECT method, picture, real_side, side, response_seconds, shown_seconds, picture_width_px, showings"
                    " FROM vote JOIN trial USING (volunteer, number) WHERE volunteer = ? ORDER BY number",
                    (key,),
                )
                volunteers.append(VolunteerVotes(name, total, tuple(Vote(Trial(*row[:3]), *row[3:]) for row in rows)))
    except sqlite3.Error as error:
        raise StudyError(f"cannot read votes from {database}: {error}; is the file damaged or still being copied?") from error
    return protocol, volunteers


@contextmanager
def _reading(database: Path) -> Iterator[sqlite3.Connection]:
    address = f"{Path(database).resolve().as_uri()}?mode=ro"
    connection = sqlite3.connect(address, uri=True, timeout=20, isolation_level=None)
    try:
        try:
            connection.execute("SELECT count(*) FROM sqlite_master")
        except sqlite3.OperationalError:
            if Path(f"{database}-wal").exists():
                raise
            connection.close()  # a closed study in a folder without the right to write: nobody can change it while we read
            connection = sqlite3.connect(f"{address}&immutable=1", uri=True, isolation_level=None)
        yield connection
    finally:
        connection.close()


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")
