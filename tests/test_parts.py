"""Parts: a run that is killed, stopped or out of space goes on from what is whole, and makes the
same file as a run that was left alone."""

import io
import signal
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import warm
from drawn import draw_picture
from people import SAMPLES, write_dance, write_untrained_weights

import dancepipe
from dancepipe.errors import ConfigError, MotionError, NoPersonError, OutputError
from dancepipe.media.join import VideoJoin, VideoPartWriter
from dancepipe.media.part_file import read_part_file
from dancepipe.media.write import VideoForm, VideoWriter, rate_from_step

EACH = 6  # frames of a part


@pytest.fixture(scope="module")
def inputs(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("inputs")
    write_inputs(folder)
    return folder


def write_inputs(folder: Path) -> None:
    write_dance(folder / "driver.mp4", frames=28, audio=True, empty=(11, 12, 13, 18))
    write_untrained_weights(folder / "w.safetensors")


def animate(inputs: Path, out: Path, *more, device: str | None = "cpu") -> list:
    return [
        "animate", SAMPLES / "reference.png", inputs / "driver.mp4", "-o", out,
        "-w", inputs / "w.safetensors", "--part-frames", EACH, "--runtime", "torch",
        *(("--device", device) if device else ()), *more,
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


KINDS = {  # the name, options, and what is kept when it is killed
    "video": ("made.mp4", [], ["motion-00001.npz", "part-00002"]),
    "of the driver": ("made.mkv", ["--background", "driver", "--side-by-side"], ["part-00001"]),
    "folder": ("made", [], ["part-00002"]),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_killed_run_goes_on_and_makes_the_same_bytes(inputs, tmp_path, kind):
    name, more, moments = KINDS[kind]
    said = tmp_path / "said.txt"
    (tmp_path / "whole").mkdir()
    whole = tmp_path / "whole" / name
    assert warm.run(animate(inputs, whole, *more), said).code == 0, said.read_text()
    assert not list(whole.parent.glob(".*"))
    cut = tmp_path / "cut"
    cut.mkdir()
    command = animate(inputs, cut / name, *more)
    for moment in moments:
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


@pytest.fixture(scope="module")
def session(inputs):
    weights = inputs / "w.safetensors"
    with dancepipe.Session(weights, device="cpu", part_frames=EACH, runtime="torch") as session:
        yield session


def test_a_stop_says_what_is_kept_and_another_command_never_uses_it(
    inputs, session, tmp_path, said
):
    """Ctrl-C in the middle; other options; the first command again; a damaged part."""

    class Stopped(Exception):
        pass

    def stop(done, _):
        if done > 2 * EACH:
            raise Stopped

    def run(name: str, **more):
        return session.animate(
            SAMPLES / "reference.png", inputs / "driver.mp4", tmp_path / name, **more
        )

    with pytest.raises(Stopped):
        run("a.gif", progress=stop)
    (folder,) = tmp_path.glob(".dancepipe-*.parts")
    assert f"kept in {folder}: the same command goes on from there" in said[-1]
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    other = run("a.gif", background="black", overwrite=True)
    assert other.frames_kept == 0
    assert any(f"{folder} holds parts" in line and "differs in background" in line for line in said)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    damaged = folder / "part-00000"
    damaged.write_bytes(damaged.read_bytes()[:-40] + b"x" * 40)
    first = run("a.gif", overwrite=True)
    assert first.frames_kept == EACH  # of two parts
    assert any("part-00000 is damaged" in line and "is made again" in line for line in said)
    assert not list(tmp_path.glob(".*"))
    run("whole.gif")
    assert (tmp_path / "a.gif").read_bytes() == (tmp_path / "whole.gif").read_bytes()


def test_nothing_is_kept_of_a_run_that_cannot_succeed(session, tmp_path):
    write_dance(tmp_path / "nobody.mp4", frames=3 * EACH, empty=tuple(range(3 * EACH)))
    with pytest.raises(NoPersonError):
        session.animate(SAMPLES / "reference.png", tmp_path / "nobody.mp4", tmp_path / "a.mp4")
    assert [path.name for path in tmp_path.iterdir()] == ["nobody.mp4"]


ENCODED = [("libx264", ".mp4"), ("libx265", ".mp4"), ("libvpx-vp9", ".webm"), ("libx264", ".mkv")]


@pytest.mark.parametrize("codec, suffix", [*ENCODED, ("prores_ks", ".mov"), ("libsvtav1", ".mp4")])
def test_joined_parts_are_one_video_with_the_times_of_each_picture(tmp_path, codec, suffix):
    """A rate that changes in the middle, and a last part of one picture."""
    size_wh, base, count = (96, 64), Fraction(1, 1000), 25
    ticks = [40 * n if n < 13 else 520 + 200 * (n - 13) for n in range(count)]
    drawn = [draw_picture(index, size_wh) for index in range(count)]
    form = VideoForm(codec, suffix, size_wh, base)
    rate = rate_from_step(40, base)

    def joined(each: int) -> Path:
        parts = []
        for first in range(0, count, each):
            path = tmp_path / f"{each}-{first}"
            with VideoPartWriter(path, form, rate) as part:
                for index in range(first, min(count, first + each)):
                    part.write(drawn[index], ticks[index] * base)
            parts.append(read_part_file(path))
        with VideoJoin(tmp_path / f"joined-{each}{suffix}", size_wh, base, codec=codec) as result:
            result.join(parts, rate)
        return result.path

    with VideoWriter(tmp_path / f"plain{suffix}", size_wh, base, codec=codec) as plain:
        for picture, tick in zip(drawn, ticks):
            plain.write(picture, tick * base)
    with av.open(str(joined(8))) as container, av.open(str(plain.path)) as other:
        stream = container.streams.video[0]
        frames = list(container.decode(stream))
        assert [frame.pts * stream.time_base for frame in frames] == [t * base for t in ticks]
        assert container.duration == other.duration
    off = [
        np.abs(frame.to_ndarray(format="rgb24").astype(int) - picture).mean()
        for frame, picture in zip(frames, drawn, strict=True)
    ]
    assert max(off) < 12
    if (codec, suffix) in ENCODED and codec != "libx265":  # which says what no other frame needs
        assert joined(count).read_bytes() == plain.path.read_bytes()


def test_a_motion_is_found_once_and_worn_by_any_photo(inputs, session, tmp_path):
    driver = inputs / "driver.mp4"
    summary = dancepipe.motion(driver, tmp_path / "d.motion", device="cpu")
    assert summary.frames == 28 and 20 <= summary.frames_with_person <= 26
    made = []
    for name, motion in (("a.mp4", None), ("b.mp4", str(tmp_path / "d.motion"))):
        session.animate(SAMPLES / "reference.png", driver, tmp_path / name, motion=motion)
        made.append((tmp_path / name).read_bytes())
    assert made[0] == made[1]
    with pytest.raises(OutputError, match="d.motion is there already"):
        dancepipe.motion(driver, tmp_path / "d.motion")
    with pytest.raises(OutputError, match="name the motion d.motion, got d.npz"):
        dancepipe.motion(driver, tmp_path / "d.npz")
    whole = (tmp_path / "d.motion").read_bytes()
    write_dance(tmp_path / "other.mp4", frames=6)
    for case, (change, options, error, message) in BAD_MOTIONS.items():
        (tmp_path / "bad.motion").write_bytes(change(whole))
        if case == "absent":
            (tmp_path / "bad.motion").unlink()
        video = tmp_path / "other.mp4" if case == "of another video" else driver
        with pytest.raises(error, match=message) as raised:
            session.animate(
                SAMPLES / "reference.png",
                video,
                tmp_path / "c.mp4",
                motion=str(tmp_path / "bad.motion"),
                **options,
            )
        assert "\n" not in str(raised.value), case


def changed(name: str, value) -> Callable[[bytes], bytes]:
    """What makes another motion of one: that array is another."""

    def change(whole: bytes) -> bytes:
        arrays = dict(np.load(io.BytesIO(whole)))
        arrays[name] = value(arrays[name])
        out = io.BytesIO()
        np.savez(out, **arrays)
        return out.getvalue()

    return change


def nowhere(points: np.ndarray) -> np.ndarray:
    points = points.copy()
    points[0, :, :2] = 1e30
    return points


BAD_MOTIONS = {
    "absent": (bytes, {}, MotionError, "cannot read .*bad.motion: No such file"),
    "text": (lambda _: b"hello", {}, MotionError, "no whole motion.*; make it anew"),
    "cut": (lambda whole: whole[: len(whole) // 2], {}, MotionError, "no whole motion"),
    "of another video": (bytes, {}, MotionError, r"of another video \(driver.mp4\), not of"),
    "without a head": (changed("head", lambda _: np.zeros(3)), {}, MotionError, "it has no head"),
    "far away": (changed("joints", nowhere), {}, MotionError, "a joint lies far beside the frame"),
    "NaN": (changed("joints", lambda all: all * np.nan), {}, MotionError, "finite points"),
    "short": (changed("times", lambda all: all[:5]), {}, MotionError, "of different lengths"),
    "backwards": (changed("times", lambda all: all[::-1]), {}, MotionError, "do not rise"),
    "masks": (bytes, {"background": "blur"}, ConfigError, "left out of the background blur"),
    "person": (bytes, {"person": "left"}, ConfigError, "of one person already"),
}
