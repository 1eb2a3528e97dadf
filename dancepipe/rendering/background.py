"""What the dancer stands in front of: a colour, the photo's place or the driver's place, each
without its own person, or a picture or video of the user's."""

import logging
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from PIL import ImageColor

from dancepipe.errors import BadImageError, BadVideoError, ConfigError
from dancepipe.media.display import fit_size
from dancepipe.media.image import load_photo
from dancepipe.media.probe import DEFAULT_RATE, probe_video
from dancepipe.media.read import VideoReader
from dancepipe.rendering.motion import Target
from dancepipe.rendering.patch_fill import patch_filled
from dancepipe.rendering.plate import PAINT_SIDE_PX, hole_of, painted, without_person
from dancepipe.rendering.reference import Reference

log = logging.getLogger(__name__)

_BLUR = 0.03  # of the longer side
_OF_DRIVER = ("driver", "blur")
_NAMES = (*_OF_DRIVER, "reference", "transparent")

Background = Callable[[Target], np.ndarray]  # -> uint8 RGB (H, W, 3), may be written to


def check_background(name: str) -> None:
    """Raises ConfigError for what is no name of ours, no colour, and no picture or video."""
    path = file_of(name)
    if path is None:
        return
    if not path.is_file():
        raise ConfigError(
            f"background '{name}' is neither {', '.join(_NAMES)}, a colour (a name or #rrggbb), "
            "nor a picture or video that is there"
        )
    _is_video(path)


def file_of(name: str) -> Path | None:
    """The file that is meant, there or not; None where it is a name of ours or a colour."""
    return None if name in _NAMES or _colour(name) else Path(name)


def needs_mask(name: str) -> bool:
    """Whether the driver's person has to be known, to be left out."""
    return name in _OF_DRIVER


def _colour(name: str) -> tuple[int, int, int] | None:
    try:
        return ImageColor.getrgb(name)[:3]
    except ValueError:
        return None


def _is_video(path: Path) -> bool:
    """False: it is a picture. ConfigError when it is neither."""
    try:
        return bool(probe_video(path))
    except BadVideoError as no_video:
        try:
            load_photo(path, tell=lambda _: None)
        except BadImageError:
            raise ConfigError(
                f"background {path} is no picture, and no video ({no_video.reason})"
            ) from None
        return False


@contextmanager
def open_background(
    name: str,
    reference: Reference,
    size_wh: tuple[int, int],
    begin_seconds: Fraction | None = None,
    plate: np.ndarray | None = None,
) -> Iterator[Background | None]:
    """with-block: the background named by the user, as check_background() let it pass; None for
    a transparent one.

    A picture or video is scaled and cut so that it covers size_wh. A video runs in time with the
    driver, from the first frames of both, and starts again where it is shorter. begin_seconds:
    of the driver; None: of the first frame that is asked for. plate: what is behind the driver's
    person, of size_wh; None: it is painted in. BadImageError, BadVideoError.
    """
    width, height = size_wh
    path = file_of(name)
    if path is not None and _is_video(path):
        with VideoReader(path) as video, closing(_Moving(video, size_wh, begin_seconds)) as moving:
            yield moving
    elif path is not None:
        picture = covering(load_photo(path), size_wh)
        yield lambda target: picture.copy()
    elif name == "transparent":
        yield None
    elif name == "driver":
        yield lambda target: _without_dancer(target, size_wh, plate)
    elif name == "blur":
        yield lambda target: blurred(_without_dancer(target, size_wh, plate))
    elif name == "reference":
        # Shrunk first: a photo has many more pixels than a frame.
        plate = rebuilt(covering(reference.photo, size_wh), covering(reference.photo_mask, size_wh))
        yield lambda target: plate.copy()
    else:
        colour = _colour(name)
        assert colour is not None  # check_background() saw it
        yield lambda target: np.full((height, width, 3), colour, np.uint8)


def _without_dancer(
    target: Target, size_wh: tuple[int, int], plate: np.ndarray | None
) -> np.ndarray:
    image, mask = target.frame.image, target.mask
    if plate is None or mask is None:
        return resized(painted_out(image, mask), size_wh)
    return without_person(resized(image, size_wh), resized(mask, size_wh), plate)


class _Moving:
    """A video that runs in time with the driver."""

    def __init__(
        self, video: VideoReader, size_wh: tuple[int, int], begin_seconds: Fraction | None
    ):
        self._video, self._size_wh = video, size_wh
        self._rounds = self._frames()
        self._next = next(self._rounds)
        self._begin_seconds = begin_seconds  # of the driver

    def __call__(self, target: Target) -> np.ndarray:
        now = target.frame.time_seconds
        if self._begin_seconds is None:
            self._begin_seconds = now
        due = None
        while self._next[0] <= now - self._begin_seconds:
            due, self._next = self._next[1], next(self._rounds)
        if due is not None:
            self._shown = covering(self._video.to_frame(*due).image, self._size_wh)
        return self._shown.copy()

    def close(self) -> None:
        self._rounds.close()

    def _frames(self):
        """Seconds since the beginning of the first round, and an item of decode(); without end."""
        begin_of_next = Fraction(0)
        while True:
            first = last = None
            begin, step = begin_of_next, 1 / DEFAULT_RATE
            for item in self._video.decode():
                first = item[1] if first is None else first
                step = item[1] - last if last is not None else step
                last = item[1]
                begin_of_next = begin + last - first + step
                yield begin + last - first, item


def blurred(image: np.ndarray) -> np.ndarray:
    """The picture far out of focus."""
    height, width = image.shape[:2]
    small_wh = fit_size((width, height), PAINT_SIDE_PX)
    small = cv2.resize(image, small_wh, interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), _BLUR * max(small_wh))
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)


def painted_out(image: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
    """The picture (H, W, 3) with the masked person replaced by what the surroundings suggest
    (blurred)."""
    if mask is None or not (mask > 16).any():
        return image.copy()
    return painted(image, hole_of(mask))


def rebuilt(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The picture (H, W, 3) with pieces of the surroundings in place of the masked person, and of
    the rim that a person's shadow and hair leave beside the mask."""
    if not (mask > 16).any():
        return image.copy()
    hole = hole_of(np.where(hole_of(mask), np.uint8(255), np.uint8(0)))
    filled = patch_filled(np.ascontiguousarray(image), hole)
    if filled is None:
        log.info("the photo shows little beside the person; what is behind is painted in, softly")
        return painted(image, hole)
    return filled


def resized(image: np.ndarray, size_wh: tuple[int, int]) -> np.ndarray:
    """The picture at another size (area average when shrinking)."""
    if image.shape[1::-1] == tuple(size_wh):
        return image
    shrinks = size_wh[0] < image.shape[1]
    return cv2.resize(image, size_wh, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)


def covering(image: np.ndarray, size_wh: tuple[int, int]) -> np.ndarray:
    """The middle of the picture (or mask) scaled so that it covers size_wh without distortion."""
    height, width = image.shape[:2]
    scale = max(size_wh[0] / width, size_wh[1] / height)
    wide, tall = max(size_wh[0], round(width * scale)), max(size_wh[1], round(height * scale))
    image = resized(image, (wide, tall))
    left, top = (wide - size_wh[0]) // 2, (tall - size_wh[1]) // 2
    return image[top : top + size_wh[1], left : left + size_wh[0]]
