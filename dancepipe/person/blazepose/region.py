"""Where a body is to be read, as the detector or the body network of the frame before says."""

import math
from dataclasses import dataclass

from dancepipe.person.blazepose.turned_square import TurnedSquare
from dancepipe.person.look import Sighting

# side of the square that the body network was trained on, in reaches: twice the reach, and a
# quarter more
_SQUARE_REACHES = 2.5
SURE_SCORE = 0.5  # a detection that counts as a person


@dataclass(frozen=True)
class Region:
    """A circle around the middle of the hips that holds the person, and the body's axis."""

    center_xy_px: tuple[float, float]
    tip_xy_px: tuple[float, float]  # the point of the circle beyond the head
    score: float = 1.0

    def sighting(self) -> Sighting:
        return Sighting(
            self.center_xy_px,
            max(math.dist(self.center_xy_px, self.tip_xy_px), 1e-3),
            self.score,
            is_sure=self.score >= SURE_SCORE,
        )

    def square(self) -> TurnedSquare:
        """The square that the body network reads, turned so that the body stands upright in it."""
        dx, dy = self.tip_xy_px[0] - self.center_xy_px[0], self.tip_xy_px[1] - self.center_xy_px[1]
        return TurnedSquare(
            self.center_xy_px, math.hypot(dx, dy) * _SQUARE_REACHES, math.atan2(dx, -dy)
        )
