"""Postures: rotations of the motion's 19 joints, and the body's bones turned by them."""

from dataclasses import dataclass

import numpy as np

from dancepipe.synthetic.assets import DancerAssets

# What hangs loosely follows a body with this delay, at most this far behind.
LAG_SECONDS, LARGEST_DRIFT_DM = 0.1, 1.5

# Parent of each motion joint, in the pack's order.
MOTION_PARENT = {
    "hip": None, "abdomen": "hip", "chest": "abdomen", "neck": "chest", "head": "neck",
    "lCollar": "chest", "lShldr": "lCollar", "lForeArm": "lShldr", "lHand": "lForeArm",
    "lThigh": "hip", "lShin": "lThigh", "lFoot": "lShin",
    "rCollar": "chest", "rShldr": "rCollar", "rForeArm": "rShldr", "rHand": "rForeArm",
    "rThigh": "hip", "rShin": "rThigh", "rFoot": "rShin",
}  # fmt: skip

# Body bone -> motion joint (or two joints, halfway between).
_DRIVEN_BY = {
    "root": ("hip",),
    "spine05": ("hip", "abdomen"),
    "spine04": ("abdomen",),
    "spine03": ("abdomen", "chest"),
    "spine02": ("chest",),
    "spine01": ("chest",),
    "neck01": ("neck",),
    "head": ("head",),
}
_LIMB_BONES = (
    ("clavicle", "Collar"), ("upperarm01", "Shldr"), ("lowerarm01", "ForeArm"), ("wrist", "Hand"),
    ("upperleg01", "Thigh"), ("lowerleg01", "Shin"), ("foot", "Foot"), ("toe1-1", "Foot"),
)  # fmt: skip
_LIMB_END = {
    "upperarm01": "lowerarm01",
    "lowerarm01": "wrist",
    "upperleg01": "lowerleg01",
    "lowerleg01": "foot",
}


@dataclass(frozen=True)
class Posture:
    """Global rotations of the motion joints: float64 (J, 4) quaternions x, y, z, w, and where
    the root stands."""

    quaternions: np.ndarray
    root_dm: np.ndarray  # float64 (3,)
    grip: tuple[float, float] = (
        0.0,
        0.0,
    )  # left and right: fingers bent more (> 0) or less than this body's hands are at rest


@dataclass(frozen=True)
class PosedBones:
    """Per bone: rest point p goes to rotation @ p + shift."""

    rotation: np.ndarray  # float32 (B, 3, 3)
    shift: np.ndarray  # float32 (B, 3)
    heads_dm: np.ndarray  # float64 (B, 3)
    bend: np.ndarray  # float32 (B,): 0 straight .. 1 strongly bent against its parent
    drift: (
        np.ndarray
    )  # float32 (B, 3): how far cloth and hair hanging on it stay behind its movement
    grip: np.ndarray  # float32 (2,): of the posture


@dataclass(frozen=True)
class Rig:
    """What posing needs to know of one body; made once."""

    bone_heads: np.ndarray
    bone_parent: np.ndarray
    drivers: tuple[
        tuple[int, int], ...
    ]  # per bone the two motion joints it follows halfway (often the same one twice)
    alignment: (
        np.ndarray
    )  # float64 (B, 3, 3): turns the body's rest limb onto the motion's rest limb
    leg_length_dm: float


def make_rig(assets: DancerAssets, bone_heads: np.ndarray) -> Rig:
    """The rig of a body whose bones begin at bone_heads (B, 3)."""
    body = assets.body
    joint = assets.motion_joints.index
    drivers: dict[str, tuple[str, ...]] = dict(_DRIVEN_BY)
    alignment = np.tile(np.eye(3), (len(body.bones), 1, 1))
    for suffix, letter in ((".L", "l"), (".R", "r")):
        for bone, name in _LIMB_BONES:
            drivers[bone + suffix] = (letter + name,)
            if bone in _LIMB_END:
                limb = (
                    bone_heads[body.bone(_LIMB_END[bone] + suffix)]
                    - bone_heads[body.bone(bone + suffix)]
                )
                alignment[body.bone(bone + suffix)] = rotation_between(
                    limb, assets.motion_rest_directions[letter + name]
                )
        alignment[body.bone("wrist" + suffix)] = alignment[body.bone("lowerarm01" + suffix)]
    leg = bone_heads[[body.bone(name) for name in ("upperleg01.L", "lowerleg01.L", "foot.L")]]
    return Rig(
        bone_heads=bone_heads,
        bone_parent=body.bone_parent,
        drivers=tuple((joint(drivers[name][0]), joint(drivers[name][-1])) for name in body.bones),
        alignment=alignment,
        leg_length_dm=float(np.linalg.norm(np.diff(leg, axis=0), axis=1).sum()),
    )


def pose_bones(rig: Rig, posture: Posture, earlier: Posture | None = None) -> PosedBones:
    """Turn every bone as its motion joint says and hang it on its parent. earlier: the posture
    LAG_SECONDS ago, for what sways."""
    first = posture.quaternions[[a for a, _ in rig.drivers]]
    second = posture.quaternions[[b for _, b in rig.drivers]]
    second = second * np.where((first * second).sum(1, keepdims=True) < 0, -1, 1)
    rotation = quaternion_matrices(first + second) @ rig.alignment
    heads = np.empty_like(rig.bone_heads)
    bend = np.zeros(len(heads))
    for bone, parent in enumerate(rig.bone_parent):
        if parent < 0:
            heads[bone] = rig.bone_heads[bone] + posture.root_dm
            continue
        heads[bone] = heads[parent] + rotation[parent] @ (
            rig.bone_heads[bone] - rig.bone_heads[parent]
        )
        cosine = (np.trace(rotation[parent].T @ rotation[bone]) - 1) / 2
        bend[bone] = np.arccos(np.clip(cosine, -1, 1)) / 1.8
    shift = heads - np.einsum("bij,bj->bi", rotation, rig.bone_heads)
    drift = np.zeros_like(heads)
    if earlier is not None:
        drift = pose_bones(rig, earlier).heads_dm - heads
        drift *= np.minimum(
            1, LARGEST_DRIFT_DM / np.maximum(np.linalg.norm(drift, axis=1, keepdims=True), 1e-6)
        )
    return PosedBones(
        rotation.astype(np.float32),
        shift.astype(np.float32),
        heads,
        np.minimum(bend, 1.2).astype(np.float32),
        drift.astype(np.float32),
        np.array(posture.grip, np.float32),
    )


def rotation_between(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """The smallest rotation (3, 3) that turns direction `start` onto direction `end` (not
    opposite ones)."""
    start, end = start / np.linalg.norm(start), end / np.linalg.norm(end)
    axis, cosine = np.cross(start, end), start @ end
    cross = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    return np.eye(3) + cross + cross @ cross / (1 + cosine)


def quaternion_matrices(quaternions: np.ndarray) -> np.ndarray:
    """Rotation matrices (N, 3, 3) of quaternions (N, 4) x, y, z, w of any length but 0."""
    x, y, z, w = (quaternions / np.linalg.norm(quaternions, axis=1, keepdims=True)).T
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    return np.array(rows).transpose(2, 0, 1)


def multiply_quaternions(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The quaternion of "turn by second, then by first"; shapes (..., 4), broadcast."""
    x1, y1, z1, w1 = np.moveaxis(np.asarray(first, np.float64), -1, 0)
    x2, y2, z2, w2 = np.moveaxis(np.asarray(second, np.float64), -1, 0)
    return np.stack(
        [
            w1 * x2 + x1 * w2 + y1 * z2 - z1 * y2,
            w1 * y2 - x1 * z2 + y1 * w2 + z1 * x2,
            w1 * z2 + x1 * y2 - y1 * x2 + z1 * w2,
            w1 * w2 - x1 * x2 - y1 * y2 - z1 * z2,
        ],
        -1,
    )


def axis_quaternion(axis: tuple[float, float, float], angle_radians: float) -> np.ndarray:
    """The quaternion (4,) of a turn about an axis."""
    unit = np.asarray(axis, np.float64) / np.linalg.norm(axis)
    return np.append(unit * np.sin(angle_radians / 2), np.cos(angle_radians / 2))
