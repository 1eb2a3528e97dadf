"""Videos whose numbers are not what is shown: HDR, wide gamuts, untagged HD, half pictures."""

from fractions import Fraction

import av
import numpy as np
import pytest

from dancepipe.errors import BadVideoError
from dancepipe.media import read_decord
from dancepipe.media.probe import probe_video
from dancepipe.media.read import VideoReader, read_frames_at, read_spread_frames

COLOURS = [(255, 0, 0), (0, 200, 0), (0, 0, 255), (255, 255, 255), (90, 90, 90), (210, 150, 120)]
# BT.709 -> BT.2020, linear light (ITU-R BT.2087)
TO_2020 = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]])
LUMA_2020 = np.array([0.2627, 0.6780, 0.0593])
WHITE_NITS = 203  # of graphics in HDR (ITU-R BT.2408)


def bars(size_wh) -> np.ndarray:
    """COLOURS side by side, uint8 RGB (H, W, 3)."""
    width, height = size_wh
    columns = np.arange(width) * len(COLOURS) // width
    return np.ascontiguousarray(np.broadcast_to(np.uint8(COLOURS)[columns], (height, width, 3)))


def colours_of(image) -> np.ndarray:
    """The middle of each bar: (6, 3)."""
    step = image.shape[1] / len(COLOURS)
    at = [int((k + 0.5) * step) for k in range(len(COLOURS))]
    return image[image.shape[0] // 2, at].astype(int)


def pq(linear):
    """Of nits / 10000 (SMPTE ST 2084)."""
    power = linear**0.1593017578125
    return ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375


def hlg(linear):
    """Of nits / 1000, on a display of 1000 nits (ITU-R BT.2100)."""
    luma = np.maximum(linear @ LUMA_2020, 1e-9)[..., None]
    scene = linear * luma ** (1 / 1.2 - 1)
    high = 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073
    return np.where(scene <= 1 / 12, np.sqrt(3 * scene), high)


SIGNALS = {  # of light in nits, BT.2020
    "hlg": lambda nits: hlg(nits / 1000),
    "pq": lambda nits: pq(nits / 10000),
    "sdr": lambda nits: (nits / WHITE_NITS) ** (1 / 2.4),
}


def write_2020(path, size_wh, transfer: str) -> None:
    """The bars as a phone writes them: 10 bits, BT.2020, H.265."""
    light = (bars(size_wh) / 255) ** 2.4 @ TO_2020.T * WHITE_NITS
    signal = SIGNALS[transfer](light)
    luma = signal @ LUMA_2020
    blue, red = ((signal[..., c] - luma) / d for c, d in ((2, 1.8814), (0, 1.4746)))
    planes = [64 + 876 * luma, *((512 + 896 * part)[::2, ::2] for part in (blue, red))]
    flat = np.concatenate([plane.round().astype(np.uint16).ravel() for plane in planes])
    frame = av.VideoFrame.from_ndarray(flat.reshape(-1, size_wh[0]), "yuv420p10le")
    number = {"hlg": 18, "pq": 16, "sdr": 14}[transfer]
    write(path, frame, "libx265", (9, 9, number), {"x265-params": "log-level=none:qp=4"})


def write(path, frame, codec="libx264", tags=None, options=None, frames=3) -> None:
    """tags: matrix, primaries, transfer, as H.273 numbers them."""
    with av.open(str(path), "w") as output:
        stream = output.add_stream(codec, rate=25, options=options or {"crf": "4"})
        stream.width, stream.height, stream.pix_fmt = frame.width, frame.height, frame.format.name
        context = stream.codec_context
        context.color_range = 1
        if tags:
            context.colorspace, context.color_primaries, context.color_trc = tags
            frame.colorspace, frame.color_primaries, frame.color_trc = tags
        for index in range(frames):
            frame.pts, frame.time_base = index, Fraction(1, 25)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))


@pytest.mark.parametrize("transfer, said", [("hlg", "HLG"), ("pq", "PQ"), ("sdr", "BT.2020")])
@pytest.mark.parametrize("most", [None, 96])
def test_hdr_and_wide_colours_are_shown_as_players_show_them(tmp_path, transfer, said, most):
    write_2020(tmp_path / "a.mp4", (192, 64), transfer)
    with VideoReader(tmp_path / "a.mp4", most) as video:
        frames = list(video)
    assert len(frames) == 3 and len(video.info.remarks) == 1 and said in video.info.remarks[0]
    assert np.abs(colours_of(frames[1].image) - COLOURS).max() < 40
    assert (
        np.abs(colours_of(frames[1].image) - COLOURS).mean() < 14
    )  # of the bare numbers 37 and more


@pytest.mark.parametrize(
    "size_wh, matrix, tags",
    [
        ((1280, 720), "ITU709", None),
        ((720, 1280), "ITU709", None),
        ((1280, 534), "ITU709", None),
        ((640, 480), "ITU601", None),
        ((720, 576), "ITU601", None),
        ((1280, 720), "ITU601", (6, 6, 6)),
        ((320, 240), "ITU709", (1, 1, 1)),
        ((320, 240), "ITU601", (8, 1, 1)),  # a matrix that nothing here converts
    ],
)
def test_the_matrix_is_the_tagged_one_else_that_of_the_size(tmp_path, size_wh, matrix, tags):
    frame = av.VideoFrame.from_ndarray(bars(size_wh), "rgb24")
    write(tmp_path / "a.mp4", frame.reformat(format="yuv420p", dst_colorspace=matrix), tags=tags)
    image = read_frames_at(tmp_path / "a.mp4", [1])[0].image
    assert np.abs(colours_of(image) - COLOURS).max() <= 8
    assert probe_video(tmp_path / "a.mp4").remarks == ()


def write_interlaced(path, frames=12, codec="mpeg2video", **options) -> None:
    """A light bar that runs to the right, the upper half pictures half a frame later."""

    def drawn(left):
        image = np.full((96, 128, 3), 40, np.uint8)
        image[16:80, left : left + 24] = 220
        return image

    flags = options or {"flags": "+ilme+ildct", "b": "6M"}
    with av.open(str(path), "w") as output:
        stream = output.add_stream(codec, rate=25, options=flags)
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        for index in range(frames):
            image = drawn(8 * index)
            image[::2] = drawn(8 * index + 4)[::2]
            frame = av.VideoFrame.from_ndarray(image, "rgb24")
            frame = frame.reformat(format="yuv420p")
            frame.pts, frame.time_base = index, Fraction(1, 25)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))


def combs(image) -> float:
    """How much more neighbouring rows differ than rows two apart."""
    rows = image[20:76, :, 1].astype(float)
    return np.abs(np.diff(rows, axis=0)).mean() - np.abs(rows[2:] - rows[:-2]).mean()


@pytest.mark.parametrize(
    "name, codec, options",
    [("a.mkv", "mpeg2video", {}), ("a.mp4", "libx264", {"flags": "+ilme+ildct", "crf": "8"})],
)
def test_half_pictures_are_made_whole(tmp_path, name, codec, options):
    path = tmp_path / name
    write_interlaced(path, 12, codec, **options)
    with VideoReader(path) as video:
        frames = list(video)
    assert [frame.time_seconds for frame in frames] == [Fraction(k, 25) for k in range(12)]
    assert [frame.index for frame in frames] == list(range(12)) and video.corrupt_frames == 0
    assert "interlaced" in video.info.remarks[0]
    assert max(combs(frame.image) for frame in frames) < 1.5  # they were 5 and more
    for k, frame in enumerate(frames):  # the picture of its own time
        columns = np.flatnonzero(frame.image[48, :, 1] > 130)
        assert abs(columns.mean() - (8 * k + 11.5)) <= 3 or 8 * k + 28 > 128
    spread = read_spread_frames(path, 3)
    assert np.array_equal(spread[1].image, frames[spread[1].index].image)


def test_decord_says_what_it_cannot(tmp_path):
    pytest.importorskip("decord", reason="the extra decord is not installed")
    write_2020(tmp_path / "hlg.mp4", (192, 64), "hlg")
    write_interlaced(tmp_path / "half.mkv")
    write(
        tmp_path / "hd.mp4",
        av.VideoFrame.from_ndarray(bars((1280, 720)), "rgb24").reformat(
            format="yuv420p", dst_colorspace="ITU709"
        ),
    )
    for name, words in (("hlg", "HLG"), ("half", "interlaced"), ("hd", "HD video")):
        path = next(tmp_path.glob(f"{name}.*"))
        with pytest.raises(BadVideoError, match=f"{words}.*default reader"):
            read_decord.read_frames_at(path, [1])
