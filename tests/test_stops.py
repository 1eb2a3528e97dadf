"""Ctrl-C at the worst moment: while a file is made, and before anybody has taken charge of it."""

import signal

import pytest

from dancepipe.files import lock, whole_file
from dancepipe.files.lock import lock_file
from dancepipe.files.stops import stops_wait
from dancepipe.files.whole_file import WholeFile, whole_folder


def stop_before(monkeypatch, owner, name):
    """The function `name` raises SIGINT first."""
    function = getattr(owner, name)

    def stopped(*arguments):
        signal.raise_signal(signal.SIGINT)
        return function(*arguments)

    monkeypatch.setattr(owner, name, stopped)


def test_a_stop_waits_for_the_end_of_the_block_and_the_handlers_come_back():
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    went_on = False
    with pytest.raises(KeyboardInterrupt):
        with stops_wait():
            signal.raise_signal(signal.SIGINT)
            went_on = True
    assert went_on
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_a_stop_while_a_lock_is_taken_leaves_no_file(tmp_path, monkeypatch):
    stop_before(monkeypatch, lock.Lock, "_introduce")
    with pytest.raises(KeyboardInterrupt):
        lock_file(tmp_path / "out.mp4")
    assert list(tmp_path.iterdir()) == []


def test_a_stop_before_the_block_of_a_lock_begins_leaves_no_file(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        (lock_file(tmp_path / "out.mp4"), signal.raise_signal(signal.SIGINT))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("make", [lambda path: WholeFile(path, overwrite=True), whole_folder])
def test_a_stop_while_a_place_is_reserved_leaves_nothing(tmp_path, monkeypatch, make):
    stop_before(monkeypatch, whole_file, "_hold")
    with pytest.raises(KeyboardInterrupt):
        with make(tmp_path / "out"):
            raise AssertionError("the stop came too late")
    assert list(tmp_path.iterdir()) == []


def test_a_stop_before_the_block_of_a_file_begins_leaves_nothing(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        (WholeFile(tmp_path / "out", overwrite=True), signal.raise_signal(signal.SIGINT))
    assert list(tmp_path.iterdir()) == []
