"""A process that makes one video after the other with one Session: jobs come in on stdin, a JSON
object a line, and what happens goes out on stdout in the same way.

It is a process of its own so that a video that brings down a library costs that video alone, and
so that it can be killed: results are whole or absent. When whoever started it is gone, it goes too.
"""

import json
import logging
import os
import queue
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from dancepipe.errors import DancepipeError
from dancepipe.files.lock import Shard
from dancepipe.files.whole_file import make_folder
from dancepipe.media.fetch import is_address
from dancepipe.media.own_network import refuse_own_network

_BETWEEN_EVENTS_SECONDS = 0.3


def main() -> None:
    """Until stdin ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all; the parent decides
    signal.signal(signal.SIGTERM, _leave)
    events = os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8")
    os.dup2(2, 1)  # what libraries print is no event
    waiting: queue.Queue = queue.Queue()
    threading.Thread(target=_listen, args=(waiting,), daemon=True).start()

    do = open_work(lambda event: events.write(json.dumps(event) + "\n"))
    while True:
        do(waiting.get())


def open_work(tell: Callable[[dict], object]) -> Callable[[dict], None]:
    """What does an order in this process, and tells what happens, what is logged among it; any
    number of orders, one after the other."""

    def tell_words(event: str, **words) -> None:
        tell({"event": event, **words})

    work = _Work(tell_words)
    logger = logging.getLogger("dancepipe")
    logger.addHandler(_Said(work))
    logger.setLevel(logging.INFO)
    return work.do


class _Work:
    """What stays from one job to the next."""

    def __init__(self, tell):
        self.tell, self.job = tell, ""
        self._session = self._weights = None

    def do(self, order: dict) -> None:
        """One job, from its first event to its last: done, or failed."""
        self.job = order["job"]
        try:
            words = self._look(order) if order.get("kind") == "look" else self._animate(order)
        except DancepipeError as error:
            kind = type(error).__name__
            self.tell("failed", job=self.job, reason=str(error), kind=kind)
        except Exception as error:  # a bug of ours: it is told whole, and the next job goes on
            reason = f"a bug: {type(error).__name__}: {error}"
            self.tell("failed", job=self.job, reason=reason, traceback=traceback.format_exc())
        else:
            self.tell("done", job=self.job, **words)

    def _animate(self, order: dict) -> dict:
        from dancepipe.rendering.motion_of_many import with_motion

        make_folder(Path(order["out"]).parent)
        options = order["options"]
        if is_address(order["driver"]) and not options.get("own_network"):
            refuse_own_network(order["driver"])
        if folder := order.get("motions"):
            options = with_motion(Path(folder), order["driver"], options)
        summary = self._session_for(order["weights"]).animate(
            order["refs"], order["driver"], order["out"],
            progress=self._progress(), shard=Shard(*order.get("shard", (0, 1))),
            **options,
        )  # fmt: skip
        return {
            "summary": {**asdict(summary), "out": str(summary.out)},
            "frames": summary.frames_out,
            "held": summary.frames_held,
            "seconds": round(summary.seconds, 2),
            "text": summary.text(),
        }

    def _look(self, order: dict) -> dict:
        """Who is seen, and the person in that frame."""
        from dancepipe.rendering.one_frame import animate_one_frame
        from dancepipe.rendering.preview import preview

        refs, driver, out = order["refs"], Path(order["driver"]), Path(order["out"])
        shown = preview(refs, driver, out, **order["options"])
        session = self._session_for(order["weights"])
        made = animate_one_frame(session, refs, driver, shown, out.parent, order["options"])
        return {"people": shown.people, "followed": shown.followed, "made": str(made)}

    def _session_for(self, weights: str | None):
        from dancepipe.rendering.session import Session

        if self._session is None or self._weights != weights:
            if self._session is not None:
                self._session.close()
            self._session, self._weights = Session(weights), weights
        return self._session

    def _progress(self):
        last = 0.0

        def progress(done: int, total: int | None) -> None:
            nonlocal last
            now = time.monotonic()
            if now - last > _BETWEEN_EVENTS_SECONDS:
                last = now
                self.tell("progress", job=self.job, done=done, total=total)

        return progress


class _Said(logging.Handler):
    def __init__(self, work: _Work):
        super().__init__()
        self._work = work

    def emit(self, record: logging.LogRecord) -> None:
        self._work.tell(
            "said", job=self._work.job, level=record.levelname.lower(), text=record.getMessage()
        )


def _listen(waiting: queue.Queue) -> None:
    for line in sys.stdin:
        waiting.put(json.loads(line))
    os._exit(0)  # nobody is there to make it for


def _leave(*_) -> None:
    raise SystemExit(143)
