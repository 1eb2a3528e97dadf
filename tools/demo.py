"""The demo: animate samples/reference.png with samples/driver.mp4 into demo/out.mp4, with the
weights that come with dancepipe."""

import sys
import time
from pathlib import Path

from dancepipe.cli import main as dancepipe

ROOT = Path(__file__).parent.parent


def main() -> None:
    started = time.monotonic()
    out = ROOT / "demo" / "out.mp4"
    out.parent.mkdir(exist_ok=True)
    line = [
        "animate",
        "--ref",
        str(ROOT / "samples" / "reference.png"),
        "--driver",
        str(ROOT / "samples" / "driver.mp4"),
        "--out",
        str(out),
    ]
    line += ["--overwrite"]  # safe to run twice
    print("$ dancepipe " + " ".join(line), flush=True)
    if code := dancepipe(line):
        sys.exit(code)
    print(f"\nDone in {time.monotonic() - started:.0f} s: open demo/out.mp4", flush=True)


if __name__ == "__main__":
    main()
