"""The stage: sources -> clips, one by one, each whole or absent, each failure written down."""

import logging
import os
import re
import time
from pathlib import Path

from dancepipe.building.built_from import is_unchanged, state_of
from dancepipe.building.finish import finish
from dancepipe.building.ledger import Ledger, ledger_path, write_outcomes
from dancepipe.building.options import BuildDatasetOptions
from dancepipe.building.public import build_public, read_public
from dancepipe.building.settle import ASIDE, Settled, settle
from dancepipe.building.sources import Source, read_sources, shard_of, split_of
from dancepipe.building.summary import BuildSummary, must_be_there
from dancepipe.building.work import Outcome, Task, worked_on
from dancepipe.cluster.options import NAMES as RAY_OPTIONS
from dancepipe.data.recipe import hold_to_recipe
from dancepipe.data.store import SPLITS
from dancepipe.errors import ConfigError, DatasetError
from dancepipe.files.lock import Lock, Shard, lock_folder, lock_shard
from dancepipe.files.whole_file import make_folder
from dancepipe.progress import counted

log = logging.getLogger(__name__)

# What decides nothing about the pictures.
_NO_PART_OF_THE_RECIPE = (
    "device", "num_shards", "shard_index", "own_network", "workers", "retry_failed", "cookies",
    "test_pairs", "rate_limit", "pause_seconds", "per_host", "retries", *RAY_OPTIONS,
)  # fmt: skip


def build_dataset(
    sources: list[str],
    out: Path,
    options: BuildDatasetOptions = BuildDatasetOptions(),
) -> BuildSummary:
    """Build or complete the data set in `out` from URLs, video files, folders of videos or of one
    person's photos, and text files of those; or, with a layout, from a published one.

    A clip that is already there is skipped, and so is a source that failed before, unless
    options.retry_failed or the network alone was to blame; one that fails now goes to
    out/failures.jsonl with its stage and reason, and the run goes on. At the end settle.py decides
    what concerns all clips together. Raises ConfigError, OutputError, BusyError (another run builds
    there; shards of one division may run together), MissingExtraError and WeightsError: nothing
    could work then.
    """
    if options.shard_index >= options.num_shards:
        raise ConfigError(
            f"shard_index {options.shard_index} must be below num_shards {options.num_shards}"
        )
    out = Path(out)
    if options.layout != "videos":
        if len(sources) != 1 or not os.path.isdir(sources[0]):
            raise ConfigError(
                f"layout {options.layout} needs one folder, the one with its CSV files; got "
                f"{', '.join(sources)}"
            )
        if options.hands:
            raise ConfigError(
                f"layout {options.layout} has joints of its own and no hands: leave hands out"
            )
        found = read_public(Path(sources[0]), options.layout)
        with _locked(out, options) as lock:
            hold_to_recipe(out, options, apart_from=_NO_PART_OF_THE_RECIPE)
            return build_public(found, Path(sources[0]), out, options, lock)
    if options.mask == "full":
        raise ConfigError(
            "mask full keeps whole pictures, which is for published data sets (--layout); choose "
            "mediapipe or rembg"
        )
    with _locked(out, options) as lock:
        return _build(sources, out, options, lock)


def _locked(out: Path, options: BuildDatasetOptions) -> Lock:
    """The data set for this run alone, or for this shard of it."""
    if options.num_shards == 1:
        return lock_folder(out)
    return lock_shard(out, Shard(options.shard_index, options.num_shards))


def _build(
    sources: list[str],
    out: Path,
    options: BuildDatasetOptions,
    lock: Lock,
) -> BuildSummary:
    make_folder(out / "videos")
    hold_to_recipe(out, options, apart_from=_NO_PART_OF_THE_RECIPE)
    found, unusable = read_sources(sources)
    if not found and not unusable:
        raise DatasetError(
            "no video among the sources; give URLs, video files, folders of videos or of photos, "
            "or a text file of those"
        )
    mine = [
        source for source in found if shard_of(source, options.num_shards) == options.shard_index
    ]
    unusable = unusable if options.shard_index == 0 else []
    started = time.monotonic()
    path = ledger_path(out, options.num_shards, options.shard_index)
    there = {source.key for source in mine if _is_there(out, source)}
    earlier = Ledger(path)
    failed = {
        source.key
        for source in mine
        if source.key not in there and _has_failed(earlier, source, options)
    }
    known = there | failed
    todo = [source for source in mine if source.key not in known]
    tried = [source.location for source in mine if source.key not in failed]
    with Ledger(path, [*tried, *(str(error.source) for error in unusable)]) as ledger:
        for error in unusable:
            ledger.add(str(error.source), "fetch", str(error))
            log.warning(f"failed (fetch): {error}")
        tasks = [
            Task(source, clip_path(out, source, options.test_share), out, options)
            for source in todo
        ]
        written, rows, for_now = _worked(tasks, known, ledger, lock, options)
        must_be_there(written, lock)
    settled = _settled(out, options, started, len(todo))
    copies = sum(one.copy_of is not None for one in settled.clips) if settled else 0
    return BuildSummary(
        len(mine) + len(unusable),
        len(written),
        len(there),
        len(unusable) + len(failed) + len(todo) - len(written),
        rows,
        time.monotonic() - started,
        copies,
        for_now,
    )


def _worked(
    tasks: list[Task], known: set[str], ledger: Ledger, lock: Lock, options: BuildDatasetOptions
) -> tuple[list[Path], int, int]:
    """The clips that were written, the number of their pictures, and that of failures which may
    pass."""
    written, rows, for_now = [], 0, 0
    total = len(tasks) + len(known)
    with counted(
        total=total, initial=len(known), desc="clips", unit="clip", disable=None
    ) as progress:
        for outcome in worked_on(tasks, options):
            lock.check()
            _say(outcome)
            if outcome.stage is None:
                written.append(outcome.task.path)
                rows += outcome.rows
                _remove_elsewhere(outcome.task)
            else:
                source = outcome.task.source
                for_now += outcome.may_pass
                ledger.add(
                    source.location, outcome.stage, outcome.reason,
                    state=state_of(source), for_now=outcome.may_pass,
                )  # fmt: skip
                log.warning(f"failed ({outcome.stage}): {outcome.reason}")
            progress.update()
    return written, rows, for_now


def _say(outcome: Outcome) -> None:
    for level, line in outcome.said:
        log.log(level, line)


def _settled(out: Path, options: BuildDatasetOptions, started: float, done: int) -> Settled | None:
    """What concerns all clips. Shards cannot know of each other's."""
    if options.num_shards > 1:
        log.info(
            "copies and people who look the same are looked for by a run without --num-shards, "
            "when all shards are done"
        )
        return None
    settled = settle(out, options.test_share, duplicates=options.clean.duplicates)
    for one, other, name in settled.joined:
        log.info(f"{one} and {other} show the same person, {name}")
    write_outcomes(out, settled)
    finish(out, settled, options, seconds=time.monotonic() - started, sources_done=done)
    return settled


def clip_path(out: Path, source: Source, test_share: float) -> Path:
    """out/SPLIT/NAME-KEY.parquet: a readable name, and a key that keeps equal names apart."""
    stem = re.sub(r"[^A-Za-z0-9_-]+", "-", Path(source.public_location.split("?")[0]).stem).strip(
        "-"
    )[:48]
    return (
        Path(out)
        / split_of(source.identity, test_share)
        / f"{stem or 'clip'}-{source.key[:8]}.parquet"
    )


def _places(out: Path, source: Source) -> list[Path]:
    """Where the clip of a source may lie."""
    name = clip_path(out, source, 0).name
    return [out / folder / name for folder in (*SPLITS, ASIDE)]


def _is_there(out: Path, source: Source) -> bool:
    """Whether the clip is built from what its source is now."""
    for path in _places(out, source):
        if not path.exists():
            continue
        try:
            unchanged = is_unchanged(source, path)
        except DatasetError as error:
            log.warning(f"{error}; it is built again")
            continue
        if unchanged:
            return True
        log.warning(
            f"{source.public_location} has changed since its clip was built; it is built again"
        )
    return False


def _has_failed(ledger: Ledger, source: Source, options: BuildDatasetOptions) -> bool:
    """Whether it failed before, and nothing says that it would not fail again."""
    return not options.retry_failed and ledger.has_failed(source.location, state_of(source))


def _remove_elsewhere(task: Task) -> None:
    """A clip that was built again is there alone."""
    for other in _places(task.out, task.source):
        if other != task.path:
            other.unlink(missing_ok=True)
