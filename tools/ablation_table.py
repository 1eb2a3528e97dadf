"""What tools/ablation.py found, for reading and for looking: the paper's Table 2 with ours
beside, and pictures by every arm."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw
from tables import PAPER_TABLE_1, PAPER_TABLE_2

from dancepipe.config import read_yaml
from dancepipe.device import pick_device
from dancepipe.evaluation.baselines import open_baseline
from dancepipe.evaluation.measures import MEASURES
from dancepipe.evaluation.options import EvaluateOptions
from dancepipe.evaluation.pair_list import HeldOut, drawn_pairs
from dancepipe.evaluation.render import render_pairs
from dancepipe.evaluation.scores import aligned, is_clear, read_scores, shown
from dancepipe.evaluation.statistics import Estimate, Resamples
from dancepipe.pose.batch import PoseBatch
from dancepipe.systems.open import open_system
from dancepipe.training.options import TrainOptions

COLUMNS = {
    "fid": "FID",
    "lpips": "LPIPS",
    "pre": "PRE (px)",
    "found": "found",
    "hf": "hf",
    "l1_box": "L1 box",
    "ssim_box": "SSIM box",
}
_PAPER = {
    method: dict(zip(("fid", "lpips", "pre"), values))
    for method, values in {"GFLA": PAPER_TABLE_1["GFLA"]["youtube"], **PAPER_TABLE_2}.items()
}
_NETWORK = "network"
_SHOWN_PEOPLE = 6
_SIDE_PX, _TITLE_PX = 160, 14


def table(
    out: Path,
    titles: dict[str, str],
    options: dict[str, TrainOptions],
    paper: Mapping[str, Mapping[str, float]] = _PAPER,
    columns: Mapping[str, str] = COLUMNS,
) -> str:
    """The text, from the scores.json of the arms. titles, options: by name of the arm, the first
    one is what the others are compared with. paper: method -> its numbers, by column."""
    records = {name: read_scores(out / name / "scores.json") for name in titles}
    first, *others = records
    rows = [["", *columns.values()]]
    rows += [
        [f"{title} (paper)", *(f"{values[name]:g}" if name in values else "-" for name in columns)]
        for title, values in paper.items()
    ]
    rows += [[titles[name], *_cells(record, _NETWORK, columns)] for name, record in records.items()]
    rows += [
        [method, *_cells(records[first], method, columns)]
        for method in records[first]["methods"]
        if method != _NETWORK
    ]
    lines = [
        _budget(records[first], options[first]),
        "",
        *aligned(rows),
        "",
        f"paired: {titles[first]} less the other (* : clear of 0)",
    ]
    measures = [name for name in columns if name != "fid"]
    rows = [["", *(columns[name] for name in measures)]]
    rows += [
        [titles[name], *_differences(records[first], records[name], measures)] for name in others
    ]
    lines += [
        *aligned(rows),
        "",
        *(f"{titles[name]}: {_trained(out / name, options[name])}" for name in records),
    ]
    if "gfla" in options and options["gfla"].weights.flow_image:
        lines.append(
            "GFLA without a perceptual network has no correctness term: its flow learns from eq. "
            "5 instead, as the others' does"
        )
    lines += [
        f"{columns[name]} n/a: {reason}"
        for name, reason in records[first]["not_available"].items()
        if name in columns
    ]
    lines += records[first]["notes"]
    lines.append(
        "The paper's rows are of its own data, weights and estimators (docs/protocol.md): read "
        "them for the order, not for the numbers."
    )
    return "\n".join(lines)


def _estimate(record: dict, method: str, name: str) -> Estimate | None:
    plain = record["methods"][method].get(name)
    if plain is None or plain["value"] is None:
        return None
    return Estimate(plain["value"], plain["low"], plain["high"], plain["count"], plain.get("mark"))


def _cells(record: dict, method: str, columns: Mapping[str, str]) -> list[str]:
    return [
        "n/a"
        if name in record["not_available"]
        else shown(_estimate(record, method, name), MEASURES[name].digits)
        for name in columns
    ]


def _differences(record: dict, other: dict, measures: list[str]) -> list[str]:
    """Cells of the paired differences, people drawn together. The pairs are the same: the same
    data, seed and size."""
    resamples = Resamples(
        [item["identity"] for item in record["items"]],
        record["protocol"]["options"]["bootstrap"],
        record["protocol"]["options"]["seed"],
    )
    cells = []
    for name in measures:
        ours, theirs = (
            np.array([item["methods"][_NETWORK].get(name) for item in one["items"]], np.float64)
            for one in (record, other)
        )
        if not np.isfinite(ours - theirs).any():
            cells.append("-")
            continue
        found = resamples.difference(ours, theirs)
        cells.append(shown(found, MEASURES[name].digits) + (" *" if is_clear(found) else ""))
    return cells


def _budget(record: dict, options: TrainOptions) -> str:
    protocol = record["protocol"]
    height, width = protocol["size_hw"]
    return (
        f"{protocol['pictures']} pairs of {protocol['people']} held-out people at {width} x "
        f"{height}; preset {options.preset}, batch {options.batch}, "
        f"prior {options.prior}, perceptual network {options.perceptual}, seed {options.seed}; "
        "each number with its 95 % interval over people"
    )


def _trained(run: Path, options: TrainOptions) -> str:
    """Steps and time, from the run's own log."""
    lines = (run / "log.jsonl").read_text(encoding="utf-8").splitlines()
    seconds = json.loads(lines[-1])["seconds"] if lines else 0
    shared = read_yaml(run / "config.yaml")["init"]
    stage1 = f"{options.stage1_steps} steps of stage 1" + (
        f" (those of {Path(shared).parent.name})" if shared else ""
    )
    if options.system != "focus_retain":
        return f"{options.stage1_steps} steps; {seconds:.0f} s of training"
    return f"{stage1}, {options.stage2_steps} of stage 2; {seconds:.0f} s of training of its own"


def sheet(path: Path, data: Path, weights: dict[str, Path], scoring: EvaluateOptions) -> None:
    """One row a person, the first scored pair of each: reference, target, limb warp, and every
    arm (title -> weights)."""
    device, split = pick_device(scoring.device), HeldOut(data)
    pairs, _ = drawn_pairs(split, scoring.pairs_per_person, scoring.min_pose_change, scoring.seed)
    pairs = list({pair.identity: pair for pair in reversed(pairs)}.values())[::-1][:_SHOWN_PEOPLE]
    systems = {"limb warp": open_baseline("limb-warp", device)} | {
        title: open_system(file, device, scoring.precision) for title, file in weights.items()
    }
    size_hw = next(system.info.size_hw for system in systems.values() if system.info.size_hw)
    references, targets = (
        [split.picture(key, size_hw) for key in keys]
        for keys in zip(*((pair.reference, pair.target) for pair in pairs))
    )
    images, masks = (
        torch.from_numpy(np.stack([getattr(one, name) for one in references]))
        for name in ("image", "mask")
    )
    poses_r, poses_t = (PoseBatch.of([one.body for one in side]) for side in (references, targets))
    columns = {"reference": images.numpy(), "target": np.stack([one.image for one in targets])}
    for title, system in systems.items():
        columns[title] = render_pairs(system, images, masks, poses_r, poses_t)
    cells = [
        np.concatenate([_scaled(picture) for picture in column]) for column in columns.values()
    ]
    titles = Image.new("RGB", (sum(cell.shape[1] for cell in cells), _TITLE_PX), "white")
    for index, title in enumerate(columns):
        ImageDraw.Draw(titles).text((index * cells[0].shape[1] + 2, 1), title, fill="black")
    Image.fromarray(np.concatenate([np.asarray(titles), np.concatenate(cells, 1)])).save(
        path, quality=90
    )


def _scaled(picture: np.ndarray) -> np.ndarray:
    height, width = picture.shape[:2]
    return np.asarray(
        Image.fromarray(picture).resize(
            (round(width * _SIDE_PX / height), _SIDE_PX), Image.Resampling.LANCZOS
        )
    )
