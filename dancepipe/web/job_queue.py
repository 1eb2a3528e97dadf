"""The queue of the page: jobs in folders, their states in a ledger, one worker that makes one video
after the other. What waits when the program is killed is made by the next one.

jobs/ID/ holds the uploads and the result; ID is 128 random bits, and whoever knows it may fetch
them. orders/ID.json says what is to be made, and for whom; nobody may fetch that.
"""

import json
import logging
import os
import queue
import secrets
import shutil
import threading
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from dancepipe.errors import ConfigError, OutputError
from dancepipe.files.whole_file import make_folder, remove_leftovers, write_text
from dancepipe.many.ledger import Ledger
from dancepipe.rendering.worker_process import WorkerProcess

log = logging.getLogger(__name__)

_FREE_BYTES = 256 << 20  # what a disk must have left beside a job's files
ENDED = ("done", "failed", "cancelled")


@dataclass(frozen=True)
class JobState:
    """What is known of a job."""

    id: str
    owner: str
    name: str  # for people
    driver: Path
    out: Path
    state: str  # waiting, begun, done, failed, cancelled
    ahead: int = 0  # how many are made before it
    frames_done: int = 0
    frames_total: int | None = None
    frames_per_second: float = 0.0
    begun_at: float = 0.0  # of time.monotonic()
    words: str = ""  # how it ended; while it works: what was said last

    @property
    def seconds_left(self) -> float | None:
        """Until it is done, at the pace so far; None: nobody knows yet."""
        if not self.frames_total or not self.frames_per_second:
            return None
        return max(0.0, (self.frames_total - self.frames_done) / self.frames_per_second)


class JobQueue:
    """Safe to be called from several threads."""

    def __init__(self, folder: Path, max_waiting: int = 20):
        """folder: there, and this process's alone. What an earlier one left is taken up."""
        self._folder, self._max_waiting = folder, max_waiting
        self._lock = threading.RLock()
        self._events: queue.Queue = queue.Queue()
        self._ledger = Ledger(folder)
        self._jobs: dict[str, JobState] = {}
        self._orders: dict[str, dict] = {}
        self._waiting: deque[str] = deque()
        self._first_frame: tuple[float, int] | None = None
        self._is_closed = False
        self._take_up()
        self._worker = WorkerProcess(self._events)
        self._thread = threading.Thread(target=self._conduct, daemon=True)
        self._thread.start()

    def submit(
        self,
        owner: str,
        photos: Sequence[Path],
        driver: Path,
        options: dict,
        extra: dict[str, Path] | None = None,
    ) -> str:
        """Copies the files and queues the job; its id. extra: files that options name, by option.
        ConfigError when too many wait, OutputError when the disk is full."""
        with self._lock:
            waiting = sum(self._jobs[name].owner == owner for name in self._waiting)
        if waiting >= self._max_waiting:
            raise ConfigError(f"{waiting} of your videos are waiting already; let some be made")
        name = secrets.token_hex(16)
        place = self._folder / "jobs" / name
        make_folder(place)
        try:
            self._check_room([*photos, driver])
            refs = [
                _copied(photo, place / f"photo{number}") for number, photo in enumerate(photos, 1)
            ]
            own_driver = _copied(driver, place / "driver")
            given = {key: _copied(path, place / key) for key, path in (extra or {}).items()}
            order = {
                "job": name,
                "owner": owner,
                "name": f"{photos[0].stem} · {driver.stem}",
                "refs": refs,
                "driver": own_driver,
                "out": str(place / "dance.mp4"),
                "weights": None,
                "options": {**options, **given, "overwrite": True},
            }
            write_text(self._order_file(name), json.dumps(order))
        except BaseException:
            shutil.rmtree(place, ignore_errors=True)
            raise
        with self._lock:
            self._ledger.add(name, "waiting", order["out"])
            self._queue(order)
        self._events.put((None, {"event": "submitted"}))
        return name

    def state(self, name: str) -> JobState | None:
        """None for a job that is not there."""
        with self._lock:
            job = self._jobs.get(name)
            if job is not None and job.state == "waiting":
                is_busy = any(one.state == "begun" for one in self._jobs.values())
                job = replace(job, ahead=self._waiting.index(name) + is_busy)
            return job

    def of_owner(self, owner: str) -> list[JobState]:
        """The newest first."""
        with self._lock:
            own = [name for name, job in self._jobs.items() if job.owner == owner]
            return [job for name in reversed(own) if (job := self.state(name))]

    def cancel(self, name: str) -> None:
        """It is not made; harmless when it has ended."""
        with self._lock:
            job = self._jobs.get(name)
            if job is None or job.state in ENDED:
                return
            self._end(name, "cancelled", "")
            if self._worker.job == name:
                self._worker.kill()

    def remove(self, name: str) -> None:
        """The job and its files are gone."""
        self.cancel(name)
        with self._lock:
            self._jobs.pop(name, None)
            self._orders.pop(name, None)
            self._order_file(name).unlink(missing_ok=True)
        shutil.rmtree(self._folder / "jobs" / name, ignore_errors=True)

    def close(self) -> None:
        """What is being made is begun again by the next one."""
        self._is_closed = True
        self._worker.stop()
        self._events.put((None, {"event": "closed"}))
        self._thread.join(10)
        self._ledger.close()

    def _take_up(self) -> None:
        """Jobs of an earlier process, in the order of their ledger lines."""
        for entry in sorted(self._ledger.entries.values(), key=lambda entry: entry.at_seconds):
            try:
                order = json.loads(self._order_file(entry.job).read_text(encoding="utf-8"))
            except (OSError, ValueError):  # removed, or killed before it was queued
                continue
            self._queue(order)
            state = "done" if entry.is_done() else entry.state
            if state in ENDED:
                self._waiting.remove(entry.job)
                words = entry.words.get("text", entry.reason)
                self._jobs[entry.job] = replace(self._jobs[entry.job], state=state, words=words)
        if self._waiting:
            log.info(f"{len(self._waiting)} videos of before are taken up again")

    def _order_file(self, name: str) -> Path:
        return self._folder / "orders" / f"{name}.json"

    def _queue(self, order: dict) -> None:
        name = order["job"]
        self._orders[name] = order
        self._jobs[name] = JobState(
            name,
            order["owner"],
            order["name"],
            Path(order["driver"]),
            Path(order["out"]),
            "waiting",
        )
        self._waiting.append(name)

    def _conduct(self) -> None:
        """In a thread of its own: the worker's events, and the next job when it is free."""
        self._begin_next()
        while True:
            worker, event = self._events.get()
            if self._is_closed:
                return
            with self._lock:
                if event["event"] == "gone":
                    self._lost()
                elif worker is self._worker:
                    self._hear(event)
                self._begin_next()

    def _begin_next(self) -> None:
        if self._worker.job is not None or not self._waiting:
            return
        name = self._waiting.popleft()
        job, order = self._jobs[name], self._orders[name]
        self._jobs[name] = replace(job, state="begun", begun_at=time.monotonic())
        self._ledger.begin(name, order["out"])
        self._first_frame = None
        self._worker.give(order)

    def _hear(self, event: dict) -> None:
        name, job = event["job"], self._jobs.get(event["job"])
        kind = event["event"]
        if kind in ("done", "failed"):
            self._worker.job = None
        if job is None or job.state in ENDED:  # cancelled or removed meanwhile
            return
        if kind == "said":
            self._jobs[name] = replace(job, words=event["text"])
        elif kind == "progress":
            now = time.monotonic()
            since, frames = self._first_frame or (now, event["done"])
            self._first_frame = since, frames
            pace = (event["done"] - frames) / (now - since) if now > since else 0.0
            self._jobs[name] = replace(
                job,
                frames_done=event["done"],
                frames_total=event["total"],
                frames_per_second=pace,
            )
        elif kind == "done":
            self._end(name, "done", event["text"], text=event["text"])
        elif kind == "failed":
            if "traceback" in event:
                log.warning(event["traceback"])
            self._end(name, "failed", event["reason"], reason=event["reason"])

    def _lost(self) -> None:
        name, reason = self._worker.job, self._worker.how_it_ended()
        if name is not None:
            place = self._folder / "jobs" / name
            remove_leftovers(place)
            for parts in place.glob(".dancepipe-*.parts"):  # nobody goes on from them
                shutil.rmtree(parts, ignore_errors=True)
        if name in self._jobs and self._jobs[name].state == "begun":
            self._end(name, "failed", reason, reason=reason)
        self._worker = WorkerProcess(self._events)

    def _end(self, name: str, state: str, words: str, **line) -> None:
        with suppress(ValueError):
            self._waiting.remove(name)
        job = self._jobs[name]
        self._jobs[name] = replace(job, state=state, words=words)
        self._ledger.add(name, state, str(job.out), **line)

    def _check_room(self, files: Sequence[Path]) -> None:
        needed = 3 * sum(os.path.getsize(file) for file in files) + _FREE_BYTES
        if shutil.disk_usage(self._folder).free < needed:
            raise OutputError(
                f"the disk of {self._folder} has less than {needed >> 20} MiB left; empty the "
                "folder with `dancepipe web --empty`"
            )


def _copied(source: Path, target: Path) -> str:
    """A link where that can be: uploads may be large. The place of the copy."""
    place = target.with_name(target.name + source.suffix.lower())
    try:
        os.link(source, place)
    except OSError:
        shutil.copyfile(source, place)
    return str(place)
