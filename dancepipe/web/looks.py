"""Looks before a video is made: who is seen, and how the person looks in one frame."""

import queue
import secrets
import shutil
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from dancepipe.errors import DancepipeError
from dancepipe.files.whole_file import make_folder
from dancepipe.rendering.worker_process import WorkerProcess

_KEPT_SECONDS = 3600


@dataclass(frozen=True)
class Look:
    people_picture: Path
    people: int
    followed: int  # from the left, from 1
    made_picture: Path | None


class Looks:
    """One at a time, in a process of its own, so that none waits for a whole video. Safe to be
    called from several threads."""

    def __init__(self, folder: Path):
        self._folder = folder
        self._lock = threading.Lock()
        self._events: queue.Queue = queue.Queue()
        self._worker = WorkerProcess(self._events)

    def look(self, photos: Sequence[Path], driver: Path, options: dict) -> Look:
        """Raises DancepipeError: no person, a file that cannot be read ..."""
        place = self._folder / "looks" / secrets.token_hex(16)
        make_folder(place)
        with self._lock:
            self._remove_old()
            self._worker.give(
                {
                    "job": place.name,
                    "kind": "look",
                    "refs": [str(photo) for photo in photos],
                    "driver": str(driver),
                    "out": str(place / "people.jpg"),
                    "weights": None,
                    "options": options,
                }
            )
            event = self._wait()
        if event["event"] == "failed":
            raise DancepipeError(event["reason"])
        made = event["made"]
        return Look(
            place / "people.jpg", event["people"], event["followed"], Path(made) if made else None
        )

    def close(self) -> None:
        self._worker.stop()

    def _wait(self) -> dict:
        while True:
            worker, event = self._events.get()
            if worker is not self._worker:
                continue
            if event["event"] == "gone":
                reason = self._worker.how_it_ended()
                self._worker = WorkerProcess(self._events)
                return {"event": "failed", "reason": reason}
            if event["event"] in ("done", "failed"):
                self._worker.job = None
                return event

    def _remove_old(self) -> None:
        for place in (self._folder / "looks").iterdir():
            with suppress(OSError):
                if time.time() - place.stat().st_mtime > _KEPT_SECONDS:
                    shutil.rmtree(place)
