"""The stage: sources -> clips, one by one, each whole or absent, each failure written down."""

import logging
import os
import re
import time
from pathlib import Path

from dancepipe.building.built_from import is_unchanged, note_of
from dancepipe.building.label import CroppedPerson, crop_clip, label_clip
from dancepipe.building.ledger import Ledger, ledger_path
from dancepipe.building.options import BuildDatasetOptions
from dancepipe.building.photos import FEWEST, label_photos
from dancepipe.building.public import build_public, read_public
from dancepipe.building.sources import Source, read_sources, shard_of, split_of
from dancepipe.building.summary import BuildSummary, must_be_there
from dancepipe.data.recipe import hold_to_recipe
from dancepipe.data.store import SPLITS, ClipWriter, DatasetRow
from dancepipe.errors import BadVideoError, ConfigError, DatasetError, FetchError, NoPersonError
from dancepipe.files.lock import Lock, Shard, lock_folder, lock_shard
from dancepipe.files.whole_file import make_folder
from dancepipe.media.fetch import fetch
from dancepipe.media.probe import probe_video
from dancepipe.person.finder import PersonFinder, open_person_finder
from dancepipe.progress import counted

log = logging.getLogger(__name__)

_NO_PART_OF_THE_RECIPE = ("device", "num_shards", "shard_index", "own_network")


def build_dataset(
    sources: list[str],
    out: Path,
    options: BuildDatasetOptions = BuildDatasetOptions(),
) -> BuildSummary:
    """Build or complete the data set in `out` from URLs, video files, folders of videos or of one
    person's photos, and text files of those; or, with a layout, from a published one.

    A clip that is already there is skipped; a source that fails goes to
    out/failures.jsonl with its stage and reason, and the run goes on. Raises
    ConfigError, OutputError, BusyError (another run builds there; shards of one division may run
    together), MissingExtraError and WeightsError: nothing could work then.
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
    todo = [
        source for source in found if shard_of(source, options.num_shards) == options.shard_index
    ]
    unusable = unusable if options.shard_index == 0 else []
    started = time.monotonic()
    skipped = frames = 0
    written: list[Path] = []
    tried = {source.location for source in todo} | {str(error.source) for error in unusable}
    ledger = Ledger(ledger_path(out, options.num_shards, options.shard_index), tried)
    with ledger, counted(todo, desc="clips", unit="clip", disable=None) as progress:
        for error in unusable:
            ledger.add(str(error.source), "fetch", str(error))
            log.warning(f"failed (fetch): {error}")
        for source in progress:
            lock.check()
            path = clip_path(out, source, options.test_share)
            if _is_there(path, source):
                skipped += 1
                continue
            stage = "fetch"
            try:
                if source.is_photos:
                    stage = "label"
                    frames += build_photos(source, path, options)
                else:
                    video = fetch(
                        source.location,
                        out / "videos",
                        max_height_px=options.max_height_px,
                        own_network=options.own_network,
                    )
                    stage = "label"
                    frames += build_clip(video, source, path, options)
                written.append(path)
                _remove_from_other_split(out, path, source)
            except (FetchError, BadVideoError, NoPersonError) as error:
                ledger.add(source.location, stage, str(error))
                log.warning(f"failed ({stage}): {error}")
        must_be_there(written, lock)
    return BuildSummary(
        len(todo) + len(unusable),
        len(written),
        skipped,
        ledger.failures,
        frames,
        time.monotonic() - started,
    )


def build_clip(
    video: Path,
    source: Source,
    path: Path,
    options: BuildDatasetOptions,
) -> int:
    """One video file -> one Parquet file at `path`; returns the number of frames written.

    Raises BadVideoError, NoPersonError (too few usable frames), OutputError.
    """
    note = note_of(source)  # before it is read: what changes meanwhile is seen by the next run
    info = probe_video(video)
    for remark in info.remarks:
        log.info(f"{source.public_location}: {remark}")
    expected = info.declared_frames
    with counted(
        total=expected and 2 * expected,
        desc=path.stem[:32],
        unit="frame",
        leave=False,
        disable=None,
    ) as progress:
        with _opened_finder("video", options) as finder:
            labels = label_clip(
                video, finder, fps=options.fps, min_joints=options.min_joints, tick=progress.update
            )
        if len(labels.frames) < options.min_frames:
            raise NoPersonError(
                f"{source.public_location}: a person with at least {options.min_joints} joints "
                f"in {len(labels.frames)} of {labels.frames_looked_at} frames "
                f"({labels.frames_without_person} without a person, "
                f"{labels.frames_with_few_joints} with fewer joints); {options.min_frames} are "
                "needed"
            )
        _tell(labels, source)
        with ClipWriter(path, lossless=options.lossless, built_from=note) as out:
            for person in crop_clip(video, labels, options.size_px, tick=progress.update):
                out.add(_row(person, source, source.public_location, path, options))
    return len(labels.frames)


def build_photos(source: Source, path: Path, options: BuildDatasetOptions) -> int:
    """One folder of photos of one person -> one Parquet file at `path`; returns the number of
    pictures written.

    Raises NoPersonError (fewer than two usable photos), OutputError.
    """
    note = note_of(source)
    with _opened_finder("photo", options) as finder:
        found = label_photos(
            Path(source.location), finder, options.size_px, min_joints=options.min_joints
        )
    if len(found.people) < FEWEST:
        raise NoPersonError(
            f"{source.public_location}: a person with at least {options.min_joints} joints in "
            f"{len(found.people)} of {found.looked_at} photos; "
            f"{FEWEST} photos of one person, in different poses, are needed"
        )
    with ClipWriter(path, lossless=options.lossless, built_from=note) as out:
        for person, file in zip(found.people, found.files):
            out.add(_row(person, source, str(file), path, options))
    return len(found.people)


def _opened_finder(mode: str, options: BuildDatasetOptions) -> PersonFinder:
    return open_person_finder(
        options.pose,
        options.mask,
        hands=options.hands,
        mode=mode,
        yolo_weights=options.yolo_weights,
        rembg_model=options.rembg_model,
        device=options.device,
    )


def _row(
    person: CroppedPerson, source: Source, location: str, path: Path, options: BuildDatasetOptions
) -> DatasetRow:
    return DatasetRow(
        identity=source.identity,
        clip=path.stem,
        frame_index=person.frame_index,
        time_seconds=float(person.time_seconds),
        split=split_of(source.identity, options.test_share),
        image=person.image,
        mask=person.mask,
        body=person.body,
        box_xyxy_px=person.box_xyxy_px,
        source=location,
    )


def _tell(labels, source: Source) -> None:
    """Everything about a clip that a user would want to know before training on it."""
    if labels.people_seen > 1:
        log.info(
            f"{source.public_location}: up to {labels.people_seen} people; the largest and most "
            "central one is followed"
        )
    if labels.shortfall_seconds:
        log.warning(
            f"{source.public_location}: truncated, the last "
            f"{float(labels.shortfall_seconds):.2f} s are missing; what decodes is used"
        )
    if labels.corrupt_frames:
        log.warning(f"{source.public_location}: {labels.corrupt_frames} damaged frames")


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


def _is_there(path: Path, source: Source) -> bool:
    """Whether the clip is built from what its source is now."""
    if not path.exists():
        return False
    try:
        unchanged = is_unchanged(source, path)
    except DatasetError as error:
        log.warning(f"{error}; it is built again")
        return False
    if not unchanged:
        log.warning(
            f"{source.public_location} has changed since its clip was built; it is built again"
        )
    return unchanged


def _remove_from_other_split(out: Path, path: Path, source: Source) -> None:
    """A person whom another name moved to the other split is there alone."""
    for split in SPLITS:
        other = out / split / path.name
        if other != path and other.exists():
            other.unlink()
            log.warning(
                f"{source.public_location}: its person is now in the {path.parent.name} split; "
                f"the clip in {split} is removed"
            )
