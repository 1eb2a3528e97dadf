"""What the numbers cost beside the networks that some of them need, and what a second run saves.

python tools/bench_evaluate.py --data DIR [--pairs-per-person 12] [--metrics all] [--metric-weights
DIR | --random-weights]

Networks: the pose estimator, Inception, LPIPS, the re-identifier. The rest: reading, limb warp,
pixel numbers, distances, intervals, files. Weights of random numbers cost what the published ones
cost (but for the re-identifier, which is then next to nothing).
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import torch

import dancepipe.evaluation.evaluate as stage
from dancepipe.evaluation import score
from dancepipe.evaluation.options import EvaluateOptions
from dancepipe.evaluation.score import PictureScorer

NETWORKS = ("pose", "inception", "lpips", "identity")
TESTS = Path(__file__).resolve().parents[1] / "tests"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="a data set with a test split")
    parser.add_argument(
        "--weights", type=Path, help="weights to render with; else the baselines alone"
    )
    parser.add_argument("--pairs-per-person", type=int, default=12)
    parser.add_argument("--metrics", default="all")
    parser.add_argument("--metric-weights", help="folder with the weights of Inception and LPIPS")
    parser.add_argument(
        "--random-weights",
        action="store_true",
        help="make such weights up, for want of the published ones",
    )
    parser.add_argument(
        "--cpu-time",
        action="store_true",
        help="count this process's CPU time, for a machine that others use too",
    )
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="auto")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    clock = time.process_time if given.cpu_time else time.perf_counter
    score.time = SimpleNamespace(perf_counter=clock)  # what the parts are measured with

    scorers = []

    class Watched(PictureScorer):
        def __init__(self, *arguments, **settings):
            super().__init__(*arguments, **settings)
            scorers.append(self)

    stage.PictureScorer = Watched
    with tempfile.TemporaryDirectory() as folder:
        weights = (
            make_weights(Path(folder) / "weights") if given.random_weights else given.metric_weights
        )
        options = EvaluateOptions(
            metrics=given.metrics,
            metric_weights=weights,
            cache=f"{folder}/cache",
            small=True,
            pairs_per_person=given.pairs_per_person,
            batch=given.batch,
            device=given.device,
            overwrite=True,
        )
        for title in ("first run", "second run, features of the real pictures kept"):
            started = clock()
            stage.evaluate(
                data=given.data,
                weights=given.weights,
                out=Path(folder) / "scores.json",
                options=options,
            )
            whole = clock() - started
            report(title, scorers[-1], whole)


def make_weights(folder: Path) -> str:
    """The tests' random weights; their digests become the published ones in this process."""
    sys.path.insert(0, str(TESTS))
    import metric_networks
    from pytest import MonkeyPatch

    for write in (
        metric_networks.write_random_inception,
        metric_networks.write_random_alexnet,
        metric_networks.write_colour_identity,
    ):
        write(folder, MonkeyPatch())
    return str(folder)


def report(title: str, scorer: PictureScorer, whole: float) -> None:
    """One block of lines: seconds by part, and the whole against the networks."""
    networks = sum(scorer.seconds.get(name, 0.0) for name in NETWORKS)
    parts = ", ".join(
        f"{name} {seconds:.2f}"
        for name, seconds in sorted(scorer.seconds.items(), key=lambda one: -one[1])
    )
    print(
        f"{title}: {len(scorer.names)} pairs in {whole:.1f} s ({parts}, reading and the rest "
        f"{whole - sum(scorer.seconds.values()):.2f})"
    )
    if networks:
        print(f"  the networks alone {networks:.1f} s; all of it {whole / networks:.2f} x that")
    for name, reason in scorer.not_available.items():
        print(f"  {name}: not available, {reason}")


if __name__ == "__main__":
    main()
