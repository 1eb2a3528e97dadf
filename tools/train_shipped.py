"""Train the weights that ship: render people, train at 128 px, go on at 256 px. Run it again until it says done.

    python tools/train_shipped.py --state runs/shipped --assets DIR [--seconds 540] [--real DATASET]

It can be stopped anywhere and goes on from what is whole; --seconds makes it stop by itself, for machines that are there for a short
time only (rendering is not cut short, but goes on where it stopped). The state is the folder: a data set of rendered people, and a run
folder for each part with checkpoints whose files stay below 14 MiB. --real scores the result on the test split of a data set of real people, which
training never sees. Installing: copy the file that it names to dancepipe/weights/, and its SHA-256 into model/shipped.py.
"""

import argparse
import hashlib
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

from dancepipe.config import options_from, read_yaml
from dancepipe.errors import DancepipeError
from dancepipe.evaluate.evaluate import evaluate
from dancepipe.render_dancers.options import RenderDancersOptions
from dancepipe.render_dancers.render_dancers import render_dancers
from dancepipe.train.checkpoint import checkpoints
from dancepipe.train.options import TrainOptions
from dancepipe.train.train import train

CONFIGS = Path(__file__).parent.parent / "configs" / "shipped"


@dataclass(frozen=True)
class Recipe:
    people: RenderDancersOptions
    parts: tuple[tuple[str, TrainOptions], ...]  # each starts from the one before


def shipped_recipe(assets: str | None) -> Recipe:
    people = RenderDancersOptions(identities=640, frames=14, seed=21, degraded=True, detected_share=0.5, truth=True, test_share=0.03, assets=assets)
    names = ("128", "256")
    return Recipe(people, tuple((name, options_from(TrainOptions, read_yaml(CONFIGS / f"{name}.yaml"), name)) for name in names))


def train_recipe(recipe: Recipe, state: Path, seconds: float, say=print) -> Path | None:
    """One slice of at most about `seconds` (0: all of it): the finished weights, or None when there is more to do."""
    started = time.monotonic()
    people = state / "people"
    render_dancers(people, recipe.people, say=say)
    init = None
    for name, options in recipe.parts:
        out = state / name
        weights = out / "weights.safetensors"
        if not weights.exists():
            left = max(seconds - (time.monotonic() - started), 1e-3) if seconds else 0  # a slice does a step at least
            options = replace(options, init=str(init) if init else None, stop_after=left)
            train(people, out, options, resume=bool(checkpoints(out)), say=say)
            if not weights.exists():
                return None
        init = weights
    return init


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--state", type=Path, required=True, help="folder of everything, begun or gone on with")
    parser.add_argument("--assets", help="the asset pack; default: environment variable DANCEPIPE_DANCERS")
    parser.add_argument("--seconds", type=float, default=0, help="stop after about this long; 0: never")
    parser.add_argument("--real", type=Path, help="data set of real people to score the result on")
    given = parser.parse_args()
    try:
        weights = train_recipe(shipped_recipe(given.assets), given.state, given.seconds)
        if weights is None:
            print("not done: run the same command again")
            return
        print(f"done: {weights}, SHA-256 {hashlib.sha256(weights.read_bytes()).hexdigest()}")
        if given.real:
            print(evaluate(weights=weights, data=given.real, out=given.state / "scores.json").text())
    except DancepipeError as error:
        print(error, file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
