"""Outfits: what a person wears, drawn and sewn onto a body."""

from pathlib import Path

import numpy as np

from dancepipe.synthetic.assets import DancerAssets, ProxyMesh
from dancepipe.synthetic.body import fit_proxy, proxy_skin
from dancepipe.synthetic.fabrics import (
    CHEST_V,
    TILE_DM,
    Fabric,
    draw_color,
    draw_fabric,
    finish_fabric,
)
from dancepipe.synthetic.figure import LABELS, Material, Part
from dancepipe.synthetic.raster import TWO_SIDED
from dancepipe.synthetic.shell import Shell
from dancepipe.synthetic.texture import linear
from dancepipe.synthetic.wardrobe import (
    Bottom,
    Cloth,
    Skirt,
    Top,
    cloth_material,
    map_skin_to_shell,
    sew_bottom,
    sew_skirt,
    sew_top,
)


def draw_cut_outfit(
    rng: np.random.Generator,
    assets: DancerAssets,
    shell: Shell,
    points_dm: np.ndarray,
    is_female: bool,
    photos: tuple[Path, ...],
) -> list[Cloth]:
    """Draw parametric clothes and sew them: always something above and below."""
    to_shell = map_skin_to_shell(assets)
    wears_dress = is_female and rng.random() < 0.16
    wears_skirt = wears_dress or (is_female and rng.random() < 0.2)
    loose = rng.random() < 0.6
    below = draw_fabric(rng, for_top=wears_dress, photos=photos)
    above = (
        below if wears_dress else draw_fabric(rng, for_top=True, print_allowed=True, photos=photos)
    )
    clothes = []
    if wears_skirt:
        length = float(rng.uniform(0.3, 0.85))
        shorts = Bottom(below, 0.28, 1.5, 0.0, 0.0)
        clothes.append(sew_bottom(assets, shell, shorts, to_shell))
        skirt = Skirt(below, length, float(rng.uniform(0.05, 0.6)))
        clothes.append(sew_skirt(assets, skirt, points_dm, shell.hip_y, shell.chest_y))
        waist = 1.6
    else:
        length = float(rng.choice([0.45, 0.7, 0.95, 1.5, 1.9, 1.98, 1.98, 1.98]))
        waist = float(rng.uniform(1.0, 1.8))
        slim = rng.random() < (0.45 if is_female else 0.25)
        hem = (
            0.0
            if slim
            else float(
                rng.uniform(0.68, 1.15)
                if length > 1.2
                else rng.uniform(0.95, 1.25)
                if length > 0.6
                else 1.15
            )
        )
        bottom = Bottom(
            below,
            length,
            waist,
            float(rng.uniform(0.0, 0.05) if slim else rng.uniform(0.06, 0.16)),
            hem,
        )
        clothes.append(sew_bottom(assets, shell, bottom, to_shell))
    tucked = wears_skirt or rng.random() < 0.22
    sleeve = float(
        rng.choice([0.0, 0.45, 0.6, 0.9, 1.5, 1.93], p=[0.14, 0.2, 0.22, 0.08, 0.1, 0.26])
    )
    top = Top(
        fabric=above,
        sleeve=sleeve,
        ease_dm=float(rng.uniform(0.1, 0.3) if loose and not tucked else rng.uniform(0.03, 0.1)),
        sleeve_ease_dm=float(rng.uniform(0.14, 0.34) if loose else rng.uniform(0.03, 0.1)),
        drape=float(rng.uniform(0.5, 1.0) if loose else rng.uniform(0.1, 0.5)),
        hem_dm=waist - 0.5 if tucked else float(rng.uniform(-0.3, 0.9)),
        neck_depth_dm=float(rng.choice([0.05, 0.2, 0.5, 0.9], p=[0.4, 0.3, 0.2, 0.1])),
        neck_is_pointed=bool(rng.random() < 0.3),
        tucked=tucked,
    )
    clothes.append(sew_top(assets, shell, top, 0.0 if tucked else 0.04, to_shell))
    if rng.random() < 0.16:
        jacket = Top(
            fabric=draw_fabric(rng, for_top=False, photos=photos),
            sleeve=float(rng.choice([1.2, 1.93])),
            ease_dm=top.ease_dm + 0.1,
            sleeve_ease_dm=max(top.sleeve_ease_dm, 0.14) + 0.06,
            drape=max(top.drape, 0.5),
            hem_dm=float(rng.uniform(-0.3, 0.6)),
            neck_depth_dm=0.2,
            neck_is_pointed=False,
            opening_dm=float(rng.uniform(0.3, 0.75)),
        )
        clothes.append(sew_top(assets, shell, jacket, 0.1, to_shell))
    return clothes


MALE_SUITS = tuple(f"male_casualsuit0{number}" for number in range(1, 7)) + (
    "male_elegantsuit01",
    "male_worksuit01",
)
FEMALE_SUITS = (
    "female_casualsuit01",
    "female_casualsuit02",
    "female_elegantsuit01",
    "female_sportsuit01",
)


def draw_mesh_outfit(
    rng: np.random.Generator,
    assets: DancerAssets,
    shell: Shell,
    points_dm: np.ndarray,
    is_female: bool,
    photos: tuple[Path, ...],
) -> list[Cloth]:
    """One of the pack's modelled suits, its pieces in drawn fabrics."""
    name = str(rng.choice(FEMALE_SUITS if is_female else MALE_SUITS))
    proxy = assets.proxies["clothes"][name]
    above = draw_fabric(rng, for_top=True, print_allowed=True, photos=photos)
    below = draw_fabric(rng, for_top=False, photos=photos)
    fitted = fit_proxy(assets, proxy, points_dm)
    bones, weights = proxy_skin(assets, proxy)
    piece = connected_pieces(proxy.triangles, len(fitted))
    split_y = shell.hip_y + 1.6
    clothes = []
    uv = _wrapped_uv(proxy, fitted, shell)
    is_lower = np.zeros(len(proxy.triangles), bool)
    for number in np.unique(piece):
        chosen = piece[proxy.triangles[:, 0]] == number
        heights = fitted[proxy.triangles[chosen]][..., 1]
        if heights.max() - heights.min() > 7.5:  # one piece from neck to feet: cut at the waist
            is_lower[chosen] = fitted[proxy.triangles[chosen]].mean(1)[:, 1] < split_y
        else:
            is_lower[chosen] = heights.mean() < split_y
    for chosen, fabric, label in (
        (is_lower, below, "lower_clothes"),
        (~is_lower, above, "upper_clothes"),
    ):
        if not chosen.any():
            continue
        part = Part(
            fitted,
            bones,
            weights,
            proxy.triangles[chosen],
            uv[chosen],
            cloth_material(fabric),
            label,
            pull_dm=0.05,
            crease=0.8,
        )
        clothes.append(Cloth(part, proxy.hidden_body_vertices))
    return clothes


def _wrapped_uv(proxy: ProxyMesh, fitted: np.ndarray, shell: Shell) -> np.ndarray:
    """Fabric coordinates of a modelled garment, taken from the shell it lies on."""
    from scipy.spatial import cKDTree  # pyright: ignore[reportAttributeAccessIssue] compiled

    center = fitted[proxy.triangles].mean(1)
    shell_center = shell.points[shell.triangles].mean(1)
    _, nearest = cKDTree(shell_center).query(center)
    region = shell.region[nearest]
    points = fitted[proxy.triangles]
    trunk_u = np.arctan2(points[..., 0], points[..., 2]) / (2 * np.pi)
    # Limbs: angle round the shell's axis near the triangle.
    axis = shell.axis_point[shell.triangles[nearest]].mean(1)
    away = points - axis[:, None]
    limb_u = np.arctan2(
        np.where((region == 1)[:, None], away[..., 1], away[..., 0]), away[..., 2]
    ) / (2 * np.pi)
    u = np.where((region == 0)[:, None], trunk_u, limb_u)
    u -= np.round(u - u[:, :1])
    u *= np.where(region == 1, 0.36, np.where(region == 2, 0.6, 1.0))[:, None]
    along_arm = 0.3 - (np.abs(points[..., 0]) - 1.6) * 1.3 / TILE_DM
    v = np.where(
        (region == 1)[:, None], along_arm, CHEST_V + (points[..., 1] - shell.chest_y) / TILE_DM
    )
    return np.stack([u, v], -1).astype(np.float32)


def connected_pieces(triangles: np.ndarray, vertex_count: int) -> np.ndarray:
    """int (V,): the number of the connected piece each vertex belongs to."""
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import connected_components

    edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]]])
    graph = csr_matrix(
        (np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(vertex_count, vertex_count)
    )
    return connected_components(graph, directed=False)[1]


def draw_shoes(
    rng: np.random.Generator, assets: DancerAssets, points_dm: np.ndarray
) -> Cloth | None:
    """A pair of shoes with soles of another colour; now and then none."""
    if rng.random() < 0.06:
        return None
    names = sorted(name for name in assets.proxies["clothes"] if name.startswith("shoes"))
    proxy = assets.proxies["clothes"][names[rng.choice(len(names))]]
    fitted = fit_proxy(assets, proxy, points_dm)
    bones, weights = proxy_skin(assets, proxy)
    upper = draw_color(rng)
    sole = linear(*(rng.choice([235, 220, 60, 25]) * np.ones(3)))
    height = (fitted[:, 1] - fitted[:, 1].min()) / 0.28
    share = np.clip((1.0 - height) / 0.15, 0, 1)[:, None]
    tint = (upper * (1 - share) + sole * share).astype(np.float32)
    plain = finish_fabric(rng, np.full((512, 512, 3), 0.9, np.float32), "solid")
    material = Material(
        plain.texture,
        TWO_SIDED,
        bump=0.15,
        specular=float(rng.choice([0.02, 0.12])),
        shininess=24.0,
    )
    part = Part(
        fitted,
        bones,
        weights,
        proxy.triangles,
        proxy.texture_points,
        material,
        "shoes",
        tint,
        pull_dm=0.02,
    )
    return Cloth(part, proxy.hidden_body_vertices)


def draw_hat(rng: np.random.Generator, assets: DancerAssets, points_dm: np.ndarray) -> Part:
    """A felt hat."""
    proxy = assets.proxies["clothes"]["fedora"]
    bones, weights = proxy_skin(assets, proxy)
    fabric: Fabric = draw_fabric(rng, for_top=True, pattern="marl")
    uv = proxy.texture_points * 0.5
    return Part(
        fit_proxy(assets, proxy, points_dm),
        bones,
        weights,
        proxy.triangles,
        uv,
        cloth_material(fabric),
        "hat",
        pull_dm=0.22,
    )


def skin_labels(assets: DancerAssets, triangles: np.ndarray) -> np.ndarray:
    """uint8 (T,): part labels of bare skin."""
    body = assets.body
    arms = body.bone_share(
        *(bone + side for side in (".L", ".R") for bone in ("upperarm01", "lowerarm01", "wrist"))
    )
    legs = body.bone_share(
        *(
            bone + side
            for side in (".L", ".R")
            for bone in ("upperleg01", "lowerleg01", "foot", "toe1-1")
        )
    )
    head = body.bone_share("head")
    label = np.full(len(triangles), LABELS.index("torso_skin"), np.uint8)
    for share, name in ((arms, "arm_skin"), (legs, "leg_skin"), (head, "face")):
        label[share[triangles].mean(1) > 0.5] = LABELS.index(name)
    return label
