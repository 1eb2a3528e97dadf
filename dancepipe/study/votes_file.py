"""The SQLite file of the votes: its tables, and the door at which all that is in it is checked.

Such a file may come from anywhere. Nothing is asked of it before it is known to hold our tables and
nothing else (a view can count for ever), and no row is taken for what its column promises: SQLite
stores text where numbers should be, and whoever can write to the file can store anything.
"""

import hashlib
import sqlite3
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from dancepipe.errors import StudyError
from dancepipe.files.plain_text import parse_json, shortened
from dancepipe.study.plan import MOST_METHODS, MOST_TRIALS, SIDES, Trial
from dancepipe.study.votes_rules import (
    KEYS,
    RULES,
    is_method,
    place_of,
    wrong_with,
)

APPLICATION_ID = 0x64706A6E  # "dpjn" in the header of the file: a study of ours
MOST_VOLUNTEERS = 1000
MOST_TRIALS_IN_ALL = 1_000_000  # what a report can hold in memory
TABLES = """
CREATE TABLE study (protocol TEXT NOT NULL, began TEXT NOT NULL);
CREATE TABLE file (
    method TEXT NOT NULL, name TEXT NOT NULL, sha256 TEXT NOT NULL, PRIMARY KEY (method, name))
    WITHOUT ROWID;
CREATE TABLE volunteer (
    id INTEGER PRIMARY KEY, token TEXT NOT NULL UNIQUE, key TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL, began TEXT NOT NULL);
CREATE TABLE trial (
    volunteer INTEGER NOT NULL REFERENCES volunteer, number INTEGER NOT NULL, method TEXT,
    picture TEXT NOT NULL, real_side TEXT NOT NULL, showings INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (volunteer, number)) WITHOUT ROWID;
CREATE TABLE vote (
    volunteer INTEGER NOT NULL, number INTEGER NOT NULL, side TEXT NOT NULL,
    response_seconds REAL NOT NULL, shown_seconds REAL NOT NULL,
    picture_width_px REAL NOT NULL, came TEXT NOT NULL, PRIMARY KEY (volunteer, number),
    FOREIGN KEY (volunteer, number) REFERENCES trial) WITHOUT ROWID;
"""
_MOST_BYTES = 512 << 20  # a million trials and votes of long names fit
_MOST_VALUE_BYTES = 1 << 20
_MOST_SCHEMA_ROWS = 64


@dataclass(frozen=True)
class Vote:
    """One answered trial. `picture_width_px` is the width on screen in CSS pixels.

    `showings` above 1 means a reload of the page.
    """

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


def is_begun(database: Path) -> bool:
    """Whether there is a study in the file. StudyError where it is something else. Creates nothing.

    The tables are checked, what is in them is not.
    """
    database = Path(database)
    with _errors_of(database):
        if not database.exists():
            return False
        if not database.is_file():
            raise unsound(database, "it is no plain file")
        if database.stat().st_size == 0:
            return False
    with _reading(database) as connection:
        return holds_study(connection, database)


def read_votes(database: Path) -> tuple[dict, list[VolunteerVotes]]:
    """The protocol and the volunteers of a database, in order of arrival.

    Also while the study goes on. Every row of every table is checked. StudyError names the table
    and the row that cannot be.
    """
    database = Path(database)
    if not is_begun(database):
        raise StudyError(
            f"no study in {database}; name the database that `dancepipe study` wrote its votes to"
        )
    with _reading(database) as connection:
        connection.execute("BEGIN")  # one state of the file, whatever comes in meanwhile
        holds_study(connection, database)
        protocol, _ = read_study(connection, database)
        read_digests(connection, database, protocol)
        volunteers = _read_volunteers(connection, database, protocol)
        # After the rows, because a row says better what is wrong than a page does.
        problem = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
        if problem != "ok":
            raise unsound(database, problem)
    return protocol, volunteers


def holds_study(connection: sqlite3.Connection, database: Path) -> bool:
    """Whether the open file holds a study; False where it is empty. StudyError: anything else."""
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    found = connection.execute(
        f"SELECT type, name, tbl_name, sql FROM sqlite_master LIMIT {_MOST_SCHEMA_ROWS}"
    ).fetchall()
    if application != APPLICATION_ID:
        if found:
            raise _of_something_else(database)
        return False
    there = {tuple(_squeezed(value) for value in row) for row in found}
    for kind, name, _, _ in sorted(there - _our_schema(), key=str, reverse=True):
        if any(name == own for _, own, _, _ in _our_schema()):
            what = f"table {shortened(name)} is not made as ours is (it is a {shortened(kind)})"
            raise unsound(database, what)
        known = kind if kind in ("table", "index", "view", "trigger") else "entry"
        raise unsound(database, f"{known} {shortened(name)} is none of ours")
    for kind, name, _, _ in sorted(_our_schema() - there, key=str, reverse=True):
        raise unsound(database, f"{kind} {name} is missing")
    return True


def read_study(connection: sqlite3.Connection, database: Path) -> tuple[dict, str]:
    """The protocol, and a name of this very study that tells nothing. StudyError."""
    rows = list(_rows(connection, database, "study", 1))
    if not rows:
        raise unsound(database, "table study has no row")
    text, began = rows[0]
    place = "table study, row 1: protocol"
    try:
        protocol = parse_json(text)
    except ValueError as error:
        raise unsound(database, f"{place} is no JSON ({error})") from error
    if not isinstance(protocol, dict):
        raise unsound(database, f"{place} is {shortened(protocol)}, needs a JSON object")
    methods = protocol.get("methods")
    if not (
        isinstance(methods, list)
        and 0 < len(methods) <= MOST_METHODS
        and all(isinstance(method, str) and is_method(method) for method in methods)
        and len(set(methods)) == len(methods)
    ):
        raise unsound(
            database,
            f"{place} has methods {shortened(methods)}, "
            f"needs a list of 1 to {MOST_METHODS} different names",
        )
    share = protocol.get("check_share", 0.0)
    if type(share) not in (int, float) or share < 0:
        raise unsound(database, f"{place} has check_share {shortened(share)}, needs a number")
    return protocol, hashlib.sha256(f"{text}\0{began}".encode()).hexdigest()[:16]


def read_digests(
    connection: sqlite3.Connection, database: Path, protocol: dict
) -> dict[tuple[str, str], str]:
    """SHA-256 of the pictures: (method or "", name without ending) -> digest. StudyError."""
    methods = {"", *protocol["methods"]}
    digests = {}
    for method, name, digest in _rows(
        connection, database, "file", (MOST_METHODS + 1) * MOST_TRIALS
    ):
        if method not in methods:
            place = place_of("file", (method, name))
            raise unsound(database, f"{place}: the study has no such method")
        digests[method, name] = digest
    return digests


def harden(connection: sqlite3.Connection) -> None:
    """Let nothing that the file says run, and let no value of it fill the memory."""
    connection.execute("PRAGMA trusted_schema=OFF")
    connection.execute("PRAGMA cell_size_check=ON")
    # What is no UTF-8 becomes text that no rule fits, and so is refused with its row.
    connection.text_factory = lambda data: data.decode("utf-8", "surrogateescape")
    if sys.version_info >= (3, 11):  # before it, the file's size is the limit
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _MOST_VALUE_BYTES)


def unsound(database: Path, what: str) -> StudyError:
    """The error for a file that is damaged or that lies; `what` says where and how."""
    line = "".join(sign if sign.isprintable() else " " for sign in what)
    return StudyError(
        f"cannot read votes from {database}: {' '.join(line.split())[:400]}; "
        "name a copy of it that is whole, or a file that is not there yet"
    )


def _of_something_else(database: Path) -> StudyError:
    return StudyError(
        f"{database} is a database of something else; "
        "name a database of a study, or a file that is not there yet"
    )


@contextmanager
def _errors_of(database: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        raise unsound(database, str(error)) from error
    except UnicodeDecodeError as error:  # SQLite quotes a damaged name in its message
        raise unsound(database, "its tables have damaged names") from error


@contextmanager
def _reading(database: Path) -> Iterator[sqlite3.Connection]:
    with _errors_of(database):
        _check_first_page(database)
        address = f"{database.resolve().as_uri()}?mode=ro"
        connection = sqlite3.connect(address, uri=True, timeout=20, isolation_level=None)
        try:
            harden(connection)
            try:
                connection.execute("SELECT count(*) FROM sqlite_master")
            except sqlite3.OperationalError:
                if Path(f"{database}-wal").exists():
                    raise
                # A closed study in a folder without the right to write: nobody can change it while
                # we read.
                connection.close()
                connection = sqlite3.connect(
                    f"{address}&immutable=1", uri=True, isolation_level=None
                )
                harden(connection)
            yield connection
        finally:
            connection.close()


def _check_first_page(database: Path) -> None:
    """Look for more tables than can be ours before SQLite reads them all into memory."""
    with open(database, "rb") as file:
        head = file.read(108)
        size = file.seek(0, 2)
    if size > _MOST_BYTES:
        raise unsound(database, f"it is larger than {_MOST_BYTES >> 20} MiB")
    if len(head) < 108 or not head.startswith(b"SQLite format 3\0"):
        return  # SQLite says it
    (application,) = struct.unpack_from(">I", head, 68)
    kind, _, rows = struct.unpack_from(">BHH", head, 100)
    if kind == 5 or rows > _MOST_SCHEMA_ROWS:
        if application != APPLICATION_ID:
            raise _of_something_else(database)
        raise unsound(database, "it holds more than the tables of a study")


@cache
def _our_schema() -> frozenset[tuple]:
    """What a file with our tables has in sqlite_master."""
    connection = sqlite3.connect(":memory:")
    try:
        connection.executescript(TABLES)
        rows = connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_master").fetchall()
    finally:
        connection.close()
    return frozenset(tuple(_squeezed(value) for value in row) for row in rows)


def _squeezed(value):
    return " ".join(value.split()).replace("( ", "(") if isinstance(value, str) else value


def _read_volunteers(
    connection: sqlite3.Connection, database: Path, protocol: dict
) -> list[VolunteerVotes]:
    names: dict[int, str] = {}
    tokens, keys = set(), set()
    for row in _rows(connection, database, "volunteer", MOST_VOLUNTEERS):
        number, token, key, name, _ = row
        if token in tokens or key in keys:
            raise unsound(database, f"{place_of('volunteer', row)}: is there twice")
        names[number] = name
        tokens.add(token)
        keys.add(key)
    trials: dict[int, list[tuple[Trial, int]]] = {number: [] for number in names}
    methods = {None, *protocol["methods"]}
    alike: dict[tuple, Trial] = {}  # the same pair is shown to many
    for row in _rows(connection, database, "trial", MOST_TRIALS_IN_ALL):
        volunteer, number, method, picture, real_side, showings = row
        if volunteer not in trials or number != len(trials[volunteer]):
            lacking = "volunteer" if volunteer not in trials else "trial before it"
            raise unsound(database, f"{place_of('trial', row)}: there is no {lacking}")
        if method not in methods:
            raise unsound(database, f"{place_of('trial', row)}: the study has no such method")
        key = (method, picture, real_side)
        trial = alike.get(key) or alike.setdefault(key, Trial(*key))
        trials[volunteer].append((trial, showings))
    votes: dict[int, list[Vote]] = {number: [] for number in names}
    for row in _rows(connection, database, "vote", MOST_TRIALS_IN_ALL):
        volunteer, number, side, response, shown, width, _ = row
        if volunteer not in trials or number >= len(trials[volunteer]):
            raise unsound(database, f"{place_of('vote', row)}: there is no such trial")
        if number != len(votes[volunteer]):
            raise unsound(database, f"{place_of('vote', row)}: there is no vote before it")
        trial, showings = trials[volunteer][number]
        side = SIDES[SIDES.index(side)]  # one text for all
        votes[volunteer].append(Vote(trial, side, response, shown, width, showings))
    return [
        VolunteerVotes(name, len(trials[number]), tuple(votes[number]))
        for number, name in names.items()
    ]


def _rows(connection: sqlite3.Connection, database: Path, table: str, most: int) -> Iterator[tuple]:
    """The rows of a table in the order of its key, checked one by one. StudyError."""
    rules, keys = RULES[table], KEYS[table]
    columns = ", ".join(rule.column for rule in rules)
    order = f" ORDER BY {', '.join(rule.column for rule in rules[:keys])}" if keys else ""
    last = None
    try:
        rows = connection.execute(f"SELECT {columns} FROM {table}{order} LIMIT {most + 1}")
        for index, row in enumerate(rows):
            if index == most:
                raise unsound(database, f"table {table} has more than {most} rows")
            if problem := wrong_with(table, row):
                raise unsound(database, problem)
            # A damaged file can lead round in circles.
            if last is not None and row[:keys] <= last:
                raise unsound(database, f"{place_of(table, row)}: is there twice or out of order")
            last = row[:keys] if keys else None
            yield row
    except sqlite3.Error as error:
        after = f", after row {shortened(last)}" if last is not None else ""
        raise unsound(database, f"table {table}{after}: {error}") from error
