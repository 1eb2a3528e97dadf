"""Is it the same body? Bone lengths and height of a result against what they should be."""

from collections.abc import Sequence
from dataclasses import fields

import numpy as np

from dancepipe.pose.retarget import BodyProportions
from dancepipe.pose.skeleton import LIMBS, torso_length_px
from dancepipe.records import Pose

_BONES = LIMBS[
    :13
]  # shoulders, arms, trunk, legs, neck to nose; the face turns too much to be measured
_SHORTEST_TORSOS = 0.2  # a bone that points at the camera has no length to compare


def pose_bone_error(found: Pose | None, target: Pose) -> float:
    """Mean |log(length / target length)| over the bones seen in both, each in its own torso
    lengths; nan without any.

    For two pictures in the same pose: 0.1 is bones 10 % off. The size of the whole body has no say.
    """
    ratios = _ratios(found, target)
    if ratios is None:
        return float("nan")
    lengths, torso = ratios
    return float(np.abs(np.log(lengths / torso)).mean())


def height_ratio(
    found: Pose | None, target: Pose, found_height_px: float = 1.0, target_height_px: float = 1.0
) -> float:
    """Height of the found body over the target's, from the joints that both have, each as a
    share of its picture's height."""
    if found is None:
        return float("nan")
    both = found.present & target.present
    if both.sum() < 4:
        return float("nan")
    own, other = (np.ptp(pose.points_px[both, 1]) for pose in (found, target))
    torso = torso_length_px(target)
    if torso is None or other < torso:  # somebody who lies or of whom only a shoulder line is seen
        return float("nan")
    return float((own / found_height_px) / (other / target_height_px))


def proportions_error(own: BodyProportions, wanted: BodyProportions) -> float:
    """Mean |log(ratio)| of the proportions that both know; nan when there is none."""
    pairs = [
        (getattr(own, field.name), getattr(wanted, field.name)) for field in fields(BodyProportions)
    ]
    logs = [abs(np.log(first / second)) for first, second in pairs if first and second]
    return float(np.mean(logs)) if logs else float("nan")


def pose_body_scores(
    found: Sequence[Pose | None], targets: Sequence[Pose]
) -> dict[str, np.ndarray]:
    """bone_error and height_ratio (N,) of results in the same pose as their targets, pictures of
    equal size."""
    pairs = list(zip(found, targets, strict=True))
    return {
        "bone_error": np.array([pose_bone_error(pose, target) for pose, target in pairs]),
        "height_ratio": np.array([height_ratio(pose, target) for pose, target in pairs]),
    }


def _ratios(found: Pose | None, target: Pose) -> tuple[np.ndarray, float] | None:
    """Bone length ratios found / target, and the ratio of the two torsos."""
    if found is None:
        return None
    torso_found, torso_target = torso_length_px(found), torso_length_px(target)
    if not torso_found or not torso_target:
        return None
    ratios = []
    for first, last in _BONES:
        if found.present[[first, last]].all() and target.present[[first, last]].all():
            own, other = (
                float(np.hypot(*(pose.points_px[first] - pose.points_px[last])))
                for pose in (found, target)
            )
            if other >= _SHORTEST_TORSOS * torso_target and own > 0:
                ratios.append(own / other)
    return (np.array(ratios), torso_found / torso_target) if ratios else None
