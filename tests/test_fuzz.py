"""Data that lies ends in one line or in a result: in no other exception, no hang, no gigabyte.

A longer run, and one case again: tools/fuzz.py.
"""

import os
import re

import pytest
from fuzz_cases import KINDS, write_case
from fuzz_runner import Runner

SEED = int(os.environ.get("DANCEPIPE_FUZZ_SEED", 0))
CASES = {
    "photo": 300, "row-picture": 80, "video": 60, "sound": 25, "config": 120, "list": 60,
    "scores": 80, "weights": 50, "run": 60, "clip": 80, "flow": 40, "notes": 50, "features": 50,
    "pairs": 50, "published": 80, "pack": 60, "manifest": 40, "votes": 60,
}  # fmt: skip


@pytest.fixture(scope="module")
def runner(tmp_path_factory):
    with Runner(tmp_path_factory.mktemp("fuzz")) as runner:
        yield runner


@pytest.fixture(scope="module")
def trapped(tmp_path_factory):
    folder = tmp_path_factory.mktemp("traps")
    limits = {"longest_seconds": 0.5, "most_bytes": 50 << 20}
    with Runner(folder, cases="fuzz_traps", **limits) as runner:
        yield runner


@pytest.mark.parametrize("kind", KINDS)
def test_what_lies_ends_in_one_line_or_in_a_result(runner, kind, tmp_path):
    failures = list(runner.failures(kind, SEED, range(CASES[kind]), tmp_path))
    assert not failures, f"{len(failures)} of {CASES[kind]} cases fail; " + "\n\n".join(
        str(failure) for failure in failures[:5]
    )


def test_every_kind_is_run():
    assert CASES.keys() == KINDS.keys()


@pytest.mark.parametrize(
    "trap, reason",
    [
        ("talks", "several lines: 'one line.nand another'"),
        ("raises", "ZeroDivisionError: a bug"),
        ("leaves", "SystemExit: 0"),
        ("dies", "the process dies of it .exit code -11"),
        ("computes", "takes more than 0.5 s"),
        ("sleeps", "hangs for 1.5 s"),
        ("grows", "takes [0-9]{2} MiB of memory"),
    ],
)
def test_the_runner_sees_whatever_goes_wrong_and_goes_on(trapped, trap, reason, tmp_path):
    (failure,) = trapped.failures(trap, SEED, range(7, 8), tmp_path)
    assert re.search(reason, str(failure))
    assert f"--repeat {trap}:{SEED}:7" in str(failure)
    assert (failure.kept / "a.txt").read_text().startswith("sound no more")
    assert not list(trapped.failures("answers", SEED, range(3), tmp_path))


def test_a_door_that_refuses_sound_inputs_is_no_door(trapped, tmp_path):
    with pytest.raises(ValueError, match="a sound input of refuses is not read"):
        list(trapped.failures("refuses", SEED, range(1), tmp_path))


def test_a_case_is_the_same_each_time(tmp_path):
    kind, sound = KINDS["config"], tmp_path / "sound"
    sound.mkdir()
    kind.make(sound)
    contents = []
    for number in (0, 0, 1, 2, 3):
        into = tmp_path / f"{len(contents)}"
        into.mkdir()
        contents.append(write_case(kind, sound, SEED, number, into).read_bytes())
    assert contents[0] == contents[1] and len(set(contents)) == 4
