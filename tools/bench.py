"""The speed bars of animate: the same clip by two commits, or by two settings, in turns.

    python tools/bench.py                                  # this checkout alone
    python tools/bench.py --against 8f6c3fa                # beside that commit
    python tools/bench.py --set runtime=torch --set runtime=openvino [--weights live-256]
    python tools/bench.py --seconds 20 --long 600          # memory of a long clip too

Each run is a process of its own that makes two clips in one Session. Shown are medians, and of the
ratios, which are taken within a round: a machine's speed drifts. CPU time is the honest figure on
a machine that does other things too. The driver is the sample, enlarged to 720 x 1280 and repeated.
Stages alone: tools/bench_stages.py.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from dataclasses import dataclass
from fractions import Fraction
from io import BytesIO
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SAMPLES = ROOT / "samples"
SIZE_WH = (720, 1280)
BARS = {"frames_a_second": 20, "ratio": 3.5, "share": 0.85, "first_s": 4.0, "second_s": 1.0}

# Runs in the bench's own processes, by the library of the commit that is measured.
CHILD = """
import json, resource, sys, time
asked = json.loads(sys.argv[1])
import dancepipe
clips = []
with dancepipe.Session(asked["weights"], **asked["options"]) as session:
    for number in range(asked["clips"]):
        began = asked["started"] if number == 0 else time.time()
        first = []
        def progress(done, total):
            if not first:
                first.append(time.time() - began)
        cpu = 0.0 if number == 0 else time.process_time()
        made = session.animate(asked["ref"], asked["driver"], f"{asked['out']}/{number}.mp4",
                               progress=progress)
        clips.append({"frames": made.frames_out, "first_s": first[0],
                      "wall_s": time.time() - began, "cpu_s": time.process_time() - cpu})
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"clips": clips, "peak_mib": peak}))
"""


@dataclass(frozen=True)
class Side:
    """What is measured: a checkout, with options."""

    name: str
    checkout: Path
    options: dict


@dataclass(frozen=True)
class Run:
    frames: int
    wall_s: float
    cpu_s: float
    first_s: float  # from the start of the process to the first frame
    second_s: float | None  # of the second clip in the same Session
    peak_mib: float

    @property
    def share(self) -> float:
        """Of the bound: all CPU time spread evenly over the cores."""
        return self.cpu_s / cores() / self.wall_s


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--against", help="a commit: its code is measured beside this checkout's")
    parser.add_argument(
        "--set", action="append", default=[], help="OPTION=VALUE,...: a side each; see animate"
    )
    parser.add_argument("--weights", default="live-256")
    parser.add_argument("--ref", type=Path, default=SAMPLES / "reference.png")
    parser.add_argument("--driver", type=Path, help="a clip of your own")
    parser.add_argument("--seconds", type=float, default=20, help="of the sample, repeated")
    parser.add_argument("--long", type=float, default=0, help="a longer one too, for its memory")
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        sides = sides_of(asked, folder)
        driver = asked.driver or enlarged_sample(folder / "driver.mp4", asked.seconds)
        for side in sides:  # kernels are compiled, networks fetched
            run(side, asked, enlarged_sample(folder / "warm.mp4", 0.5), folder, clips=1)
        rounds = []
        for number in range(asked.rounds):
            rounds.append([run(side, asked, driver, folder, clips=2) for side in sides])
            print(f"round {number + 1} of {asked.rounds}", file=sys.stderr)
        show(sides, rounds)
        if asked.long:
            long_driver = enlarged_sample(folder / "long.mp4", asked.long)
            for side, short in zip(sides, rounds[0]):
                peak = run(side, asked, long_driver, folder, clips=1).peak_mib
                print(
                    f"{side.name}: peak of {asked.long:g} s {peak:.0f} MiB, "
                    f"{peak / short.peak_mib:.2f} x that of {asked.seconds:g} s"
                )


def sides_of(asked: argparse.Namespace, folder: Path) -> list[Side]:
    """This checkout, with each of the settings, and the other commit before it."""
    settings = [dict(pair.split("=", 1) for pair in one.split(",")) for one in asked.set]
    named = zip(asked.set, settings) if settings else [("this checkout", {})]
    sides = [Side(name, ROOT, options) for name, options in named]
    if asked.against:
        there = folder / "against"
        packed = subprocess.run(
            ["git", "-C", str(ROOT), "archive", asked.against], check=True, capture_output=True
        ).stdout
        with tarfile.open(fileobj=BytesIO(packed)) as archive:
            archive.extractall(there, filter="data")
        sides.insert(0, Side(asked.against, there, {}))
    return sides


def run(side: Side, asked: argparse.Namespace, driver: Path, folder: Path, *, clips: int) -> Run:
    """One process."""
    with tempfile.TemporaryDirectory(dir=folder) as out:
        request = {
            "ref": str(asked.ref.resolve()),
            "driver": str(driver.resolve()),
            "out": out,
            "weights": asked.weights,
            "options": side.options,
            "clips": clips,
            "started": time.time(),
        }
        done = subprocess.run(
            [sys.executable, "-c", CHILD, json.dumps(request)],
            cwd=side.checkout,
            env={**os.environ, "PYTHONPATH": str(side.checkout)},
            capture_output=True,
            text=True,
        )
    if done.returncode:
        raise SystemExit(f"{side.name}: {done.stderr.strip().splitlines()[-1]}")
    told = json.loads(done.stdout.splitlines()[-1])
    first, *more = told["clips"]
    second_s = more[0]["first_s"] if more else None
    return Run(
        first["frames"],
        first["wall_s"],
        first["cpu_s"],
        first["first_s"],
        second_s,
        told["peak_mib"],
    )


def show(sides: list[Side], rounds: list[list[Run]]) -> None:
    """The table, and the bars of it."""
    columns = list(zip(*rounds))
    print(f"\n{rounds[0][0].frames} frames, {cores()} cores, medians of {len(rounds)} rounds")
    print(
        f"{'':28} {'frames/s':>9} {'CPU ms/frame':>13} {'of the bound':>13} {'first frame':>12} "
        f"{'second clip':>12} {'peak':>9}"
    )
    for side, runs in zip(sides, columns):
        second_s = median(one.second_s or 0 for one in runs)
        print(
            f"{side.name:28} {median(one.frames / one.wall_s for one in runs):9.1f} "
            f"{median(one.cpu_s / one.frames * 1000 for one in runs):13.1f} "
            f"{median(one.share for one in runs):13.0%} "
            f"{median(one.first_s for one in runs):10.1f} s {second_s:10.1f} s "
            f"{median(one.peak_mib for one in runs):5.0f} MiB"
        )
    if len(sides) > 1:
        first = columns[0]
        for side, runs in zip(sides[1:], columns[1:]):
            wall, cpu = (
                median(getattr(a, name) / getattr(b, name) for a, b in zip(first, runs))
                for name in ("wall_s", "cpu_s")
            )
            print(
                f"{side.name} is {wall:.2f} x as fast as {sides[0].name}, "
                f"with {cpu:.2f} x less CPU time (bar: {BARS['ratio']})"
            )
    print(
        f"bars: {BARS['frames_a_second']} frames a second on two cores, {BARS['share']:.0%} of "
        f"the bound, first frame {BARS['first_s']:g} s, second clip {BARS['second_s']:g} s"
    )


def enlarged_sample(path: Path, seconds: float) -> Path:
    """The sample, enlarged to the width, with its rims repeated to the height, forwards and
    backwards in turns."""
    import av
    import cv2

    with av.open(str(SAMPLES / "driver.mp4")) as source:
        rate = Fraction(source.streams.video[0].average_rate or 30)
        pictures = [frame.to_ndarray(format="rgb24") for frame in source.decode(video=0)]
    there_and_back = [*pictures, *pictures[::-1]]
    width, height = SIZE_WH
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=rate, options={"crf": "18", "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number in range(max(int(seconds * rate), 1)):
            small = there_and_back[number % len(there_and_back)]
            tall = round(small.shape[0] * width / small.shape[1])
            large = cv2.resize(small, (width, tall), interpolation=cv2.INTER_CUBIC)
            above = (height - tall) // 2
            large = cv2.copyMakeBorder(
                large, above, height - tall - above, 0, 0, cv2.BORDER_REPLICATE
            )
            out.mux(stream.encode(av.VideoFrame.from_ndarray(large)))
        out.mux(stream.encode(None))
    return path


def cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def median(values) -> float:
    return statistics.median(list(values))


if __name__ == "__main__":
    main()
