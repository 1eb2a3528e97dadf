"""Springs between the vertices of a mesh: values that are pulled to what is known and smooth
elsewhere."""

from dataclasses import dataclass

import numpy as np
from numba import njit

_RESIDUAL = 1e-13  # of the right side, where the search ends


@dataclass(frozen=True, eq=False)
class Springs:
    """Of vertex v: to `other` with `stiffness`, both from start[v] to start[v + 1]."""

    start: np.ndarray  # int32 (V + 1,)
    other: np.ndarray  # int32 (E,)
    stiffness: np.ndarray  # float64 (E,)

    @staticmethod
    def between(first, second, stiffness, count: int) -> "Springs":
        """first and second: int (E,), each spring both ways round. count: how many vertices."""
        order = np.argsort(first, kind="stable")
        start = np.zeros(count + 1, np.int32)
        np.cumsum(np.bincount(first, minlength=count), out=start[1:])
        stiffness = np.broadcast_to(np.asarray(stiffness, np.float64), first.shape)
        return Springs(start, second[order].astype(np.int32), stiffness[order])

    def at_rest(self, pull: np.ndarray, force: np.ndarray) -> np.ndarray:
        """x float64 (V,) with (diag(pull) + L) x = force, L the springs' graph Laplacian.

        pull: (V,), positive. Conjugate gradients with Jacobi's preconditioner.
        """
        x = np.zeros(len(pull))
        _solve(self.start, self.other, self.stiffness, pull, force, x)
        return x


@njit(cache=True, nogil=True)
def _solve(start, other, stiffness, pull, force, x):
    # Sums in place of @, which numba has from scipy.
    count = len(pull)
    diagonal = pull.copy()
    for v in range(count):
        for e in range(start[v], start[v + 1]):
            diagonal[v] += stiffness[e]
    residual = force.copy()
    along = residual / diagonal
    moved = np.empty(count)
    error = np.sum(residual * along)
    enough = error * _RESIDUAL**2
    for _ in range(4 * count):
        if error <= enough:
            return
        for v in range(count):
            total = diagonal[v] * along[v]
            for e in range(start[v], start[v + 1]):
                total -= stiffness[e] * along[other[e]]
            moved[v] = total
        step = error / np.sum(along * moved)
        x += step * along
        residual -= step * moved
        before, error = error, np.sum(residual * residual / diagonal)
        along = residual / diagonal + (error / before) * along
