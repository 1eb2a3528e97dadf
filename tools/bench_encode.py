"""How often each video encoder makes the same bytes of the same frames, and what it costs.

    python tools/bench_encode.py [--clip samples/driver.mp4] [--runs 50] [--frames 60]
        [--sizes 72x128 180x320 256x256 720x1280] [--encoders libx264 libx265 libsvtav1 libvpx-vp9]

Each file is written by VideoWriter in a process of its own, `runs` times as a user would, and as
often with other old bytes in the memory that the process takes (MALLOC_PERTURB_, glibc only).
"x264 alone" is libx264 without the options that make it reproducible. Then x264's choices side by
side: bytes, SSIM, and bytes at the SSIM of x264 alone, read off crf 16 to 24.
"""

import argparse
import hashlib
import io
import math
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from dancepipe.media import encoders
from dancepipe.media.write import VideoWriter, to_bt709_frame

ALONE = "x264 alone"
BASE = Fraction(1, 30)
CRFS = (16, 18, 20, 22, 24)
CHOICES = {
    ALONE: {},
    "x264 alone, 16 threads": {"threads": "16"},
    "mbtree=0": {"x264-params": "mbtree=0"},
    "cpu-independent=1": {"x264-params": "cpu-independent=1"},
    "as dancepipe": encoders.SAME_X264,
}


def frames_of(clip: Path, size_wh: tuple[int, int], count: int) -> np.ndarray:
    """The first `count` frames, uint8 RGB (count, H, W, 3), squeezed to the size."""
    frames = []
    with av.open(str(clip)) as container:
        for frame in container.decode(video=0):
            small = frame.reformat(*size_wh, format="rgb24", interpolation="AREA")
            frames.append(small.to_ndarray())
            if len(frames) == count:
                break
    return np.stack(frames)


def write_one(frames: Path, out: Path, name: str) -> None:
    """What the processes do: write the file, print its SHA-256."""
    if name == ALONE:
        encoders.SAME_X264.clear()
    codec, pictures = "libx264" if name == ALONE else name, np.load(frames)
    size_wh = pictures.shape[2], pictures.shape[1]
    options = {"codec": codec, "overwrite": True}
    with VideoWriter(out, size_wh, BASE, **options) as video:
        for index, picture in enumerate(pictures):
            video.write(picture, index * BASE)
    print(hashlib.sha256(out.read_bytes()).hexdigest())


def digests(frames: Path, folder: Path, name: str, runs: int, has_litter: bool) -> Counter:
    """How often which file came out."""
    command = [sys.executable, __file__, "--one", str(frames), str(folder / "one.mp4"), name]
    found = Counter()
    for run in range(runs):
        litter = {"MALLOC_PERTURB_": str(1 + run * 37 % 255)} if has_litter else {}
        environment = {**os.environ, **litter}
        run_one = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=environment)
        found[run_one.stdout] += 1
    return found


def encode(frames: list, options: dict[str, str], crf: int) -> tuple[int, float, io.BytesIO]:
    """Bytes of the packets, CPU seconds, and the stream in Matroska."""
    stream_file, size = io.BytesIO(), 0
    started = time.process_time()
    with av.open(stream_file, "w", format="matroska") as container:
        options = {"crf": str(crf), "preset": "veryfast", **options}
        stream = container.add_stream("libx264", rate=30, options=options)
        stream.width, stream.height, stream.pix_fmt = frames[0].width, frames[0].height, "yuv420p"
        for index, frame in enumerate([*frames, None]):
            if frame is not None:
                frame.pts, frame.time_base = index, BASE
            for packet in stream.encode(frame):
                size += packet.size
                container.mux(packet)
    return size, time.process_time() - started, stream_file


def luma(frame: av.VideoFrame):
    """(1, 1, H, W) in [0, 1]."""
    import torch

    return torch.from_numpy(frame.to_ndarray()[: frame.height].copy())[None, None] / 255


def similarity(frames: list, stream_file: io.BytesIO) -> float:
    """Mean SSIM of the luma."""
    from dancepipe.evaluation.pixels import ssim_map

    stream_file.seek(0)
    with av.open(stream_file) as container:
        decoded = container.decode(video=0)
        pairs = zip(decoded, frames, strict=True)
        return float(np.mean([ssim_map(luma(made), luma(frame)).mean() for made, frame in pairs]))


def compare_choices(frames: list) -> None:
    """A line for each of CHOICES, against x264 alone at crf 18."""
    curves, price = {}, {name: [] for name in CHOICES}
    for crf in CRFS:
        for name, options in CHOICES.items():
            size, seconds, stream_file = encode(frames, options, crf)
            curves.setdefault(name, []).append((size, similarity(frames, stream_file)))
            price[name].append(seconds)
    size_alone, wanted = curves[ALONE][CRFS.index(18)]
    for name, curve in curves.items():
        # Sizes and errors both fall by steps of one factor: straight lines in logarithms.
        x, y = zip(*sorted((-math.log(1 - ssim), math.log(size)) for size, ssim in curve))
        equal = math.exp(np.interp(-math.log(1 - wanted), x, y)) / size_alone - 1
        size, ssim = curve[CRFS.index(18)]
        milliseconds = sum(price[name]) / len(CRFS) / len(frames) * 1000
        print(
            f"  {name:24} crf 18: {size:9d} bytes ({size / size_alone - 1:+.1%}), SSIM {ssim:.5f}; "
            f"bytes at equal SSIM {equal:+.1%}; CPU {milliseconds:.2f} ms a frame",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    samples = Path(__file__).parent.parent / "samples"
    parser.add_argument("--clip", type=Path, default=samples / "driver.mp4")
    parser.add_argument("--runs", type=int, default=50, help="0 leaves the first part out")
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--sizes", nargs="+", default=["72x128", "180x320", "256x256", "720x1280"])
    everyone = ["libx264", "libx265", "libsvtav1", "libvpx-vp9"]
    parser.add_argument("--encoders", nargs="+", default=everyone)
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    parsed = parser.parse_args()
    if parsed.one is not None:
        write_one(Path(parsed.one[0]), Path(parsed.one[1]), parsed.one[2])
        return

    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        for size in parsed.sizes:
            pictures = frames_of(parsed.clip, tuple(map(int, size.split("x"))), parsed.frames)
            np.save(folder / "frames.npy", pictures)
            print(f"{size}, {len(pictures)} frames of {parsed.clip.name}", flush=True)
            for name in (ALONE, *parsed.encoders) if parsed.runs else ():
                for has_litter in (False, True):
                    found = digests(folder / "frames.npy", folder, name, parsed.runs, has_litter)
                    how = "littered memory" if has_litter else "as a user would"
                    same = f"{max(found.values())} of {parsed.runs} the same"
                    print(f"  {name:12} {how}: {same}, {len(found)} kinds", flush=True)
            compare_choices([to_bt709_frame(picture) for picture in pictures])


if __name__ == "__main__":
    main()
