"""Does the torso face the right way? A front that should be a back has nearly the joints of a back:
only depth tells them apart."""

from collections.abc import Sequence

import numpy as np

from dancepipe.body.posing import in_view
from dancepipe.pose.skeleton import BLAZEPOSE_MIN_VISIBILITY
from dancepipe.records import BodyPose
from dancepipe.skeletons import BLAZEPOSE_33

TURNED_DEGREES = 60.0  # an error above is another side of the body
_LINES = tuple(
    tuple(BLAZEPOSE_33.index(f"{side}_{joint}") for side in ("left", "right"))
    for joint in ("shoulder", "hip")
)
# Of a line's length, that much must lie in the x-z plane: who lies on the side faces nowhere in it.
_LEAST_LEVEL = 0.3


def facing_degrees(body: BodyPose | None) -> float:
    """Where the torso faces, in (-180, 180]: 0 is the viewer, 180 a back, 90 when
    the viewer sees the person's left side; nan where it cannot be told.

    It is the angle in the x-z plane of the lines from right to left of shoulders and hips, their
    vectors added, so that a line that is seen longer counts more; depth scaled as the body has it
    (DEPTH_SCALE).
    """
    if body is None or body.landmarks is None:
        return float("nan")
    points = in_view(body.landmarks.with_depth())
    seen = body.landmarks.confidence >= BLAZEPOSE_MIN_VISIBILITY
    lines = [points[left] - points[right] for left, right in _LINES if seen[[left, right]].all()]
    if not lines:
        return float("nan")
    x, y, z = np.sum(lines, axis=0)
    level = np.hypot(x, z)
    if level < _LEAST_LEVEL * np.hypot(level, y) or level == 0:
        return float("nan")
    return float(np.degrees(np.arctan2(z, x)))


def turn_error_degrees(found: BodyPose | None, target: BodyPose | None) -> float:
    """Angle between the two facings, 0 to 180; nan where one of them cannot be told."""
    apart = abs(facing_degrees(found) - facing_degrees(target))
    return min(apart, 360 - apart)


def turn_scores(
    found: Sequence[BodyPose | None], targets: Sequence[BodyPose | None]
) -> dict[str, np.ndarray]:
    """turn_error_degrees (N,), and turned_away (N,): 1 where it is above TURNED_DEGREES."""
    errors = np.array(
        [turn_error_degrees(one, target) for one, target in zip(found, targets, strict=True)]
    )
    turned = np.where(np.isfinite(errors), errors > TURNED_DEGREES, np.nan)
    return {"turn_error_degrees": errors, "turned_away": turned}
