"""dancepipe evaluate."""

import os
from pathlib import Path

from dancepipe.cli.options import add_json, add_options, data_place, parsed_options
from dancepipe.cli.screen import show
from dancepipe.doors import evaluate
from dancepipe.evaluation.options import EvaluateOptions

NAME = "evaluate"
HELP = "the paper's metrics, baselines beside, with intervals and a report"


def add_flags(parser) -> None:
    parser.add_argument(
        "-w",
        "--weights",
        type=Path,
        help="weights that render the test pairs of --data: a file, or a name that `dancepipe "
        "weights` lists",
    )
    parser.add_argument(
        "--data",
        type=data_place,
        help="folder of a data set, or s3://..., gs://...; alone: the baselines on its test pairs",
    )
    parser.add_argument("--real", type=Path, help="folder of real pictures")
    parser.add_argument(
        "--fake",
        action="append",
        metavar="[NAME=]DIR",
        help="folder of made pictures, matched with --real by file name; several may be named",
    )
    parser.add_argument("--driver", type=Path, help="video that moved --result")
    parser.add_argument("--result", type=Path, help="finished video")
    parser.add_argument(
        "-o",
        "--out",
        type=Path,
        help="scores.json to write, with its protocol; the report lies beside it as .html",
    )
    add_json(parser)
    add_options(parser, EvaluateOptions)


def run(parsed) -> None:
    options = parsed_options(parsed)
    scores = evaluate(
        weights=parsed.weights, data=parsed.data, real=parsed.real, fake=_folders(parsed.fake),
        driver=parsed.driver, result=parsed.result, out=parsed.out, options=options,
    )  # fmt: skip
    show(scores.text(), scores.as_json(), as_json=parsed.json)


def _folders(fake: list[str] | None):
    """One folder, or name -> folder."""
    if not fake:
        return None
    if len(fake) > 1 or ("=" in fake[0] and not os.path.isdir(fake[0])):
        from dancepipe.study.pairs import named_folders

        return named_folders(fake)
    return Path(fake[0])
