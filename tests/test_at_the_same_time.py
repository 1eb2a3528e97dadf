"""Two commands on one target: one works, the other says who does, and nothing is mixed."""

import json
import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

import av
import pytest
import warm
from people import SAMPLES, write_dance, write_untrained_weights
from test_pair_list import write_people
from test_store import write

from dancepipe.data.store import clip_files, read_clip
from dancepipe.evaluation.scores import read_scores
from dancepipe.systems.weights import read_tensors

PAIRS = int(os.environ.get("DANCEPIPE_PAIRS", 4))  # of each command
FRAMES = 16  # of the driver


@pytest.fixture(scope="module")
def inputs(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("inputs")
    write_dance(folder / "driver.mp4", frames=FRAMES)
    write_untrained_weights(folder / "weights.safetensors")
    for name, frames in (("ann", 12), ("bob", 8)):
        write(folder / "data" / "train" / f"{name}.parquet", frames, identity=name)
    write(folder / "data" / "test" / "c.parquet", 5, identity="cid", split="test")
    write_people(folder / "people", people=6, frames=12)
    return folder


def animate(inputs: Path, out: Path, seed: int) -> list:
    """The seed is the background, as something must tell the two runs apart."""
    return [
        "animate", "--ref", SAMPLES / "reference.png", "--driver", inputs / "driver.mp4",
        "--weights", inputs / "weights.safetensors", "--out", out / "made.mp4", "--device", "cpu",
        "--background", ("black", "white")[seed], "--overwrite", "--runtime", "torch",
    ]  # fmt: skip


def train(inputs: Path, out: Path, seed: int) -> list:
    return [
        "train", "--data", inputs / "data", "--out", out / "run", "--seed", seed,
        "--preset", "tiny", "--height-px", 32, "--width-px", 32,
        "--stage1-steps", 8, "--stage2-steps", 8, "--batch", 2,
        "--perceptual", "none", "--weights-adversarial", 0.1, "--device", "cpu", "--workers", 0,
        "--log-every", 1, "--sample-every", 8, "--no-held-out-pre", "--save-every", 4,
    ]  # fmt: skip


def build(inputs: Path, out: Path, seed: int) -> list:
    return [
        "build-dataset", inputs / "driver.mp4", "--out", out / "data", "--size-px", 64, "--fps", 0,
        "--clean-min-pose", 0,
        "--test-share", 0,
    ]  # fmt: skip


def evaluate(inputs: Path, out: Path, seed: int) -> list:
    return [
        "evaluate", "--data", inputs / "people", "--out", out / "scores.json", "--seed", seed,
        "--metrics", "l1,psnr,ssim", "--cache", "none", "--min-pose-change", 0.1, "--device", "cpu",
        "--bootstrap", 200, "--overwrite", "--pairs-per-person", 30,
    ]  # fmt: skip


def check_animate(out: Path, seed: int) -> None:
    with av.open(str(out / "made.mp4")) as made:
        frames = [frame.to_ndarray(format="rgb24") for frame in made.decode(video=0)]
    assert len(frames) == FRAMES
    corners = {int(frame[:8, :8].mean() > 128) for frame in frames}
    assert corners == {seed}


def check_train(out: Path, seed: int) -> None:
    run = out / "run"
    config = (run / "config.yaml").read_text()
    assert f"\nseed: {seed}\n" in config
    assert json.loads((run / "run.json").read_text())["options"]["seed"] == seed
    steps = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    seen = [(line["stage"], line["step"]) for line in steps if "l1" in line]
    assert seen == [(stage, step) for stage in (1, 2) for step in range(1, 9)]
    assert read_tensors(run / "weights.safetensors")[0]


def check_build(out: Path, seed: int) -> None:
    (clip,) = clip_files(out / "data")
    assert (
        len(list(read_clip(clip))) > FRAMES * 2 / 3
        and not (out / "data" / "failures.jsonl").read_text()
    )


def check_evaluate(out: Path, seed: int) -> None:
    assert read_scores(out / "scores.json")["protocol"]["options"]["seed"] == seed
    report = (out / "scores.html").read_text()
    assert f"&quot;seed&quot;: {seed}" in report


COMMANDS = {
    "animate": (animate, check_animate),
    "train": (train, check_train),
    "build-dataset": (build, check_build),
    "evaluate": (evaluate, check_evaluate),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_two_that_begin_at_once_mix_nothing(inputs, tmp_path, name):
    """The other may be refused, or come when all is done already."""
    command, check = COMMANDS[name]
    for number in range(PAIRS):
        out = tmp_path / str(number)
        out.mkdir()
        together = warm.CONTEXT.Barrier(2)
        said = [tmp_path / f"{number}-{seed}.txt" for seed in (0, 1)]
        both = [warm.start(command(inputs, out, seed), said[seed], together) for seed in (0, 1)]
        ended = [warm.end(process, text) for process, text in zip(both, said)]
        assert {one.code for one in ended} in ({0}, {0, 2}), [one.said for one in ended]
        for one in ended:
            assert len(one.errors) == (one.code == 2) and "Traceback" not in one.said
        check_one_of(check, out, [seed for seed in (0, 1) if ended[seed].code == 0])
        assert not list(out.rglob(".*")), "nothing hidden stays"


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.skipif(sys.platform == "win32", reason="Windows stops no process in the middle")
def test_one_that_is_in_the_middle_keeps_the_other_out(inputs, tmp_path, name):
    command, check = COMMANDS[name]
    said = [tmp_path / f"{seed}.txt" for seed in (0, 1)]
    out = tmp_path / "out"
    out.mkdir()
    first = warm.start(command(inputs, out, 0), said[0])
    deadline = time.monotonic() + 60
    while not any(lock.stat().st_size for lock in out.rglob(".dancepipe*.lock")):
        assert time.monotonic() < deadline and first.is_alive(), said[0].read_text()
        time.sleep(0.002)
    os.kill(first.pid, signal.SIGSTOP)
    second = warm.run(command(inputs, out, 1), said[1])
    os.kill(first.pid, signal.SIGCONT)
    assert warm.end(first, said[0]).code == 0
    assert second.code == 2 and len(second.errors) == 1 and "Traceback" not in second.said
    assert f"another dancepipe ({name}, process {first.pid} on " in second.said
    check(out, 0)
    assert not list(out.rglob(".*")), "nothing hidden stays"


def check_one_of(check, out: Path, seeds: list[int]) -> None:
    """The result is whole and of one run: the only one, or the later of two."""
    for seed in seeds[:-1]:
        with suppress(AssertionError):
            return check(out, seed)
    check(out, seeds[-1])


def test_shards_build_one_data_set_together(inputs, tmp_path):
    (tmp_path / "videos").mkdir()
    for number in range(6):
        write_dance(tmp_path / "videos" / f"{number}.mp4", frames=8, first=10 * number)
    parts = []
    for shard in range(3):
        command = build(inputs, tmp_path, 0)
        command[1] = tmp_path / "videos"
        said = tmp_path / f"{shard}.txt"
        sharded = [*command, "--min-frames", 4, "--clean-min-motion", 0]
        sharded += ["--num-shards", 3, "--shard-index", shard]
        parts.append((warm.start(sharded, said), said))
    ended = [warm.end(*part) for part in parts]
    assert [one.code for one in ended] == [0, 0, 0], [one.said for one in ended]
    clips = clip_files(tmp_path / "data")
    assert sorted(path.name[0] for path in clips) == list("012345")


@pytest.mark.parametrize("name", COMMANDS)
def test_what_a_killed_command_left_is_gone_after_the_next(inputs, tmp_path, name):
    command, check = COMMANDS[name]
    out, said = tmp_path / "out", tmp_path / "said.txt"
    out.mkdir()
    process = warm.start(command(inputs, out, 0), said)
    deadline = time.monotonic() + 60
    while not list(out.rglob(".dancepipe*")) and time.monotonic() < deadline:
        time.sleep(0.002)
    time.sleep(0.3)  # somewhere in the middle
    process.kill()
    process.join()
    again = [*command(inputs, out, 0), "--resume"] if name == "train" else command(inputs, out, 0)
    assert warm.run(again, said).code == 0, said.read_text()
    check(out, 0)
    assert not list(out.rglob(".*"))
