"""The loops of composite.py: nothing is built in between, and only where a person is."""

import numpy as np
from numba import njit

_ONE, _MOST = np.float32(1), np.float32(255)  # with whole numbers numba counts in float64


@njit(cache=True, nogil=True)
def premultiply(picture, matte, inside, faint, full, grey, out):
    """picture uint8 (S, S, 3), matte uint8 (S, S), inside float32 (S,): 0 at the border of the
    canvas, 1 inwards -> out float32 (S, S, 4), zeros before."""
    height, width = matte.shape
    for y in range(height):
        for x in range(width):
            if matte[y, x] == 0:
                continue
            weight = np.float32(matte[y, x]) / _MOST
            crisp = (weight - faint) / (full - faint)
            crisp = min(max(crisp, np.float32(0)), _ONE) * (inside[y] * inside[x])
            share = crisp / max(weight, faint)
            for c in range(3):
                coloured = np.float32(picture[y, x, c]) - (_ONE - weight) * grey  # m F
                out[y, x, c] = min(max(coloured * share, np.float32(0)), _MOST * crisp)
            out[y, x, 3] = crisp


@njit(cache=True, nogil=True)
def filled(person):
    """Of (H, W, 4), whose last channel is not 0: first and last row, first and last column, each
    last one excluded; all 0 where nothing is."""
    height, width, _ = person.shape
    top, bottom, left, right = height, 0, width, 0
    for y in range(height):
        for x in range(width):
            if person[y, x, 3] != 0:
                top, bottom = min(top, y), y + 1
                left, right = min(left, x), max(right, x + 1)
    if bottom == 0:
        return 0, 0, 0, 0
    return top, bottom, left, right


@njit(cache=True, nogil=True)
def lay_over(layer, place):
    """layer float32 (H, W, 4), premultiplied, over uint8 (H, W, 3), in place."""
    height, width, _ = place.shape
    for y in range(height):
        for x in range(width):
            alpha = min(max(layer[y, x, 3], np.float32(0)), _ONE)
            if alpha == 0 and layer[y, x, 0] == 0 and layer[y, x, 1] == 0 and layer[y, x, 2] == 0:
                continue
            for c in range(3):
                value = layer[y, x, c] + (_ONE - alpha) * np.float32(place[y, x, c])
                value = min(max(value, np.float32(0)), _MOST)
                place[y, x, c] = np.uint8(np.rint(value))
