"""Frames a second of each stage of animate alone and of animate as a whole, on one clip, and the
share of the bound it reaches.

    python tools/bench_stages.py [--driver clip.mp4] [--ref photo.png] [--weights FILE | --preset live] [--rounds 3]

The bound is the slower of the slowest stage alone and of all CPU time divided by the
cores: overlapping threads can do no better. Rounds are interleaved and medians shown,
since a machine's speed drifts.
"""  # noqa: E501

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from dancepipe.media.probe import probe_video
from dancepipe.media.read import VideoReader, read_spread_frames
from dancepipe.media.write import VideoWriter
from dancepipe.person.finder import open_person_finder
from dancepipe.rendering.animate import animate
from dancepipe.rendering.composite import paste, premultiplied
from dancepipe.rendering.motion import MotionPlan, survey_driver
from dancepipe.rendering.options import AnimateOptions
from dancepipe.rendering.reference import read_reference
from dancepipe.rendering.render import Renderer
from dancepipe.systems.open import open_system

SAMPLES = Path(__file__).parent.parent / "samples"
SIDE_PX = 640


def timed(work) -> tuple[float, float]:
    """(wall, CPU of this process) seconds of one call."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def untrained(preset: str, folder: Path) -> Path:
    """Speed does not depend on what the weights know."""
    import torch

    from dancepipe.systems.focus_retain.dims import PRESETS
    from dancepipe.systems.focus_retain.enhancer import Enhancer
    from dancepipe.systems.focus_retain.flow_attention import FlowAttentionNetwork
    from dancepipe.systems.weights import WeightsInfo, save_weights

    torch.manual_seed(0)
    dims, path = PRESETS[preset], folder / "untrained.safetensors"
    save_weights(
        path,
        WeightsInfo(dims, 2, 0),
        {
            "flow_attention": FlowAttentionNetwork(dims.flow_attention),
            "enhancer": Enhancer(dims.enhancer),
        },
    )
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--driver", type=Path, default=SAMPLES / "driver.mp4")
    parser.add_argument("--ref", type=Path, default=SAMPLES / "reference.png")
    parser.add_argument("--weights", type=Path)
    parser.add_argument(
        "--preset",
        default="live",
        help="untrained weights of this preset, when --weights is not given",
    )
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--rounds", type=int, default=3)
    parsed = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        weights = parsed.weights or untrained(parsed.preset, folder)
        info, system = probe_video(parsed.driver), open_system(weights, parsed.device)
        size_px = system.info.size_hw[0]
        with VideoReader(parsed.driver, max_side_px=SIDE_PX) as video:
            frames = list(video)
        with open_person_finder(mode="photo", mask="mediapipe") as finder:
            reference = read_reference(parsed.ref, finder, size_px)
            spread = read_spread_frames(parsed.driver, 24, SIDE_PX)
            survey = survey_driver([finder.find(frame.image) for frame in spread], parsed.driver)
        plan = MotionPlan(survey, reference, size_px, with_retargeting=True)
        renderer = Renderer(system, reference)
        poses = [
            plan.place(survey.bodies[index % len(survey.bodies)]) for index in range(len(frames))
        ]
        people = [
            premultiplied(*(part[0] for part in renderer.render([body.joints])))
            for body, _ in poses[:1]
        ] * len(frames)
        scale = info.size_wh[0] / frames[0].image.shape[1]

        def decode():
            with VideoReader(parsed.driver, max_side_px=SIDE_PX) as video:
                for _ in video:
                    pass

        def pose():
            with open_person_finder(mode="video", mask=None) as finder:
                for frame in frames:
                    finder.find(frame.image)

        def pose_and_mask():
            with open_person_finder(mode="video", mask="mediapipe") as finder:
                for frame in frames:
                    finder.find(frame.image)

        def render():
            for target, _ in poses:
                premultiplied(*(part[0] for part in renderer.render([target])))

        def encode():
            with VideoWriter(folder / "encoded.mp4", info.size_wh, info.time_base) as out:
                for frame, person, (_, box) in zip(frames, people, poses):
                    picture = np.full((info.size_wh[1], info.size_wh[0], 3), 255, np.uint8)
                    paste(picture, person, tuple((edge + 0.5) * scale - 0.5 for edge in box))
                    out.write(picture, frame.time_seconds)

        def whole():
            animate(
                parsed.ref,
                parsed.driver,
                folder / "whole.mp4",
                weights,
                AnimateOptions(device=parsed.device),
            )

        stages = {
            "decode": decode,
            "pose": pose,
            "pose + mask": pose_and_mask,
            "render": render,
            "composite + encode": encode,
            "animate": whole,
        }
        times: dict[str, list[tuple[float, float]]] = {name: [] for name in stages}
        for _ in range(parsed.rounds):
            for name, work in stages.items():
                times[name].append(timed(work))

    count, cores = len(frames), os.cpu_count()
    print(
        f"\n{count} frames of {info.size_wh[0]} x {info.size_wh[1]}, preset "
        f"{system.info.preset} at {size_px}, {cores} cores, median of {parsed.rounds}"
    )
    print(f"{'stage':20} {'frames/s':>9} {'CPU ms/frame':>13}")
    median = {
        name: tuple(statistics.median(part) for part in zip(*pairs))
        for name, pairs in times.items()
    }
    for name, (wall, cpu) in median.items():
        print(f"{name:20} {count / wall:9.1f} {cpu / count * 1000:13.1f}")
    parts = ("decode", "pose", "render", "composite + encode")
    shares = []
    for round_index in range(parsed.rounds):
        own = {name: times[name][round_index] for name in stages}
        bound = max(
            max(own[name][0] for name in parts), sum(own[name][1] for name in parts) / cores
        )
        shares.append(bound / own["animate"][0])
    print(
        "share of the bound that animate reaches (start-up and survey included): "
        f"{statistics.median(shares):.0%}"
    )


if __name__ == "__main__":
    main()
