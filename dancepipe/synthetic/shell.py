"""The tights shell of the base mesh, measured: what parametric clothes are cut from and inflated
on."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from dancepipe.body.raster import vertex_normals
from dancepipe.synthetic.assets import DancerAssets
from dancepipe.synthetic.fabrics import CHEST_V, TILE_DM


@dataclass(frozen=True)
class Shell:
    """A thin closed skin over trunk, arms and legs of one body. Lengths in dm."""

    body_vertices: np.ndarray  # int (V,): its vertices in the body mesh
    points: np.ndarray  # float64 (V, 3)
    normals: np.ndarray  # float64 (V, 3)
    triangles: np.ndarray  # int32 (T, 3)
    neighbours: object  # sparse (V, V): row-normalised adjacency, for smoothing
    arm: np.ndarray  # (V,): 0 shoulder .. 1 elbow .. 2 wrist; -1 elsewhere
    leg: np.ndarray  # (V,): 0 hip .. 1 knee .. 2 ankle; -1 elsewhere
    axis_point: np.ndarray  # (V, 3): middle of the cross-section the vertex lies on
    region: np.ndarray  # int (T,): 0 trunk, 1 arm, 2 leg
    uv: np.ndarray  # float32 (T, 3, 2), for fabrics
    hip_y: float
    neck_y: float
    chest_y: float

    @property
    def trunk_height(self) -> np.ndarray:
        """(V,): 0 at the hips, 1 at the root of the neck."""
        return (self.points[:, 1] - self.hip_y) / (self.neck_y - self.hip_y)


def measure_shell(assets: DancerAssets, points_dm: np.ndarray, bone_heads: np.ndarray) -> Shell:
    """Measure the tights shell on a shaped body."""
    body = assets.body
    vertices, triangles, neighbours = _topology(assets)
    head = {name: bone_heads[index] for index, name in enumerate(body.bones)}
    points = points_dm[vertices].astype(np.float64)
    normals = np.empty_like(points)
    vertex_normals(points, triangles, normals)

    arm, leg = np.full(len(points), -1.0), np.full(len(points), -1.0)
    axis_point = points * np.array([0, 1, 0])
    axis_point[:, 2] = _trunk_middle(points, arm)
    around, along = np.zeros(len(points)), np.zeros(len(points))
    for suffix, sign in ((".L", 1), (".R", -1)):
        on_arm = (
            body.bone_share("upperarm01" + suffix, "lowerarm01" + suffix, "wrist" + suffix)[
                vertices
            ]
            > 0.5
        )
        on_leg = (points[:, 0] * sign > 0) & (points[:, 1] < head["upperleg01" + suffix][1])
        for names, place, chosen in (
            (("upperarm01", "lowerarm01", "wrist"), arm, on_arm),
            (("upperleg01", "lowerleg01", "foot"), leg, on_leg),
        ):
            a, b, c = (head[name + suffix] for name in names)
            progress, middle, turn, distance = _along_limb(points[chosen], a, b, c)
            place[chosen] = progress
            axis_point[chosen] = middle
            around[chosen], along[chosen] = turn, distance
    region = np.where((arm[triangles] >= 0).all(1), 1, np.where((leg[triangles] >= 0).all(1), 2, 0))
    chest_y = head["upperarm01.L"][1] - 0.75
    uv = _fabric_uv(points, triangles, region, around, along, chest_y)
    return Shell(
        vertices,
        points,
        normals,
        triangles,
        neighbours,
        arm,
        leg,
        axis_point,
        region,
        uv,
        float(head["upperleg01.L"][1]),
        float(head["neck01"][1]),
        float(chest_y),
    )


@lru_cache(maxsize=2)
def _topology(assets: DancerAssets) -> tuple[np.ndarray, np.ndarray, object]:
    """The shell's body vertices, its triangles over them, and the matrix that averages each
    vertex's neighbours."""
    from scipy.sparse import csr_matrix, diags

    all_triangles = assets.body.group_triangles("helper-tights")
    vertices = np.unique(all_triangles)
    triangles = np.searchsorted(vertices, all_triangles).astype(np.int32)
    edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    edges = np.unique(np.concatenate([edges, edges[:, ::-1]]), axis=0)
    adjacency = csr_matrix(
        (np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(len(vertices), len(vertices))
    )
    return vertices, triangles, diags(1 / np.asarray(adjacency.sum(1)).ravel()) @ adjacency


def _trunk_middle(points: np.ndarray, arm: np.ndarray) -> np.ndarray:
    near_axis = np.abs(points[:, 0]) < 1.2
    heights = np.linspace(points[:, 1].min(), points[:, 1].max(), 24)
    middles = []
    for height in heights:
        slab = points[near_axis & (np.abs(points[:, 1] - height) < 0.5), 2]
        middles.append((slab.min() + slab.max()) / 2 if len(slab) else 0.0)
    return np.interp(points[:, 1], heights, middles)


def _along_limb(
    points: np.ndarray, a: np.ndarray, b: np.ndarray, c: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Progress 0..2+ along a-b-c, the middle of the cross-section there, the angle round it, the
    distance from a."""
    first, second = b - a, c - b
    t1 = (points - a) @ first / (first @ first)
    t2 = (points - b) @ second / (second @ second)
    progress = np.maximum(np.where(t2 > 0, 1 + t2, np.minimum(t1, 1.0)), 0)
    on_line = np.where(
        t2[:, None] > 0, b + t2[:, None] * second, a + np.minimum(t1, 1)[:, None] * first
    )
    # Flesh does not lie evenly round the bones: the tube's middle is the mean of the section's
    # extent.
    knots = np.linspace(0, max(progress.max(), 0.1), 14)
    shifts = []
    for knot in knots:
        away = (points - on_line)[np.abs(progress - knot) < 0.12]
        shifts.append((away.min(0) + away.max(0)) / 2 if len(away) > 5 else np.full(3, np.nan))
    shifts = np.array(shifts)
    for axis in range(3):
        known = ~np.isnan(shifts[:, axis])
        on_line[:, axis] += np.interp(progress, knots[known], shifts[known, axis])
    direction = (c - a) / np.linalg.norm(c - a)
    side = np.cross(direction, [0.0, 0, 1])
    side /= np.linalg.norm(side)
    front = np.cross(side, direction)
    away = points - on_line
    return progress, on_line, np.arctan2(away @ side, away @ front), (points - a) @ direction


def _fabric_uv(points, triangles, region, around, along, chest_y) -> np.ndarray:
    trunk = np.stack(
        [
            np.arctan2(points[:, 0], points[:, 2]) / (2 * np.pi),
            CHEST_V + (points[:, 1] - chest_y) / TILE_DM,
        ],
        1,
    )
    arm = np.stack([around / (2 * np.pi), 0.3 - along / TILE_DM], 1)
    leg = np.stack([around / (2 * np.pi), CHEST_V + (points[:, 1] - chest_y) / TILE_DM], 1)
    uv = np.where(
        (region == 1)[:, None, None],
        arm[triangles],
        np.where((region == 2)[:, None, None], leg[triangles], trunk[triangles]),
    )
    uv[..., 0] -= np.round(uv[..., 0] - uv[:, :1, 0])
    uv[..., 0] *= np.where(region == 1, 0.36, np.where(region == 2, 0.6, 1.0))[:, None]
    return uv.astype(np.float32)


def inflate(
    shell: Shell,
    ease_dm: np.ndarray,
    smoothing: int,
    least_dm: float,
    limb_radius_dm: np.ndarray | None = None,
    drape: float = 0.0,
) -> np.ndarray:
    """float32 (V, 3): the shell as a garment.

    ease_dm (V,): air between body and cloth; limb_radius_dm (V,): cloth hangs at least this far
    from the middle of its limb (0: follow the body); drape 0..1: how straight the cloth falls from
    chest and belly; never nearer to the body than least_dm.
    """
    cloth = shell.points + shell.normals * ease_dm[:, None]
    if limb_radius_dm is not None:
        away = shell.points - shell.axis_point
        distance = np.linalg.norm(away, axis=1) + 1e-6
        wanted = np.maximum(limb_radius_dm - distance - ease_dm, 0)
        cloth += away / distance[:, None] * wanted[:, None]
    if drape > 0:
        cloth += _fall(shell) * drape
    for _ in range(smoothing):
        cloth = 0.5 * cloth + 0.5 * (shell.neighbours @ cloth)
    gap = ((cloth - shell.points) * shell.normals).sum(1)
    floor = least_dm + 0.45 * ease_dm
    cloth += shell.normals * np.maximum(0, floor - gap)[:, None]
    return cloth.astype(np.float32)


def _fall(shell: Shell) -> np.ndarray:
    """(V, 3): horizontal moves that let cloth hang straight down from the widest place above, on
    the trunk below the chest."""
    trunk = (shell.arm < 0) & (shell.points[:, 1] < shell.chest_y + 0.3)
    angle = np.arctan2(shell.points[:, 0], shell.points[:, 2] - shell.axis_point[:, 2])
    sectors, levels = 24, 28
    heights = np.linspace(shell.chest_y + 0.3, shell.hip_y - 1.2, levels)
    reach = np.zeros((levels, sectors))
    whole_radius = np.hypot(shell.points[:, 0], shell.points[:, 2] - shell.axis_point[:, 2])
    sector = ((angle + np.pi) / (2 * np.pi) * sectors).astype(int) % sectors
    for level, height in enumerate(heights):
        slab = trunk & (np.abs(shell.points[:, 1] - height) < 0.45) & (whole_radius < 2.6)
        np.maximum.at(reach[level], sector[slab], whole_radius[slab])
    reach = np.maximum.accumulate(reach, axis=0)
    reach = (np.roll(reach, 1, 1) + 2 * reach + np.roll(reach, -1, 1)) / 4
    rows = np.clip(np.interp(-shell.points[:, 1], -heights, np.arange(levels)), 0, levels - 1)
    wanted = reach[rows.round().astype(int), sector]
    push = np.where(trunk, np.maximum(wanted - whole_radius, 0), 0)
    outward = np.stack([np.sin(angle), np.zeros_like(angle), np.cos(angle)], 1)
    return outward * np.minimum(push, 0.9)[:, None]
