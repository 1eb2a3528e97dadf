"""A file of votes that is damaged or lies ends in one line: the file, the place, what to do."""

import json
import os
import random
import sqlite3
import struct
import threading
import time
from pathlib import Path

import pytest

from dancepipe.errors import StudyError
from dancepipe.study.plan import Trial
from dancepipe.study.report import study_report
from dancepipe.study.votes import VoteStore
from dancepipe.study.votes_file import is_begun, read_votes

PROTOCOL = {"methods": ["ours"], "check_share": 0.9, "pictures": 3, "seed": 0}
PLAN = [Trial("ours", "a", "left"), Trial(None, "b", "right"), Trial("ours", "c", "right")]
DIGESTS = {(method, name): "0" * 64 for method in ("", "ours") for name in "abc"}
HUGE = 9223372036854775807
DEEP = "[" * 100_000


@pytest.fixture
def honest(tmp_path):
    """A study of two volunteers: two of three votes, and none."""
    path = tmp_path / "votes.sqlite"
    store = VoteStore(path)
    store.begin(PROTOCOL, DIGESTS)
    token = store.enter("Ann", lambda key: PLAN).token
    for number in range(2):
        store.count_showing(token)
        store.add_vote(token, number, "left", 0.75, 0.5, 300.0)
    store.enter("Bob", lambda key: PLAN)
    store.close()
    assert len(study_report(path).volunteers) == 2
    return path


def change(path: Path, script: str, *values) -> None:
    """Run the statements as somebody with a database tool may, also past NOT NULL and keys."""
    with sqlite3.connect(path, isolation_level=None) as connection:
        ours = connection.execute("SELECT rowid, sql FROM sqlite_master").fetchall()
        connection.execute("PRAGMA writable_schema=ON")
        connection.execute(
            "UPDATE sqlite_master SET sql = replace(replace(sql, ' NOT NULL', ''), 'REAL', 'BLOB')"
        )
    connection.close()
    with sqlite3.connect(path, isolation_level=None) as connection:
        for statement in script.split(";"):
            connection.execute(statement, values)
        connection.execute("PRAGMA writable_schema=ON")
        connection.executemany("UPDATE sqlite_master SET sql = ?2 WHERE rowid = ?1", ours)
    connection.close()


def refused(path: Path, read) -> str:
    """The one line that the call ends in, quickly."""
    started = time.monotonic()
    with pytest.raises(StudyError) as caught:
        read(path)
    assert time.monotonic() - started < 5
    words = str(caught.value)
    assert words.splitlines() == [words] and len(words) < 900 and words.isprintable()
    assert str(path) in words
    return words


def go_on(path: Path) -> None:
    """What the server does with a file that is there."""
    store = VoteStore(path)
    try:
        store.begin(PROTOCOL, DIGESTS)
        token = store.enter("Cay", lambda key: PLAN).token
        store.count_showing(token)
        store.current_trial(token, 0)
        store.add_vote(token, 0, "left", 1.0, 1.0, 300.0)
    finally:
        store.close()


LIES = {
    "no protocol": ("DELETE FROM study", "table study has no row"),
    "two protocols": ("INSERT INTO study SELECT * FROM study", "study has more than 1 rows"),
    "protocol NULL": ("UPDATE study SET protocol = NULL", "row 1: protocol is None"),
    "protocol a blob": ("UPDATE study SET protocol = x'7b7d'", "row 1: protocol is b'{}'"),
    "protocol 5": ("UPDATE study SET protocol = '5'", "protocol is 5, needs a JSON object"),
    "protocol null": ("UPDATE study SET protocol = 'null'", "protocol is None, needs a JSON obj"),
    "protocol a list": ("UPDATE study SET protocol = '[1]'", "protocol is .1., needs a JSON obj"),
    "protocol text": ("UPDATE study SET protocol = 'hello'", "row 1: protocol is no JSON"),
    "protocol empty": ("UPDATE study SET protocol = ''", "row 1: protocol is no JSON"),
    "protocol NaN": ("""UPDATE study SET protocol = '{"check_share": NaN}'""", "NaN"),
    "protocol not UTF-8": (
        "UPDATE study SET protocol = CAST(x'7b22ff223a317d' AS TEXT)",
        "row 1: protocol is '{.*udcff.*, needs a text",
    ),
    "began a blob": ("UPDATE study SET began = x'05'", "row 1: began is b'.x05'"),
    "began of two lines": ("UPDATE study SET began = 'a' || char(10) || 'b'", "began is 'a.nb'"),
    "digest NULL": ("UPDATE file SET sha256 = NULL WHERE name = 'b'", "name 'b': sha256 is None"),
    "a file of no method": ("INSERT INTO file VALUES ('his', 'a', '1')", "name 'a': the study has"),
    "a file of no name": ("INSERT INTO file VALUES ('ours', '', '1')", "name '': name is ''"),
    "token NULL": ("UPDATE volunteer SET token = NULL WHERE id = 2", "row id 2: token is None"),
    "token short": ("UPDATE volunteer SET token = 'abc' WHERE id = 2", "row id 2: token is 'abc'"),
    "id negative": ("UPDATE volunteer SET id = -3 WHERE id = 2", "row id -3: id is -3"),
    "key long": (
        "UPDATE volunteer SET key = printf('%.999c', 'x') WHERE id = 2",
        "row id 2: key is 'xxx",
    ),
    "name NULL": ("UPDATE volunteer SET name = NULL WHERE id = 2", "row id 2: name is None"),
    "name a blob": ("UPDATE volunteer SET name = x'05' WHERE id = 2", "row id 2: name is b'.x05'"),
    "name not UTF-8": (
        "UPDATE volunteer SET name = CAST(x'41ff' AS TEXT) WHERE id = 2",
        "row id 2: name is 'A.udcff'",
    ),
    "name a terminal's command": (
        "UPDATE volunteer SET name = char(27) || '[31m' WHERE id = 2",
        "row id 2: name is '.x1b.31m'",
    ),
    "name huge": ("UPDATE volunteer SET name = printf('%.9999999c', 'x')", "volunteer.*big|x"),
    "a trial of nobody": (
        "INSERT INTO trial VALUES (7, 0, 'ours', 'a', 'left', 0)",
        "trial, row volunteer 7, number 0: there is no volunteer",
    ),
    "a volunteer of no number": (
        "UPDATE trial SET volunteer = 'x' WHERE volunteer = 2 AND number = 2",
        "trial, row volunteer 'x', number 2: volunteer is 'x', needs a whole number",
    ),
    "a trial left out": ("DELETE FROM trial WHERE number = 0", "number 1: there is no trial bef"),
    "a trial far away": (
        f"UPDATE trial SET number = {HUGE} WHERE volunteer = 2 AND number = 2",
        f"volunteer 2, number {HUGE}: number is",
    ),
    "a method of no study": (
        "UPDATE trial SET method = 'his' WHERE volunteer = 2 AND number = 2",
        "volunteer 2, number 2: the study has no such method",
    ),
    "picture NULL": (
        "UPDATE trial SET picture = NULL WHERE volunteer = 2 AND number = 1",
        "volunteer 2, number 1: picture is None",
    ),
    "the real one up": (
        "UPDATE trial SET real_side = 'up' WHERE volunteer = 1 AND number = 1",
        "volunteer 1, number 1: real_side is 'up', needs left or right",
    ),
    "showings text": (
        "UPDATE trial SET showings = 'many' WHERE volunteer = 1 AND number = 1",
        "volunteer 1, number 1: showings is 'many'",
    ),
    "showings a blob": ("UPDATE trial SET showings = x'01' WHERE volunteer = 1", "showings is b'"),
    "showings huge": (f"UPDATE trial SET showings = {HUGE} WHERE volunteer = 2", "showings is 92"),
    "showings half": ("UPDATE trial SET showings = 0.5 WHERE volunteer = 2", "showings is 0.5"),
    "showings negative": ("UPDATE trial SET showings = -1 WHERE volunteer = 2", "showings is -1"),
    "side up": (
        "UPDATE vote SET side = 'up' WHERE number = 1",
        "vote, row volunteer 1, number 1: side is 'up', needs left or right",
    ),
    "side NULL": ("UPDATE vote SET side = NULL WHERE number = 1", "number 1: side is None"),
    "side a blob": ("UPDATE vote SET side = x'6c656674' WHERE number = 1", "1: side is b'left'"),
    "seconds text": ("UPDATE vote SET response_seconds = 'soon'", "response_seconds is 'soon'"),
    "seconds a number as text": ("UPDATE vote SET shown_seconds = '0.5'", "shown_seconds is '0.5'"),
    "seconds NULL": ("UPDATE vote SET response_seconds = NULL", "response_seconds is None"),
    "seconds negative": ("UPDATE vote SET response_seconds = -1.0", "response_seconds is -1.0"),
    "seconds infinite": ("UPDATE vote SET response_seconds = 9e999", "response_seconds is inf"),
    "width infinite": ("UPDATE vote SET picture_width_px = -9e999", "picture_width_px is -inf"),
    "width a blob": ("UPDATE vote SET picture_width_px = zeroblob(9)", "picture_width_px is b'"),
    "came NULL": ("UPDATE vote SET came = NULL WHERE number = 1", "number 1: came is None"),
    "a vote without trial": (
        "INSERT INTO vote VALUES (1, 3, 'left', 1.0, 1.0, 1.0, 'now')",
        "vote, row volunteer 1, number 3: there is no such trial",
    ),
    "a vote of nobody": ("UPDATE vote SET volunteer = 9", "volunteer 9, number 0: there is no s"),
    "a vote left out": ("DELETE FROM vote WHERE number = 0", "number 1: there is no vote before"),
}


@pytest.mark.parametrize("script, message", LIES.values(), ids=LIES)
def test_contents_that_lie_are_told_with_table_and_row(honest, script, message):
    change(honest, script)
    assert is_begun(honest)
    for read in (study_report, read_votes, VoteStore):
        refused(honest, read)
        with pytest.raises(StudyError, match=message):
            read(honest)


PROTOCOLS = {
    "no methods": ({}, "has methods None"),
    "no method": ({"methods": []}, "has methods .., needs a list of 1 to 50"),
    "methods a text": ({"methods": "ours"}, "has methods 'ours'"),
    "methods of numbers": ({"methods": [1]}, "has methods .1., needs"),
    "a method of two lines": ({"methods": ["a\nb"]}, "has methods"),
    "the same method twice": ({"methods": ["a", "a"]}, "different names"),
    "thousands of methods": ({"methods": [f"m{index}" for index in range(5000)]}, "1 to 50"),
    "a share of text": ({"methods": ["ours"], "check_share": "0.9"}, "check_share '0.9'"),
    "a share of nothing": ({"methods": ["ours"], "check_share": None}, "check_share None"),
    "a share of truth": ({"methods": ["ours"], "check_share": True}, "check_share True"),
    "a share below none": ({"methods": ["ours"], "check_share": -1}, "check_share -1"),
}


@pytest.mark.parametrize("protocol, message", PROTOCOLS.values(), ids=PROTOCOLS)
def test_protocols_of_no_study(honest, protocol, message):
    change(honest, "UPDATE study SET protocol = ?", json.dumps(protocol))
    for read in (study_report, VoteStore):
        assert "table study, row 1: protocol has" in refused(honest, read)
        with pytest.raises(StudyError, match=message):
            read(honest)


def test_a_protocol_nested_without_end_and_one_without_a_share(honest):
    change(honest, "UPDATE study SET protocol = ?", DEEP + "]" * len(DEEP))
    assert "nested" in refused(honest, study_report)
    change(honest, "UPDATE study SET protocol = ?", json.dumps({"methods": ["ours"]}))
    assert "protocol has no check_share" in refused(honest, study_report)
    assert "check_share is None there, 0.9 here" in refused(honest, go_on)


ENDLESS = "WITH RECURSIVE t(x) AS (SELECT 1 UNION ALL SELECT x FROM t) SELECT x, x FROM t"
TABLES = {
    "vote is missing": ("DROP TABLE vote", "table vote is missing"),
    "study is missing": ("DROP TABLE study", "table study is missing"),
    "study is a view without end": (
        f"DROP TABLE study; CREATE VIEW study (protocol, began) AS {ENDLESS}",
        "table 'study' is not made as ours is .it is a 'view'.",
    ),
    "vote is a view": (
        "ALTER TABLE vote RENAME TO other; CREATE VIEW vote AS SELECT * FROM other",
        "table 'vote' is not made as ours is .it is a 'view'.|'other' is none of ours",
    ),
    "a trigger": (
        "CREATE TRIGGER t AFTER INSERT ON vote BEGIN DELETE FROM vote; END",
        "trigger 't' is none of ours",
    ),
    "a view beside": (f"CREATE VIEW v (a, b) AS {ENDLESS}", "view 'v' is none of ours"),
    "an index beside": ("CREATE INDEX i ON vote (side)", "index 'i' is none of ours"),
    "a table beside": ("CREATE TABLE more (x)", "table 'more' is none of ours"),
    "a virtual table": ("CREATE VIRTUAL TABLE f USING fts4(x)", "'f.*' is none of ours"),
    "a column more": ("ALTER TABLE vote ADD COLUMN x", "table 'vote' is not made as ours is"),
    "a column that is computed": (
        "DROP TABLE study; CREATE TABLE study (protocol TEXT NOT NULL, began AS (protocol))",
        "table 'study' is not made as ours is",
    ),
    "many tables": (
        f"BEGIN; {'; '.join(f'CREATE TABLE t{index} (x)' for index in range(300))}; COMMIT",
        "more than the tables of a study",
    ),
}


@pytest.mark.parametrize("script, message", TABLES.values(), ids=TABLES)
def test_tables_that_are_not_ours(honest, script, message):
    with sqlite3.connect(honest, isolation_level=None) as connection:
        connection.executescript(script)
    connection.close()
    before = honest.read_bytes()
    for read in (is_begun, study_report, VoteStore):
        refused(honest, read)
        with pytest.raises(StudyError, match=message):
            read(honest)
    assert honest.read_bytes() == before


def test_a_database_of_something_else_with_many_tables_stays_what_it_is(tmp_path):
    path = tmp_path / "photos.sqlite"
    with sqlite3.connect(path) as connection:
        connection.executescript(TABLES["many tables"][0])
    connection.close()
    for read in (is_begun, study_report, VoteStore):
        assert "a database of something else" in refused(path, read)


def test_a_pipe_is_not_waited_for(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    for read in (is_begun, study_report, VoteStore):
        assert "no plain file" in refused(path, read)


def test_a_file_that_calls_itself_unwritable_is_told_before_anybody_votes(honest):
    data = bytearray(honest.read_bytes())
    data[18] = 9  # the version of SQLite that is needed to write it
    honest.write_bytes(data)
    assert len(study_report(honest).volunteers) == 2
    with pytest.raises(StudyError, match="cannot write votes to .*votes.sqlite: attempt to write"):
        go_on(honest)


def test_more_volunteers_than_can_be_are_refused(honest):
    change(
        honest,
        "WITH RECURSIVE n(x) AS (SELECT 3 UNION ALL SELECT x + 1 FROM n LIMIT 1500)"
        " INSERT INTO volunteer SELECT x, printf('%032x', x), 'k' || x, 'n' || x, 'now' FROM n",
    )
    assert "table volunteer has more than 1000 rows" in refused(honest, study_report)


def test_a_picture_of_no_study_is_refused_before_anybody_is_to_see_it(honest):
    store = VoteStore(honest)
    store.check_pictures(["a", "b", "c"])
    with pytest.raises(StudyError, match="trial, row volunteer 1, number 1: picture 'b' is not"):
        store.check_pictures(["a", "c"])
    store.close()


def test_a_row_changed_behind_the_open_store_is_an_error_of_ours(honest):
    store = VoteStore(honest)
    token = store.enter("Cay", lambda key: PLAN).token
    change(honest, "UPDATE trial SET real_side = 'up' WHERE volunteer = 3")
    with pytest.raises(StudyError, match="volunteer 3, number 0: real_side is 'up'"):
        store.current_trial(token, 0)
    store.close()


@pytest.mark.parametrize("table", ["file", "trial"])
def test_pages_that_lead_round_in_circles_end(tmp_path, table):
    path = tmp_path / "votes.sqlite"
    store = VoteStore(path)
    store.begin(PROTOCOL, {("ours", f"p{index}"): "0" * 64 for index in range(500)})
    store.enter("Ann", lambda key: PLAN * 200)
    store.close()
    with sqlite3.connect(path) as connection:
        found = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,))
        start = (found.fetchone()[0] - 1) * 4096
    connection.close()
    data = bytearray(path.read_bytes())
    kind, _, cells = struct.unpack_from(">BHH", data, start)
    assert kind == 2 and cells > 1, "a page that leads to others"
    places = struct.unpack_from(f">{cells}H", data, start + 12)
    for place in places:
        data[start + place : start + place + 4] = data[start + places[0] : start + places[0] + 4]
    path.write_bytes(data)
    for read in (study_report, VoteStore):
        assert f"table {table}, row" in refused(path, read)


def test_a_study_that_goes_on_is_read_as_it_was_at_one_moment(honest):
    store, failures = VoteStore(honest), []

    def read():
        try:
            while not done.is_set():
                counts.append(len(read_votes(honest)[1]))
        except StudyError as error:
            failures.append(error)

    done, counts = threading.Event(), []
    thread = threading.Thread(target=read)
    thread.start()
    for index in range(80):
        token = store.enter(f"n{index}", lambda key: PLAN).token
        store.count_showing(token)
        store.add_vote(token, 0, "left", 1.0, 1.0, 300.0)
    done.set()
    thread.join(20)
    store.close()
    assert not failures and len(counts) > 3


@pytest.mark.parametrize("damage", ["flips", "a page of another", "a page of noise", "cut"])
def test_damaged_pages_end_in_one_line_or_do_no_harm(honest, tmp_path, damage):
    """Whatever is refused is refused in one line; what is read is a sound study."""
    whole, chance = honest.read_bytes(), random.Random(damage)
    pages, told = len(whole) // 4096, 0
    for attempt in range(60):
        data = bytearray(whole)
        place = chance.randrange(pages) * 4096
        if damage == "flips":
            for _ in range(chance.choice((1, 3, 30))):
                data[chance.randrange(len(data))] = chance.randrange(256)
        elif damage == "a page of another":
            other = chance.randrange(pages) * 4096
            data[place : place + 4096] = whole[other : other + 4096]
        elif damage == "a page of noise":
            data[place + 100 : place + 4096] = chance.randbytes(3996)
        else:
            del data[chance.randrange(1, len(data)) :]
        path = tmp_path / f"{attempt}.sqlite"
        path.write_bytes(data)
        for read in (is_begun, study_report, go_on):
            try:
                read(path)
            except StudyError:
                told += 1
                refused(path, read)
    assert told > 30


def test_a_large_study_is_read_quickly(tmp_path):
    """200 volunteers of 200 votes; the names of pictures are as long as those of files may be."""
    path, volunteers, pairs = tmp_path / "votes.sqlite", 200, 200
    store = VoteStore(path)
    store.begin(PROTOCOL, DIGESTS)
    store.close()
    with sqlite3.connect(path) as connection:
        for volunteer in range(1, volunteers + 1):
            name = f"v{volunteer}"
            values = (volunteer, f"{volunteer:032x}", name, name, "now")
            connection.execute("INSERT INTO volunteer VALUES (?, ?, ?, ?, ?)", values)
            connection.executemany(
                "INSERT INTO trial VALUES (?, ?, 'ours', ?, 'left', 1)",
                [(volunteer, number, f"{number:0250d}") for number in range(pairs)],
            )
            connection.executemany(
                "INSERT INTO vote VALUES (?, ?, ?, 1, 1, 300, 'now')",
                [(volunteer, number, ("left", "right")[number % 2]) for number in range(pairs)],
            )
    connection.close()
    started = time.process_time()
    report = study_report(path)
    assert time.process_time() - started < 8
    assert (report.methods[0].votes, report.methods[0].jnd) == (volunteers * pairs, 0.5)
