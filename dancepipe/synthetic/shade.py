"""Shading of rasterised samples: textures with bumps, key light with shadow, fill light, sky,
skin scatter, hair highlights."""

import math

import numpy as np
from numba import njit

from dancepipe.synthetic.raster import STRANDS, mip_level

# Columns of the materials' look table.
BUMP, SPECULAR, SHININESS, SCATTER, SHEEN = range(5)
LOOK_COLUMNS = 5


@njit(cache=True, nogil=True)
def _blend4(table, place, size, u, v, channel):
    x, y = u * size - np.float32(0.5), v * size - np.float32(0.5)
    x_floor, y_floor = math.floor(x), math.floor(y)
    fx, fy = np.float32(x - x_floor), np.float32(y - y_floor)
    xa, ya = int(x_floor) & (size - 1), int(y_floor) & (size - 1)
    xb, yb = (xa + 1) & (size - 1), (ya + 1) & (size - 1)
    upper = (
        table[place + ya * size + xa, channel] * (1 - fx)
        + table[place + ya * size + xb, channel] * fx
    )
    lower = (
        table[place + yb * size + xa, channel] * (1 - fx)
        + table[place + yb * size + xb, channel] * fx
    )
    return upper * (1 - fy) + lower * fy


@njit(cache=True, nogil=True)
def shade_samples(
    winner,
    weights,
    projected,
    posed,
    normals,
    crease,
    occlusion,
    tint,
    triangles,
    uv,
    material,
    material_kind,
    look,
    texture_place,
    texels,
    bumps,
    eye,
    light_directions,
    light_colors,
    sky,
    shadow,
    shadow_axes,
    shadow_place,
    shadow_bias,
    color,
):
    """Fill color (h, w, 3) with linear light for every covered sample.

    light_directions (2, 3): key and fill, unit, towards the light. light_colors (2, 3). sky (2, 3):
    light from above and below. shadow (n, n): depth of the key light's view, shadow_place =
    (samples a dm, centre x, centre y). Texture colours are square roots of albedo, times the vertex
    tint.
    """
    height, width = winner.shape
    one = np.float32(1)
    for y in range(height):
        for x in range(width):
            i = winner[y, x]
            if i < 0:
                continue
            a, b, c = triangles[i, 0], triangles[i, 1], triangles[i, 2]
            # Perspective-correct weights from the screen-space ones.
            w0 = projected[a, 2] * (one - weights[y, x, 0] - weights[y, x, 1])
            w1 = projected[b, 2] * weights[y, x, 0]
            w2 = projected[c, 2] * weights[y, x, 1]
            # Depth test used inverse depth, so here each corner weighs its depth's inverse.
            total = one / (w0 + w1 + w2)
            w0, w1, w2 = w0 * total, w1 * total, w2 * total
            m = material[i]
            u = uv[i, 0, 0] * w0 + uv[i, 1, 0] * w1 + uv[i, 2, 0] * w2
            v = uv[i, 0, 1] * w0 + uv[i, 1, 1] * w1 + uv[i, 2, 1] * w2
            place, size = texture_place[m, 0], texture_place[m, 1]
            for _ in range(mip_level(uv[i], projected, a, b, c, size)):
                place += size * size
                size >>= 1
            nx = normals[a, 0] * w0 + normals[b, 0] * w1 + normals[c, 0] * w2
            ny = normals[a, 1] * w0 + normals[b, 1] * w1 + normals[c, 1] * w2
            nz = normals[a, 2] * w0 + normals[b, 2] * w1 + normals[c, 2] * w2
            px = posed[a, 0] * w0 + posed[b, 0] * w1 + posed[c, 0] * w2
            py = posed[a, 1] * w0 + posed[b, 1] * w1 + posed[c, 1] * w2
            pz = posed[a, 2] * w0 + posed[b, 2] * w1 + posed[c, 2] * w2
            bx = by = bz = np.float32(0)
            bump = look[m, BUMP] * (one + crease[a] * w0 + crease[b] * w1 + crease[c] * w2)
            if bump > 0:
                # Tangents: the directions in which u and v grow on the surface.
                e1x, e1y, e1z = (
                    posed[b, 0] - posed[a, 0],
                    posed[b, 1] - posed[a, 1],
                    posed[b, 2] - posed[a, 2],
                )
                e2x, e2y, e2z = (
                    posed[c, 0] - posed[a, 0],
                    posed[c, 1] - posed[a, 1],
                    posed[c, 2] - posed[a, 2],
                )
                du1, dv1 = uv[i, 1, 0] - uv[i, 0, 0], uv[i, 1, 1] - uv[i, 0, 1]
                du2, dv2 = uv[i, 2, 0] - uv[i, 0, 0], uv[i, 2, 1] - uv[i, 0, 1]
                turn = one if du1 * dv2 - du2 * dv1 > 0 else -one
                tx, ty, tz = (
                    turn * (e1x * dv2 - e2x * dv1),
                    turn * (e1y * dv2 - e2y * dv1),
                    turn * (e1z * dv2 - e2z * dv1),
                )
                bx, by, bz = (
                    turn * (e2x * du1 - e1x * du2),
                    turn * (e2y * du1 - e1y * du2),
                    turn * (e2z * du1 - e1z * du2),
                )
                length = one / (
                    np.float32(math.sqrt(tx * tx + ty * ty + tz * tz)) + np.float32(1e-9)
                )
                tx, ty, tz = tx * length, ty * length, tz * length
                length = one / (
                    np.float32(math.sqrt(bx * bx + by * by + bz * bz)) + np.float32(1e-9)
                )
                bx, by, bz = bx * length, by * length, bz * length
                slope_u = _blend4(bumps, place, size, u, v, 0) * bump * np.float32(1 / 64)
                slope_v = _blend4(bumps, place, size, u, v, 1) * bump * np.float32(1 / 64)
                nx -= slope_u * tx + slope_v * bx
                ny -= slope_u * ty + slope_v * by
                nz -= slope_u * tz + slope_v * bz
            length = one / (np.float32(math.sqrt(nx * nx + ny * ny + nz * nz)) + np.float32(1e-9))
            nx, ny, nz = nx * length, ny * length, nz * length
            vx, vy, vz = eye[0] - px, eye[1] - py, eye[2] - pz
            length = one / np.float32(math.sqrt(vx * vx + vy * vy + vz * vz))
            vx, vy, vz = vx * length, vy * length, vz * length
            facing = nx * vx + ny * vy + nz * vz
            if facing < 0:
                nx, ny, nz, facing = -nx, -ny, -nz, -facing
            open_sky = occlusion[a] * w0 + occlusion[b] * w1 + occlusion[c] * w2

            # Shadow of the key light, softened over 3 x 3 cells.
            # The point is lifted off its surface, so that coarse cells do not shade the surface
            # they lie on.
            lx, ly, lz = px + nx * shadow_bias, py + ny * shadow_bias, pz + nz * shadow_bias
            sx = shadow_axes[0, 0] * lx + shadow_axes[0, 1] * ly + shadow_axes[0, 2] * lz
            sy = shadow_axes[1, 0] * lx + shadow_axes[1, 1] * ly + shadow_axes[1, 2] * lz
            sz = shadow_axes[2, 0] * lx + shadow_axes[2, 1] * ly + shadow_axes[2, 2] * lz
            cell_x, cell_y = (
                int(shadow_place[1] + shadow_place[0] * sx),
                int(shadow_place[2] - shadow_place[0] * sy),
            )
            lit = 0
            for row in range(cell_y - 1, cell_y + 2):
                for column in range(cell_x - 1, cell_x + 2):
                    outside = (
                        row < 0 or column < 0 or row >= shadow.shape[0] or column >= shadow.shape[1]
                    )
                    if outside or shadow[row, column] <= sz + shadow_bias:
                        lit += 1
            lit_share = lit * np.float32(1 / 9)

            key = (
                nx * light_directions[0, 0]
                + ny * light_directions[0, 1]
                + nz * light_directions[0, 2]
            )
            fill = max(
                np.float32(0),
                nx * light_directions[1, 0]
                + ny * light_directions[1, 1]
                + nz * light_directions[1, 2],
            )
            hx, hy, hz = (
                light_directions[0, 0] + vx,
                light_directions[0, 1] + vy,
                light_directions[0, 2] + vz,
            )
            length = one / (np.float32(math.sqrt(hx * hx + hy * hy + hz * hz)) + np.float32(1e-6))
            glint = one
            if material_kind[m] == STRANDS:
                # Kajiya-Kay: strands run along v and shine across themselves.
                along = (hx * bx + hy * by + hz * bz) * length
                peak = np.float32(math.sqrt(max(np.float32(0), one - along * along)))
                glint = _blend4(texels, place, size, u, v, 3) * np.float32(1 / 255)
            else:
                peak = max(np.float32(0), (nx * hx + ny * hy + nz * hz) * length)
            shine = (
                glint
                * glint
                * look[m, SPECULAR]
                * np.float32(peak ** look[m, SHININESS])
                * lit_share
                * max(np.float32(0), min(one, key * 4 + np.float32(0.2)))
            )
            edge = one - facing
            sheen = look[m, SHEEN] * edge * edge * edge
            upward = np.float32(0.5) + np.float32(0.5) * ny
            for k in range(3):
                stored = _blend4(texels, place, size, u, v, k) * np.float32(1 / 255)
                albedo = stored * stored * (tint[a, k] * w0 + tint[b, k] * w1 + tint[c, k] * w2)
                # Light bleeds round the terminator, red the furthest: skin.
                wrap = np.float32(0.1) + look[m, SCATTER] * (
                    np.float32(0.4) if k == 0 else np.float32(0.14) if k == 1 else np.float32(0.08)
                )
                direct = max(np.float32(0), (key + wrap) / (one + wrap)) * lit_share
                around = (sky[0, k] * upward + sky[1, k] * (one - upward)) * open_sky
                light = (
                    around * (one + sheen)
                    + direct * light_colors[0, k]
                    + fill * light_colors[1, k] * (np.float32(0.5) + np.float32(0.5) * open_sky)
                )
                color[y, x, k] = (
                    albedo * light + shine * light_colors[0, k] + sheen * np.float32(0.03) * around
                )


@njit(cache=True, nogil=True)
def resolve_samples(winner, color, samples, exposure, image, alpha):
    """Average samples x samples into one pixel: image uint8 (h, w, 3), straight colour; alpha
    uint8 (h, w)."""
    height, width = alpha.shape
    for y in range(height):
        for x in range(width):
            covered = 0
            red = np.float32(0)
            green = np.float32(0)
            blue = np.float32(0)
            for row in range(y * samples, (y + 1) * samples):
                for column in range(x * samples, (x + 1) * samples):
                    if winner[row, column] >= 0:
                        covered += 1
                        red += color[row, column, 0]
                        green += color[row, column, 1]
                        blue += color[row, column, 2]
            if covered == 0:
                continue
            alpha[y, x] = int(covered * 255.0 / (samples * samples) + 0.5)
            for k in range(3):
                light = exposure * (red if k == 0 else green if k == 1 else blue) / covered
                light = light * np.float32(1.12) / (one_plus(light))
                image[y, x, k] = int(
                    min(max(light, np.float32(0)), np.float32(1)) ** np.float32(1 / 2.2)
                    * np.float32(255)
                    + np.float32(0.5)
                )


@njit(cache=True, nogil=True)
def one_plus(light):
    """Denominator of the highlight shoulder."""
    return np.float32(1) + np.float32(0.22) * light
