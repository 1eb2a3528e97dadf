"""Parts of a video: each encoded for itself, then joined without encoding anything again.

Every part begins with an encoder of its own, so that it needs no other part, and all are told the
same, so that one set of parameters (SPS, PPS and the like) serves them all.
"""

import base64
import io
from collections.abc import Callable, Sequence
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.error import FFmpegError

from dancepipe.errors import OutputError
from dancepipe.media.part_file import PartFile, PartFileWriter
from dancepipe.media.write import (
    VideoForm,
    VideoWriter,
    add_video_stream,
    check_picture,
    checked_pts,
    output_errors,
)


class VideoPartWriter:
    """`with VideoPartWriter(...) as out: out.write(image, seconds)`: pictures in, a part out.

    path: the part. rate: frames a second to tell the encoder, the same for all parts. facts: see
    PartFileWriter. OutputError.
    """

    def __init__(self, path: Path, form: VideoForm, rate: Fraction):
        self._form, self._path = form, path
        self._last_pts: int | None = None
        # Nothing is written to it: it tells the encoder what this kind of file needs.
        self._container = av.open(io.BytesIO(), "w", format=form.muxer)
        self._stream = add_video_stream(self._container, form, rate)
        self._file = PartFileWriter(path)
        self.facts = self._file.facts

    def __enter__(self) -> "VideoPartWriter":
        return self

    def __exit__(self, kind, error, traceback) -> None:
        try:
            if kind is None:
                with output_errors(self._path):
                    self._keep(self._stream.encode(None))
                extradata = self._stream.codec_context.extradata or b""
                self.facts["extradata"] = base64.b64encode(extradata).decode()
        except BaseException as failure:
            self._file.__exit__(type(failure), failure, None)
            raise
        finally:
            with suppress(FFmpegError, OSError):
                self._container.close()
        self._file.__exit__(kind, error, traceback)

    def write(self, image: np.ndarray, time_seconds: Fraction) -> None:
        """Add one picture, uint8 (H, W, 3 or 4), shown from then on; times must rise."""
        check_picture(image, self._form.size_wh, self._form.channels)
        self._last_pts = checked_pts(time_seconds, self._form.time_base, self._last_pts)
        with output_errors(self._path):
            self._keep(self._stream.encode(self._form.frame(image, self._last_pts)))

    def _keep(self, packets) -> None:
        for packet in packets:
            self._file.add(bytes(packet), packet.pts, packet.dts, int(packet.is_keyframe))


class VideoJoin(VideoWriter):
    """`with VideoJoin(...) as out: out.join(parts)`: whole parts in, a finished file out.

    As VideoWriter, which makes the same file of what fits into one part, but for MP4's table of
    frames that no other needs (sdtp; x265 and SVT-AV1 tell those).
    """

    def __enter__(self) -> "VideoJoin":
        return self

    def join(
        self,
        parts: Sequence[PartFile],
        rate: Fraction,
        tick: Callable[[int], None] | None = None,
        moved: Callable[[int], int] | None = None,
    ) -> None:
        """All parts in order. rate: as the parts' writers were told. tick: told how many frames
        more went into the file. moved: when a picture of that time is shown, in ticks, where that
        is another one. OutputError."""
        parts = [part for part in parts if part.pieces]
        shown_at = moved or _as_it_is
        self._stream = self._start_streams(rate)
        with output_errors(self.path):
            self._container.start_encoding()
        own = base64.b64encode(self._stream.codec_context.extradata or b"").decode()
        delay, step = max(map(_delay, parts)), max(map(_step_before, parts))
        starts = [min(shown_at(pts) for _, pts, *_ in part.pieces) for part in parts]
        before: list[int] = []  # the last times before a part
        if moved is not None:  # what the encoder said of its first pictures holds no longer
            before = [starts[0] - back * step for back in range(delay, 0, -1)]
        for part, end in zip(parts, [*starts[1:], None], strict=True):
            if part.facts["extradata"] != own:
                raise OutputError(
                    f"{part.path} was made by another encoder; remove {part.path.parent} and run "
                    "the same command again"
                )
            times = sorted(shown_at(pts) for _, pts, *_ in part.pieces)
            last = end if end is not None else times[-1] + self._usual_step(before + times)
            lengths = {pts: after - pts for pts, after in zip(times, [*times[1:], last])}
            decoded = (before + times)[len(before) - delay :]
            is_told = moved is None and part is parts[0]
            with output_errors(self.path):
                for number, data in enumerate(part.data()):
                    _, pts, dts, is_key = part.pieces[number]
                    pts = shown_at(pts)
                    packet = av.Packet(data)
                    packet.time_base, packet.stream = self.frame_times_base, self._stream
                    packet.pts, packet.duration = pts, lengths[pts]
                    packet.dts = dts if is_told else decoded[number]
                    packet.is_keyframe = bool(is_key)
                    if self._audio is not None:
                        self._audio.feed(pts * self.frame_times_base)
                    self._container.mux(packet)
            self.frames_written += len(times)
            before = (before + times)[-max(delay, 2) :]
            if tick is not None:
                tick(len(times))

    def _usual_step(self, times: list[int]) -> int:
        """Of the last frame, after which none comes."""
        if len(times) > 1:
            return times[-1] - times[-2]
        return max(1, round(Fraction(1, 25) / self.frame_times_base))

    def _drain(self) -> None:
        """Nothing is on its way: the encoder was opened for its parameters alone."""


def _delay(part: PartFile) -> int:
    """How many pictures the decoder gets before the first one is shown."""
    begin = min(pts for _, pts, *_ in part.pieces)
    return sum(dts < begin for _, _, dts, _ in part.pieces)


def _step_before(part: PartFile) -> int:
    """Ticks between them."""
    begin = min(pts for _, pts, *_ in part.pieces)
    return begin - max((dts for _, _, dts, _ in part.pieces if dts < begin), default=begin)


def _as_it_is(ticks: int) -> int:
    return ticks
