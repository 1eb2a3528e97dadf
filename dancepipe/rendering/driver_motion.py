"""Who is where in each frame of the driver: first what was kept, then what is found, which is kept
in its turn."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace

import numpy as np

from dancepipe.media.read import VideoReader
from dancepipe.person.finder import PersonFinder
from dancepipe.records import Frame, PersonFrame
from dancepipe.rendering.motion_file import Motion
from dancepipe.rendering.motion_pieces import DriverEnd, MotionPiece, MotionPieces
from dancepipe.rendering.overlap import in_thread

QUEUE_FRAMES = 8


class DriverMotion:
    """Frames of the driver with their people, from any frame on.

    shows_frames: the pixels of every frame are needed; else those of kept frames are black.
    keeps_masks: masks are needed, which are not kept: such frames are looked at once more.
    """

    def __init__(
        self,
        video: VideoReader,
        pieces: MotionPieces | Motion,
        *,
        shows_frames: bool,
        needs_masks: bool,
    ):
        self._video, self._pieces = video, pieces
        self._shows_frames, self._needs_masks = shows_frames, needs_masks

    def found_from(self, first: int) -> int:
        """The frame from which on people are looked for, where those from `first` on are made."""
        each = self._pieces.frames_each
        kept = self._pieces.count
        return (min(kept, first // each) if self._needs_masks else kept) * each

    @property
    def needs_finder(self) -> bool:
        """Whether anybody has to be looked for."""
        return self._needs_masks or self._pieces.end is None

    def begins_at(self, first: int, smooth_radius: int) -> int:
        """The frame from which on smoothing and holding give the same for `first` on as if they
        had begun with the driver's first frame."""
        last = min(first, self.found_from(first)) - 1
        while last > 0 and self._pieces.frame(last)[1] is None:
            last -= 1
        return max(0, last - smooth_radius)

    def people(
        self, begin: int, first: int, finder: PersonFinder | None, opened: ExitStack
    ) -> Iterator[tuple[Frame, PersonFrame | None]]:
        """From frame `begin` on; masks from `first` on. finder: as new, in video mode; None where
        nobody has to be looked for. opened: holds the thread that decodes."""
        found_from = self.found_from(first)
        is_kept_whole = finder is None
        decoded: Iterator[Frame] = iter(())
        if self._shows_frames or not is_kept_whole:
            start = begin if self._shows_frames else found_from
            thread = in_thread(_frames_from(self._video, start), QUEUE_FRAMES, "decode")
            decoded = opened.enter_context(closing(thread))
        return self._people(begin, found_from, decoded, finder)

    def _people(
        self, begin: int, found_from: int, decoded: Iterator[Frame], finder: PersonFinder | None
    ) -> Iterator[tuple[Frame, PersonFrame | None]]:
        kept_until = self._pieces.frames if finder is None else found_from
        for index in range(begin, kept_until):
            seconds, person = self._pieces.frame(index)
            if self._shows_frames:
                yield next(decoded), person
            else:
                yield black_frame(index, seconds, self._video.image_size_wh), person
        if finder is not None:
            yield from self._found(found_from // self._pieces.frames_each, decoded, finder)

    def _found(
        self, number: int, frames: Iterable[Frame], finder: PersonFinder
    ) -> Iterator[tuple[Frame, PersonFrame | None]]:
        """From the first frame of that piece on."""
        pieces = self._pieces
        assert isinstance(pieces, MotionPieces)  # in the other one everybody is found
        memory = pieces.memory_before(number)
        if memory:
            finder.recall(memory)
        times, people = [], []
        for frame in frames:
            if len(times) == self._pieces.frames_each:
                # Now, that there is a frame behind it, and before the finder sees that.
                piece = MotionPiece(times, people, finder.memory(), None)
                pieces.keep(number, piece)
                times, people, number = [], [], number + 1
            person = finder.find(frame.image)
            times.append(frame.time_seconds)
            people.append(person and replace(person, mask=None))
            yield frame, person
        end = DriverEnd(
            self._video.frames_read, self._video.corrupt_frames, self._video.shortfall_seconds
        )
        pieces.keep(number, MotionPiece(times, people, {}, end))


def _frames_from(video: VideoReader, first: int) -> Iterator[Frame]:
    """Those before are decoded, as the others follow from them, but not converted."""
    for index, seconds, decoded in video.decode():
        if index >= first:
            yield video.to_frame(index, seconds, decoded)


def black_frame(index: int, seconds, size_wh: tuple[int, int]) -> Frame:
    """Of one byte."""
    return Frame(index, seconds, np.broadcast_to(np.uint8(0), (size_wh[1], size_wh[0], 3)))
