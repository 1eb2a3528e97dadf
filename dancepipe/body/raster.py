"""Kernels on meshes: skinning, normals, and which triangle each sample shows. Plain loops."""

import math

import numpy as np
from numba import njit

FAR = np.float32(-1e9)


@njit(cache=True, nogil=True)
def skin(rest, skin_bone, skin_weight, A, b, out):
    """rest (V, 3) dm -> out (V, 3): screen x and y in px (y down), z towards the viewer.

    Linear blend skinning over four bones: A (B, 3, 3), b (B, 3) of view space (y up).
    """
    for i in range(rest.shape[0]):
        x, y, z = rest[i, 0], rest[i, 1], rest[i, 2]
        a0, a1, a2 = np.float32(0), np.float32(0), np.float32(0)
        for slot in range(4):
            w = skin_weight[i, slot]
            if w == 0:
                continue
            j = skin_bone[i, slot]
            a0 += w * (A[j, 0, 0] * x + A[j, 0, 1] * y + A[j, 0, 2] * z + b[j, 0])
            a1 += w * (A[j, 1, 0] * x + A[j, 1, 1] * y + A[j, 1, 2] * z + b[j, 1])
            a2 += w * (A[j, 2, 0] * x + A[j, 2, 1] * y + A[j, 2, 2] * z + b[j, 2])
        out[i, 0], out[i, 1], out[i, 2] = a0, -a1, a2


@njit(cache=True, nogil=True)
def vertex_normals(points, triangles, normals):
    """Area-weighted unit normals (V, 3) of a mesh with counter-clockwise triangles."""
    normals[:] = 0
    for i in range(triangles.shape[0]):
        a, b, c = triangles[i, 0], triangles[i, 1], triangles[i, 2]
        ux, uy, uz = (
            points[b, 0] - points[a, 0],
            points[b, 1] - points[a, 1],
            points[b, 2] - points[a, 2],
        )
        vx, vy, vz = (
            points[c, 0] - points[a, 0],
            points[c, 1] - points[a, 1],
            points[c, 2] - points[a, 2],
        )
        nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        for j in (a, b, c):
            normals[j, 0] += nx
            normals[j, 1] += ny
            normals[j, 2] += nz
    for i in range(normals.shape[0]):
        length = math.sqrt(normals[i, 0] ** 2 + normals[i, 1] ** 2 + normals[i, 2] ** 2) + 1e-12
        for k in range(3):
            normals[i, k] /= length


@njit(cache=True, nogil=True)
def rasterise_mesh(points, triangles, samples, depth, winner, weights):
    """The nearest triangle that faces the viewer over each sample, `samples` a side of a pixel.

    points (V, 3): px with pixel centres at integers, z towards the viewer. depth (h, w) begins at
    FAR, winner (h, w) at -1; weights (h, w, 2) of corners 1 and 2.
    """
    height, width = depth.shape
    shift = np.float32(0.5) * (samples - 1)
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        x0, y0 = points[a, 0] * samples + shift, points[a, 1] * samples + shift
        x1, y1 = points[b, 0] * samples + shift, points[b, 1] * samples + shift
        x2, y2 = points[c, 0] * samples + shift, points[c, 1] * samples + shift
        area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
        if area >= 0:  # seen from behind: y points down
            continue
        left, right = math.ceil(min(x0, x1, x2)), math.floor(max(x0, x1, x2))
        top, bottom = math.ceil(min(y0, y1, y2)), math.floor(max(y0, y1, y2))
        if left > width - 1 or right < 0 or top > height - 1 or bottom < 0:
            continue
        left, right = max(0, int(left)), min(width - 1, int(right))
        top, bottom = max(0, int(top)), min(height - 1, int(bottom))
        inverse = np.float32(1) / area
        w1x, w1y = (y2 - y0) * inverse, -(x2 - x0) * inverse
        w2x, w2y = -(y1 - y0) * inverse, (x1 - x0) * inverse
        z0 = points[a, 2]
        dz1, dz2 = points[b, 2] - z0, points[c, 2] - z0
        for y in range(top, bottom + 1):
            py = y - y0
            for x in range(left, right + 1):
                px = x - x0
                w1, w2 = w1x * px + w1y * py, w2x * px + w2y * py
                if w1 < 0 or w2 < 0 or w1 + w2 > 1:
                    continue
                z = z0 + dz1 * w1 + dz2 * w2
                if z > depth[y, x]:
                    depth[y, x] = z
                    winner[y, x] = t
                    weights[y, x, 0] = w1
                    weights[y, x, 1] = w2


@njit(cache=True, nogil=True)
def front_sample(winner, depth, samples, y, x):
    """(row, column) of the nearest sample of a pixel, (-1, -1) where there is nothing."""
    front, row, column = np.float32(-1e9), -1, -1
    for a in range(y * samples, y * samples + samples):
        for b in range(x * samples, x * samples + samples):
            if winner[a, b] >= 0 and depth[a, b] > front:
                front, row, column = depth[a, b], a, b
    return row, column


def draw_mesh(
    points: np.ndarray, triangles: np.ndarray, size_hw: tuple[int, int], samples: int = 1
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(depth float32 (h, w), winner int32 (h, w), weights float32 (h, w, 2)) of rasterise_mesh."""
    height, width = (side * samples for side in size_hw)
    depth = np.full((height, width), FAR, np.float32)
    winner = np.full((height, width), -1, np.int32)
    weights = np.zeros((height, width, 2), np.float32)
    rasterise_mesh(points, triangles, np.float32(samples), depth, winner, weights)
    return depth, winner, weights


def screen_normals(points: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """float32 (V, 3): unit normals of screen points (y down, which turns triangles round); z > 0
    faces the viewer."""
    normals = np.empty_like(points)
    vertex_normals(points, triangles, normals)
    return np.negative(normals, out=normals)
