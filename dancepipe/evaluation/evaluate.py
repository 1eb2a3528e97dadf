"""The stage: weights and a data set, folders of pictures, or a finished video -> scores.json,
report.html and a table."""

import hashlib
import logging
from collections.abc import Mapping
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from dancepipe.device import pick_device
from dancepipe.errors import ConfigError, DatasetError
from dancepipe.evaluation.album import Album
from dancepipe.evaluation.baselines import open_baseline
from dancepipe.evaluation.folders import FolderPair, count_endings, load_pair, match_folders, some
from dancepipe.evaluation.metric_weights import sha256_of
from dancepipe.evaluation.options import (
    BASELINES,
    EvaluateOptions,
    chosen,
    metrics_of_form,
    options_of_protocol,
)
from dancepipe.evaluation.pair_list import HeldOut, PairId, drawn_pairs, read_pairs
from dancepipe.evaluation.render import render_pairs
from dancepipe.evaluation.report import report_html
from dancepipe.evaluation.score import REAL, PictureBatch, PictureScorer
from dancepipe.evaluation.scores import Scores, number, scores_text
from dancepipe.evaluation.statistics import MIN_GROUPS
from dancepipe.evaluation.video_form import score_finished_video
from dancepipe.files.lock import lock_folder, lock_result
from dancepipe.files.whole_file import make_folder, write_together
from dancepipe.pose.batch import PoseBatch
from dancepipe.progress import counted
from dancepipe.records import BodyPose
from dancepipe.systems.open import open_system
from dancepipe.systems.shipped import find_weights
from dancepipe.systems.system import System

log = logging.getLogger(__name__)

NETWORK = "network"
_BODY = "body"  # the baseline that needs landmarks


def evaluate(
    *,
    weights: Path | None = None,
    data: Path | None = None,
    real: Path | None = None,
    fake: Mapping[str, Path] | Path | None = None,
    driver: Path | None = None,
    result: Path | None = None,
    out: Path | None = None,
    options: EvaluateOptions = EvaluateOptions(),
) -> Scores:
    """Score one of three things:

    data (and weights, a file or the name of shipped ones): renders the test pairs of a data set and
    scores them, the baselines beside; without weights the baselines alone. real and fake: anybody's
    pictures, matched by file name. fake: one folder, or name -> folder; the first is compared with
    the others. driver and result: a finished video against the video that moved it, and against
    options.truth where there is one.

    out: scores.json; the report is written beside it as NAME.html ("scores.html"), both or none;
    what is there is replaced with options.overwrite alone. None: nothing is written.
    `Scores.text()` is the table. Raises ConfigError, DatasetError, BadImageError, BadVideoError,
    WeightsError, MissingExtraError, NoPersonError, OutputError.
    """
    given = {
        name
        for name, value in locals().items()
        if name in ("weights", "data", "real", "fake", "driver", "result") and value is not None
    }
    if out is not None:
        if Path(out).suffix.lower() in (".html", ".htm"):
            raise ConfigError(
                f"--out names the file of the scores (such as scores.json), got {out}; the "
                "report is written beside it as .html"
            )
        make_folder(Path(out).parent)
    inputs = (
        weights, driver, result, options.pairs, options.reference, options.truth,
        options.yolo_weights,
    )  # fmt: skip
    with ExitStack() as locks:
        for path in () if out is None else (Path(out), Path(out).with_suffix(".html")):
            locks.enter_context(lock_result(path, overwrite=options.overwrite, inputs=inputs))
        if options.pictures:
            locks.enter_context(lock_folder(options.pictures))
        return _evaluate(given, weights, data, real, fake, driver, result, out, options)


def _evaluate(
    given: set[str], weights, data, real, fake, driver, result, out, options: EvaluateOptions
) -> Scores:
    weights = find_weights(weights) if weights is not None else None
    if given in ({"data"}, {"data", "weights"}):
        scores = _score_pairs(weights, Path(data), options)
    elif given == {"real", "fake"}:
        scores = _score_folders(Path(real), _named(fake), options)
    elif given == {"driver", "result"}:
        scores = score_finished_video(Path(driver), Path(result), options)
    else:
        got = ", ".join(f"--{name}" for name in sorted(given)) or "nothing"
        raise ConfigError(
            "evaluate needs --data (and --weights), or --real and --fake, or --driver and "
            f"--result; got {got}"
        )
    if out is not None:
        both: dict[Path | str, str] = {
            Path(out).with_suffix(".html"): report_html(scores),
            Path(out): scores_text(scores),
        }
        write_together(both, overwrite=options.overwrite)
    return scores


def _score_pairs(weights: Path | None, data: Path, options: EvaluateOptions) -> Scores:
    metrics = metrics_of_form(options, "--data")
    baselines = chosen(options.baselines, BASELINES, "baseline")
    if weights is None and not baselines:
        raise ConfigError("nothing to score: give --weights, or leave the baselines on")
    device = pick_device(options.device)
    systems: dict[str, System] = {}
    if weights is not None:
        systems[NETWORK] = open_system(weights, device, options.precision)
    split = HeldOut(data)
    info = systems[NETWORK].info if NETWORK in systems else None
    made_for = None if info is None or info.draws_larger else info.size_hw
    size_hw = made_for or split.stored_size_hw()
    notes = []
    if options.pairs:
        pairs = read_pairs(Path(options.pairs), split)
    else:
        pairs, without = drawn_pairs(
            split, options.pairs_per_person, options.min_pose_change, options.seed
        )
        if without:
            notes.append(
                "left out, as no two of their pictures differ in pose by "
                f"{options.min_pose_change} torso lengths: {some(without)}"
            )
    served, left_out = _served(baselines, split, pairs, options)
    if left_out:
        log.warning(left_out)
        notes.append(left_out)
    systems |= {name: open_baseline(name, device) for name in served}
    album = Album(Path(options.pictures)) if options.pictures else None
    digest = hashlib.sha256()
    with closing(PictureScorer(metrics, options, device, needs_masks=False)) as scorer:
        for start in counted(
            range(0, len(pairs), options.batch), desc="pairs", unit="batch", disable=None
        ):
            batch = _render_batch(pairs[start : start + options.batch], split, size_hw, systems)
            assert batch.references is not None  # pairs have them
            for pictures in zip(batch.references, batch.real, strict=True):
                digest.update(b"".join(picture.tobytes() for picture in pictures))
            if album is not None:
                album.add(batch.identities, {REAL: batch.real} | batch.fakes)
            scorer.add(batch)
        protocol = _protocol(options, scorer, len(pairs))
        protocol |= {
            "size_hw": list(size_hw),
            "data_sha256": digest.hexdigest(),
            "weights_sha256": sha256_of(weights) if weights else None,
        }
        return _collected("pairs", scorer, protocol, notes, [_pair_record(pair) for pair in pairs])


def _served(
    baselines: tuple[str, ...], split: HeldOut, pairs: list[PairId], options: EvaluateOptions
) -> tuple[tuple[str, ...], str | None]:
    """The baselines that the data can serve, and in words what is left out. DatasetError where one
    cannot be served that was asked for by name."""
    if _BODY not in baselines:
        return baselines, None
    keys = {key for pair in pairs for key in (pair.reference, pair.target)}
    without = len(split.without_landmarks(keys))
    if not without:
        return baselines, None
    reason = (
        f"{without} of the {len(keys)} pictures that the pairs need have no landmarks with depth; "
        "build the data set with --pose mediapipe to have them"
    )
    if options.baselines.strip() != "all":
        raise DatasetError(f"{split.folder} cannot serve the baseline body: {reason}")
    return tuple(name for name in baselines if name != _BODY), f"baseline body left out: {reason}"


def _render_batch(
    pairs: list[PairId],
    split: HeldOut,
    size_hw: tuple[int, int],
    systems: Mapping[str, System],
) -> PictureBatch:
    references, targets = (
        [split.picture(getattr(pair, role), size_hw) for pair in pairs]
        for role in ("reference", "target")
    )
    images, masks = (
        torch.from_numpy(np.stack([getattr(one, name) for one in references]))
        for name in ("image", "mask")
    )
    poses_r, poses_t = (
        PoseBatch.of([_with_hands(one.body) for one in side]) for side in (references, targets)
    )
    return PictureBatch(
        names=[pair.name for pair in pairs],
        identities=[pair.identity for pair in pairs],
        real=np.stack([one.image for one in targets]),
        fakes={
            name: render_pairs(system, images, masks, poses_r, poses_t)
            for name, system in systems.items()
        },
        masks=np.stack([one.mask for one in targets]),
        targets=[one.body for one in targets],
        references=images.numpy(),
    )


def _with_hands(body: BodyPose) -> BodyPose:
    """Hands that nobody looked for count as not seen: one picture without any must not take them
    from its whole batch."""
    return body if body.hands is not None else replace(body, hands=(None, None))


def _pair_record(pair: PairId) -> dict:
    return {
        "identity": pair.identity,
        "reference_clip": pair.reference.clip,
        "reference_frame": pair.reference.frame_index,
        "target_clip": pair.target.clip,
        "target_frame": pair.target.frame_index,
    }


def _score_folders(real: Path, fakes: dict[str, Path], options: EvaluateOptions) -> Scores:
    metrics = metrics_of_form(options, "--real and --fake")
    pairs = match_folders(
        real, fakes, Path(options.masks) if options.masks else None, options.identity
    )
    needs_masks = options.masks is None and bool(
        {"hf", "mask-lpips", "l1", "psnr", "ssim"} & set(metrics)
    )
    device = pick_device(options.device)
    digests = {name: hashlib.sha256() for name in (REAL, *fakes)}
    with closing(PictureScorer(metrics, options, device, needs_masks=needs_masks)) as scorer:
        for batch in counted(
            _folder_batches(pairs, options.batch), desc="pictures", unit="batch", disable=None
        ):
            for name, pictures in ({REAL: batch.real} | batch.fakes).items():
                digests[name].update(pictures.tobytes())
            scorer.add(batch)
        protocol = _protocol(options, scorer, len(pairs))
        protocol |= {
            "sha256": {name: digest.hexdigest() for name, digest in digests.items()},
            "endings": count_endings(pairs),
            "masks": "given" if options.masks else "of the person finder" if needs_masks else None,
        }
        notes = (
            []
            if options.identity
            else [
                "without --identity every picture counts as a person of its own: intervals are "
                "over pictures"
            ]
        )
        records = [{"identity": pair.identity, "name": pair.name} for pair in pairs]
        return _collected("folders", scorer, protocol, notes, records)


def _folder_batches(pairs: list[FolderPair], most: int):
    """Batches of neighbours of equal size."""
    waiting: list[tuple[FolderPair, tuple]] = []

    def batch() -> PictureBatch:
        masks = [loaded[2] for _, loaded in waiting]
        return PictureBatch(
            names=[pair.name for pair, _ in waiting],
            identities=[pair.identity for pair, _ in waiting],
            real=np.stack([loaded[0] for _, loaded in waiting]),
            fakes={
                name: np.stack([loaded[1][name] for _, loaded in waiting])
                for name in waiting[0][0].fakes
            },
            masks=None if masks[0] is None else np.stack(masks),
            targets=None,
        )

    for pair in pairs:
        loaded = load_pair(pair)
        if waiting and (len(waiting) == most or waiting[0][1][0].shape != loaded[0].shape):
            yield batch()
            waiting = []
        waiting.append((pair, loaded))
    yield batch()


def _named(fake: Mapping[str, Path] | Path) -> dict[str, Path]:
    if isinstance(fake, Mapping):
        if not fake or REAL in fake:
            raise ConfigError(f"--fake needs at least one folder, and none may be named '{REAL}'")
        return {name: Path(folder) for name, folder in fake.items()}
    return {"fake": Path(fake)}


def _protocol(options: EvaluateOptions, scorer: PictureScorer, pictures: int) -> dict:
    return {
        "options": options_of_protocol(options),
        "pictures": pictures,
        "people": len(set(scorer.identities)),
        "networks": scorer.networks,
        "torch": torch.__version__,
    }


def _collected(
    form: str, scorer: PictureScorer, protocol: dict, notes: list[str], records: list[dict]
) -> Scores:
    methods, differences = scorer.estimates()
    if protocol["people"] < MIN_GROUPS:
        notes = [
            *notes,
            f"too few people for intervals over people: {protocol['people']} (need {MIN_GROUPS})",
        ]
    arrays = scorer.arrays()
    items = [
        record
        | {
            "methods": {
                method: {name: number(values[i]) for name, values in scores.items()}
                for method, scores in arrays.items()
            }
        }
        for i, record in enumerate(records)
    ]
    return Scores(
        form, protocol, methods, scorer.not_available, differences, items, scorer.examples(), notes
    )
