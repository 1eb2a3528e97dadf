"""The motion that --motion names, in place of a look at the driver."""

import logging
from dataclasses import replace
from pathlib import Path

from dancepipe.errors import ConfigError
from dancepipe.rendering.background import needs_mask
from dancepipe.rendering.motion_file import Motion
from dancepipe.rendering.options import AnimateOptions

log = logging.getLogger(__name__)


def read_given_motion(
    driver: Path, options: AnimateOptions
) -> tuple[Motion | None, AnimateOptions]:
    """What --motion names, where it does, and the options that it decides over. MotionError,
    ConfigError."""
    if options.motion is None:
        return None, options
    if needs_mask(options.background):
        raise ConfigError(
            f"a motion does not know where the driver's person has to be left out of the "
            f"background {options.background}; leave --motion out, or name another background"
        )
    if options.person != AnimateOptions.person:
        raise ConfigError(
            "a motion is of one person already; leave --person out, or make another motion with it"
        )
    path, stretch = Path(options.motion), options.stretch()
    motion = Motion(path, options.part_frames)
    motion.check_driver(driver, path)
    head, own = motion.head, motion.stretch
    if stretch.is_whole and not own.is_whole:
        log.info(f"{path}: it is the motion of {own.text()} of {driver}, which is animated")
        return motion, replace(options, pose=head.pose, start=head.start, duration=head.duration)
    motion.take(stretch, path)
    return motion, replace(options, pose=head.pose)
