"""One driver for many videos: whoever comes first finds its motion, the others wear it."""

import hashlib
import json
import os
import re
import time
from collections.abc import Mapping
from pathlib import Path

from dancepipe.errors import BusyError, OutputError
from dancepipe.files.whole_file import make_folder
from dancepipe.media.fetched import local_video
from dancepipe.rendering.find_motion import motion
from dancepipe.rendering.motion_file import SUFFIX
from dancepipe.rendering.motion_options import MotionOptions
from dancepipe.rendering.options import AnimateOptions
from dancepipe.rendering.picture import shows_driver

_BETWEEN_LOOKS_SECONDS = 0.5
_ASKED = (
    "person",
    "pose",
    "yolo_weights",
    "reader",
    "start",
    "duration",
)  # of MotionOptions, and of animate


def with_motion(folder: Path, driver: str, options: Mapping[str, object]) -> Mapping[str, object]:
    """The options (fields of AnimateOptions) by which animate wears the driver's motion, a file in
    `folder` that is found now where it is not there; the same options where a video is not made by
    one, or would be another one by it. Raises what motion() raises.

    What is shown of the driver is looked at at its own size, and the dancer in it pixel by pixel.
    """
    if options["motion"] is not None or shows_driver(AnimateOptions(**options)):  # type: ignore
        return options
    asked = MotionOptions(**{name: options[name] for name in (*_ASKED, "device")})  # type: ignore
    video = local_video(driver, own_network=bool(options["own_network"]))
    place = folder / _name(video, asked)
    make_folder(folder)
    _find_once(video, place, asked)
    return {**options, "motion": str(place), "person": AnimateOptions.person}


def _name(driver: Path, asked: MotionOptions) -> str:
    """After the file as it is now, and after the dancer."""
    try:
        found = os.stat(driver)
        stamp = [found.st_size, found.st_mtime_ns]
    except OSError:  # whoever opens it says why
        stamp = []
    words = [os.path.abspath(driver), *stamp, *(getattr(asked, name) for name in _ASKED)]
    digest = hashlib.sha1(json.dumps(words).encode()).hexdigest()[:12]
    stem = re.sub(r"[^A-Za-z0-9_-]+", "-", driver.stem).strip("-")[:48]
    return f"{stem or 'driver'}-{digest}{SUFFIX}"


def _find_once(driver: Path, place: Path, asked: MotionOptions) -> None:
    """By one process; the others wait for it, and go on with what it has when it is gone."""
    while not place.exists():
        try:
            motion(driver, place, asked)
        except BusyError:
            time.sleep(_BETWEEN_LOOKS_SECONDS)
        except OutputError:
            if not place.exists():  # it came to be there meanwhile
                raise
