"""Skin without photographs: tone families, and tints of the face from the base mesh's own
shapes."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from dancepipe.synthetic.assets import DancerAssets
from dancepipe.synthetic.body import BodyTraits, mouth_corner
from dancepipe.synthetic.texture import Texture, fractal_noise, linear, make_texture

# sRGB, light to dark; the lips' colour beside each.
_TONES = {
    "caucasian": (
        ((238, 200, 178), (200, 120, 112)),
        ((226, 182, 156), (188, 106, 98)),
        ((206, 160, 130), (170, 94, 86)),
    ),
    "asian": (
        ((236, 202, 170), (196, 118, 106)),
        ((220, 180, 144), (180, 102, 92)),
        ((190, 146, 110), (156, 88, 78)),
    ),
    "african": (
        ((158, 108, 80), (140, 78, 72)),
        ((118, 78, 56), (112, 62, 58)),
        ((84, 54, 40), (88, 50, 48)),
    ),
}


@dataclass(frozen=True)
class SkinTraits:
    """Colours are linear."""

    tone: np.ndarray
    lips: np.ndarray
    blush: float  # redness of cheeks, nose, ears, knuckles
    stubble: float  # 0 none .. 1 dark beard shadow
    freckles: float
    make_up: float  # lips and eyelids
    hair_color: np.ndarray
    bald: float  # 0: the scalp is painted in the hair's colour, 1: bare


def draw_skin(
    rng: np.random.Generator, traits: BodyTraits, hair_color: np.ndarray, bald: float
) -> SkinTraits:
    """Draw a skin that fits the body's ethnicity mix, sex and age."""
    tone, lips = np.zeros(3, np.float32), np.zeros(3, np.float32)
    shade = rng.uniform(0, 1.999)
    for name, share in zip(_TONES, traits.ethnicity):
        first, second = _TONES[name][int(shade)], _TONES[name][int(shade) + 1]
        part = shade - int(shade)
        tone += np.float32(share) * (linear(*first[0]) * (1 - part) + linear(*second[0]) * part)
        lips += np.float32(share) * (linear(*first[1]) * (1 - part) + linear(*second[1]) * part)
    tone *= (1 + rng.normal(0, [0.03, 0.03, 0.05])).astype(np.float32)
    return SkinTraits(
        tone=tone,
        lips=lips,
        blush=float(rng.uniform(0.3, 1.0)),
        stubble=0.0
        if traits.is_female
        else float(rng.choice([0.0, 0.15, 0.4, 0.8], p=[0.35, 0.3, 0.2, 0.15])),
        freckles=float(rng.uniform(0.3, 1)) if tone[0] > 0.5 and rng.random() < 0.2 else 0.0,
        make_up=float(rng.uniform(0.3, 1)) if traits.is_female and rng.random() < 0.55 else 0.0,
        hair_color=hair_color,
        bald=bald,
    )


def paint_skin(assets: DancerAssets, skin: SkinTraits) -> np.ndarray:
    """float32 (V, 3): linear tint of every body vertex."""
    body = assets.body
    base = body.points_dm
    tint = np.tile(skin.tone, (len(base), 1))
    head = body.bone_share("head")

    def mix(strength: np.ndarray, color: np.ndarray) -> None:
        nonlocal tint
        strength = np.clip(strength, 0, 1)[:, None].astype(np.float32)
        tint = tint * (1 - strength) + color.astype(np.float32) * strength

    red = skin.tone * np.array([1.04, 0.74, 0.72], np.float32)
    cheek = assets.morph_strength("d-cheek-l-cheek-volume-incr", "d-cheek-r-cheek-volume-incr")
    nose_tip = _spot(base, (0.0, 6.98, 1.72), 0.13)
    ears = (
        np.clip((np.abs(base[:, 0]) - 0.72) / 0.08, 0, 1)
        * head
        * (base[:, 1] > 6.7)
        * (base[:, 1] < 7.6)
    )
    mix(0.55 * skin.blush * cheek, red)
    mix(0.5 * skin.blush * nose_tip, red)
    mix(0.5 * skin.blush * ears, red)
    hands = body.bone_share("wrist.L", "wrist.R")
    mix(0.25 * skin.blush * hands, red)

    # Eye sockets and lids: darker, the crease above the eye most.
    shadow = skin.tone * np.array([0.62, 0.5, 0.5], np.float32)
    for points in (base[body.left_eye_vertices], base[body.right_eye_vertices]):
        x, y, z = points.mean(0)
        around = (
            np.exp(-(((base[:, 0] - x) / 0.2) ** 2 + ((base[:, 1] - y - 0.03) / 0.12) ** 2))
            * (base[:, 2] > z - 0.25)
            * head
        )
        mix(0.4 * around, shadow)
        if skin.make_up > 0:
            lid = (
                np.exp(-(((base[:, 0] - x) / 0.17) ** 2 + ((base[:, 1] - y - 0.09) / 0.06) ** 2))
                * (base[:, 2] > z - 0.1)
                * head
            )
            mix(0.35 * skin.make_up * lid, shadow * np.array([0.8, 0.55, 0.6], np.float32))
    for lashes, strength in (("-eyelashes-2", 0.85), ("-eyelashes-1", 0.45)):  # upper, lower lid
        rim = _lash_line(assets, lashes)
        mix(strength * rim * (head > 0.5), skin.tone * 0.12)

    # Lips: where the lips' volume morphs act.
    lips = assets.morph_strength(
        "d-mouth-mouth-upperlip-volume-incr", "d-mouth-mouth-lowerlip-volume-incr"
    )
    red_lips = linear(168, 42, 52) * (0.35 + 0.65 * min(1.0, float(skin.tone[0]) / 0.5))
    lips_color = skin.lips * (1 - 0.5 * skin.make_up) + red_lips * 0.5 * skin.make_up
    mix((0.6 + 0.3 * skin.make_up) * np.clip((lips - 0.12) / 0.3, 0, 1), lips_color)
    corner = mouth_corner(assets)
    mix(0.5 * (_spot(base, corner, 0.05) + _spot(base, corner * [-1, 1, 1], 0.05)), skin.tone * 0.4)
    line = (
        np.exp(-(((base[:, 1] - corner[1]) / 0.014) ** 2))
        * (np.abs(base[:, 0]) < 0.25)
        * (base[:, 2] > 0.9)
        * (head > 0.5)
    )
    mix(0.7 * line, lips_color * 0.25)
    nostril = _spot(base, (0.09, 6.93, 1.50), 0.045) + _spot(base, (-0.09, 6.93, 1.50), 0.045)
    mix(0.8 * nostril, skin.tone * 0.2)

    if skin.stubble > 0:
        beard = _beard_area(base, corner, head) * (1 - np.clip((lips - 0.1) / 0.2, 0, 1))
        mix(
            0.55 * skin.stubble * beard,
            np.minimum(skin.hair_color * 0.6 + skin.tone * 0.12, skin.tone * 0.55),
        )
    scalp = _scalp_area(base, head)
    mix((1 - skin.bald) * 0.92 * scalp, skin.hair_color * 0.8)
    mix(0.15 * skin.bald * scalp, skin.hair_color)
    return tint.astype(np.float32)


def _spot(points: np.ndarray, center, radius: float) -> np.ndarray:
    return np.exp(-((points - np.asarray(center, np.float32)) ** 2).sum(1) / (2 * radius**2))


@lru_cache(maxsize=4)
def _lash_line(assets: DancerAssets, lashes: str) -> np.ndarray:
    """1 where these eyelashes grow, falling off over 2 mm on the base mesh."""
    from scipy.spatial import cKDTree  # pyright: ignore[reportAttributeAccessIssue] compiled

    points = assets.body.points_dm
    roots = np.unique(assets.body.group_triangles("helper-l" + lashes, "helper-r" + lashes))
    distance, _ = cKDTree(points[roots]).query(points, distance_upper_bound=0.08)
    return np.exp(-(np.minimum(distance, 1e3) ** 2) / (2 * 0.02**2))


def _beard_area(base: np.ndarray, corner: np.ndarray, head: np.ndarray) -> np.ndarray:
    below = np.clip(
        (corner[1] + 0.22 - base[:, 1] + 0.35 * np.clip(np.abs(base[:, 0]) - 0.35, 0, 1)) / 0.12,
        0,
        1,
    )
    above_neck = np.clip((base[:, 1] - 6.02) / 0.2, 0, 1)
    front = np.clip((base[:, 2] - 0.25) / 0.25, 0, 1)
    return below * above_neck * front * np.clip(head * 1.5, 0, 1)


def _scalp_area(base: np.ndarray, head: np.ndarray) -> np.ndarray:
    """Where hair grows: behind a hairline that runs from the forehead over the temples behind
    the ears to the nape."""
    x, y, z = base[:, 0], base[:, 1], base[:, 2]
    # The line rises from the nape (z = -0.6, y = 6.5) to the forehead (z = 1.2, y = 8.0).
    hairline = (
        6.55
        + np.interp(z, [-0.8, 0.2, 0.45, 0.8, 1.15, 1.5], [0.0, 0.55, 0.95, 1.1, 1.37, 1.75])
        + 0.12 * np.clip(np.abs(x) - 0.4, 0, 1)
    )
    ear = (np.abs(x) > 0.74) & (y < 7.6)
    return np.clip((y - hairline + 0.06) / 0.34, 0, 1) * (head > 0.5) * ~ear


def skin_texture(rng: np.random.Generator, skin: SkinTraits, side: int = 256) -> Texture:
    """Mottling and pores, a factor about 1 on the vertex tints (0.85 stands for 1, so that
    lighter spots fit)."""
    blotches = fractal_noise(rng, side, 2, 12)
    pores = fractal_noise(rng, side, 30, 100, falloff=0.3)
    redness = fractal_noise(rng, side, 3, 16)
    value = 0.84 * (1 + 0.022 * blotches + 0.02 * pores)
    albedo = np.stack(
        [value * (1 + 0.012 * redness), value * (1 - 0.02 * redness), value * (1 - 0.02 * redness)],
        -1,
    )
    if skin.freckles > 0:
        spots = (
            np.clip((fractal_noise(rng, side, 20, 50, falloff=0.2) - 1.6) * 1.5, 0, 1)[..., None]
            * 0.35
            * skin.freckles
        )
        albedo *= 1 - spots * np.array([0.6, 0.9, 1.0], np.float32)
    return make_texture(albedo, height=0.12 * pores + 0.3 * blotches)
