"""dancepipe train."""

from pathlib import Path

from dancepipe.cli.options import add_json, add_options, data_place, parsed_options
from dancepipe.cli.screen import show
from dancepipe.doors import train
from dancepipe.training.options import TrainOptions

NAME = "train"
HELP = "data set -> weights"


def add_flags(parser) -> None:
    parser.add_argument(
        "--data", type=data_place, required=True, help="folder of a data set, or s3://..., gs://..."
    )
    parser.add_argument(
        "-o",
        "--out",
        type=Path,
        required=True,
        help="folder of the run: log, checkpoints, samples, weights.safetensors",
    )
    parser.add_argument(
        "--resume", action="store_true", help="go on from the last checkpoint in --out"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="show the resolved options and sizes, then stop"
    )
    add_json(parser)
    add_options(parser, TrainOptions)


def run(parsed) -> None:
    options = parsed_options(parsed)
    train(parsed.data, parsed.out, options, resume=parsed.resume, dry_run=parsed.dry_run)
    if parsed.json:
        weights = parsed.out / "weights.safetensors"
        summary = {"out": parsed.out, "weights": weights if weights.is_file() else None}
        show("", summary, as_json=True)
