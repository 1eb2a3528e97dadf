"""Hair without photographs: the pack's hair meshes with strand noise, frayed edges and
highlights along the strands."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from dancepipe.synthetic.assets import DancerAssets, ProxyMesh
from dancepipe.synthetic.body import fit_proxy, proxy_skin
from dancepipe.synthetic.figure import Material, Part
from dancepipe.synthetic.raster import STRANDS
from dancepipe.synthetic.texture import Texture, fractal_noise, linear, make_texture

SHORT = ("short01", "short02", "short03", "short04", "afro01")
LONG = ("bob01", "bob02", "braid01", "long01", "ponytail01", "afro01", "short01")
LONG_SHARES = (0.06, 0.06, 0.16, 0.28, 0.26, 0.08, 0.1)  # the bobs hide half of the face
# Styles whose pieces gape higher up: only edges below this height (dm) are ends of hair.
_ENDS_BELOW = {"bob01": 7.5}
HAT_BRIM_Y_DM = 7.85
BUZZ, BALD = "buzz", "bald"

# sRGB of roots to tips; the share of people with it.
_COLORS = {
    "black": ((26, 22, 22), 0.2),
    "dark brown": ((52, 36, 28), 0.2),
    "brown": ((88, 58, 38), 0.16),
    "chestnut": ((110, 60, 36), 0.08),
    "dark blond": ((142, 106, 66), 0.1),
    "blond": ((196, 158, 104), 0.1),
    "red": ((150, 72, 34), 0.06),
    "grey": ((140, 138, 136), 0.06),
    "dyed": ((0, 0, 0), 0.04),
}


@dataclass(frozen=True)
class HairTraits:
    """style: a hair mesh's name, BUZZ or BALD. color: linear."""

    style: str
    color: np.ndarray
    curl: float  # 0 straight strands .. 1 curly
    fringe_dm: float
    mirrored: bool  # parted on the other side


def draw_hair(rng: np.random.Generator, is_female: bool, age: float, african: float) -> HairTraits:
    """Draw a hair cut and a natural (rarely dyed) colour."""
    names = list(_COLORS)
    shares = np.array([_COLORS[name][1] for name in names])
    if african > 0.5:
        shares *= np.array([6, 3, 1, 0.3, 0, 0, 0, 1, 1])
    if age > 0.6:
        shares[names.index("grey")] *= 8
    name = names[rng.choice(len(names), p=shares / shares.sum())]
    color = (
        linear(*rng.integers(30, 220, 3))
        if name == "dyed"
        else linear(*_COLORS[name][0]) * rng.uniform(0.75, 1.3)
    )
    if is_female:
        style = str(rng.choice(LONG, p=LONG_SHARES))
    else:
        style = str(rng.choice([*SHORT, BUZZ, BALD], p=[0.21, 0.19, 0.19, 0.19, 0.06, 0.11, 0.05]))
    if style == "afro01" and african < 0.3 and rng.random() < 0.7:
        style = "bob01" if is_female else "short02"
    return HairTraits(
        style,
        color.astype(np.float32),
        float(rng.beta(1.2, 2.5)),
        float(rng.uniform(0.12, 0.3)),
        mirrored=bool(rng.random() < 0.5),
    )


def hair_texture(rng: np.random.Generator, hair: HairTraits, side: int = 256) -> Texture:
    """Strands along v: albedo factor about the tint, bumps across, and the strand noise that
    frays edges."""
    if hair.style == "afro01":
        strands = fractal_noise(rng, side, 16, 90, falloff=0.3)
        locks = fractal_noise(rng, side, 6, 24, falloff=0.5)
    else:
        stretch = 12 - 7 * hair.curl
        strands = fractal_noise(rng, side, 6, 110, falloff=0.25, stretch=stretch)
        locks = fractal_noise(rng, side, 3, 24, falloff=0.6, stretch=4 - 2.4 * hair.curl)
    value = 0.55 * np.exp(0.28 * strands + 0.26 * locks)
    warmth = fractal_noise(rng, side, 2, 20, stretch=4) * 0.5
    albedo = np.stack([value * (1 + 0.06 * warmth), value, value * (1 - 0.06 * warmth)], -1)
    return make_texture(
        albedo,
        height=0.6 * strands + 1.6 * locks,
        strand_noise=np.clip(0.5 + 0.2 * strands + 0.14 * locks, 0, 1),
    )


def hair_part(
    assets: DancerAssets,
    rng: np.random.Generator,
    hair: HairTraits,
    points_dm: np.ndarray,
    under_hat: bool,
) -> Part | None:
    """The hair's mesh fitted to a body, or None for heads without one. under_hat: only what
    shows below a hat's brim."""
    if hair.style in (BUZZ, BALD):
        return None
    proxy = assets.proxies["hair"][hair.style]
    fitted = fit_proxy(assets, proxy, points_dm)
    base = fit_proxy(assets, proxy, assets.body.points_dm)
    bones, weights = proxy_skin(assets, proxy)
    # Curls fray at every edge; smooth hair not where its pieces lie on each other.
    overlap_above = np.inf if proxy.name == "afro01" else 7.3
    edge = end_distance(assets, proxy, overlap_above, _ENDS_BELOW.get(proxy.name, np.inf))
    if under_hat:
        edge = np.minimum(edge, HAT_BRIM_Y_DM - base[:, 1])
    # Roots darker than tips, lengths a little sun-bleached.
    height = np.clip((base[:, 1] - 6.2) / 2.4, -1.2, 1)
    tint = hair.color[None] * (1.15 - 0.25 * height[:, None]) * 1.8
    fringe = hair.fringe_dm * (1.6 if hair.style == "afro01" else 1.0)
    material = Material(
        texture=hair_texture(rng, hair),
        kind=STRANDS,
        bump=0.9,
        specular=0.07 if hair.style != "afro01" else 0.02,
        shininess=18.0,
        scatter=0.2,
        fringe_dm=fringe,
    )
    triangles, uv = proxy.triangles, _strand_uv(proxy, base)
    if hair.mirrored:
        fitted = fitted * np.array([-1, 1, 1], np.float32)
        triangles, uv = triangles[:, ::-1], uv[:, ::-1]  # their front stays outside
        bones = _other_side(assets)[bones]
    return Part(
        points_dm=fitted,
        skin_bone=bones,
        skin_weight=weights,
        triangles=triangles,
        uv=uv,
        material=material,
        label="hair",
        tint=tint.astype(np.float32),
        inside=edge,
        pull_dm=0.12,  # skulls of all shapes stay beneath
        sway=(0.8 * np.clip((6.7 - base[:, 1]) / 4, 0, 1) ** 1.2).astype(
            np.float32
        ),  # below the chin
    )


def _other_side(assets: DancerAssets) -> np.ndarray:
    """uint8 (bones,): the bone that mirrors each."""
    swapped = {".L": ".R", ".R": ".L"}
    names = assets.body.bones
    return np.array(
        [names.index(name[:-2] + swapped.get(name[-2:], name[-2:])) for name in names], np.uint8
    )


def _strand_uv(proxy: ProxyMesh, base: np.ndarray) -> np.ndarray:
    """u runs round the head, v along the strands: from the crown down (from the tie, for a
    ponytail)."""
    if proxy.name == "ponytail01":
        center, pole = np.array([0, 7.7, 0.4]), np.array([0, 0.35, -0.94])
    else:
        center, pole = np.array([0, 7.5, 0.4]), np.array([0, 0.94, -0.34])
    side = np.array([1.0, 0, 0])
    third = np.cross(side, pole)
    away = base - center
    upward = away @ pole
    azimuth = np.arctan2(away @ side, away @ third)
    ring = np.hypot(away @ side, away @ third)
    # Over the skull the arc from the pole; below its middle straight down.
    along = np.where(upward > 0, np.arctan2(ring, np.maximum(upward, 1e-6)), np.pi / 2 - upward)
    u = azimuth / (2 * np.pi)
    uv = np.stack([u, along * 0.35], -1)[proxy.triangles]
    uv[..., 0] -= np.round(uv[..., 0] - uv[:, :1, 0])
    uv[..., 0] *= 3
    return uv.astype(np.float32)


@lru_cache(maxsize=32)
def end_distance(
    assets: DancerAssets,
    proxy: ProxyMesh,
    overlap_above: float = np.inf,
    ends_below: float = np.inf,
) -> np.ndarray:
    """boundary_distance of a proxy on the base mesh."""
    return boundary_distance(
        fit_proxy(assets, proxy, assets.body.points_dm), proxy.triangles, overlap_above, ends_below
    )


def boundary_distance(
    points: np.ndarray,
    triangles: np.ndarray,
    overlap_above: float = np.inf,
    ends_below: float = np.inf,
) -> np.ndarray:
    """float32 (V,): distance along edges from the mesh's open boundary, at most 1 dm (closed
    meshes: 1 everywhere).

    Boundaries higher than overlap_above that lie on another piece of the mesh are seams, not ends,
    and do not count; nor do any higher than ends_below.
    """
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import dijkstra

    # Vertices are welded by place, so that seams between pieces are not taken for edges of the
    # hair.
    _, welded = np.unique(np.round(points, 3), axis=0, return_inverse=True)
    welded = welded.ravel()
    corners = welded[triangles]
    edges = np.sort(
        np.concatenate([corners[:, [0, 1]], corners[:, [1, 2]], corners[:, [2, 0]]]), axis=1
    )
    unique, counts = np.unique(edges, axis=0, return_counts=True)
    boundary = np.unique(unique[counts == 1])
    place = np.zeros((welded.max() + 1, 3))
    place[welded] = points
    is_seam = _lies_on_other_piece(place, boundary, unique, overlap_above) | (
        place[boundary, 1] >= ends_below
    )
    boundary = boundary[~is_seam]
    if not len(boundary):
        return np.ones(len(points), np.float32)
    lengths = np.linalg.norm(place[unique[:, 0]] - place[unique[:, 1]], axis=1) + 1e-6
    graph = csr_matrix((lengths, (unique[:, 0], unique[:, 1])), shape=(len(place), len(place)))
    distance = dijkstra(graph, directed=False, indices=boundary, min_only=True, limit=1.0)
    return np.minimum(distance, 1.0)[welded].astype(np.float32)


def _lies_on_other_piece(
    place: np.ndarray, boundary: np.ndarray, edges: np.ndarray, above: float
) -> np.ndarray:
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial import cKDTree  # pyright: ignore[reportAttributeAccessIssue] compiled

    piece = connected_components(
        csr_matrix(
            (np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(len(place), len(place))
        ),
        directed=False,
    )[1]
    lies_on = np.zeros(len(boundary), bool)
    if not np.isfinite(above) or piece.max() == 0:
        return lies_on
    near = cKDTree(place).query_ball_point(place[boundary], 0.22)
    for index, neighbours in enumerate(near):
        lies_on[index] = (
            place[boundary[index], 1] > above
            and (piece[neighbours] != piece[boundary[index]]).any()
        )
    return lies_on
