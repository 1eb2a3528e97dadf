"""Motion: postures from the pack's motion-capture takes, mirrored, sped up and mixed."""

import numpy as np

from dancepipe.synthetic.assets import DancerAssets, MotionClip
from dancepipe.synthetic.posture import (
    MOTION_PARENT,
    Posture,
    Rig,
    multiply_quaternions,
    quaternion_matrices,
)

RATE_HZ = 30
NECK_LIMIT_RADIANS = 0.55  # of the neck against the chest, and of the head against the neck


def clip_by_name(assets: DancerAssets, name: str) -> MotionClip:
    """The take of this name; KeyError for others."""
    return {clip.name: clip for clip in assets.clips}[name]


def posture_at(
    assets: DancerAssets, rig: Rig, clip: MotionClip, frame: float, mirrored: bool = False
) -> Posture:
    """The posture at a (fractional) frame of a take, the root scaled to the body's legs; x and z
    start at the take's first frame."""
    last = len(clip.rotations) - 1
    frame = min(max(frame, 0.0), float(last))
    first = int(min(np.floor(frame), max(last - 1, 0)))
    second = min(first + 1, last)
    share = frame - first
    a, b = clip.rotations[first].astype(np.float64), clip.rotations[second].astype(np.float64)
    b = b * np.where((a * b).sum(1, keepdims=True) < 0, -1, 1)
    quaternions = a * (1 - share) + b * share
    quaternions /= np.linalg.norm(quaternions, axis=1, keepdims=True)
    scale = rig.leg_length_dm / assets.motion_leg_length
    root = (clip.root[first] * (1 - share) + clip.root[second] * share).astype(np.float64)
    root -= clip.root[0] * np.array([1, 0, 1])
    root = root * scale - rig.bone_heads[0] * np.array([0, 1, 0])
    if mirrored:
        quaternions, root = mirror_quaternions(assets, quaternions), root * np.array([-1, 1, 1])
    return _with_bounded_head(assets, Posture(quaternions, root))


def _with_bounded_head(assets: DancerAssets, posture: Posture) -> Posture:
    """Takes have frames in which the head turns further than necks can."""
    quaternions = posture.quaternions.copy()
    index = assets.motion_joints.index
    for joint, parent in (("neck", "chest"), ("head", "neck")):
        before = posture.quaternions[index(parent)]
        local = limit_angle(
            multiply_quaternions(conjugate(before), posture.quaternions[index(joint)]),
            NECK_LIMIT_RADIANS,
        )
        quaternions[index(joint)] = multiply_quaternions(quaternions[index(parent)], local)
    return Posture(quaternions, posture.root_dm)


def mirror_quaternions(assets: DancerAssets, quaternions: np.ndarray) -> np.ndarray:
    """Swap left and right: reflect at the plane x = 0."""
    partner = [
        assets.motion_joints.index(
            {"l": "r", "r": "l"}[name[0]] + name[1:] if name[1:2].isupper() else name
        )
        for name in assets.motion_joints
    ]
    return quaternions[partner] * np.array([1, -1, -1, 1])


def facing_yaw(assets: DancerAssets, posture: Posture) -> float:
    """The yaw (radians, 0 towards +z) that hips and chest face on average."""
    chosen = [assets.motion_joints.index(name) for name in ("hip", "chest")]
    forward = quaternion_matrices(posture.quaternions[chosen])[:, :, 2].mean(0)
    return float(np.arctan2(forward[0], forward[2]))


def joint_parents(assets: DancerAssets) -> list[int]:
    """Index of each motion joint's parent, -1 for the hip."""
    names = assets.motion_joints
    return [
        -1 if MOTION_PARENT[name] is None else names.index(MOTION_PARENT[name]) for name in names
    ]


def blend_postures(first: Posture, second: Posture, share: float) -> Posture:
    """Between two postures (share 0: the first, 1: the second; a little outside works too)."""
    other = second.quaternions * np.where(
        (first.quaternions * second.quaternions).sum(1, keepdims=True) < 0, -1, 1
    )
    quaternions = first.quaternions * (1 - share) + other * share
    quaternions /= np.linalg.norm(quaternions, axis=1, keepdims=True)
    left, right = (a * (1 - share) + b * share for a, b in zip(first.grip, second.grip))
    return Posture(quaternions, first.root_dm * (1 - share) + second.root_dm * share, (left, right))


UPPER_JOINTS = (
    "abdomen",
    "chest",
    "neck",
    "head",
    "lCollar",
    "lShldr",
    "lForeArm",
    "lHand",
    "rCollar",
    "rShldr",
    "rForeArm",
    "rHand",
)


def mix_postures(assets: DancerAssets, lower: Posture, upper: Posture) -> Posture:
    """Hips and legs of one posture, the rest of another, which is turned along with the hips."""
    hip = assets.motion_joints.index("hip")
    turn = multiply_quaternions(lower.quaternions[hip], conjugate(upper.quaternions[hip]))
    quaternions = lower.quaternions.copy()
    chosen = [assets.motion_joints.index(name) for name in UPPER_JOINTS]
    quaternions[chosen] = multiply_quaternions(turn, upper.quaternions[chosen])
    return Posture(quaternions, lower.root_dm)


def vary_joints(rng: np.random.Generator, assets: DancerAssets, degrees: float) -> np.ndarray:
    """float64 (J, 4): small local turns, to be passed to `disturb`; drawn once per shot, they
    change a dancer's style."""
    angles = np.radians(rng.normal(0, degrees, (len(assets.motion_joints), 3)))
    angles[assets.motion_joints.index("hip")] *= 0.3
    half = np.linalg.norm(angles, axis=1, keepdims=True) / 2 + 1e-12
    return np.concatenate([angles / (2 * half) * np.sin(half), np.cos(half)], 1)


def disturb(assets: DancerAssets, posture: Posture, local_turns: np.ndarray) -> Posture:
    """Turn every joint by its local turn, carrying what hangs on it; heads are kept within what
    necks can do."""
    quaternions = np.empty_like(posture.quaternions)
    for joint, parent in enumerate(joint_parents(assets)):
        own = posture.quaternions[joint]
        if parent < 0:
            quaternions[joint] = multiply_quaternions(own, local_turns[joint])
            continue
        local = multiply_quaternions(conjugate(posture.quaternions[parent]), own)
        local = multiply_quaternions(local, local_turns[joint])
        if assets.motion_joints[joint] in ("neck", "head"):
            local = limit_angle(local, NECK_LIMIT_RADIANS)
        quaternions[joint] = multiply_quaternions(quaternions[parent], local)
    return Posture(quaternions, posture.root_dm)


def conjugate(quaternions: np.ndarray) -> np.ndarray:
    """The inverse of unit quaternions (..., 4)."""
    return quaternions * np.array([-1.0, -1, -1, 1])


def limit_angle(quaternion: np.ndarray, largest_radians: float) -> np.ndarray:
    """The same turn, but by no more than this angle."""
    quaternion = quaternion if quaternion[3] >= 0 else -quaternion
    sine = np.linalg.norm(quaternion[:3])
    angle = 2 * np.arctan2(sine, quaternion[3])
    if angle <= largest_radians:
        return quaternion
    return np.append(
        quaternion[:3] / sine * np.sin(largest_radians / 2), np.cos(largest_radians / 2)
    )
