"""Girth and clothes: moves along the normals that bring the mesh's outline to the photo's mask."""

import numpy as np

from dancepipe.body.mesh import ARMS, PARTS, BodyMesh, Part
from dancepipe.body.posing import BonePose
from dancepipe.body.raster import draw_mesh, screen_normals, skin, vertex_normals
from dancepipe.body.springs import Springs

# How far clothes stand off, at most; torso lengths. More lets wrong landmarks inflate legs.
_MOST_OUT = {
    Part.HEAD: 0.28, Part.TORSO: 0.22, Part.NECK: 0.08,
    Part.UPPER_ARM_RIGHT: 0.10, Part.UPPER_ARM_LEFT: 0.10,
    Part.FOREARM_RIGHT: 0.08, Part.FOREARM_LEFT: 0.08, Part.HAND_RIGHT: 0.08, Part.HAND_LEFT: 0.08,
    Part.THIGH_RIGHT: 0.16, Part.THIGH_LEFT: 0.16, Part.SHIN_RIGHT: 0.12, Part.SHIN_LEFT: 0.12,
    Part.FOOT_RIGHT: 0.12, Part.FOOT_LEFT: 0.12, Part.SKIRT: 0.3, Part.HAIR: 0.28,
}  # fmt: skip
_MOST_OUT_OF_PART = np.array([_MOST_OUT[part] for part in PARTS])
_MOST_IN = 0.10
_STEP_PX = 0.5
_DATA, _SMOOTH, _ACROSS_PARTS, _MIRROR, _STAY = 3.0, 1.0, 0.25, 0.02, 2e-3
_STIFF = 0.3  # face and hands hardly change
_SMALLEST_DM, _LARGEST_DM = -1.0, 2.2
_ROUNDS = 2


class OutlineFitter:
    """Fits one mesh to many photos; what depends on the mesh alone is kept."""

    def __init__(self, mesh: BodyMesh, is_face: np.ndarray):
        """is_face: bool (V,)."""
        self._mesh = mesh
        self._normals = rest_normals(mesh)
        hands = [PARTS.index(Part.HAND_RIGHT), PARTS.index(Part.HAND_LEFT)]
        self._stiff = np.isin(mesh.part, hands) | is_face
        count = len(mesh.points_dm)
        first, second = neighbours(mesh)
        same = mesh.part[first] == mesh.part[second]
        vertex = np.arange(count)
        half = np.full(count, _MIRROR / 2)
        self._springs = Springs.between(
            np.concatenate([first, vertex, mesh.mirror]),
            np.concatenate([second, mesh.mirror, vertex]),
            np.concatenate([np.where(same, _SMOOTH, _SMOOTH * _ACROSS_PARTS), half, half]),
            count,
        )

    def fit(
        self,
        pose: BonePose,
        mask: np.ndarray,
        triangles: np.ndarray,
        triangle_part: np.ndarray,
        is_arm: np.ndarray,
    ) -> np.ndarray:
        """float32 (V, 3): the mesh at rest (dm) with the girth that the mask shows.

        mask: uint8 (H, W). triangles (T, 3) and triangle_part (T,): the layers that are worn.
        is_arm: bool (H, W): a hand on the hip makes no wide hip.
        """
        offsets = np.zeros(len(self._mesh.points_dm))
        rest = self._mesh.points_dm
        for _ in range(_ROUNDS):
            offsets = self._round(rest, pose, mask, triangles, triangle_part, is_arm, offsets)
            moved = self._mesh.points_dm + self._normals * offsets[:, None]
            rest = np.ascontiguousarray(moved, np.float32)
        return rest

    def _round(self, rest, pose, mask, triangles, triangle_part, is_arm, before) -> np.ndarray:
        mesh, torso = self._mesh, pose.torso_px
        points = np.empty_like(rest)
        skin(rest, mesh.skin_bone, mesh.skin_weight, pose.A, pose.b, points)
        normals = screen_normals(points, triangles)
        _, winner, _ = draw_mesh(points, triangles, mask.shape)
        is_mesh = winner >= 0
        part = np.where(is_mesh, triangle_part[np.maximum(winner, 0)], -1)
        is_person = mask > 127
        across = np.linalg.norm(normals[:, :2], axis=1)
        rim = np.flatnonzero((np.abs(normals[:, 2]) < 0.35) & (across > 0.5))
        start = points[rim, :2]
        outward = normals[rim, :2] / across[rim, None]
        at_rim = (
            ~read_at(is_mesh, start + outward * 1.8)
            & read_at(is_mesh, start - outward * 1.5)
            & (read_at(part, start - outward * 1.5) == mesh.part[rim])
        )
        rim, start, outward = rim[at_rim], start[at_rim], outward[at_rim]
        steps = np.arange(-_MOST_IN * torso, 0.3 * torso, _STEP_PX)
        places = start[:, None] + outward[:, None] * steps[None, :, None]
        of_arm = np.isin(mesh.part[rim], ARMS)
        stops = read_at(is_mesh, places), read_at(is_arm, places) & ~of_arm[:, None]
        most_out = _MOST_OUT_OF_PART[mesh.part[rim]] * torso
        way = _ways(read_at(is_person, places), *stops, steps, most_out)
        known = ~np.isnan(way)
        rim, way = rim[known], way[known]
        count = len(rest)
        data, target = np.zeros(count), np.zeros(count)
        data[rim] = _DATA
        move_dm = way / pose.scale_px_per_dm / np.maximum(across[rim], 0.6)
        target[rim] = before[rim] + move_dm
        pull = np.where(self._stiff, data * 0.05, data)
        solved = self._springs.at_rest(pull + _STAY + _STIFF * self._stiff, pull * target)
        return np.clip(solved, _SMALLEST_DM, _LARGEST_DM)


def _ways(is_person, is_mesh, is_arm, steps, most_out) -> np.ndarray:
    """px from the mesh's outline to the mask's along each ray (R, S); NaN: not to be told."""
    here = int(np.argmin(np.abs(steps)))
    rays = np.arange(len(is_person))
    # Outwards from a place inside: the first step that is outside.
    outside = ~is_person
    outside[:, :here] = False
    leaves = outside.any(1)
    last = np.where(leaves, outside.argmax(1), len(steps) - 1)
    way = np.where(leaves, steps[last], np.nan)
    too_far = leaves & (way > most_out)
    way = np.where(too_far, most_out * 0.8, way)
    between = np.arange(len(steps))[None] < last[:, None]
    meets_another = (is_mesh & between & (np.arange(len(steps)) >= here + 4)).any(1)
    way = np.where(meets_another & ~too_far, np.nan, way)
    beside = np.arange(len(steps))[None] >= here
    way = np.where((is_arm & between & beside).any(1), np.nan, way)
    # Inwards from a place outside: the first step that is inside.
    inner = is_person[:, : here + 1][:, ::-1]
    enters = inner.any(1)
    inward = np.where(enters, steps[here - inner.argmax(1)], np.nan)
    return np.where(is_person[rays, here], way, inward)


def read_at(values: np.ndarray, places_xy: np.ndarray) -> np.ndarray:
    """The value (H, W) of the pixel that each place (..., 2) lies on, or the nearest inside."""
    height, width = values.shape
    x = np.clip(np.round(places_xy[..., 0]).astype(int), 0, width - 1)
    y = np.clip(np.round(places_xy[..., 1]).astype(int), 0, height - 1)
    return values[y, x]


def rest_normals(mesh: BodyMesh) -> np.ndarray:
    """float32 (V, 3): unit normals at rest, outward."""
    normals = np.empty_like(mesh.points_dm)
    vertex_normals(mesh.points_dm, mesh.triangles, normals)
    return normals


def neighbours(mesh: BodyMesh) -> tuple[np.ndarray, np.ndarray]:
    """(first, second), int (E,) each: the vertices of every edge, both ways round."""
    t = mesh.triangles
    sides = np.concatenate([t[:, [0, 1]], t[:, [1, 2]], t[:, [2, 0]]])
    first, second = np.unique(np.concatenate([sides, sides[:, ::-1]]), axis=0).T
    return first, second
