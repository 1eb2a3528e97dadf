"""Exact correspondence between two renderings of one figure."""

import math

import numpy as np
from numba import njit

from dancepipe.synthetic.figure import LABELS, Figure
from dancepipe.synthetic.render import View

# A surface point counts as visible when nothing lies further than this before it (dm): thinner than
# a limb, more than rounding.
VISIBLE_DEPTH_DM = 0.2
_SAME_SURFACE_DM = 0.4


def exact_flow(figure: Figure, start: View, end: View) -> tuple[np.ndarray, np.ndarray]:
    """(flow, visible) from the pixels of `start` to `end`.

    flow: float32 (H, W, 2), x and y in pixels: the surface seen at pixel p of start is at p +
    flow[p] in end, whether or not it can be seen there; 0 where nobody is. visible: bool (H, W):
    all of the pixel can be seen there. To warp a reference into a target's pose, start is the
    target and end is the reference: target[p] = reference[p + flow[p]].
    """
    height, width = start.alpha.shape
    flow = np.zeros((height, width, 2), np.float32)
    visible = np.zeros((height, width), np.bool_)
    _flow(
        start.winner,
        start.weights,
        start.depth,
        start.projected,
        figure.triangles,
        end.projected,
        end.depth,
        start.samples,
        end.samples,
        np.float32(VISIBLE_DEPTH_DM),
        np.float32(_SAME_SURFACE_DM),
        flow,
        visible,
    )
    return flow, visible


@njit(cache=True, nogil=True)
def _flow(
    winner,
    weights,
    depth,
    projected,
    triangles,
    end_projected,
    end_depth,
    samples,
    end_samples,
    tolerance,
    same_surface,
    flow,
    visible,
):
    height, width = visible.shape
    end_height, end_width = end_depth.shape
    for y in range(height):
        for x in range(width):
            # The surface nearest to the camera within the pixel decides; its samples are averaged.
            front = np.float32(0)
            for row in range(y * samples, (y + 1) * samples):
                for column in range(x * samples, (x + 1) * samples):
                    if winner[row, column] >= 0:
                        front = max(front, depth[row, column])
            if front == 0:
                continue
            count = 0
            seen = 0
            move_x = np.float32(0)
            move_y = np.float32(0)
            for row in range(y * samples, (y + 1) * samples):
                for column in range(x * samples, (x + 1) * samples):
                    i = winner[row, column]
                    if (
                        i < 0
                        or np.float32(1) / depth[row, column] > np.float32(1) / front + same_surface
                    ):
                        continue
                    a, b, c = triangles[i, 0], triangles[i, 1], triangles[i, 2]
                    w1, w2 = weights[row, column, 0], weights[row, column, 1]
                    # Weights in space, then depth-weighted places on the other screen: perspective
                    # both ways.
                    w0 = projected[a, 2] * (np.float32(1) - w1 - w2)
                    w1 = projected[b, 2] * w1
                    w2 = projected[c, 2] * w2
                    norm = w0 + w1 + w2
                    w0 /= end_projected[a, 2]
                    w1 /= end_projected[b, 2]
                    w2 /= end_projected[c, 2]
                    total = w0 + w1 + w2
                    end_x = (
                        w0 * end_projected[a, 0]
                        + w1 * end_projected[b, 0]
                        + w2 * end_projected[c, 0]
                    ) / total
                    end_y = (
                        w0 * end_projected[a, 1]
                        + w1 * end_projected[b, 1]
                        + w2 * end_projected[c, 1]
                    ) / total
                    point_depth = total / norm
                    count += 1
                    move_x += end_x / end_samples - (column + np.float32(0.5)) / samples
                    move_y += end_y / end_samples - (row + np.float32(0.5)) / samples
                    end_column, end_row = int(math.floor(end_x)), int(math.floor(end_y))
                    if 0 <= end_column < end_width and 0 <= end_row < end_height:
                        cover = end_depth[end_row, end_column]
                        if cover > 0 and np.float32(1) / cover > point_depth - tolerance:
                            seen += 1
            flow[y, x, 0] = move_x / count
            flow[y, x, 1] = move_y / count
            # Mixed pixels at outlines do not count: their colour is not one surface's.
            visible[y, x] = seen == samples * samples


def part_labels(figure: Figure, view: View) -> np.ndarray:
    """uint8 (H, W): index into figure.LABELS of the part that covers most of each pixel, 0 where
    the person covers less than half."""
    return most_covering(view, figure.label, len(LABELS))


def most_covering(view: View, number_of_triangle: np.ndarray, count: int) -> np.ndarray:
    """uint8 (H, W): the number, 1 .. count - 1, that covers most of each pixel, 0 where the person
    covers less than half. number_of_triangle: (T,)."""
    height, width = view.alpha.shape
    labels = np.zeros(view.winner.shape, np.uint8)
    covered = view.winner >= 0
    labels[covered] = number_of_triangle[view.winner[covered]]
    blocks = (
        labels.reshape(height, view.samples, width, view.samples)
        .transpose(0, 2, 1, 3)
        .reshape(height, width, -1)
    )
    counts = np.stack([(blocks == label).sum(-1) for label in range(count)], -1)
    parts = 1 + counts[..., 1:].argmax(-1)
    return np.where(2 * counts[..., 0] <= blocks.shape[-1], parts, 0).astype(np.uint8)
