"""Parametric clothes: tops, jackets, trousers, shorts, skirts and dresses cut from the shells of
the base mesh."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from dancepipe.synthetic.assets import DancerAssets
from dancepipe.synthetic.fabrics import CHEST_V, TILE_DM, Fabric
from dancepipe.synthetic.figure import Material, Part
from dancepipe.synthetic.raster import TWO_SIDED
from dancepipe.synthetic.shell import Shell, inflate

# Drawn this much nearer than what they lie on (dm).
PULL_BOTTOM, PULL_TOP, PULL_SKIRT, PULL_JACKET = 0.09, 0.13, 0.11, 0.17
# Skin is left out where a garment covers it by more than this.
HIDE_MARGIN_DM = 0.22


@dataclass(frozen=True)
class Top:
    """sleeve: 0 none .. 1 elbow .. 2 wrist. hem and neck in dm against hip joint and root of the
    neck."""

    fabric: Fabric
    sleeve: float
    ease_dm: float
    sleeve_ease_dm: float
    drape: float
    hem_dm: float  # above (positive) or below the hip joints
    neck_depth_dm: float
    neck_is_pointed: bool
    tucked: bool = False
    opening_dm: float = 0.0  # > 0: open in front by this half width, a jacket


@dataclass(frozen=True)
class Bottom:
    """length: 0.25 hot pants, 1 knee, 2 ankle. waist_dm above the hip joints. hem_radius_dm: 0
    follows the leg."""

    fabric: Fabric
    length: float
    waist_dm: float
    ease_dm: float
    hem_radius_dm: float


@dataclass(frozen=True)
class Skirt:
    """length: share of the way from waist to ankle. flare: widening at the hem."""

    fabric: Fabric
    length: float
    flare: float


@dataclass(frozen=True)
class Cloth:
    """A garment's mesh and the body vertices it hides."""

    part: Part
    hidden_body_vertices: np.ndarray


def cloth_material(fabric: Fabric) -> Material:
    """How a fabric is shaded."""
    return Material(
        fabric.texture,
        TWO_SIDED,
        bump=fabric.folds,
        specular=fabric.shine,
        shininess=14.0,
        sheen=0.35,
    )


def sew_top(
    assets: DancerAssets, shell: Shell, top: Top, under_ease_dm: float, skin_to_shell: np.ndarray
) -> Cloth:
    """A top or, with an opening, a jacket. under_ease_dm: air that the layer below already takes
    at the hips."""
    y = shell.points[:, 1]
    on_arm = shell.arm >= 0
    upper_arm_dm = 2.5
    # A sleeveless top keeps a strap over the shoulder.
    sleeve = max(top.sleeve, 0.1)
    width = 0.8 + 0.4 * top.neck_depth_dm
    bow = (
        1 - np.abs(shell.points[:, 0]) / width
        if top.neck_is_pointed
        else 1 - (shell.points[:, 0] / width) ** 2
    )
    front = np.clip((shell.points[:, 2] - shell.axis_point[:, 2]) / 0.35, 0, 1)
    collar_y = shell.neck_y - 0.05 - top.neck_depth_dm * (0.25 + 0.75 * front) * np.clip(bow, 0, 1)
    arm_ease = top.sleeve_ease_dm * np.clip(0.35 + 0.65 * shell.arm * 1.3, 0, 1)
    # Cloth rests on the shoulders; its air is lower down.
    resting = np.clip((shell.chest_y + 0.75 - y) / 1.3, 0.15, 1)
    ease = (
        np.where(on_arm, np.minimum(arm_ease, 0.05 + 0.6 * shell.arm), top.ease_dm * resting)
        + under_ease_dm
    )
    if top.tucked:
        ease = ease * np.clip((y - shell.hip_y - 1.6) / 1.2, 0.15, 1)
    sleeve_radius = (
        np.where(
            on_arm,
            (0.46 + top.sleeve_ease_dm * 0.9 + under_ease_dm)
            * np.clip(0.35 + 1.1 * shell.arm, 0, 1),
            0,
        )
        if top.sleeve_ease_dm > 0.12
        else None
    )
    points = inflate(
        shell,
        ease,
        smoothing=int(np.clip(ease.max() * 30, 1, 10)),
        least_dm=0.035 + under_ease_dm * 0.7,
        limb_radius_dm=sleeve_radius,
        drape=0.0 if top.tucked else top.drape,
    )
    # The hem is cut where the cloth has come to lie, so that it runs level.
    inside = np.where(
        on_arm,
        (sleeve - shell.arm) * upper_arm_dm,
        np.minimum(points[:, 1] - shell.hip_y - top.hem_dm, collar_y - y),
    )
    if top.opening_dm > 0:
        gap = top.opening_dm * (0.6 + 0.5 * np.clip((shell.neck_y - y) / 4, 0, 1.2))
        # Behind the neck the jacket is whole: there the cut line moves out of reach, smoothly.
        behind = np.clip((shell.axis_point[:, 2] + 0.2 - shell.points[:, 2]) * 6, -1, 3)
        inside = np.where(
            on_arm, inside, np.minimum(inside, np.maximum(np.abs(shell.points[:, 0]) - gap, behind))
        )
    pull = PULL_JACKET if top.opening_dm > 0 else PULL_BOTTOM - 0.02 if top.tucked else PULL_TOP
    hides = inside if top.opening_dm == 0 else np.full(len(inside), -1.0)
    # Loose hems swing a little.
    hanging = (
        np.clip((shell.chest_y - 1.5 - y) / 3, 0, 1)
        * (shell.arm < 0)
        * np.clip(top.ease_dm / 0.3, 0, 1)
        * (not top.tucked)
    )
    return _cloth(
        assets,
        shell,
        points,
        inside,
        hides,
        top.fabric,
        "upper_clothes",
        pull,
        skin_to_shell,
        0.22 * hanging,
    )


def sew_bottom(
    assets: DancerAssets, shell: Shell, bottom: Bottom, skin_to_shell: np.ndarray
) -> Cloth:
    """Trousers, shorts or leggings."""
    y = shell.points[:, 1]
    on_leg = shell.leg >= 0
    waist = shell.hip_y + bottom.waist_dm - y
    inside = np.where(
        on_leg, (bottom.length - shell.leg) * 4.0, np.where(shell.arm >= 0, -1.0, waist)
    )
    inside = np.minimum(inside, np.where(shell.arm >= 0, -1.0, 10))
    down = np.clip((shell.leg - 0.25) / max(bottom.length - 0.25, 0.3), 0, 1)
    ease = 0.025 + bottom.ease_dm * np.where(on_leg, 0.5 + 0.5 * down, 0.35)
    radius = None
    if bottom.hem_radius_dm > 0:
        at_thigh = on_leg & (np.abs(shell.leg - 0.3) < 0.1)
        away = np.linalg.norm(shell.points - shell.axis_point, axis=1)
        thigh = np.median(away[at_thigh]) * 1.02
        radius = np.where(
            on_leg & (shell.leg > 0.12), thigh + (bottom.hem_radius_dm - thigh) * down, 0
        )
    points = inflate(
        shell,
        ease,
        smoothing=int(np.clip(ease.max() * 25, 1, 8)),
        least_dm=0.03,
        limb_radius_dm=radius,
    )
    return _cloth(
        assets,
        shell,
        points,
        inside,
        inside,
        bottom.fabric,
        "lower_clothes",
        PULL_BOTTOM,
        skin_to_shell,
    )


def _cloth(
    assets,
    shell: Shell,
    points,
    inside,
    hides,
    fabric: Fabric,
    label: str,
    pull: float,
    skin_to_shell: np.ndarray,
    sway=None,
) -> Cloth:
    kept = inside[shell.triangles].max(1) > 0
    part = Part(
        points_dm=points,
        skin_bone=assets.body.skin_bone[shell.body_vertices],
        skin_weight=assets.body.skin_weight[shell.body_vertices],
        triangles=shell.triangles[kept],
        uv=shell.uv[kept],
        material=cloth_material(fabric),
        label=label,
        inside=inside.astype(np.float32),
        pull_dm=pull,
        crease=0.9,
        sway=sway,
    )
    covered = np.where(skin_to_shell >= 0, hides[np.maximum(skin_to_shell, 0)], -1)
    return Cloth(part, np.flatnonzero(covered > HIDE_MARGIN_DM))


def sew_skirt(
    assets: DancerAssets, skirt: Skirt, points_dm: np.ndarray, hip_y: float, chest_y: float
) -> Cloth:
    """A skirt from the skirt shell."""
    body = assets.body
    all_triangles = body.group_triangles("helper-skirt")
    vertices = np.unique(all_triangles)
    renumbered = np.full(len(points_dm), -1, np.int64)
    renumbered[vertices] = np.arange(len(vertices))
    triangles = renumbered[all_triangles]
    points = points_dm[vertices].astype(np.float64)
    top, bottom = points[:, 1].max(), points[:, 1].min()
    down = (top - points[:, 1]) / (top - bottom)
    middle = np.array([0, 0, (points[:, 2].min() + points[:, 2].max()) / 2])
    away = (points - middle) * np.array([1, 0, 1])
    angle = np.arctan2(points[:, 0], points[:, 2] - middle[2])
    pleats = 1 + 0.05 * np.sin(angle * 9 + 3 * down) * np.clip(down * 2, 0, 1) * (0.4 + skirt.flare)
    grow = (1.05 + skirt.flare * down / max(skirt.length, 0.3)) * pleats
    points += away * (grow - 1)[:, None]
    inside = (skirt.length - down) * (top - bottom)
    uv = np.stack(
        [
            np.arctan2(points[:, 0], points[:, 2] - middle[2]) / (2 * np.pi),
            CHEST_V + (points[:, 1] - chest_y) / TILE_DM,
        ],
        1,
    )[triangles]
    uv[..., 0] -= np.round(uv[..., 0] - uv[:, :1, 0])
    kept = inside[triangles].max(1) > 0
    part = Part(
        points_dm=points.astype(np.float32),
        skin_bone=body.skin_bone[vertices],
        skin_weight=body.skin_weight[vertices],
        triangles=triangles[kept].astype(np.int32),
        uv=uv[kept].astype(np.float32),
        material=cloth_material(skirt.fabric),
        label="skirt",
        inside=inside.astype(np.float32),
        pull_dm=PULL_SKIRT,
        crease=0.5,
        sway=(0.7 * down**1.5).astype(np.float32),
    )
    return Cloth(part, np.zeros(0, np.int64))


@lru_cache(maxsize=2)
def map_skin_to_shell(assets: DancerAssets) -> np.ndarray:
    """int (body vertices,): the nearest shell vertex of each skin vertex, -1 for those further
    than 0.6 dm (head, hands)."""
    from scipy.spatial import cKDTree  # pyright: ignore[reportAttributeAccessIssue] compiled

    base = assets.body.points_dm
    skin = np.unique(assets.body.group_triangles("body"))
    distance, nearest = cKDTree(
        base[np.unique(assets.body.group_triangles("helper-tights"))]
    ).query(base[skin])
    mapped = np.full(len(base), -1, np.int64)
    mapped[skin] = np.where(distance < 0.6, nearest, -1)
    return mapped
