"""A colour for every vertex: what the photo shows, flowing over the mesh inside each part."""

import numpy as np
from numba import njit

from dancepipe.body.mesh import PARTS, BodyMesh, Part
from dancepipe.body.springs import Springs

_FLOW = 0.15  # against the weight of what is seen
_AROUND, _ALONG = 6.0, 0.02  # times as much, around a limb and along it
_TO_MEAN = 1e-5
_FIRM = 30.0  # places stay where they are seen
_FADES = 0.05  # far from what is seen its colours would be streaks
_UNKNOWN = 128.0
_UPRIGHT = (Part.TORSO, Part.NECK, Part.SKIRT)
# The landmarks at the ends of limbs.
_LIMBS = {
    Part.UPPER_ARM_LEFT: (11, 13), Part.UPPER_ARM_RIGHT: (12, 14),
    Part.FOREARM_LEFT: (13, 15), Part.FOREARM_RIGHT: (14, 16),
    Part.THIGH_LEFT: (23, 25), Part.THIGH_RIGHT: (24, 26),
    Part.SHIN_LEFT: (25, 27), Part.SHIN_RIGHT: (26, 28),
}  # fmt: skip


class ColourFlow:
    """Spreads colours on one mesh."""

    def __init__(self, mesh: BodyMesh, edges: tuple[np.ndarray, np.ndarray], is_scalp: np.ndarray):
        """edges: outline.neighbours(mesh). is_scalp: bool (V,): hair colour flows there alone."""
        self._mesh = mesh
        head = mesh.part == PARTS.index(Part.HEAD)
        regions = [is_scalp, head & ~is_scalp]
        regions += [
            mesh.part == number for number in range(len(PARTS)) if PARTS[number] != Part.HEAD
        ]
        self._regions = []
        stiffness = _FLOW * _along_or_around(mesh, edges)
        for region in regions:
            index = np.flatnonzero(region)
            inside = region[edges[0]] & region[edges[1]]
            first, second = (np.searchsorted(index, ends[inside]) for ends in edges)
            springs = Springs.between(first, second, stiffness[inside], len(index))
            self._regions.append((index, springs))

    def places(self, places_xy: np.ndarray, seen: np.ndarray) -> np.ndarray:
        """float32 (V, 3): of each vertex the place in the photo where what it shows goes on, and
        how near that is, 1 ... 0. That is its own place where it is seen, bool (V,), else those of
        its ring: hems stay as sharp as the photo."""
        out = np.zeros((len(seen), 3))
        for index, springs in self._regions:
            own = _FIRM * seen[index]
            if not own.any():
                continue
            given = places_xy[index] * own[:, None]
            mean = given.sum(0) / own.sum()
            for axis in range(2):
                out[index, axis] = springs.at_rest(
                    own + _TO_MEAN, given[:, axis] + _TO_MEAN * mean[axis]
                )
            out[index, 2] = springs.at_rest(own + _FADES, own)
        return out.astype(np.float32)

    def spread(self, colours: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """float32 (V, 3) from colours (V, 3) and how much each vertex's own counts (V,)."""
        mesh = self._mesh
        out = np.full((len(weight), 3), np.nan)
        for index, springs in self._regions:
            own = weight[index]
            if not own.any():
                continue
            mean = (colours[index] * own[:, None]).sum(0) / own.sum()
            for channel in range(3):
                given = own * colours[index, channel] + _TO_MEAN * mean[channel]
                out[index, channel] = springs.at_rest(own + _TO_MEAN, given)
        # A part that is not seen at all: its mirror, else what lies nearest.
        unknown = np.isnan(out[:, 0])
        from_mirror = unknown & ~np.isnan(out[mesh.mirror, 0])
        out[from_mirror] = out[mesh.mirror[from_mirror]]
        unknown = np.isnan(out[:, 0])
        if unknown.all():
            out[:] = _UNKNOWN
        elif unknown.any():
            body = mesh.layer_of_points("body")
            is_body = np.zeros(len(weight), bool)
            is_body[body] = True
            known = np.flatnonzero(~unknown & is_body)
            if len(known):
                near = _nearest(mesh.points_dm[unknown], mesh.points_dm[known])
                out[unknown] = out[known[near]]
            else:
                out[unknown] = _UNKNOWN
        return np.ascontiguousarray(np.clip(out, 0, 255), np.float32)


def _along_or_around(mesh: BodyMesh, edges: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """float64 (E,): clothes end in rings around limbs and trunk, so that what is not seen of one
    takes the colour of the same height rather than that beyond the hem."""
    axis = np.zeros((len(PARTS), 3))
    for part in _UPRIGHT:
        axis[PARTS.index(part)] = 0, 1, 0
    for part, (start, end) in _LIMBS.items():
        line = mesh.landmarks_dm[end] - mesh.landmarks_dm[start]
        axis[PARTS.index(part)] = line / np.linalg.norm(line)
    line = (mesh.points_dm[edges[1]] - mesh.points_dm[edges[0]]).astype(np.float64)
    line /= np.maximum(np.linalg.norm(line, axis=1, keepdims=True), 1e-9)
    own = axis[mesh.part[edges[0]]]
    along = (line * own).sum(1) ** 2
    return np.where(own.any(1), _AROUND * (1 - along) ** 2 + _ALONG, 1.0)


@njit(cache=True, nogil=True)
def _nearest(points, among):
    """int (N,): which of `among` (M, 3) lies nearest to each of the points (N, 3)."""
    found = np.zeros(len(points), np.int64)
    for i in range(len(points)):
        least = np.inf
        for j in range(len(among)):
            away = 0.0
            for axis in range(3):
                away += (np.float64(points[i, axis]) - among[j, axis]) ** 2
            if away < least:
                least, found[i] = away, j
    return found
