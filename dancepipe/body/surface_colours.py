"""A colour for every vertex: what the photo shows, flowing over the mesh inside each part."""

import numpy as np
import scipy.sparse as sparse
from scipy.sparse.linalg import factorized
from scipy.spatial import cKDTree

from dancepipe.body.mesh import PARTS, BodyMesh, Part

_FLOW = 0.15  # against the weight of what is seen
_TO_MEAN = 1e-5
_UNKNOWN = 128.0


class ColourFlow:
    """Spreads colours on one mesh."""

    def __init__(self, mesh: BodyMesh, graph: sparse.csr_matrix, is_scalp: np.ndarray):
        """graph: outline.neighbours(mesh). is_scalp: bool (V,): hair colour flows there alone."""
        self._mesh = mesh
        head = mesh.part == PARTS.index(Part.HEAD)
        regions = [is_scalp, head & ~is_scalp]
        regions += [
            mesh.part == number for number in range(len(PARTS)) if PARTS[number] != Part.HEAD
        ]
        self._regions = []
        for region in regions:
            index = np.flatnonzero(region)
            own = graph[index][:, index]
            laplacian = sparse.diags(np.asarray(own.sum(1)).ravel()) - own
            self._regions.append((index, laplacian * _FLOW))

    def spread(self, colours: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """float32 (V, 3) from colours (V, 3) and how much each vertex's own counts (V,)."""
        mesh = self._mesh
        out = np.full((len(weight), 3), np.nan)
        for index, flow in self._regions:
            own = weight[index]
            if not own.any():
                continue
            mean = (colours[index] * own[:, None]).sum(0) / own.sum()
            solve = factorized((flow + sparse.diags(own + _TO_MEAN)).tocsc())
            for channel in range(3):
                given = own * colours[index, channel] + _TO_MEAN * mean[channel]
                out[index, channel] = solve(given)
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
                near = cKDTree(mesh.points_dm[known]).query(mesh.points_dm[unknown])[1]
                out[unknown] = out[known[near]]
            else:
                out[unknown] = _UNKNOWN
        return np.ascontiguousarray(np.clip(out, 0, 255), np.float32)
