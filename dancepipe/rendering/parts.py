"""The parts of a result: how each kind of result is kept in parts, and made of them."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from fractions import Fraction
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from dancepipe.errors import OutputError
from dancepipe.media.image import encode_png
from dancepipe.media.join import VideoJoin, VideoPartWriter
from dancepipe.media.part_file import PartFile, PartFileWriter
from dancepipe.media.write import VideoForm, check_picture, checked_pts, rate_from_step
from dancepipe.media.write_pictures import PictureFolderWriter
from dancepipe.records import VideoInfo
from dancepipe.rendering.cut import Cut
from dancepipe.rendering.kept import KeptRun


class PartWriter(Protocol):
    """What takes the pictures of one part. facts: for later, plain numbers."""

    facts: dict

    def write(self, image: np.ndarray, time_seconds: Fraction) -> None: ...


class Parts(Protocol):
    """One kind of result, in parts."""

    def open_part(self, path: Path) -> AbstractContextManager[PartWriter]:
        """with-block: a part to fill, whole or absent. OutputError."""
        ...

    def join(
        self, parts: Sequence[PartFile], tick: Callable[[int], None], cut: Cut | None = None
    ) -> int:
        """The result, whole or absent -> its frames. tick: told how many more went into it. cut:
        what was left out. OutputError."""
        ...


class EncodedParts:
    """Of a video: parts are encoded, and their packets copied."""

    def __init__(
        self,
        form: VideoForm,
        driver: VideoInfo,
        times: Sequence[Fraction],
        open_join: Callable[[Cut | None], VideoJoin],
    ):
        """times: of the driver's first frames, seconds."""
        self._form, self._open_join = form, open_join
        self._rate = _rate(driver, times)

    def open_part(self, path: Path) -> VideoPartWriter:
        return VideoPartWriter(path, self._form, self._rate)

    def join(
        self, parts: Sequence[PartFile], tick: Callable[[int], None], cut: Cut | None = None
    ) -> int:
        with self._open_join(cut) as result:
            result.join(parts, self._rate, tick, cut and partial(_moved, cut, self._form.time_base))
        return result.frames_written


class PictureParts:
    """Of what is made in one go: parts hold the pictures, without a loss. open_result: gives a
    writer of the result. comment: of each picture, where those are the result; else None."""

    def __init__(
        self,
        size_wh: tuple[int, int],
        base: Fraction,
        channels: int,
        comment: str | None,
        open_result: Callable[[Cut | None], AbstractContextManager],
    ):
        self._size_wh, self._base, self._channels = size_wh, base, channels
        self._comment, self._open_result = comment, open_result

    def open_part(self, path: Path) -> "_PicturePartWriter":
        return _PicturePartWriter(path, self._size_wh, self._base, self._channels, self._comment)

    def join(
        self, parts: Sequence[PartFile], tick: Callable[[int], None], cut: Cut | None = None
    ) -> int:
        with self._open_result(cut) as result:
            for part in parts:
                for (_, pts), data in zip(part.pieces, part.data(), strict=True):
                    seconds = pts * self._base
                    seconds = seconds if cut is None else cut.moved(seconds)
                    if isinstance(result, PictureFolderWriter):
                        result.write_png(data, seconds)
                    else:
                        result.write(_decoded(data, part), seconds)
                    tick(1)
        return result.frames_written


class _PicturePartWriter:
    def __init__(self, path: Path, size_wh, base: Fraction, channels: int, comment: str | None):
        self._size_wh, self._base, self._channels = size_wh, base, channels
        self._comment, self._last_pts = comment, None
        self._file = PartFileWriter(path)
        self.facts = self._file.facts

    def __enter__(self) -> "_PicturePartWriter":
        return self

    def __exit__(self, kind, error, traceback) -> None:
        self._file.__exit__(kind, error, traceback)

    def write(self, image: np.ndarray, time_seconds: Fraction) -> None:
        check_picture(image, self._size_wh, self._channels)
        self._last_pts = checked_pts(time_seconds, self._base, self._last_pts)
        data = _quick_png(image) if self._comment is None else encode_png(image, self._comment)
        self._file.add(data, self._last_pts)


def write_parts(
    pictures: Iterable[tuple[int, np.ndarray | None, Fraction, bool]],
    parts: Parts,
    kept: KeptRun,
    frames_each: int,
) -> None:
    """pictures: index, picture, or None where the frame is left out, seconds and whether a pose is
    held, of whole parts in order."""
    for number, group in groupby(pictures, lambda one: one[0] // frames_each):
        frames = held = 0
        with parts.open_part(kept.path(number)) as part:
            for _, picture, seconds, is_held in group:
                if picture is not None:
                    part.write(picture, seconds)
                frames, held = frames + 1, held + is_held
            part.facts.update(frames=frames, held=held)
        kept.add(number)


def cut_of(parts: Sequence[PartFile], base: Fraction, times: Sequence[Fraction]) -> Cut | None:
    """What was left out of the parts. times: seconds of all frames. None: nothing is left."""
    kept = {pts * base for part in parts for _, pts, *_ in part.pieces}
    return Cut(times, kept) if kept else None


def _moved(cut: Cut, base: Fraction, ticks: int) -> int:
    return int(cut.moved(ticks * base) / base)


def by_part(items: Iterable, index_of: Callable, frames_each: int, most: int) -> Iterator[list]:
    """Groups of at most `most` that lie in one part: what is rendered together does not depend on
    where a run began."""
    group: list = []
    for item in items:
        is_other = group and index_of(item) // frames_each != index_of(group[0]) // frames_each
        if is_other or len(group) == most:
            yield group
            group = []
        group.append(item)
    if group:
        yield group


def _rate(driver: VideoInfo, times: Sequence[Fraction]) -> Fraction:
    """Frames a second to tell the encoder: of the first step, as in any video."""
    step = times[1] - times[0] if len(times) > 1 else 1 / (driver.frame_rate or Fraction(25))
    return rate_from_step(1, Fraction(step))


def _quick_png(image: np.ndarray) -> bytes:
    """For the time until the result is made."""
    swap = cv2.COLOR_RGBA2BGRA if image.shape[2] == 4 else cv2.COLOR_RGB2BGR
    _, data = cv2.imencode(".png", cv2.cvtColor(image, swap), [cv2.IMWRITE_PNG_COMPRESSION, 1])
    return data.tobytes()


def _decoded(data: bytes, part: PartFile) -> np.ndarray:
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if image is None:
        raise OutputError(f"cannot read back {part.path}; remove it and run the same command again")
    swap = cv2.COLOR_BGRA2RGBA if image.shape[2] == 4 else cv2.COLOR_BGR2RGB
    return cv2.cvtColor(image, swap)
