"""A moment in which Ctrl-C and SIGTERM wait: a file is made and noted, or neither."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_STOPS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stops_wait() -> Iterator[None]:
    """with-block: a stop that comes in it is obeyed at its end. For blocks of a second at most.

    Only the main thread is told of signals: in another one there is nothing to do.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    # None: of a handler that Python did not install, and cannot put back
    before = {one: handler for one in _STOPS if (handler := signal.getsignal(one)) is not None}
    for number in before:
        signal.signal(number, lambda number, _: came.append(number))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if came:
            signal.raise_signal(came[0])
