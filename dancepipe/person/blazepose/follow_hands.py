"""Both hands from frame to frame: one whose picture is what it was when it was last read is carried
along by the body's points, and not read again.

A hand costs half as much as a whole body. In clips of dancers more than half of all runs of the
network are saved. Points that are carried are off by .04 sides of the hand's square in the median
(95 %: .11); the same hand, read in a square that is a little different, is off by .014 (95 %: .09).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from dancepipe.person.blazepose.hand_network import HandNetwork, rough_square

_LOOK_PX = 32
# Changes are mean differences in contrasts of the picture: of a dark one as of a bright one.
_NOISE_LEVELS = 4  # grey levels that count as contrast where there is none
_CHANGED = 0.25  # from here on a hand is read again; of two, who waited longer or changed more
_CHANGED_MUCH = 0.8  # and from here on both are


@dataclass(frozen=True)
class SeenHand:
    """A hand as it was when it was last read."""

    hand_xy_px: np.ndarray  # (3, 2): the body's wrist, little finger and index
    look: np.ndarray  # uint8 (32, 32, 3): the picture around them
    points: np.ndarray | None  # float32 (21, 4) as HandNetwork.read; None: no hand was seen there
    waited_frames: int = 0  # since it changed; it was the other one's turn

    def carried(self, hand_xy_px: np.ndarray) -> np.ndarray | None:
        """The hand's points when the body's have gone to hand_xy_px: turned, scaled and shifted
        with them (least squares), depth scaled."""
        if self.points is None:
            return None
        before, now = (
            np.asarray(points, np.float64) @ (1, 1j) for points in (self.hand_xy_px, hand_xy_px)
        )
        start, end = before.mean(), now.mean()
        spread = before - start
        turn = (spread.conj() @ (now - end)) / (spread.conj() @ spread).real
        moved = (self.points[:, :2].astype(np.float64) @ (1, 1j) - start) * turn + end
        points = self.points.copy()
        points[:, 0], points[:, 1] = moved.real, moved.imag
        points[:, 2] *= abs(turn)
        return points


def follow_hands(
    network: HandNetwork,
    image: np.ndarray,
    hands_xy_px: Sequence[np.ndarray | None],
    before: Sequence[SeenHand | None],
) -> tuple[list[np.ndarray | None], list[SeenHand | None]]:
    """Points of each hand as HandNetwork.read gives them, and what to hand over as `before` in the
    next frame.

    hands_xy_px: as HandNetwork.read, None for a hand that is out of sight. before: None for a hand
    that was not read yet; it is read now.
    """
    now = list(before)
    changes: dict[int, float] = {}
    looks: dict[int, np.ndarray] = {}
    for hand, hand_xy_px in enumerate(hands_xy_px):
        if hand_xy_px is None or (square := rough_square(hand_xy_px)).side_px < 2:
            continue
        looks[hand] = square.read(image, _LOOK_PX, repeat_border=True)
        if (last := before[hand]) is None:
            changes[hand] = np.inf
        else:
            change = _change(last.look, looks[hand])
            # Where no hand was seen there is most often none again: that can wait for its turn.
            changes[hand] = change if last.points is not None else min(change, _CHANGED_MUCH)

    points: list[np.ndarray | None] = [None] * len(hands_xy_px)
    changed = [hand for hand, change in changes.items() if change > _CHANGED]
    waited = {hand: last.waited_frames if (last := before[hand]) else 0 for hand in changed}
    turn = max(changed, key=lambda hand: (waited[hand], changes[hand]), default=None)
    for hand, change in changes.items():
        hand_xy_px, last = hands_xy_px[hand], before[hand]
        assert hand_xy_px is not None  # a hand out of sight has no change
        if last is None or hand == turn or change > _CHANGED_MUCH:
            points[hand] = network.read(image, hand_xy_px)
            now[hand] = SeenHand(hand_xy_px, looks[hand], points[hand])
        else:
            points[hand] = last.carried(hand_xy_px)
            waits = waited[hand] + 1 if hand in waited else 0
            now[hand] = replace(last, waited_frames=waits)
    return points, now


def _change(before: np.ndarray, now: np.ndarray) -> float:
    """Mean difference of two pictures in their mean contrast."""
    before, now = before.astype(np.float32), now.astype(np.float32)
    contrast = np.mean([np.abs(look - look.mean((0, 1))).mean() for look in (before, now)])
    return float(np.abs(now - before).mean() / (contrast + _NOISE_LEVELS))
