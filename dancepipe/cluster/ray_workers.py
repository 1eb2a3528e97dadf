"""Workers on a Ray cluster: each keeps what it has loaded from one order to the next, and tells
what happens as it happens.

A worker that is lost, with its machine or alone, costs the order that it was at.
"""

import importlib
import logging
import os
import queue
import signal
import socket
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from dancepipe import __version__
from dancepipe.cluster.options import RayOptions
from dancepipe.errors import ConfigError, MissingExtraError, ProcessLostError

log = logging.getLogger(__name__)

MOST_TRIES = 3  # of an order whose worker is lost
_UNFIT = "a machine of the cluster does not fit: "
_EVENTS_SECONDS = 1.0  # for that long a question for events waits for one
_THREADS = ("OMP_NUM_THREADS", "OPENCV_FOR_THREADS_NUM", "NUMBA_NUM_THREADS")

Tell = Callable[[dict], object]
Do = Callable[[Any], None]  # an order
OpenWork = Callable[[Tell], Do]  # a function of a module, which every machine has


@contextmanager
def _our_sigterm() -> Iterator[None]:
    """Ray's start takes SIGTERM over for the whole program, and never gives it back."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if before is not None and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)


class RayCluster:
    """`with RayCluster(options) as cluster: ...`: one that is there, and that goes on afterwards.

    count: how many workers to start. ConfigError where there is none, MissingExtraError.
    """

    def __init__(self, options: RayOptions):
        # Nothing is told to anybody of what we do, nor by a cluster that is started from here.
        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
        try:
            ray: Any = importlib.import_module("ray")  # whose types are too loose to check
        except ImportError:
            raise MissingExtraError("ray", "ray", "work on a cluster") from None
        self._ray, self._options = ray, options
        self._is_ours = not ray.is_initialized()  # else a program's, which called us
        address = options.ray or "auto"
        try:
            if self._is_ours:
                with _our_sigterm():
                    ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
        except (OSError, ValueError, RuntimeError) as error:  # ConnectionError among them
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise ConfigError(
                f"no Ray cluster at '{address}' ({reason}); start one with: "
                "RAY_USAGE_STATS_ENABLED=0 ray start --head"
            ) from error
        try:
            self.count = options.ray_workers or self._room()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "RayCluster":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        """The cluster goes on."""
        if self._is_ours:
            self._ray.shutdown()

    def _room(self) -> int:
        """For so many workers. ConfigError when there is none for a single one."""
        options, there = self._options, self._ray.cluster_resources()
        wanted = {
            "CPU": options.ray_cpus,
            "GPU": options.ray_gpus,
            "memory": options.ray_memory_gb * 1e9,
        }
        counts = {
            name: int(there.get(name, 0) // amount) for name, amount in wanted.items() if amount
        }
        least = min(counts, key=lambda name: counts[name], default=None)
        if least is None:
            return int(there.get("CPU", 1)) or 1
        if not counts[least]:
            raise ConfigError(
                f"the Ray cluster has {there.get(least, 0):g} {least} in all, and a worker asks "
                f"for {wanted[least]:g}; ask for less, or name --ray-workers for a cluster that "
                "grows"
            )
        return counts[least]

    def actor(self, work: OpenWork):
        """A handle of Ray's for one RayActor, which is started where there is room."""
        options = self._options
        settings: dict[str, Any] = {"num_cpus": options.ray_cpus, "num_gpus": options.ray_gpus}
        if options.ray_memory_gb:
            settings["memory"] = int(options.ray_memory_gb * 1e9)
        remote = self._ray.remote(RayActor).options(max_concurrency=2, **settings)
        return remote.remote(work, os.getcwd(), max(1, int(options.ray_cpus)), __version__)

    def get(self, future):
        """What it has become. RayActorError when its worker is lost."""
        return self._ray.get(future)

    def kill(self, actor) -> None:
        """At once."""
        with suppress(self._ray.exceptions.RayError):
            self._ray.kill(actor)

    @property
    def losses(self) -> type[Exception]:
        """What get() raises when a worker is lost."""
        return self._ray.exceptions.RayActorError


class RayActor:
    """What lives on the cluster."""

    def __init__(self, work: OpenWork, folder: str, threads: int, version: str):
        if version != __version__:
            raise RuntimeError(f"{_UNFIT}dancepipe {__version__} is there, not {version}")
        for name in _THREADS:  # before what reads them is loaded
            os.environ.setdefault(name, str(threads))
        try:
            os.chdir(folder)  # files are named from there
        except OSError as error:
            raise RuntimeError(
                f"{_UNFIT}the folder {folder}, where the command was given, is not there"
            ) from error
        self._events: queue.Queue = queue.Queue()
        self._do = work(self._events.put)
        who = {"machine": socket.gethostname(), "process": os.getpid()}
        self._events.put({"event": "ready", "job": "", **who})

    def do(self, order) -> None:
        """From its first event to its last."""
        self._do(order)

    def events(self) -> list[dict]:
        """Those that came since, soon."""
        found = []
        with suppress(queue.Empty):
            found.append(self._events.get(timeout=_EVENTS_SECONDS))
            while True:
                found.append(self._events.get_nowait())
        return found


class RayWorker:
    """One worker, as rendering's WorkerProcess is one: its events come as (worker, event) into the
    queue `events`; the first one is ready, and the last one gone."""

    def __init__(self, events: queue.Queue, cluster: RayCluster, work: OpenWork):
        self.job: str | None = None
        self._cluster, self._actor = cluster, cluster.actor(work)
        self.is_ready = False  # it had begun
        self._how = "a worker of the cluster was lost"
        self._is_stopped = False
        threading.Thread(target=self._hear, args=(events,), daemon=True).start()

    def give(self, order: dict) -> None:
        """One job; the next one after this has ended."""
        assert self.job is None
        self.job = order["job"]
        self._actor.do.remote(order)

    def stop(self) -> None:
        """At once; what is whole stays."""
        self._is_stopped = True
        self._cluster.kill(self._actor)

    def how_it_ended(self) -> str:
        """In words."""
        return self._how

    def _hear(self, events: queue.Queue) -> None:
        try:
            while not self._is_stopped:
                for event in self._cluster.get(self._actor.events.remote()):
                    if event["event"] == "ready":
                        where = f"{event['machine']} (process {event['process']})"
                        log.info(f"a worker of the cluster is ready on {where}")
                        self._how, self.is_ready = f"the worker on {where} was lost", True
                    events.put((self, event))
        except self._cluster.losses as error:
            text = str(error)
            if _UNFIT in text:
                self._how = next(line for line in text.splitlines() if _UNFIT in line)
                self._how = _UNFIT + self._how.rpartition(_UNFIT)[2]
        except Exception as error:  # the cluster is gone, and nobody would hear of it
            if not self._is_stopped and not sys.is_finalizing():
                self._how = f"the cluster does not answer ({type(error).__name__})"
        events.put((self, {"event": "gone"}))


def spread(cluster: RayCluster, work: OpenWork, orders: Mapping[str, Any]) -> Iterator[dict]:
    """The event "done" of each order {job: what to do}, as they come. work: gets (job, what to do),
    and tells "done" or "failed" with what it likes.

    An order whose worker is lost is given to another one; ProcessLostError after the third. An
    event "failed" ends the run with its "error".
    """
    events: queue.Queue = queue.Queue()
    waiting, left, tries = list(orders)[::-1], len(orders), Counter[str]()
    workers = {RayWorker(events, cluster, work) for _ in range(min(cluster.count, left))}

    def give_next(worker: RayWorker) -> None:
        if waiting:
            job = waiting.pop()
            tries[job] += 1
            worker.give({"job": job, "what": orders[job]})

    try:
        while left:
            worker, event = events.get()
            if event["event"] == "ready":
                give_next(worker)
            elif event["event"] == "failed":
                raise event["error"]
            elif event["event"] == "done":
                worker.job, left = None, left - 1
                yield event
                give_next(worker)
            elif event["event"] == "gone":
                workers.discard(worker)
                again(worker, tries)
                if worker.job is not None:
                    waiting.append(worker.job)
                if waiting:
                    workers.add(RayWorker(events, cluster, work))
    finally:
        for worker in workers:
            worker.stop()


def again(worker: RayWorker, tries: Counter[str]) -> None:
    """Says that a lost worker's job goes to another one. tries: how often each job was given.
    ProcessLostError when that was often enough, or workers do not begin at all."""
    if not worker.is_ready:
        tries[""] += 1
    if tries[worker.job or ""] >= MOST_TRIES:
        what = "at the same work" if worker.is_ready else "that did not begin"
        raise ProcessLostError(
            f"{worker.how_it_ended()}, the third one {what}; what is whole is kept, and the same "
            "command goes on from there"
        )
    log.warning(
        worker.how_it_ended()
        + ("" if worker.job is None else ": another one goes on with its work")
    )
