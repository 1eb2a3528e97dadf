"""The paper's Table 1 by our code: five systems, what learns nothing, and the body prior, trained to
one budget on one data set and scored on the same pairs of held-out people.

    python tools/table1.py --data DATA --out DIR --config configs/ablation/cpu.yaml --small-networks [--seconds 7200] [any option of train]
    python tools/table1.py --deepfashion FOLDER --out DIR --config deepfashion     # or --market FOLDER --config market
    python tools/table1.py --dancers 640 --assets DIR --out DIR ...                # rendered people

DATA is of build-dataset or of dancers. Each system keeps its own rates, losses and widths
(configs/systems; --small-networks: their narrow reading, for CPUs), and has the same pairs, batch,
augmentation and average as the others, for as many steps: those of one stage take the sum of the two
of focus_retain. Each of the rivals is there as published, and fed with the body prior where the data
have landmarks. The command can be killed and given again: what is done stays. DIR/table.txt is the
result, DIR/pictures.jpg shows the first pair of some people by every system.
"""  # noqa: E501

import argparse
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from ablation import Arm, trained_and_scored
from ablation_table import COLUMNS, sheet, table
from tables import ALWAYS_DIFFERENT, PAPER_TABLE_1

from dancepipe.building.options import BuildDatasetOptions
from dancepipe.building.public import PAIRS_FILE
from dancepipe.cli import add_options, parsed_options
from dancepipe.cli.screen import on_screen
from dancepipe.config import as_plain, merged, options_from, read_yaml
from dancepipe.data.pairs import PairSource, collate
from dancepipe.data.store import clip_files
from dancepipe.doors import build_dataset
from dancepipe.errors import ConfigError, DancepipeError
from dancepipe.evaluation.options import EvaluateOptions
from dancepipe.files.whole_file import write_text
from dancepipe.training.options import TrainOptions

CONFIGS = Path(__file__).parent.parent / "configs"
_PAPERS_COLUMNS = {
    "deepfashion": ("fid", "lpips", "pre"),
    "market": ("fid", "lpips", "mask_lpips"),
    "youtube": ("fid", "lpips", "pre"),
}
_LAYOUTS = {"deepfashion": "deepfashion", "market": "market1501"}
_NOT_ALIKE = (
    "Nothing is claimed beyond the budget above: the authors trained for hundreds of thousands of "
    "steps, and do not say how long, on what inputs or by whom the rivals were trained.",
    "Ours in all arms: the matte, pairs and augmentation, the running average. Few-shot-vid2vid: "
    "single frames, key points alone, no FlowNet2. CoCosNet: torchvision's VGG-19 or none, not its "
    "authors' Caffe weights; every pair is of one person. GFLA: our blocks (docs/research.md).",
)


@dataclass(frozen=True)
class Row:
    """A system of the table: a file of configs/ laid on the options given."""

    name: str
    title: str
    config: str  # without .yaml; of configs/systems the system's own block alone is taken
    prior: str = "none"


ROWS = (
    Row("ours", "Focus and Retain", "ablation/full"),
    Row("gfla", "GFLA", "ablation/gfla"),
    Row("guided", "Guided-Pix2Pix", "systems/guided"),
    Row("cocos", "CoCosNet", "systems/cocos"),
    Row("fewshot", "Few-shot-vid2vid", "systems/fewshot"),
    Row("ours_body", "Focus and Retain, body prior", "ablation/prior", "body"),
    Row("guided_body", "Guided-Pix2Pix, body prior", "systems/guided", "body"),
    Row("cocos_body", "CoCosNet, body prior", "systems/cocos", "body"),
    Row("fewshot_body", "Few-shot-vid2vid, body prior", "systems/fewshot", "body"),
)


def table1(
    data: Path,
    out: Path,
    base: TrainOptions,
    *,
    rows: tuple[Row, ...] | None = None,
    dataset: str = "youtube",
    small_networks: bool = False,
    seconds: float = 0,
    scoring: EvaluateOptions = EvaluateOptions(),
) -> str:
    """Train what is not trained, score what is not scored, write and return the table. rows: None
    for all that the data can serve. dataset: whose numbers of the paper stand beside. Raises what
    train and evaluate raise."""
    if base.init:
        raise ConfigError("every system starts from nothing; leave --init out")
    for split in ("train", "test"):  # before anything is written
        clip_files(data, split)
    left_out: list[str] = []
    if rows is None:
        rows = ROWS
        if not _has_landmarks(data):
            rows = tuple(row for row in ROWS if row.prior == "none")
            left_out = ["no rows with the body prior: the data have no landmarks with depth"]
    options = {row.name: row_options(row, base, small_networks) for row in rows}
    asked = {
        "data": str(Path(data).resolve()),
        "options": as_plain(base),
        "rows": list(options),
        "small_networks": small_networks,
        "seconds": seconds,
        "scoring": as_plain(scoring),
    }
    arms = tuple(Arm(row.name, row.title) for row in rows)
    options = trained_and_scored(data, out, arms, options, asked, seconds, scoring)
    titles = {row.name: row.title for row in rows}
    named = _PAPERS_COLUMNS[dataset]
    paper = {method: dict(zip(named, values[dataset])) for method, values in PAPER_TABLE_1.items()}
    columns = dict(COLUMNS)
    if "mask_lpips" in named:
        columns = {"fid": "FID", "lpips": "LPIPS", "mask_lpips": "Mask-LPIPS", **COLUMNS}
    text = "\n".join(
        (
            f"Table 1, the paper's numbers on {dataset}",
            table(out, titles, options, paper, columns),
            *left_out,
            "",
            "What differs from the paper",
            *(f"- {line}" for line in (*_NOT_ALIKE, *ALWAYS_DIFFERENT)),
        )
    )
    write_text(out / "table.txt", text + "\n")
    weights = {title: out / name / "weights.safetensors" for name, title in titles.items()}
    sheet(out / "pictures.jpg", data, weights, scoring)
    return text


def row_options(row: Row, base: TrainOptions, small_networks: bool = False) -> TrainOptions:
    """The row's configuration laid on `base`; all rows take as many steps."""
    small = "-small" if small_networks and row.config.startswith("systems/") else ""
    path = CONFIGS / f"{row.config}{small}.yaml"
    values = read_yaml(path)
    if row.config.startswith("systems/"):
        system = values["system"]
        values = {name: values[name] for name in ("system", system) if name in values}
    values["prior"] = row.prior
    own = options_from(TrainOptions, merged(as_plain(base), values), str(path))
    steps = base.stage1_steps + base.stage2_steps
    if row.name == "gfla" and own.perceptual == "none":
        # Its flow would have no teacher at all: the correctness term needs features.
        own = replace(own, weights=replace(own.weights, flow_image=base.weights.flow_image))
    if row.name == "gfla" or own.system != "focus_retain":  # one stage
        own = replace(own, stage1_steps=steps, stage2_steps=0)
    return own


def _has_landmarks(data: Path) -> bool:
    return all(
        collate([PairSource(data, split, (64, 64), seed=0)[0]]).target_landmarks is not None
        for split in ("train", "test")
    )


def _data(given: argparse.Namespace, assets: str | None) -> tuple[Path, str, str | None]:
    """The data set, whose numbers stand beside, and the list of its test pairs."""
    named = [name for name in ("data", "deepfashion", "market", "dancers") if getattr(given, name)]
    if len(named) != 1:
        raise ConfigError(
            "name the data by one of --data, --deepfashion, --market, --dancers; got "
            f"{' and '.join(f'--{name}' for name in named) or 'none'}"
        )
    folder = given.out / "data"
    if given.data:
        folder = given.data
    elif given.dancers:
        from dancepipe.filming.options import RenderDancersOptions
        from dancepipe.filming.render_dancers import render_dancers

        render_dancers(
            folder,
            RenderDancersOptions(
                identities=given.dancers, frames=14, assets=assets, degraded=True,
                detected_share=0.5, workers=1,
            ),
        )  # fmt: skip
    else:
        build_dataset(
            getattr(given, named[0]),
            folder,
            BuildDatasetOptions(layout=_LAYOUTS[named[0]], mask="full"),
        )
    pairs = folder / PAIRS_FILE
    dataset = given.numbers or (named[0] if named[0] in _LAYOUTS else "youtube")
    return folder, dataset, str(pairs) if pairs.is_file() else None


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--data", type=Path, help="folder of a data set with a test split")
    parser.add_argument("--deepfashion", type=Path, help="folder of DeepFashion as published")
    parser.add_argument("--market", type=Path, help="folder of Market-1501 as published")
    parser.add_argument("--dancers", type=int, help="render that many people (--assets)")
    parser.add_argument(
        "--out", type=Path, required=True, help="folder of everything, begun or gone on with"
    )
    names = ",".join(row.name for row in ROWS)
    parser.add_argument("--rows", help=f"some of {names} (default: all that the data serve)")
    parser.add_argument(
        "--numbers",
        choices=tuple(_PAPERS_COLUMNS),
        help="whose numbers of the paper stand beside (default: of the data named, else youtube)",
    )
    parser.add_argument(
        "--small-networks", action="store_true", help="the rivals in their narrow reading"
    )
    parser.add_argument(
        "--seconds", type=float, default=0, help="scale the steps so that training takes that long"
    )
    parser.add_argument(
        "--pairs-per-person", type=int, default=EvaluateOptions.pairs_per_person,
        help="pairs that are scored of each held-out person",
    )  # fmt: skip
    parser.add_argument("--metrics", default="all", help="as evaluate has them")
    parser.add_argument("--small", action="store_true", help="FID for fewer than 2,048 pairs too")
    parser.add_argument("--metric-weights", help="folder with the weights of Inception and LPIPS")
    add_options(parser, TrainOptions)
    given = parser.parse_args(arguments)
    try:
        base = parsed_options(given)
        rows = None
        if given.rows:
            wanted = [name.strip() for name in given.rows.split(",")]
            if unknown := set(wanted) - {row.name for row in ROWS}:
                raise ConfigError(f"unknown rows {', '.join(sorted(unknown))}; known are {names}")
            rows = tuple(row for row in ROWS if row.name in wanted)
        data, dataset, pairs = _data(given, base.assets)
        scoring = EvaluateOptions(
            metrics=given.metrics,
            pairs_per_person=given.pairs_per_person,
            pairs=pairs,
            small=given.small,
            metric_weights=given.metric_weights,
            device=base.device,
        )
        print(
            table1(
                data,
                given.out,
                replace(base, assets=None),  # of the data, not of the training
                rows=rows,
                dataset=dataset,
                small_networks=given.small_networks,
                seconds=given.seconds,
                scoring=scoring,
            )
        )
    except DancepipeError as error:
        print(f"table1: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("table1: stopped; the same command goes on from what is whole", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    with on_screen(quiet=False):
        sys.exit(main())
