"""Labels as users have them: joints and mask that the person finder reads from a picture, with
its mistakes."""

import os
from functools import cache

import numpy as np

from dancepipe.person.finder import PersonFinder, open_person_finder
from dancepipe.records import PersonFrame

LEAST_JOINTS = 10  # build-dataset drops pictures with fewer


def find_person(image: np.ndarray) -> PersonFrame | None:
    """uint8 RGB (H, W, 3) -> the person with a mask, by the default person finder, each picture for
    itself.

    None when nobody is found, or so little of somebody that build-dataset would drop the picture.
    Raises MissingExtraError.
    """
    person = _finder(os.getpid()).find(image)
    return person if person is not None and person.pose.present.sum() >= LEAST_JOINTS else None


@cache
def _finder(process: int) -> PersonFinder:
    """One for each process, opened at its first picture (start processes with spawn: a lock that
    a thread holds stays locked in a fork)."""
    return open_person_finder("mediapipe", "mediapipe", mode="photo")
