"""The stage: sources -> clips, one by one, each whole or absent, each failure written down."""

import json
import re
import time
from collections.abc import Callable
from pathlib import Path

from tqdm import tqdm

from dancepipe.build_dataset.label import CroppedPerson, crop_clip, label_clip
from dancepipe.build_dataset.options import BuildDatasetOptions
from dancepipe.build_dataset.photos import FEWEST, label_photos, photo_files
from dancepipe.build_dataset.public import build_public, read_public
from dancepipe.build_dataset.sources import Source, read_sources, shard_of, split_of
from dancepipe.build_dataset.summary import BuildSummary
from dancepipe.dataset.recipe import hold_to_recipe
from dancepipe.dataset.store import SPLITS, ClipWriter, DatasetRow
from dancepipe.errors import BadVideoError, ConfigError, DatasetError, FetchError, NoPersonError, OutputError
from dancepipe.media.fetch import fetch
from dancepipe.media.probe import probe_video
from dancepipe.person.finder import PersonFinder, open_person_finder
from dancepipe.whole_file import write_text


_NO_PART_OF_THE_RECIPE = ("device", "num_shards", "shard_index")


def build_dataset(sources: list[str], out: Path, options: BuildDatasetOptions = BuildDatasetOptions(), *, say: Callable[[str], None] = print) -> BuildSummary:
    """Build or complete the data set in `out` from URLs, video files, folders of videos or of one person's photos, and text files of those; or,
    with a layout, from a published one.

    A clip that is already there is skipped; a source that fails goes to
    out/failures.jsonl with its stage and reason, and the run goes on. Raises
    ConfigError, OutputError, MissingExtraError and WeightsError: nothing could work then.
    """
    if options.shard_index >= options.num_shards:
        raise ConfigError(f"shard_index {options.shard_index} must be below num_shards {options.num_shards}")
    out = Path(out)
    if options.layout != "videos":
        if len(sources) != 1 or not Path(sources[0]).is_dir():
            raise ConfigError(f"layout {options.layout} needs one folder, the one with its CSV files; got {', '.join(sources)}")
        found = read_public(Path(sources[0]), options.layout)
        hold_to_recipe(out, options, apart_from=_NO_PART_OF_THE_RECIPE)
        return build_public(found, Path(sources[0]), out, options, say=say)
    if options.mask == "full":
        raise ConfigError("mask full keeps whole pictures, which is for published data sets (--layout); choose mediapipe or rembg")
    try:
        (out / "videos").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot write to {out}: {error.strerror}; choose a folder that you may write to") from error
    hold_to_recipe(out, options, apart_from=_NO_PART_OF_THE_RECIPE)
    ledger = out / ("failures.jsonl" if options.num_shards == 1 else f"failures-{options.shard_index}-of-{options.num_shards}.jsonl")

    found, unusable = read_sources(sources, say=say)
    if not found and not unusable:
        raise DatasetError("no video among the sources; give URLs, video files, folders of videos or of photos, or a text file of those")
    todo = [source for source in found if shard_of(source, options.num_shards) == options.shard_index]
    started = time.monotonic()
    written = skipped = frames = 0
    unusable = unusable if options.shard_index == 0 else []
    failures = [{"source": str(error.source), "stage": "fetch", "reason": str(error)} for error in unusable]
    older = _older_failures(ledger, {source.location for source in todo} | {failure["source"] for failure in failures})
    for failure in failures:
        say(f"failed (fetch): {failure['reason']}")
    _write_ledger(ledger, older + failures)
    with tqdm(todo, desc="clips", unit="clip", disable=None) as progress:
        for source in progress:
            path = clip_path(out, source, options.test_share)
            if _is_there(out, path, source, say):
                skipped += 1
                continue
            stage = "fetch"
            try:
                if source.is_photos:
                    stage = "label"
                    frames += build_photos(source, path, options, say=say)
                else:
                    video = fetch(source.location, out / "videos", max_height_px=options.max_height_px, say=say)
                    stage = "label"
                    frames += build_clip(video, source, path, options, say=say)
                written += 1
            except (FetchError, BadVideoError, NoPersonError) as error:
                failures.append({"source": source.location, "stage": stage, "reason": str(error)})
                _write_ledger(ledger, older + failures)
                say(f"failed ({stage}): {error}")
    return BuildSummary(len(todo) + len(unusable), written, skipped, len(failures), frames, time.monotonic() - started)


def build_clip(video: Path, source: Source, path: Path, options: BuildDatasetOptions, *, say: Callable[[str], None] = print) -> int:
    """One video file -> one Parquet file at `path`; returns the number of frames written.

    Raises BadVideoError, NoPersonError (too few usable frames), OutputError.
    """
    expected = probe_video(video).declared_frames
    with tqdm(total=expected and 2 * expected, desc=path.stem[:32], unit="frame", leave=False, disable=None) as progress:
        with _opened_finder("video", options, say) as finder:
            labels = label_clip(video, finder, fps=options.fps, min_joints=options.min_joints, tick=progress.update)
        if len(labels.frames) < options.min_frames:
            raise NoPersonError(
                f"{source.location}: a person with at least {options.min_joints} joints in {len(labels.frames)} of {labels.frames_looked_at} frames "
                f"({labels.frames_without_person} without a person, {labels.frames_with_few_joints} with fewer joints); {options.min_frames} are needed"
            )
        _tell(labels, source, say)
        with ClipWriter(path, lossless=options.lossless) as out:
            for person in crop_clip(video, labels, options.size_px, tick=progress.update):
                out.add(_row(person, source, source.location, path, options))
    return len(labels.frames)


def build_photos(source: Source, path: Path, options: BuildDatasetOptions, *, say: Callable[[str], None] = print) -> int:
    """One folder of photos of one person -> one Parquet file at `path`; returns the number of pictures written.

    Raises NoPersonError (fewer than two usable photos), OutputError.
    """
    with _opened_finder("photo", options, say) as finder:
        found = label_photos(Path(source.location), finder, options.size_px, min_joints=options.min_joints, say=say)
    if len(found.people) < FEWEST:
        raise NoPersonError(
            f"{source.location}: a person with at least {options.min_joints} joints in {len(found.people)} of {found.looked_at} photos; "
            f"{FEWEST} photos of one person, in different poses, are needed"
        )
    with ClipWriter(path, lossless=options.lossless) as out:
        for person, file in zip(found.people, found.files):
            out.add(_row(person, source, str(file), path, options))
    return len(found.people)


def _opened_finder(mode: str, options: BuildDatasetOptions, say: Callable[[str], None]) -> PersonFinder:
    return open_person_finder(
        options.pose, options.mask, mode=mode, yolo_weights=options.yolo_weights, rembg_model=options.rembg_model, device=options.device, say=say
    )


def _row(person: CroppedPerson, source: Source, location: str, path: Path, options: BuildDatasetOptions) -> DatasetRow:
    return DatasetRow(
        identity=source.identity,
        clip=path.stem,
        frame_index=person.frame_index,
        time_seconds=float(person.time_seconds),
        split=split_of(source.identity, options.test_share),
        image=person.image,
        mask=person.mask,
        pose=person.pose,
        box_xyxy_px=person.box_xyxy_px,
        source=location,
    )


def _tell(labels, source: Source, say: Callable[[str], None]) -> None:
    """Everything about a clip that a user would want to know before training on it."""
    if labels.people_seen > 1:
        say(f"{source.location}: up to {labels.people_seen} people; the largest and most central one is followed")
    if labels.shortfall_seconds:
        say(f"{source.location}: truncated, the last {float(labels.shortfall_seconds):.2f} s are missing; what decodes is used")
    if labels.corrupt_frames:
        say(f"{source.location}: {labels.corrupt_frames} damaged frames")


def clip_path(out: Path, source: Source, test_share: float) -> Path:
    """out/SPLIT/NAME-KEY.parquet: a readable name, and a key that keeps equal names apart."""
    stem = re.sub(r"[^A-Za-z0-9_-]+", "-", Path(source.location.split("?")[0]).stem).strip("-")[:48]
    return Path(out) / split_of(source.identity, test_share) / f"{stem or 'clip'}-{source.key[:8]}.parquet"


def _is_there(out: Path, path: Path, source: Source, say: Callable[[str], None]) -> bool:
    """Whether the clip is built and newer than its video. A clip that now belongs to the other split is removed, and said."""
    for split in SPLITS:
        other = out / split / path.name
        if other != path and other.exists():
            say(f"{source.location}: its person is now in the {path.parent.name} split; the clip in {split} is removed and built again")
            other.unlink()
    if path.exists() and _changed_at(source) > path.stat().st_mtime:
        say(f"{source.location} has changed since its clip was built; it is built again")
        return False
    return path.exists()


def _changed_at(source: Source) -> float:
    """When the file, the folder of photos or one of its photos changed last; 0 for addresses."""
    location = Path(source.location)
    if source.is_photos:
        return max(path.stat().st_mtime for path in (location, *photo_files(location)))
    return location.stat().st_mtime if location.is_file() else 0.0


def _older_failures(ledger: Path, now: set[str]) -> list[dict]:
    """Failures of earlier runs whose sources this run does not try again."""
    if not ledger.exists():
        return []
    return [entry for line in ledger.read_text(encoding="utf-8").splitlines() if (entry := json.loads(line))["source"] not in now]


def _write_ledger(path: Path, failures: list[dict]) -> None:
    write_text(path, "".join(json.dumps(failure) + "\n" for failure in failures))
