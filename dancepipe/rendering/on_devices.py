"""One video by several processes of this machine, each on a device of its own: they are shards of
it as those of several machines are, and go when this process goes."""

import logging
import os
import queue
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from dancepipe.errors import ProcessLostError, error_of
from dancepipe.files.lock import Shard
from dancepipe.media.fetched import local_video
from dancepipe.media.probe import probe_video
from dancepipe.progress import counted
from dancepipe.rendering.background import file_of
from dancepipe.rendering.options import AnimateOptions
from dancepipe.rendering.reference import photos_of
from dancepipe.rendering.result import check_kind, check_place
from dancepipe.rendering.summary import AnimateSummary
from dancepipe.rendering.worker_process import WorkerProcess

log = logging.getLogger(__name__)

_TRIES = 3  # of a share whose process is lost


def animate_on_devices(
    ref: Path | str | Sequence[Path | str],
    driver: Path | str,
    out: Path | str,
    weights: Path | str | None,
    options: AnimateOptions,
    devices: Sequence[str],
    shard: Shard,
) -> AnimateSummary:
    """As animate(), in a process for each of `devices`. shard: what all of them together are.

    Raises what animate() raises, and ProcessLostError when a process was lost again and again.
    """
    photos, out = photos_of(ref), Path(out)
    driver = local_video(driver, own_network=options.own_network)
    check_kind(options, out)
    inputs = (*photos, driver, weights, file_of(options.background), options.motion)
    check_place(out, overwrite=options.overwrite, inputs=inputs)
    count = shard.count * len(devices)
    orders = {
        f"{number}": {
            "job": f"{number}",
            "refs": [str(photo) for photo in photos],
            "driver": str(driver),
            "out": str(out),
            "weights": None if weights is None else str(weights),
            "options": {**asdict(options), "device": device},
            "shard": [shard.index * len(devices) + number, count],
        }
        for number, device in enumerate(devices)
    }
    with counted(
        total=probe_video(driver, options.stretch()).declared_frames, desc="drawing", unit="frame"
    ) as progress:
        return _Shared(orders, progress).work()


class _Shared:
    """The shares of one video, on their way."""

    def __init__(self, orders: dict[str, dict], progress: counted):
        self._orders, self._progress = orders, progress
        self._events: queue.Queue = queue.Queue()
        self._workers: list[WorkerProcess] = []
        self._tries: Counter[str] = Counter()
        self._frames: Counter[str] = Counter()  # of each share, made
        self._said: set[str] = set()

    def work(self) -> AnimateSummary:
        """Until all shares are made."""
        left, ended = set(self._orders), []
        try:
            for job in self._orders:
                self._start(job)
            while left:
                worker, event = self._events.get()
                job = event.get("job") or worker.job
                if event["event"] == "gone":
                    self._start_again(worker)
                elif event["event"] == "said":
                    self._say(event)
                elif event["event"] == "progress":
                    self._count(job, event["done"])
                elif event["event"] == "failed":
                    raise _error(event)
                elif event["event"] == "done":
                    worker.job = None
                    left.discard(job)
                    ended.append(AnimateSummary(**event["summary"]))
        finally:
            for worker in self._workers:
                worker.stop()
        return next((summary for summary in ended if summary.is_joined), ended[-1])

    def _start(self, job: str) -> None:
        order = self._orders[job]
        threads = None
        if order["options"]["device"].startswith("cpu") and len(self._orders) > 1:
            threads = max(1, (os.cpu_count() or 1) // len(self._orders))
        worker = WorkerProcess(self._events, threads)
        self._workers.append(worker)
        self._tries[job] += 1
        worker.give(order)

    def _start_again(self, worker: WorkerProcess) -> None:
        """What the lost one has kept is not made again."""
        self._workers.remove(worker)
        if worker.job is None:
            return
        device, how = self._orders[worker.job]["options"]["device"], worker.how_it_ended()
        if self._tries[worker.job] >= _TRIES:
            raise ProcessLostError(
                f"the share of {device} was lost {_TRIES} times, the last time since {how}; what "
                "is whole is kept, the same command goes on from there"
            )
        log.warning(f"{device}: {how}; its share goes on in another process")
        self._start(worker.job)

    def _say(self, event: dict) -> None:
        """What all of them say once."""
        if event["text"] not in self._said:
            self._said.add(event["text"])
            log.log(getattr(logging, event["level"].upper()), event["text"])

    def _count(self, job: str, done: int) -> None:
        self._progress.update(max(0, done - self._frames[job]))
        self._frames[job] = max(done, self._frames[job])


def _error(event: dict) -> Exception:
    """What a share failed of, as it would be raised here."""
    known = error_of(event.get("kind", ""), event["reason"])
    return known or RuntimeError(event.get("traceback", event["reason"]))
