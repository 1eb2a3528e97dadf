"""Status goes to stderr, results to stdout."""

import dataclasses
import json
import logging
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from dancepipe.progress import drawn

_LIBRARY = logging.getLogger("dancepipe")


class PlainMessages(logging.Handler):
    """Each message as a line on stderr, above the bars."""

    def emit(self, record: logging.LogRecord) -> None:
        from tqdm import tqdm

        tqdm.write(record.getMessage(), file=sys.stderr)


@contextmanager
def on_screen(*, quiet: bool) -> Iterator[None]:
    """with-block: what the library logs and counts is shown. quiet: warnings alone."""
    handler, before = PlainMessages(), (_LIBRARY.level, _LIBRARY.propagate)
    _LIBRARY.addHandler(handler)
    _LIBRARY.setLevel(logging.WARNING if quiet else logging.INFO)
    _LIBRARY.propagate = False  # a package that sets up the root logger would print it all again
    try:
        with ExitStack() as shown:
            if not quiet:
                shown.enter_context(drawn())
            yield
    finally:
        _LIBRARY.removeHandler(handler)
        _LIBRARY.setLevel(before[0])
        _LIBRARY.propagate = before[1]


def show(text: str, summary, *, as_json: bool) -> None:
    """The result of a command on stdout: the text, or the summary (a record or a mapping) as one
    JSON object."""
    if as_json:
        if dataclasses.is_dataclass(summary) and not isinstance(summary, type):
            summary = dataclasses.asdict(summary)
        text = json.dumps(summary, default=_plain)
    print(text, flush=True)


def _plain(value):
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no JSON")
