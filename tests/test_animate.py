"""animate: every frame of the driver comes out with its time and the audio untouched, whatever
the driver; bad input changes nothing."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
import pytest
from drawn import write_test_photo, write_test_sound
from people import SAMPLES, SIZE_WH, write_dance, write_untrained_weights

from dancepipe.errors import (
    BadImageError,
    BadVideoError,
    ConfigError,
    NoPersonError,
    OutputError,
    WeightsError,
)
from dancepipe.media.read import VideoReader
from dancepipe.rendering.animate import animate
from dancepipe.rendering.options import AnimateOptions
from dancepipe.rendering.result import SYNTHETIC_TAG

REFERENCE = SAMPLES / "reference.png"
CPU = AnimateOptions(device="cpu")
AGAIN = AnimateOptions(device="cpu", overwrite=True)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "weights.safetensors"
    write_untrained_weights(path)
    return path


def video_times(path) -> list[Fraction]:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        return [frame.pts * stream.time_base for frame in container.decode(stream)]


def audio_packets(path) -> list[tuple[Fraction, bytes]]:
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        return [
            (packet.pts * stream.time_base, bytes(packet))
            for packet in container.demux(stream)
            if packet.size
        ]


def pictures(path) -> np.ndarray:
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


VARYING = [Fraction(n, 600) for n in (0, 20, 30, 70, 110, 111, 150, 200, 260, 280, 300, 360)]
DRIVERS = {
    "30 fps": {},
    "29.97 fps": {"rate": Fraction(30000, 1001)},
    "varying rate": {"frames": 12, "times": VARYING, "time_base": Fraction(1, 600)},
    "late start": {
        "frames": 12,
        "times": [Fraction(3, 4) + Fraction(n, 25) for n in range(12)],
        "time_base": Fraction(1, 12800),
    },
    "odd size": {"size_wh": (225, 321), "pixel_format": "yuv444p"},
    "rotated": {"rotation": 90},
    "squeezed pixels": {"sample_aspect_ratio": Fraction(4, 3), "size_wh": (240, 320)},
}


@pytest.mark.parametrize("kind", DRIVERS)
def test_frames_times_and_audio_are_the_drivers(tmp_path, weights, kind):
    driver, out = tmp_path / "driver.mp4", tmp_path / "out.mp4"
    write_dance(driver, audio=True, **{"frames": 12, **DRIVERS[kind]})
    summary = animate(REFERENCE, driver, out, weights, CPU)
    assert summary.frames_out == summary.frames_in == 12
    assert video_times(out) == video_times(driver)
    assert audio_packets(out) == audio_packets(driver)
    wide, tall = DRIVERS[kind].get("size_wh", SIZE_WH)
    assert pictures(out).shape[1:3] == (tall + tall % 2, wide + wide % 2)  # H.264 needs even sizes


def test_the_result_says_that_it_is_synthetic(tmp_path, weights):
    write_dance(tmp_path / "driver.mp4", frames=6)
    animate(REFERENCE, tmp_path / "driver.mp4", tmp_path / "out.mp4", weights, CPU)
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert container.metadata["comment"] == SYNTHETIC_TAG


def test_batches_change_nothing_and_neither_does_running_again(tmp_path, weights):
    write_dance(tmp_path / "driver.mp4", frames=10)
    results = []
    for batch in (1, 1, 4):
        animate(
            REFERENCE,
            tmp_path / "driver.mp4",
            tmp_path / "out.mp4",
            weights,
            replace(AGAIN, batch=batch, crf=0),
        )
        results.append(pictures(tmp_path / "out.mp4").astype(int))
    assert np.array_equal(results[0], results[1])
    assert np.abs(results[0] - results[2]).max() <= 2  # other batch sizes may round otherwise


def test_frames_without_a_person_hold_the_last_pose_and_are_counted(tmp_path, weights):
    write_dance(tmp_path / "driver.mp4", frames=20, empty=(0, 1, 9, 10, 11))
    summary = animate(
        REFERENCE,
        tmp_path / "driver.mp4",
        tmp_path / "out.mp4",
        weights,
        AnimateOptions(device="cpu", crf=0),
    )
    assert summary.frames_out == 20 and 3 <= summary.frames_held <= 6
    assert "frames without the dancer held the last pose" in summary.text()
    made = pictures(tmp_path / "out.mp4").astype(int)
    moving = np.abs(np.diff(made, axis=0)).mean((1, 2, 3))
    assert moving[9] < 0.2 * np.median(moving[2:8])  # frames 9 and 10 show the same pose


def test_backgrounds(tmp_path, weights):
    write_dance(tmp_path / "driver.mp4", frames=6)
    corners = {}
    for name in ("white", "black", "#20c040", "driver", "reference"):
        out = tmp_path / "out.mp4"
        animate(REFERENCE, tmp_path / "driver.mp4", out, weights, replace(AGAIN, background=name))
        corners[name] = pictures(out)[3][:8, :8].mean((0, 1))
    assert np.abs(corners["white"] - 255).max() < 3 and np.abs(corners["black"]).max() < 3
    assert np.abs(corners["#20c040"] - (0x20, 0xC0, 0x40)).max() < 5
    assert (
        np.abs(corners["driver"] - pictures(tmp_path / "driver.mp4")[3][:8, :8].mean((0, 1))).max()
        < 5
    )
    assert (
        corners["reference"].min() > 150 and np.ptp(corners["reference"]) < 30
    )  # the light wall of the photo


def test_stage_1_weights_and_a_smaller_result(tmp_path, said):
    write_untrained_weights(tmp_path / "stage1.safetensors", stage=1)
    write_dance(tmp_path / "driver.mp4", frames=6)
    animate(
        REFERENCE, tmp_path / "driver.mp4", tmp_path / "out.mp4", tmp_path / "stage1.safetensors",
        AnimateOptions(device="cpu", max_side_px=160),
    )  # fmt: skip
    assert pictures(tmp_path / "out.mp4").shape == (6, 160, 112, 3)
    assert any("stage 1 only" in line for line in said)


def test_a_truncated_driver_is_used_as_far_as_it_decodes_and_said(tmp_path, weights):
    write_dance(tmp_path / "whole.mp4", frames=60, container_options={"movflags": "faststart"})
    data = (tmp_path / "whole.mp4").read_bytes()
    (tmp_path / "driver.mp4").write_bytes(data[: int(len(data) * 0.6)])
    summary = animate(REFERENCE, tmp_path / "driver.mp4", tmp_path / "out.mp4", weights, CPU)
    assert 5 < summary.frames_out < 60 and summary.shortfall_seconds > 0.5
    assert "the driver is truncated" in summary.text()
    with VideoReader(tmp_path / "driver.mp4") as driver:
        assert video_times(tmp_path / "out.mp4") == [frame.time_seconds for frame in driver]


BAD_DRIVERS = {
    "missing": (lambda path: None, "no such file"),
    "folder": (lambda path: path.mkdir(), "folder"),
    "empty": (lambda path: path.write_bytes(b""), "empty|0 bytes"),
    "text": (
        lambda path: path.write_text("not a video at all\n" * 100),
        "not a video|no video|Invalid data|no known",
    ),
    "audio only": (lambda path: write_test_sound(path), "no video|only audio|sound"),
}


@pytest.mark.parametrize("kind", BAD_DRIVERS)
def test_bad_drivers_are_refused_before_anything_is_written(tmp_path, weights, kind):
    make, message = BAD_DRIVERS[kind]
    make(tmp_path / "driver.mp4")
    with pytest.raises(BadVideoError, match=message):
        animate(REFERENCE, tmp_path / "driver.mp4", tmp_path / "out.mp4", weights, CPU)
    assert not list(tmp_path.glob("out*"))


def test_bad_references_and_people_who_are_not_there(tmp_path, weights):
    driver, out = tmp_path / "driver.mp4", tmp_path / "out.mp4"
    write_dance(driver, frames=8)
    write_test_photo(tmp_path / "nobody.png", (200, 200))
    write_test_photo(tmp_path / "small.png", (40, 40))
    (tmp_path / "text.png").write_text("no picture")
    for name, error, message in (
        ("nobody.png", NoPersonError, "no person found in .*nobody.png"),
        ("small.png", BadImageError, "40 x 40 pixels; a reference needs at least 64"),
        ("text.png", BadImageError, "not a picture"),
        ("missing.png", BadImageError, "no such file"),
    ):
        with pytest.raises(error, match=message):
            animate(tmp_path / name, driver, out, weights, CPU)
    write_dance(tmp_path / "empty.mp4", frames=8, empty=tuple(range(8)))
    with pytest.raises(NoPersonError, match="no person found in . frames spread over .*empty.mp4"):
        animate(REFERENCE, tmp_path / "empty.mp4", out, weights, CPU)
    assert not list(tmp_path.glob("out*"))


def test_weights_that_are_absent_damaged_or_no_weights(tmp_path, weights):
    write_dance(tmp_path / "driver.mp4", frames=6)
    (tmp_path / "cut.safetensors").write_bytes(weights.read_bytes()[:5000])
    for path, message in (
        (tmp_path / "no.safetensors", "no weights at"),
        (tmp_path / "cut.safetensors", "cut.safetensors"),
    ):
        with pytest.raises(WeightsError, match=message):
            animate(REFERENCE, tmp_path / "driver.mp4", tmp_path / "out.mp4", path, CPU)


def test_without_weights_the_body_is_drawn_and_named(tmp_path, said):
    write_dance(tmp_path / "driver.mp4", frames=4)
    summary = animate(REFERENCE, tmp_path / "driver.mp4", tmp_path / "out.mp4", None, CPU)
    assert summary.frames_out == 4 and any(
        "weights: body, a body in three dimensions" in line for line in said
    )


def test_options_that_do_not_fit(tmp_path, weights):
    write_dance(tmp_path / "driver.mp4", frames=6)
    with pytest.raises(ConfigError, match="background 'nocolour' is neither"):
        animate(
            REFERENCE,
            tmp_path / "driver.mp4",
            tmp_path / "out.mp4",
            weights,
            AnimateOptions(device="cpu", background="nocolour"),
        )
    with pytest.raises(OutputError, match="there is no folder .*nowhere"):
        animate(REFERENCE, tmp_path / "driver.mp4", tmp_path / "nowhere" / "out.mp4", weights, CPU)
    for name, options, message in (
        ("out.avi", {}, "cannot write '.avi' videos"),
        ("out.mp4", {"encoder": "nonsense"}, "unknown video encoder 'nonsense'"),
        ("out.mp4", {"crf": 60}, "crf 60 does not fit libx264"),
    ):
        with pytest.raises(OutputError, match=message):
            animate(
                REFERENCE,
                tmp_path / "no-driver.mp4",
                tmp_path / name,
                weights,
                AnimateOptions(device="cpu", **options),
            )
    for options in (CPU, AGAIN):
        with pytest.raises(OutputError, match="would replace an input"):
            animate(REFERENCE, tmp_path / "driver.mp4", tmp_path / "driver.mp4", weights, options)


def test_inputs_and_neighbours_stay_whatever_they_are_called(tmp_path, weights):
    write_dance(tmp_path / "driver.mp4", frames=6)
    (tmp_path / "driver.mp4").rename(tmp_path / "dance.mp4.part")
    (tmp_path / "me.mp4.part").write_bytes(REFERENCE.read_bytes())
    (tmp_path / "out.mp4.part").write_text("somebody's notes")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    driver, photo = tmp_path / "dance.mp4.part", tmp_path / "me.mp4.part"
    long_name = "o" * 247 + ".mp4"  # 251 letters
    for name in ("dance.mp4", "me.mp4", "out.mp4", long_name):
        animate(photo, driver, tmp_path / name, weights, CPU)
        assert len(pictures(tmp_path / name)) == 6
    after = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert {name: after.get(name) for name in before} == before
    assert after.keys() - before.keys() == {"dance.mp4", "me.mp4", "out.mp4", long_name}


def test_a_result_that_is_there_is_replaced_on_request_alone(tmp_path, weights):
    write_dance(tmp_path / "driver.mp4", frames=6)
    (tmp_path / "out.mp4").write_text("an older result")
    with pytest.raises(OutputError, match="out.mp4 is there already; .*--overwrite"):
        animate(REFERENCE, tmp_path / "driver.mp4", tmp_path / "out.mp4", weights, CPU)
    assert (tmp_path / "out.mp4").read_text() == "an older result"
    animate(REFERENCE, tmp_path / "driver.mp4", tmp_path / "out.mp4", weights, AGAIN)
    assert len(pictures(tmp_path / "out.mp4")) == 6


def test_several_photos_or_a_folder_of_them_make_one_person(tmp_path, weights):
    """Of the same photo twice it is the same person; a system that wears one photo says so."""
    driver, out = tmp_path / "driver.mp4", tmp_path / "out.mp4"
    write_dance(driver, frames=3)
    folder = tmp_path / "me"
    folder.mkdir()
    for name in ("1.png", "2.png"):
        (folder / name).write_bytes(REFERENCE.read_bytes())
    made = []
    for ref in (REFERENCE, [REFERENCE, str(REFERENCE)], folder):
        animate(ref, driver, out, "body", replace(AGAIN, crf=0))
        made.append(pictures(out).astype(int))
    assert np.abs(made[1] - made[0]).mean() < 1
    assert (made[2] == made[1]).all()
    with pytest.raises(ConfigError, match="2 photos are given, and focus_retain wears one"):
        animate(folder, driver, tmp_path / "other.mp4", weights, CPU)
    (tmp_path / "none").mkdir()
    with pytest.raises(ConfigError, match="no photo in .*none"):
        animate(tmp_path / "none", driver, tmp_path / "other.mp4", weights, CPU)


def start(tmp_path, weights, frames: int) -> subprocess.Popen:
    write_dance(tmp_path / "driver.mp4", frames=frames)
    command = [
        sys.executable,
        "-m",
        "dancepipe",
        "animate",
        "--ref",
        str(REFERENCE),
        "--driver",
        str(tmp_path / "driver.mp4"),
    ]
    command += [
        "--weights",
        str(weights),
        "--out",
        str(tmp_path / "out.mp4"),
        "--device",
        "cpu",
        "--overwrite",
    ]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("stop, code", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stop_leaves_nothing_half_written_and_an_older_result_alone(
    tmp_path, weights, stop, code
):
    (tmp_path / "out.mp4").write_bytes(b"an older result")
    process = start(tmp_path, weights, 110)
    deadline = time.monotonic() + 90
    while (
        len(list(tmp_path.iterdir())) < 3 and process.poll() is None and time.monotonic() < deadline
    ):
        time.sleep(0.01)
    assert process.poll() is None
    process.send_signal(stop)
    _, said = process.communicate(timeout=60)
    assert process.returncode == code and "interrupted" in said
    assert sorted(path.name for path in tmp_path.iterdir()) == ["driver.mp4", "out.mp4"]
    assert (tmp_path / "out.mp4").read_bytes() == b"an older result"


def test_user_errors_leave_the_command_with_code_2_and_one_line(tmp_path, weights):
    process = start(tmp_path, tmp_path / "none.safetensors", 6)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 2
    lines = [line for line in said.splitlines() if line.startswith("dancepipe:")]
    assert len(lines) == 1 and "no weights at" in lines[0] and "Traceback" not in said
    assert not os.path.exists(tmp_path / "out.mp4")
