"""The demo: animate samples/reference.png with samples/driver.mp4 into demo/out.mp4.

No trained weights ship with this version, so the demo first trains a small model on
the sample clip itself. Run again, it goes on from what is there.
"""

import hashlib
import shutil
import sys
import time
from pathlib import Path

from dancepipe.cli import main as dancepipe

ROOT = Path(__file__).parent.parent
DEMO = ROOT / "demo"


def run(*arguments: str | Path) -> None:
    """One dancepipe command, shown as one would type it; ends the demo when it fails."""
    line = [str(argument) for argument in arguments]
    print("\n$ dancepipe " + " ".join(line), flush=True)
    code = dancepipe(line)
    if code:
        sys.exit(code)


def start_anew_when_changed(*made_from: Path) -> None:
    """Data and weights of an earlier demo are kept only if they were made from the same sample and configuration."""
    mark, digest = DEMO / "made-from.txt", hashlib.sha256(b"".join(path.read_bytes() for path in made_from)).hexdigest()
    if DEMO.exists() and not (mark.exists() and mark.read_text() == digest):
        print("the sample or its configuration has changed: the demo starts anew")
        shutil.rmtree(DEMO)
    DEMO.mkdir(exist_ok=True)
    mark.write_text(digest)


def main() -> None:
    started = time.monotonic()
    driver, weights = ROOT / "samples" / "driver.mp4", DEMO / "run" / "weights.safetensors"
    start_anew_when_changed(driver, ROOT / "configs" / "demo.yaml")
    run("build-dataset", driver, "--out", DEMO / "data", "--size-px", "128", "--fps", "15", "--test-share", "0")
    if not weights.exists():
        print(
            "\nNo trained weights ship with this version. The demo trains a small model on the sample clip itself for a few minutes;\n"
            "it has seen one person only, so expect the right motion and a blurred guess at the person in the photo.",
            flush=True,
        )
        resume = ["--resume"] if any((DEMO / "run" / "checkpoints").glob("stage*")) else []
        run("train", "--config", ROOT / "configs" / "demo.yaml", "--data", DEMO / "data", "--out", DEMO / "run", *resume)
    run("animate", "--ref", ROOT / "samples" / "reference.png", "--driver", driver, "--weights", weights, "--out", DEMO / "out.mp4")
    print(f"\nDone in {time.monotonic() - started:.0f} s: open demo/out.mp4", flush=True)


if __name__ == "__main__":
    main()
