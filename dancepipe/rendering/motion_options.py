"""The options of motion."""

from dataclasses import dataclass

from dancepipe.config import option
from dancepipe.media.stretch import Stretch, seconds_of


@dataclass(frozen=True)
class MotionOptions:
    person: str = option(
        "largest",
        "which dancer is followed: largest, left, right, a number from the left, or x,y in shares "
        "of width and height; as animate --preview shows them, or @seconds later: 2@3.5",
    )
    start: float = option(
        0.0,
        "look at the video from there on: seconds, or a time as 1:30",
        minimum=0,
        parse=seconds_of,
    )
    duration: float | None = option(
        None, "for how long: seconds, or a time (default: to the video's end)", parse=seconds_of
    )
    pose: str = option("mediapipe", "pose backend", choices=("mediapipe", "yolo"))
    yolo_weights: str | None = option(
        None, "weights of the yolo backend: a file, or a known name that ultralytics may download"
    )
    device: str = option("auto", "auto, cpu, cuda, cuda:1 ... of the yolo backend")
    reader: str = option(
        "pyav",
        "who reads the sparse frames of the survey: pyav or decord (extra decord)",
        choices=("pyav", "decord"),
    )
    own_network: bool = option(
        False, "let the video's address lead on into your own network (redirects, pages' media)"
    )
    overwrite: bool = option(False, "replace a result that is there already")

    def stretch(self) -> Stretch:
        """What of the driver is looked at. ConfigError."""
        return Stretch.of(self.start, self.duration)
