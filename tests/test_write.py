"""Both writers: what they share runs on both; then what only one of them decides is below or in
test_write_ffmpeg.py."""

import hashlib
import os
import resource
import subprocess
from fractions import Fraction

import av
import numpy as np
import pytest
from drawn import corners_upright, draw_picture, read_index, write_test_sound, write_test_video
from hearing import hearing

from dancepipe.errors import BadVideoError, OutputError
from dancepipe.media import encoders
from dancepipe.media.read import VideoReader
from dancepipe.media.stretch import Span
from dancepipe.media.write import VideoWriter, check_frames
from dancepipe.media.write_ffmpeg import FfmpegVideoWriter

NTSC = Fraction(1, 30000)


@pytest.fixture(params=["pyav", "ffmpeg"])
def writer(request):
    if request.param == "ffmpeg":
        pytest.importorskip("ffmpeg", reason="the extra ffmpeg is not installed")
        return FfmpegVideoWriter
    return VideoWriter


def write_drawn(writer, path, times, base=NTSC, size_wh=(96, 64), **options):
    options.setdefault("preset", "ultrafast")
    with writer(path, size_wh, base, **options) as out:
        for index, time_seconds in enumerate(times):
            out.write(draw_picture(index, size_wh), time_seconds)
    return out


def read_back(path):
    with VideoReader(path) as video:
        return list(video), video.info


def audio_packets(path):
    """(start in seconds, hash) of every packet of the first audio stream."""
    with av.open(str(path)) as container:
        return [
            (packet.pts * packet.time_base, hashlib.sha1(bytes(packet)).hexdigest())
            for packet in container.demux(audio=0)
            if packet.size
        ]


def only_files(folder, *names):
    return sorted(entry.name for entry in folder.iterdir()) == sorted(names)


@pytest.mark.parametrize(
    "start, bend", [(0, 0), (37, 0), (30030, 0), (41, 13)]
)  # from 0; odd tick; 1.001 s; varying rate
def test_times_are_kept_exactly(tmp_path, writer, start, bend):
    times = [(start + 1001 * k + bend * k * k) * NTSC for k in range(20)]
    out = write_drawn(writer, tmp_path / "a.mp4", times)
    frames, info = read_back(tmp_path / "a.mp4")
    assert [frame.time_seconds for frame in frames] == times
    assert [read_index(frame.image) for frame in frames] == list(
        range(20)
    ) and out.frames_written == 20
    # The last frame is shown as long as the one before; the pipe to ffmpeg carries no durations,
    # there it is the first step.
    last_step = times[-1] - times[-2] if writer is VideoWriter else times[1] - times[0]
    assert abs(info.duration_seconds - (times[-1] - times[0] + last_step)) <= NTSC
    assert only_files(tmp_path, "a.mp4")


@pytest.mark.parametrize(
    "base, step",
    [
        (Fraction(1, 90000), 3003),
        (Fraction(1, 1000), 33),
        (Fraction(1, 15360), 512),
        (Fraction(1, 25), 1),
        (Fraction(1001, 30000), 1),
    ],
)
def test_every_common_time_base(tmp_path, writer, base, step):
    times = [(5 + step * k) * base for k in range(8)]
    write_drawn(writer, tmp_path / "a.mp4", times, base)
    assert [frame.time_seconds for frame in read_back(tmp_path / "a.mp4")[0]] == times


@pytest.mark.parametrize("start", [0, 30030])
def test_sound_is_copied_untouched_and_starts_where_it_did(tmp_path, writer, start):
    driver = tmp_path / "driver.mp4"
    times = write_test_video(
        driver, times=[(start + 1001 * k) * NTSC for k in range(45)], time_base=NTSC, audio=True
    )
    said = []
    with hearing(said.append):
        write_drawn(writer, tmp_path / "a.mp4", times, audio_from=driver)
    assert len(audio_packets(driver)) > 50 and audio_packets(tmp_path / "a.mp4") == audio_packets(
        driver
    )
    assert [frame.time_seconds for frame in read_back(tmp_path / "a.mp4")[0]] == times
    assert said == []


def test_sound_can_be_cut_at_a_time(tmp_path, writer):
    driver = tmp_path / "driver.mp4"
    times = write_test_video(
        driver, times=[1001 * k * NTSC for k in range(45)], time_base=NTSC, audio=True
    )
    write_drawn(
        writer,
        tmp_path / "a.mp4",
        times[:20],
        audio_from=driver,
        audio_spans=[Span(None, times[20])],
    )
    kept = audio_packets(tmp_path / "a.mp4")
    assert kept == audio_packets(driver)[: len(kept)]
    assert abs(kept[-1][0] - times[20]) < Fraction(1, 20)


def test_a_driver_without_sound_adds_none(tmp_path, writer):
    times = write_test_video(tmp_path / "driver.mp4", 5)
    write_drawn(
        writer, tmp_path / "a.mp4", times, Fraction(1, 30), audio_from=tmp_path / "driver.mp4"
    )
    assert read_back(tmp_path / "a.mp4")[1].audio_codec is None


@pytest.mark.parametrize(
    "source, audio_codec, result, copied",
    [
        ("d.webm", "libopus", "a.mp4", True),
        ("d.mkv", "libmp3lame", "a.mp4", True),
        ("d.mkv", "pcm_s16le", "a.mp4", False),
        ("d.avi", "pcm_s16le", "a.mp4", False),
        ("d.mp4", "aac", "a.webm", False),
        ("d.webm", "libopus", "a.webm", True),
        ("d.mkv", "pcm_s16le", "a.mkv", True),
        ("d.mov", "pcm_s16le", "a.mov", True),
        ("d.mkv", "libopus", "a.mov", False),
    ],
)
def test_container_rules_for_sound(tmp_path, writer, source, audio_codec, result, copied):
    driver, path, said = tmp_path / source, tmp_path / result, []
    codec = (
        "libvpx-vp9"
        if source.endswith("webm")
        else "mpeg4"
        if source.endswith("avi")
        else "libx264"
    )
    times = write_test_video(
        driver, 30, 30, codec=codec, audio=True, audio_codec=audio_codec, time_base=Fraction(1, 30)
    )
    with hearing(said.append):
        write_drawn(
            writer,
            path,
            times,
            Fraction(1, 30),
            codec="libvpx-vp9" if result.endswith("webm") else "libx264",
            audio_from=driver,
        )
    before, after = audio_packets(driver), audio_packets(path)
    assert ([digest for _, digest in before] == [digest for _, digest in after]) == copied
    assert any("re-encoded" in words for words in said) != copied
    assert abs(after[0][0] - before[0][0]) < Fraction(
        5, 100
    )  # an encoder's priming lies before the start
    with av.open(str(path)) as container:
        loudness = [
            np.abs(frame.to_ndarray().astype(float)).mean() for frame in container.decode(audio=0)
        ]
        end = max((packet_end for packet_end, _ in after))
    assert np.median(loudness) > 0 and abs(end - 1) < Fraction(1, 10)


def test_aac_of_a_transport_stream_gets_into_mp4(tmp_path, writer):
    times = write_test_video(tmp_path / "driver.ts", 30, audio=True)
    with VideoReader(tmp_path / "driver.ts") as video:
        times, base = [frame.time_seconds for frame in video], video.info.time_base
    write_drawn(writer, tmp_path / "a.mp4", times, base, audio_from=tmp_path / "driver.ts")
    assert [frame.time_seconds for frame in read_back(tmp_path / "a.mp4")[0]] == times
    with av.open(str(tmp_path / "driver.ts")) as container:
        start = Fraction(container.start_time, av.time_base)  # of picture and sound
    assert abs(
        audio_packets(tmp_path / "a.mp4")[0][0]
        - (audio_packets(tmp_path / "driver.ts")[0][0] - start)
    ) < Fraction(1, 1000)


def test_metadata_comes_back(tmp_path, writer):
    tags = {
        "comment": "synthetic media: a picture animated by a computer = 100 %",
        "synthetic_media": "yes",
    }
    for name in ("a.mp4", "a.mkv", "a.mov"):
        write_drawn(writer, tmp_path / name, [0, 1], Fraction(1), metadata=tags)
        with av.open(str(tmp_path / name)) as container:
            found = {key.lower(): value for key, value in container.metadata.items()}
        assert {key: found.get(key) for key in tags} == tags
    write_drawn(writer, tmp_path / "b.mp4", [0, 1], Fraction(1), metadata={"comment": "synthetic"})
    assert b"\xa9cmt" in (tmp_path / "b.mp4").read_bytes()  # the place where players look for it


def test_colours_are_bt709_and_tagged(tmp_path, writer):
    image = np.full((64, 96, 3), (30, 200, 60), np.uint8)
    with writer(tmp_path / "a.mp4", (96, 64), Fraction(1, 25), crf=5) as out:
        for k in range(3):
            out.write(image, k * Fraction(1, 25))
    with av.open(str(tmp_path / "a.mp4")) as container:
        frame = next(container.decode(video=0))
        context = container.streams.video[0].codec_context
        assert (
            context.colorspace,
            context.color_primaries,
            context.color_trc,
            context.color_range,
            context.pix_fmt,
        ) == (
            1,
            1,
            1,
            1,
            "yuv420p",
        )
        planes = [
            np.frombuffer(bytes(plane), np.uint8).reshape(plane.height, plane.line_size)[8, 8]
            for plane in frame.planes
        ]
    red, green, blue = 30, 200, 60
    luma = 16 + 219 / 255 * (
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    )  # ITU-R BT.709, limited range
    assert abs(planes[0] - luma) <= 2
    assert np.abs(read_back(tmp_path / "a.mp4")[0][0].image.astype(int) - image).max() <= 4


def test_odd_sizes_repeat_the_edge(tmp_path, writer):
    write_drawn(writer, tmp_path / "a.mp4", [0, 1, 2], Fraction(1), size_wh=(97, 65), crf=5)
    frames, info = read_back(tmp_path / "a.mp4")
    assert info.size_wh == (98, 66)
    assert np.abs(
        frames[1].image[:, 97].astype(int) - frames[1].image[:, 96]
    ).max() < 40 and corners_upright(frames[1].image[:65, :97])


def test_the_index_comes_first(tmp_path, writer):
    write_drawn(writer, tmp_path / "a.mp4", [0, 1, 2], Fraction(1))
    data = (tmp_path / "a.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


def test_the_level_fits_the_rate_not_the_tick(tmp_path, writer):
    write_drawn(writer, tmp_path / "a.mp4", [1001 * k * NTSC for k in range(5)])
    with av.open(str(tmp_path / "a.mp4")) as container:
        assert (
            container.streams.video[0].codec_context.level <= 31
        )  # 62 with a rate of 30000 per second


def test_a_single_frame_is_a_video(tmp_path, writer):
    write_drawn(writer, tmp_path / "a.mp4", [Fraction(1, 3)], Fraction(1, 30))
    frames, info = read_back(tmp_path / "a.mp4")
    assert [frame.time_seconds for frame in frames] == [
        Fraction(1, 3)
    ] and info.duration_seconds > 0


@pytest.mark.parametrize("failure", [KeyboardInterrupt, ValueError, OutputError])
@pytest.mark.parametrize("frames", [0, 1, 40])
def test_failing_inside_leaves_nothing_and_keeps_what_was_there(tmp_path, writer, failure, frames):
    driver = tmp_path / "driver.mp4"
    write_test_video(driver, 5, audio=True)
    (tmp_path / "a.mp4").write_bytes(b"an older result")
    with pytest.raises(failure):
        with writer(tmp_path / "a.mp4", (96, 64), Fraction(1, 30), audio_from=driver) as out:
            for k in range(frames):
                out.write(draw_picture(k, (96, 64)), Fraction(k, 30))
            raise failure("stop")
    assert (tmp_path / "a.mp4").read_bytes() == b"an older result" and only_files(
        tmp_path, "a.mp4", "driver.mp4"
    )


def test_an_older_result_stays_until_the_new_one_is_whole(tmp_path, writer):
    path = tmp_path / "a.mp4"
    path.write_bytes(b"an older result")
    with writer(path, (96, 64), Fraction(1, 30)) as out:
        for k in range(3):
            out.write(draw_picture(k, (96, 64)), Fraction(k, 30))
            assert path.read_bytes() == b"an older result"
    assert len(read_back(path)[0]) == 3


def test_no_frame_is_no_file(tmp_path, writer):
    with pytest.raises(OutputError, match="no frame was written"):
        with writer(tmp_path / "a.mp4", (96, 64), Fraction(1, 30)):
            pass
    assert only_files(tmp_path)


def test_places_that_cannot_be_written_are_refused_before_work(tmp_path, writer):
    (tmp_path / "folder.mp4").mkdir()
    (tmp_path / "file").touch()
    for path, reason in (
        (tmp_path / "none" / "a.mp4", "there is no folder"),
        (tmp_path / "folder.mp4", "it is a folder"),
        (tmp_path / "file" / "a.mp4", "there is no folder"),
        ("/proc/a.mp4", "choose a folder"),
        (tmp_path / "a.xyz", "name the result one of: .mp4"),
        (tmp_path / "a", "without suffix"),
    ):
        with pytest.raises(OutputError, match=reason):
            writer(path, (96, 64), Fraction(1, 30))
    assert only_files(tmp_path, "folder.mp4", "file")


def test_a_missing_audio_file_is_refused_before_work(tmp_path, writer):
    with pytest.raises(BadVideoError, match="no such file"):
        writer(tmp_path / "a.mp4", (96, 64), Fraction(1, 30), audio_from=tmp_path / "none.mp4")
    assert only_files(tmp_path)


def test_sound_alone_may_be_the_source_of_sound(tmp_path, writer):
    write_test_sound(tmp_path / "sound.m4a")
    write_drawn(
        writer,
        tmp_path / "a.mp4",
        [Fraction(k, 30) for k in range(15)],
        Fraction(1, 30),
        audio_from=tmp_path / "sound.m4a",
    )
    assert audio_packets(tmp_path / "a.mp4") == audio_packets(tmp_path / "sound.m4a")


def noise_until_full(writer, path):
    rng = np.random.default_rng(0)
    with writer(path, (320, 240), Fraction(1, 30), crf=1, preset="ultrafast") as out:
        for k in range(200):
            out.write(rng.integers(0, 256, (240, 320, 3), np.uint8), Fraction(k, 30))


def test_a_full_disk_is_an_error_and_leaves_nothing(tmp_path, writer):
    disk = tmp_path / "disk"
    disk.mkdir()
    if (
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", disk], capture_output=True
        ).returncode
        != 0
    ):
        pytest.skip("mounting a small file system needs root")
    try:
        with pytest.raises(OutputError, match="No space left on device"):
            noise_until_full(writer, disk / "a.mp4")
        assert only_files(disk)
    finally:
        subprocess.run(["umount", disk], check=True)


def test_a_full_disk_found_only_at_the_end_is_an_error_too(tmp_path, writer):
    """The index is written last: fill the disk so that the pictures fit and it does not."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    path = tmp_path / "a.mp4"
    write_drawn(writer, path, [Fraction(k, 30) for k in range(60)], Fraction(1, 30))
    size = path.stat().st_size
    path.unlink()
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size - 200, before[1]))
        with pytest.raises(OutputError, match="a.mp4"):
            write_drawn(writer, path, [Fraction(k, 30) for k in range(60)], Fraction(1, 30))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert only_files(tmp_path)


def test_mistakes_of_the_caller_are_value_errors(tmp_path, writer):
    image = draw_picture(0, (96, 64))
    for wrong, time_seconds, reason in (
        (image[:10], Fraction(1), "uint8 \\(64, 96, 3\\)"),
        (image.astype(float), Fraction(1), "got float64"),
        (image, Fraction(1, 60), "no multiple"),
        (image, Fraction(0), "must rise"),
    ):
        with pytest.raises(ValueError, match=reason):
            with writer(tmp_path / "a.mp4", (96, 64), Fraction(1, 30)) as out:
                out.write(image, Fraction(0))
                out.write(wrong, time_seconds)
    assert only_files(tmp_path)


@pytest.mark.parametrize(
    "codec, name, expected",
    [
        ("libx265", "a.mp4", "hevc"),
        ("libsvtav1", "a.mp4", "av1"),
        ("libvpx-vp9", "a.webm", "vp9"),
        ("libsvtav1", "a.webm", "av1"),
        ("libx264", "a.mkv", "h264"),
        ("libx264", "a.mov", "h264"),
    ],
)
def test_other_encoders_and_containers(tmp_path, writer, codec, name, expected):
    times = [Fraction(k, 25) for k in range(10)]
    write_drawn(writer, tmp_path / name, times, Fraction(1, 25), codec=codec)
    frames, info = read_back(tmp_path / name)
    assert info.codec == expected and [frame.time_seconds for frame in frames] == times
    assert [read_index(frame.image) for frame in frames] == list(range(10))


def test_rounded_times_are_said(tmp_path, writer):
    said = []
    times = [1001 * k * NTSC for k in range(5)]
    with hearing(said.append):
        write_drawn(writer, tmp_path / "a.mkv", times)
    assert len(said) == 1 and "milliseconds" in said[0]
    assert max(
        abs(frame.time_seconds - time)
        for frame, time in zip(read_back(tmp_path / "a.mkv")[0], times)
    ) <= Fraction(1, 2000)


def test_matroska_keeps_pictures_where_they_were_when_the_sound_starts_earlier(tmp_path, writer):
    driver = tmp_path / "driver.mp4"
    times = write_test_video(driver, 20, 25, audio=True)
    write_drawn(writer, tmp_path / "a.mkv", times, Fraction(1, 25), audio_from=driver)
    before, after = audio_packets(driver), audio_packets(tmp_path / "a.mkv")
    assert before[0][0] < 0  # the encoder's priming
    assert [frame.time_seconds for frame in read_back(tmp_path / "a.mkv")[0]] == times
    assert [digest for _, digest in before] == [digest for _, digest in after] and abs(
        before[0][0] - after[0][0]
    ) <= Fraction(1, 1000)


def test_a_finished_file_that_lost_frames_is_not_published(tmp_path):
    write_test_video(tmp_path / "made", 5, format="mp4")
    with pytest.raises(OutputError, match="6 frames were written, but the file holds 5"):
        check_frames(tmp_path / "made", tmp_path / "a.mp4", 6)
    check_frames(tmp_path / "made", tmp_path / "a.mp4", 5)


def test_encoders_that_do_not_fit_are_refused_with_the_way_out(tmp_path, writer):
    for options, name, reason in (
        ({"codec": "libx264"}, "a.webm", "libvpx-vp9"),
        ({"crf": 99}, "a.mp4", "0 \\(best\\) to 51"),
        ({"preset": "warp"}, "a.mp4", "veryfast"),
    ):
        with pytest.raises(OutputError, match=reason):
            writer(tmp_path / name, (96, 64), Fraction(1, 30), **options)
    assert only_files(tmp_path)


def test_a_hardware_encoder_without_hardware_is_refused_by_name(tmp_path, writer):
    if encoders.encoder_failure("h264_nvenc") is None:
        pytest.skip("this machine has an NVENC encoder")
    with pytest.raises(OutputError, match="h264_nvenc does not work.*usable here: .*libx264"):
        writer(tmp_path / "a.mp4", (96, 64), Fraction(1, 30), codec="h264_nvenc")
    assert only_files(tmp_path)


def test_nvenc_writes_where_it_works(tmp_path):
    if encoders.encoder_failure("h264_nvenc") is not None:
        pytest.skip("no NVENC encoder on this machine")
    write_drawn(
        VideoWriter,
        tmp_path / "a.mp4",
        [Fraction(k, 25) for k in range(10)],
        Fraction(1, 25),
        size_wh=(320, 240),
        codec="h264_nvenc",
    )
    assert [read_index(frame.image) for frame in read_back(tmp_path / "a.mp4")[0]] == list(
        range(10)
    )


def test_unknown_encoder_names_are_refused(tmp_path):
    with pytest.raises(OutputError, match="unknown video encoder 'divx'; use one of: libx264"):
        VideoWriter(tmp_path / "a.mp4", (96, 64), Fraction(1, 30), codec="divx")


def test_file_handles_are_given_back(tmp_path, writer):
    write_drawn(writer, tmp_path / "a.mp4", [0, 1], Fraction(1))
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        write_drawn(writer, tmp_path / "a.mp4", [0, 1], Fraction(1), audio_from=tmp_path / "a.mp4")
    assert len(os.listdir("/proc/self/fd")) <= before
