"""One at a time: a lock on each folder and file that a command writes to.

The lock is the system's own, on a hidden file beside what is written, and is gone with the process
that holds it, however that ends. The hidden file says who holds it; it is removed at the end.
"""

import hashlib
import json
import os
import socket
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from dancepipe.errors import BusyError, OutputError
from dancepipe.files.stops import stops_wait
from dancepipe.files.whole_file import check_result, make_folder, name_of_ours, remove_leftovers

_OF_FOLDER = ".dancepipe.files.lock"
_OF_SHARD = ".dancepipe-shard-{index}-of-{count}.lock"
_OF_A_FILE = "wait until it is done, or choose another name for the result"
# Somebody may look for a moment whether it is free; a holder's workers live on for one.
_PATIENCE_SECONDS = 1.0


@dataclass(frozen=True)
class Shard:
    """One of `count` runs that share a folder."""

    index: int
    count: int

    def takes(self, number: int) -> bool:
        """Whether a piece is this run's, where numbered pieces are dealt out in turn."""
        return number % self.count == self.index


class Lock:
    """What this process alone writes to, from here to the end of the with-block."""

    def __init__(
        self, place: Path, what: Path, advice: str, *, patience_seconds: float = _PATIENCE_SECONDS
    ):
        """place: the lock's own file. what: for people. BusyError when another process holds it
        for longer than patience_seconds."""
        self._place, self._what = place, what
        self._lock = FileLock(place, thread_local=False)
        self._identity = self._made_folder = None
        self._process = os.getpid()
        if patience_seconds > _PATIENCE_SECONDS:  # somebody who waits may be stopped
            self._take(advice, patience_seconds)
            return
        with stops_wait():
            self._take(advice, patience_seconds)

    def __enter__(self) -> "Lock":
        return self

    def __exit__(self, *_) -> None:
        self.release()

    def __del__(self) -> None:
        if self._process == os.getpid():  # a stop came before the with-block had begun
            self.release()

    def _take(self, advice: str, patience_seconds: float) -> None:
        place, what = self._place, self._what
        try:
            self._lock.acquire(timeout=patience_seconds, poll_interval=0.05)
        except Timeout:
            raise BusyError(f"{what} is being written by {_holder(place)}; {advice}") from None
        except (OSError, NotImplementedError) as error:
            reason = getattr(error, "strerror", None) or error
            raise OutputError(
                f"cannot lock {what} ({reason}); choose a folder that you may write to, "
                "on a file system with locks"
            ) from error
        try:
            self._introduce()
        except OSError as error:
            self.release()
            raise OutputError(
                f"cannot write to {place.parent}: {error.strerror or error}; free some space, "
                "or choose a folder that you may write to"
            ) from error

    def check(self) -> None:
        """OutputError when what is locked was removed or moved away, and results with it."""
        with suppress(OSError):
            there = os.stat(self._place)
            if (there.st_dev, there.st_ino) == self._identity:
                return
        raise OutputError(
            f"{self._what} was removed or moved while this wrote to it; what was written before "
            "went with it. Run the same command again"
        )

    def remove_if_empty(self, folder: Path) -> None:
        """At the end, where nothing came to be written into it."""
        self._made_folder = folder

    def release(self) -> None:
        """Let others in; harmless when done already."""
        if not self._lock.is_locked:
            return
        with suppress(OSError):  # gone with its folder; Windows removes no open file
            if self._identity is not None and self._is_ours():
                os.unlink(self._place)
        with suppress(OSError):
            self._lock.release()
        if self._made_folder is not None:
            with suppress(OSError):  # something was written into it
                self._made_folder.rmdir()

    def _is_ours(self) -> bool:
        there = os.stat(self._place)
        return (there.st_dev, there.st_ino) == self._identity

    def _introduce(self) -> None:
        words = {
            "command": next((word for word in sys.argv[1:] if not word.startswith("-")), "python"),
            "process": os.getpid(),
            "machine": socket.gethostname(),
            "since": time.strftime("%Y-%m-%d %H:%M:%S"),
        }
        there = os.stat(self._place)
        self._identity = there.st_dev, there.st_ino
        with open(self._place, "w", encoding="utf-8") as file:
            json.dump(words, file)


def lock_file(path: Path | str, *, patience_seconds: float = _PATIENCE_SECONDS) -> Lock:
    """The file `path`, there or not yet, in a folder that is there. BusyError, OutputError."""
    place = _place_of_file(path)
    remove_leftovers(place.parent)
    return Lock(place, Path(path), _OF_A_FILE, patience_seconds=patience_seconds)


def check_free(path: Path | str) -> None:
    """BusyError when another process writes the file `path`."""
    place = _place_of_file(path)
    if place.exists():
        Lock(place, Path(path), _OF_A_FILE).release()


def _place_of_file(path: Path | str) -> Path:
    target = Path(os.path.realpath(path))
    digest = hashlib.sha1(os.fsencode(target.name)).hexdigest()[:12]
    return target.with_name(name_of_ours(digest, ".lock"))


def lock_result(
    path: Path | str,
    *,
    overwrite: bool,
    inputs: Iterable[Path | str | None],
    check: Callable[..., None] = check_result,
) -> Lock:
    """The file `path`, when it may be made: check_result() and lock_file() in one.

    check: what tells, with check_result()'s arguments, whether it may be made; another one where
    the result is no file. BusyError, OutputError.
    """
    inputs = tuple(inputs)
    check(path, overwrite=overwrite, inputs=inputs)
    lock = lock_file(path)
    try:
        check(path, overwrite=overwrite, inputs=inputs)  # whoever held it may have made it
    except BaseException:
        lock.release()
        raise
    return lock


def lock_folder(folder: Path | str) -> Lock:
    """The whole folder, which is made; leftovers in it and below are removed.

    BusyError, OutputError.
    """
    folder = Path(folder)
    is_new = not os.path.exists(folder)
    make_folder(folder)
    lock = Lock(folder / _OF_FOLDER, folder, "wait until it is done, or choose another folder")
    if is_new:
        lock.remove_if_empty(folder)
    try:
        check_no_shard(folder)
        for inside in (folder, *(entry for entry in folder.iterdir() if entry.is_dir())):
            remove_leftovers(inside)
    except BaseException:
        lock.release()
        raise
    return lock


def lock_shard(folder: Path | str, shard: Shard) -> Lock:
    """One of several runs that share the folder, which is made. All must be of one division.

    BusyError when this shard, the whole folder or a shard of another division is being written.
    """
    folder = Path(folder)
    make_folder(folder)
    own = folder / _OF_SHARD.format(index=shard.index, count=shard.count)
    lock = Lock(own, folder, "wait until it is done, or choose another folder")
    try:
        # Each takes its own and then looks at the others': of two, one at least sees the other.
        _must_be_free(folder / _OF_FOLDER, folder)
        for place in folder.glob(_OF_SHARD.format(index="*", count="*")):
            if not place.name.endswith(f"-of-{shard.count}.lock"):
                _must_be_free(place, folder)
    except BaseException:
        lock.release()
        raise
    return lock


def check_no_shard(folder: Path) -> None:
    """BusyError when one of several runs that share the folder writes to it."""
    for place in folder.glob(_OF_SHARD.format(index="*", count="*")):
        _must_be_free(place, folder)


def is_lock(path: Path) -> bool:
    """Whether a file of a folder is one of ours."""
    return path.name.startswith(".dancepipe") and path.suffix == ".lock"


def _must_be_free(place: Path, folder: Path) -> None:
    if place.exists():
        Lock(place, folder, "wait until it is done, or choose another folder").release()


def _holder(place: Path) -> str:
    """Who holds it, in words."""
    try:
        words = json.loads(place.read_text(encoding="utf-8"))
        return (
            f"another dancepipe ({words['command']}, process {int(words['process'])} on "
            f"{words['machine']}, since {words['since']})"
        )
    except (OSError, ValueError, KeyError, TypeError):
        return "another dancepipe"
