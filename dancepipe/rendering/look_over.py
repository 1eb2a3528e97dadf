"""A sparse look over a whole driver, before its first frame is rendered."""

import logging
from collections.abc import Sequence
from pathlib import Path

from dancepipe.person.finder import PersonFinder
from dancepipe.progress import counted
from dancepipe.rendering.dancer import Dancer
from dancepipe.rendering.motion import SURVEY_FRAMES, Survey, survey_driver
from dancepipe.rendering.side_by_side import found_side_by_side

log = logging.getLogger(__name__)


def look_over(
    driver: Path,
    finders: Sequence[PersonFinder],
    dancer: Dancer | None,
    *,
    reader: str,
    max_side_px: int | None,
) -> Survey:
    """finders: in photo mode, which work side by side. dancer: who was named. reader: "pyav" or
    "decord". NoPersonError, BadVideoError, MissingExtraError."""
    if reader == "decord":
        from dancepipe.media.read_decord import read_spread_frames
    else:
        from dancepipe.media.read import read_spread_frames
    frames = read_spread_frames(driver, SURVEY_FRAMES, max_side_px=max_side_px)
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
