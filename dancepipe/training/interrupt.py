"""Ctrl-C and SIGTERM while networks train: the step that is being made is finished and saved."""

import signal
import threading
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from multiprocessing import active_children
from typing import NoReturn, TypeVar

NAMES = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM"}
T = TypeVar("T")


class Interruption:
    """Whether somebody asked this process to end. `by` is None until then."""

    def __init__(self) -> None:
        self.by: str | None = None
        self._number: int | None = None
        self._before: dict[int, object] = {}

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

    def _give_back(self) -> None:
        while self._before:
            number, handler = self._before.popitem()
            # None: of a handler that Python did not install, and cannot put back
            signal.signal(number, signal.SIG_DFL if handler is None else handler)  # type: ignore[arg-type]


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
    if asked:
        asked.end()


def read_to_the_end(batches: Iterable[T]) -> Generator[T, None, None]:
    """The same batches, also when Ctrl-C or SIGTERM goes to the processes that read them: a
    terminal and a cluster send it to all, and the step that is being made needs its data. Close
    it, and they are gone."""
    others = set(active_children())
    with _deaf_children():
        iterator = iter(batches)
    readers = set(active_children()) - others
    try:
        yield from iterator
    finally:
        del iterator  # asks them to end, and waits for some seconds
        for reader in readers:
            reader.kill()  # one that hangs would not hear SIGTERM, and Python would wait for it


@contextmanager
def _deaf_children() -> Iterator[None]:
    """with-block: processes that are started in it hear neither Ctrl-C nor SIGTERM."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
