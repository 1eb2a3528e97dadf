"""One video shared by several runs: the bytes of one that made it alone, whoever is killed."""

import os
import signal
import time
from pathlib import Path

import pytest
import warm
from people import SAMPLES, write_dance
from test_parts import EACH, animate, write_inputs

import dancepipe
from dancepipe.errors import BusyError, ConfigError, NoPersonError, ProcessLostError, error_of
from dancepipe.files.lock import Shard, lock_result, lock_shard


@pytest.fixture(scope="module")
def inputs(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("inputs")
    write_inputs(folder)
    with dancepipe.Session(**plain(folder)) as session:
        for background in ("white", "driver"):
            out = folder / f"alone-{background}.mp4"
            session.animate(
                SAMPLES / "reference.png", folder / "driver.mp4", out, background=background
            )
    return folder


def plain(inputs: Path) -> dict:
    """Options of the library as animate() has them."""
    weights = inputs / "w.safetensors"
    return {"weights": weights, "device": "cpu", "part_frames": EACH, "runtime": "torch"}


def shard(index: int, count: int = 2) -> list:
    return ["--num-shards", count, "--shard-index", index]


def wait_for(found, said: Path) -> None:
    deadline = time.monotonic() + 100
    while not found():
        assert time.monotonic() < deadline, said.read_text()
        time.sleep(0.002)


def test_shards_of_which_one_is_killed_make_the_same_bytes(inputs, tmp_path):
    """The one that finds the motion is killed once a part is made; the other one takes over and
    waits for nobody; the killed one comes back and joins."""
    out, said = tmp_path / "out.mp4", tmp_path / "said.txt"
    commands = [animate(inputs, out, "--background", "driver", *shard(index)) for index in (0, 1)]
    first = warm.start(commands[0], said)
    wait_for(lambda: list(tmp_path.glob(".dancepipe-*.parts/part-00000")), said)
    second = warm.start(commands[1], tmp_path / "second.txt")
    first.kill()
    first.join()
    assert first.exitcode == -signal.SIGKILL, said.read_text()
    ended = warm.end(second, tmp_path / "second.txt")
    assert ended.code == 0 and "parts of the video are missing yet" in ended.said, ended.said
    assert not out.exists()
    ended = warm.run(commands[0], said)
    assert ended.code == 0 and "2 runs shared it" in ended.said, ended.said
    assert out.read_bytes() == (inputs / "alone-driver.mp4").read_bytes()
    assert not list(tmp_path.glob(".*"))


def test_a_last_command_makes_what_is_missing_and_joins(inputs, tmp_path, said):
    ref, driver, out = SAMPLES / "reference.png", inputs / "driver.mp4", tmp_path / "out.mp4"
    options = plain(inputs)
    one = dancepipe.animate(ref, driver, out, num_shards=3, shard_index=1, **options)
    assert (one.frames_out, one.parts_missing, one.is_joined) == (EACH + 4, 3, False)
    (kept,) = tmp_path.glob(".dancepipe-*.parts")
    with lock_shard(kept, Shard(2, 3)):  # it is at work
        for more in ({}, {"num_shards": 2}, {"num_shards": 3, "shard_index": 2}):
            with pytest.raises(BusyError, match="is being written by another dancepipe"):
                dancepipe.animate(ref, driver, out, **options, **more)
    with lock_result(out, overwrite=False, inputs=()), pytest.raises(BusyError):
        dancepipe.animate(ref, driver, out, num_shards=3, **options)
    last = dancepipe.animate(ref, driver, out, **options)
    assert (last.frames_out, last.frames_kept, last.is_joined) == (28, EACH + 4, True)
    assert out.read_bytes() == (inputs / "alone-white.mp4").read_bytes()
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("background", ["white", "driver"])
def test_a_stretch_is_shared_and_cut_as_by_one(inputs, tmp_path, background):
    ref, driver = SAMPLES / "reference.png", inputs / "driver.mp4"
    options = {**plain(inputs), "start": 0.2, "duration": 0.7, "absent": "cut"}
    options["background"] = background
    alone = dancepipe.animate(ref, driver, tmp_path / "alone.mp4", **options)
    assert 0 < alone.frames_out < alone.frames_in < 28
    for index in (0, 1):
        dancepipe.animate(
            ref, driver, tmp_path / "out.mp4", num_shards=2, shard_index=index, **options
        )
    assert (tmp_path / "out.mp4").read_bytes() == (tmp_path / "alone.mp4").read_bytes()
    assert not list(tmp_path.glob(".*"))


def test_devices_share_a_video_and_a_lost_process_costs_its_part(inputs, tmp_path):
    out, said = tmp_path / "out.mp4", tmp_path / "said.txt"
    process = warm.start(animate(inputs, out, "--devices", "cpu,cpu", device=None), said)
    wait_for(lambda: list(tmp_path.glob(".dancepipe-*.parts/motion-*")), said)
    os.kill(children(process.pid)[0], signal.SIGKILL)
    ended = warm.end(process, said, timeout_seconds=300)  # three processes load all libraries
    assert ended.code == 0 and "its share goes on in another process" in ended.said, ended.said
    assert out.read_bytes() == (inputs / "alone-white.mp4").read_bytes()
    assert not list(tmp_path.glob(".*"))


def test_a_share_that_cannot_succeed_says_why_and_keeps_nothing(inputs, tmp_path):
    write_dance(tmp_path / "nobody.mp4", frames=EACH, empty=tuple(range(EACH)))
    ref = SAMPLES / "reference.png"
    with pytest.raises(NoPersonError, match="no person found in .* frames"):
        dancepipe.animate(
            ref, tmp_path / "nobody.mp4", tmp_path / "a.mp4", inputs / "w.safetensors",
            device="cpu", num_shards=2,
        )  # fmt: skip
    assert [path.name for path in tmp_path.iterdir()] == ["nobody.mp4"]
    for options, message in REFUSED.items():
        with pytest.raises(ConfigError, match=message):
            dancepipe.animate(ref, inputs / "driver.mp4", tmp_path / "a.mp4", **dict(options))


REFUSED = {
    (("num_shards", 2), ("shard_index", 2)): "shard_index 2 must be below num_shards 2",
    (("devices", "cpu,cuda:0"),): "each kind of device rounds in its own way",
    (("devices", "gpu"),): "name several of one kind",
    (("devices", "cpu,cpu"), ("device", "cpu")): "both given",
}


def test_an_error_of_another_process_is_the_same_here():
    error = error_of("ProcessLostError", "it is gone")
    assert type(error) is ProcessLostError and str(error) == "it is gone"
    assert error_of("KeyError", "x") is None and error_of("public_address", "x") is None


def children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [int(one) for task in tasks for one in (task / "children").read_text().split()]
