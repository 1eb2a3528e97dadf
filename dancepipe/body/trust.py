"""Which pixels of the photo show the part that the mesh says, where parts overlap."""

import numpy as np

from dancepipe.body.image_filters import distance_transform_edt, gaussian_filter, maximum_filter
from dancepipe.body.mesh import PARTS, Part
from dancepipe.body.raster import FAR

_RIM, _STEP = 0.035, 0.22  # torso lengths: beside a nearer surface by so much nothing is believed
_ARM_SHADOW, _ARM_RIM, _ARM_BESIDE = 0.17, 0.06, 0.09
_LIMB_RIM = 0.10
_COLOURS_DIFFER, _OFF_COLOUR = 50, 80  # sums over RGB


def _numbers(*parts: Part) -> list[int]:
    return [PARTS.index(part) for part in parts]


_ARMS = _numbers(
    Part.UPPER_ARM_RIGHT, Part.UPPER_ARM_LEFT, Part.FOREARM_RIGHT, Part.FOREARM_LEFT,
    Part.HAND_RIGHT, Part.HAND_LEFT,
)  # fmt: skip
_RIGHT_ARM = _numbers(Part.UPPER_ARM_RIGHT, Part.FOREARM_RIGHT, Part.HAND_RIGHT)
_LEFT_ARM = _numbers(Part.UPPER_ARM_LEFT, Part.FOREARM_LEFT, Part.HAND_LEFT)
_RIGHT_LEG = _numbers(Part.THIGH_RIGHT, Part.SHIN_RIGHT, Part.FOOT_RIGHT)
_LEFT_LEG = _numbers(Part.THIGH_LEFT, Part.SHIN_LEFT, Part.FOOT_LEFT)
_HEAD = _numbers(Part.HEAD)


def trusted(
    part: np.ndarray, depth: np.ndarray, sharp: np.ndarray, mask: np.ndarray, torso_px: float
) -> tuple[np.ndarray, np.ndarray]:
    """(trust float32 (H, W) in [0, 1], bool (H, W): shadowed by an arm).

    part: int (H, W), the mesh's over the photo, -1 for none; depth: its z; sharp: the photo's
    colours (H, W, 3); mask uint8 (H, W).
    """
    is_mesh = part >= 0
    reach = max(1, int(round(_RIM * torso_px)))
    nearest = maximum_filter(np.where(is_mesh, depth, FAR), size=2 * reach + 1)
    trust = np.where((nearest - depth > _STEP * torso_px) & is_mesh, 0, 1).astype(np.float32)
    shadow = _beside_arms(trust, part, depth, sharp, mask, torso_px)
    _beside_limbs(trust, part, sharp, mask, torso_px)
    return trust, shadow


def _beside_arms(trust, part, depth, sharp, mask, torso_px) -> np.ndarray:
    """Near the line where an arm lies over something: whose colour has the pixel?"""
    arm = np.isin(part, _ARMS)
    body = (part >= 0) & ~arm
    nothing = np.zeros(part.shape, bool)
    if arm.sum() < 20 or body.sum() < 20:
        return nothing
    soft = gaussian_filter(sharp, (0.7, 0.7, 0))
    in_arm, from_arm = distance_transform_edt(arm), distance_transform_edt(~arm)
    near_body = body & (from_arm <= _ARM_SHADOW * torso_px)
    near_arm = arm & (in_arm <= _ARM_RIM * torso_px)
    front = maximum_filter(np.where(arm, depth, FAR), size=2 * int(_ARM_SHADOW * torso_px) + 1)
    near_body &= front > depth  # the arm is in front there
    arm_core = arm & (in_arm >= np.minimum(0.05 * torso_px, maximum_filter(in_arm, size=5)))
    body_core = body & ~near_body & (mask > 200)
    if arm_core.sum() < 5 or body_core.sum() < 20:
        return nothing
    of_arm = _nearest(gaussian_filter(sharp, (1.5, 1.5, 0)), arm_core)
    blurred = gaussian_filter(sharp, (2, 2, 0))
    of_body = _nearest(blurred, body_core)
    for number in np.unique(part[near_body]):  # the same part's colour, where there is some
        own = body_core & (part == number)
        if own.sum() >= 10:
            there = part == number
            of_body[there] = _nearest(blurred, own)[there]
    off_arm, off_body = np.abs(soft - of_arm).sum(-1), np.abs(soft - of_body).sum(-1)
    differ = np.abs(of_arm - of_body).sum(-1) > _COLOURS_DIFFER
    trust[near_body & differ & (off_arm < off_body)] = 0
    beside = distance_transform_edt(~(body & (mask > 127))) <= _ARM_BESIDE * torso_px
    trust[near_arm & beside & differ & (off_body < 0.7 * off_arm)] = 0
    return near_body


def _beside_limbs(trust, part, sharp, mask, torso_px) -> None:
    """Beside another limb: what has not the colour of the own middle is the gap or the other."""
    soft = gaussian_filter(sharp, (0.6, 0.6, 0))
    blurred = gaussian_filter(sharp, (1.2, 1.2, 0))
    limbs = (_RIGHT_ARM, _LEFT_ARM, _RIGHT_LEG, _LEFT_LEG)
    any_limb = [number for limb in limbs for number in limb]
    for limb in limbs:
        own = np.isin(part, limb)
        if own.sum() < 30:
            continue
        inside = distance_transform_edt(own)
        core = own & (inside >= 0.6 * maximum_filter(inside, size=9)) & (mask > 200)
        if core.sum() < 8:
            continue
        other = (part >= 0) & ~own & ~np.isin(part, _HEAD)
        if limb in (_RIGHT_LEG, _LEFT_LEG):  # not against the torso that they hang on
            other &= np.isin(part, any_limb)
        band = own & (distance_transform_edt(~other) <= _LIMB_RIM * torso_px)
        if band.any():
            off = np.abs(soft - _nearest(blurred, core)).sum(-1)
            trust[band & (off > _OFF_COLOUR)] = 0


def _nearest(colours: np.ndarray, where: np.ndarray) -> np.ndarray:
    _, (rows, columns) = distance_transform_edt(~where, return_indices=True)
    return colours[rows, columns]
