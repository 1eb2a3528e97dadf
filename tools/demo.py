"""The demo: animate samples/reference.png with samples/driver.mp4 into demo/out.mp4.

No trained weights ship with this version, so the demo first trains a small model on
the sample clip itself. Run again, it goes on from what is there.
"""

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


def main() -> None:
    started = time.monotonic()
    driver, weights = ROOT / "samples" / "driver.mp4", DEMO / "run" / "weights.safetensors"
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
