"""The stage: a list of jobs -> their videos, a ledger, a status page."""

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from dancepipe.cluster.ray_workers import RayCluster
from dancepipe.config import options_with
from dancepipe.errors import ConfigError
from dancepipe.files.lock import Shard, lock_shard
from dancepipe.many.jobs import Job, jobs_of_folders, read_jobs
from dancepipe.many.ledger import Ledger
from dancepipe.many.options import AnimateManyOptions
from dancepipe.many.run import Run
from dancepipe.progress import Progress, counted, told

log = logging.getLogger(__name__)

_SHOWN_FAILURES = 20


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
    OutputError, BusyError, and of a cluster MissingExtraError and ProcessLostError.
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
        with (
            RayCluster(options) if options.ray and todo else nullcontext() as cluster,
            counted(total=len(todo) or None, desc="jobs", unit="job") as count,
        ):
            on_event = on_event or _to_nobody
            run = Run(out, ledger, todo, options, on_event, len(whole), cluster)
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
