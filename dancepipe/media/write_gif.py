"""Frames into an animated GIF, one palette a frame, so that memory stays flat."""

import logging
import os
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.error import FFmpegError
from av.filter import Graph

from dancepipe.errors import OutputError
from dancepipe.files.whole_file import WholeFile
from dancepipe.media.write import check_frames, check_picture, checked_pts, output_errors

log = logging.getLogger(__name__)

_TICK = Fraction(1, 100)  # what GIF counts in
# Browsers show whatever lasts one tick for ten of them.
_LEAST_TICKS = 2
_LAST_FRAME_TICKS = 4
_TRAILER = b";"


class GifWriter:
    """As media.write.VideoWriter, without sound: pictures in, a finished GIF that repeats out.

    GIF counts in hundredths of a second: times are rounded, and a picture that would last less than
    two of them is left out (both are said). comment: a text that the file carries. frames_written:
    pictures that went into the file. OutputError: folder, space, no picture.
    """

    def __init__(
        self,
        path: Path,
        size_wh: tuple[int, int],
        frame_times_base: Fraction,
        *,
        comment: str,
        overwrite: bool,
    ):
        self.path, self.size_wh = Path(path), (size_wh[0], size_wh[1])
        self.frame_times_base = Fraction(frame_times_base)
        self.frames_written = 0
        self._comment = comment.encode("ascii", "replace")[:255]
        self._left_out = 0
        self._last_pts: int | None = None
        self._last_tick: int | None = None
        self._first_seconds = Fraction(0)
        self._graph = _palette_graph(self.size_wh)
        self._file = WholeFile(self.path, overwrite=overwrite)
        try:
            with output_errors(self.path):
                self._container = av.open(
                    os.path.abspath(self._file.part),
                    "w",
                    format="gif",
                    options={"loop": "0", "final_delay": str(_LAST_FRAME_TICKS)},
                )
                self._stream = self._container.add_stream("gif", rate=25)
                self._stream.width, self._stream.height = self.size_wh
                self._stream.pix_fmt = "pal8"
                self._stream.codec_context.time_base = _TICK
        except BaseException:
            self._file.discard()
            raise

    def __enter__(self) -> "GifWriter":
        return self

    def __exit__(self, kind, *_) -> None:
        try:
            if kind is None:
                self._finish()
        finally:
            with suppress(FFmpegError, OSError):
                self._container.close()
            self._file.discard()

    def write(self, image: np.ndarray, time_seconds: Fraction) -> None:
        """Add one picture, uint8 RGB (H, W, 3), shown from time_seconds on. Times must rise."""
        check_picture(image, self.size_wh)
        if self._last_pts is None:
            self._first_seconds = Fraction(time_seconds)
        self._last_pts = checked_pts(time_seconds, self.frame_times_base, self._last_pts)
        tick = round((Fraction(time_seconds) - self._first_seconds) / _TICK)
        if self._last_tick is not None and tick < self._last_tick + _LEAST_TICKS:
            self._left_out += 1
            return
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), "rgb24")
        frame.pts, frame.time_base = tick, _TICK
        with output_errors(self.path):
            self._graph.push(frame)
            shown = self._graph.pull()
            assert isinstance(shown, av.VideoFrame)  # the graph knows no sound
            self._container.mux(self._stream.encode(shown))
        self._last_tick = tick
        self.frames_written += 1

    def _finish(self) -> None:
        if self.frames_written == 0:
            raise OutputError(f"no frame was written, so there is no {self.path}")
        with output_errors(self.path):
            self._container.mux(self._stream.encode(None))
            self._container.close()
            _add_comment(self._file.part, self._comment)
        check_frames(self._file.part, self.path, self.frames_written)
        self._file.publish()
        if self._left_out:
            log.warning(
                f"{self.path}: {self._left_out} frames left out, since GIF shows at most 50 a "
                "second; .mp4 keeps them all"
            )


def _palette_graph(size_wh: tuple[int, int]) -> Graph:
    graph = Graph()
    source = graph.add_buffer(
        width=size_wh[0], height=size_wh[1], format=av.VideoFormat("rgb24"), time_base=_TICK
    )
    split = graph.add("split")
    palette = graph.add("palettegen", "stats_mode=single")
    # A pattern that stays where it is does not flicker, and packs well.
    use = graph.add("paletteuse", "new=1:dither=bayer:bayer_scale=3")
    sink = graph.add("buffersink")
    source.link_to(split)
    split.link_to(use, 0, 0)
    split.link_to(palette, 1, 0)
    palette.link_to(use, 0, 1)
    use.link_to(sink)
    graph.configure()
    return graph


def _add_comment(part: Path, comment: bytes) -> None:
    """A comment block before the end of the file; FFmpeg writes none."""
    with open(part, "r+b") as file:
        file.seek(-1, os.SEEK_END)
        if file.read(1) != _TRAILER:
            raise OSError("the GIF has no end")
        file.seek(-1, os.SEEK_END)
        file.write(b"!\xfe" + bytes([len(comment)]) + comment + b"\0" + _TRAILER)
