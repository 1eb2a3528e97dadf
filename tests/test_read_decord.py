"""Random access through both readers: what they share runs on both, then decord's traps."""

import sys
import threading
import time
from fractions import Fraction

import numpy as np
import pytest
from drawn import corners_upright, read_index, write_test_photo, write_test_video

from dancepipe.errors import BadVideoError, MissingExtraError
from dancepipe.media import read, read_decord


@pytest.fixture(params=["pyav", "decord"])
def reader(request):
    if request.param == "decord":
        pytest.importorskip("decord", reason="the extra decord is not installed")
        return read_decord
    return read


@pytest.mark.parametrize(
    "layout",
    [
        {},
        {"rotation": 90},
        {"rotation": 180},
        {"rotation": 270},
        {"sample_aspect_ratio": Fraction(4, 3)},
        {"codec": "libvpx-vp9"},
        {
            "time_base": Fraction(1, 30000),
            "times": [Fraction(30037 + 1001 * k + 7 * k * k, 30000) for k in range(30)],
        },
    ],
)
def test_frames_by_index(tmp_path, reader, layout):
    path = tmp_path / ("a.webm" if "codec" in layout else "a.mp4")
    times = write_test_video(path, 30, size_wh=(96, 72), **layout)
    frames = reader.read_frames_at(path, [17, 3, 17, 29, 0])
    assert (
        [frame.index for frame in frames]
        == [read_index(frame.image) for frame in frames]
        == [17, 3, 17, 29, 0]
    )
    tolerance = Fraction(1, 1999) if "codec" in layout else 0
    assert all(abs(frame.time_seconds - times[frame.index]) <= tolerance for frame in frames)
    assert all(
        frame.image.shape == (72, 96, 3) and corners_upright(frame.image) for frame in frames
    )
    assert reader.read_frames_at(path, [5], max_side_px=48)[0].image.shape == (36, 48, 3)


def test_spread(tmp_path, reader):
    write_test_video(tmp_path / "a.mp4", 40, size_wh=(64, 48))
    frames = reader.read_spread_frames(tmp_path / "a.mp4", 4)
    assert (
        [frame.index for frame in frames]
        == [read_index(frame.image) for frame in frames]
        == [5, 15, 25, 35]
    )
    assert [frame.index for frame in reader.read_spread_frames(tmp_path / "a.mp4", 100)] == list(
        range(40)
    )


def test_requests_that_do_not_fit(tmp_path, reader):
    write_test_video(tmp_path / "a.mp4", 4)
    assert reader.read_frames_at(tmp_path / "a.mp4", []) == []
    with pytest.raises(BadVideoError, match="frame 4 was asked for, but it has only 4 frames"):
        reader.read_frames_at(tmp_path / "a.mp4", [1, 4])
    with pytest.raises(ValueError, match="count from 0, got -1"):
        reader.read_frames_at(tmp_path / "a.mp4", [-1])
    with pytest.raises(ValueError, match="at least 1"):
        reader.read_spread_frames(tmp_path / "a.mp4", 0)


def test_bad_files(tmp_path, reader):
    (tmp_path / "text.mp4").write_text("no video\n" * 99)
    (tmp_path / "zero.mp4").touch()
    write_test_photo(tmp_path / "photo.png")
    for name in ("text.mp4", "zero.mp4", "photo.png", "none.mp4"):
        with pytest.raises(BadVideoError, match=name):
            reader.read_frames_at(tmp_path / name, [0])


def test_both_readers_see_the_same_pixels(tmp_path):
    pytest.importorskip("decord", reason="the extra decord is not installed")
    write_test_video(tmp_path / "a.mp4", 6, size_wh=(128, 96))
    for ours, theirs in zip(
        read.read_frames_at(tmp_path / "a.mp4", range(6)),
        read_decord.read_frames_at(tmp_path / "a.mp4", range(6)),
    ):
        assert np.abs(ours.image.astype(int) - theirs.image).mean() < 1


def test_what_decord_cannot_read_is_a_bad_video_and_names_the_way_out(tmp_path):
    pytest.importorskip("decord", reason="the extra decord is not installed")
    write_test_video(tmp_path / "a.mp4", 4, codec="libsvtav1")
    write_test_video(tmp_path / "b.gif", 4, 25, codec="gif", pixel_format="rgb8")
    write_test_video(
        tmp_path / "hidden.mp4",
        time_base=Fraction(1, 30),
        times=[Fraction(k - 5, 30) for k in range(20)],
    )
    write_test_video(tmp_path / "cut.mp4", 90, container_options={"movflags": "faststart"})
    data = (tmp_path / "cut.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(data[: len(data) * 6 // 10])
    for name, word in (
        ("a.mp4", "av1"),
        ("b.gif", "gif"),
        ("hidden.mp4", "edit list"),
        ("cut.mp4", ""),
    ):
        with pytest.raises(BadVideoError, match=f"{name}.*{word}.*default reader"):
            read_decord.read_frames_at(tmp_path / name, [1])
        assert read.read_frames_at(tmp_path / name, [1])[0].index == 1


def test_no_reader_stays_open(tmp_path):
    """An open decord reader keeps threads and decodes ahead without limit."""
    pytest.importorskip("decord", reason="the extra decord is not installed")
    write_test_video(tmp_path / "a.mp4", 60)
    task = "/proc/self/task"
    if not sys.platform.startswith("linux"):
        pytest.skip("counts threads in /proc")
    import os

    read_decord.read_frames_at(tmp_path / "a.mp4", [0])
    before = len(os.listdir(task))
    for _ in range(5):
        read_decord.read_frames_at(tmp_path / "a.mp4", [0])
    deadline = time.monotonic() + 5
    while len(os.listdir(task)) > before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(os.listdir(task)) <= before and threading.active_count() < 20


def test_without_decord_the_error_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "decord", None)
    write_test_video(tmp_path / "a.mp4", 3)
    with pytest.raises(MissingExtraError, match=r"dancepipe\[decord\]"):
        read_decord.read_frames_at(tmp_path / "a.mp4", [0])
