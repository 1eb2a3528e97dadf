"""One source -> one Parquet file, with everyone who is in it, and its contact sheet."""

import logging
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dancepipe.building.built_from import note_of
from dancepipe.building.cleaning import REASONS, Cleaned, clean
from dancepipe.building.crops import CroppedPerson, Wanted, crop_clip
from dancepipe.building.facts import ClipFacts, DancerFacts, packed, packed_pose
from dancepipe.building.label import ClipLabels, Dancer, LabelledFrame, label_clip
from dancepipe.building.options import BuildDatasetOptions
from dancepipe.building.photos import FEWEST, label_photos
from dancepipe.building.picture_hash import difference_hash
from dancepipe.building.poses import pose_vectors
from dancepipe.building.sheet import sheet_path, write_sheet
from dancepipe.building.sources import Source, split_of
from dancepipe.data.store import ClipWriter, DatasetRow
from dancepipe.errors import NoPersonError
from dancepipe.media.probe import probe_video
from dancepipe.person.finder import PersonFinder, open_person_finder
from dancepipe.progress import counted

log = logging.getLogger(__name__)

_SHOWN_KEPT, _SHOWN_OF_A_REASON = 12, 4


@dataclass(frozen=True)
class _Use:
    """What a cropped frame is for."""

    dancer: int
    reason: str  # why it is dropped; empty: it is kept
    is_shown: bool  # in the sheet


def build_clip(video: Path, source: Source, path: Path, options: BuildDatasetOptions) -> int:
    """One video file -> one Parquet file at `path`; returns the number of pictures written.

    Raises BadVideoError, NoPersonError (too few usable frames of everyone), OutputError.
    """
    note = note_of(source)  # before it is read: what changes meanwhile is seen by the next run
    info = probe_video(video)
    for remark in info.remarks:
        log.info(f"{source.public_location}: {remark}")
    expected = info.declared_frames
    with counted(
        total=expected and 2 * expected, desc=path.stem[:32], unit="frame", leave=False,
        disable=None,
    ) as progress:  # fmt: skip
        with _opened_finder("video", options) as finder:
            labels = label_clip(video, finder, fps=options.fps, tick=progress.update)
        dancers = labels.dancers if options.everyone else labels.dancers[:1]
        cleaned = [
            clean(
                one, labels, options.clean, size_px=options.size_px,
                min_joints=options.min_joints, min_frames=options.min_frames,
            )
            for one in dancers
        ]  # fmt: skip
        _tell(labels, cleaned, source)
        wanted = list(_wanted(cleaned))
        sheet: list[tuple[int, str, np.ndarray]] = []
        if not any(one.kept for one in cleaned):
            for one, person in crop_clip(video, wanted, options.size_px):
                sheet.append((one.purpose.dancer, one.purpose.reason, person.image))
            _write_sheet(path, sheet)
            raise NoPersonError(_nobody(labels, cleaned, source, options))
        rows = 0
        facts = [
            _dancer_facts(number, dancer, one, source, path)
            for number, (dancer, one) in enumerate(
                (dancer, one) for dancer, one in zip(dancers, cleaned, strict=True) if one.kept
            )
        ]
        number_of = {}
        for index, one in enumerate(cleaned):
            if one.kept:
                number_of[index] = len(number_of)
        with ClipWriter(path, lossless=options.lossless, built_from=note) as out:
            for one, person in crop_clip(video, wanted, options.size_px, tick=progress.update):
                use = one.purpose
                if use.is_shown:
                    sheet.append((use.dancer, use.reason or "kept", person.image))
                if use.reason:
                    continue
                dancer = facts[number_of[use.dancer]]
                dancer.scene_hashes.append(one.frame.scene_hash)
                dancer.poses.append(packed_pose(pose_vectors([person.body.joints])[0]))
                out.add(_row(person, dancer, source, source.public_location, options))
                rows += 1
            out.facts = _clip_facts(labels, cleaned, facts, source).text()
            _write_sheet(path, sheet)
    return rows


def _wanted(cleaned: list[Cleaned]) -> Iterator[Wanted[_Use]]:
    """What is kept of each dancer, and some of what is not, for the sheet."""
    for index, one in enumerate(cleaned):
        shown = {id(frame) for frame in _some(one.kept, _SHOWN_KEPT)}
        yield from (Wanted(frame, _Use(index, "", id(frame) in shown)) for frame in one.kept)
        for reason in REASONS:
            frames = [frame for frame, why in one.dropped if why == reason]
            for frame in _some(frames, _SHOWN_OF_A_REASON):
                yield Wanted(frame, _Use(index, reason, True))


def _some(frames: list[LabelledFrame], most: int) -> list[LabelledFrame]:
    """At most so many, spread over all."""
    places = np.linspace(0, len(frames) - 1, min(most, len(frames)))
    return [frames[round(place)] for place in places]


def _write_sheet(path: Path, sheet: list[tuple[int, str, np.ndarray]]) -> None:
    """Dancer by dancer, what is kept first."""
    ordered = sorted(sheet, key=lambda tile: (tile[1] != "kept", tile[1], tile[0]))
    if ordered:
        target = sheet_path(path.parent.parent, path.stem)
        write_sheet(target, [(f"{n + 1}: {reason}", image) for n, reason, image in ordered])


def _nobody(labels: ClipLabels, cleaned: list[Cleaned], source: Source, options) -> str:
    reasons = Counter(reason for one in cleaned for _, reason in one.dropped)
    told = ", ".join(f"{reasons[reason]} {reason}" for reason in REASONS if reasons[reason])
    return (
        f"{source.public_location}: nobody with {options.min_frames} usable frames in "
        f"{labels.frames_looked_at} frames ({labels.frames_without_person} without a person"
        + (f"; of {sum(reasons.values())} bodies: {told}" if told else "")
        + ")"
        + ("; the --clean options set what is dropped" if told else "")
    )


def _dancer_facts(
    number: int, dancer: Dancer, cleaned: Cleaned, source: Source, path: Path
) -> DancerFacts:
    behind = "" if number == 0 else f"-{number + 1}"
    return DancerFacts(
        source.identity + behind, path.stem + behind, len(cleaned.kept),
        number == 0 and source.is_named, round(cleaned.motion, 4), packed(dancer.clothes),
    )  # fmt: skip


def _clip_facts(
    labels: ClipLabels, cleaned: list[Cleaned], dancers: list[DancerFacts], source: Source
) -> ClipFacts:
    dropped = Counter(reason for one in cleaned for _, reason in one.dropped)
    return ClipFacts(
        source=source.public_location,
        key=source.key,
        identity=source.identity,
        dancers=dancers,
        frames_looked_at=labels.frames_looked_at,
        frames_without_person=labels.frames_without_person,
        bodies=sum(len(one.kept) + len(one.dropped) for one in cleaned),
        dropped={reason: dropped[reason] for reason in REASONS if dropped[reason]},
        cut_frames=labels.cut_frames,
        camera=[round(labels.camera_speed(shot), 4) for shot in range(len(labels.camera_speeds))],
    )


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
    dancer = DancerFacts(source.identity, path.stem, len(found.people), source.is_named, 0.0)
    facts = ClipFacts(
        source.public_location, source.key, source.identity, "photos", [dancer],
        found.looked_at, found.looked_at - len(found.people), len(found.people),
    )  # fmt: skip
    with ClipWriter(path, lossless=options.lossless, built_from=note) as out:
        for person, file in zip(found.people, found.files, strict=True):
            dancer.scene_hashes.append(difference_hash(person.image))
            dancer.poses.append(packed_pose(pose_vectors([person.body.joints])[0]))
            out.add(_row(person, dancer, source, str(file), options))
        out.facts = facts.text()
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
    person: CroppedPerson,
    dancer: DancerFacts,
    source: Source,
    location: str,
    options: BuildDatasetOptions,
) -> DatasetRow:
    return DatasetRow(
        identity=dancer.identity,
        clip=dancer.clip,
        frame_index=person.frame_index,
        time_seconds=float(person.time_seconds),
        split=split_of(source.identity, options.test_share),
        image=person.image,
        mask=person.mask,
        body=person.body,
        box_xyxy_px=person.box_xyxy_px,
        source=location,
    )


def _tell(labels: ClipLabels, cleaned: list[Cleaned], source: Source) -> None:
    """Everything about a clip that a user would want to know before training on it."""
    kept = [len(one.kept) for one in cleaned if one.kept]
    if len(cleaned) > 1:
        log.info(
            f"{source.public_location}: {len(cleaned)} people, {len(kept)} kept "
            f"({', '.join(map(str, kept)) or 'no'} pictures)"
        )
    if labels.cut_frames:
        log.info(f"{source.public_location}: {len(labels.cut_frames) + 1} shots")
    if labels.shortfall_seconds:
        log.warning(
            f"{source.public_location}: truncated, the last "
            f"{float(labels.shortfall_seconds):.2f} s are missing; what decodes is used"
        )
    if labels.corrupt_frames:
        log.warning(f"{source.public_location}: {labels.corrupt_frames} damaged frames")
