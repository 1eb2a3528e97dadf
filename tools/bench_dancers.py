"""How fast dancers are rendered on this machine.

python tools/bench_dancers.py --assets DIR [--identities 12] [--frames 24]
"""

import argparse
import tempfile
import time
from pathlib import Path

from dancepipe.filming.options import RenderDancersOptions
from dancepipe.filming.render_dancers import render_dancers
from dancepipe.synthetic.assets import load_assets
from dancepipe.synthetic.flow import exact_flow
from dancepipe.synthetic.frames import FrameOptions, dancer_frames, frames_of_person
from dancepipe.synthetic.person import draw_person
from dancepipe.synthetic.stream import DancerPairs, StreamOptions


def seconds_a_streamed_pair(folder: Path, settings: FrameOptions, blocks: int = 5) -> float:
    """CPU time of a pair in one lane, after the block that draws its first people."""
    stream = StreamOptions(block=32, lanes=1)
    pairs = DancerPairs(folder, 1, settings, stream, with_flow=True)
    for number in range(stream.block):
        pairs[number]
    started = time.process_time()
    for number in range(stream.block, (1 + blocks) * stream.block):
        pairs[number]
    return (time.process_time() - started) / (blocks * stream.block)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--assets", help="the asset pack; default: environment variable DANCEPIPE_DANCERS"
    )
    parser.add_argument("--identities", type=int, default=12)
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--size", type=int, default=256)
    options = parser.parse_args()
    assets = load_assets(options.assets)
    settings = FrameOptions(size_px=options.size)
    list(dancer_frames(assets, 0, 0, 2, settings))  # compiles the kernels

    started = time.process_time()
    people = [draw_person(assets, (1, number)) for number in range(options.identities)]
    per_person = (time.process_time() - started) / len(people)
    started, frames = time.process_time(), []
    for number, person in enumerate(people):
        frames.append(list(frames_of_person(assets, person, 1, number, options.frames, settings)))
    count = options.identities * options.frames
    per_frame = (time.process_time() - started) / count
    exact_flow(people[0].figure, frames[0][1].view, frames[0][0].view)
    started = time.process_time()
    for person, made in zip(people, frames):
        for frame in made:
            exact_flow(person.figure, frame.view, made[0].view)
    per_flow = (time.process_time() - started) / count
    print(
        f"one core, {options.size} px, 2 x 2 samples: {1e3 * per_frame:.1f} ms a frame = "
        f"{1 / per_frame:.0f} frames a second"
    )
    together = 1 / (per_frame + per_person / options.frames)
    print(
        f"a person is drawn in {per_person:.2f} s; with {options.frames} frames each that makes "
        f"{together:.0f} frames a second"
    )
    print(f"exact flow and visibility: {1e3 * per_flow:.1f} ms a frame more")
    del frames, people

    for damage, name in (
        ({}, "exact"),
        ({"degraded": True, "detected_share": 0.5}, "as for the weights that ship"),
    ):
        per_pair = seconds_a_streamed_pair(
            assets.folder, FrameOptions(size_px=options.size, **damage)
        )
        print(
            f"streamed to `train --stream`, blocks of 32, with flow, {name}: "
            f"{1e3 * per_pair:.0f} ms a pair = {1 / per_pair:.0f} pairs a second and core"
        )

    seconds = {}
    for workers in (1, 2):
        with tempfile.TemporaryDirectory() as folder:
            made = RenderDancersOptions(
                identities=4 * options.identities,
                frames=options.frames,
                size_px=options.size,
                seed=1,
                assets=str(assets.folder),
                workers=workers,
            )
            seconds[workers] = render_dancers(Path(folder), made).seconds
    total = 4 * count
    rates = (
        f"{total / seconds[1]:.0f} frames a second with one worker, {total / seconds[2]:.0f} "
        "with two"
    )
    print(
        f"whole command, written as a data set: {rates}, {seconds[1] / seconds[2]:.2f} times as "
        "fast"
    )


if __name__ == "__main__":
    main()
