"""Postures by rule, inside joint limits: relaxed standing, and the poses that dance data has too
few of."""

from collections.abc import Callable

import numpy as np

from dancepipe.synthetic.assets import DancerAssets
from dancepipe.synthetic.motion import joint_parents
from dancepipe.synthetic.posture import Posture, axis_quaternion, multiply_quaternions

# Angles in degrees against the rest pose: standing, arms level to the sides. Per joint (x, y, z),
# applied z, then y, then x.
Angles = dict[str, tuple[float, float, float]]


def arm(
    side: str, lower: float, forward: float = 0.0, elbow: float = 0.0, twist: float = 0.0
) -> Angles:
    """lower: 90 hangs down, 0 level, -80 straight up. forward: swung to the front. elbow: bend.
    twist: about the upper arm."""
    sign = 1.0 if side == "l" else -1.0
    raised = max(0.0, -lower)
    return {
        side + "Collar": (0.0, 0.0, sign * raised * 0.25),
        side + "Shldr": (-forward, 0.0, -sign * (lower + raised * 0.25)),
        side + "ForeArm": (twist, -sign * elbow, 0.0),
    }


def leg(
    side: str, forward: float = 0.0, out: float = 0.0, knee: float = 0.0, turn: float = 0.0
) -> Angles:
    """forward: thigh swung to the front, out: to the side, knee: bend, turn: toes outwards."""
    sign = 1.0 if side == "l" else -1.0
    foot = knee - forward
    return {
        side + "Thigh": (-forward, sign * turn, sign * out),
        side + "Shin": (knee, 0.0, 0.0),
        side + "Foot": (-float(np.clip(foot, -25, 30)), 0.0, -sign * out * 0.6),
    }


def posture_from_angles(
    assets: DancerAssets, angles: Angles, root_dm: tuple[float, float, float] = (0, 0, 0)
) -> Posture:
    """Build a posture from joint angles."""
    quaternions = np.tile([0.0, 0, 0, 1], (len(assets.motion_joints), 1))
    for index, (name, parent) in enumerate(zip(assets.motion_joints, joint_parents(assets))):
        x, y, z = np.radians(angles.get(name, (0.0, 0.0, 0.0)))
        local = multiply_quaternions(axis_quaternion((0, 1, 0), y), axis_quaternion((0, 0, 1), z))
        local = multiply_quaternions(axis_quaternion((1, 0, 0), x), local)
        quaternions[index] = (
            local if parent < 0 else multiply_quaternions(quaternions[parent], local)
        )
    return Posture(quaternions, np.asarray(root_dm, np.float64))


def _spine(bend: float = 0.0, turn: float = 0.0, side: float = 0.0) -> Angles:
    return {"abdomen": (bend / 2, turn / 2, side / 2), "chest": (bend / 2, turn / 2, side / 2)}


def _head(rng: np.random.Generator) -> Angles:
    nod, turn, tilt = rng.normal(0, [6, 14, 5])
    return {"neck": (nod / 2, turn / 2, tilt / 2), "head": (nod / 2, turn / 2, tilt / 2)}


def _feet(rng: np.random.Generator) -> Angles:
    return leg("l", rng.uniform(-8, 14), rng.uniform(2, 10), rng.uniform(2, 14), 12) | leg(
        "r", rng.uniform(-8, 14), rng.uniform(2, 10), rng.uniform(2, 14), 12
    )


def standing(rng: np.random.Generator) -> Angles:
    """Relaxed, arms a little off the body."""
    return (
        arm("l", rng.uniform(70, 80), rng.uniform(0, 10), rng.uniform(6, 22), 30)
        | arm("r", rng.uniform(70, 80), rng.uniform(0, 10), rng.uniform(6, 22), 30)
        | leg("l", rng.uniform(-2, 3), rng.uniform(4, 8), rng.uniform(0, 4), 10)
        | leg("r", rng.uniform(-2, 3), rng.uniform(4, 8), rng.uniform(0, 4), 10)
        | {"neck": tuple(rng.normal(0, 2.5, 3)), "head": tuple(rng.normal(0, 2.5, 3))}
    )


def raised_arms(rng: np.random.Generator) -> Angles:
    """One or both arms up."""
    left = arm(
        "l", rng.uniform(-85, -25), rng.uniform(-10, 25), rng.uniform(0, 70), rng.uniform(-60, -20)
    )
    if rng.random() < 0.5:
        right = arm(
            "r",
            rng.uniform(-85, -25),
            rng.uniform(-10, 25),
            rng.uniform(0, 70),
            rng.uniform(-60, -20),
        )
    else:
        right = arm("r", rng.uniform(20, 80), rng.uniform(-10, 40), rng.uniform(0, 80))
    return (
        left
        | right
        | _feet(rng)
        | _spine(rng.normal(0, 5), rng.normal(0, 12), rng.normal(0, 8))
        | _head(rng)
    )


def arms_before_torso(rng: np.random.Generator) -> Angles:
    """Forearms crossing chest or belly."""
    angles: Angles = {}
    for side in "lr":
        angles |= arm(
            side,
            rng.uniform(55, 80),
            rng.uniform(10, 40),
            rng.uniform(70, 115),
            rng.uniform(35, 80),
        )
    return angles | _feet(rng) | _spine(rng.uniform(-4, 12), rng.normal(0, 10)) | _head(rng)


def crossed_legs(rng: np.random.Generator) -> Angles:
    """One leg before the other across the middle."""
    front = leg("l", rng.uniform(10, 20), rng.uniform(-16, -8), rng.uniform(0, 20)) | leg(
        "r", rng.uniform(-14, -4), rng.uniform(-10, -4), rng.uniform(0, 10)
    )
    arms = arm("l", rng.uniform(0, 60), rng.uniform(0, 30), rng.uniform(10, 80)) | arm(
        "r", rng.uniform(0, 60), rng.uniform(0, 30), rng.uniform(10, 80)
    )
    return front | arms | _spine(0, rng.normal(0, 14), rng.normal(0, 6)) | _head(rng)


def squat(rng: np.random.Generator) -> Angles:
    """Knees deeply bent."""
    depth = rng.uniform(45, 95)
    legs: Angles = {}
    for side in "lr":
        legs |= leg(
            side,
            depth * rng.uniform(0.85, 1.0),
            rng.uniform(8, 30),
            depth * rng.uniform(1.1, 1.3),
            rng.uniform(5, 25),
        )
    arms = arm("l", rng.uniform(0, 60), rng.uniform(20, 70), rng.uniform(10, 90)) | arm(
        "r", rng.uniform(0, 60), rng.uniform(20, 70), rng.uniform(10, 90)
    )
    return legs | arms | _spine(rng.uniform(5, 35), rng.normal(0, 10)) | _head(rng)


def leg_raise(rng: np.random.Generator) -> Angles:
    """A kick or a raised knee."""
    up = rng.uniform(35, 95)
    kick = leg("l", up, rng.uniform(-5, 35), rng.choice([rng.uniform(0, 20), rng.uniform(60, 110)]))
    arms = arm("l", rng.uniform(-30, 50), rng.uniform(0, 40), rng.uniform(0, 60)) | arm(
        "r", rng.uniform(-30, 50), rng.uniform(0, 40), rng.uniform(0, 60)
    )
    return (
        kick
        | leg("r", rng.uniform(-6, 4), 3, rng.uniform(2, 18))
        | arms
        | _spine(rng.uniform(-10, 5), rng.normal(0, 8), rng.normal(0, 6))
        | _head(rng)
    )


def lunge(rng: np.random.Generator) -> Angles:
    """A long step."""
    legs = leg("l", rng.uniform(35, 65), rng.uniform(5, 20), rng.uniform(40, 75)) | leg(
        "r", rng.uniform(-30, -12), rng.uniform(5, 20), rng.uniform(5, 25)
    )
    arms = arm("l", rng.uniform(-40, 60), rng.uniform(0, 60), rng.uniform(0, 60)) | arm(
        "r", rng.uniform(-40, 60), rng.uniform(-20, 60), rng.uniform(0, 60)
    )
    return legs | arms | _spine(rng.uniform(0, 20), rng.normal(0, 15)) | _head(rng)


HARD_POSES: dict[str, Callable[[np.random.Generator], Angles]] = {
    "raised_arms": raised_arms,
    "arms_before_torso": arms_before_torso,
    "crossed_legs": crossed_legs,
    "squat": squat,
    "leg_raise": leg_raise,
    "lunge": lunge,
}


def draw_hard_posture(
    rng: np.random.Generator, assets: DancerAssets, kind: str | None = None
) -> Posture:
    """A hard pose of a drawn (or given) kind of HARD_POSES, at random mirrored, sometimes turned
    away from the front."""
    angles = HARD_POSES[kind or str(rng.choice(list(HARD_POSES)))](rng)
    if rng.random() < 0.5:
        angles = mirror_angles(angles)
    turn = rng.normal(0, 25) if rng.random() < 0.7 else rng.uniform(-180, 180)
    angles["hip"] = (float(rng.normal(0, 3)), float(turn), float(rng.normal(0, 3)))
    return posture_from_angles(assets, angles)


def mirror_angles(angles: Angles) -> Angles:
    """Swap left and right."""
    swap = {"l": "r", "r": "l"}
    return {
        (swap[name[0]] + name[1:] if name[1:2].isupper() else name): (x, -y, -z)
        for name, (x, y, z) in angles.items()
    }
