"""Votes survive whatever happens, count once, and stay in the database of their study."""

import shutil
import sqlite3
import threading

import pytest

from dancepipe.errors import StudyError
from dancepipe.study.plan import Trial
from dancepipe.study.votes import (
    NameTakenError,
    NoSuchVolunteerError,
    VoteStore,
    WrongTurnError,
    clean_name,
    name_key,
)
from dancepipe.study.votes_file import is_begun, read_votes

PLAN = [Trial("ours", "a", "left"), Trial(None, "b", "right"), Trial("ours", "c", "right")]
PROTOCOL = {"methods": ["ours"], "seed": 0, "show_seconds": 1.0}
DIGESTS = {("", "a"): "1", ("ours", "a"): "2"}


@pytest.fixture
def store(tmp_path):
    store = VoteStore(tmp_path / "votes.sqlite")
    store.begin(PROTOCOL, DIGESTS)
    yield store
    store.close()


def vote(store, token, number, side="left"):
    return store.add_vote(token, number, side, 0.75, 0.7, 300.0)


def test_votes_come_back_with_all_that_was_stored(store):
    token = store.enter("Zoë", lambda key: PLAN).token
    store.count_showing(token)
    assert vote(store, token, 0).answered == 1
    store.count_showing(token)
    store.count_showing(token)
    vote(store, token, 1)
    protocol, (zoe,) = read_votes(store.database)
    assert protocol == PROTOCOL
    assert (zoe.name, zoe.total, len(zoe.votes)) == ("Zoë", 3, 2)
    assert [(v.trial, v.side, v.right, v.showings) for v in zoe.votes] == [
        (PLAN[0], "left", True, 1),
        (PLAN[1], "left", False, 2),
    ]
    assert (
        zoe.votes[0].response_seconds,
        zoe.votes[0].shown_seconds,
        zoe.votes[0].picture_width_px,
    ) == (0.75, 0.7, 300.0)


def test_the_first_answer_stands(store):
    token = store.enter("ann", lambda key: PLAN).token
    store.count_showing(token)
    assert vote(store, token, 0, "left").answered == 1
    assert vote(store, token, 0, "left").answered == 1
    assert vote(store, token, 0, "right").answered == 1
    assert [v.side for v in read_votes(store.database)[1][0].votes] == ["left"]


def test_only_the_pair_that_is_shown_can_be_answered_or_looked_at(store):
    token = store.enter("ann", lambda key: PLAN).token
    with pytest.raises(WrongTurnError):
        vote(store, token, 0)  # not shown yet
    store.count_showing(token)
    for number in (1, 2, 3, -1, 10**30):
        with pytest.raises(WrongTurnError):
            vote(store, token, number)
    assert store.current_trial(token, 0) == PLAN[0]
    for number in (1, 99):
        with pytest.raises(WrongTurnError):
            store.current_trial(token, number)
    for number in range(3):
        store.count_showing(token)
        vote(store, token, number)
    with pytest.raises(WrongTurnError):
        store.current_trial(token, 3)
    store.count_showing(token)
    with pytest.raises(WrongTurnError):
        vote(store, token, 3)
    assert store.progress(token).answered == 3
    for call in (store.progress, store.count_showing, lambda token: vote(store, token, 0)):
        with pytest.raises(NoSuchVolunteerError):
            call("0" * 32)


def test_a_name_goes_on_where_it_stopped_with_its_token_only(store):
    first = store.enter("Ann Lee", lambda key: PLAN)
    store.count_showing(first.token)
    vote(store, first.token, 0)
    again = store.enter("ann LEE", lambda key: pytest.fail("the plan is stored"), first.token)
    assert (again.token, again.name, again.answered, again.total) == (first.token, "Ann Lee", 1, 3)
    bob = store.enter("Bob", lambda key: PLAN[:2]).token
    assert bob != first.token
    wrong = [None, "", bob, first.token[:-1], first.token + "0", first.token.upper(), "0" * 32]
    for token in (*wrong, "\ud800", "\x00", first.token.replace("0", "\u0660") + " "):
        with pytest.raises(NameTakenError):
            store.enter("Ann Lee", lambda key: pytest.fail("the plan is stored"), token)
    assert [volunteer.name for volunteer in read_votes(store.database)[1]] == ["Ann Lee", "Bob"]


def test_a_new_name_is_known_by_the_token_it_brings_where_nobody_has_it(store):
    """Who asks again, because the answer got lost on the way, must not find the own name taken."""
    own = "0123456789abcdef" * 2
    assert store.enter("Ann", lambda key: PLAN, own).token == own
    assert store.enter("Ann", lambda key: PLAN, own).token == own
    for number, token in enumerate((own, own.upper(), own[:-1], "", "\ud800")):
        fresh = store.enter(f"Bob {number}", lambda key: PLAN, token).token
        assert fresh not in (own, token) and len(fresh) == 32
        assert store.progress(fresh).name == f"Bob {number}"
    assert store.progress(own).name == "Ann"


def test_no_more_are_taken_than_a_report_can_hold(store, monkeypatch):
    monkeypatch.setattr("dancepipe.study.votes.MOST_TRIALS_IN_ALL", 7)
    tokens = [store.enter(name, lambda key: PLAN).token for name in ("Ann", "Bob")]
    with pytest.raises(StudyError, match="2 volunteers with 6 pairs are in .*, no more are taken"):
        store.enter("Cay", lambda key: PLAN)
    assert [store.progress(token).total for token in tokens] == [3, 3]


def test_a_copy_of_the_file_alone_has_every_vote(store, tmp_path):
    """Whoever mails votes.sqlite while the server runs, or after a kill, must not leave votes
    behind in the -wal file."""
    token = store.enter("ann", lambda key: PLAN).token
    for number in range(3):
        store.count_showing(token)
        vote(store, token, number)
        copy = tmp_path / f"copy{number}.sqlite"
        shutil.copyfile(store.database, copy)
        assert len(read_votes(copy)[1][0].votes) == number + 1


def test_many_at_once_lose_and_double_nothing(store):
    """Eight volunteers, each with two windows that vote on the same pairs, at two servers of one
    database."""
    second = VoteStore(store.database)
    plan = [Trial("ours", f"p{index}", "left") for index in range(12)]
    tokens = {f"v{index}": f"{index:032x}" for index in range(8)}
    errors = []

    def window(name, store):
        try:
            token = store.enter(name, lambda key: plan, tokens[name]).token
            while (progress := store.count_showing(token)).answered < progress.total:
                vote(store, token, progress.answered)
        except Exception as error:
            errors.append(error)

    threads = [
        threading.Thread(target=window, args=(f"v{index // 2}", (store, second)[index % 2]))
        for index in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    second.close()
    assert not errors
    volunteers = sorted(read_votes(store.database)[1], key=lambda volunteer: volunteer.name)
    assert [len(volunteer.votes) for volunteer in volunteers] == [12] * 8
    assert all([v.trial for v in volunteer.votes] == plan for volunteer in volunteers)


def test_the_same_study_is_gone_on_with_and_another_is_refused(tmp_path):
    path = tmp_path / "votes.sqlite"
    assert not is_begun(path)
    assert not path.exists()
    first = VoteStore(path)
    first.begin(PROTOCOL, DIGESTS)
    first.close()
    assert is_begun(path)
    again = VoteStore(path)
    again.begin(dict(reversed(PROTOCOL.items())), DIGESTS)
    with pytest.raises(
        StudyError,
        match=r"holds another study \(seed is 0 there, 7 here; show_seconds is 1.0 there, None "
        r"here\); .*new database",
    ):
        again.begin({"methods": ["ours"], "seed": 7}, DIGESTS)
    with pytest.raises(StudyError, match="1 of 2 picture files are not the same"):
        again.begin(PROTOCOL, DIGESTS | {("ours", "a"): "3"})
    again.close()
    assert read_votes(path) == (PROTOCOL, [])


def test_files_that_are_no_study(tmp_path):
    (tmp_path / "text.sqlite").write_text("no database at all, just some text\n" * 100)
    with pytest.raises(StudyError, match="cannot read votes from .*text.sqlite.*not a database"):
        is_begun(tmp_path / "text.sqlite")
    with sqlite3.connect(tmp_path / "foreign.sqlite") as connection:
        connection.execute("CREATE TABLE photos (name)")
    connection.close()
    before = (tmp_path / "foreign.sqlite").read_bytes()
    with pytest.raises(StudyError, match="a database of something else"):
        is_begun(tmp_path / "foreign.sqlite")
    assert (tmp_path / "foreign.sqlite").read_bytes() == before
    (tmp_path / "empty.sqlite").touch()
    assert not is_begun(tmp_path / "empty.sqlite")
    for path in (tmp_path / "empty.sqlite", tmp_path / "nothing.sqlite"):
        with pytest.raises(StudyError, match="no study in"):
            read_votes(path)
    with pytest.raises(StudyError, match="cannot read votes"):
        is_begun(tmp_path)
    with pytest.raises(StudyError, match="cannot write votes to .*a folder that can be written"):
        VoteStore(tmp_path / "no" / "folder" / "votes.sqlite")


@pytest.mark.parametrize(
    "text, name",
    [
        ("  Ann \t Lee ", "Ann Lee"),
        ("<b>Bob</b>", "<b>Bob</b>"),
        ("Zoe\u0308", "Zoë"),
        ("张伟", "张伟"),
    ],
)
def test_names_are_cleaned(text, name):
    assert clean_name(text) == name
    assert name_key(clean_name(text.upper())) == name_key(name)


@pytest.mark.parametrize(
    "text", ["", "  \n ", "x" * 41, "a\x00b", "a\x1b[31mb", "a\u202eb", "\ud800"]
)
def test_names_that_are_refused(text):
    with pytest.raises(ValueError, match="Please"):
        clean_name(text)
