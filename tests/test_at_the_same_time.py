"""Two commands on one target: one works, the other says in one line who holds it, nothing is mixed."""

import json
import os
import time
from pathlib import Path

import av
import pytest
import warm
from people import SAMPLES, write_dance, write_untrained_weights
from test_pair_list import write_people
from test_store import write

from dancepipe.dataset.store import clip_files, read_clip
from dancepipe.evaluate.scores import read_scores
from dancepipe.model.weights import read_tensors

PAIRS = int(os.environ.get("DANCEPIPE_PAIRS", 5))  # of each command


@pytest.fixture(scope="module")
def inputs(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("inputs")
    write_dance(folder / "driver.mp4", frames=30)
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
        "--background", ("black", "white")[seed], "--overwrite",
    ]  # fmt: skip


def train(inputs: Path, out: Path, seed: int) -> list:
    return [
        "train", "--data", inputs / "data", "--out", out / "run", "--seed", seed, "--preset", "tiny",
        "--height-px", 32, "--width-px", 32, "--stage1-steps", 8, "--stage2-steps", 8, "--batch", 2,
        "--perceptual", "none", "--weights-adversarial", 0.1, "--device", "cpu", "--workers", 0,
        "--log-every", 1, "--sample-every", 8, "--no-held-out-pre", "--save-every", 4,
    ]  # fmt: skip


def build(inputs: Path, out: Path, seed: int) -> list:
    return [
        "build-dataset", inputs / "driver.mp4", "--out", out / "data", "--size-px", 64, "--fps", 0,
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
    assert len(frames) == 30
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
    assert len(list(read_clip(clip))) > 20 and not (out / "data" / "failures.jsonl").read_text()


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
def test_one_works_and_the_other_says_who_does(inputs, tmp_path, name):
    command, check = COMMANDS[name]
    held = 0
    for number in range(PAIRS):
        out = tmp_path / str(number)
        out.mkdir()
        together = warm.CONTEXT.Barrier(2)
        said = [tmp_path / f"{number}-{seed}.txt" for seed in (0, 1)]
        both = [warm.start(command(inputs, out, seed), said[seed], together) for seed in (0, 1)]
        ended = [warm.end(process, text) for process, text in zip(both, said)]
        codes = [one.code for one in ended]
        assert sorted(codes) == [0, 2], [one.said for one in ended]
        winner, loser = codes.index(0), codes.index(2)
        assert len(ended[loser].errors) == 1 and "Traceback" not in ended[loser].said
        held += f"another dancepipe ({name}, process {both[winner].pid} on " in ended[loser].said
        check(out, winner)
        left = [path.name for path in out.rglob(".*")]
        assert not left, "nothing hidden stays"
    assert held == PAIRS, "both began at the same time, so that one must have met the other"


def test_shards_build_one_data_set_together(inputs, tmp_path):
    (tmp_path / "videos").mkdir()
    for number in range(6):
        write_dance(tmp_path / "videos" / f"{number}.mp4", frames=8, first=10 * number)
    parts = []
    for shard in range(3):
        command = build(inputs, tmp_path, 0)
        command[1] = tmp_path / "videos"
        said = tmp_path / f"{shard}.txt"
        sharded = [*command, "--min-frames", 4, "--num-shards", 3, "--shard-index", shard]
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
