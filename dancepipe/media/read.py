"""Frames of a video in presentation order, with exact times (PyAV)."""

from bisect import bisect_left
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.error import FFmpegError

from dancepipe.errors import BadVideoError
from dancepipe.media.deinterlace import Deinterlacer
from dancepipe.media.display import DisplayConverter, fit_size
from dancepipe.media.packets import PacketFacts, StreamClock
from dancepipe.media.probe import (
    open_media,
    probe_layout,
    time_base_of,
    video_stream_of,
)
from dancepipe.media.stretch import WHOLE, Stretch
from dancepipe.media.timeline import DeclaredEnd, FrameClock
from dancepipe.records import Frame

# Below this many frames from one wanted frame to the next, decoding in order is cheaper than
# seeking.
SEEK_PAYS_FROM_FRAMES = 24
# These have a list of their keyframes; the first frames of a stretch need some before them.
_SEEK_FINDS_KEYFRAMES = {"mov", "mp4", "matroska", "webm"}
_BEFORE_STRETCH_SECONDS = Fraction(1, 2)


class VideoReader:
    """All frames of one video; rotation and sample aspect ratio applied, all of the size that
    `image_size_wh` says.

    `with VideoReader(path) as video: for frame in video: ...`; every new loop starts at the first
    frame again.

    path: a local file. max_side_px: frames are scaled down (never up) so that their longer side
    fits it. stretch: the frames that are delivered, counted from its first one and on its clock.
    info: VideoInfo of the file at full size. BadVideoError when the file is no video or none of it
    can be decoded.

    Times begin where media/packets.py says, at 0 for most files. Frames that the container hides
    (edit lists) are not delivered, nor those whose time does not come after the one before. Damaged
    packets do not stop the reading; they are counted. After the loop: frames_read: frames
    delivered. corrupt_frames: frames that the decoder marked as damaged (delivered,
    Frame.is_corrupt), plus packets that could not be decoded and frames without a time.
    shortfall_seconds: how much earlier than declared the file ends; 0 when within about two frames,
    or when nothing is declared. All of them tell of the stretch.
    """

    def __init__(self, path: Path, max_side_px: int | None = None, stretch: Stretch = WHOLE):
        self._layout = probe_layout(path)
        self._stretch = stretch
        self.info = self._layout.info
        self.image_size_wh = fit_size(self.info.size_wh, max_side_px)
        self._converter = DisplayConverter(self.image_size_wh, self._layout.orientation)
        self._shrinker: DisplayConverter | None = None
        self._open: Generator[Frame, None, None] | None = None
        self._forget()

    def _forget(self) -> None:
        self.frames_read = 0
        self.corrupt_frames = 0
        self.shortfall_seconds = Fraction(0)

    def __enter__(self) -> "VideoReader":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        """Stop reading and close the file; a loop over the reader ends."""
        if self._open is not None:
            self._open.close()
            self._open = None

    def __iter__(self) -> Iterator[Frame]:
        self.close()
        self._open = self._convert_all()
        return self._open

    def _convert_all(self) -> Generator[Frame, None, None]:
        for index, time_seconds, decoded in self.decode():
            yield self.to_frame(index, time_seconds, decoded)

    def to_frame(self, index: int, time_seconds: Fraction, decoded) -> Frame:
        """One item of decode() as a Frame; this is the dear part, so whoever wants few frames
        converts only those."""
        return Frame(
            index, time_seconds, self._converter.convert(decoded), bool(decoded.is_corrupt)
        )

    def shrunk(self, decoded, max_side_px: int) -> np.ndarray:
        """One item of decode() as uint8 RGB (H, W, 3), its longer side at most so large: for
        measures of every frame. One size a reader."""
        if self._shrinker is None:
            size_wh = fit_size(self.info.size_wh, max_side_px)
            self._shrinker = DisplayConverter(size_wh, self._layout.orientation)
        return self._shrinker.convert(decoded)

    def decode(self) -> Iterator[tuple[int, Fraction, av.VideoFrame]]:
        """index, time in seconds and undisplayed PyAV frame, in presentation order; counts as
        described above."""
        self._forget()
        stretch = self._stretch
        origin_seconds = stretch.origin_seconds(self._layout.times)
        with closing(self._whole_frames()) as frames:
            seconds = Fraction(0)
            for decoded, seconds in frames:
                if stretch.begin_seconds and seconds < stretch.begin_seconds:
                    self.corrupt_frames = 0
                    continue
                if stretch.end_seconds is not None and seconds >= stretch.end_seconds:
                    break
                self.frames_read += 1
                yield self.frames_read - 1, seconds - origin_seconds, decoded
            if not self.frames_read:
                raise stretch.without_frames(self.info.path, seconds)

    def _whole_frames(self) -> Generator[tuple[av.VideoFrame, Fraction], None, None]:
        """Deinterlaced, each with its time."""
        whole = Deinterlacer[Fraction]()
        with closing(self._timed()) as frames:
            for time_seconds, decoded in frames:
                yield from whole.push(decoded, time_seconds)
        yield from whole.flush()

    def _timed(self) -> Generator[tuple[Fraction, av.VideoFrame], None, None]:
        """The frames as they are stored, each with its time: all, or those of the stretch and
        some before it."""
        begin_ticks = self._keyframe_before_stretch()
        with open_media(self.info.path) as container:
            stream = video_stream_of(container, self.info.path)
            if begin_ticks is not None:
                container.seek(begin_ticks, stream=stream)
            clock = FrameClock(self._layout.has_times, container.format.name, self.info)
            tail = DeclaredEnd(container, stream, self._layout)
            shifts = {
                one.index: StreamClock(self._layout.packets, one) for one in {stream, *tail.streams}
            }
            last_seconds = None
            for packet in self._packets(container, tail.streams):
                shifts[packet.stream.index].shift(packet)
                tail.see_packet(packet)
                if packet.stream is not stream:
                    continue
                clock.see_packet(packet)
                for decoded in self._frames_of(packet):
                    time_seconds = clock.time_of(decoded)
                    if time_seconds is None or (
                        last_seconds is not None and time_seconds <= last_seconds
                    ):
                        self.corrupt_frames += time_seconds is None
                        continue  # of those with one time a player shows one
                    last_seconds = time_seconds
                    tail.see_frame(time_seconds, decoded)
                    self.corrupt_frames += bool(decoded.is_corrupt)
                    yield time_seconds, decoded
            if last_seconds is None:
                raise BadVideoError(self.info.path, "not one frame could be decoded")
            self.shortfall_seconds = tail.shortfall_seconds(self._stretch.end_seconds)

    def _keyframe_before_stretch(self) -> int | None:
        """Ticks to seek to, where that leads to a keyframe before it; None: read from the start."""
        packets, path = self._layout.packets, self.info.path
        wanted = self._stretch.begin_seconds - _BEFORE_STRETCH_SECONDS
        if wanted <= 0 or not self._layout.has_times or not packets.is_unbroken:
            return None
        with open_media(path) as container:
            if not _SEEK_FINDS_KEYFRAMES & set(container.format.name.split(",")):
                return None
            stream = video_stream_of(container, path)
            ticks = int((wanted + packets.start_seconds) / time_base_of(stream))
            try:
                container.seek(ticks, stream=stream)
                first = next((one for one in container.demux(stream) if one.size), None)
            except (FFmpegError, OSError):
                return None
        is_before = first is not None and first.pts is not None and first.pts <= ticks
        return ticks if first is not None and is_before and first.is_keyframe else None

    def _packets(self, container, streams) -> Iterator[av.Packet]:
        try:
            yield from container.demux(streams)
        except (FFmpegError, OSError):
            self.corrupt_frames += (
                1  # the rest of the file cannot be read; what is missing shows in shortfall_seconds
            )

    def _frames_of(self, packet) -> list[av.VideoFrame]:
        try:
            return packet.decode()
        except (FFmpegError, ValueError):
            self.corrupt_frames += 1
            return []


def read_frames_at(
    path: Path,
    indices: Sequence[int],
    max_side_px: int | None = None,
    stretch: Stretch = WHOLE,
) -> list[Frame]:
    """The frames with these indices (presentation order, from 0, of the stretch), in the order
    asked for, repeats allowed.

    Decodes once from the start up to the largest index and converts only what is wanted: exact for
    every file, and cheaper than seeking as soon as a few frames of a clip are wanted. BadVideoError
    also when the video has fewer frames.
    """
    if any(index < 0 for index in indices):
        raise ValueError(f"frame indices count from 0, got {min(indices)}")
    if not len(indices):
        return []
    with VideoReader(path, max_side_px, stretch) as video:
        found = _take_in_order(video, set(indices))
        missing = sorted(set(indices) - found.keys())
        if missing:
            raise BadVideoError(
                path,
                f"frame {missing[0]} was asked for, but it has only {video.frames_read} frames",
            )
    return [found[index] for index in indices]


def _take_in_order(video: VideoReader, wanted: set[int]) -> dict[int, Frame]:
    found, last = {}, max(wanted)
    for index, time_seconds, decoded in video.decode():
        if index in wanted:
            found[index] = video.to_frame(index, time_seconds, decoded)
        if index >= last:
            break
    return found


def read_spread_frames(
    path: Path, count: int, max_side_px: int | None = None, stretch: Stretch = WHOLE
) -> list[Frame]:
    """About `count` frames spread evenly over the stretch, in order; fewer when that is shorter or
    cut off.

    Long gaps between wanted frames are jumped to the keyframe at or before the wanted time, so the
    frames are where decoding is cheap, at most half a gap from the even spacing. With short gaps
    the clip is decoded in order. Times and indices are exact. BadVideoError.
    """
    if count < 1:
        raise ValueError(f"count must be at least 1, got {count}")
    with VideoReader(path, max_side_px, stretch) as video:
        packets = video._layout.packets
        total = max(
            1, packets.count if stretch.is_whole else len(stretch.indices(video._layout.times))
        )
        if (
            packets.length_seconds
            and packets.is_unbroken
            and not video._layout.is_interlaced  # a frame takes its neighbours to be whole
            and total / count >= SEEK_PAYS_FROM_FRAMES
        ):
            frames = _spread_by_seeking(video, count, packets)
            if frames:
                return frames
        wanted = {int((k + 0.5) * total / count) for k in range(count)}
        found = _take_in_order(video, wanted)
    return [found[index] for index in sorted(found)]


def _spread_by_seeking(video: VideoReader, count: int, packets: PacketFacts) -> list[Frame] | None:
    """None where keyframes are so sparse (or seeking so broken) that decoding in order is
    better."""
    info, frames = video.info, []
    assert packets.length_seconds is not None
    own = video._stretch.indices(packets.times)
    begin = packets.times[own.start]
    after = packets.times[own.stop] if own.stop < len(packets.times) else None
    origin = video._stretch.origin_seconds(packets.times)
    with open_media(info.path) as container:
        if container.format.name == "avi":
            return None
        stream = video_stream_of(container, info.path)
        tick_seconds = time_base_of(stream)
        start = begin + packets.start_seconds  # on the file's own clock
        end = after if after is not None else packets.times[0] + packets.length_seconds
        gap = (end - begin) / count
        last_seconds = None
        for k in range(count):
            earliest = start + k * gap
            try:
                container.seek(int((earliest + gap / 2) / tick_seconds), stream=stream)
            except (FFmpegError, OSError):
                return None
            landed = False
            for packet in video._packets(container, [stream]):
                picked = None
                for decoded in video._frames_of(packet):
                    if decoded.pts is None:
                        return None
                    time_seconds = Fraction(decoded.pts * (decoded.time_base or tick_seconds))
                    if not landed and last_seconds is not None and time_seconds <= last_seconds:
                        return None  # the keyframe lies before the frame that we already have
                    landed = True
                    if time_seconds >= earliest and not decoded.is_corrupt:
                        picked = time_seconds, decoded
                        break
                if picked:
                    break
            else:
                continue  # nothing more from here on: cut off, or the end
            last_seconds = picked[0]
            shown_seconds = last_seconds - packets.start_seconds
            if after is not None and shown_seconds >= after:
                break
            index = bisect_left(packets.times, shown_seconds) - own.start
            frames.append(video.to_frame(index, shown_seconds - origin, picked[1]))
    return frames or None
