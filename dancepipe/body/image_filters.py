"""Filters of scipy.ndimage under their names there, to the last bit, for what the body needs.

scipy is too large (143 MB) to come with everybody's install for these four.
"""

import math
from typing import Literal, overload

import cv2
import numpy as np
from numba import njit


@overload
def distance_transform_edt(
    where: np.ndarray, return_indices: Literal[False] = False
) -> np.ndarray: ...
@overload
def distance_transform_edt(
    where: np.ndarray, return_indices: Literal[True]
) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]: ...
def distance_transform_edt(where: np.ndarray, return_indices: bool = False):
    """float64 (H, W): how far each True pixel of `where` is from the nearest False one, in px;
    inf when there is none.

    return_indices: (distances, (rows, columns)), int32 (H, W) each: which one that is, of several
    the leftmost, then the upmost. Felzenszwalb and Huttenlocher, "Distance Transforms of Sampled
    Functions" (2012), in whole numbers.
    """
    rows, columns = np.empty(where.shape, np.int32), np.empty(where.shape, np.int32)
    distance = np.empty(where.shape)
    _nearest_false(np.ascontiguousarray(where, np.bool_), rows, columns, distance)
    return (distance, (rows, columns)) if return_indices else distance


@njit(cache=True, nogil=True)
def _nearest_false(where, rows, columns, distance):
    height, width = where.shape
    # In its own column: of two the upper.
    for x in range(width):
        last = -1
        for y in range(height):
            if not where[y, x]:
                last = y
            rows[y, x] = last
        last = -1
        for y in range(height - 1, -1, -1):
            if not where[y, x]:
                last = y
            if last >= 0 and (rows[y, x] < 0 or last - y < y - rows[y, x]):
                rows[y, x] = last
    # Along the row: the lower envelope of the columns' parabolas.
    column, up = np.empty(width, np.int64), np.empty(width, np.int64)
    row_of = np.empty(width, np.int32)
    for y in range(height):
        count = 0
        for x in range(width):
            if rows[y, x] < 0:
                continue
            high = np.int64(rows[y, x] - y) ** 2
            while count >= 2:
                a, b = column[count - 1] - column[count - 2], x - column[count - 1]
                if (a + b) * up[count - 1] - b * up[count - 2] - a * high - a * b * (a + b) <= 0:
                    break
                count -= 1
            column[count], up[count], row_of[count] = x, high, rows[y, x]
            count += 1
        at = 0
        for x in range(width):
            if count == 0:
                rows[y, x], columns[y, x], distance[y, x] = 0, 0, np.inf
                continue
            here = (x - column[at]) ** 2 + up[at]
            while at + 1 < count:
                next_one = (x - column[at + 1]) ** 2 + up[at + 1]
                if next_one >= here:
                    break
                at, here = at + 1, next_one
            rows[y, x], columns[y, x] = row_of[at], column[at]
            distance[y, x] = math.sqrt(here)


def gaussian_filter(values: np.ndarray, sigma: tuple[float, ...]) -> np.ndarray:
    """float32, blurred by `sigma` pixels along each axis (0: not along that one); borders are
    mirrored, the kernel ends after four sigma."""
    values = np.ascontiguousarray(values, np.float32)
    for axis, own in enumerate(sigma):
        if own > 0:
            reach = int(4 * own + 0.5)
            kernel = np.exp(-0.5 / (own * own) * np.arange(-reach, reach + 1) ** 2)
            values = _correlate(values, axis, kernel / kernel.sum(), 1)
    return values


def uniform_filter(values: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """float32, the mean over `size` pixels along each axis, an odd number; borders are mirrored."""
    values = np.ascontiguousarray(values, np.float32)
    for axis, own in enumerate(size):
        if own > 1:
            values = _correlate(values, axis, np.ones(own), own)
    return values


def maximum_filter(values: np.ndarray, size: int) -> np.ndarray:
    """(H, W), the largest of size x size pixels around each; outside there is nothing."""
    return cv2.dilate(values, np.ones((size, size), np.uint8))


def _correlate(values: np.ndarray, axis: int, kernel: np.ndarray, divisor: float) -> np.ndarray:
    before, length = math.prod(values.shape[:axis]), values.shape[axis]
    out = np.empty_like(values)
    shape = before, length, -1
    _correlate_middle(values.reshape(shape), kernel, divisor, out.reshape(shape))
    return out


@njit(cache=True, nogil=True)
def _correlate_middle(values, kernel, divisor, out):
    """A symmetric kernel along the second of three axes, summed in double precision from its
    ends."""
    before, length, after = values.shape
    reach = len(kernel) // 2
    wide = np.empty((length + 2 * reach, after))
    flat, total = wide.reshape(-1), np.empty(length * after)
    for b in range(before):
        for i in range(length + 2 * reach):  # c b a | a b c | c b a
            from_start = (i - reach) % (2 * length)
            wide[i] = values[b, min(from_start, 2 * length - 1 - from_start)]
        for j in range(length * after):
            total[j] = flat[j + reach * after] * kernel[reach]
        for k in range(reach):
            left, right = k * after, (2 * reach - k) * after
            for j in range(length * after):
                total[j] += (flat[j + left] + flat[j + right]) * kernel[k]
        flat_out = out[b].reshape(-1)
        for j in range(length * after):
            flat_out[j] = total[j] / divisor
