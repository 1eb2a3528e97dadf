"""Shots: what one person does before one camera in one light, frame by frame."""

from dataclasses import dataclass

import numpy as np

from dancepipe.dancers.assets import DancerAssets
from dancepipe.dancers.camera import Camera, Light, aim_camera, draw_light
from dancepipe.dancers.motion import RATE_HZ, disturb, facing_yaw, mix_postures, posture_at, vary_joints
from dancepipe.dancers.person import Person
from dancepipe.dancers.poses import draw_hard_posture
from dancepipe.dancers.posture import LAG_SECONDS, PosedBones, Posture, pose_bones

HARD_SHARE = 0.2  # of shots that take rule-made hard poses instead of motion capture


@dataclass(frozen=True)
class Scene:
    """One frame before it is rendered."""

    time_seconds: float
    posture: Posture
    bones: PosedBones
    camera: Camera
    light: Light


def draw_shot(
    rng: np.random.Generator, assets: DancerAssets, person: Person, frames: int, size_px: int, hard_share: float = HARD_SHARE
) -> list[Scene]:
    """Draw a shot of `frames` frames, square pictures of size_px. One light; the camera stays on one side and follows the person."""
    postures = _hard_postures(rng, assets, frames) if rng.random() < hard_share else _motion_postures(rng, assets, person, frames)
    light_yaw = facing_yaw(assets, postures[len(postures) // 2][1])
    # Dance videos are filmed from the front; now and then from anywhere.
    side = rng.normal(0, 0.45) if rng.random() < 0.88 else rng.uniform(-np.pi, np.pi)
    light = draw_light(rng, light_yaw + side)
    pitch, roll = float(np.clip(rng.normal(0.06, 0.09), -0.15, 0.4)), rng.normal(0, 0.015)
    distance = rng.uniform(26, 60)
    fill = rng.uniform(0.74, 0.94)
    shift = rng.normal(0, 0.015, 2)
    scenes = []
    yaw = light_yaw + side
    posed = [pose_bones(person.rig, posture, earlier) for _, posture, earlier in postures]
    outlines = [outline_points(assets, bones) for bones in posed]
    focal = None
    for (time_seconds, posture, _), bones, outline in zip(postures, posed, outlines):
        middle = (outline.max(0) + outline.min(0)) / 2
        if focal is None:
            focal = min(_fitting_focal(points, yaw, pitch, distance, size_px * fill) for points in outlines)
        camera = aim_camera(middle, yaw, pitch, distance, focal, (size_px, size_px), roll)
        # Aim at the middle of what is seen, which perspective moves a little.
        seen = camera.project(outline)[:, :2]
        off = (seen.max(0) + seen.min(0)) / 2 - (size_px - 1) / 2 - shift * size_px
        center = (camera.center_px[0] - float(off[0]), camera.center_px[1] - float(off[1]))
        scenes.append(
            Scene(time_seconds, posture, bones, Camera(camera.eye_dm, camera.axes, camera.focal_px, center, camera.size_wh), light)
        )
    return scenes


def _hard_postures(rng: np.random.Generator, assets: DancerAssets, frames: int) -> list[tuple[float, Posture, Posture | None]]:
    return [(index / 3, draw_hard_posture(rng, assets), None) for index in range(frames)]


def _motion_postures(
    rng: np.random.Generator, assets: DancerAssets, person: Person, frames: int
) -> list[tuple[float, Posture, Posture | None]]:
    first, second = rng.choice(len(assets.clips), 2)
    mixed = rng.random() < 0.3
    mirrored = rng.random(2) < 0.5
    speed = rng.uniform(0.8, 1.25)
    # A quarter of a second between kept frames, so that postures differ.
    stride = min(rng.uniform(5, 11) * speed, (len(assets.clips[first].rotations) - 1) / max(frames, 1))
    starts = [rng.uniform(0, max(len(assets.clips[index].rotations) - 1 - stride * frames, 0)) for index in (first, second)]
    style = vary_joints(rng, assets, 3.0)

    def posture_of(frame: float) -> Posture:
        posture = posture_at(assets, person.rig, assets.clips[first], starts[0] + frame, mirrored[0])
        if mixed:
            posture = mix_postures(assets, posture, posture_at(assets, person.rig, assets.clips[second], starts[1] + frame, mirrored[1]))
        return disturb(assets, posture, style)

    postures = []
    for index in range(frames):
        frame = stride * index
        earlier = posture_of(frame - LAG_SECONDS * RATE_HZ * speed)
        postures.append((frame / speed / RATE_HZ, posture_of(frame), earlier))
    return postures


def outline_points(assets: DancerAssets, bones: PosedBones) -> np.ndarray:
    """float64 (N, 3): bone heads, and the ends that stick out furthest: crown, finger tips, soles."""
    body = assets.body
    points = [bones.heads_dm]
    ends = [("head", (0, 1.75, 0.3)), ("head", (0.9, 0.8, 0.4)), ("head", (-0.9, 0.8, 0.4))]
    for suffix, sign in ((".L", 1.0), (".R", -1.0)):
        ends += [("wrist" + suffix, (sign * 1.0, -1.0, 0.9)), ("toe1-1" + suffix, (0, -0.2, 0.9)), ("foot" + suffix, (0, -0.8, -0.5))]
    for name, offset in ends:
        bone = body.bone(name)
        points.append((bones.heads_dm[bone] + bones.rotation[bone].astype(np.float64) @ np.array(offset))[None])
    return np.concatenate(points)


def _fitting_focal(points: np.ndarray, yaw: float, pitch: float, distance: float, span_px: float) -> float:
    middle = (points.max(0) + points.min(0)) / 2
    seen = aim_camera(middle, yaw, pitch, distance, 1.0, (2, 2)).project(points)[:, :2]
    return float(span_px / max(np.ptp(seen[:, 0]), np.ptp(seen[:, 1])))
