"""Frames with exact times, plus the driver's sound, into a video file (PyAV). A result is whole
or absent."""

import logging
import math
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from av.container import OutputContainer
from av.error import FFmpegError

from dancepipe.errors import BadVideoError, OutputError
from dancepipe.files.whole_file import WholeFile
from dancepipe.media.audio_track import AudioTrack
from dancepipe.media.encoders import MUXERS, encoder_for, require_usable
from dancepipe.media.stretch import Span

log = logging.getLogger(__name__)

# MP4 writes these under names that every player shows; other names need Apple's free-form keys.
PLAIN_TAGS = {
    "title",
    "artist",
    "album",
    "comment",
    "description",
    "synopsis",
    "copyright",
    "genre",
    "date",
    "composer",
    "encoder",
}
MOST_TIMESCALE = 2**31 - 1
# Y, Cb, Cr: weights of R, G, B in 0 ... 255, and what is added.
BT709_10_BITS = (
    (np.array([0.2126, 0.7152, 0.0722]) * 876 / 255, 64),
    (np.array([-0.2126, -0.7152, 0.9278]) * 896 / 255 / 1.8556, 512),
    (np.array([0.7874, -0.7152, -0.0722]) * 896 / 255 / 1.5748, 512),
)


@dataclass(frozen=True)
class VideoForm:
    """How the pictures of one video are encoded. codec, crf, preset, transparent: as VideoWriter
    has them. suffix: of the file that the packets go into. OutputError."""

    codec: str
    suffix: str
    size_wh: tuple[int, int]
    time_base: Fraction  # seconds
    crf: int = 18
    preset: str = "veryfast"
    transparent: bool = False

    def __post_init__(self):
        encoder = encoder_for(self.codec, self.suffix)
        if self.transparent and encoder.alpha_pixels is None:
            raise OutputError(f"{self.codec} keeps no transparency; use prores_ks or libvpx-vp9")
        encoder.options(self.crf, self.preset)  # looks at the quality

    @property
    def muxer(self) -> str:
        """FFmpeg's name of the container."""
        return MUXERS[self.suffix.lower()]

    @property
    def pixels(self) -> str:
        """FFmpeg's name of how a picture is stored."""
        encoder = encoder_for(self.codec, self.suffix)
        return (encoder.alpha_pixels if self.transparent else None) or encoder.pixels

    @property
    def channels(self) -> int:
        """Of the pictures that come."""
        return 4 if self.transparent else 3

    def frame(self, image: np.ndarray, pts: int) -> av.VideoFrame:
        """What the encoder takes: uint8 (H, W, channels), shown from that tick on."""
        frame = to_bt709_frame(image, self.pixels)
        frame.pts, frame.time_base = pts, self.time_base
        return frame


class VideoWriter:
    """`with VideoWriter(...) as out: out.write(image, time_seconds)`: frames in, a finished file
    out.

    path: the result; its suffix (.mp4 .m4v .mov .mkv .webm) chooses the container. overwrite:
    whether a file that is there is replaced, which happens on success only. size_wh: of the
    pictures that come. Odd sizes are padded to even by repeating the last row or column.
    frame_times_base: seconds; every frame time must be a whole multiple (the driver's
    VideoInfo.time_base). MP4 and MOV keep all times exactly; Matroska and WebM count in
    milliseconds, which is said where it changes times. codec, crf, preset: see media/encoders.py;
    preset in x264's words for every encoder. audio_from: file whose first audio stream is added
    with its own timestamps: packets copied where the container takes the codec, else re-encoded
    (said). A file without sound adds none. audio_spans: what of it is heard, see AudioTrack.
    transparent: pictures are RGBA (H, W, 4), straight alpha, for an encoder with alpha_pixels.
    metadata: container tags, readable again with any probe.

    Colours are converted to and tagged as BT.709, limited range, yuv420p (or what the encoder's
    entry says). Index at the front of the
    file (faststart). Leaving the block normally puts the whole file under its name; leaving it by
    any exception removes what was written and leaves what was there. OutputError: folder, space,
    codec, no frame written. BadVideoError: audio_from. frames_written: frames given to write() so
    far.
    """

    def __init__(
        self,
        path: Path,
        size_wh: tuple[int, int],
        frame_times_base: Fraction,
        *,
        codec: str = "libx264",
        crf: int = 18,
        preset: str = "veryfast",
        audio_from: Path | None = None,
        audio_spans: Sequence[Span] = (Span(),),
        transparent: bool = False,
        metadata: dict[str, str] | None = None,
        overwrite: bool = True,
    ):
        self.path, self.frame_times_base = Path(path), Fraction(frame_times_base)
        self.size_wh = (size_wh[0], size_wh[1])
        self.frames_written = 0
        self._metadata = dict(metadata or {})
        self._form = VideoForm(
            codec, self.path.suffix, self.size_wh, self.frame_times_base, crf, preset, transparent
        )
        require_usable(codec)
        self._muxer = self._form.muxer
        # the newest frame, and its time in ticks, waits until its duration is known
        self._pending: tuple[av.VideoFrame, int] | None = None
        self._last_pts: int | None = None
        self._last_step: int | None = None
        # ticks, by pts, of frames inside the encoder
        self._durations: dict[int | None, int] = {}
        self._stream: av.VideoStream | None = None  # None before the first frame goes out
        self._audio: AudioTrack | None = None
        with ExitStack() as undone:
            if audio_from is not None:
                self._audio = AudioTrack(Path(audio_from), self._muxer, audio_spans)
                undone.callback(_close, self._audio)
            self._file = WholeFile(self.path, overwrite=overwrite)
            undone.callback(self._file.discard)
            self._container = self._open_container()
            undone.pop_all()

    def __enter__(self) -> "VideoWriter":
        return self

    def __exit__(self, kind, *_) -> None:
        if kind is not None:
            self._abandon()
            return
        try:
            self._finish()
        except BaseException:
            self._abandon()
            raise

    def write(self, image: np.ndarray, time_seconds: Fraction) -> None:
        """Add one picture, uint8 RGB (H, W, 3) or RGBA (H, W, 4), shown from time_seconds on.
        Times must rise."""
        check_picture(image, self.size_wh, self._form.channels)
        pts = checked_pts(time_seconds, self.frame_times_base, self._last_pts)
        frame = self._form.frame(image, pts)
        if self._last_pts is not None:
            self._last_step = pts - self._last_pts
        with output_errors(self.path):
            self._encode_pending()
        self._pending, self._last_pts = (frame, pts), pts
        self.frames_written += 1

    def _open_container(self) -> OutputContainer:
        options = {}
        if self._muxer in ("mp4", "mov"):
            free_form = any(key not in PLAIN_TAGS for key in self._metadata)
            options["movflags"] = "+faststart+use_metadata_tags" if free_form else "+faststart"
            options["movie_timescale"] = str(self._movie_timescale())
        else:
            options["avoid_negative_ts"] = (
                "disabled"  # or pictures move when the sound starts before 0, as AAC does
            )
            options["fflags"] = "+bitexact"  # or it numbers file and tracks at random
            say_rounded_times(self.path.suffix, self.frame_times_base)
        with output_errors(self.path):
            container = av.open(
                os.path.abspath(self._file.part), "w", format=self._muxer, options=options
            )
        container.metadata.update(self._metadata)
        return container

    def _movie_timescale(self) -> int:
        # Edit lists hold the start offsets of the tracks in this unit; FFmpeg's default of 1/1000 s
        # would round them.
        exact = self.frame_times_base.denominator
        if self._audio is not None and self._audio.is_present:
            both = math.lcm(exact, self._audio.rate_hz)
            exact = both if both <= MOST_TIMESCALE else exact
        return exact if exact <= MOST_TIMESCALE else 1000

    def _start_streams(self, rate: Fraction) -> av.VideoStream:
        stream = add_video_stream(self._container, self._form, rate)
        if self._audio is not None:
            self._audio.add_to(self._container)
        return stream

    def _encode_pending(self) -> None:
        if self._pending is None:
            return
        if self._stream is None:
            self._stream = self._start_streams(
                rate_from_step(self._last_step, self.frame_times_base)
            )
        (frame, pts), self._pending = self._pending, None
        self._durations[pts] = self._last_step or max(
            1, round(Fraction(1, 25) / self.frame_times_base)
        )
        if self._audio is not None:
            self._audio.feed(pts * self.frame_times_base)
        self._mux(self._stream.encode(frame))

    def _mux(self, packets) -> None:
        for packet in packets:
            # Not every encoder passes durations on, and the last frame's is the end of the video.
            packet.duration = self._durations.pop(packet.pts, packet.duration)
            self._container.mux(packet)

    def _drain(self) -> None:
        """All that is still on its way to the file."""
        self._encode_pending()
        assert self._stream is not None  # there is a frame
        self._mux(self._stream.encode(None))

    def _finish(self) -> None:
        if self.frames_written == 0:
            raise OutputError(f"no frame was written, so there is no {self.path}")
        with output_errors(self.path):
            self._drain()
            if self._audio is not None:
                self._audio.feed(None)
                self._audio.close()
            self._container.close()
        check_frames(self._file.part, self.path, self.frames_written)
        self._file.publish()

    def _abandon(self) -> None:
        _close(self._container)
        if self._audio is not None:
            _close(self._audio)
        self._file.discard()


def add_video_stream(container: OutputContainer, form: VideoForm, rate: Fraction) -> av.VideoStream:
    """The stream of that form, with its encoder. rate: frames per second to tell the encoder."""
    encoder = encoder_for(form.codec, form.suffix)
    stream = container.add_stream(
        form.codec,
        rate=rate,
        options=encoder.options(form.crf, form.preset, transparent=form.transparent),
    )
    assert isinstance(stream, av.VideoStream)  # every encoder of ours is
    stream.width, stream.height = even_size(form.size_wh)
    stream.pix_fmt = form.pixels
    context = stream.codec_context
    context.time_base = form.time_base
    context.colorspace = context.color_primaries = context.color_trc = 1  # BT.709
    context.color_range = 1  # limited
    if ("265" in form.codec or "hevc" in form.codec) and form.muxer in ("mp4", "mov"):
        context.codec_tag = "hvc1"  # the tag that Apple's players insist on
    return stream


def _close(opened: OutputContainer | AudioTrack) -> None:
    """Of a file that is thrown away: what made us abandon it is being raised already."""
    with suppress(FFmpegError, OSError):
        opened.close()


class output_errors:
    """with-block: FFmpeg's and the system's errors while writing become OutputError."""

    def __init__(self, path: Path):
        self.path = path

    def __enter__(self):
        return self

    def __exit__(self, kind, error, _):
        if isinstance(error, (FFmpegError, OSError)) and not isinstance(error, BadVideoError):
            raise OutputError(
                f"cannot write {self.path}: {error.strerror or error}; free some space or choose "
                "another place"
            ) from error


def check_frames(part: Path, path: Path, frames: int) -> None:
    """Does the finished file, not yet under its name `path`, hold what was written? OutputError."""
    try:
        with av.open(os.path.abspath(part), metadata_errors="replace") as check:
            found = check.streams.video[0].frames or sum(
                packet.size > 0 for packet in check.demux(video=0)
            )
    except (FFmpegError, OSError, IndexError) as error:
        raise OutputError(
            f"cannot write {path}: the finished file cannot be read back ({error})"
        ) from error
    if found != frames:
        raise OutputError(
            f"cannot write {path}: {frames} frames were written, but the file holds {found}"
        )


def say_rounded_times(suffix: str, base_seconds: Fraction) -> None:
    """Matroska and WebM cannot hold every time base."""
    if (base_seconds * 1000).denominator != 1:
        log.warning(
            f"{suffix} files count time in milliseconds: frame times are rounded; .mp4 keeps "
            "them exactly"
        )


def rate_from_step(step_ticks: int | None, base_seconds: Fraction) -> Fraction:
    """Frames per second to tell the encoder, from the first step between frames (None: there is one
    frame).

    Only level and rate control look at it; were it the fine tick of the time base, players would
    take the file for a 30000 fps one.
    """
    seconds = step_ticks * base_seconds if step_ticks else Fraction(0)
    return (
        (1 / seconds).limit_denominator(1001) if Fraction(1, 240) <= seconds <= 1 else Fraction(25)
    )


def even_size(size_wh: tuple[int, int]) -> tuple[int, int]:
    """The size padded to even numbers, as yuv420p needs."""
    return size_wh[0] + size_wh[0] % 2, size_wh[1] + size_wh[1] % 2


def to_bt709_frame(image: np.ndarray, pixels: str = "yuv420p") -> av.VideoFrame:
    """uint8 RGB (H, W, 3) or RGBA (H, W, 4) of any size -> frame of even size, BT.709, limited
    range. pixels: FFmpeg's name of how it is stored."""
    height, width = image.shape[:2]
    if height % 2 or width % 2:
        image = np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    if pixels.endswith("10le"):
        planes = list(_ten_bit_planes(image))
    else:
        # Without alpha: from RGBA, and to 10 bits, swscale leaves some pixels unwritten.
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image[..., :3]), "rgb24")
        frame = frame.reformat(format="yuv420p", dst_colorspace="ITU709")
        planes = [] if pixels == "yuv420p" else [*map(_rows, frame.planes), image[..., 3]]
    if planes:
        frame = _of_planes(planes, pixels)
    frame.colorspace, frame.color_range = 1, 1
    return frame


def _ten_bit_planes(image: np.ndarray) -> Iterator[np.ndarray]:
    """Y, Cb, Cr of BT.709 in limited range, and alpha in full range where there is one, each
    uint16 (H, W)."""
    for weights, offset in BT709_10_BITS:
        whole = cv2.transform(image[..., :3].astype(np.float32), weights[None].astype(np.float32))
        yield np.rint(whole + offset).astype(np.uint16)
    if image.shape[2] == 4:
        yield np.rint(image[..., 3] * np.float32(1023 / 255)).astype(np.uint16)


def _rows(plane) -> np.ndarray:
    """uint8 (H, W)."""
    return np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)[:, : plane.width]


def _of_planes(planes: Sequence[np.ndarray], pixels: str) -> av.VideoFrame:
    """The first plane has the frame's size."""
    height, width = planes[0].shape
    frame = av.VideoFrame(width, height, pixels)
    for plane, values in zip(frame.planes, planes, strict=True):
        content = np.ascontiguousarray(values).view(np.uint8)
        rows = np.zeros((plane.height, plane.line_size), np.uint8)
        rows[:, : content.shape[1]] = content
        plane.update(rows.tobytes())
    return frame


def check_picture(image: np.ndarray, size_wh: tuple[int, int], channels: int = 3) -> None:
    """ValueError for a picture that the writer's caller got wrong."""
    wanted = (size_wh[1], size_wh[0], channels)
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.shape != wanted:
        got = f"{getattr(image, 'dtype', type(image).__name__)} {getattr(image, 'shape', '')}"
        raise ValueError(f"a picture must be uint8 {wanted}, got {got}")


def checked_pts(time_seconds: Fraction, base: Fraction, last_pts: int | None) -> int:
    """The time as a whole number of ticks; ValueError for one that is none, or does not rise."""
    ticks = Fraction(time_seconds) / base
    if ticks.denominator != 1:
        raise ValueError(f"frame time {time_seconds} s is no multiple of the time base {base} s")
    if last_pts is not None and ticks <= last_pts:
        raise ValueError(f"frame times must rise, got {time_seconds} s after {last_pts * base} s")
    return int(ticks)
