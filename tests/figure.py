"""A drawn person for the person room's tests: a pose with known proportions, and a picture of it
that a detector believes."""

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from dancepipe.pose.skeleton import JOINTS
from dancepipe.records import Pose

# Frontal standing body, in body heights from the head top (0) to the soles (1), x from the body's
# middle.
_STANDING = {
    "nose": (0, 0.075),
    "neck": (0, 0.18),
    "right_shoulder": (-0.105, 0.18),
    "right_elbow": (-0.16, 0.34),
    "right_wrist": (-0.20, 0.48),
    "left_shoulder": (0.105, 0.18),
    "left_elbow": (0.16, 0.34),
    "left_wrist": (0.20, 0.48),
    "right_hip": (-0.055, 0.49),
    "right_knee": (-0.065, 0.72),
    "right_ankle": (-0.07, 0.94),
    "left_hip": (0.055, 0.49),
    "left_knee": (0.065, 0.72),
    "left_ankle": (0.07, 0.94),
    "right_eye": (-0.018, 0.06),
    "left_eye": (0.018, 0.06),
    "right_ear": (-0.04, 0.068),
    "left_ear": (0.04, 0.068),
}


def standing_pose(head_top_xy_px, height_px: float) -> Pose:
    """The standing body with its head top there; all joints seen."""
    points = np.array([_STANDING[name] for name in JOINTS], np.float32) * height_px + np.array(
        head_top_xy_px, np.float32
    )
    return Pose(points, np.ones(len(JOINTS), np.float32))


def draw_figure(
    pose: Pose,
    size_wh,
    background=(205, 210, 205),
    shirt=(170, 40, 45),
    trousers=(40, 50, 90),
    onto=None,
) -> np.ndarray:
    """uint8 RGB picture of a person in shirt and trousers with that pose."""
    scale = 2
    image = Image.new("RGB", size_wh, background) if onto is None else Image.fromarray(onto)
    image = image.resize((size_wh[0] * scale, size_wh[1] * scale))
    pen = ImageDraw.Draw(image)
    p = {name: pose.points_px[i] * scale for i, name in enumerate(JOINTS)}
    unit = float(np.hypot(*(p["neck"] - (p["right_hip"] + p["left_hip"]) / 2)))
    skin, hair = (224, 178, 148), (60, 40, 30)

    def capsule(a, b, width, colour):
        pen.line([tuple(a), tuple(b)], fill=colour, width=round(width * unit))
        for end in (a, b):
            disc(end, width / 2, colour)

    def disc(center, radius, colour, stretch=1.0):
        r = radius * unit
        pen.ellipse(
            (center[0] - r, center[1] - r * stretch, center[0] + r, center[1] + r * stretch),
            fill=colour,
        )

    for side in ("right", "left"):
        hip, knee, ankle = (p[f"{side}_{joint}"] for joint in ("hip", "knee", "ankle"))
        capsule(hip, knee, 0.36, trousers)
        capsule(knee, ankle, 0.24, tuple(round(c * 0.9) for c in trousers))
        disc(ankle + np.array([0, 0.1 * unit]), 0.13, (30, 30, 30), 0.7)
    pen.polygon(
        [tuple(p[name]) for name in ("right_shoulder", "left_shoulder", "left_hip", "right_hip")],
        fill=shirt,
        outline=shirt,
    )
    capsule(p["right_shoulder"], p["right_hip"], 0.22, shirt)
    capsule(p["left_shoulder"], p["left_hip"], 0.22, shirt)
    capsule(p["neck"], p["nose"] + np.array([0, 0.1 * unit]), 0.2, skin)
    for side in ("right", "left"):
        shoulder, elbow, wrist = (p[f"{side}_{joint}"] for joint in ("shoulder", "elbow", "wrist"))
        dark = tuple(round(c * 0.85) for c in shirt)
        capsule(shoulder, elbow, 0.22, dark)
        capsule(elbow, wrist, 0.15, skin)
        disc(wrist + (wrist - elbow) * 0.2, 0.11, skin)
    head = p["nose"] + np.array([0, -0.02 * unit])
    disc(head - np.array([0, 0.08 * unit]), 0.23, hair, 1.15)
    disc(head, 0.2, skin, 1.25)
    for eye in ("right_eye", "left_eye"):
        disc(p[eye], 0.035, (250, 250, 250))
        disc(p[eye], 0.02, (20, 20, 20))
        pen.line(
            [
                tuple(p[eye] + np.array([-0.05, -0.06]) * unit),
                tuple(p[eye] + np.array([0.05, -0.06]) * unit),
            ],
            fill=hair,
            width=4,
        )
    disc(p["nose"], 0.03, (200, 150, 120))
    mouth = p["nose"] + np.array([0, 0.11 * unit])
    pen.line(
        [tuple(mouth - np.array([0.06 * unit, 0])), tuple(mouth + np.array([0.06 * unit, 0]))],
        fill=(160, 60, 60),
        width=5,
    )
    image = image.filter(ImageFilter.GaussianBlur(1)).resize(size_wh, Image.Resampling.LANCZOS)
    return np.asarray(image)
