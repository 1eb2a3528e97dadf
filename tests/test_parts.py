"""Parts: a run that is killed, stopped or out of space goes on from what is whole, and makes the
same file as a run that was left alone."""

import os
import signal
import time
from pathlib import Path

import pytest
import warm
from people import SAMPLES, write_dance, write_untrained_weights

KILLS = int(os.environ.get("DANCEPIPE_KILLS", 2))  # of each kind of result
EACH = 6  # frames of a part


@pytest.fixture(scope="module")
def inputs(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("inputs")
    write_dance(folder / "driver.mp4", frames=28, audio=True, empty=(11, 12, 13, 18))
    write_untrained_weights(folder / "w.safetensors")
    return folder


def animate(inputs: Path, out: Path, *more) -> list:
    return [
        "animate", SAMPLES / "reference.png", inputs / "driver.mp4", "-o", out, "--device", "cpu",
        "-w", inputs / "w.safetensors", "--part-frames", EACH, *more,
    ]  # fmt: skip


def content(out: Path):
    if out.is_dir():
        return {path.name: path.read_bytes() for path in sorted(out.iterdir())}
    return out.read_bytes()


def kept_in(folder: Path, pattern: str) -> list[Path]:
    return sorted(folder.glob(f".dancepipe-*.parts/{pattern}"))


def killed_after(command: list, folder: Path, pattern: str, said: Path) -> bool:
    """Begin the command, and kill it once a file of that name is kept. Whether that came about."""
    process = warm.start(command, said)
    deadline = time.monotonic() + 100
    while process.is_alive() and not kept_in(folder, pattern):
        assert time.monotonic() < deadline, said.read_text()
        time.sleep(0.001)
    process.kill()
    process.join()
    return process.exitcode == -signal.SIGKILL


KINDS = {
    "video": ("made.mp4", []),
    "of the driver": ("made.mkv", ["--background", "driver", "--side-by-side"]),
    "folder": ("made", []),
    "GIF": ("made.gif", []),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_killed_run_goes_on_and_makes_the_same_bytes(inputs, tmp_path, kind):
    name, more = KINDS[kind]
    said = tmp_path / "said.txt"
    (tmp_path / "whole").mkdir()
    whole = tmp_path / "whole" / name
    assert warm.run(animate(inputs, whole, *more), said).code == 0, said.read_text()
    assert not list(whole.parent.glob(".*"))
    cut = tmp_path / "cut"
    cut.mkdir()
    command = animate(inputs, cut / name, *more)
    moments = ["motion-00001.npz", "part-00002", "part-00000", "part-00003", "part-00004"]
    for moment in moments[:KILLS]:
        assert killed_after(command, cut, moment, said), said.read_text()
        assert not (cut / name).exists()
    before = kept_in(cut, "part-*")
    stamps = [path.stat().st_mtime_ns for path in before]
    assert len(before) >= 2 and stamps == sorted(stamps)
    ended = warm.run(command, said)
    assert ended.code == 0, ended.said
    assert f"going on from {EACH * len(before)} frames" in ended.said
    assert f"{EACH * len(before)} frames were kept from a run that was stopped" in ended.said
    assert content(cut / name) == content(whole)
    assert not list(cut.glob(".*"))
