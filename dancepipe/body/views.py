"""Several photos of one person: each point of the surface takes its colour from those that show it
best.

The first photo gives the body, the clothes and every colour that it shows well. How well a photo
shows a point is known once, on the mesh, and runs smoothly over it: so nothing flickers, and no
edge shows where one photo ends.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from dancepipe.body.raster import front_sample
from dancepipe.body.shading import SEEN
from dancepipe.body.surface_colours import ColourFlow

if TYPE_CHECKING:
    from dancepipe.body.reference import BodyReference

_WELL, _HARDLY = 0.3, 0.15  # of how well a photo shows a point
_SMOOTHED = 4  # times
_GAIN = 1.5  # at most, between the lights of two photos
_COMMON = 30  # points that both show, at least, or their lights are not compared
_FIRST = 2.0  # the first photo counts so much more than another that shows a point as well
_GUESS = 0.02  # of the first photo, where no photo shows a point


def smoothed(shown: np.ndarray, edges: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """float32 (V,): values (V,) of points, made smooth along the edges of the mesh, which are
    given both ways round."""
    first, second = edges
    count = np.bincount(first, minlength=len(shown))
    values = shown.astype(np.float64)
    for _ in range(_SMOOTHED):
        near = np.bincount(first, values[second], len(shown))
        values = (values + near / np.maximum(count, 1)) / 2
    return values.astype(np.float32)


def together(
    first: "BodyReference", others: Sequence["BodyReference"], flow: ColourFlow
) -> "BodyReference":
    """The first, with the colours of the others where it shows nothing and they do."""
    views = [_in_light_of(first, other) for other in others]
    colour, weight = first.known_colour.copy(), first.known_weight.copy()
    shown = first.shown[:, 0].copy()
    for view in views:
        own = view.shown[:, 0]
        better = (own > _WELL) & (shown < _HARDLY)
        colour[better], weight[better] = view.known_colour[better], 1.0
        shown = np.maximum(shown, own)
    return replace(
        first,
        vertex_colour=flow.spread(colour, weight),
        others=tuple(views),
        shown=np.ascontiguousarray(
            np.concatenate([one.shown for one in (first, *views)], 1), np.float32
        ),
    )


def _in_light_of(first: "BodyReference", other: "BodyReference") -> "BodyReference":
    """The other photo, as bright as the first one where both show the same."""
    both = (first.shown[:, 0] > _WELL) & (other.shown[:, 0] > _WELL)
    if both.sum() < _COMMON:
        return other
    share = np.maximum(first.known_colour[both], 8) / np.maximum(other.known_colour[both], 8)
    gain = np.clip(np.median(share, 0), 1 / _GAIN, _GAIN).astype(np.float32)
    colours = replace(other.colours, deep=np.clip(other.colours.deep * gain, 0, 255))
    return replace(
        other,
        colours=colours,
        photo=np.clip(other.photo * gain, 0, 255),
        known_colour=other.known_colour * gain,
    )


@njit(cache=True, nogil=True)
def lay_together(
    winner, weights, depth, samples, triangles, shown, colours, kinds, colour, read_share, kind
):  # fmt: skip
    """Fill colour (H, W, 3), kind and read_share (H, W), which are the first photo's, from all.

    winner, weights, depth: of rasterise_mesh, `samples` a side of a pixel. shown (V, K): how well
    each photo shows each vertex. colours (K, H, W, 3), kinds (K, H, W): by each photo.
    """
    views = shown.shape[1]
    share = np.zeros(views, np.float32)
    for y in range(colour.shape[0]):
        for x in range(colour.shape[1]):
            row, column = front_sample(winner, depth, samples, y, x)
            if row < 0:
                continue
            triangle = triangles[winner[row, column]]
            w1, w2 = weights[row, column, 0], weights[row, column, 1]
            total = np.float32(_GUESS)
            for k in range(views):
                share[k] = 0
                if kinds[k, y, x] == SEEN:
                    well = (
                        shown[triangle[0], k] * (1 - w1 - w2)
                        + shown[triangle[1], k] * w1
                        + shown[triangle[2], k] * w2
                    )
                    share[k] = well * well * (np.float32(_FIRST) if k == 0 else np.float32(1))
                    total += share[k]
                    kind[y, x] = SEEN
            for c in range(3):
                value = colours[0, y, x, c] * np.float32(_GUESS)
                for k in range(views):
                    value += share[k] * colours[k, y, x, c]
                colour[y, x, c] = value / total
            read_share[y, x] *= (np.float32(_GUESS) + share[0]) / total
