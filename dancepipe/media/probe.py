"""Open a file as a video, or say why it is none."""

import os
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Disposition, Stream

from dancepipe.errors import BadVideoError
from dancepipe.media.color import color_remark, is_hd, lacks_matrix
from dancepipe.media.deinterlace import INTERLACED, is_interlaced
from dancepipe.media.display import Orientation, orientation_of, square_pixel_size
from dancepipe.media.packets import BROKEN_CLOCK, NO_PICTURES, PacketFacts, read_packets
from dancepipe.media.stretch import WHOLE, Stretch
from dancepipe.records import VideoInfo

# FFmpeg opens these as "videos" of one frame, as terminals, or as lists that pull in further files
# or hosts.
PICTURE_FORMATS = {"image2", "ico", "dds", "alias_pix"}
PICTURE_BRANDS = {"heic", "heix", "mif1", "avif"}
REFUSED_FORMATS = {
    "tty": "it is a text file",
    "hls": "it is a playlist, not a video",
    "dash": "it is a playlist, not a video",
    "concat": "it is a playlist, not a video",
}
MOST_PIXELS = 2**26  # twice 8K: a header of a few bytes may ask for any amount of memory
DEFAULT_RATE = Fraction(25)  # FFmpeg's own guess for streams that declare none


@dataclass(frozen=True)
class StreamLayout:
    """What reading needs beyond VideoInfo."""

    info: VideoInfo
    orientation: Orientation
    has_times: bool  # False: a bare elementary stream, times are counted from the rate
    is_interlaced: bool
    is_untagged_hd: bool  # the matrix of its colours is a guess that decord does not make
    packets: PacketFacts

    @property
    def times(self) -> list[Fraction]:
        """Seconds of each frame, as the packets tell them."""
        if self.has_times:
            return self.packets.times
        return [number * self.info.time_base for number in range(self.packets.count)]


def open_media(path: Path) -> InputContainer:
    """An open PyAV input container for a local file, to be used in a with-block. BadVideoError
    with the reason."""
    path = Path(path)
    try:
        if path.is_dir():
            raise BadVideoError(path, "it is a folder; name a video file")
        if not path.exists():
            raise BadVideoError(path, "no such file")
        if not path.is_file():  # a pipe would be waited for, and can be read only once
            raise BadVideoError(path, "it is no plain file; name a video file")
        if path.stat().st_size == 0:
            raise BadVideoError(path, "the file is empty (0 bytes)")
        # An absolute path, so that a name like `http:x.mp4` cannot be taken for an address.
        container = av.open(os.path.abspath(path), metadata_errors="replace")
    except (FFmpegError, OSError, ValueError) as error:
        if isinstance(error, PermissionError):
            raise BadVideoError(path, "no permission to read it") from error
        raise BadVideoError(
            path, f"it is not a video, or its header is missing or damaged ({_words(error)})"
        ) from error
    names = container.format.name.split(",")
    refusal = next((REFUSED_FORMATS[name] for name in names if name in REFUSED_FORMATS), None)
    if (
        PICTURE_FORMATS & set(names)
        or any(name.endswith("_pipe") for name in names)
        or container.metadata.get("major_brand") in PICTURE_BRANDS
    ):
        refusal = "it is a picture; a video file is needed"
    if refusal:
        container.close()
        raise BadVideoError(path, refusal)
    return container


def video_stream_of(container: InputContainer, path: Path) -> av.VideoStream:
    """The first stream that moves (cover pictures of audio files do not) and has a decoder here.
    BadVideoError when there is none."""
    streams = _moving(container)
    if not streams:
        raise BadVideoError(
            path,
            "it has sound but no pictures"
            if container.streams.audio
            else "it holds no video stream",
        )
    streams = [stream for stream in streams if stream.codec_context is not None]
    if not streams:
        raise BadVideoError(path, "its video codec has no decoder here; convert it to H.264")
    if streams[0].width * streams[0].height > MOST_PIXELS:
        raise BadVideoError(
            path,
            f"it declares pictures of {streams[0].width}x{streams[0].height}, more than can be "
            "handled",
        )
    streams[0].thread_type = "AUTO"
    return streams[0]


def _moving(container: InputContainer) -> list[av.VideoStream]:
    attached = Disposition.attached_pic
    return [stream for stream in container.streams.video if not stream.disposition & attached]


def sound_stream_of(container: InputContainer) -> av.AudioStream | None:
    """The first stream of sound with a decoder here."""
    known = (one for one in container.streams.audio if one.codec_context is not None)
    return next(known, None)


def time_base_of(stream: Stream) -> Fraction:
    """Seconds in a tick of its times. Those of files always say so."""
    assert stream.time_base is not None
    return stream.time_base


def probe_video(path: Path, stretch: Stretch = WHOLE) -> VideoInfo:
    """What the container declares about its first video stream, after decoding its first frame.
    Frames and duration are those of the stretch. BadVideoError.

    The first frame is decoded because the display matrix is attached to frames, and because a file
    of which nothing can be decoded should be refused before work starts.
    """
    layout = probe_layout(path)
    if stretch.is_whole:
        return layout.info
    own = stretch.indices(layout.times)
    if layout.times and not own:
        raise stretch.without_frames(path, layout.times[-1])
    times = layout.times[own.start : own.stop + 1]
    return replace(
        layout.info,
        declared_frames=len(own) or None,
        duration_seconds=times[-1] - times[0] if len(times) > len(own) else None,
    )


def probe_layout(path: Path) -> StreamLayout:
    """probe_video plus what reading needs."""
    path = Path(path)
    with open_media(path) as container:
        stream = video_stream_of(container, path)
        first = _first_frame(container, stream, path)
        if container.format.name in ("gif", "apng") and _count_packets(container, stream, 2) == 0:
            raise BadVideoError(path, "it is a picture; a video file is needed")
        packets = packets_of(path)
        rate = stream.average_rate or stream.base_rate or None
        has_times = first.pts is not None
        try:
            square_wh = square_pixel_size((first.width, first.height), stream.sample_aspect_ratio)
        except ValueError as error:
            raise BadVideoError(path, str(error)) from error
        orientation = orientation_of(first)
        audio = sound_stream_of(container)
        info = VideoInfo(
            path=path,
            size_wh=orientation.turn_size(square_wh),
            frame_rate=packets.frame_rate or (Fraction(rate) if rate else None),
            duration_seconds=packets.length_seconds,
            declared_frames=stream.frames or None,
            codec=stream.codec_context.codec.canonical_name,
            rotation_degrees=orientation.rotation_degrees,
            audio_codec=audio.codec_context.codec.canonical_name if audio else None,
            time_base=Fraction(time_base_of(stream))
            if has_times
            else 1 / Fraction(rate or DEFAULT_RATE),
            remarks=_remarks(first, packets),
        )
    untagged_hd = lacks_matrix(first) and is_hd(first)
    return StreamLayout(info, orientation, has_times, is_interlaced(first), untagged_hd, packets)


def _remarks(first: av.VideoFrame, packets: PacketFacts) -> tuple[str, ...]:
    found = (
        color_remark(first),
        INTERLACED if is_interlaced(first) else None,
        None if packets.is_unbroken else BROKEN_CLOCK,
    )
    return tuple(remark for remark in found if remark)


def packets_of(path: Path) -> PacketFacts:
    """What its packets say, nothing of a file of sound alone. One that has not changed is read
    once. BadVideoError."""
    found = os.stat(path)
    return _packets_of(os.path.abspath(path), found.st_mtime_ns, found.st_size)


@lru_cache(maxsize=8)
def _packets_of(path: str, changed: int, size: int) -> PacketFacts:
    with open_media(Path(path)) as container:
        if not _moving(container):
            return NO_PICTURES
        pictures = video_stream_of(container, Path(path))
        return read_packets(container, pictures, sound_stream_of(container))


def _first_frame(container: InputContainer, stream: av.VideoStream, path: Path) -> av.VideoFrame:
    failure = None
    packets = 0
    try:
        for packet in container.demux(stream):
            packets += packet.size > 0
            try:
                for frame in packet.decode():
                    return frame
            except FFmpegError as error:
                failure = error
    except (FFmpegError, OSError) as error:
        failure = error
    reason = (
        f"not one frame of its {stream.codec_context.name} stream could be decoded "
        f"({packets} packets tried"
    )
    raise BadVideoError(path, reason + (f"; {_words(failure)})" if failure else ")")) from failure


def _count_packets(container: InputContainer, stream: av.VideoStream, enough: int) -> int:
    """How many more packets come, counted up to `enough`."""
    count = 0
    for packet in container.demux(stream):
        count += packet.size > 0
        if count >= enough:
            break
    return count


def _words(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
