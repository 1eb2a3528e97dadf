"""A sparse look over a driver, before its first frame is rendered: at its people, and at what
is behind them."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dancepipe.media.read import read_spread_frames
from dancepipe.media.stretch import Stretch
from dancepipe.person.finder import PersonFinder
from dancepipe.progress import counted
from dancepipe.rendering.background import resized
from dancepipe.rendering.dancer import Dancer
from dancepipe.rendering.motion import SURVEY_FRAMES, Survey, survey_driver
from dancepipe.rendering.plate import LOOKED_AT, clean_plate
from dancepipe.rendering.side_by_side import found_side_by_side

log = logging.getLogger(__name__)


def look_over(
    driver: Path,
    finders: Sequence[PersonFinder],
    dancer: Dancer | None,
    *,
    reader: str,
    max_side_px: int | None,
    stretch: Stretch,
) -> Survey:
    """finders: in photo mode, which work side by side. dancer: who was named. reader: "pyav" or
    "decord". NoPersonError, BadVideoError, MissingExtraError."""
    if reader == "decord":
        from dancepipe.media.read_decord import read_spread_frames as read
    else:
        read = read_spread_frames
    frames = read(driver, SURVEY_FRAMES, max_side_px, stretch)
    clothes = None if dancer is None else dancer.chosen.clothes
    with counted(total=len(frames), desc="survey", unit="frame", leave=False) as count:
        images = [frame.image for frame in frames]
        people = found_side_by_side(images, finders, clothes, count.update)
    if dancer is not None:
        people.insert(0, dancer.chosen.person)
    survey = survey_driver(people, driver)
    if dancer is not None:
        log.info(f"{driver}: {dancer.text()} is followed")
    elif survey.people_seen > 1:
        log.info(
            f"{driver}: up to {survey.people_seen} people; the largest and most central one "
            "is followed (--preview shows them, --person names another)"
        )
    return survey


def look_behind(
    driver: Path,
    finders: Sequence[PersonFinder],
    dancer: Dancer | None,
    size_wh: tuple[int, int],
    stretch: Stretch,
) -> np.ndarray | None:
    """The driver's place without the dancer, uint8 RGB of size_wh; None where the camera moves,
    which is said. finders: as look_over has them, with masks. BadVideoError."""
    frames = read_spread_frames(driver, LOOKED_AT, max(size_wh), stretch)
    images = [resized(frame.image, size_wh) for frame in frames]
    clothes = None if dancer is None else dancer.chosen.clothes
    with counted(total=len(frames), desc="background", unit="frame", leave=False) as count:
        people = found_side_by_side(images, finders, clothes, count.update)
    seen = [
        (image, person.mask)
        for image, person in zip(images, people)
        if person is not None and person.mask is not None
    ]
    plate = clean_plate([image for image, _ in seen], [mask for _, mask in seen]) if seen else None
    if plate is None:
        log.info(f"{driver}: the camera moves; what the dancer hides is painted in, softly")
    return plate
