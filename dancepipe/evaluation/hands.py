"""Are the hands where they should be? Eq. 11 over the points of the hand network."""

from collections.abc import Sequence

import numpy as np

from dancepipe.records import BodyPose, Pose

# Presence above which the points of a hand mean something; the hand network gives one for each hand
# as a whole.
SURE_HAND = 0.8


def hand_scores(
    found: Sequence[BodyPose | None], targets: Sequence[BodyPose | None]
) -> dict[str, np.ndarray]:
    """pre_hands (N,) px: mean |dx| + |dy| of the points of the hands that are sure in both; nan
    without any. hands_found (N,): share of the target's sure hands that are sure in the result too;
    nan where the target has none. Right is compared with right."""
    names = ("pre_hands", "hands_found")
    scores = {name: np.full(len(found), np.nan) for name in names}
    for i, (one, target) in enumerate(zip(found, targets, strict=True)):
        wanted = _sure_hands(target)
        pairs = [(own, other) for own, other in zip(_sure_hands(one), wanted) if own and other]
        if any(wanted):
            scores["hands_found"][i] = len(pairs) / sum(hand is not None for hand in wanted)
        if pairs:
            scores["pre_hands"][i] = np.mean(
                [np.abs(own.points_px - other.points_px).sum(1).mean() for own, other in pairs]
            )
    return scores


def _sure_hands(body: BodyPose | None) -> tuple[Pose | None, Pose | None]:
    """Right and left, None where it is not sure."""
    if body is None or body.hands is None:
        return None, None
    right, left = (
        hand if hand is not None and hand.confidence.min() >= SURE_HAND else None
        for hand in body.hands
    )
    return right, left
