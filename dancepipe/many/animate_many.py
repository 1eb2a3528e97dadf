"""The stage: a list of jobs -> their videos, a ledger, a status page."""

import logging
import os
import queue
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dancepipe.config import options_with
from dancepipe.errors import ConfigError
from dancepipe.files.lock import Shard, lock_shard
from dancepipe.many.jobs import Job, jobs_of_folders, read_jobs
from dancepipe.many.ledger import Ledger
from dancepipe.many.options import AnimateManyOptions
from dancepipe.many.status_page import write_status_page
from dancepipe.progress import Progress, counted, told
from dancepipe.rendering.worker_process import WorkerProcess

log = logging.getLogger(__name__)

_SHOWN_FAILURES = 20
_NOT_IN_LEDGER = ("event", "job", "summary", "kind")
_BETWEEN_PAGES_SECONDS = 5.0
_PAGE_SHARE = 30  # of the time at most one in so many goes into pages of long ledgers


@dataclass(frozen=True)
class AnimateManySummary:
    """What a run did, and what is left."""

    out: Path
    jobs: int  # of this run's part
    made: int
    already_there: int
    failed: int
    failures: list[dict] = field(default_factory=list)  # out and reason of each
    seconds: float = 0.0

    def text(self) -> str:
        """For the user."""
        lines = [
            f"{self.out}: {self.made} of {self.jobs} made, {self.already_there} were there, "
            f"{self.failed} failed; {self.seconds:.0f} s; see {self.out / 'status.html'}"
        ]
        lines += [f"  {one['out']}: {one['reason']}" for one in self.failures[:_SHOWN_FAILURES]]
        if self.failed > _SHOWN_FAILURES:
            lines.append(f"  and {self.failed - _SHOWN_FAILURES} more")
        if self.failed:
            lines.append("  (--retry tries them again)")
        return "\n".join(lines)


def animate_many(
    job_list: Path | str | Iterable[Mapping] | None,
    out: Path | str,
    weights: Path | str | None = None,
    options: AnimateManyOptions | None = None,
    *,
    refs: Path | str | None = None,
    drivers: Path | str | None = None,
    progress: Progress | None = None,
    on_event: Callable[[dict], object] | None = None,
    **keywords,
) -> AnimateManySummary:
    """Make many videos into the folder `out`; what is done is skipped by the next run.

    >>> import dancepipe
    >>> jobs = [{"ref": "me.jpg", "driver": "dance.mp4", "background": "black"}]
    >>> dancepipe.animate_many(jobs, "videos").failed
    0

    job_list: a .csv or .yaml file, or mappings, with ref, driver and perhaps out, weights and
    options of animate; or None, and instead the folders refs and drivers, each person with each
    video. The jobs of one person run one after the other, and the photo is fitted once.
    out/ledger.jsonl outlives kill -9 of anything; out/status.html shows it. keywords: the fields of
    AnimateManyOptions, laid on `options`. progress: called as progress(done, total) after each
    job; on_event: with each event, a plain dict with "event" (begun, said, progress, done, failed),
    "job" and "out".

    A job that fails is counted in the summary and told in the ledger. Raises ConfigError,
    OutputError, BusyError.
    """
    started = time.monotonic()
    options = options_with(AnimateManyOptions, options, keywords, "animate_many")
    out = Path(out)
    whole = _listed(job_list, out, weights, options, refs, drivers)
    shard = options.shard()
    with lock_shard(out, shard), Ledger(out, shard) as ledger, told(progress):
        own = _of_shard(whole, shard)
        named = {job.digest(): job for job in own}
        there = {name for name in named if _is_done(ledger, name)}
        for name in there:
            if ledger.entries[name].state == "begun":  # killed before it could tell
                ledger.add(name, "done", named[name].out)
        failed_before = {
            name
            for name in named
            if name in ledger.entries and ledger.entries[name].state == "failed"
        }
        skipped = there | (set() if options.retry else failed_before)
        todo = {name: job for name, job in named.items() if name not in skipped}
        log.info(
            f"{out}: {len(named)} jobs, {len(there)} done before, "
            f"{len(failed_before)} failed before, {len(todo)} to do"
            + (f" (part {shard.index} of {shard.count})" if shard.count > 1 else "")
        )
        run = _Run(out, ledger, todo, options, on_event or _to_nobody, total=len(whole))
        with counted(total=len(todo) or None, desc="jobs", unit="job") as count:
            run.work(count)
        failures = [
            {"out": job.out, "reason": ledger.entries[name].reason}
            for name, job in named.items()
            if name in ledger.entries and ledger.entries[name].state == "failed"
        ]
        seconds = time.monotonic() - started
        return AnimateManySummary(
            out, len(named), run.made, len(there), len(failures), failures, seconds
        )


def _listed(job_list, out, weights, options, refs, drivers) -> list[Job]:
    weights = None if weights is None else str(weights)
    each = options.of_one_clip()
    if job_list is not None and (refs is not None or drivers is not None):
        raise ConfigError(
            "a list of jobs and folders are given; name the list, or refs and drivers"
        )
    if job_list is not None:
        listed = read_jobs(job_list, out, each, weights)
    elif refs and drivers:
        listed = jobs_of_folders(Path(refs), Path(drivers), out, each, weights)
    else:
        raise ConfigError(
            "animate-many lacks its jobs; give a .csv or .yaml list, or --refs and --drivers, "
            "folders of photos and of videos"
        )
    return sorted(listed, key=lambda job: (job.person, job.driver, job.out))


def _of_shard(jobs: list[Job], shard: Shard) -> list[Job]:
    """Neighbours stay together: they share their photo."""
    count = len(jobs)
    return jobs[count * shard.index // shard.count : count * (shard.index + 1) // shard.count]


def _is_done(ledger: Ledger, name: str) -> bool:
    return name in ledger.entries and ledger.entries[name].is_done()


def _to_nobody(_: dict) -> None:
    pass


class _Run:
    """The jobs of one run, on their way."""

    def __init__(self, out, ledger, todo, options, on_event, total):
        self._out, self._ledger, self._todo = out, ledger, todo
        self._options, self._on_event, self._total = options, on_event, total
        self._events: queue.Queue = queue.Queue()
        self._workers: list[WorkerProcess] = []
        self._person_of: dict[WorkerProcess, tuple] = {}
        self._waiting: dict[tuple, deque[str]] = {}
        for name, job in todo.items():
            self._waiting.setdefault(job.person, deque()).append(name)
        self._page_due = 0.0
        self.made = 0

    def work(self, count: counted) -> None:
        """Until nothing waits and nobody works."""
        self._show(force=True)
        try:
            for _ in range(min(self._options.jobs, len(self._todo))):
                self._start_worker()
            while any(worker.job for worker in self._workers):
                worker, event = self._events.get()
                count.update(self._hear(worker, event))
                self._show()
        finally:
            for worker in self._workers:
                worker.stop()
            self._show(force=True, is_over=True)

    def _start_worker(self) -> None:
        several = self._options.jobs > 1
        threads = max(1, (os.cpu_count() or 1) // self._options.jobs) if several else None
        worker = WorkerProcess(self._events, threads)
        self._workers.append(worker)
        self._give_next(worker)

    def _give_next(self, worker: WorkerProcess) -> None:
        name = self._next_for(worker)
        if name is None:
            return
        job = self._todo[name]
        self._ledger.begin(name, job.out, ref=list(job.refs), driver=job.driver)
        self._tell({"event": "begun", "job": name})
        worker.give(
            {
                "job": name,
                "refs": list(job.refs),
                "driver": job.driver,
                "out": job.out,
                "weights": job.weights,
                "options": dict(job.options),
            }
        )

    def _next_for(self, worker: WorkerProcess) -> str | None:
        """Of the person whose photo it has fitted; else of one whom no other works on."""
        own = self._person_of.get(worker)
        if own not in self._waiting:
            taken = {one for other, one in self._person_of.items() if other is not worker}
            free = [one for one in self._waiting if one not in taken]
            own = max(free or self._waiting, key=lambda one: len(self._waiting[one]), default=None)
            if own is None:
                return None
        self._person_of[worker] = own
        names = self._waiting[own]
        name = names.popleft()
        if not names:
            del self._waiting[own]
        return name

    def _hear(self, worker: WorkerProcess, event: dict) -> int:
        """How many jobs ended with it."""
        if event["event"] == "gone":
            return self._lost(worker)
        self._tell(event)
        job = self._todo.get(event["job"])
        if event["event"] == "said" and event["level"] not in ("debug", "info"):
            log.warning(f"{job.out if job else 'worker'}: {event['text']}")
        if event["event"] not in ("done", "failed"):
            return 0
        assert job is not None
        worker.job = None
        words = {key: value for key, value in event.items() if key not in _NOT_IN_LEDGER}
        self._ledger.add(event["job"], event["event"], job.out, **words)
        if event["event"] == "done":
            self.made += 1
            log.info(event["text"])
        else:
            log.warning(f"{job.out}: {event['reason']}")
        self._give_next(worker)
        return 1

    def _lost(self, worker: WorkerProcess) -> int:
        """What it worked on has failed; another one takes its place."""
        self._workers.remove(worker)
        self._person_of.pop(worker, None)
        name = worker.job
        if name is not None:
            failure = {"event": "failed", "job": name, "reason": worker.how_it_ended()}
            self._tell(failure)
            self._ledger.add(name, "failed", self._todo[name].out, reason=failure["reason"])
            log.warning(f"{self._todo[name].out}: {failure['reason']}")
        if self._waiting:
            self._start_worker()
        return 0 if name is None else 1

    def _tell(self, event: dict) -> None:
        job = self._todo.get(event["job"])
        self._on_event(event if job is None else {**event, "out": job.out})

    def _show(self, *, force: bool = False, is_over: bool = False) -> None:
        """The page, now and then: thousands of short jobs would write it all the time."""
        now = time.monotonic()
        if force or now > self._page_due:
            write_status_page(self._out, self._total, is_over=is_over)
            took = time.monotonic() - now
            self._page_due = now + max(_BETWEEN_PAGES_SECONDS, _PAGE_SHARE * took)
