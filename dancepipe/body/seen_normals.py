"""Which way the surface faces that each pixel of a posed mesh shows."""

import math

import numpy as np
from numba import njit

from dancepipe.body.raster import front_sample


@njit(cache=True, nogil=True)
def seen_normals(winner, weights, depth, samples, triangles, normals, out):
    """Fill out (H, W, 3) float32: the unit normal at the front sample of each pixel, 0 where there
    is nothing.

    winner, weights, depth: of rasterise_mesh, `samples` a side of a pixel. normals (V, 3): of
    screen_normals.
    """
    for y in range(out.shape[0]):
        for x in range(out.shape[1]):
            row, column = front_sample(winner, depth, samples, y, x)
            if row < 0:
                out[y, x] = 0
                continue
            triangle = triangles[winner[row, column]]
            w1, w2 = weights[row, column, 0], weights[row, column, 1]
            square = np.float32(1e-12)
            for c in range(3):
                value = (
                    normals[triangle[0], c] * (1 - w1 - w2)
                    + normals[triangle[1], c] * w1
                    + normals[triangle[2], c] * w2
                )
                out[y, x, c] = value
                square += value * value
            for c in range(3):
                out[y, x, c] /= math.sqrt(square)
