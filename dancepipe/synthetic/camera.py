"""Cameras and lights, and drawing natural ones."""

from dataclasses import dataclass

import numpy as np

from dancepipe.synthetic.figure import view_axes


@dataclass(frozen=True)
class Camera:
    """A camera with a simple lens. Pixel centres are at integers."""

    eye_dm: np.ndarray  # float64 (3,)
    axes: np.ndarray  # float64 (3, 3): rows right, up, back
    focal_px: float
    center_px: tuple[float, float]  # where the optical axis meets the picture
    size_wh: tuple[int, int]
    # at half the picture's side from the axis, a point lies this share further out (barrel: < 0)
    distortion: float = 0.0

    def project(self, points_dm: np.ndarray) -> np.ndarray:
        """float64 (N, 3): x and y in pixels, depth in decimetres."""
        seen = (np.asarray(points_dm, np.float64) - self.eye_dm) @ self.axes.T
        depth = np.maximum(-seen[:, 2], 0.1)
        across, up = self.focal_px * seen[:, 0] / depth, self.focal_px * seen[:, 1] / depth
        further = 1 + self.distortion * (across**2 + up**2) / (max(self.size_wh) / 2) ** 2
        return np.stack(
            [self.center_px[0] + across * further, self.center_px[1] - up * further, depth], 1
        )


def aim_camera(
    target_dm: np.ndarray,
    yaw: float,
    pitch: float,
    distance_dm: float,
    focal_px: float,
    size_wh: tuple[int, int],
    roll: float = 0.0,
) -> Camera:
    """A camera that looks at target_dm from yaw (0: from +z) and pitch (> 0: from above), in
    radians."""
    back = np.array([np.sin(yaw) * np.cos(pitch), np.sin(pitch), np.cos(yaw) * np.cos(pitch)])
    axes = view_axes(back)
    if roll:
        turn = np.array(
            [[np.cos(roll), np.sin(roll), 0], [-np.sin(roll), np.cos(roll), 0], [0, 0, 1]]
        )
        axes = turn @ axes
    center = ((size_wh[0] - 1) / 2, (size_wh[1] - 1) / 2)
    return Camera(
        np.asarray(target_dm, np.float64) + axes[2] * distance_dm,
        axes,
        float(focal_px),
        center,
        size_wh,
    )


@dataclass(frozen=True)
class Light:
    """Key and fill directions (towards the light), their linear colours, the sky's light from
    above and below, exposure."""

    directions: np.ndarray  # float32 (2, 3)
    colors: np.ndarray  # float32 (2, 3)
    sky: np.ndarray  # float32 (2, 3)
    exposure: float = 1.0


def draw_light(rng: np.random.Generator, facing_yaw: float = 0.0) -> Light:
    """Daylight or room light, white balance a little off, total brightness kept in a usable
    range."""
    azimuth, elevation = facing_yaw + rng.uniform(-1.3, 1.3), rng.uniform(0.25, 1.2)
    back = rng.uniform(0, 2 * np.pi)
    key = rng.uniform(0.3, 1.1)
    around = rng.uniform(0.45, 0.9)
    level = rng.uniform(0.9, 1.25) / (key * 0.75 + around * 0.85)
    return make_light(
        azimuth,
        elevation,
        key * level,
        around * level,
        back,
        rng.uniform(0, 0.3),
        warmth=rng.normal(0, 0.08),
        ground=rng.uniform(0.4, 0.8),
    )


def flat_light(strength: float = 0.8) -> Light:
    """Light from everywhere alike: a point of the surface looks the same in every pose, which no
    real light does. For checks."""
    directions = np.array([[0, 1, 0], [0, 0, 1]], np.float32)
    return Light(directions, np.zeros((2, 3), np.float32), np.full((2, 3), strength, np.float32))


def make_light(
    azimuth: float,
    elevation: float,
    key: float,
    around: float,
    back_azimuth: float = 2.6,
    back: float = 0.15,
    warmth: float = 0.0,
    ground: float = 0.6,
) -> Light:
    """A light by hand: angles in radians, linear strengths, warmth > 0 reddens the key and the
    sky alike."""
    balance = np.array([1 + warmth, 1.0, 1 - warmth])
    directions = np.array(
        [
            [
                np.sin(azimuth) * np.cos(elevation),
                np.sin(elevation),
                np.cos(azimuth) * np.cos(elevation),
            ],
            np.array([np.sin(back_azimuth) * 0.8, 0.3, np.cos(back_azimuth) * 0.8])
            / np.hypot(0.8, 0.3),
        ]
    )
    colors = np.stack([balance * key, np.full(3, back)])
    sky = np.stack([balance * around, balance[::-1] * around * ground])
    return Light(directions.astype(np.float32), colors.astype(np.float32), sky.astype(np.float32))
