"""The command line: the library with flags. One subcommand = one function of the same name; no
pixel and no tensor here."""

import argparse
import dataclasses
import os
import signal
import sys
import typing
from functools import partial
from pathlib import Path

from dancepipe import __version__
from dancepipe.building.options import BuildDatasetOptions
from dancepipe.config import merged, option_type, options_from, read_yaml
from dancepipe.errors import ConfigError, DancepipeError
from dancepipe.evaluation.options import EvaluateOptions
from dancepipe.filming.options import RenderDancersOptions
from dancepipe.rendering.options import AnimateOptions
from dancepipe.study.options import StudyOptions
from dancepipe.training.options import TrainOptions

USER_ERROR = 2
INTERRUPTED = 130


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit code: 0 done, 2 a user can mend it, 130 Ctrl-C. Bugs
    keep their traceback (1)."""
    parsed = _parser().parse_args(arguments)
    try:
        return parsed.run(parsed) or 0
    except DancepipeError as error:
        print(f"dancepipe: {error}", file=sys.stderr)
        return USER_ERROR
    except KeyboardInterrupt:
        print(
            "dancepipe: interrupted; nothing half-written was left, the same command goes on "
            "from what is whole",
            file=sys.stderr,
        )
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return INTERRUPTED


def run() -> None:
    """What the installed command and `python -m dancepipe` call: main, and the exit. SIGTERM
    ends a run as cleanly as Ctrl-C."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    code = main()
    if code == INTERRUPTED:
        sys.stderr.flush()
        os._exit(code)  # native threads that were just being started would abort an ordinary exit
    sys.exit(code)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="dancepipe",
        allow_abbrev=False,
        description="One photo and one dance video in, a video of that person dancing out.",
    )
    parser.add_argument("--version", action="version", version=f"dancepipe {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    command = partial(commands.add_parser, allow_abbrev=False)

    build = command(
        "build-dataset",
        help="dance videos, or photos -> person-split, pose-labelled Parquet data set",
    )
    build.add_argument(
        "sources",
        nargs="+",
        metavar="SOURCE",
        help="URL, video file, folder of videos, folder of one person's photos, or a .txt of "
        "those (one a line)",
    )
    build.add_argument("--out", type=Path, required=True, help="folder of the data set")
    add_options(build, BuildDatasetOptions)
    build.set_defaults(run=_build_dataset)

    train = command("train", help="data set -> weights")
    train.add_argument("--data", type=Path, required=True, help="folder of a data set")
    train.add_argument(
        "--out",
        type=Path,
        required=True,
        help="folder of the run: log, checkpoints, samples, weights.safetensors",
    )
    train.add_argument(
        "--resume", action="store_true", help="go on from the last checkpoint in --out"
    )
    train.add_argument(
        "--dry-run", action="store_true", help="show the resolved options and sizes, then stop"
    )
    add_options(train, TrainOptions)
    train.set_defaults(run=_train)

    animate = command("animate", help="reference photo + driver video -> video")
    animate.add_argument(
        "--ref", type=Path, required=True, help="photo of the person that shall dance"
    )
    animate.add_argument("--driver", type=Path, required=True, help="video of the dance")
    animate.add_argument(
        "--out", type=Path, required=True, help="video to write (.mp4, .mov, .mkv)"
    )
    animate.add_argument(
        "--weights",
        type=Path,
        help="weights.safetensors of a training run, or a name that `dancepipe weights` lists "
        "(default: the first of those)",
    )
    add_options(animate, AnimateOptions)
    animate.set_defaults(run=_animate)

    dancers = command("dancers", help="render people with exact truth, as a data set")
    dancers.add_argument("--out", type=Path, required=True, help="folder of the data set")
    add_options(dancers, RenderDancersOptions)
    dancers.add_argument(
        "--size",
        dest="option:size_px",
        default=argparse.SUPPRESS,
        metavar="N",
        help="the same as --size-px",
    )
    dancers.set_defaults(run=_dancers)

    evaluate = command(
        "evaluate", help="the paper's metrics, baselines beside, with intervals and a report"
    )
    evaluate.add_argument(
        "--weights",
        type=Path,
        help="weights that render the test pairs of --data: a file, or a name that `dancepipe "
        "weights` lists",
    )
    evaluate.add_argument(
        "--data", type=Path, help="folder of a data set; alone: the baselines on its test pairs"
    )
    evaluate.add_argument("--real", type=Path, help="folder of real pictures")
    evaluate.add_argument(
        "--fake",
        action="append",
        metavar="[NAME=]DIR",
        help="folder of made pictures, matched with --real by file name; several may be named",
    )
    evaluate.add_argument("--driver", type=Path, help="video that moved --result")
    evaluate.add_argument("--result", type=Path, help="finished video")
    evaluate.add_argument(
        "--out",
        type=Path,
        help="scores.json to write, with its protocol; the report lies beside it as .html",
    )
    add_options(evaluate, EvaluateOptions)
    evaluate.set_defaults(run=_evaluate)

    study = command(
        "study", help="which one is the real photograph? a page for volunteers, and its JND table"
    )
    study.add_argument("--real", type=Path, help="folder of real pictures")
    study.add_argument(
        "--fake",
        action="append",
        metavar="NAME=DIR",
        help="a method and its folder of made pictures; may be repeated",
    )
    study.add_argument(
        "--database",
        type=Path,
        default=Path("votes.sqlite"),
        help="SQLite file of the votes, begun or gone on with (default votes.sqlite)",
    )
    study.add_argument(
        "--report",
        nargs="?",
        const=True,
        metavar="DATABASE",
        help="print the JND table of --database, or of the one named here, instead of serving "
        "the page",
    )
    add_options(study, StudyOptions)
    study.set_defaults(run=_study)

    models = command(
        "models", help="the networks that find people: fetched if need be, and where they are"
    )
    models.set_defaults(run=_models)

    weights = command("weights", help="the weights that come with dancepipe")
    weights.set_defaults(run=_weights)

    doctor = command("doctor", help="what is installed, which devices and weights are found")
    doctor.add_argument("--weights", type=Path, help="also look at these weights")
    doctor.set_defaults(run=_doctor)
    return parser


def add_options(parser: argparse.ArgumentParser, cls) -> None:
    """One flag per option, --config for a YAML file of them; flags win over the file."""
    parser.add_argument("--config", type=Path, help="YAML file with options")
    hints = typing.get_type_hints(cls)
    group = parser.add_argument_group("options")
    for field in dataclasses.fields(cls):
        kind, _ = option_type(hints[field.name])
        if dataclasses.is_dataclass(kind):
            inner = typing.get_type_hints(kind)
            for part in dataclasses.fields(kind):
                _add_flag(
                    group, f"{field.name}.{part.name}", option_type(inner[part.name])[0], part
                )
        else:
            _add_flag(group, field.name, kind, field)
    parser.set_defaults(option_class=cls)


def _add_flag(group, name: str, kind: type, field: dataclasses.Field) -> None:
    flag = "--" + name.replace("_", "-").replace(".", "-")
    default = field.default
    text = field.metadata["help"].replace("%", "%%") + (
        "" if default is None else f" (default {default})"
    )
    settings = {"dest": f"option:{name}", "default": argparse.SUPPRESS, "help": text}
    if kind is bool:
        group.add_argument(flag, action=argparse.BooleanOptionalAction, **settings)
    else:
        metavar = (
            "|".join(map(str, field.metadata["choices"]))
            if field.metadata["choices"]
            else {int: "N", float: "X"}.get(kind, "TEXT")
        )
        group.add_argument(flag, type=str, metavar=metavar, **settings)


def parsed_options(parsed: argparse.Namespace):
    """The options of the command from --config and flags. Raises ConfigError."""
    cls = parsed.option_class
    flags: dict = {}
    hints = typing.get_type_hints(cls)
    for key, value in vars(parsed).items():
        if key.startswith("option:"):
            *block, name = key.removeprefix("option:").split(".")
            holder = option_type(hints[block[0]])[0] if block else cls
            value = _from_text(option_type(typing.get_type_hints(holder)[name])[0], value, name)
            flags = merged(flags, {block[0]: {name: value}} if block else {name: value})
    where, values = "command line", {}
    if parsed.config:
        where = f"{parsed.config} and command line" if flags else str(parsed.config)
        values = read_yaml(parsed.config)
    return options_from(cls, merged(values, flags), where)


def _from_text(kind: type, value, name: str):
    if kind in (int, float) and isinstance(value, str):
        try:
            return kind(value)
        except ValueError:
            raise ConfigError(
                f"--{name.replace('_', '-')} needs "
                f"{'a whole number' if kind is int else 'a number'}, got {value!r}"
            ) from None
    return value


def _build_dataset(parsed) -> int:
    from dancepipe.building.build import build_dataset

    summary = build_dataset(parsed.sources, parsed.out, parsed_options(parsed))
    print(
        f"{parsed.out}: {summary.clips_written} clips written ({summary.frames_written} "
        f"pictures), {summary.clips_already_there} already there, "
        f"{summary.failures} of {summary.sources} sources failed"
        + (f", see {parsed.out}/failures*.jsonl" if summary.failures else "")
        + f"; {summary.seconds:.0f} s"
    )
    return USER_ERROR if summary.failures and summary.failures == summary.sources else 0


def _train(parsed) -> int:
    options = parsed_options(parsed)
    from dancepipe.training.train import train

    train(parsed.data, parsed.out, options, resume=parsed.resume, dry_run=parsed.dry_run)
    return 0


def _animate(parsed) -> int:
    options = parsed_options(parsed)
    from dancepipe.rendering.animate import animate

    summary = animate(parsed.ref, parsed.driver, parsed.out, parsed.weights, options)
    print(summary.text())
    return 0


def _dancers(parsed) -> int:
    options = parsed_options(parsed)
    from dancepipe.filming.render_dancers import render_dancers

    summary = render_dancers(parsed.out, options)
    print(
        f"{parsed.out}: {summary.identities_written} people written ({summary.frames_written} "
        "pictures), "
        f"{summary.identities_already_there} already there; {summary.seconds:.0f} s"
    )
    return 0


def _evaluate(parsed) -> int:
    options = parsed_options(parsed)
    from dancepipe.evaluation.evaluate import evaluate

    fake = parsed.fake
    if fake:
        from dancepipe.study.pairs import named_folders

        fake = (
            named_folders(fake)
            if len(fake) > 1 or ("=" in fake[0] and not os.path.isdir(fake[0]))
            else Path(fake[0])
        )
    scores = evaluate(
        weights=parsed.weights, data=parsed.data, real=parsed.real, fake=fake,
        driver=parsed.driver, result=parsed.result, out=parsed.out, options=options,
    )  # fmt: skip
    print(scores.text())
    return 0


def _study(parsed) -> int:
    options = parsed_options(parsed)
    if parsed.report:
        from dancepipe.study.report import study_report

        print(
            study_report(parsed.database if parsed.report is True else Path(parsed.report)).text()
        )
        return 0
    missing = [flag for flag in ("real", "fake") if not getattr(parsed, flag)]
    if missing:
        raise ConfigError(f"study needs --{', --'.join(missing)} (or --report)")
    from dancepipe.study.pairs import named_folders
    from dancepipe.study.study import study

    summary = study(parsed.real, named_folders(parsed.fake), parsed.database, options)
    print(
        f"{parsed.database}: {summary.votes} votes of {summary.volunteers} volunteers, "
        f"{summary.finished} of them finished"
    )
    return 0


def _models(parsed) -> int:
    from dancepipe.person.blazepose.models import describe_models

    print(describe_models())
    return 0


def _weights(parsed) -> int:
    from dancepipe.systems.shipped import describe_shipped

    print(describe_shipped())
    return 0


def _doctor(parsed) -> int:
    from dancepipe.doctor import doctor

    print(doctor(parsed.weights))
    return 0
