"""The jobs of one run of animate-many, on their way through workers here or on a cluster."""

import logging
import os
import queue
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from pathlib import Path

from dancepipe.address import public_address
from dancepipe.cluster.ray_workers import RayCluster, RayWorker, again
from dancepipe.many.jobs import Job
from dancepipe.many.ledger import Ledger
from dancepipe.many.options import AnimateManyOptions
from dancepipe.many.status_page import write_status_page
from dancepipe.progress import counted
from dancepipe.rendering.worker import open_work
from dancepipe.rendering.worker_process import WorkerProcess

log = logging.getLogger(__name__)

_MOTIONS = "motions"  # a folder beside the ledger
_NOT_IN_LEDGER = ("event", "job", "summary", "kind")
_BETWEEN_PAGES_SECONDS = 5.0
_PAGE_SHARE = 30  # of the time at most one in so many goes into pages of long ledgers

Worker = WorkerProcess | RayWorker


class Run:
    """A worker is given an order at a time: a job, or one of the shares of a job."""

    def __init__(
        self,
        out: Path,
        ledger: Ledger,
        todo: Mapping[str, Job],
        options: AnimateManyOptions,
        on_event: Callable[[dict], object],
        total: int,
        cluster: RayCluster | None,
    ):
        """todo: by their digests. total: of the jobs of all runs that share the folder."""
        self._out, self._ledger, self._todo = out, ledger, todo
        self._options, self._on_event, self._total = options, on_event, total
        self._cluster, self._shares = cluster, options.runs_per_video
        self._events: queue.Queue = queue.Queue()
        self._workers: list[Worker] = []
        self._person_of: dict[Worker, tuple] = {}
        self._waiting: dict[tuple, deque[str]] = {}
        for name, job in todo.items():
            self._waiting.setdefault(job.person, deque()).extend(
                f"{name}/{number}" for number in range(self._shares)
            )
        self._begun: set[str] = set()
        self._shares_left = dict.fromkeys(todo, self._shares)
        self._known_drivers: set[str] = set()  # whose motion is there, or needs not be
        self._tries: Counter[str] = Counter()  # of each order
        self._page_due = 0.0
        self.made = 0

    def work(self, count: counted) -> None:
        """Until nothing waits and nobody works."""
        self._show(force=True)
        most = self._options.jobs if self._cluster is None else self._cluster.count
        try:
            for _ in range(min(most, self._shares * len(self._todo))):
                self._start_worker()
            while self._waiting or any(worker.job for worker in self._workers):
                worker, event = self._events.get()
                count.update(self._hear(worker, event))
                self._show()
        finally:
            for worker in self._workers:
                worker.stop()
            self._show(force=True, is_over=True)

    def _start_worker(self) -> None:
        if self._cluster is not None:  # it says when it is ready
            self._workers.append(RayWorker(self._events, self._cluster, open_work))
            return
        several = self._options.jobs > 1
        threads = max(1, (os.cpu_count() or 1) // self._options.jobs) if several else None
        worker = WorkerProcess(self._events, threads)
        self._workers.append(worker)
        self._give_next(worker)

    def _give_next(self, worker: Worker) -> None:
        order = self._next_for(worker)
        if order is None:
            return
        name, _, number = order.partition("/")
        job = self._todo[name]
        if name not in self._begun:
            self._begun.add(name)
            driver = public_address(job.driver)
            self._ledger.begin(name, job.out, ref=list(job.refs), driver=driver)
            self._tell({"event": "begun", "job": order})
        self._tries[order] += 1
        worker.give(
            {
                "job": order,
                "refs": list(job.refs),
                "driver": job.driver,
                "out": job.out,
                "weights": job.weights,
                "options": dict(job.options),
                "shard": [int(number), self._shares],
                # Shares find it piece by piece, so that nobody waits for the whole.
                "motions": None if self._shares > 1 else str(self._out / _MOTIONS),
            }
        )

    def _next_for(self, worker: Worker) -> str | None:
        """Of the person whose photo it has fitted; else of one whom no other works on."""
        own = self._person_of.get(worker)
        if own not in self._waiting:
            taken = {one for other, one in self._person_of.items() if other is not worker}
            free = [one for one in self._waiting if one not in taken]
            own = max(free or self._waiting, key=lambda one: len(self._waiting[one]), default=None)
            if own is None:
                return None
        self._person_of[worker] = own
        orders = self._waiting[own]
        order = next((one for one in orders if self._is_free(one)), orders[0])
        orders.remove(order)
        if not orders:
            del self._waiting[own]
        return order

    def _is_free(self, order: str) -> bool:
        """Whether nobody looks at its driver for the first time right now, whom it would wait
        for."""
        driver = self._todo[_name(order)].driver
        at_work = {self._todo[_name(other.job)].driver for other in self._workers if other.job}
        return self._shares > 1 or driver in self._known_drivers or driver not in at_work

    def _hear(self, worker: Worker, event: dict) -> int:
        """How many jobs ended with it."""
        if event["event"] == "gone":
            return self._lost(worker)
        if event["event"] == "ready":
            self._give_next(worker)
            return 0
        order = event["job"]
        job = self._todo.get(_name(order))
        if event["event"] == "said" and event["level"] not in ("debug", "info"):
            log.warning(f"{job.out if job else 'worker'}: {event['text']}")
        if event["event"] not in ("done", "failed"):
            self._tell(event)
            return 0
        assert job is not None
        worker.job = None
        self._known_drivers.add(job.driver)
        ended = self._end(order, event)
        self._give_next(worker)
        return ended

    def _end(self, order: str, event: dict) -> int:
        """Of a share: whether its job ended with it, too."""
        name = _name(order)
        job = self._todo[name]
        if not self._shares_left[name]:
            return 0  # another share of it has failed
        self._shares_left[name] -= 1
        if event["event"] == "failed":
            self._shares_left[name] = 0
            self._forget(name)
            log.warning(f"{job.out}: {event['reason']}")
        elif self._shares_left[name]:
            return 0
        else:
            self.made += 1
            log.info(event["text"])
        self._tell(event)
        words = {key: value for key, value in event.items() if key not in _NOT_IN_LEDGER}
        self._ledger.add(name, event["event"], job.out, **words)
        return 1

    def _forget(self, name: str) -> None:
        """The shares of a job that nobody has begun."""
        own = self._waiting.get(self._todo[name].person, deque())
        for order in [one for one in own if _name(one) == name]:
            own.remove(order)
        if not own:
            self._waiting.pop(self._todo[name].person, None)

    def _lost(self, worker: Worker) -> int:
        """Another one takes its place; on a cluster with the same order, else that has failed."""
        self._workers.remove(worker)
        self._person_of.pop(worker, None)
        order, ended = worker.job, 0
        if isinstance(worker, RayWorker):
            again(worker, self._tries)
            if order is not None:
                self._waiting.setdefault(self._todo[_name(order)].person, deque()).append(order)
        elif order is not None:
            failure = {"event": "failed", "job": order, "reason": worker.how_it_ended()}
            ended = self._end(order, failure)
        if self._waiting:
            self._start_worker()
        return ended

    def _tell(self, event: dict) -> None:
        name = _name(event["job"])
        job = self._todo.get(name)
        told = {**event, "job": name}
        self._on_event(told if job is None else {**told, "out": job.out})

    def _show(self, *, force: bool = False, is_over: bool = False) -> None:
        """The page, now and then: thousands of short jobs would write it all the time."""
        now = time.monotonic()
        if force or now > self._page_due:
            write_status_page(self._out, self._total, is_over=is_over)
            took = time.monotonic() - now
            self._page_due = now + max(_BETWEEN_PAGES_SECONDS, _PAGE_SHARE * took)


def _name(order: str) -> str:
    """Of its job."""
    return order.partition("/")[0]
