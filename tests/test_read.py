import threading
from fractions import Fraction

import av
import numpy as np
import pytest
from drawn import corners_upright, read_index, write_test_photo, write_test_sound, write_test_video

from dancepipe.errors import BadVideoError
from dancepipe.media.display import Orientation
from dancepipe.media.read import VideoReader, read_frames_at, read_spread_frames


def read_all(path, max_side_px=None):
    with VideoReader(path, max_side_px) as video:
        return list(video), video


@pytest.mark.parametrize(
    "name, codec, pixel_format",
    [
        ("a.mp4", "libx264", "yuv420p"),
        ("a.mp4", "libx264", "yuv420p10le"),
        ("a.mp4", "libx264", "yuv444p"),
        ("a.mkv", "libx265", "yuv420p10le"),
        ("a.mp4", "libsvtav1", "yuv420p"),
        ("a.webm", "libvpx-vp9", "yuv420p"),
        ("a.webm", "libvpx-vp9", "yuva420p"),
        ("a.mov", "prores_ks", "yuva444p10le"),
        ("a.mov", "qtrle", "argb"),
        ("a.avi", "mpeg4", "yuv420p"),
        ("a.avi", "libx264", "yuv420p"),
        ("a.ts", "libx264", "yuv420p"),
        ("a.mkv", "ffv1", "bgra"),
        ("a.gif", "gif", "rgb8"),
    ],
)
def test_every_frame_once_in_order_whatever_the_codec(tmp_path, name, codec, pixel_format):
    path = tmp_path / name
    options = {"x265-params": "log-level=none"} if codec == "libx265" else {}
    rate = 25 if codec == "gif" else 30
    write_test_video(
        path,
        12,
        rate,
        (128, 96),
        codec=codec,
        pixel_format=pixel_format,
        options=options,
        time_base=Fraction(1, rate) if path.suffix == ".avi" else None,
    )
    frames, video = read_all(path)
    assert [read_index(frame.image) for frame in frames] == list(range(12))
    assert [frame.index for frame in frames] == list(range(12))
    assert all(
        frame.image.shape == (96, 128, 3) and corners_upright(frame.image, 60) for frame in frames
    )
    steps = np.diff([float(frame.time_seconds) for frame in frames])
    assert np.abs(steps - 1 / rate).max() < 0.0011  # WebM and Matroska count milliseconds
    assert (video.frames_read, video.corrupt_frames, video.shortfall_seconds) == (12, 0, 0)


def test_times_are_exact_with_start_offset_and_varying_rate(tmp_path):
    base = Fraction(1, 30000)
    times = [(37 + 1001 * k + 13 * k * k) * base for k in range(20)]
    write_test_video(tmp_path / "a.mp4", times=times, time_base=base)
    frames, video = read_all(tmp_path / "a.mp4")
    assert [frame.time_seconds for frame in frames] == times
    assert all((time / video.info.time_base).denominator == 1 for time in times)
    assert video.shortfall_seconds == 0


def test_frames_hidden_by_an_edit_list_are_not_delivered(tmp_path):
    base = Fraction(1, 30000)
    write_test_video(
        tmp_path / "a.mp4", times=[1001 * (k - 10) * base for k in range(30)], time_base=base
    )
    with av.open(str(tmp_path / "a.mp4")) as container:
        assert (
            sum(packet.is_discard for packet in container.demux(video=0)) == 10
        )  # the file is what we meant it to be
    frames, video = read_all(tmp_path / "a.mp4")
    assert [read_index(frame.image) for frame in frames] == list(range(10, 30))
    assert [frame.time_seconds for frame in frames] == [1001 * k * base for k in range(20)]
    assert video.shortfall_seconds == 0


def test_a_size_that_changes_midway_is_brought_to_the_first(tmp_path):
    for name, size_wh in (("a.h264", (96, 72)), ("b.h264", (192, 144))):
        write_test_video(tmp_path / name, 5, size_wh=size_wh)
    (tmp_path / "c.h264").write_bytes(
        (tmp_path / "a.h264").read_bytes() + (tmp_path / "b.h264").read_bytes()
    )
    frames, video = read_all(tmp_path / "c.h264")
    assert [read_index(frame.image) for frame in frames] == [0, 1, 2, 3, 4] * 2
    assert {frame.image.shape for frame in frames} == {(72, 96, 3)} and video.info.size_wh == (
        96,
        72,
    )


def test_a_bare_stream_is_timed_by_its_rate(tmp_path):
    write_test_video(tmp_path / "a.h264", 10, 25)
    frames, video = read_all(tmp_path / "a.h264")
    assert [frame.time_seconds for frame in frames] == [k * Fraction(1, 25) for k in range(10)]
    assert video.info.time_base == Fraction(1, 25)


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("most", [None, 80])
def test_rotation_is_applied(tmp_path, rotation, most):
    write_test_video(tmp_path / "a.mp4", 3, size_wh=(96, 160), rotation=rotation)
    frames, video = read_all(tmp_path / "a.mp4", most)
    assert frames[2].image.shape == ((160, 96, 3) if most is None else (80, 48, 3))
    assert corners_upright(frames[2].image) and read_index(frames[2].image) == 2
    assert (
        frames[2].image.flags.c_contiguous and video.image_size_wh == frames[2].image.shape[1::-1]
    )


def test_all_eight_orientations_agree_with_the_display_matrix():
    """Orientation from the signs of the matrix = moving every pixel by the matrix."""
    from types import SimpleNamespace

    from dancepipe.media.display import orientation_of

    image = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    for a, b, c, d in [
        (1, 0, 0, 1),
        (-1, 0, 0, 1),
        (1, 0, 0, -1),
        (-1, 0, 0, -1),
        (0, 1, 1, 0),
        (0, -1, 1, 0),
        (0, 1, -1, 0),
        (0, -1, -1, 0),
    ]:
        matrix = np.array([a, b, 0, c, d, 0, 0, 0, 1 << 14], np.int32) * 65536
        frame = SimpleNamespace(side_data={"DISPLAYMATRIX": matrix.tobytes()})
        points = [(a * x + c * y, b * x + d * y) for y in range(2) for x in range(3)]
        left, top = min(point[0] for point in points), min(point[1] for point in points)
        height, width = (3, 2) if a == 0 else (2, 3)
        expected = np.zeros((height, width, 3), np.uint8)
        for k, (x, y) in enumerate(points):
            expected[y - top, x - left] = image[k // 3, k % 3]
        assert np.array_equal(orientation_of(frame).turn(image), expected)
    assert orientation_of(SimpleNamespace(side_data={})) == Orientation()
    assert [
        Orientation(*bits).rotation_degrees for bits in [(0, 0, 0), (1, 0, 1), (0, 1, 1), (1, 1, 0)]
    ] == [0, 90, 180, 270]


@pytest.mark.parametrize(
    "ratio, rotation, displayed",
    [(Fraction(4, 3), 0, (160, 90)), (Fraction(1, 2), 0, (160, 90)), (Fraction(2), 90, (90, 160))],
)
def test_displayed_pixels_are_square(tmp_path, ratio, rotation, displayed):
    write_test_video(
        tmp_path / "a.mp4", 3, size_wh=displayed, sample_aspect_ratio=ratio, rotation=rotation
    )
    frames, video = read_all(tmp_path / "a.mp4")
    assert (
        frames[1].image.shape == (displayed[1], displayed[0], 3) and video.info.size_wh == displayed
    )
    assert corners_upright(frames[1].image) and read_index(frames[1].image) == 1


@pytest.mark.parametrize(
    "codec, name, pixel_format",
    [("libx264", "a.mp4", "yuv444p"), ("libvpx-vp9", "a.webm", "yuv420p")],
)
def test_odd_sizes(tmp_path, codec, name, pixel_format):
    write_test_video(tmp_path / name, 3, size_wh=(131, 77), codec=codec, pixel_format=pixel_format)
    frames, _ = read_all(tmp_path / name)
    assert frames[2].image.shape == (77, 131, 3) and read_index(frames[2].image) == 2


def test_downscaling_averages_and_never_enlarges(tmp_path):
    def stripes(index, size_wh):
        image = np.zeros((size_wh[1], size_wh[0], 3), np.uint8)
        image[:, ::2] = 255
        return image

    write_test_video(
        tmp_path / "a.mkv", 2, size_wh=(256, 128), codec="ffv1", pixel_format="bgra", draw=stripes
    )
    frames, video = read_all(tmp_path / "a.mkv", 64)
    assert frames[0].image.shape == (32, 64, 3) and video.info.size_wh == (256, 128)
    assert (
        np.abs(frames[0].image.astype(int) - 128).max() <= 4
    )  # picking single pixels would give 0 or 255
    assert read_all(tmp_path / "a.mkv", 1000)[0][0].image.shape == (128, 256, 3)


def test_colours_follow_the_tags(tmp_path):
    """The same RGB, stored with BT.601 and BT.709 matrices and tagged so, reads back the same."""
    path = tmp_path / "a.mp4"
    for colorspace, name in ((1, "ITU709"), (5, "ITU601")):
        with av.open(str(path), "w") as output:
            stream = output.add_stream("libx264", rate=25, options={"crf": "5"})
            stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
            stream.codec_context.colorspace = colorspace
            image = np.full((64, 64, 3), (30, 200, 60), np.uint8)
            frame = av.VideoFrame.from_ndarray(image, "rgb24").reformat(
                format="yuv420p", dst_colorspace=name
            )
            output.mux(stream.encode(frame))
            output.mux(stream.encode(None))
        assert np.abs(read_all(path)[0][0].image.astype(int) - image).max() <= 4


def test_a_cut_off_file_is_noticed(tmp_path):
    path = tmp_path / "a.mp4"
    noise = np.random.default_rng(1).integers(0, 256, (60, 120, 160, 3), np.uint8)
    write_test_video(
        path,
        60,
        draw=lambda index, _: noise[index],
        container_options={"movflags": "faststart"},
        options={"crf": "30", "g": "10"},
    )
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * 0.6)])
    frames, video = read_all(path)
    assert 20 <= len(frames) < 45 and video.frames_read == len(frames)
    assert abs(
        video.shortfall_seconds - (2 - (frames[-1].time_seconds + Fraction(1, 30)))
    ) < Fraction(1, 100)


def test_a_cut_off_matroska_file_is_noticed_though_it_declares_no_stream_length(tmp_path):
    path = tmp_path / "a.mkv"
    noise = np.random.default_rng(1).integers(0, 256, (60, 120, 160, 3), np.uint8)
    write_test_video(path, 60, draw=lambda index, _: noise[index])
    whole = path.read_bytes()
    assert read_all(path)[1].shortfall_seconds == 0
    path.write_bytes(whole[: len(whole) // 2])
    assert Fraction(1, 2) < read_all(path)[1].shortfall_seconds < Fraction(3, 2)


def test_long_sound_is_no_shortfall(tmp_path):
    for name in ("a.mp4", "a.mkv"):
        write_test_video(tmp_path / name, 20, audio=True, audio_seconds=3)
        assert read_all(tmp_path / name)[1].shortfall_seconds == 0


def test_damage_inside_is_counted_and_survived(tmp_path):
    path = tmp_path / "a.mp4"
    noise = np.random.default_rng(1).integers(0, 256, (40, 120, 160, 3), np.uint8)
    write_test_video(
        path,
        40,
        draw=lambda index, _: noise[index],
        container_options={"movflags": "faststart"},
        options={"g": "8"},
    )
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 3000] = bytes(3000)
    path.write_bytes(data)
    frames, video = read_all(path)
    assert video.corrupt_frames >= 1 and len(frames) >= 30
    assert all(
        after.time_seconds > before.time_seconds for before, after in zip(frames, frames[1:])
    )
    assert abs(frames[-1].time_seconds - Fraction(39, 30)) < Fraction(
        1, 1000
    )  # it went on after the damage


def test_a_reader_can_be_looped_over_twice_and_left_early(tmp_path):
    write_test_video(tmp_path / "a.mp4", 10)
    threads = threading.active_count()
    with VideoReader(tmp_path / "a.mp4") as video:
        assert [frame.index for frame, _ in zip(video, range(3))] == [0, 1, 2]
        assert [frame.index for frame in video] == list(range(10))
        loop = iter(video)
        next(loop)
    assert list(loop) == [] and threading.active_count() == threads


def test_bad_files_raise_at_once(tmp_path):
    write_test_photo(tmp_path / "photo.png")
    write_test_sound(tmp_path / "sound.m4a")
    (tmp_path / "zero.mp4").touch()
    for name in ("photo.png", "sound.m4a", "zero.mp4", "none.mp4"):
        for read in (
            VideoReader,
            lambda path: read_frames_at(path, [0]),
            lambda path: read_spread_frames(path, 3),
        ):
            with pytest.raises(BadVideoError, match=name):
                read(tmp_path / name)


def test_spread_frames_jump_to_keyframes_and_stay_near_the_even_spacing(tmp_path):
    path = tmp_path / "a.mp4"
    write_test_video(path, 240, 30, (64, 48), options={"g": "24", "preset": "ultrafast"})
    frames = read_spread_frames(path, 5)
    assert len(frames) == 5
    for k, frame in enumerate(frames):
        assert frame.index == read_index(frame.image) == round(frame.time_seconds * 30)
        assert abs(frame.time_seconds - (k + Fraction(1, 2)) * 8 / 5) <= Fraction(8, 10)
        assert frame.index % 24 == 0  # a keyframe: nothing had to be decoded to get there


def test_spread_frames_in_one_long_group_of_pictures(tmp_path):
    path = tmp_path / "a.mp4"
    write_test_video(
        path, 240, 30, (64, 48), options={"g": "1000", "preset": "ultrafast", "sc_threshold": "0"}
    )
    assert [frame.index for frame in read_spread_frames(path, 4)] == [30, 90, 150, 210]


def test_spread_frames_of_short_and_of_cut_off_clips(tmp_path):
    write_test_video(tmp_path / "a.mp4", 5)
    assert [read_index(frame.image) for frame in read_spread_frames(tmp_path / "a.mp4", 20)] == [
        0,
        1,
        2,
        3,
        4,
    ]
    path = tmp_path / "b.mp4"
    write_test_video(
        path, 240, 30, (64, 48), container_options={"movflags": "faststart"}, options={"g": "24"}
    )
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * 0.6)])
    frames = read_spread_frames(path, 5)
    assert len(frames) == 5 and [read_index(frame.image) for frame in frames] == [
        frame.index for frame in frames
    ]
    assert frames[-1].index > 60


def test_real_clips_read_whole(shared):
    clip = shared / "clips" / "dance-man-white-tee-room-1.mp4"
    frames = 0
    with VideoReader(clip, 128) as video:
        for frame in video:
            frames += 1
    assert (frames, video.corrupt_frames, video.shortfall_seconds, video.info.size_wh) == (
        135,
        0,
        0,
        (640, 854),
    )
    assert frame.image.shape == (128, 96, 3)
