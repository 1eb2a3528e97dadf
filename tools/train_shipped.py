"""Train the weights that ship: render people, train stage 1 at 128 px, then at 256 px. Run it again
until it says done.

    python tools/train_shipped.py --state runs/shipped --assets DIR [--seconds 540] [--processes 2 | --stream] [--enhancer] [--real DATASET]

It can be stopped anywhere and goes on from what is whole; --seconds makes it stop by itself, for
machines that are there for a short time only (rendering is not cut short, but goes on where it
stopped). --processes trains by torchrun, one process for each core or GPU. --stream is for a GPU:
the CPU's cores render new people while it trains, and only held-out ones are rendered in advance.
--enhancer goes on to stage 2, which does not ship: it makes these pictures softer and no better
(docs/history/ablation.md).

The state is the folder: a data set of rendered people, and a run folder for each part with
checkpoints whose files stay below 14 MiB. --real scores the result on the test split of a data set
of real people, which training never sees. Installing: copy the file that it names to
dancepipe/weights/, and its SHA-256 into systems/shipped.py.
"""  # noqa: E501

import argparse
import hashlib
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from dancepipe.cli.screen import on_screen
from dancepipe.config import as_plain, options_from, read_yaml
from dancepipe.errors import ConfigError, DancepipeError
from dancepipe.evaluation.evaluate import evaluate
from dancepipe.evaluation.options import EvaluateOptions
from dancepipe.files.whole_file import write_text
from dancepipe.filming.options import RenderDancersOptions
from dancepipe.filming.render_dancers import render_dancers
from dancepipe.training.checkpoint import checkpoints
from dancepipe.training.options import TrainOptions
from dancepipe.training.train import train

CONFIGS = Path(__file__).parent.parent / "configs" / "shipped"


@dataclass(frozen=True)
class Recipe:
    people: RenderDancersOptions
    parts: tuple[tuple[str, TrainOptions], ...]  # each starts from the one before


def shipped_recipe(assets: str | None, stream: bool = False, enhancer: bool = False) -> Recipe:
    people = RenderDancersOptions(
        identities=640,
        frames=14,
        seed=21,
        degraded=True,
        detected_share=0.5,
        truth=True,
        test_share=0.03,
        assets=assets,
    )
    parts = {
        name: options_from(TrainOptions, read_yaml(CONFIGS / f"{name}.yaml"), name)
        for name in ("128", "256", *(["enhancer"] if enhancer else []))
    }
    if stream:
        people = replace(people, identities=16, test_share=1.0)
        parts = {
            name: replace(options, stream=True, assets=assets, workers=12)
            for name, options in parts.items()
        }
    return Recipe(people, tuple(parts.items()))


def train_recipe(recipe: Recipe, state: Path, seconds: float, processes: int = 1) -> Path | None:
    """One slice of at most about `seconds` (0: all of it): the finished weights, or None when there
    is more to do.

    Raises DancepipeError; with several processes PartFailedError, when one of them has said why.
    """
    started = time.monotonic()
    for name, options in recipe.parts:
        if processes < 1 or options.batch % processes:
            raise ConfigError(
                f"{processes} processes cannot share the batch of {options.batch} of part "
                f"{name}; give another --processes"
            )
    people = state / "people"
    render_dancers(people, recipe.people)
    init = None
    for name, options in recipe.parts:
        out = state / name
        weights = out / "weights.safetensors"
        if not weights.exists():
            left = (
                max(seconds - (time.monotonic() - started), 1e-3) if seconds else 0
            )  # a slice does a step at least
            options = replace(options, init=str(init) if init else None, stop_after=left)
            if processes == 1:
                train(people, out, options, resume=bool(checkpoints(out)))
            else:
                _train_by_torchrun(people, out, options, processes)
            if not weights.exists():
                return None
        init = weights
    return init


class PartFailedError(DancepipeError):
    """A part of the recipe ended with an error that its processes have printed."""


def _train_by_torchrun(people: Path, out: Path, options: TrainOptions, processes: int) -> None:
    """The same by `dancepipe train` in processes of its own, which share every batch."""
    config = out.with_suffix(".yaml")
    write_text(config, yaml.safe_dump(as_plain(options), sort_keys=False))
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        str(processes),
        "-m",
        "dancepipe",
        "train",
    ]
    command += [
        "--config",
        str(config),
        "--data",
        str(people),
        "--out",
        str(out),
        *(["--resume"] if checkpoints(out) else []),
    ]
    with subprocess.Popen(command) as running:
        try:
            code = running.wait()
        except BaseException:
            # asks torchrun to end its processes; killed, it would leave them behind
            running.terminate()
            raise
    if code:
        raise PartFailedError(
            f"training {out.name} failed; mend what is said above, and the same command goes on "
            "from the last checkpoint"
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--state", type=Path, required=True, help="folder of everything, begun or gone on with"
    )
    parser.add_argument(
        "--assets", help="the asset pack; default: environment variable DANCEPIPE_DANCERS"
    )
    parser.add_argument(
        "--seconds", type=float, default=0, help="stop after about this long; 0: never"
    )
    how = parser.add_mutually_exclusive_group()
    how.add_argument(
        "--processes", type=int, default=1, help="how many train together; batches are 6 and 4"
    )
    how.add_argument(
        "--stream", action="store_true", help="render new people while training, in 12 processes"
    )
    parser.add_argument("--enhancer", action="store_true", help="also train stage 2")
    parser.add_argument("--real", type=Path, help="data set of real people to score the result on")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends the processes of a part, too
    try:
        weights = train_recipe(
            shipped_recipe(given.assets, given.stream, given.enhancer),
            given.state,
            given.seconds,
            processes=given.processes,
        )
        if weights is None:
            print("not done: run the same command again")
            return
        print(f"done: {weights}, SHA-256 {hashlib.sha256(weights.read_bytes()).hexdigest()}")
        if given.real:
            out, options = given.state / "scores.json", EvaluateOptions(overwrite=True)
            print(evaluate(weights=weights, data=given.real, out=out, options=options).text())
    except DancepipeError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    with on_screen(quiet=False):
        main()
