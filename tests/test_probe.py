from fractions import Fraction

import av
import pytest
from drawn import draw_picture, write_test_photo, write_test_sound, write_test_video, write_tone

from dancepipe.errors import BadVideoError
from dancepipe.media.display import fit_size
from dancepipe.media.probe import probe_video


def test_probe_says_what_was_written(tmp_path):
    path = tmp_path / "a.mp4"
    write_test_video(path, 30, Fraction(30000, 1001), (160, 90), audio=True)
    info = probe_video(path)
    assert (
        info.size_wh,
        info.codec,
        info.audio_codec,
        info.rotation_degrees,
        info.declared_frames,
    ) == ((160, 90), "h264", "aac", 0, 30)
    assert info.time_base == Fraction(1, 30000)
    assert abs(info.frame_rate - Fraction(30000, 1001)) < Fraction(1, 10)
    assert abs(info.duration_seconds - Fraction(1001, 1000)) < Fraction(1, 100)
    assert info.path == path


@pytest.mark.parametrize("rotation, size_wh", [(90, (90, 160)), (180, (160, 90)), (270, (90, 160))])
def test_size_is_the_displayed_one(tmp_path, rotation, size_wh):
    write_test_video(tmp_path / "a.mp4", 3, size_wh=size_wh, rotation=rotation)
    info = probe_video(tmp_path / "a.mp4")
    assert (info.size_wh, info.rotation_degrees) == (size_wh, rotation)


def test_sound_is_optional(tmp_path):
    write_test_video(tmp_path / "a.mp4", 3)
    assert probe_video(tmp_path / "a.mp4").audio_codec is None


def test_names_that_look_like_addresses_or_patterns_are_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("http:x.mp4", "frame%03d.mp4", "a b'c\".mp4", "тест.mp4"):
        write_test_video(tmp_path / name, 3)
        assert probe_video(name).declared_frames == 3


def test_refusals_say_why(tmp_path):
    (tmp_path / "folder.mp4").mkdir()
    (tmp_path / "zero.mp4").touch()
    (tmp_path / "text.mp4").write_text("this is no video\n" * 50)
    (tmp_path / "text.txt").write_text("this is no video\n" * 50)
    (tmp_path / "list.m3u8").write_text(
        "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nx.ts\n#EXT-X-ENDLIST\n"
    )
    write_test_sound(tmp_path / "sound.m4a")
    for name in ("photo.png", "photo.jpg", "photo.bmp", "photo.webp", "photo.gif", "photo.tiff"):
        write_test_photo(tmp_path / name)
    write_test_photo(tmp_path / "photo.mp4", format="JPEG")
    write_test_video(tmp_path / "whole.mp4", 30)
    (tmp_path / "headless.mp4").write_bytes(
        (tmp_path / "whole.mp4").read_bytes()[:2000]
    )  # its index is at the end
    reasons = {
        "none.mp4": "no such file",
        "folder.mp4": "it is a folder",
        "zero.mp4": "0 bytes",
        "text.mp4": "not a video",
        "text.txt": "text",
        "list.m3u8": "not a video|playlist",
        "sound.m4a": "sound but no pictures",
        "headless.mp4": "header is missing or damaged",
        "photo.png": "it is a picture",
        "photo.jpg": "it is a picture",
        "photo.bmp": "it is a picture",
        "photo.webp": "it is a picture",
        "photo.gif": "it is a picture",
        "photo.tiff": "it is a picture",
        "photo.mp4": "it is a picture",
    }
    for name, reason in reasons.items():
        with pytest.raises(BadVideoError, match=reason) as caught:
            probe_video(tmp_path / name)
        assert str(tmp_path / name) in str(caught.value) and "\n" not in str(caught.value)


def test_the_cover_of_a_song_is_no_video(tmp_path):
    path = tmp_path / "song.mp3"
    with av.open(str(path), "w") as output:
        sound = output.add_stream("libmp3lame", rate=48000)
        cover = output.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 64, 48, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        frame = av.VideoFrame.from_ndarray(draw_picture(0, (64, 48)), "rgb24").reformat(
            format="yuvj420p"
        )
        output.mux(cover.encode(frame) + cover.encode(None))
        write_tone(output, sound, 0.5)
    with av.open(str(path)) as container:
        assert len(container.streams.video) == 1  # FFmpeg shows the cover as a stream of pictures
    with pytest.raises(BadVideoError, match="sound but no pictures"):
        probe_video(path)


def test_a_video_of_which_nothing_decodes_is_refused(tmp_path):
    path = tmp_path / "a.mp4"
    write_test_video(path, 30, container_options={"movflags": "faststart"})
    data = bytearray(path.read_bytes())
    start = data.index(b"mdat") + 4
    data[start:] = b"\x55" * (len(data) - start)
    path.write_bytes(data)
    with pytest.raises(BadVideoError, match="not one frame"):
        probe_video(path)


def test_absurd_pixel_shapes_are_refused(tmp_path):
    write_test_video(tmp_path / "a.mkv", 3, (25), (1600, 90), sample_aspect_ratio=Fraction(50))
    with pytest.raises(BadVideoError, match="pixels of the shape 50:1"):
        probe_video(tmp_path / "a.mkv")


@pytest.mark.parametrize(
    "size_wh, most, expected",
    [
        ((1920, 1080), 640, (640, 360)),
        ((1080, 1920), 640, (360, 640)),
        ((320, 200), 640, (320, 200)),
        ((4000, 2), 100, (100, 1)),
        ((7, 5), None, (7, 5)),
    ],
)
def test_fit_size(size_wh, most, expected):
    assert fit_size(size_wh, most) == expected
