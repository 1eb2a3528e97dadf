"""What the library logs, for tests that look at it or act on it."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_LIBRARY = logging.getLogger("dancepipe")


class _Listener(logging.Handler):
    def __init__(self, act: Callable[[str], None]):
        super().__init__()
        self._act = act

    def emit(self, record: logging.LogRecord) -> None:
        self._act(record.getMessage())  # what it raises goes to whoever logged


@contextmanager
def hearing(act: Callable[[str], None]) -> Iterator[None]:
    """with-block: each message of the library is given to `act` at the moment it is logged."""
    listener, level = _Listener(act), _LIBRARY.level
    _LIBRARY.addHandler(listener)
    _LIBRARY.setLevel(logging.INFO)
    try:
        yield
    finally:
        _LIBRARY.removeHandler(listener)
        _LIBRARY.setLevel(level)
