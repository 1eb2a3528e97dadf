"""Frames into a folder of PNGs, with a list of how long each is shown."""

import os
import re
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path

import numpy as np

from dancepipe.errors import OutputError
from dancepipe.files.whole_file import whole_folder
from dancepipe.media.image import encode_png
from dancepipe.media.write import check_picture, checked_pts, output_errors

LIST_NAME = "frames.ffconcat"
_OURS = re.compile(r"frame-\d{6,}\.png|frames\.ffconcat")


class PictureFolderWriter:
    """As media.write.VideoWriter, without sound: pictures in, a folder of them out.

    It holds frame-000000.png and so on, and frames.ffconcat, which says in seconds how long
    each is shown (`ffmpeg -i` plays it, on a grid of 25 a second).

    size_wh: of the pictures. transparent: they are RGBA (H, W, 4), straight alpha.
    comment: a text that each picture carries. The folder appears when it is whole, in place of one
    that check_picture_folder() let pass. OutputError: space, no picture.
    """

    def __init__(
        self,
        path: Path,
        size_wh: tuple[int, int],
        frame_times_base: Fraction,
        *,
        comment: str,
        transparent: bool,
        overwrite: bool,
    ):
        self.path, self.size_wh = Path(path), (size_wh[0], size_wh[1])
        self.frame_times_base = Fraction(frame_times_base)
        self.frames_written = 0
        self._comment, self._overwrite = comment, overwrite
        self._channels = 4 if transparent else 3
        self._last_pts: int | None = None
        self._step = 0
        self._opened = ExitStack()
        self._part = self._opened.enter_context(whole_folder(Path(os.path.realpath(self.path))))
        self._list = self._opened.enter_context(
            open(self._part / LIST_NAME, "w", encoding="ascii", newline="\n")
        )
        self._list.write("ffconcat version 1.0\n")

    def __enter__(self) -> "PictureFolderWriter":
        return self

    def __exit__(self, kind, error, traceback) -> None:
        if kind is not None:
            self._opened.__exit__(kind, error, traceback)
            return
        with self._opened:
            if self.frames_written == 0:
                raise OutputError(f"no frame was written, so there is no {self.path}")
            with output_errors(self.path):
                self._say_duration()
                self._list.flush()
            check_picture_folder(self.path, overwrite=self._overwrite, inputs=())

    def write(self, image: np.ndarray, time_seconds: Fraction) -> None:
        """Add one picture, uint8 (H, W, 3 or 4), shown from time_seconds on. Times must rise."""
        check_picture(image, self.size_wh, self._channels)
        self.write_png(encode_png(image, self._comment), time_seconds)

    def write_png(self, data: bytes, time_seconds: Fraction) -> None:
        """The same of a picture that is a PNG already."""
        pts = checked_pts(time_seconds, self.frame_times_base, self._last_pts)
        name = f"frame-{self.frames_written:06d}.png"
        with output_errors(self.path):
            if self._last_pts is not None:
                self._step = pts - self._last_pts
                self._say_duration()
            (self._part / name).write_bytes(data)
            self._list.write(f"file {name}\n")
        self._last_pts = pts
        self.frames_written += 1

    def _say_duration(self) -> None:
        seconds = float(self._step * self.frame_times_base) or 0.04
        self._list.write(f"duration {seconds:.6f}\n")


def check_picture_folder(path: Path | str, *, overwrite: bool, inputs) -> None:
    """Before long work: may the folder `path` be made? OutputError says why not; makes nothing.

    One that is there is replaced with `overwrite` alone, and only where nothing but frames of ours
    is in it, none of which is among `inputs`. An empty one is as good as none.
    """
    target = Path(os.path.realpath(path))
    if not os.path.lexists(target):
        if not os.path.isdir(target.parent):
            raise OutputError(
                f"cannot write {path}: there is no folder {target.parent}; make it first"
            )
        return
    if not target.is_dir():
        raise OutputError(
            f"cannot write a folder of PNGs to {path}: it is a file; name a folder, or a video by "
            "its suffix"
        )
    there = sorted(entry.name for entry in os.scandir(target))
    strange = next((name for name in there if not _OURS.fullmatch(name)), None)
    if strange is not None:
        raise OutputError(
            f"cannot write a folder of PNGs to {path}: it holds {strange}, which is no frame of "
            "ours; name a new folder, or a video by its suffix"
        )
    if any(given and target in Path(os.path.realpath(given)).parents for given in inputs):
        raise OutputError(f"{path} would replace an input; choose another name for the result")
    if there and not overwrite:
        raise OutputError(
            f"{path} is there already; choose another name, or replace it with --overwrite"
        )
