"""limb_warp.py and moved_warp.py for one person on the CPU: the same numbers but for rounding.

What is counted per joint stays in torch; what is counted per pixel is one loop here, and only where
the body is. Nothing is differentiated.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit
from torch import Tensor

from dancepipe.priors.limb_warp import (
    ARMS,
    BONE_ENDS,
    BONE_STARTS,
    BONES,
    CUT,
    CUT_SLOPE,
    FAR,
    HEAD,
    HEAD_HALF_WH,
    INNER,
    INNER_SLOPE,
    PARTS,
    SHARPNESS,
    SMOOTH_SIGMA,
    SPINE_AND_FACE,
    TORSO,
    TORSO_DEPTH,
    TORSO_RIM,
    LimbBody,
    WarpSource,
)

_STARTS, _ENDS = np.array(BONE_STARTS), np.array(BONE_ENDS)
_RADII = np.array([bone[2:4] for bone in BONES], np.float32)
_REACH = np.array([bone[4] for bone in BONES], np.float32)[:, None]
_SPINE = np.array(SPINE_AND_FACE)
_IS_ARM = np.array([index in ARMS for index in range(PARTS)])
_ONE = np.float32(1)  # with whole numbers numba counts in float64
_MARGIN_PX = 2.0  # parts are known a little beyond where they end: what is read beside its place
# Of _limbs: start x, y, along x, y, radius at the start and at the end.
# Of _torso: the hull's corners in order; of _head: centre, direction upwards.


@dataclass(frozen=True, eq=False)
class WarpAt:
    """The warp in one target pose, and what it is made of."""

    known: np.ndarray  # float32 (4, H, W): picture in [-1, 1] on grey, matte in [0, 1]
    flow_4: np.ndarray  # float32 (2, H/4, W/4)
    maps: np.ndarray  # float32 (P, 2, 3), target to source px
    part: np.ndarray  # int32 (H, W)
    rest: np.ndarray  # float32 (5, H, W), as WarpLayers.rest


class LimbWarper:
    """One reference, any number of targets, one after the other."""

    def __init__(self, source: WarpSource, joints_r: Tensor):
        """source: of batch 1, on the CPU; joints_r (1, 18, 3)."""
        self.pixels = np.ascontiguousarray(source.pixels[0].numpy().transpose(1, 2, 0))  # (H, W, 5)
        self._colours = np.ascontiguousarray(source.colours[0].numpy())  # (P, 3)
        self._joints_r = joints_r

    def at(self, joints_t: Tensor) -> WarpAt:
        """joints_t (1, 18, 3) in pixels of the reference's size."""
        height, width = self.pixels.shape[:2]
        body = LimbBody(self._joints_r, joints_t)
        points, found = body.points[0].numpy(), body.found[0].numpy()
        maps, present = body.maps[0].numpy(), body.present[0].numpy()
        unit, corners = np.float32(body.unit[0].item()), body.corners()[0].numpy()
        centre, up = (one[0].numpy() for one in body.head())
        starts = points[_STARTS]
        limbs = np.concatenate(
            (starts, (1 + _REACH) * (points[_ENDS] - starts), _RADII * unit), 1, dtype=np.float32
        )
        head = np.concatenate((centre, up), dtype=np.float32)
        nearest, inner, part = _nearest(limbs, corners, head, unit, present, height, width)
        known, rest = np.zeros((4, height, width), np.float32), np.zeros((5, height, width), "f4")
        _warped(self.pixels, self._colours, maps, _IS_ARM, nearest, inner, part, known, rest)
        pairs = np.concatenate((np.stack((_STARTS, _ENDS), 1), _SPINE))
        segments = np.concatenate((points[pairs[:, 0]], points[pairs[:, 1]]), 1)
        flow_4 = _smooth_flow(
            segments, found[pairs].all(1), unit, present, maps, height // 4, width // 4
        )
        return WarpAt(known, flow_4, maps, part, rest)


def mixed_copy(
    pixels: np.ndarray,
    warp: WarpAt,
    gate: np.ndarray,
    move: np.ndarray,
    made: np.ndarray,
    made_matte: np.ndarray,
) -> np.ndarray:
    """CopyPlan.over of WarpLayers: the reference's pixels (H, W, 5) read once, at p + move(p), and
    mixed with what was made. gate (H, W), move (2, H, W) px, made (3, H, W), made_matte (H, W).
    -> float32 (4, H, W): picture in [-1, 1] and matte in [0, 1]."""
    out = np.empty((4, *gate.shape), np.float32)
    _mixed(pixels, warp.maps, _IS_ARM, warp.part, warp.rest, gate, move, made, made_matte, out)
    return out


@njit(cache=True, nogil=True)
def _range(low, high, side):
    """Whole pixels from low to high inside the picture."""
    first = int(min(max(np.floor(low), 0), side))
    return first, max(int(min(max(np.ceil(high) + 1, 0), side)), first)


@njit(cache=True, nogil=True)
def _along(x, y, x_0, y_0, dx, dy):
    """Distance in px from a segment, and where along it its nearest point lies."""
    square = max(dx * dx + dy * dy, np.float32(1e-3))
    t = ((x - x_0) * dx + (y - y_0) * dy) / square
    t = min(max(t, np.float32(0)), np.float32(1))
    away_x, away_y = x_0 - x + t * dx, y_0 - y + t * dy
    return np.sqrt(away_x * away_x + away_y * away_y), t


@njit(cache=True, nogil=True)
def _nearest(limbs, corners, head, unit, present, height, width):
    """Distance of the nearest part, in its own widths; the same without the head; which it is.
    FAR where no part reaches."""
    reach = np.float32(CUT)
    nearest = np.full((height, width), np.float32(FAR))
    inner = np.full((height, width), np.float32(FAR))
    part = np.zeros((height, width), np.int32)
    for k in range(len(limbs)):
        if not present[k]:
            continue
        x_0, y_0, dx, dy, first, last = limbs[k]
        around = reach * max(first, last) + np.float32(_MARGIN_PX)
        top, bottom = _range(min(y_0, y_0 + dy) - around, max(y_0, y_0 + dy) + around, height)
        left, right = _range(min(x_0, x_0 + dx) - around, max(x_0, x_0 + dx) + around, width)
        for y in range(top, bottom):
            for x in range(left, right):
                away, t = _along(np.float32(x), np.float32(y), x_0, y_0, dx, dy)
                away /= first + (last - first) * t
                if away < nearest[y, x]:
                    nearest[y, x], inner[y, x], part[y, x] = away, away, k
    if present[TORSO]:
        _torso(corners, unit, reach, nearest, inner, part)
    if present[HEAD]:
        half_w, half_h = np.float32(HEAD_HALF_WH[0]), np.float32(HEAD_HALF_WH[1])
        around = reach * unit * max(half_w, half_h) + np.float32(_MARGIN_PX)
        top, bottom = _range(head[1] - around, head[1] + around, height)
        left, right = _range(head[0] - around, head[0] + around, width)
        for y in range(top, bottom):
            for x in range(left, right):
                dx, dy = np.float32(x) - head[0], np.float32(y) - head[1]
                tall = dx * head[2] + dy * head[3]
                wide = dx * head[3] - dy * head[2]
                away = np.sqrt((wide / half_w) ** 2 + (tall / half_h) ** 2) / unit
                if away < nearest[y, x]:
                    nearest[y, x], part[y, x] = away, HEAD
    return nearest, inner, part


@njit(cache=True, nogil=True)
def _torso(corners, unit, reach, nearest, inner, part):
    """The hull of the four corners: the union of its triangles."""
    height, width = nearest.shape
    around = reach * unit * np.float32(TORSO_RIM) + np.float32(_MARGIN_PX)
    top, bottom = _range(corners[:, 1].min() - around, corners[:, 1].max() + around, height)
    left, right = _range(corners[:, 0].min() - around, corners[:, 0].max() + around, width)
    for y in range(top, bottom):
        for x in range(left, right):
            at_x, at_y = np.float32(x), np.float32(y)
            is_inside = (
                _in_triangle(corners, 0, 1, 2, at_x, at_y)
                or _in_triangle(corners, 0, 1, 3, at_x, at_y)
                or _in_triangle(corners, 0, 2, 3, at_x, at_y)
                or _in_triangle(corners, 1, 2, 3, at_x, at_y)
            )
            away = np.float32(TORSO_DEPTH)
            if not is_inside:
                outside = np.float32(FAR)
                for i in range(4):
                    for j in range(i + 1, 4):
                        dx, dy = corners[j, 0] - corners[i, 0], corners[j, 1] - corners[i, 1]
                        one, _ = _along(at_x, at_y, corners[i, 0], corners[i, 1], dx, dy)
                        outside = min(outside, one)
                away = outside / (unit * np.float32(TORSO_RIM))
            if away < nearest[y, x]:
                nearest[y, x], inner[y, x], part[y, x] = away, away, TORSO


@njit(cache=True, nogil=True)
def _is_left(corners, i, j, x, y):
    dx, dy = corners[j, 0] - corners[i, 0], corners[j, 1] - corners[i, 1]
    return dx * (y - corners[i, 1]) - dy * (x - corners[i, 0]) > 0


@njit(cache=True, nogil=True)
def _in_triangle(corners, i, j, k, x, y):
    first, second = _is_left(corners, i, j, x, y), _is_left(corners, j, k, x, y)
    return first == second and second == (not _is_left(corners, i, k, x, y))


@njit(cache=True, nogil=True)
def _seen_at(pixels, x, y, is_arm, out):
    """Bilinear, nothing outside; torso and legs do not take the hands along."""
    height, width, _ = pixels.shape
    out[:] = 0
    if not (x > -1 and y > -1 and x < width and y < height):  # nan as well
        return
    i, j = int(np.floor(x)), int(np.floor(y))
    u, v = x - np.float32(i), y - np.float32(j)
    covered = np.float32(0)
    for row in range(j, j + 2):
        for column in range(i, i + 2):
            if row < 0 or column < 0 or row >= height or column >= width:
                continue
            share = (u if column > i else _ONE - u) * (v if row > j else _ONE - v)
            for c in range(4):
                out[c] += share * pixels[row, column, c]
            covered += share * pixels[row, column, 4]
    if not is_arm:
        for c in range(4):
            out[c] *= _ONE - covered


@njit(cache=True, nogil=True)
def _warped(pixels, colours, maps, is_arm, nearest, inner, part, known, rest):
    height, width = nearest.shape
    seen = np.empty(4, np.float32)
    for y in range(height):
        for x in range(width):
            here = (np.float32(CUT) - nearest[y, x]) * np.float32(CUT_SLOPE)
            if here <= 0:
                continue
            here = min(here, np.float32(1))
            k = part[y, x]
            m = maps[k]
            to_x = m[0, 0] * np.float32(x) + m[0, 1] * np.float32(y) + m[0, 2]
            to_y = m[1, 0] * np.float32(x) + m[1, 1] * np.float32(y) + m[1, 2]
            _seen_at(pixels, to_x, to_y, is_arm[k], seen)
            hole = (np.float32(INNER) - inner[y, x]) * np.float32(INNER_SLOPE)
            hole = min(max(hole, np.float32(0)), np.float32(1)) * (_ONE - seen[3])
            rest[0, y, x], rest[4, y, x] = here, hole
            for c in range(3):
                rest[1 + c, y, x] = hole * colours[k, c]
                value = seen[c] * here + rest[1 + c, y, x]
                known[c, y, x] = min(max(value, np.float32(-1)), np.float32(1))
            known[3, y, x] = min(max(seen[3] * here + hole, np.float32(0)), np.float32(1))


@njit(cache=True, nogil=True)
def _smooth_flow(segments, found, unit, present, maps, height, width):
    """limb_flow at a quarter of the size: pixels of the small maps."""
    bones, parts = len(segments) - 4, len(present)
    out = np.empty((2, height, width), np.float32)
    quarter = (segments + np.float32(0.5)) / np.float32(4) - np.float32(0.5)
    away = np.empty(parts, np.float32)
    # x' = L x + s in whole pixels is L x + (s + (L - 1) offset) / 4 in those of the small map,
    # whose pixel 0 lies at 1.5.
    linear, shift = maps[:, :, :2], np.empty((parts, 2), np.float32)
    for k in range(parts):
        for i in range(2):
            turned = (linear[k, i, 0] + linear[k, i, 1] - _ONE) * np.float32(1.5)
            shift[k, i] = (maps[k, i, 2] + turned) / np.float32(4)
    limit = np.float32(max(height, width))
    for y in range(height):
        for x in range(width):
            at_x, at_y = np.float32(x), np.float32(y)
            away[:] = np.float32(FAR)
            for k in range(len(segments)):
                if not found[k]:
                    continue
                x_0, y_0, x_1, y_1 = quarter[k]
                one, _ = _along(at_x, at_y, x_0, y_0, x_1 - x_0, y_1 - y_0)
                own = k if k < bones else bones + (k - bones) // 2
                away[own] = min(away[own], one / (unit / np.float32(4)))
            least = np.float32(2 * FAR)
            for k in range(parts):
                away[k] += np.float32(0) if present[k] else np.float32(FAR)
                least = min(least, away[k])
            total, flow_x, flow_y = np.float32(0), np.float32(0), np.float32(0)
            factor = np.float32(-0.5 * SHARPNESS / SMOOTH_SIGMA**2)
            for k in range(parts):
                weight = np.exp((away[k] * away[k] - least * least) * factor)
                total += weight
                if present[k]:
                    m = linear[k]
                    to_x = m[0, 0] * at_x + m[0, 1] * at_y + shift[k, 0] - at_x
                    to_y = m[1, 0] * at_x + m[1, 1] * at_y + shift[k, 1] - at_y
                    flow_x += weight * to_x
                    flow_y += weight * to_y
            out[0, y, x] = min(max(flow_x / total, -limit), limit)
            out[1, y, x] = min(max(flow_y / total, -limit), limit)
    return out


@njit(cache=True, nogil=True)
def _mixed(pixels, maps, is_arm, part, rest, gate, move, made, made_matte, out):
    height, width = gate.shape
    seen, filled = np.empty(4, np.float32), np.empty(5, np.float32)
    for y in range(height):
        for x in range(width):
            at_x = _inside(np.float32(x) + move[0, y, x], width)
            at_y = _inside(np.float32(y) + move[1, y, x], height)
            i, j = min(int(at_x), width - 2), min(int(at_y), height - 2)
            u, v = at_x - np.float32(i), at_y - np.float32(j)
            for c in range(5):
                upper = rest[c, j, i] * (_ONE - u) + rest[c, j, i + 1] * u
                lower = rest[c, j + 1, i] * (_ONE - u) + rest[c, j + 1, i + 1] * u
                filled[c] = upper * (_ONE - v) + lower * v
            seen[:] = 0
            if filled[0] > 0:
                k = part[int(np.rint(at_y)), int(np.rint(at_x))]
                m = maps[k]
                to_x = m[0, 0] * at_x + m[0, 1] * at_y + m[0, 2]
                to_y = m[1, 0] * at_x + m[1, 1] * at_y + m[1, 2]
                _seen_at(pixels, to_x, to_y, is_arm[k], seen)
            g = gate[y, x]
            for c in range(3):
                copied = min(
                    max(seen[c] * filled[0] + filled[1 + c], np.float32(-1)), np.float32(1)
                )
                out[c, y, x] = g * copied + (_ONE - g) * made[c, y, x]
            copied = min(max(seen[3] * filled[0] + filled[4], np.float32(0)), np.float32(1))
            mixed = g * copied + (_ONE - g) * made_matte[y, x]
            out[3, y, x] = min(max(mixed, np.float32(1e-4)), np.float32(1 - 1e-4))


@njit(cache=True, nogil=True)
def _inside(at, side):
    """Borders repeat; what is no number is 0."""
    if not np.isfinite(at):
        at = np.float32(0) if np.isnan(at) else (np.float32(0) if at < 0 else np.float32(side))
    return min(max(at, np.float32(0)), np.float32(side - 1))
