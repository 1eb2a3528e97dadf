"""What a result can be: the kinds of files, transparent ones, and what they stand in front of."""

import hashlib
from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
import pytest
from hearing import hearing
from people import SAMPLES, write_dance, write_untrained_weights
from PIL import Image

from dancepipe.errors import ConfigError, OutputError
from dancepipe.media.read import VideoReader
from dancepipe.media.write import VideoWriter
from dancepipe.media.write_gif import GifWriter
from dancepipe.rendering.animate import animate
from dancepipe.rendering.composite import alone, paste, premultiplied
from dancepipe.rendering.options import AnimateOptions
from dancepipe.rendering.result import SYNTHETIC_TAG

REFERENCE = SAMPLES / "reference.png"
CPU = AnimateOptions(device="cpu")
ALPHA_DECODER = {".mov": "prores", ".webm": "libvpx-vp9"}  # FFmpeg's own VP9 drops alpha


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with weights, and a driver of 8 frames with sound."""
    folder = tmp_path_factory.mktemp("made")
    write_untrained_weights(folder / "w.safetensors")
    write_dance(folder / "driver.mp4", frames=8, audio=True)
    return folder


def run(made, out, **options):
    return animate(
        REFERENCE, made / "driver.mp4", out, made / "w.safetensors", replace(CPU, **options)
    )


def rgba_of(path) -> np.ndarray:
    """uint8 (N, H, W, 4)."""
    with av.open(str(path)) as container:
        decoder = av.CodecContext.create(ALPHA_DECODER[path.suffix], "r")
        stream = container.streams.video[0]
        if stream.codec_context.extradata:
            decoder.extradata = stream.codec_context.extradata
        decoder.width, decoder.height = stream.width, stream.height
        if path.suffix == ".mov":
            decoder = stream.codec_context
        frames = [frame for packet in container.demux(stream) for frame in decoder.decode(packet)]
        pictures = np.stack([frame.to_ndarray(format="rgba") for frame in frames])
    for frame, picture in zip(frames, pictures):
        if frame.format.name == "yuva420p":  # swscale leaves its last columns unwritten
            plane = np.frombuffer(frame.planes[3], np.uint8).reshape(frame.height, -1)
            picture[..., 3] = plane[:, : frame.width]
    return pictures


def pictures_of(folder) -> np.ndarray:
    return np.stack([np.asarray(Image.open(path)) for path in sorted(folder.glob("*.png"))])


def disc(size_wh, radius_px=40) -> np.ndarray:
    """uint8 RGBA: a soft disc that fills no block of an encoder evenly."""
    x, y = np.meshgrid(np.arange(size_wh[0]), np.arange(size_wh[1]))
    picture = np.zeros((size_wh[1], size_wh[0], 4), np.uint8)
    picture[..., :3] = np.stack((x % 256, y % 256, np.full_like(x, 90)), -1)
    picture[..., 3] = np.clip((radius_px - np.hypot(x - size_wh[0] / 2, y - 64)) * 20 + 128, 0, 255)
    return picture


@pytest.mark.parametrize(
    "name, codec, pixels, off",
    [("a.mov", "prores_ks", "yuva444p12le", 1), ("a.webm", "libvpx-vp9", "yuva420p", 24)],
)
def test_transparent_videos_keep_the_alpha_and_are_the_same_twice(
    tmp_path, name, codec, pixels, off
):
    picture, digests = disc((450, 130)), set()
    for junk in (0, 80, 255):
        litter = [np.full(450 * 130 * 8, junk, np.uint8) for _ in range(4)]
        del litter  # what swscale leaves unwritten shows it
        with VideoWriter(
            tmp_path / name, (450, 130), Fraction(1, 600), codec=codec, transparent=True
        ) as out:
            for index in range(4):
                out.write(picture, Fraction(index, 30))
        digests.add(hashlib.sha256((tmp_path / name).read_bytes()).hexdigest())
    assert len(digests) == 1
    back = rgba_of(tmp_path / name)
    with av.open(str(tmp_path / name)) as container:
        assert container.streams.video[0].codec_context.codec.canonical_name in ("prores", "vp9")
    assert len(back) == 4
    differences = np.abs(back[2].astype(int) - picture)
    assert differences[..., 3].max() <= off and differences[..., 3].mean() < 0.3
    assert differences[picture[..., 3] == 255].mean() < 2


@pytest.mark.parametrize("box", [(10.3, 20.7, 110.3, 120.7), (-30.0, -20.0, 98.0, 108.0)])
def test_a_transparent_person_over_a_colour_is_the_pasted_one(box):
    x, y = np.meshgrid(np.arange(128), np.arange(128))
    matte = np.clip((38 - np.hypot(x - 64, y - 64)) * 64 + 128, 0, 255).astype(np.uint8)
    weight = matte[..., None] / 255
    picture = np.rint(weight * (200, 40, 90) + (1 - weight) * 128).astype(np.uint8)
    person = premultiplied(picture, matte)
    straight = alone((140, 130), person, box).astype(float)
    alpha = straight[..., 3:] / 255
    for colour in ((255, 255, 255), (0, 0, 0), (10, 200, 30)):
        pasted = np.full((130, 140, 3), colour, np.uint8)
        paste(pasted, person, box)
        over = alpha * straight[..., :3] + (1 - alpha) * np.array(colour)
        assert np.abs(over - pasted).max() < 12 and np.abs(over - pasted).mean() < 0.1
    near = (alpha[..., 0] == 0) & (np.roll(alpha[..., 0], 2, 1) > 0)
    assert near.any() and np.abs(straight[near][:, :3] - (200, 40, 90)).max() < 60  # no dark rim


@pytest.mark.parametrize(
    "rate, kept", [(25, list(range(12))), (60, [0, 2, 3, 4, 6, 7, 8, 9, 10, 12])]
)
def test_a_gif_has_times_in_hundredths_and_says_what_it_is(tmp_path, rate, kept):
    said = []
    with hearing(said.append):
        with GifWriter(
            tmp_path / "a.gif", (64, 48), Fraction(1, 600), comment="a tag", overwrite=False
        ) as out:
            for index in range(12):
                picture = np.full((48, 64, 3), (20 * index, 60, 200), np.uint8)
                out.write(picture, 3 + Fraction(index, rate))
    assert b"!\xfe\x05a tag\x00;" in (tmp_path / "a.gif").read_bytes()[-12:]
    with VideoReader(tmp_path / "a.gif") as video:
        frames = list(video)
    times = [frame.time_seconds for frame in frames]
    assert len(frames) == out.frames_written and min(np.diff(times)) >= Fraction(2, 100)
    for frame in frames:
        shown = round(frame.image[20, 20, 0] / 20)
        assert abs(frame.time_seconds - Fraction(shown, rate)) <= Fraction(1, 100)
    assert bool(said) == (rate == 60) and (rate == 60 or len(frames) == 12)


@pytest.mark.parametrize(
    "name, codecs",
    [
        ("a.mov", ("h264", "aac")),
        ("a.webm", ("vp9", "opus")),
        ("a.gif", ("gif", None)),
    ],
)
def test_the_suffix_decides_the_codecs(tmp_path, made, name, codecs):
    said = []
    with hearing(said.append):
        summary = run(made, tmp_path / name)
    with av.open(str(tmp_path / name)) as container:
        sound = container.streams.audio
        found = container.streams.video[0].codec_context.codec.canonical_name
        assert (found, sound[0].codec_context.codec.canonical_name if sound else None) == codecs
    assert summary.frames_out == 8 and summary.audio_kept == (codecs[1] is not None)
    assert any("has no sound" in line for line in said) == (codecs[1] is None)
    assert SYNTHETIC_TAG.encode() in (tmp_path / name).read_bytes()
    with pytest.raises(OutputError, match="is there already.*--overwrite"):
        run(made, tmp_path / name)


def test_a_transparent_folder_holds_the_person_and_is_replaced_when_asked(tmp_path, made):
    run(made, tmp_path / "white", background="#ffffff")
    (tmp_path / "clear").mkdir()  # an empty one is as good as none
    run(made, tmp_path / "clear", background="transparent")
    clear, white = pictures_of(tmp_path / "clear").astype(float), pictures_of(tmp_path / "white")
    alpha = clear[..., 3:] / 255
    assert clear.shape == (8, 320, 224, 4) and 0.01 < alpha.mean() < 0.6
    assert np.abs(alpha * clear[..., :3] + (1 - alpha) * 255 - white).mean() < 1
    assert Image.open(tmp_path / "clear" / "frame-000003.png").info["Comment"] == SYNTHETIC_TAG
    listed = (tmp_path / "clear" / "frames.ffconcat").read_text().splitlines()
    assert listed[1:3] == ["file frame-000000.png", "duration 0.033333"] and len(listed) == 17
    with pytest.raises(OutputError, match="is there already.*--overwrite"):
        run(made, tmp_path / "clear")
    run(made, tmp_path / "clear", overwrite=True)
    assert pictures_of(tmp_path / "clear").shape == (8, 320, 224, 3)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clear", "white"]


@pytest.mark.parametrize(
    "name, options, words",
    [
        ("a.avi", {}, r"'\.avi' videos; name the result one of: .*\.gif.*folder of PNGs"),
        ("a.mp4", {"background": "transparent"}, r"\.mov .*\.webm .*folder of PNGs"),
        ("a.gif", {"background": "transparent"}, r"\.mov .*\.webm .*folder of PNGs"),
        (
            "a.mov",
            {"background": "transparent", "encoder": "libx264"},
            "libx264 makes no transparent .mov here; use prores_ks",
        ),
        ("a.gif", {"encoder": "libx264"}, "libx264 does not go into a GIF"),
        ("a.gif", {"writer": "ffmpeg"}, "ffmpeg does not make a GIF here; use --writer pyav"),
        (
            "a.mov",
            {"background": "transparent", "side_by_side": True},
            "nothing transparent is left beside the driver",
        ),
        ("a", {"encoder": "libx265"}, "libx265 does not go into a folder of PNGs"),
        ("mine", {"overwrite": True}, "it holds notes.txt, which is no frame of ours"),
        ("nowhere/a", {}, "there is no folder"),
    ],
)
def test_what_cannot_be_is_refused_before_the_work_and_leaves_all_as_it_was(
    tmp_path, made, name, options, words
):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match=words):
        run(made, tmp_path / name, **options)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    assert (tmp_path / "mine" / "notes.txt").read_text() == "mine"


def test_one_quality_is_said(tmp_path, made):
    said = []
    with hearing(said.append):
        run(made, tmp_path / "a.mov", background="transparent", crf=10)
    assert any("crf 10 does not change prores_ks" in line for line in said)


def test_a_picture_and_a_video_as_background(tmp_path, made):
    Image.new("RGB", (40, 30), (10, 200, 90)).save(tmp_path / "place.png")
    with VideoWriter(tmp_path / "place.mp4", (64, 48), Fraction(1, 600), crf=1) as out:
        for index in range(3):  # 0.1 s each: of the driver's 8 frames, at 30 a second, 3 each
            out.write(np.full((48, 64, 3), 40 + 80 * index, np.uint8), Fraction(index, 10))
    with VideoWriter(tmp_path / "short.mp4", (64, 48), Fraction(1, 600), crf=1) as out:
        for index in range(2):
            out.write(np.full((48, 64, 3), 40 + 80 * index, np.uint8), 5 + Fraction(index, 30))
    for name, levels in (
        ("place.png", [(10, 200, 90)] * 8),
        ("place.mp4", [(40,) * 3] * 3 + [(120,) * 3] * 3 + [(200,) * 3] * 2),
        ("short.mp4", [(40,) * 3, (120,) * 3] * 4),  # starts again
    ):
        run(made, tmp_path / "out", background=str(tmp_path / name), overwrite=True)
        corners = pictures_of(tmp_path / "out")[:, :6, :6].mean((1, 2))
        assert np.abs(corners - levels).max() < 4, name


@pytest.mark.parametrize(
    "name, words",
    [
        ("lacking.png", "is neither .*transparent, a colour .* picture or video that is there"),
        ("text.png", "is no picture, and no video"),
    ],
)
def test_a_background_that_is_none_is_one_line(tmp_path, made, name, words):
    (tmp_path / "text.png").write_text("words " * 100)
    with pytest.raises(ConfigError, match=words):
        run(made, tmp_path / "a.mp4", background=str(tmp_path / name))


@pytest.mark.parametrize("side_px", [0, 128])
def test_side_by_side_has_the_driver_on_the_left_and_the_result_on_the_right(
    tmp_path, made, side_px
):
    run(made, tmp_path / "both", side_by_side=True, max_side_px=side_px)
    run(made, tmp_path / "alone", max_side_px=side_px)
    both, alone = pictures_of(tmp_path / "both"), pictures_of(tmp_path / "alone")
    width = alone.shape[2]
    assert both.shape == (8, alone.shape[1], 2 * width, 3)
    # A driver shown whole is looked at whole, not at the smaller size that poses need: the same
    # here, where it is small.
    assert np.array_equal(both[:, :, width:], alone)
    with VideoReader(made / "driver.mp4") as video:
        for frame, picture in zip(video, both, strict=True):
            shown = Image.fromarray(frame.image).resize(
                (width, alone.shape[1]), Image.Resampling.BOX
            )
            assert np.abs(np.asarray(shown).astype(int) - picture[:, :width]).mean() < 3
