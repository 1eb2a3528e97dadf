"""What build-dataset costs: beside pose and masks alone, in several workers, over many clips.

    python tools/bench_building.py pace --clips DIR --out FOLDER      CPU time, in turns
    python tools/bench_building.py workers --clips DIR --out FOLDER   one worker and two
    python tools/bench_building.py memory --clips DIR --out FOLDER [--count 1000]

DIR holds videos of people. CPU time is what is compared: other work on the machine changes it
little. Exit code 1 when a figure misses its bar.
"""

import argparse
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import av
import numpy as np

from dancepipe.building.clip import build_clip
from dancepipe.building.label import ANALYSIS_SIDE_PX, tick_of
from dancepipe.building.options import BuildDatasetOptions
from dancepipe.building.sources import read_sources
from dancepipe.errors import NoPersonError
from dancepipe.media.fetch import VIDEO_SUFFIXES
from dancepipe.media.read import VideoReader
from dancepipe.person.finder import open_person_finder

LEAST_PACE, LEAST_SPEED_UP, MOST_GROWTH = 0.85, 1.6, 0.05
PIECE_SIDE_PX, PIECE_FRAMES, PIECE_RATE = 256, 10, 10
SAMPLED_CLIPS, WARM_UP = 50, 0.1


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("pace", "workers", "memory"))
    parser.add_argument("--clips", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=1000, help="short clips, of memory")
    options = parser.parse_args()
    videos = sorted(path for path in options.clips.iterdir() if path.suffix in VIDEO_SUFFIXES)
    options.out.mkdir(parents=True, exist_ok=True)
    measure = {"pace": pace, "workers": workers, "memory": memory}[options.what]
    sys.exit(0 if measure(videos, options.out, options.count) else 1)


def pace(videos: list[Path], out: Path, count: int) -> bool:
    """Each clip by the networks alone, by the builder, and by the networks again."""
    options = BuildDatasetOptions()
    alone, whole = [], []
    (source,), _ = read_sources([str(videos[0])])
    build(videos[0], source, out, options)  # what is loaded once costs nobody
    for video in videos:
        (source,), _ = read_sources([str(video)])
        before = cpu_of(look_at, video, options.fps)
        built = cpu_of(build, video, source, out, options)
        after = cpu_of(look_at, video, options.fps)
        alone.append((before + after) / 2)
        whole.append(built)
        print(f"{video.stem[:40]:42} {alone[-1]:6.1f} {built:6.1f} s  {alone[-1] / built:.2f}")
    share = sum(alone) / sum(whole)
    print(f"pose and masks alone over the builder, CPU time of all: {share:.2f} (>= {LEAST_PACE})")
    return share >= LEAST_PACE


def look_at(video: Path, fps: float) -> None:
    """Joints and masks of everyone, at the builder's rate and size, and nothing else."""
    last_tick = None
    with open_person_finder(mode="video") as finder:
        with VideoReader(video, max_side_px=ANALYSIS_SIDE_PX) as reader:
            for index, time_seconds, decoded in reader.decode():
                tick = tick_of(time_seconds, fps)
                if tick != last_tick:
                    finder.follow_all(reader.to_frame(index, time_seconds, decoded).image)
                last_tick = tick


def build(video: Path, source, out: Path, options: BuildDatasetOptions) -> None:
    try:
        build_clip(video, source, out / "train" / f"{video.stem}.parquet", options)
    except NoPersonError:
        pass  # it was looked at all the same


def cpu_of(work, *arguments) -> float:
    before = time.process_time()
    work(*arguments)
    return time.process_time() - before


def workers(videos: list[Path], out: Path, count: int) -> bool:
    """The whole command with one worker and with two, in turns."""
    found = {1: [], 2: []}
    for turn in range(3):
        for number in (1, 2) if turn % 2 == 0 else (2, 1):
            seconds, cpu = command(videos, out / f"workers-{number}-{turn}", number)
            found[number].append((seconds, cpu))
            print(f"{number} workers: {seconds:.1f} s, {cpu:.1f} s of CPU time", flush=True)
    (wall, cpu), (wall_2, cpu_2) = (np.median(found[number], 0) for number in (1, 2))
    print(f"speed-up by the clock {wall / wall_2:.2f} (>= {LEAST_SPEED_UP}, of an idle machine)")
    print(f"CPU time, two workers over one: {cpu_2 / cpu:.2f}")
    return bool(wall / wall_2 >= LEAST_SPEED_UP)


def command(videos: list[Path], out: Path, number: int) -> tuple[float, float]:
    """Seconds by the clock, and of CPU time with those of its workers."""
    line = [sys.executable, "-m", "dancepipe", "build-dataset", *map(str, videos)]
    started, before = time.monotonic(), children_seconds()
    subprocess.run(
        [*line, "-o", str(out), "--workers", str(number)], check=True, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    return time.monotonic() - started, children_seconds() - before


def children_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def memory(videos: list[Path], out: Path, count: int) -> bool:
    """A worker's memory, looked at every 50 clips."""
    pieces = out / "pieces"
    if len(list(pieces.glob("*.mp4"))) < count:
        cut(videos, pieces, count)
    data = out / "memory"
    line = [sys.executable, "-m", "dancepipe", "build-dataset", str(pieces), "-o", str(data)]
    line += ["--fps", "5", "--min-frames", "3", "--no-clean-duplicates"]
    process = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    seen: dict[int, float] = {}
    while process.poll() is None:
        done = finished(data)
        if done // SAMPLED_CLIPS not in {one // SAMPLED_CLIPS for one in seen}:
            seen[done] = resident_mb(process.pid)
            print(f"{done} clips: {seen[done]:.0f} MB", flush=True)
        time.sleep(0.5)
    done = finished(data)
    warm = [mb for number, mb in seen.items() if WARM_UP * count <= number < done]
    half = len(warm) // 2
    growth = float(np.median(warm[half:]) / np.median(warm[:half]) - 1)
    print(f"{done} clips; medians of the two halves behind the first tenth: {growth:+.1%}")
    return process.returncode == 0 and growth <= MOST_GROWTH


def finished(data: Path) -> int:
    clips = len(list(data.glob("t*/*.parquet")))
    failures = data / "failures.jsonl"
    return clips + (len(failures.read_text().splitlines()) if failures.exists() else 0)


def resident_mb(process: int) -> float:
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def cut(videos: list[Path], folder: Path, count: int) -> None:
    """Pieces of a second, small, of all videos in turn; later rounds begin elsewhere."""
    folder.mkdir(parents=True, exist_ok=True)
    done = 0
    for turn in range(count):
        for video in videos:
            for piece in pieces_of(video, first=turn):
                write(folder / f"{done:05d}.mp4", piece)
                done += 1
                if done == count:
                    return


def pieces_of(video: Path, first: int):
    """Lists of uint8 RGB (H, W, 3)."""
    piece = []
    with VideoReader(video, max_side_px=PIECE_SIDE_PX) as reader:
        for frame in reader:
            if frame.index >= first and (frame.index - first) % 3 == 0:
                piece.append(frame.image)
            if len(piece) == PIECE_FRAMES:
                yield piece
                piece = []


def write(path: Path, pictures: list[np.ndarray]) -> None:
    height, width = (side // 2 * 2 for side in pictures[0].shape[:2])
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=PIECE_RATE)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.options = {"preset": "ultrafast", "crf": "20"}
        for picture in pictures:
            image = np.ascontiguousarray(picture[:height, :width])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())


if __name__ == "__main__":
    main()
