"""Files whose clock begins late or anew, and that declare what is not so."""

from fractions import Fraction

import av
import numpy as np
import pytest
from drawn import read_index, write_test_video

from dancepipe.media.probe import packets_of, probe_video
from dancepipe.media.read import VideoReader, read_spread_frames
from dancepipe.media.write import VideoWriter
from dancepipe.media.write_ffmpeg import FfmpegVideoWriter

SIZE_WH = (64, 48)


def read_all(path):
    with VideoReader(path) as video:
        return list(video), video


def first_sound(path) -> Fraction:
    """Its time in seconds, as it lies in the file."""
    with av.open(str(path)) as container:
        return next(p.pts * p.time_base for p in container.demux(audio=0) if p.size)


def first_picture(path) -> Fraction:
    with av.open(str(path)) as container:
        return min(p.pts * p.time_base for p in container.demux(video=0) if p.size)


LATE = {"output_ts_offset": "35000"}


@pytest.mark.parametrize(
    "name, settings, begins",
    [
        ("a.ts", LATE, None),
        ("a.ts", {}, None),  # 1.4 s, the muxer's own
        ("a.mpg", {}, None),
        ("a.mkv", LATE, None),
        ("a.mp4", LATE, None),
        ("a.mp4", {"output_ts_offset": "2"}, 2),  # meant
    ],
)
@pytest.mark.parametrize("writer", [VideoWriter, FfmpegVideoWriter])
def test_one_start_of_picture_and_sound_is_subtracted(tmp_path, name, settings, begins, writer):
    driver, out = tmp_path / name, tmp_path / "out.mp4"
    codec, audio = ("mpeg2video", "mp2") if name == "a.mpg" else ("libx264", "aac")
    write_test_video(
        driver, 20, 25, SIZE_WH, codec=codec, audio=True, audio_codec=audio,
        time_base=Fraction(1, 25), container_options=settings,
    )  # fmt: skip
    frames, video = read_all(driver)
    assert [read_index(frame.image) for frame in frames] == list(range(20))
    assert video.corrupt_frames == 0 and video.shortfall_seconds == 0
    assert abs(frames[0].time_seconds - (begins or 0)) < Fraction(1, 20)
    with writer(out, SIZE_WH, video.info.time_base, audio_from=driver) as result:
        for frame in frames:
            result.write(frame.image, frame.time_seconds)
    assert [frame.time_seconds for frame in read_all(out)[0]] == [f.time_seconds for f in frames]
    before, after = (first_sound(path) - first_picture(path) for path in (driver, out))
    # An encoder's priming lies before its start.
    assert abs(before - after) < (Fraction(1, 500) if audio == "aac" else Fraction(1, 40))
    spread = read_spread_frames(driver, 4)
    assert [read_index(frame.image) for frame in spread] == [frame.index for frame in spread]


@pytest.mark.parametrize("offsets", [("0", "0"), ("500", "3"), ("3", "500")])
def test_a_clock_that_begins_anew_goes_on(tmp_path, offsets):
    """Transport streams laid end to end."""
    data = b""
    for part, offset in enumerate(offsets):

        def draw(index, size_wh, first=20 * part):
            from drawn import draw_picture

            return draw_picture(first + index, size_wh)

        path = tmp_path / f"{part}.ts"
        write_test_video(
            path, 20, 25, SIZE_WH, audio=True, draw=draw,
            container_options={"output_ts_offset": offset, "mpegts_flags": "+resend_headers"},
        )  # fmt: skip
        data += path.read_bytes()
    driver, out = tmp_path / "both.ts", tmp_path / "out.mp4"
    driver.write_bytes(data)
    frames, video = read_all(driver)
    assert [read_index(frame.image) for frame in frames] == list(range(40))
    steps = np.diff([float(frame.time_seconds) for frame in frames])
    assert frames[0].time_seconds < Fraction(1, 10) and steps.min() > 0.03 and steps.max() < 0.15
    assert video.corrupt_frames == 0 and video.shortfall_seconds == 0
    with VideoWriter(out, SIZE_WH, video.info.time_base, audio_from=driver) as result:
        for frame in frames:
            result.write(frame.image, frame.time_seconds)
    with av.open(str(out)) as container:
        sound = [float(p.pts * p.time_base) for p in container.demux(audio=0) if p.size]
    assert sound == sorted(sound) and sound[-1] < 2 and max(np.diff(sound)) < 0.15
    assert [read_index(frame.image) for frame in read_spread_frames(driver, 4)] == [5, 15, 25, 35]


def test_the_rate_is_measured(tmp_path):
    """A browser's recording: milliseconds that jitter, and nothing declared."""
    jitter = np.random.default_rng(7).integers(-9, 10, 50)
    jitter[0] = 0
    times = [Fraction(40 * k + int(jitter[k]), 1000) for k in range(50)]
    write_test_video(
        tmp_path / "a.webm", 50, 1000, SIZE_WH, codec="libvpx", times=times,
        time_base=Fraction(1, 1000), container_options={"live": "1"},
    )  # fmt: skip
    info = probe_video(tmp_path / "a.webm")
    assert 24 < info.frame_rate < 26
    write_test_video(tmp_path / "b.mp4", 30, Fraction(30000, 1001), SIZE_WH)
    assert probe_video(tmp_path / "b.mp4").frame_rate == Fraction(30000, 1001)


@pytest.mark.parametrize("name", ["a.mkv", "a.mp4"])
def test_sound_that_goes_on_long_after_the_pictures_hides_no_frame(tmp_path, name):
    write_test_video(tmp_path / name, 25, 25, SIZE_WH, audio=True, audio_seconds=60)
    assert len(read_spread_frames(tmp_path / name, 24)) == 24
    assert abs(probe_video(tmp_path / name).duration_seconds - 1) < Fraction(1, 20)


def test_frames_of_one_time_are_no_damage(tmp_path):
    """Of a rate that the container's ticks are too coarse for."""
    path = tmp_path / "a.mkv"
    times = [Fraction(k, 2000) for k in range(20)]
    with av.open(str(path), "w") as output:
        stream = output.add_stream("ffv1", rate=2000)
        stream.width, stream.height, stream.pix_fmt = *SIZE_WH, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 2000)
        for k, _ in enumerate(times):
            frame = av.VideoFrame(*SIZE_WH, "yuv420p")
            frame.pts, frame.time_base = k, Fraction(1, 2000)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    frames, video = read_all(path)
    assert len(frames) == len(packets_of(path).times) < 20 and video.corrupt_frames == 0


@pytest.mark.parametrize("writer", [VideoWriter, FfmpegVideoWriter])
def test_sound_that_nothing_here_knows_is_left_out_and_said(tmp_path, writer, said):
    driver, out = tmp_path / "a.mkv", tmp_path / "out.mp4"
    write_test_video(driver, 5, 25, SIZE_WH, audio=True, time_base=Fraction(1, 25))
    driver.write_bytes(driver.read_bytes().replace(b"A_AAC", b"A_QQQ"))
    frames, video = read_all(driver)
    assert video.info.audio_codec is None
    with writer(out, SIZE_WH, video.info.time_base, audio_from=driver) as result:
        for frame in frames:
            result.write(frame.image, frame.time_seconds)
    assert any("sound" in words and "unknown here" in words for words in said)
    assert probe_video(out).audio_codec is None and len(read_all(out)[0]) == 5
