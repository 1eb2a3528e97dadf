"""Is every source told of once, and does a killed build end as an unbroken one?

    python tools/check_building.py ledger --clips DIR --out FOLDER
    python tools/check_building.py kills --clips DIR --out FOLDER [--kills 20] [--seed 5]

ledger: DIR's videos over a server of this machine, with broken, repeated, moved, slow, busy and
missing ones between them. kills: kill -9 in every phase of a build, by what lies in its folder, and
some time after. Prints a table; exit code 1 when something is not as it should be.
"""

import argparse
import filecmp
import http.server
import json
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np

from dancepipe.media.fetch import VIDEO_SUFFIXES

SLOW_BYTES_PER_SECOND = 300_000
MOST_SECONDS = 900


class Server(http.server.SimpleHTTPRequestHandler):
    """/KIND/NAME: 404; 429 and 503 (once, then the file); busy (503 for a day); moved (a redirect);
    slow; broken (text); file (a redirect to file://); else the file."""

    asked: Counter = Counter()

    def log_message(self, *arguments):
        pass

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        kind, _, name = self.path.removeprefix("/").partition("/")
        self.asked[self.path] += 1
        if kind in ("429", "503") and self.asked[self.path] == 1:
            self.answer(int(kind), {"Retry-After": "1"})
        elif kind == "404":
            self.answer(404, {})
        elif kind == "busy":
            self.answer(503, {"Retry-After": "86400"})
        elif kind == "moved":
            self.answer(302, {"Location": f"/good/{name}"})
        elif kind == "file":
            self.answer(302, {"Location": "file:///etc/passwd"})
        elif kind == "broken":
            self.answer(200, {"Content-Type": "video/mp4"}, b"no video\n" * 4000)
        else:
            self.path = f"/{name}"
            super().do_GET()

    def answer(self, status: int, headers: dict[str, str], body: bytes = b"") -> None:
        self.send_response(status)
        for name, value in (headers | {"Content-Length": str(len(body))}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def copyfile(self, source, outputfile):
        with suppress(ConnectionError):  # who was killed hears no more
            if "slow" not in self.requestline:
                return super().copyfile(source, outputfile)
            while block := source.read(SLOW_BYTES_PER_SECOND // 5):
                outputfile.write(block)
                time.sleep(0.2)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("ledger", "kills"))
    parser.add_argument("--clips", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=5)
    options = parser.parse_args()
    videos = sorted(path for path in options.clips.iterdir() if path.suffix in VIDEO_SUFFIXES)
    options.out.mkdir(parents=True, exist_ok=True)

    def handler(*arguments):
        return Server(*arguments, directory=str(options.clips))

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        place = f"http://127.0.0.1:{server.server_port}"
        if options.what == "ledger":
            is_well = ledger(videos, options.out, place)
        else:
            is_well = kills(videos, options.out, place, options)
        server.shutdown()
    sys.exit(0 if is_well else 1)


def command(sources: Path, out: Path, *more: str) -> list[str]:
    line = [sys.executable, "-m", "dancepipe", "build-dataset", str(sources), "-o", str(out)]
    return [*line, "--own-network", "--pause-seconds", "0.2", "--retries", "1", *more]


# --- every source once ----------------------------------------------------------------------------


def ledger(videos: list[Path], out: Path, place: str) -> bool:
    """Each outcome as it should be, and the number of lines."""
    first = videos[0].name
    wanted = {f"{place}/good/{video.name}": "kept|copy|failed label" for video in videos}
    wanted |= {
        f"{place}/moved/{first}": "copy|kept",
        f"{place}/slow/{first}": "copy|kept",
        f"{place}/429/{first}": "copy|kept",
        f"{place}/503/{first}": "copy|kept",
        f"{place}/404/{first}": "failed fetch",
        f"{place}/busy/{first}": "failed fetch",
        f"{place}/broken/{first}": "failed fetch",
        f"{place}/file/{first}": "failed fetch",
        "file:///etc/passwd": "failed fetch",
        str(out / "missing.mp4"): "failed fetch",
    }
    sources = out / "sources.txt"
    sources.write_text("\n".join([*wanted, *list(wanted)[:3]]) + "\n")
    subprocess.run(command(sources, out / "data"), check=False)
    lines = [json.loads(line) for line in (out / "data/ledger.jsonl").read_text().splitlines()]
    told = {line["source"]: f"{line['outcome']} {line.get('stage', '')}".strip() for line in lines}
    wrong = [name for name, outcome in wanted.items() if told.get(name) not in outcome.split("|")]
    for name in [*wrong, *(set(told) - set(wanted))]:
        print(f"  WRONG {name}: {told.get(name)}, not {wanted.get(name)}")
    kinds = Counter(
        (name.removeprefix(place).split("/")[1] if name.startswith(place) else "of this disk",
         outcome)
        for name, outcome in told.items()
    )  # fmt: skip
    for (kind, outcome), count in sorted(kinds.items()):
        print(f"{kind:14} {outcome:14} {count:4}")
    print(f"{len(lines)} lines of {len(wanted)} sources, {len(wrong)} with another outcome")
    return not wrong and len(lines) == len(told) == len(wanted)


# --- kill -9 --------------------------------------------------------------------------------------

# What a build's folder shows of its phase; the kill comes then, or a moment later.
PHASES: dict[str, Callable[[Path, float], bool]] = {
    "start": lambda data, since: (data / "dataset.json").exists(),
    "downloading": lambda data, since: has_new(data / "videos", "*.fetching*", since),
    "decoding": lambda data, since: has_new(data / "videos", "*.mp4", since),
    "writing a clip": lambda data, since: (
        has_new(data, "t*/.*", since) or has_new(data, "t*/*.part*", since)
    ),
    "after a clip": lambda data, since: has_new(data, "t*/*.parquet", since),
    "settling": lambda data, since: has_new(data, "dropped/*", since),
    "ledger": lambda data, since: has_new(data, "ledger.jsonl", since),
    "index": lambda data, since: has_new(data, "index.parquet", since),
    "pairs": lambda data, since: has_new(data, "pairs-test.csv", since),
    "report": lambda data, since: has_new(data, "report.html", since),
}


def has_new(folder: Path, pattern: str, since: float) -> bool:
    """Whether there is a file of that name that this run wrote."""
    for path in folder.glob(pattern):
        try:
            if path.stat().st_mtime >= since:
                return True
        except FileNotFoundError:
            continue
    return False


def kills(videos: list[Path], out: Path, place: str, options) -> bool:
    """An unbroken build, one that is killed, and whether they are the same."""
    sources = out / "sources.txt"
    names = [f"{place}/good/{video.name}" for video in videos]
    names += [f"{place}/moved/{videos[0].name}", f"{place}/404/x.mp4"]
    sources.write_text("\n".join(names) + "\n")
    more = ("--test-share", "0.5")
    whole, broken = out / "whole", out / "broken"
    subprocess.run(command(sources, whole, *more), check=True, stderr=subprocess.DEVNULL)
    rng = np.random.default_rng(options.seed)
    hit = Counter()
    for number in range(2 * options.kills):
        phase = list(PHASES)[number % len(PHASES)]
        undo(broken, rng, phase)  # what is done is not done again: there must be work left
        is_hit = kill_in(command(sources, broken, *more), broken, phase, float(rng.uniform(0, 0.3)))
        hit[phase if is_hit else "ended before"] += 1
        print(f"{number + 1}: {phase}{'' if is_hit else ', which never came'}", flush=True)
        if hit.total() - hit["ended before"] == options.kills:
            break
    last = command(sources, broken, *more, "--workers", "2")
    subprocess.run(last, check=True, stderr=subprocess.DEVNULL)
    apart = differences(whole, broken)
    print(f"killed in: {dict(hit)}")
    print("identical" if not apart else f"DIFFERENT: {', '.join(apart)}")
    return not apart


def kill_in(line: list[str], data: Path, phase: str, delay: float) -> bool:
    """Whether it was killed in that phase, and not over before."""
    since = time.time()
    process = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None and time.time() < since + MOST_SECONDS:
        if PHASES[phase](data, since):
            time.sleep(delay if phase in ("start", "downloading", "decoding") else delay / 30)
            break
        time.sleep(0.002)
    is_running = process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.wait()
    return is_running


def undo(data: Path, rng: np.random.Generator, phase: str) -> None:
    """Take one clip away with its download, as somebody's hand would: both are made again."""
    clips = sorted(data.glob("dropped/*.parquet"))
    if phase != "settling" or not clips:
        clips += sorted(data.glob("t*/*.parquet"))
    if clips:
        clip = clips[rng.integers(len(clips))]
        for video in (data / "videos").glob(f"{clip.stem[-8:]}*"):
            video.unlink()
        clip.unlink()


def differences(one: Path, other: Path) -> list[str]:
    """Files that only one has, or whose bytes differ, but for what is of a run alone."""
    places = [
        {
            path.relative_to(folder).as_posix()
            for path in folder.rglob("*")
            if path.is_file()
            and path.name != "report.html"
            and path.suffix != ".lock"
            and path.parent.name != "hosts"
        }
        for folder in (one, other)
    ]
    both = places[0] & places[1]
    apart = [name for name in both if not filecmp.cmp(one / name, other / name, shallow=False)]
    return sorted(apart + list(places[0] ^ places[1]))


if __name__ == "__main__":
    main()
