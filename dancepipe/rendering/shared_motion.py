"""The driver's motion where several runs share its parts: whoever comes first finds it, the others
wait for its pieces, and go on with it when that one is gone."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from dancepipe.errors import BusyError
from dancepipe.files.lock import Lock
from dancepipe.media.read import VideoReader
from dancepipe.person.finder import PersonFinder
from dancepipe.records import Frame, PersonFrame
from dancepipe.rendering.driver_motion import black_frame
from dancepipe.rendering.motion import Survey
from dancepipe.rendering.motion_file import Motion
from dancepipe.rendering.motion_pieces import MotionPieces

_LOCK = ".dancepipe-motion.lock"
_BETWEEN_LOOKS_SECONDS = 0.2

Stopped = Callable[[], bool]


class SharedMotion:
    """`with SharedMotion(pieces, folder, find) as motion: ...`: pieces as they come to be there.

    find: adds the survey and all pieces that are missing, until told to stop; called in a thread by
    one of the runs at a time, the one that holds the lock in `folder`.
    """

    def __init__(
        self,
        pieces: MotionPieces | Motion,
        folder: Path,
        find: Callable[[MotionPieces, Stopped], None],
    ):
        self.pieces, self._folder, self._find = pieces, folder, find
        self._error: BaseException | None = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> "SharedMotion":
        if self.pieces.end is None or self.pieces.survey() is None:
            self._thread = threading.Thread(target=self._work, name="motion", daemon=True)
            self._thread.start()
        return self

    def __exit__(self, *_) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def survey(self) -> Survey:
        """When it is there. Raises what finding it raises, here or in the thread of this run."""
        while (survey := self.pieces.survey()) is None:
            self._wait()
        return survey

    def has(self, number: int) -> bool:
        """When it is known: whether the driver goes on for that piece."""
        while self.pieces.count <= number and self.pieces.end is None:
            assert isinstance(self.pieces, MotionPieces)  # of the other one the end is known
            self.pieces.look_again()
            if self.pieces.count <= number and self.pieces.end is None:
                self._wait()
        return number < self.pieces.count

    def _wait(self) -> None:
        if self._error is not None:
            raise self._error
        self._stop.wait(_BETWEEN_LOOKS_SECONDS)

    def _work(self) -> None:
        try:
            while not self._stop.is_set():
                try:
                    lock = Lock(self._folder / _LOCK, self._folder, "wait until it is done")
                except BusyError:
                    continue
                with lock:
                    each = self.pieces.frames_each
                    self._find(MotionPieces(self._folder, each), self._stop.is_set)
                return
        except BaseException as error:  # carried over to who waits, not swallowed
            self._error = error


def people_of_share(
    motion: SharedMotion,
    takes: Callable[[int], bool],
    decoded: Iterator[Frame] | None,
    finder: PersonFinder | None,
    size_wh: tuple[int, int],
) -> Iterator[tuple[Frame, PersonFrame | None]]:
    """Every frame of the driver with its person, as the pieces come to be there.

    takes: whether a part is wanted: of these alone pictures and masks are right. decoded: all
    frames, as frames_of_share() gives them; None: pictures are not needed. finder: where masks are,
    in video mode, as new. size_wh: of the driver's pictures.
    """
    pieces, number = motion.pieces, 0
    while motion.has(number):
        if takes(number) and finder is not None:
            assert isinstance(pieces, MotionPieces)  # a motion file knows of no masks
            if memory := pieces.memory_before(number):
                finder.recall(memory)
        first = number * pieces.frames_each
        count = min(pieces.frames_each, pieces.frames - first)
        for index in range(first, first + count):
            seconds, person = pieces.frame(index)
            if decoded is None:
                yield black_frame(index, seconds, size_wh), person
                continue
            frame = next(decoded)
            if finder is not None and takes(number):
                person = finder.find(frame.image)
            yield frame, person
        number += 1


def frames_of_share(
    video: VideoReader, takes: Callable[[int], bool], frames_each: int
) -> Iterator[Frame]:
    """All frames; those of parts that are not wanted are decoded, as others follow from them, but
    not converted."""
    for index, seconds, decoded in video.decode():
        if takes(index // frames_each):
            yield video.to_frame(index, seconds, decoded)
        else:
            yield black_frame(index, seconds, video.image_size_wh)
