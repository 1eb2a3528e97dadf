"""Eyes and eyebrows; eyelashes are painted with the skin."""

from functools import lru_cache

import numpy as np

from dancepipe.synthetic.assets import DancerAssets
from dancepipe.synthetic.body import fit_proxy, proxy_skin
from dancepipe.synthetic.figure import Material, Part
from dancepipe.synthetic.hair import end_distance
from dancepipe.synthetic.raster import STRANDS, TWO_SIDED
from dancepipe.synthetic.texture import Texture, fractal_noise, linear, make_texture

IRIS_COLORS = (
    (66, 40, 24),
    (92, 62, 36),
    (120, 96, 56),
    (96, 110, 84),
    (104, 134, 156),
    (120, 130, 136),
    (48, 30, 20),
)


def eye_texture(assets: DancerAssets, iris_color: np.ndarray) -> Texture:
    """The pack's eyes with the iris in a linear colour."""
    albedo, iris, brightness = _eye_picture(assets)
    return make_texture(albedo * (1 - iris) + iris * iris_color * brightness)


@lru_cache(maxsize=2)
def _eye_picture(assets: DancerAssets) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The pack's eyes: linear albedo (256, 256, 3), share of iris and its brightness (256, 256,
    1)."""
    picture = (assets.eye_texture.astype(np.float32) / 255) ** 2.2
    side = 256
    rows = np.linspace(0, picture.shape[0] - 1, side).round().astype(int)
    columns = np.linspace(0, picture.shape[1] - 1, side).round().astype(int)
    picture = picture[rows][:, columns][::-1]  # v grows upwards
    red, blue = picture[..., 0], picture[..., 2]
    iris = np.clip((red - 2.2 * blue) / 0.03, 0, 1)[..., None]
    return picture * 0.95, iris, np.clip(red[..., None] / 0.12, 0.25, 2.2)


def eyes_part(
    assets: DancerAssets, rng: np.random.Generator, points_dm: np.ndarray, african: float
) -> Part:
    """Both eyeballs, looking a little to one side."""
    choice = rng.choice(len(IRIS_COLORS)) if african < 0.4 else rng.choice([0, 1, 6])
    proxy = assets.proxies["eyes"]["low-poly"]
    bones, weights = proxy_skin(assets, proxy)
    points = fit_proxy(assets, proxy, points_dm)
    gaze = rng.normal(0, [0.10, 0.05])
    for side in (points[:, 0] > 0, points[:, 0] <= 0):
        center = points[side].mean(0)
        away = points[side] - center
        x = away[:, 0] * np.cos(gaze[0]) + away[:, 2] * np.sin(gaze[0])
        z = -away[:, 0] * np.sin(gaze[0]) + away[:, 2] * np.cos(gaze[0])
        y = away[:, 1] * np.cos(gaze[1]) + z * np.sin(gaze[1])
        points[side] = center + np.stack(
            [x, y, z * np.cos(gaze[1]) - away[:, 1] * np.sin(gaze[1])], 1
        )
    material = Material(
        eye_texture(assets, linear(*IRIS_COLORS[choice])),
        TWO_SIDED,
        specular=0.5,
        shininess=90.0,
        scatter=0.3,
    )
    return Part(
        points.astype(np.float32),
        bones,
        weights,
        proxy.triangles,
        proxy.texture_points,
        material,
        "face",
    )


def eyebrows_part(
    assets: DancerAssets, rng: np.random.Generator, points_dm: np.ndarray, color: np.ndarray
) -> Part:
    """Eyebrows of one of the pack's shapes, frayed at the edges."""
    names = sorted(assets.proxies["eyebrows"])
    proxy = assets.proxies["eyebrows"][names[rng.choice(len(names))]]
    bones, weights = proxy_skin(assets, proxy)
    side = 128
    hairs = fractal_noise(rng, side, 6, 60, falloff=0.3, stretch=1.6)
    texture = make_texture(
        np.repeat(0.7 * np.exp(0.3 * hairs)[..., None], 3, 2),
        strand_noise=np.clip(0.5 + 0.25 * hairs, 0, 1),
    )
    inside = end_distance(assets, proxy)
    material = Material(texture, STRANDS, specular=0.01, fringe_dm=0.035)
    tint = np.tile(color * min(1.2, 0.2 / color.max()), (len(inside), 1))
    return Part(
        _at_ease(
            fit_proxy(assets, proxy, points_dm), rng.uniform(0.0, 0.04), rng.uniform(0.07, 0.11)
        ),
        bones,
        weights,
        proxy.triangles,
        proxy.texture_points * 2,
        material,
        "face",
        tint,
        inside,
        pull_dm=0.03,
    )


def _at_ease(points: np.ndarray, lift_dm: float, thickest_dm: float) -> np.ndarray:
    """Brows that do not frown: their inner ends lifted (the pack's dip towards the nose), none
    thicker than thickest_dm."""
    eased = points.copy()
    for side in (points[:, 0] > 0, points[:, 0] <= 0):
        across, height = np.abs(points[side, 0]), points[side, 1]
        along = (across - across.min()) / np.ptp(across)  # 0 at the nose, 1 at the temple
        middle = np.polyval(np.polyfit(along, height, 2), along)
        thinner = min(1.0, thickest_dm / np.ptp(height - middle))
        eased[side, 1] = (
            middle + (height - middle) * thinner + lift_dm * np.clip(1 - along / 0.6, 0, 1)
        )
    return eased
