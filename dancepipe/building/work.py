"""One source from its address to its clip, in this process or in workers."""

import logging
import multiprocessing
import signal
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from dancepipe.building.clip import build_clip, build_photos
from dancepipe.building.download import download
from dancepipe.building.options import BuildDatasetOptions
from dancepipe.building.sources import Source
from dancepipe.cluster.ray_workers import RayCluster, spread
from dancepipe.errors import BadVideoError, DancepipeError, FetchError, NoPersonError

_PACKAGE = logging.getLogger("dancepipe")


@dataclass(frozen=True)
class Task:
    """What a worker needs to know."""

    source: Source
    path: Path  # of the clip
    out: Path
    options: BuildDatasetOptions


@dataclass(frozen=True)
class Outcome:
    """What came of a source."""

    task: Task
    rows: int = 0
    stage: str | None = None  # in which it failed
    reason: str = ""
    may_pass: bool = False  # as FetchError has it
    said: tuple[tuple[int, str], ...] = ()  # levels and lines, of another process


def worked_on(tasks: list[Task], options: BuildDatasetOptions) -> Iterator[Outcome]:
    """The outcomes in the order of the tasks; with several workers in processes of their own, or on
    a cluster, as they come. Each worker has its networks; what it says comes with the outcome."""
    workers = options.workers
    if options.ray and tasks:
        orders = {task.source.key: task for task in tasks}
        with RayCluster(options) as cluster:
            for event in spread(cluster, open_work, orders):
                yield event["outcome"]
        return
    if workers <= 1 or len(tasks) <= 1:
        yield from map(_work, tasks)
        return
    # "spawn": a forked copy of a process with running threads (torch, av) can hang.
    context = multiprocessing.get_context("spawn")
    with context.Pool(min(workers, len(tasks)), _begin, (_PACKAGE.level,)) as pool:
        yield from pool.imap_unordered(_work_aloud, tasks)


def _work(task: Task) -> Outcome:
    stage = "fetch"
    try:
        if task.source.is_photos:
            stage = "label"
            return Outcome(task, build_photos(task.source, task.path, task.options))
        video = download(task.source, task.out / "videos", task.options)
        stage = "label"
        return Outcome(task, build_clip(video, task.source, task.path, task.options))
    except (FetchError, BadVideoError, NoPersonError) as error:
        return Outcome(task, 0, stage, str(error), getattr(error, "may_pass", False))


def _begin(level: int) -> None:
    """A worker: it is ended by the process that started it, and says nothing itself."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _PACKAGE.setLevel(level)
    _PACKAGE.propagate = False


def open_work(tell: Callable[[dict], object]) -> Callable[[dict], None]:
    """What does a task of worked_on() in a worker on a cluster."""
    _PACKAGE.setLevel(logging.INFO)
    _PACKAGE.propagate = False

    def do(order: dict) -> None:
        try:
            tell({"event": "done", "job": order["job"], "outcome": _work_aloud(order["what"])})
        except DancepipeError as error:  # nothing could work
            tell({"event": "failed", "job": order["job"], "error": error})
        except Exception:  # a bug of ours
            error = RuntimeError(traceback.format_exc())
            tell({"event": "failed", "job": order["job"], "error": error})

    return do


class _Kept(logging.Handler):
    def __init__(self):
        super().__init__()
        self.lines: list[tuple[int, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append((record.levelno, record.getMessage()))


def _work_aloud(task: Task) -> Outcome:
    kept = _Kept()
    _PACKAGE.addHandler(kept)
    try:
        outcome = _work(task)
    finally:
        _PACKAGE.removeHandler(kept)
    return replace(outcome, said=tuple(kept.lines))
