"""Motion: postures from the pack's motion-capture takes, mirrored, sped up and mixed."""

import numpy as np

from dancepipe.dancers.assets import DancerAssets, MotionClip
from dancepipe.dancers.posture import MOTION_PARENT, Posture, Rig, quaternion_matrices

RATE_HZ = 30


def clip_by_name(assets: DancerAssets, name: str) -> MotionClip:
    """The take of this name; KeyError for others."""
    return {clip.name: clip for clip in assets.clips}[name]


def posture_at(assets: DancerAssets, rig: Rig, clip: MotionClip, frame: float, mirrored: bool = False) -> Posture:
    """The posture at a (fractional) frame of a take, the root scaled to the body's legs; x and z start at the take's first frame."""
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
    return Posture(quaternions, root)


def mirror_quaternions(assets: DancerAssets, quaternions: np.ndarray) -> np.ndarray:
    """Swap left and right: reflect at the plane x = 0."""
    partner = [assets.motion_joints.index({"l": "r", "r": "l"}[name[0]] + name[1:] if name[1:2].isupper() else name) for name in assets.motion_joints]
    return quaternions[partner] * np.array([1, -1, -1, 1])


def facing_yaw(assets: DancerAssets, posture: Posture) -> float:
    """The yaw (radians, 0 towards +z) that hips and chest face on average."""
    chosen = [assets.motion_joints.index(name) for name in ("hip", "chest")]
    forward = quaternion_matrices(posture.quaternions[chosen])[:, :, 2].mean(0)
    return float(np.arctan2(forward[0], forward[2]))


def joint_parents(assets: DancerAssets) -> list[int]:
    """Index of each motion joint's parent, -1 for the hip."""
    names = assets.motion_joints
    return [-1 if MOTION_PARENT[name] is None else names.index(MOTION_PARENT[name]) for name in names]
