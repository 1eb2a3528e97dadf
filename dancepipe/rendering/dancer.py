"""Which dancer of the driver is followed, where somebody was named."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from dancepipe.errors import NoPersonError
from dancepipe.media.probe import probe_layout
from dancepipe.media.read import VideoReader
from dancepipe.media.stretch import WHOLE, Stretch
from dancepipe.person.choice import PersonChoice
from dancepipe.person.finder import PersonFinder, SeenPerson
from dancepipe.person.track import Named
from dancepipe.records import Frame, Pose
from dancepipe.rendering.options import AnimateOptions
from dancepipe.rendering.picture import shows_driver

# Poses gain nothing from more; whole frames are decoded only where the result shows them.
ANALYSIS_SIDE_PX = 640


@dataclass(frozen=True)
class Dancer:
    """Whom the choice means, among all people of one frame of the driver."""

    frame: Frame
    seconds: float  # of that frame, after the first one
    people: list[SeenPerson]  # from left to right
    index: int  # of the one who is meant

    @property
    def chosen(self) -> SeenPerson:
        """The one who is meant."""
        return self.people[self.index]

    @property
    def named(self) -> Named:
        """The same, for a finder."""
        return Named(self.frame.index, self.chosen.sighting, self.chosen.clothes)

    def text(self) -> str:
        """Who that is, for the user."""
        count = len(self.people)
        who = (
            "the only person seen"
            if count == 1
            else f"person {self.index + 1} of {count} from the left"
        )
        return f"{who} at {self.seconds:.2f} s"


def decoded_side_px(options: AnimateOptions) -> int | None:
    """Of the driver's frames, where its people are found; None: their own size."""
    return None if shows_driver(options) else ANALYSIS_SIDE_PX


def find_dancer(
    driver: Path,
    choice: PersonChoice,
    finder: PersonFinder,
    max_side_px: int | None,
    stretch: Stretch = WHOLE,
) -> Dancer:
    """finder: in photo mode. max_side_px, stretch: of the frames, as they are followed afterwards.

    The frame is the first one at or after the chosen time of the whole driver; without a time, the
    first one of the stretch that shows anybody. Raises NoPersonError, BadVideoError.
    """
    times = probe_layout(driver).times
    before_seconds = stretch.origin_seconds(times) - times[0] if stretch.begin_seconds else None
    wanted = choice.seconds
    outside = NoPersonError(
        f"the person is named at {wanted} s of {driver}, and only {stretch.text()} are animated; "
        "name a time in there"
    )
    if wanted is not None and before_seconds is not None and wanted < before_seconds:
        raise outside
    with VideoReader(driver, max_side_px, stretch) as video:
        found = _moment(video, wanted, finder, before_seconds)
    if found is None and not stretch.is_whole:
        if wanted is not None:
            raise outside
        raise NoPersonError(
            f"nobody is seen in {stretch.text()} of {driver}; name another start or duration"
        )
    if found is None:
        raise NoPersonError(
            f"nobody is seen in {driver}; give a video that shows one person whole"
            if choice.seconds is None
            else f"{driver} ends before {choice.seconds:g} s; name an earlier time for the person"
        )
    seconds, frame, people = found
    if not people:
        raise NoPersonError(f"nobody is seen at {seconds:.2f} s of {driver}; name another time")
    if choice.is_default:
        return Dancer(frame, seconds, people, _first_choice(frame, people, finder))
    try:
        index = choice.index_among([one.sighting for one in people], people[0].size_wh)
    except NoPersonError as error:
        raise NoPersonError(f"{driver} at {seconds:.2f} s: {error}") from None
    return Dancer(frame, seconds, people, index)


def _moment(
    video: VideoReader,
    wanted_seconds: float | None,
    finder: PersonFinder,
    before_seconds: Fraction | None,
) -> tuple[float, Frame, list[SeenPerson]] | None:
    """The time, the frame and its people; None when there is no such frame."""
    for seconds, frame in _from(video, wanted_seconds, before_seconds):
        people = finder.find_closely(frame.image)
        if people or wanted_seconds is not None:
            return seconds, frame, people
    return None


def _from(
    video: VideoReader, seconds: float | None, before_seconds: Fraction | None
) -> Iterator[tuple[float, Frame]]:
    """The frames from that time on, with their times after the driver's first frame, which comes
    that much before the stretch; only these are converted."""
    first: Fraction | None = None if before_seconds is None else -before_seconds
    for index, time_seconds, decoded in video.decode():
        first = time_seconds if first is None else first
        since = float(time_seconds - first)
        if seconds is None or since >= seconds:
            yield since, video.to_frame(index, time_seconds, decoded)


def _first_choice(frame: Frame, people: list[SeenPerson], finder: PersonFinder) -> int:
    """Of these the one whom a finder takes to whom nobody was named."""
    taken = finder.find(frame.image)
    if taken is None:
        return 0
    away = [np.hypot(*(_middle(one.person.pose) - _middle(taken.pose))) for one in people]
    return int(np.argmin(away))


def _middle(pose: Pose) -> np.ndarray:
    return pose.points_px[pose.present].mean(0)
