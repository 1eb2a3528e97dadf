"""What a pose backend is: it looks at a picture, says cheaply where everyone is, and reads the
bodies that are asked for.

A backend keeps nothing from one picture to the next, and any number of threads may use one. Who is
followed through a clip is no business of its: that is track.py's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np

from dancepipe.person.clothes import Clothes
from dancepipe.records import PersonFrame


@dataclass(frozen=True)
class Sighting:
    """A person seen in a picture, in pixels of what the backend looks at (Look.size_wh)."""

    center_xy_px: tuple[
        float, float
    ]  # middle of the hips, or of the box when the backend gives boxes
    reach_px: float  # half the body's extent
    score: float  # in [0, 1]
    is_sure: bool = True  # an unsure one does not count, and is read only where no sure one is

    def __post_init__(self):
        if not (self.reach_px > 0 and np.isfinite([*self.center_xy_px, self.reach_px]).all()):
            raise ValueError(f"a sighting needs a finite middle and a positive reach, got {self}")


class Reading(Protocol):
    """The body of one person, in whatever form the backend keeps it."""

    @property
    def sighting(self) -> Sighting:
        """Where that body is, and how large: from the body itself where it says so."""
        ...


R = TypeVar("R", bound=Reading)


class Look(Protocol[R]):
    """One picture before a backend."""

    @property
    def picture(self) -> np.ndarray:
        """uint8 RGB (H, W, 3): what sightings lie in, which may be smaller than what was given."""
        ...

    @property
    def size_wh(self) -> tuple[int, int]:
        """Of that picture."""
        ...

    def sightings(self) -> Sequence[Sighting]:
        """Everyone who is seen, best first: the cheap step. Asked twice, it answers at once."""
        ...

    def read(
        self, index: int | None, beside: Sequence[int] = (), last: R | None = None
    ) -> R | None:
        """The body of the sighting of that index, not mixed with those `beside` it; None when
        nobody is there after all.

        last: what was read of that person in the frame before; a backend that goes_on begins where
        it left off, and may be asked without an index.
        """
        ...

    def everyone(self) -> Sequence[R]:
        """The bodies of all people, also of those whom a look at the whole picture misses: the
        dear step, for the moments in which it must be known who is there."""
        ...

    def read_apart(self, own: R, others: Sequence[R]) -> tuple[R | None, list[R]]:
        """A body read without the limbs of others who stand close: where the last frame left off,
        or once more in the same one. None when nobody is there.

        others: at least one; the first is read anew too and is then the last, unless nobody is
        there any more. Asked of a backend that goes_on.
        """
        ...

    def clothes(self, reading: R) -> Clothes | None:
        """What that body wears; None where the picture does not show it."""
        ...

    def person(self, reading: R, before: R | None = None) -> PersonFrame | None:
        """What was read, in the picture's own pixels, with mask and hands where they were asked
        for; None when no joint is left. before: that person in the frame before, of whom a reading
        may tell more once person has been asked for."""
        ...


class PoseBackend(Protocol[R]):
    """What pose_*.py give."""

    @property
    def goes_on(self) -> bool:
        """Whether a body can be read where the last frame left off, which saves the sightings."""
        ...

    @property
    def records(self) -> tuple[type, ...]:
        """The dataclasses that its readings are made of."""
        ...

    @property
    def neighbour_reaches(self) -> float:
        """People whose middles are nearer than this many reaches can be taken for each other."""
        ...

    def look(self, image: np.ndarray) -> Look[R]:
        """image: uint8 RGB (H, W, 3), at least 8 px a side."""
        ...

    def close(self) -> None: ...
