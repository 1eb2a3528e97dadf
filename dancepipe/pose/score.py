"""Pose reconstruction error (eq. 11): is the pose that an estimator reads in the result the pose
that was asked for?

K counts the joints that the target pose has. A joint that the estimator does not find counts as if
it had been found in the corner of the picture that is farthest from where it belongs, and a person
that is not found misses every joint: no found joint can be worse than that, so an absent limb never
lowers the error. `pre_found` leaves missing joints out instead (as estimators that never call a
joint missing do), and must be read beside `missing_joints` and `found`.
"""

from collections.abc import Sequence

import numpy as np

from dancepipe.pose.skeleton import (
    JOINTS,
    L_ANKLE,
    L_EAR,
    L_ELBOW,
    L_EYE,
    L_KNEE,
    L_WRIST,
    NOSE,
    R_ANKLE,
    R_EAR,
    R_ELBOW,
    R_EYE,
    R_KNEE,
    R_WRIST,
    torso_length_px,
)  # fmt: skip
from dancepipe.records import Pose

LIMBS_OF = {
    "arms": (R_ELBOW, R_WRIST, L_ELBOW, L_WRIST),
    "legs": (R_KNEE, R_ANKLE, L_KNEE, L_ANKLE),
    "head": (NOSE, R_EYE, L_EYE, R_EAR, L_EAR),
}
PCK_TORSOS = 0.2  # a joint nearer than that to its place is right


def joint_errors(found: Pose | None, target: Pose, size_wh: tuple[int, int]) -> np.ndarray:
    """(18,) px: |dx| + |dy| of every joint of the target; a missing one counts as described
    above; nan where the target has none."""
    width, height = size_wh
    x, y = target.points_px.astype(np.float64).T
    errors = np.maximum(x, width - 1 - x) + np.maximum(y, height - 1 - y)
    if found is not None:
        there = found.present
        measured = np.abs(
            found.points_px.astype(np.float64) - target.points_px.astype(np.float64)
        ).sum(1)
        errors = np.where(there, measured, errors)
    return np.where(target.present, errors, np.nan)


def pose_scores(
    found: Sequence[Pose | None], targets: Sequence[Pose], size_wh: tuple[int, int]
) -> dict[str, np.ndarray]:
    """Every number (N,) of the poses read in N results against the poses asked for.

    pre (px), pre_found (px), pre_arms, pre_legs, pre_head (px), pck (share of joints within 0.2
    torso lengths), missing_joints (share), found (1: a person was found). nan where a target pose
    has nothing to compare.
    """
    names = (
        "pre",
        "pre_found",
        *(f"pre_{limb}" for limb in LIMBS_OF),
        "pck",
        "missing_joints",
        "found",
    )
    scores = {name: np.full(len(found), np.nan) for name in names}
    for i, (pose, target) in enumerate(zip(found, targets, strict=True)):
        scores["found"][i] = pose is not None
        wanted = target.present
        if not wanted.any():
            continue
        errors = joint_errors(pose, target, size_wh)
        seen = wanted & pose.present if pose is not None else np.zeros(len(JOINTS), bool)
        scores["pre"][i] = errors[wanted].mean()
        scores["missing_joints"][i] = 1 - seen.sum() / wanted.sum()
        if seen.any():
            scores["pre_found"][i] = errors[seen].mean()
        for limb, joints in LIMBS_OF.items():
            own = [joint for joint in joints if wanted[joint]]
            if own:
                scores[f"pre_{limb}"][i] = errors[own].mean()
        torso = torso_length_px(target)
        if torso:
            near = np.zeros(len(JOINTS), bool)
            if pose is not None:
                near = np.hypot(*(pose.points_px - target.points_px).T) <= PCK_TORSOS * torso
            scores["pck"][i] = (seen & near).sum() / wanted.sum()
    return scores
