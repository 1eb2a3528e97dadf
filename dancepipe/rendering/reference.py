"""The photo -> the reference: the person alone on grey, as the networks want it, and what lies
behind."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dancepipe.errors import BadImageError, ConfigError, NoPersonError
from dancepipe.media.image import load_photo, photo_files
from dancepipe.person.cutout import cut_out
from dancepipe.person.finder import PersonFinder
from dancepipe.pose.skeleton import (
    JOINTS,
    L_ANKLE,
    L_KNEE,
    L_WRIST,
    R_ANKLE,
    R_KNEE,
    R_WRIST,
    is_from_behind,
)
from dancepipe.records import BodyPose, PersonFrame, Pose

log = logging.getLogger(__name__)

MIN_PHOTO_SIDE_PX = 64
MIN_PERSON_SIDE_PX = 64
_WANTED = (R_WRIST, L_WRIST, R_KNEE, L_KNEE, R_ANKLE, L_ANKLE)


@dataclass(frozen=True)
class Reference:
    """The person of the photo in the networks' square picture."""

    image: np.ndarray  # uint8 RGB (S, S, 3) on grey
    mask: np.ndarray  # uint8 (S, S)
    body: BodyPose  # in that picture's pixels
    photo: np.ndarray  # uint8 RGB, whole
    photo_mask: np.ndarray  # uint8, the person in the photo

    @property
    def pose(self) -> Pose:
        """The 18 joints."""
        return self.body.joints


def photos_of(ref: Path | str | Sequence[Path | str]) -> tuple[Path, ...]:
    """The photos of one person: files, and of folders the pictures in them by name; the first
    counts most. ConfigError when there is none."""
    given = [Path(ref)] if isinstance(ref, Path | str) else [Path(one) for one in ref]
    photos = []
    for one in given:
        try:
            photos += photo_files(one) if one.is_dir() else [one]
        except OSError as error:
            raise ConfigError(
                f"cannot look into {one}: {error.strerror}; name a folder that you may read"
            ) from error
    if not photos:
        raise ConfigError(
            f"no photo in {', '.join(map(str, given)) or 'an empty list'}; give at least one"
        )
    return tuple(photos)


def read_reference(path: Path, finder: PersonFinder, size_px: int) -> Reference:
    """finder: an open PersonFinder in photo mode with masks.

    Raises BadImageError (unreadable or far too small) and NoPersonError. Says what
    a user should know: several people, parts of the body that the photo does not show.
    """
    photo = load_photo(path)
    _check_size(path, photo)
    person = finder.find(photo)
    if person is None:
        raise NoPersonError(
            f"no person found in {path}; give a photo that shows one person whole and upright, "
            "well lit"
        )
    return reference_of(path, photo, person, size_px, tells=True)


def _check_size(path: Path, photo: np.ndarray) -> None:
    height, width = photo.shape[:2]
    if min(height, width) < MIN_PHOTO_SIDE_PX:
        raise BadImageError(
            path,
            f"it has {width} x {height} pixels; a reference needs at least {MIN_PHOTO_SIDE_PX} "
            "on the shorter side",
        )


def reference_of(
    path: Path, photo: np.ndarray, person: PersonFrame, size_px: int, *, tells: bool
) -> Reference:
    """Of the person in a picture, uint8 RGB (H, W, 3), of that file. tells: what a user should
    know. NoPersonError."""
    cut = cut_out(photo, person, size_px)
    side = cut.box_xyxy_px[2] - cut.box_xyxy_px[0]
    if side < MIN_PERSON_SIDE_PX:
        raise NoPersonError(
            f"the person in {path} is only {side:.0f} pixels tall; give a photo with at least "
            f"{MIN_PERSON_SIDE_PX}, better {size_px}"
        )
    assert person.mask is not None  # the finder was opened with masks
    if tells:
        _tell(path, person, side, size_px)
    return Reference(cut.image, cut.mask, cut.body, photo, person.mask)


def _tell(path: Path, person: PersonFrame, side: float, size_px: int) -> None:
    if person.people_seen > 1:
        log.info(f"{path}: {person.people_seen} people; the largest and most central one is taken")
    if side < size_px / 2:
        log.warning(
            f"{path}: the person is {side:.0f} pixels tall, less than half of the {size_px} that "
            "are drawn; the result will be soft"
        )
    if is_from_behind(person.pose):
        log.warning(
            f"{path}: the person is seen from behind; the face and the front have to be invented, "
            "a photo from the front gives a better result"
        )
    hidden = [
        JOINTS[joint].replace("_", " ") for joint in _WANTED if not person.pose.present[joint]
    ]
    if hidden:
        log.info(
            f"{path}: does not show the {', '.join(hidden)}; what the photo does not show has to "
            "be invented"
        )
