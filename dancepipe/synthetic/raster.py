"""The rasteriser: skinning, normals, projection, depth tests. Kernels are plain loops compiled by
numba.

A sample (x, y) covers its centre (x + 0.5, y + 0.5) in sample coordinates. A triangle covers a
sample whose centre lies inside it or on its edge; of several the nearest wins (the largest inverse
depth), ties go to the earlier triangle. No fast-math: the same inputs give the same bytes.
"""

import math

import numpy as np
from numba import njit

SOLID, TWO_SIDED, STRANDS = 0, 1, 2


@njit(cache=True, nogil=True)
def skin_vertices(rest, skin_bone, skin_weight, rotation, shift, bend, drift, sway, posed, crease):
    """Linear blend skinning, sums over four bones: posed = weight * (rotation @ rest + shift +
    sway * drift), crease = weight * bend."""
    for i in range(rest.shape[0]):
        x, y, z = rest[i, 0], rest[i, 1], rest[i, 2]
        a = np.float32(0)
        b = np.float32(0)
        c = np.float32(0)
        d = np.float32(0)
        for slot in range(4):
            w = skin_weight[i, slot]
            if w == 0:
                continue
            j = skin_bone[i, slot]
            a += w * (
                rotation[j, 0, 0] * x
                + rotation[j, 0, 1] * y
                + rotation[j, 0, 2] * z
                + shift[j, 0]
                + sway[i] * drift[j, 0]
            )
            b += w * (
                rotation[j, 1, 0] * x
                + rotation[j, 1, 1] * y
                + rotation[j, 1, 2] * z
                + shift[j, 1]
                + sway[i] * drift[j, 1]
            )
            c += w * (
                rotation[j, 2, 0] * x
                + rotation[j, 2, 1] * y
                + rotation[j, 2, 2] * z
                + shift[j, 2]
                + sway[i] * drift[j, 2]
            )
            d += w * bend[j]
        posed[i, 0] = a
        posed[i, 1] = b
        posed[i, 2] = c
        crease[i] = d


@njit(cache=True, nogil=True)
def project_perspective(points, pull, axes, eye, focal, center_x, center_y, distortion, projected):
    """Project (V, 3) points: x, y in samples and inverse depth. `axes` rows are right, up, back;
    `pull` (V,) moves depth nearer.

    distortion: at r samples from the centre a point lies (1 + distortion * r^2) times as far out.
    """
    for i in range(points.shape[0]):
        a, b, c = points[i, 0] - eye[0], points[i, 1] - eye[1], points[i, 2] - eye[2]
        depth = -(axes[2, 0] * a + axes[2, 1] * b + axes[2, 2] * c)
        depth = max(depth, np.float32(0.1))
        scale = focal / depth
        across = scale * (axes[0, 0] * a + axes[0, 1] * b + axes[0, 2] * c)
        up = scale * (axes[1, 0] * a + axes[1, 1] * b + axes[1, 2] * c)
        further = np.float32(1) + distortion * (across * across + up * up)
        projected[i, 0] = center_x + across * further
        projected[i, 1] = center_y - up * further
        projected[i, 2] = np.float32(1) / max(depth - pull[i], np.float32(0.1))


@njit(cache=True, nogil=True)
def project_parallel(points, axes, samples_per_dm, center_x, center_y, projected):
    """Parallel projection of (V, 3) points along -axes[2]: x, y in samples, and the coordinate
    along axes[2]."""
    for i in range(points.shape[0]):
        a, b, c = points[i, 0], points[i, 1], points[i, 2]
        projected[i, 0] = center_x + samples_per_dm * (
            axes[0, 0] * a + axes[0, 1] * b + axes[0, 2] * c
        )
        projected[i, 1] = center_y - samples_per_dm * (
            axes[1, 0] * a + axes[1, 1] * b + axes[1, 2] * c
        )
        projected[i, 2] = axes[2, 0] * a + axes[2, 1] * b + axes[2, 2] * c


@njit(cache=True, nogil=True)
def mip_level(uv, projected, a, b, c, size):
    """Which halving of a texture of `size` texels has texels about as large as samples on this
    triangle."""
    du1, dv1 = uv[1, 0] - uv[0, 0], uv[1, 1] - uv[0, 1]
    du2, dv2 = uv[2, 0] - uv[0, 0], uv[2, 1] - uv[0, 1]
    texels = abs(du1 * dv2 - du2 * dv1) * size * size
    ax, ay = projected[b, 0] - projected[a, 0], projected[b, 1] - projected[a, 1]
    bx, by = projected[c, 0] - projected[a, 0], projected[c, 1] - projected[a, 1]
    samples = abs(ax * by - bx * ay) + 1e-6
    level = 0
    while texels > 2.0 * samples and size > 4:
        texels *= 0.25
        size >>= 1
        level += 1
    return level


@njit(cache=True, nogil=True)
def rasterise(
    projected,
    triangles,
    uv,
    material,
    material_kind,
    material_fringe,
    texture_place,
    texels,
    inside,
    depth,
    winner,
    weights,
):
    """Fill depth (h, w; 0 = empty), winner (h, w; triangle or -1) and weights (h, w, 2;
    screen-space, of corners 1 and 2).

    SOLID triangles facing away (clockwise on screen with y down) are skipped. A sample where the
    interpolated `inside` (V,) is negative is cut away; on STRANDS materials strand noise (the
    texture's alpha) frays that edge over `fringe`.
    """
    height, width = depth.shape
    for i in range(triangles.shape[0]):
        a, b, c = triangles[i, 0], triangles[i, 1], triangles[i, 2]
        x0, y0, x1, y1, x2, y2 = (
            projected[a, 0],
            projected[a, 1],
            projected[b, 0],
            projected[b, 1],
            projected[c, 0],
            projected[c, 1],
        )
        left = max(0, int(math.ceil(min(x0, x1, x2) - 0.5)))
        right = min(width - 1, int(math.floor(max(x0, x1, x2) - 0.5)))
        if left > right:
            continue
        top = max(0, int(math.ceil(min(y0, y1, y2) - 0.5)))
        bottom = min(height - 1, int(math.floor(max(y0, y1, y2) - 0.5)))
        if top > bottom:
            continue
        area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
        kind = material_kind[material[i]]
        if area == 0 or (area > 0 and kind == SOLID):
            continue
        inverse = np.float32(1) / area
        w1x, w1y = (y2 - y0) * inverse, -(x2 - x0) * inverse
        w2x, w2y = -(y1 - y0) * inverse, (x1 - x0) * inverse
        z0, dz1, dz2 = (
            projected[a, 2],
            projected[b, 2] - projected[a, 2],
            projected[c, 2] - projected[a, 2],
        )
        in0, din1, din2 = inside[a], inside[b] - inside[a], inside[c] - inside[a]
        whole = in0 >= 0 and inside[b] >= 0 and inside[c] >= 0 and kind != STRANDS
        place = 0
        size = 1
        if kind == STRANDS:
            place, size = texture_place[material[i], 0], texture_place[material[i], 1]
            for _ in range(mip_level(uv[i], projected, a, b, c, size)):
                place += size * size
                size >>= 1
        for y in range(top, bottom + 1):
            py = y + np.float32(0.5) - y0
            for x in range(left, right + 1):
                px = x + np.float32(0.5) - x0
                w1 = w1x * px + w1y * py
                w2 = w2x * px + w2y * py
                if w1 < 0 or w2 < 0 or w1 + w2 > 1:
                    continue
                z = z0 + dz1 * w1 + dz2 * w2
                if z <= depth[y, x]:
                    continue
                if not whole:
                    edge = in0 + din1 * w1 + din2 * w2
                    if kind == STRANDS:
                        u = (
                            uv[i, 0, 0]
                            + (uv[i, 1, 0] - uv[i, 0, 0]) * w1
                            + (uv[i, 2, 0] - uv[i, 0, 0]) * w2
                        )
                        v = (
                            uv[i, 0, 1]
                            + (uv[i, 1, 1] - uv[i, 0, 1]) * w1
                            + (uv[i, 2, 1] - uv[i, 0, 1]) * w2
                        )
                        column, row = (
                            int(math.floor(u * size)) & (size - 1),
                            int(math.floor(v * size)) & (size - 1),
                        )
                        # The four samples of a pixel get different thresholds, which averages to
                        # soft edges.
                        noise = texels[place + row * size + column, 3] * np.float32(1 / 255)
                        dither = (2 * (x & 1) + 3 * (y & 1)) % 4 * np.float32(0.08) - np.float32(
                            0.12
                        )
                        edge -= (noise + dither) * material_fringe[material[i]]
                    if edge < 0:
                        continue
                depth[y, x] = z
                winner[y, x] = i
                weights[y, x, 0] = w1
                weights[y, x, 1] = w2


@njit(cache=True, nogil=True)
def rasterise_depth(projected, triangles, nearest):
    """Fill nearest (h, w) with the largest third coordinate over each sample; for shadows and
    occlusion."""
    height, width = nearest.shape
    for i in range(triangles.shape[0]):
        a, b, c = triangles[i, 0], triangles[i, 1], triangles[i, 2]
        x0, y0, x1, y1, x2, y2 = (
            projected[a, 0],
            projected[a, 1],
            projected[b, 0],
            projected[b, 1],
            projected[c, 0],
            projected[c, 1],
        )
        left = max(0, int(math.ceil(min(x0, x1, x2) - 0.5)))
        right = min(width - 1, int(math.floor(max(x0, x1, x2) - 0.5)))
        if left > right:
            continue
        top = max(0, int(math.ceil(min(y0, y1, y2) - 0.5)))
        bottom = min(height - 1, int(math.floor(max(y0, y1, y2) - 0.5)))
        area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
        if area == 0:
            continue
        inverse = np.float32(1) / area
        w1x, w1y = (y2 - y0) * inverse, -(x2 - x0) * inverse
        w2x, w2y = -(y1 - y0) * inverse, (x1 - x0) * inverse
        z0, dz1, dz2 = (
            projected[a, 2],
            projected[b, 2] - projected[a, 2],
            projected[c, 2] - projected[a, 2],
        )
        for y in range(top, bottom + 1):
            py = y + np.float32(0.5) - y0
            for x in range(left, right + 1):
                px = x + np.float32(0.5) - x0
                w1 = w1x * px + w1y * py
                w2 = w2x * px + w2y * py
                if w1 < 0 or w2 < 0 or w1 + w2 > 1:
                    continue
                z = z0 + dz1 * w1 + dz2 * w2
                if z > nearest[y, x]:
                    nearest[y, x] = z
