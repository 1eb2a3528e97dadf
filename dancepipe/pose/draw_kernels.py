"""The joint map of pose/draw.py for one person on the CPU, into an array that is there: the same
numbers but for rounding, in a tenth of the time, as nothing is built in between."""

import numpy as np
from numba import njit

from dancepipe.pose.draw import LIMB_COLOURS, LIMB_WIDTH_OF_HEIGHT
from dancepipe.pose.skeleton import LIMBS

_LIMBS = np.array(LIMBS, np.int64)
_COLOURS = np.array(LIMB_COLOURS, np.float32)


def draw_joint_map(joints: np.ndarray, joint_map: np.ndarray) -> None:
    """joints float32 (18, 3) -> float32 (3, H, W), filled."""
    half_width = np.float32(LIMB_WIDTH_OF_HEIGHT * joint_map.shape[1] / 2)
    _joint_map(joints, _LIMBS, _COLOURS, half_width, joint_map)


@njit(cache=True, nogil=True)
def _joint_map(joints, limbs, colours, half_width, out):
    _, height, width = out.shape
    out[:] = 0
    reach = half_width + 1
    for k in range(len(limbs)):  # in painter's order
        a, b = joints[limbs[k, 0]], joints[limbs[k, 1]]
        if not (a[2] > 0 and b[2] > 0 and np.isfinite(a.sum()) and np.isfinite(b.sum())):
            continue
        along_x, along_y = b[0] - a[0], b[1] - a[1]
        square = max(along_x * along_x + along_y * along_y, np.float32(1e-12))
        top = min(max(np.ceil(min(a[1], b[1]) - reach), 0), height)
        left = min(max(np.ceil(min(a[0], b[0]) - reach), 0), width)
        bottom = min(max(np.floor(max(a[1], b[1]) + reach) + 1, 0), height)
        right = min(max(np.floor(max(a[0], b[0]) + reach) + 1, 0), width)
        for y in range(int(top), int(bottom)):
            for x in range(int(left), int(right)):
                dx, dy = np.float32(x) - a[0], np.float32(y) - a[1]
                t = min(max((dx * along_x + dy * along_y) / square, np.float32(0)), np.float32(1))
                away = np.sqrt((dx - t * along_x) ** 2 + (dy - t * along_y) ** 2)
                cover = min(max(half_width + np.float32(0.5) - away, np.float32(0)), np.float32(1))
                for c in range(3):
                    out[c, y, x] += cover * (colours[k, c] - out[c, y, x])
