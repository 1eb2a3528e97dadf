"""The stage: people of a seed, rendered into the data-set format by any number of processes."""

import logging
import multiprocessing
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dancepipe.data.recipe import hold_to_recipe
from dancepipe.data.store import ClipWriter, DatasetRow, hands_array
from dancepipe.files.lock import Lock, lock_folder
from dancepipe.files.whole_file import WholeFile, make_folder
from dancepipe.filming.options import RenderDancersOptions

log = logging.getLogger(__name__)

_NO_PART_OF_THE_RECIPE = (
    "identities",
    "assets",
    "truth",
    "workers",
)  # more people may be added, and truth to those that are there


@dataclass(frozen=True)
class RenderSummary:
    """What a run did."""

    identities_written: int
    identities_already_there: int
    frames_written: int
    seconds: float


def render_dancers(
    out: Path,
    options: RenderDancersOptions = RenderDancersOptions(),
) -> RenderSummary:
    """Render `options.identities` people into OUT/train and OUT/test, one Parquet file each, and
    OUT/truth when asked.

    The bytes depend on the options and the pack alone, not on the number of workers. Files that are
    there are kept: the same command goes on where it stopped. Raises AssetsError (pack),
    ConfigError (other options than those that the folder was begun with), MissingExtraError,
    OutputError (folder, disk), BusyError (another run renders there).
    """
    from dancepipe.synthetic.assets import load_assets

    started = time.monotonic()
    out = Path(out)
    folder = load_assets(options.assets).folder
    with lock_folder(out) as lock:
        return _render(out, options, folder, lock, started)


def _render(
    out: Path, options: RenderDancersOptions, folder: Path, lock: Lock, started: float
) -> RenderSummary:
    hold_to_recipe(out, options, apart_from=_NO_PART_OF_THE_RECIPE)
    tasks = [number for number in range(options.identities) if not _is_done(out, options, number)]
    workers = min(options.workers or os.cpu_count() or 1, max(len(tasks), 1))
    already = options.identities - len(tasks)
    if already:
        log.info(f"{out}: {already} of {options.identities} people are already there")
    written = 0
    for written, _ in enumerate(_in_processes(workers, tasks, out, options, folder), 1):
        lock.check()
        if written % max(len(tasks) // 20, 1) == 0:
            rate = written * options.frames / (time.monotonic() - started)
            log.info(f"{written}/{len(tasks)} people, {rate:.0f} pictures a second")
    return RenderSummary(written, already, written * options.frames, time.monotonic() - started)


def clip_path(out: Path, options: RenderDancersOptions, number: int) -> Path:
    """Where the file of an identity goes."""
    from dancepipe.synthetic.frames import identity_name

    return (
        out
        / split_of_identity(options.seed, number, options.test_share)
        / f"{identity_name(options.seed, number)}.parquet"
    )


def split_of_identity(seed: int, number: int, test_share: float) -> str:
    """train or test; a person's split does not depend on how many others there are."""
    return "test" if np.random.default_rng((seed, number, 99)).random() < test_share else "train"


def _truth_path(out: Path, clip: Path) -> Path:
    return out / "truth" / f"{clip.stem}.npz"


def _is_done(out: Path, options: RenderDancersOptions, number: int) -> bool:
    clip = clip_path(out, options, number)
    return clip.exists() and (not options.truth or _truth_path(out, clip).exists())


def _in_processes(
    workers: int, tasks: list[int], out: Path, options: RenderDancersOptions, folder: Path
):
    if workers == 1:
        for number in tasks:
            yield _render_identity((out, options, folder, number))
        return
    # "spawn": a forked copy of a process with running threads (torch, av) can hang.
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        yield from pool.imap(_render_identity, [(out, options, folder, number) for number in tasks])


def _render_identity(task: tuple[Path, RenderDancersOptions, Path, int]) -> int:
    out, options, folder, number = task
    from dancepipe.synthetic.assets import load_assets
    from dancepipe.synthetic.flow import exact_flow, part_labels
    from dancepipe.synthetic.frames import FrameOptions, frames_of_person
    from dancepipe.synthetic.person import draw_person

    assets = load_assets(folder)
    fabrics = Path(options.fabrics) if options.fabrics else None
    person = draw_person(assets, (options.seed, number), fabrics=fabrics)
    settings = FrameOptions.by_recipe(
        options.size_px,
        options.samples,
        hard=options.hard,
        around=options.around,
        degraded=options.degraded,
        detected_share=options.detected_share,
    )
    path = clip_path(out, options, number)
    split = split_of_identity(options.seed, number, options.test_share)
    truth: dict[str, list[np.ndarray]] = {
        "flow": [],
        "flow_visible": [],
        "parts": [],
        "joints": [],
        "joint_visibility": [],
        "landmarks": [],
        "hands": [],
    }
    first = None
    with ClipWriter(path, lossless=options.lossless) as clip:
        for frame in frames_of_person(
            assets, person, options.seed, number, options.frames, settings
        ):
            side = float(options.size_px)
            clip.add(
                DatasetRow(
                    frame.identity,
                    path.stem,
                    frame.frame_index,
                    frame.time_seconds,
                    split,
                    frame.image,
                    frame.mask,
                    frame.body,
                    (0.0, 0.0, side, side),
                    f"rendered:{frame.identity}",
                )
            )
            if options.truth:
                first = first or frame
                flow, visible = exact_flow(person.figure, frame.view, first.view)
                for name, value in (("flow", flow.astype(np.float16)), ("flow_visible", visible)):
                    truth[name].append(value)
                truth["parts"].append(part_labels(person.figure, frame.view))
                truth["joints"].append(frame.true_pose.as_array())
                truth["joint_visibility"].append(frame.visibility)
                landmarks, hands = frame.true_body.landmarks, frame.true_body.hands
                assert landmarks and hands  # what is exact is whole
                truth["landmarks"].append(landmarks.with_depth())
                truth["hands"].append(hands_array(hands))
        if options.truth:
            _write_truth(_truth_path(out, path), truth)
    return number


def _write_truth(path: Path, truth: dict[str, list[np.ndarray]]) -> None:
    make_folder(path.parent)
    # Any: numpy's stubs hold each of them for a possible allow_pickle.
    arrays: dict[str, Any] = {name: np.stack(values) for name, values in truth.items()}
    with WholeFile(path, overwrite=True) as whole, open(whole.part, "wb") as file:
        np.savez_compressed(file, **arrays)
