"""A public pose-transfer data set in its published layout -> our clips, and the list of its test
pairs for evaluate."""

import csv
import io
import logging
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from dancepipe.building.ledger import Ledger, ledger_path
from dancepipe.building.options import BuildDatasetOptions
from dancepipe.building.pairs import PAIR_COLUMNS, PAIRS_FILE
from dancepipe.building.summary import BuildSummary, must_be_there
from dancepipe.data.deepfashion import DEEPFASHION
from dancepipe.data.market1501 import MARKET1501
from dancepipe.data.pose_transfer import (
    AnnotatedPicture,
    PoseTransferLayout,
    annotated_pictures,
    annotated_width,
    read_name_pairs,
)
from dancepipe.data.store import SPLITS, ClipWriter, DatasetRow, clip_files, read_columns
from dancepipe.errors import BadImageError, DatasetError
from dancepipe.files.lock import Lock
from dancepipe.files.whole_file import write_text
from dancepipe.media.image import load_photo
from dancepipe.person.cutout import on_grey
from dancepipe.person.finder import open_person_finder
from dancepipe.progress import counted
from dancepipe.records import BodyPose

log = logging.getLogger(__name__)

LAYOUTS = {layout.name: layout for layout in (DEEPFASHION, MARKET1501)}
_PICTURES_A_CLIP = 512


def read_public(folder: Path, name: str) -> dict[str, list[AnnotatedPicture]]:
    """What is there, by split, of the published data set of that name. Raises DatasetError when
    there is nothing, or it is not whole."""
    layout = LAYOUTS[name]
    found = {split: annotated_pictures(layout, folder, split) or [] for split in SPLITS}
    if not any(found.values()):
        raise DatasetError(
            f"no {name} in {folder}: need {layout.prefixes[0]}-annotation-train.csv or "
            "-test.csv, and the pictures in train/ and test/"
        )
    return found


def build_public(
    found: dict[str, list[AnnotatedPicture]],
    folder: Path,
    out: Path,
    options: BuildDatasetOptions,
    lock: Lock,
) -> BuildSummary:
    """Build or complete the data set in `out` from what was found in the folder of a published one;
    options.layout says which.

    A picture that cannot be read, or in which the finder of masks sees nobody, is left out and
    written to failures.jsonl; its pairs are left out too. Raises OutputError, MissingExtraError,
    WeightsError.
    """
    layout, started = LAYOUTS[options.layout], time.monotonic()
    both = set.intersection(*({one.identity for one in pictures} for pictures in found.values()))
    if both:
        log.warning(
            f"{len(both)} people are in both splits: the test split is not of people held out"
        )
    there = frames = 0
    written: list[Path] = []
    todo = []
    for split, pictures in found.items():
        for number, group in enumerate(_clips(pictures)):
            path = out / split / f"{layout.name}-{split}-{number:04}.parquet"
            if number % options.num_shards != options.shard_index:
                continue
            if path.exists():
                there += 1
            else:
                todo.append((path, split, group))
    widths = {split: annotated_width(pictures) for split, pictures in found.items()}
    tried = {one.name for _, _, group in todo for _, one in group}
    ledger = Ledger(ledger_path(out, options.num_shards, options.shard_index), tried)
    with ledger:
        for path, split, group in todo:
            lock.check()
            frames += _write_clip(path, split, group, layout, widths[split], options, ledger)
            written.append(path)
        must_be_there(written, lock)
    if options.num_shards == 1 and found["test"]:
        _write_pairs(layout, folder, out)
    return BuildSummary(
        sum(map(len, found.values())),
        len(written),
        there,
        ledger.failures,
        frames,
        time.monotonic() - started,
    )


def _clips(pictures: list[AnnotatedPicture]) -> Iterator[list[tuple[int, AnnotatedPicture]]]:
    """Whole identities, about so many pictures a file, each with its number in the split. 50,000
    small files would be slow to open."""
    group: list[tuple[int, AnnotatedPicture]] = []
    for number, picture in enumerate(pictures):
        if len(group) >= _PICTURES_A_CLIP and picture.identity != group[-1][1].identity:
            yield group
            group = []
        group.append((number, picture))
    if group:
        yield group


def _write_clip(
    path: Path,
    split: str,
    group,
    layout: PoseTransferLayout,
    width: int,
    options: BuildDatasetOptions,
    ledger: Ledger,
) -> int:
    """How many pictures were written; those that could not be used are in the ledger, with the
    reason."""
    finder = None
    if options.mask != "full":
        settings = {
            "yolo_weights": options.yolo_weights,
            "rembg_model": options.rembg_model,
            "device": options.device,
        }
        finder = open_person_finder(options.pose, options.mask, mode="photo", **settings)
    try:
        with ClipWriter(path, lossless=options.lossless) as out:
            for number, one in counted(
                group, desc=path.stem, unit="picture", leave=False, disable=None
            ):
                try:
                    image = load_photo(one.path)
                except BadImageError as error:
                    ledger.add(one.name, "read", str(error))
                    continue
                person = finder.find(image) if finder else None
                if finder and person is None:
                    ledger.add(
                        one.name,
                        "label",
                        "the mask finder sees nobody; --mask full keeps the picture whole",
                    )
                    continue
                mask = person.mask if person else np.full(image.shape[:2], 255, np.uint8)
                assert mask is not None  # the finder was opened with masks
                kept = layout.framed(on_grey(image, mask), mask, one.pose, width)
                height_px, width_px = kept.mask.shape
                box = (0.0, 0.0, float(width_px), float(height_px))
                out.add(
                    DatasetRow(
                        one.identity,
                        path.stem,
                        number,
                        0.0,
                        split,
                        kept.image,
                        kept.mask,
                        BodyPose(kept.pose),
                        box,
                        one.name,
                    )
                )
    finally:
        if finder:
            finder.close()
    return out.rows_written


def _write_pairs(layout: PoseTransferLayout, folder: Path, out: Path) -> None:
    """The published test pairs under our names, in their order."""
    named = read_name_pairs(layout, folder, "test")
    if named is None:
        log.info(f"{folder} lists no test pairs; evaluate will draw some")
        return
    columns = ["source", "clip", "frame_index", "identity"]
    rows = [row for path in clip_files(out, "test") for row in read_columns(path, columns)]
    places = {row["source"]: (row["clip"], row["frame_index"], row["identity"]) for row in rows}
    kept = [
        (places[one], places[other])
        for one, other in named
        if one in places and other in places and places[one][2] == places[other][2]
    ]
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(PAIR_COLUMNS)
    lines.writerows((*reference[:2], *target[:2]) for reference, target in kept)
    write_text(out / PAIRS_FILE, text.getvalue())
    left_out = (
        f"; {len(named) - len(kept)} of {len(named)} were left out: the numbers are not of the "
        "published list"
        if len(kept) < len(named)
        else ""
    )
    log.info(f"{out / PAIRS_FILE}: {len(kept)} test pairs for evaluate --pairs{left_out}")
