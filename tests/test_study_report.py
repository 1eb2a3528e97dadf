"""The JND table counts what it says it counts, and its intervals are as wide as the votes are
uncertain."""

import json
import sqlite3

import numpy as np
import pytest

from dancepipe.errors import StudyError
from dancepipe.study.plan import Trial
from dancepipe.study.report import _bootstrap, _middle, study_report, wilson_interval
from dancepipe.study.votes import VoteStore

PROTOCOL = {"methods": ["other", "ours"], "check_share": 0.9, "pictures": 4, "seed": 0}


def write_votes(path, volunteers, protocol=PROTOCOL):
    """volunteers: name -> list of (method or None, picture, found the real one, seconds). Sides
    alternate."""
    store = VoteStore(path)
    store.begin(protocol, {})
    for name, answers in volunteers.items():
        plan = [
            Trial(method, picture, ("left", "right")[index % 2])
            for index, (method, picture, _, _) in enumerate(answers)
        ]
        token = store.enter(
            name, lambda key: plan + [Trial("ours", "last", "left")]
        ).token  # nobody is quite finished
        for number, (_, _, right, seconds) in enumerate(answers):
            store.count_showing(token)
            real = plan[number].real_side
            store.add_vote(
                token,
                number,
                real if right else {"left": "right", "right": "left"}[real],
                seconds,
                1.0,
                200,
            )
    store.close()
    return path


def answers(method, fooled, count, seconds=1.0):
    return [(method, f"p{index}", index >= fooled, seconds) for index in range(count)]


def test_shares_counts_and_medians(tmp_path):
    path = write_votes(
        tmp_path / "v.sqlite",
        {
            "ann": answers("ours", 3, 10, 1.0)
            + answers("other", 0, 5, 3.0)
            + answers(None, 0, 20, 9.0),
            "bob": answers("ours", 5, 10, 2.0) + answers("other", 1, 5, 5.0) + answers(None, 0, 2),
        },
    )
    report = study_report(path)
    other, ours = report.methods
    assert (ours.method, ours.jnd, ours.votes, ours.volunteers, ours.median_response_seconds) == (
        "ours",
        0.4,
        20,
        2,
        1.5,
    )
    assert (other.method, other.jnd, other.votes, other.median_response_seconds) == (
        "other",
        0.1,
        10,
        4.0,
    )
    assert ours.interval_by == other.interval_by == "bootstrap"
    assert ours.interval[0] < 0.4 < ours.interval[1]
    (difference,) = report.differences
    assert (difference.method, difference.other) == ("other", "ours")
    assert (
        difference.difference == pytest.approx(-0.3)
        and difference.interval[0] < -0.3 < difference.interval[1]
    )
    assert report.volunteers[0].answered == 35 and report.volunteers[0].total == 36
    assert report.volunteers[0].median_response_seconds == 1.0  # checks left out


def test_volunteers_who_fail_attention_checks_are_listed_and_not_counted(tmp_path):
    good, bad = answers("ours", 2, 8), answers("ours", 8, 8, 0.1)
    path = write_votes(
        tmp_path / "v.sqlite",
        {
            "good": good + answers(None, 1, 10),
            "bad": bad + answers(None, 2, 10),
            "early": good,
            "worse": bad + answers(None, 1, 1),
        },
    )
    report = study_report(path)
    assert [(row.name, row.counted) for row in report.volunteers] == [
        ("good", True),
        ("bad", False),
        ("early", True),
        ("worse", False),
    ]
    ours = report.methods[1]
    assert (ours.jnd, ours.votes, ours.volunteers, ours.median_response_seconds) == (
        0.25,
        16,
        2,
        1.0,
    )
    text = report.text()
    assert "4 volunteers, 2 not counted, 16 votes counted" in text
    assert [line.split()[0] for line in text.splitlines() if "NOT COUNTED" in line] == [
        "bad",
        "worse",
    ]


def test_attention_checks_are_no_votes_on_a_method(tmp_path):
    report = study_report(write_votes(tmp_path / "v.sqlite", {"ann": answers(None, 1, 20)}))
    assert [(row.votes, row.jnd, row.interval) for row in report.methods] == [(0, None, None)] * 2
    assert report.differences == ()


def test_one_volunteer_gets_wilson_and_so_do_votes_that_are_all_alike(tmp_path):
    alone = study_report(
        write_votes(tmp_path / "one.sqlite", {"ann": answers("ours", 5, 10)})
    ).methods[1]
    assert alone.interval_by == "wilson"
    assert alone.interval == pytest.approx((0.23659, 0.76341), abs=1e-5)
    alike = study_report(
        write_votes(
            tmp_path / "two.sqlite", {"ann": answers("ours", 0, 5), "bob": answers("ours", 0, 5)}
        )
    ).methods[1]
    assert alike.interval_by == "wilson" and alike.interval == wilson_interval(0, 10)


@pytest.mark.parametrize(
    "hits, count, low, high",
    [
        (0, 10, 0, 0.277533),
        (10, 10, 0.722467, 1),
        (1, 10, 0.017876, 0.404150),
        (81, 263, 0.255289, 0.366210),
    ],
)
def test_wilson_against_published_values(hits, count, low, high):
    """81 of 263: Newcombe 1998, table I."""
    assert wilson_interval(hits, count) == pytest.approx((low, high), abs=1e-4)


@pytest.mark.parametrize("axis", [0, 1])
def test_votes_of_one_person_or_on_one_picture_are_not_taken_for_independent_ones(axis):
    """Half of the volunteers (or of the pictures) fool always, half never: 400 votes that are
    worth 20."""
    count = np.ones((20, 20))
    fooled = np.zeros((20, 20))
    fooled.swapaxes(0, axis)[:10] = 1
    low, high = _middle(_bootstrap({"m": (count, fooled)}, 20, 20, 0, 4000)["m"])
    assert (low, high) == pytest.approx(wilson_interval(10, 20), abs=0.04)
    assert high - low > 3 * (wilson_interval(200, 400)[1] - wilson_interval(200, 400)[0])


def test_intervals_hold_what_they_promise():
    """Studies drawn from a known truth, people and pictures differing: the interval holds the
    truth in about 95 of 100."""
    chance = np.random.default_rng(5)
    held, studies = 0, 150
    for study in range(studies):
        people, pictures = chance.normal(0, 0.08, (15, 1)), chance.normal(0, 0.08, (1, 60))
        fooled = chance.random((15, 60)) < np.clip(0.3 + people + pictures, 0, 1)
        low, high = _middle(
            _bootstrap({"m": (np.ones((15, 60)), fooled.astype(float))}, 15, 60, study, 400)["m"]
        )
        held += low <= 0.3 <= high
    assert 0.90 * studies <= held


def test_differences_between_methods_are_paired():
    """Two methods that fool the same people on the same pictures do not differ, however
    uncertain both shares are."""
    fooled = (np.random.default_rng(1).random((5, 40)) < 0.4).astype(float)
    draws = _bootstrap(
        {"a": (np.ones((5, 40)), fooled), "b": (np.ones((5, 40)), fooled)}, 5, 40, 0, 500
    )
    assert _middle(draws["a"])[1] - _middle(draws["a"])[0] > 0.1
    assert _middle(draws["a"] - draws["b"]) == (0, 0)


def test_reports_repeat_and_are_json(tmp_path):
    path = write_votes(
        tmp_path / "v.sqlite", {"Zoë <b>": answers("ours", 3, 10), "bob": answers("ours", 5, 10)}
    )
    assert study_report(path) == study_report(path)
    plain = json.loads(study_report(path).json())
    assert plain["protocol"] == PROTOCOL
    assert plain["methods"][1]["jnd"] == 0.4 and plain["volunteers"][0]["name"] == "Zoë <b>"


def test_a_study_without_votes_has_a_report(tmp_path):
    text = study_report(write_votes(tmp_path / "v.sqlite", {})).text()
    assert "0 volunteers" in text and "no volunteer has come yet" in text


def test_the_side_and_reloads_are_told(tmp_path):
    path = tmp_path / "v.sqlite"
    store = VoteStore(path)
    store.begin(PROTOCOL, {})
    token = store.enter(
        "ann", lambda key: [Trial("ours", f"p{index}", "left") for index in range(4)]
    ).token
    for number, side in enumerate(("left", "left", "left", "right")):
        for _ in range(1 + (number == 2)):
            store.count_showing(token)
        store.add_vote(token, number, side, 1.0, 1.0, 200)
    store.close()
    (ann,) = study_report(path).volunteers
    assert (ann.left_share, ann.shown_again) == (0.75, 1)


def test_votes_on_more_pictures_than_a_study_has_are_refused(tmp_path):
    """The table of them would fill the memory: everybody's every picture."""
    path, volunteers = tmp_path / "v.sqlite", 1000
    write_votes(path, {})
    with sqlite3.connect(path) as connection:
        for number in range(1, volunteers + 1):
            values = (number, f"{number:032x}", f"v{number}", f"v{number}", "now")
            connection.execute("INSERT INTO volunteer VALUES (?, ?, ?, ?, ?)", values)
            connection.executemany(
                "INSERT INTO trial VALUES (?, ?, 'ours', ?, 'left', 1)",
                [(number, index, f"{number} {index}") for index in range(2)],
            )
            connection.executemany(
                "INSERT INTO vote VALUES (?, ?, 'left', 1, 1, 1, 'now')",
                [(number, index) for index in range(2)],
            )
    connection.close()
    with pytest.raises(StudyError, match="votes of 1000 volunteers on 2000 pictures, more than a"):
        study_report(path)
