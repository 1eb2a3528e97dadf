"""One process at a time writes to a place; who holds it is said, and a dead process holds
nothing."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time

import pytest

from dancepipe.errors import BusyError, OutputError
from dancepipe.files.lock import Shard, lock_file, lock_folder, lock_shard

HOLD = (
    "import sys, time; from dancepipe.files.lock import *; lock = {}; print('held', "
    "flush=True); time.sleep(60)"
)


def holder(call: str) -> subprocess.Popen:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD.format(call), "animate"], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    return process


def end(process: subprocess.Popen) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()


def test_the_second_is_told_who_holds_it_and_gets_it_when_the_first_is_killed(tmp_path):
    process = holder(f"lock_folder({str(tmp_path / 'run')!r})")
    try:
        with pytest.raises(BusyError) as refused:
            lock_folder(tmp_path / "run")
        words = str(refused.value)
        assert f"process {process.pid} on " in words and "animate" in words and "\n" not in words
    finally:
        end(process)
    with lock_folder(tmp_path / "run"):
        pass
    assert list((tmp_path / "run").iterdir()) == []  # the folder was there before


def test_a_file_is_locked_by_whatever_name_it_is_called(tmp_path):
    (tmp_path / "link.mp4").symlink_to(tmp_path / "out.mp4")
    name = "d" * 251 + ".mp4"
    with (
        lock_file(tmp_path / "out.mp4"),
        lock_file(tmp_path / "other.mp4"),
        lock_file(tmp_path / name),
    ):
        with pytest.raises(BusyError, match="link.mp4 is being written by another dancepipe"):
            lock_file(tmp_path / "link.mp4")
    lock_file(tmp_path / "link.mp4").release()
    assert [path.name for path in tmp_path.iterdir()] == ["link.mp4"]


def test_a_killed_holder_leaves_nothing_behind_for_long(tmp_path):
    end(holder(f"lock_file({str(tmp_path / 'out.mp4')!r})"))
    assert len(list(tmp_path.iterdir())) == 1
    lock_file(tmp_path / "another.mp4").release()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_was_made_for_nothing_goes_again(tmp_path):
    with lock_folder(tmp_path / "run"):
        assert (tmp_path / "run").is_dir()
    assert not (tmp_path / "run").exists()
    with lock_folder(tmp_path / "run"):
        (tmp_path / "run" / "result").write_text("x")
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["result"]


def test_shards_of_one_division_share_a_folder_and_nobody_else_gets_in(tmp_path):
    with lock_shard(tmp_path, Shard(0, 3)), lock_shard(tmp_path, Shard(2, 3)):
        for refused in (
            lambda: lock_shard(tmp_path, Shard(0, 3)),
            lambda: lock_shard(tmp_path, Shard(0, 2)),
            lambda: lock_folder(tmp_path),
        ):
            with pytest.raises(BusyError):
                refused()
    with lock_folder(tmp_path), pytest.raises(BusyError):
        lock_shard(tmp_path, Shard(0, 3))
    lock_shard(tmp_path, Shard(0, 2)).release()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_was_removed_or_exchanged_is_noticed(tmp_path):
    folder = tmp_path / "run"
    with lock_folder(folder) as lock:
        lock.check()
        folder.rename(tmp_path / "moved")
        with pytest.raises(OutputError, match="run was removed or moved while this wrote to it"):
            lock.check()
        with lock_folder(folder), pytest.raises(OutputError, match="was removed or moved"):
            lock.check()


def test_children_of_a_killed_holder_hold_nothing(tmp_path):
    code = (
        "import os, sys, time; from dancepipe.files.lock import *; lock = "
        "lock_folder(sys.argv[2])\n"
        "child = os.fork()\n"
        "if child: print(child, flush=True)\n"
        "time.sleep(60)"
    )
    command = [sys.executable, "-c", code, "train", str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    child = int(process.stdout.readline())
    try:
        end(process)
        lock_folder(tmp_path).release()
    finally:
        os.kill(child, signal.SIGKILL)


def _count_inside(folder, barrier, inside, most):
    barrier.wait()
    for _ in range(20):
        try:
            with lock_folder(folder):
                with inside.get_lock():
                    inside.value += 1
                    most.value = max(most.value, inside.value)
                time.sleep(0.002)
                with inside.get_lock():
                    inside.value -= 1
        except BusyError:
            pass


def test_never_two_at_once_however_often_it_changes_hands(tmp_path):
    context = multiprocessing.get_context("fork")
    barrier, inside, most = context.Barrier(4), context.Value("i", 0), context.Value("i", 0)
    arguments = (tmp_path, barrier, inside, most)
    processes = [context.Process(target=_count_inside, args=arguments) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0] * 4
    assert most.value == 1 and list(tmp_path.iterdir()) == []
