"""Shots: what one person does before one camera in one light, frame by frame."""

from dataclasses import dataclass, replace

import numpy as np

from dancepipe.synthetic.assets import DancerAssets
from dancepipe.synthetic.camera import Camera, Light, aim_camera, draw_light
from dancepipe.synthetic.motion import (
    RATE_HZ,
    blend_postures,
    disturb,
    facing_yaw,
    mix_postures,
    posture_at,
    vary_joints,
)
from dancepipe.synthetic.person import Person
from dancepipe.synthetic.poses import draw_hard_posture
from dancepipe.synthetic.posture import LAG_SECONDS, PosedBones, Posture, pose_bones

AROUND_SHARE = 0.5  # of shots whose camera goes around, where that is asked for
HARD_SHARE = 0.2  # of shots that take rule-made hard poses instead of motion capture
_HARD_STEP_SECONDS, _HARD_KEY_SECONDS = (
    1 / 3,
    0.7,
)  # between frames of such a shot, and from one hard pose to the next
_DANCED_LEGS_SHARE = 0.3  # of the hard shots: arms by rule over the legs of motion capture
_GRIP_KEY_SECONDS = 0.8
_STRETCHED, _FIST = 0.05, 1.45  # how far fingers bend, as amounts of body.finger_bend


@dataclass(frozen=True)
class Scene:
    """One frame before it is rendered."""

    time_seconds: float
    posture: Posture
    bones: PosedBones
    camera: Camera
    light: Light


def draw_shot(
    rng: np.random.Generator,
    assets: DancerAssets,
    person: Person,
    frames: int,
    size_px: int,
    hard_share: float = HARD_SHARE,
    *,
    around: bool = False,
) -> list[Scene]:
    """Draw a shot of `frames` frames, square pictures of size_px. One light; the camera stays on
    one side and follows the person.

    around: in AROUND_SHARE of the shots the camera stands on any side, another one in each frame.
    """
    draw = _hard_postures if rng.random() < hard_share else _motion_postures
    postures = _with_hands(rng, person, draw(rng, assets, person, frames))
    light_yaw = facing_yaw(assets, postures[len(postures) // 2][1])
    # Dance videos are filmed from the front; now and then from anywhere.
    side = rng.normal(0, 0.45) if rng.random() < 0.88 else rng.uniform(-np.pi, np.pi)
    light = draw_light(rng, light_yaw + side)
    pitch, roll = float(np.clip(rng.normal(0.06, 0.09), -0.15, 0.4)), rng.normal(0, 0.015)
    distance = rng.uniform(26, 60)
    fill = rng.uniform(0.74, 0.94)
    shift = rng.normal(0, 0.015, 2)
    distortion = float(
        np.clip(rng.normal(-0.01, 0.02), -0.06, 0.03)
    )  # phones and action cameras bulge a little
    scenes = []
    yaws = np.full(frames, light_yaw + side)
    if around and rng.random() < AROUND_SHARE:
        yaws = rng.uniform(-np.pi, np.pi, frames)
    posed = [pose_bones(person.rig, posture, earlier) for _, posture, earlier in postures]
    outlines = [outline_points(assets, bones) for bones in posed]
    focal = None
    for (time_seconds, posture, _), bones, outline, yaw in zip(postures, posed, outlines, yaws):
        middle = (outline.max(0) + outline.min(0)) / 2
        if focal is None:
            focal = min(
                _fitting_focal(points, angle, pitch, distance, size_px * fill)
                for points, angle in zip(outlines, yaws)
            )
        camera = aim_camera(middle, yaw, pitch, distance, focal, (size_px, size_px), roll)
        # Aim at the middle of what is seen, which perspective moves a little.
        seen = camera.project(outline)[:, :2]
        off = (seen.max(0) + seen.min(0)) / 2 - (size_px - 1) / 2 - shift * size_px
        center = (camera.center_px[0] - float(off[0]), camera.center_px[1] - float(off[1]))
        scenes.append(
            Scene(
                time_seconds,
                posture,
                bones,
                replace(camera, center_px=center, distortion=distortion),
                light,
            )
        )
    return scenes


Timed = list[tuple[float, Posture, Posture]]  # seconds, the posture then, and LAG_SECONDS earlier


def _hard_postures(
    rng: np.random.Generator, assets: DancerAssets, person: Person, frames: int
) -> Timed:
    """From one drawn hard pose to the next, held a moment at each; in some shots arms only, over
    danced legs."""
    seconds = (frames - 1) * _HARD_STEP_SECONDS
    keys = [draw_hard_posture(rng, assets) for _ in range(int(seconds / _HARD_KEY_SECONDS) + 3)]

    def posture_of(time: float) -> Posture:
        place, share = divmod(time / _HARD_KEY_SECONDS + 1, 1)
        return blend_postures(keys[int(place)], keys[int(place) + 1], _eased(share))

    times = [index * _HARD_STEP_SECONDS for index in range(frames)]
    arms = [(time, posture_of(time), posture_of(time - LAG_SECONDS)) for time in times]
    if rng.random() >= _DANCED_LEGS_SHARE:
        return arms
    danced = _motion_postures(rng, assets, person, frames)
    return [
        (time, mix_postures(assets, legs, upper), mix_postures(assets, legs_before, upper_before))
        for (time, legs, legs_before), (_, upper, upper_before) in zip(danced, arms)
    ]


def _eased(share: float) -> float:
    """0 to 1 for 0 to 1, slow at both ends."""
    return share * share * (3 - 2 * share)


def _with_hands(rng: np.random.Generator, person: Person, postures: Timed) -> Timed:
    """The same, with fingers that open and close: each hand from one drawn shape to the next."""
    last = postures[-1][0]
    keys = (
        rng.uniform(_STRETCHED, _FIST, (int(last / _GRIP_KEY_SECONDS) + 3, 2))
        - person.body.relaxed_hands
    )
    phase = rng.uniform(0, 1)

    def gripping(posture: Posture, time: float) -> Posture:
        place, share = divmod(max(time / _GRIP_KEY_SECONDS + phase, 0), 1)
        first, second = keys[int(place)], keys[int(place) + 1]
        return replace(
            posture, grip=tuple(float(grip) for grip in first + (second - first) * _eased(share))
        )

    return [
        (time, gripping(posture, time), gripping(earlier, time - LAG_SECONDS))
        for time, posture, earlier in postures
    ]


def _motion_postures(
    rng: np.random.Generator, assets: DancerAssets, person: Person, frames: int
) -> Timed:
    first, second = rng.choice(len(assets.clips), 2)
    mixed = rng.random() < 0.3
    mirrored = rng.random(2) < 0.5
    speed = rng.uniform(0.8, 1.25)
    # A quarter of a second between kept frames, so that postures differ.
    stride = min(
        rng.uniform(5, 11) * speed, (len(assets.clips[first].rotations) - 1) / max(frames, 1)
    )
    starts = [
        rng.uniform(0, max(len(assets.clips[index].rotations) - 1 - stride * frames, 0))
        for index in (first, second)
    ]
    style = vary_joints(rng, assets, 3.0)

    def posture_of(frame: float) -> Posture:
        posture = posture_at(
            assets, person.rig, assets.clips[first], starts[0] + frame, mirrored[0]
        )
        if mixed:
            posture = mix_postures(
                assets,
                posture,
                posture_at(
                    assets, person.rig, assets.clips[second], starts[1] + frame, mirrored[1]
                ),
            )
        return disturb(assets, posture, style)

    postures = []
    for index in range(frames):
        frame = stride * index
        earlier = posture_of(frame - LAG_SECONDS * RATE_HZ * speed)
        postures.append((frame / speed / RATE_HZ, posture_of(frame), earlier))
    return postures


def outline_points(assets: DancerAssets, bones: PosedBones) -> np.ndarray:
    """float64 (N, 3): bone heads, and the ends that stick out furthest: crown, finger tips,
    soles."""
    body = assets.body
    points = [bones.heads_dm]
    ends = [("head", (0, 1.75, 0.3)), ("head", (0.9, 0.8, 0.4)), ("head", (-0.9, 0.8, 0.4))]
    for suffix, sign in ((".L", 1.0), (".R", -1.0)):
        ends += [
            ("wrist" + suffix, (sign * 1.0, -1.0, 0.9)),
            ("toe1-1" + suffix, (0, -0.2, 0.9)),
            ("foot" + suffix, (0, -0.8, -0.5)),
        ]
    for name, offset in ends:
        bone = body.bone(name)
        points.append(
            (bones.heads_dm[bone] + bones.rotation[bone].astype(np.float64) @ np.array(offset))[
                None
            ]
        )
    return np.concatenate(points)


def _fitting_focal(
    points: np.ndarray, yaw: float, pitch: float, distance: float, span_px: float
) -> float:
    middle = (points.max(0) + points.min(0)) / 2
    seen = aim_camera(middle, yaw, pitch, distance, 1.0, (2, 2)).project(points)[:, :2]
    return float(span_px / max(np.ptp(seen[:, 0]), np.ptp(seen[:, 1])))
