"""A figure: all meshes of one dressed person as the flat arrays that the kernels read."""

from dataclasses import dataclass, field

import numpy as np

from dancepipe.body.raster import vertex_normals
from dancepipe.synthetic.raster import project_parallel, rasterise_depth
from dancepipe.synthetic.shade import LOOK_COLUMNS
from dancepipe.synthetic.texture import Texture, build_atlas

# What a pixel shows; the numbers are the stored part labels.
LABELS = (
    "background",
    "face",
    "hair",
    "torso_skin",
    "arm_skin",
    "leg_skin",
    "upper_clothes",
    "lower_clothes",
    "shoes",
    "hat",
    "skirt",
)


@dataclass(frozen=True)
class Material:
    """How a part looks. kind is one of raster.SOLID, TWO_SIDED, STRANDS."""

    texture: Texture
    kind: int
    bump: float = 0.0  # strength of the texture's slopes
    specular: float = 0.02
    shininess: float = 10.0
    scatter: float = 0.0  # light bleeding round the terminator: 1 for skin
    sheen: float = 0.0  # brighter at grazing angles: cloth
    fringe_dm: float = 0.0  # how far strand noise frays the edge


@dataclass(frozen=True)
class Part:
    """One mesh in the rest pose with its skin weights."""

    points_dm: np.ndarray  # float32 (V, 3)
    skin_bone: np.ndarray  # uint8 (V, 4)
    skin_weight: np.ndarray  # float32 (V, 4)
    triangles: np.ndarray  # int32 (T, 3)
    uv: np.ndarray  # float32 (T, 3, 2)
    material: Material
    label: np.ndarray | str  # a name of LABELS, or uint8 (T,) indices
    tint: np.ndarray | None = None  # float32 (V, 3), linear factor on the texture
    inside: np.ndarray | None = None  # float32 (V,), the mesh is cut where it falls below 0
    pull_dm: float = 0.0  # drawn this much nearer: outer layers win over what they lie on
    crease: float = 0.0  # growth of bumps in bent joints
    sway: np.ndarray | None = (
        None  # float32 (V,): 0 follows the body at once .. 1 stays behind by its bones' drift
    )


@dataclass(frozen=True)
class Hand:
    """How the fingers of one hand bend."""

    vertices: np.ndarray  # int64 (K,), in the figure
    bend_dm: np.ndarray  # float32 (K, 3), rest pose: to be added times the grip


@dataclass(frozen=True)
class Figure:
    """Parts joined. Vertex i of the body mesh is body_vertex[i] here, or -1 where nothing uses
    it."""

    rest: np.ndarray  # float32 (V, 3)
    skin_bone: np.ndarray
    skin_weight: np.ndarray
    pull: np.ndarray  # float32 (V,)
    crease_gain: np.ndarray  # float32 (V,)
    sway: np.ndarray  # float32 (V,)
    inside: np.ndarray
    tint: np.ndarray
    occlusion: np.ndarray  # float32 (V,): share of the sky each vertex sees
    triangles: np.ndarray
    uv: np.ndarray
    label: np.ndarray  # uint8 (T,)
    material: np.ndarray  # int32 (T,)
    material_kind: np.ndarray  # int32 (M,)
    material_fringe: np.ndarray  # float32 (M,)
    look: np.ndarray  # float32 (M, 5), columns of shade.py
    texels: np.ndarray
    bumps: np.ndarray
    texture_place: np.ndarray
    bone_heads: np.ndarray  # float64 (B, 3)
    hands: tuple[Hand, Hand]  # left, right
    body_vertex: np.ndarray = field(repr=False)


def join_parts(
    body_part: Part,
    others: list[Part],
    bone_heads: np.ndarray,
    keep_vertices: np.ndarray,
    fingers: tuple[np.ndarray, np.ndarray],
) -> Figure:
    """Join the body (always first) and everything on it. keep_vertices: body vertices kept although
    no triangle shows them.

    fingers: body vertices (K,) and their moves float32 (K, 3), dm, when the fingers of both hands
    bend.
    """
    columns: dict[str, list[np.ndarray]] = {
        name: []
        for name in (
            "rest",
            "skin_bone",
            "skin_weight",
            "pull",
            "crease_gain",
            "sway",
            "inside",
            "tint",
            "triangles",
            "uv",
            "label",
            "material",
        )
    }
    materials: list[Material] = []
    body_vertex = np.full(len(body_part.points_dm), -1, np.int64)
    count = 0
    for index, part in enumerate([body_part, *others]):
        used = np.zeros(len(part.points_dm), bool)
        used[part.triangles.ravel()] = True
        if index == 0:
            used[keep_vertices] = True
        kept = np.flatnonzero(used)
        renumbered = np.full(len(used), -1, np.int64)
        renumbered[kept] = np.arange(len(kept)) + count
        if index == 0:
            body_vertex[kept] = renumbered[kept]
        materials.append(part.material)
        label = (
            np.full(len(part.triangles), LABELS.index(part.label))
            if isinstance(part.label, str)
            else part.label
        )
        tint = np.ones((len(used), 3)) if part.tint is None else part.tint
        inside = np.ones(len(used)) if part.inside is None else part.inside
        for name, values in (
            ("rest", part.points_dm[kept]),
            ("skin_bone", part.skin_bone[kept]),
            ("skin_weight", part.skin_weight[kept]),
            ("pull", np.full(len(kept), part.pull_dm)),
            ("crease_gain", np.full(len(kept), part.crease)),
            ("sway", np.zeros(len(kept)) if part.sway is None else part.sway[kept]),
            ("inside", inside[kept]),
            ("tint", tint[kept]),
            ("triangles", renumbered[part.triangles]),
            ("uv", part.uv),
            ("label", label),
            ("material", np.full(len(part.triangles), index)),
        ):
            columns[name].append(values)
        count += len(kept)
    joined = {
        name: np.ascontiguousarray(np.concatenate(values), _TYPES[name])
        for name, values in columns.items()
    }
    texels, bumps, places = build_atlas([material.texture for material in materials])
    look = np.zeros((len(materials), LOOK_COLUMNS), np.float32)
    for index, material in enumerate(materials):
        look[index] = (
            material.bump,
            material.specular,
            material.shininess,
            material.scatter,
            material.sheen,
        )
    return Figure(
        **joined,
        occlusion=sky_share(joined["rest"], joined["triangles"]),
        material_kind=np.array([material.kind for material in materials], np.int32),
        material_fringe=np.array([material.fringe_dm for material in materials], np.float32),
        look=look,
        texels=texels,
        bumps=bumps,
        texture_place=places,
        bone_heads=bone_heads,
        hands=_hands(body_part.points_dm, body_vertex, *fingers),
        body_vertex=body_vertex,
    )


def _hands(
    points_dm: np.ndarray, body_vertex: np.ndarray, vertices: np.ndarray, moves_dm: np.ndarray
) -> tuple[Hand, Hand]:
    """The body's left is at x > 0."""
    shown = body_vertex[vertices] >= 0
    sides = (shown & (points_dm[vertices, 0] > 0), shown & (points_dm[vertices, 0] < 0))
    left, right = (
        Hand(body_vertex[vertices[side]], np.asarray(moves_dm[side], np.float32)) for side in sides
    )
    return left, right


_TYPES = {
    "rest": np.float32,
    "skin_bone": np.uint8,
    "skin_weight": np.float32,
    "pull": np.float32,
    "crease_gain": np.float32,
    "sway": np.float32,
    "inside": np.float32,
    "tint": np.float32,
    "triangles": np.int32,
    "uv": np.float32,
    "label": np.uint8,
    "material": np.int32,
}


def view_axes(backward: np.ndarray) -> np.ndarray:
    """float64 (3, 3), rows right, up, back, of a view whose line of sight is -backward."""
    back = np.asarray(backward, np.float64) / np.linalg.norm(backward)
    helper = np.array([0.0, 1, 0]) if abs(back[1]) < 0.95 else np.array([1.0, 0, 0])
    right = np.cross(helper, back)
    right /= np.linalg.norm(right)
    return np.stack([right, np.cross(back, right), back])


def sky_share(
    points: np.ndarray, triangles: np.ndarray, directions: int = 24, samples: int = 192
) -> np.ndarray:
    """float32 (V,) in [0.2, 1]: the cosine-weighted share of directions that each vertex sees
    past the mesh."""
    normals = np.empty_like(points)
    vertex_normals(points, triangles, normals)
    center = (points.min(0) + points.max(0)) / 2
    samples_per_dm = samples / (np.linalg.norm(points.max(0) - points.min(0)) + 1)
    seen = np.zeros(len(points))
    total = np.zeros(len(points))
    projected = np.empty_like(points)
    for index in range(directions):
        # A spiral of even directions on the sphere, drawn up a little: more light comes from above.
        height = 1 - 2 * (index + 0.5) / directions
        turn = index * 2.39996
        ring = np.sqrt(1 - height * height)
        axes = view_axes(np.array([ring * np.cos(turn), 0.8 * height + 0.15, ring * np.sin(turn)]))
        origin = axes @ center
        project_parallel(
            points,
            axes.astype(np.float32),
            np.float32(samples_per_dm),
            np.float32(samples / 2 - samples_per_dm * origin[0]),
            np.float32(samples / 2 + samples_per_dm * origin[1]),
            projected,
        )
        nearest = np.full((samples, samples), -1e9, np.float32)
        rasterise_depth(projected, triangles, nearest)
        weight = np.maximum(0, normals @ axes[2])
        column = projected[:, 0].astype(int).clip(0, samples - 1)
        row = projected[:, 1].astype(int).clip(0, samples - 1)
        seen += weight * (nearest[row, column] <= projected[:, 2] + 0.22)
        total += weight
    return (0.2 + 0.8 * seen / np.maximum(total, 1e-3)).astype(np.float32)
