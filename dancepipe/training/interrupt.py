"""Ctrl-C and SIGTERM while networks train: the step that is being made is finished and saved."""

import signal
import threading
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from typing import NoReturn, TypeVar

NAMES = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM"}
T = TypeVar("T")


class Interruption:
    """Whether somebody asked this process to end. `by` is None until then."""

    def __init__(self) -> None:
        self.by: str | None = None
        self._number: int | None = None
        self._before: dict[int, object] = {}
        self._of_children: object = None

    def __bool__(self) -> bool:
        return self.by is not None

    def end(self) -> NoReturn:
        """Ends as the signal would have: by whatever handled it before, and in any case by
        KeyboardInterrupt."""
        self._give_back()
        # The system's own way of SIGTERM would kill the process here and now.
        if self._number is not None and callable(signal.getsignal(self._number)):
            number, self._number = self._number, None
            signal.raise_signal(number)
        raise KeyboardInterrupt

    def _take(self) -> None:
        for number in NAMES:
            self._before[number] = signal.signal(number, self._note)

    def _note(self, number: int, frame: object) -> None:
        self.by, self._number = NAMES[signal.Signals(number)], number
        self._give_back()  # a second signal interrupts at once
        if hasattr(signal, "SIGCHLD"):
            # torch raises wherever we are when a process that reads data ends; the same signal may
            # have gone to all of them.
            # Not SIG_DFL: Python writes a traceback when that meets a signal under way.
            self._of_children = signal.signal(signal.SIGCHLD, _ignore)

    def _give_back(self) -> None:
        while self._before:
            number, handler = self._before.popitem()
            # None: of a handler that Python did not install, and cannot put back
            signal.signal(number, signal.SIG_DFL if handler is None else handler)  # type: ignore[arg-type]

    def _hear_children(self) -> None:
        if self._of_children is not None:
            signal.signal(signal.SIGCHLD, self._of_children)  # type: ignore[arg-type]


@contextmanager
def interruption() -> Iterator[Interruption]:
    """with-block: the first Ctrl-C or SIGTERM is noted, not obeyed; who looks at it ends the work.
    One that nobody looked at is obeyed when the block ends.

    Only the main thread can be told of signals: in another one nothing is noted.
    """
    asked = Interruption()
    if threading.current_thread() is threading.main_thread():
        asked._take()
    try:
        yield asked
    finally:
        asked._give_back()
        asked._hear_children()
    if asked:
        asked.end()


def _ignore(number: int, frame: object) -> None:
    """Handles a signal by going on."""


def read_until(asked: Interruption, batches: Iterable[T]) -> Generator[T | None, None, None]:
    """The same batches. In place of an error the last one is None, when the processes that read
    them were ended by the signal that was noted. Close it, and they are gone: while they are
    there, torch may raise their end wherever this process is."""
    with _deaf_children():
        iterator = iter(batches)
    while True:
        try:
            batch = next(iterator)
        except StopIteration:
            return
        except (RuntimeError, OSError, EOFError):  # one has ended: torch's word, or its pipe's
            if not asked:
                raise
            yield None
            return
        yield batch


@contextmanager
def _deaf_children() -> Iterator[None]:
    """with-block: processes that are started in it do not hear Ctrl-C, which a terminal sends to
    all. They read data for the step that is to be finished."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
