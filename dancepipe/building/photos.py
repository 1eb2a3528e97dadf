"""A folder of photos of one person -> its pictures for the data set, each for itself."""

import logging
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from dancepipe.building.crops import CroppedPerson
from dancepipe.errors import BadImageError
from dancepipe.media.image import load_photo, photo_files
from dancepipe.person.cutout import cut_out

log = logging.getLogger(__name__)

FEWEST = 2  # a pair


@dataclass(frozen=True)
class Photos:
    """What was found; `files` are those of `people`, in their order. frame_index and
    time_seconds count the photos of the folder."""

    people: list[CroppedPerson]
    files: list[Path]
    looked_at: int


def label_photos(folder: Path, finder, size_px: int, *, min_joints: int) -> Photos:
    """finder: an open PersonFinder in photo mode with masks. Photos that cannot be used are said
    and left out."""
    files = photo_files(folder)
    people, used = [], []
    for index, path in enumerate(files):
        try:
            photo = load_photo(path)
        except BadImageError as error:
            log.warning(f"left out: {error}")
            continue
        person = finder.find(photo)
        joints = int(person.pose.present.sum()) if person else 0
        if joints < min_joints:
            log.warning(
                f"left out: {path}: "
                + (
                    f"a person with {joints} joints, {min_joints} are needed"
                    if person
                    else "no person found"
                )
            )
            continue
        if person.people_seen > 1:
            log.info(
                f"{path}: {person.people_seen} people; the largest and most central one is taken"
            )
        cut = cut_out(photo, person, size_px)
        people.append(
            CroppedPerson(
                index,
                Fraction(index),
                cut.image,
                cut.mask,
                cut.body,
                cut.box_xyxy_px,
            )
        )
        used.append(path)
    return Photos(people, used, len(files))
