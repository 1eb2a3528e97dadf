"""A hole in a picture filled with pieces of what is around it.

From coarse to fine every place in the hole looks for the piece outside that is most like what is
there so far, and what lies over each other is averaged (Wexler et al., "Space-Time Completion of
Video", 2007), the search being PatchMatch (Barnes et al., 2009).
"""

import cv2
import numpy as np
from numba import njit

from dancepipe.media.display import fit_size

_RADIUS = 3  # of a piece: 7 x 7 pixels
_SEARCH_SIDE_PX = 512  # larger pictures take the pieces that were found in that size
_LEAST_SIDE_PX = 24
_ROUNDS, _FIRST_ROUNDS = 5, 20  # of search and average in each size, and in the smallest
# What a piece from elsewhere counts as unlike: a level for each hundredth of the height up or down
# (walls stand on floors), and half of it for one to the side.
_LEVELS_BY_HEIGHT = 100.0
_SMOOTH_LEVELS, _SMOOTH_SHARE = 5.0, 0.93  # a place without edges: pieces would show seams
_LEAST_SOURCES = 64  # places that a piece can come from
_FILM_ROUNDS = 40
_INWARD = 1.25  # a pixel nearer to the rim is so much surer


def patch_filled(image: np.ndarray, hole: np.ndarray) -> np.ndarray | None:
    """The picture, uint8 RGB (H, W, 3), with the hole, bool (H, W), filled; the same each time.
    None where too little is around it."""
    whole_wh = image.shape[1], image.shape[0]
    sizes = [fit_size(whole_wh, _SEARCH_SIDE_PX)]
    if _is_smooth_around(image, hole, sizes[0]):
        small_hole = _shrunk(hole, sizes[0])
        smooth = _spread(_averaged(image, hole, sizes[0]), small_hole)
        return _laid_in(image, hole, cv2.resize(smooth, whole_wh, interpolation=cv2.INTER_CUBIC))
    while min(sizes[-1]) > 2 * _LEAST_SIDE_PX and _depth_px(_shrunk(hole, sizes[-1])) > _RADIUS:
        sizes.append((max(1, sizes[-1][0] // 2), max(1, sizes[-1][1] // 2)))
    filled = places = None
    for size_wh in reversed(sizes):
        own_hole = _shrunk(hole, size_wh)
        own = _averaged(image, hole, size_wh)
        if filled is None:
            start = _spread(own, own_hole)
        else:
            start = cv2.resize(filled, size_wh, interpolation=cv2.INTER_CUBIC)
        rounds = _FIRST_ROUNDS if filled is None else _ROUNDS
        found = _completed(np.where(own_hole[..., None], start, own), own_hole, places, rounds)
        if found is None:
            return None
        filled, places = found
    assert filled is not None
    if sizes[0] != whole_wh:
        start = cv2.resize(filled, whole_wh, interpolation=cv2.INTER_CUBIC)
        start = np.where(hole[..., None], start, image.astype(np.float32))
        found = _completed(start, hole, places, rounds=0)
        if found is None:
            return None
        filled = found[0]
    return _laid_in(image, hole, filled)


def _laid_in(image: np.ndarray, hole: np.ndarray, filled: np.ndarray) -> np.ndarray:
    """uint8 RGB (H, W, 3), without an edge around the hole."""
    share = cv2.GaussianBlur(hole.astype(np.float32), (0, 0), 1)[..., None]
    share = np.maximum(share, hole[..., None])
    mixed = image * (1 - share) + np.where(hole[..., None], filled, image) * share
    return np.rint(np.clip(mixed, 0, 255)).astype(np.uint8)


def _is_smooth_around(image: np.ndarray, hole: np.ndarray, size_wh: tuple[int, int]) -> bool:
    small, inside = _averaged(image, hole, size_wh), _shrunk(hole, size_wh).astype(np.uint8)
    reach = max(size_wh) // 20
    far, near = (
        cv2.dilate(inside, np.ones((2 * by + 1, 2 * by + 1), np.uint8)) for by in (reach, 3)
    )
    edges = np.abs(small - cv2.GaussianBlur(small, (0, 0), 2)).max(2)
    around = edges[(far > 0) & (near == 0)]
    return len(around) > 0 and float((around < _SMOOTH_LEVELS).mean()) >= _SMOOTH_SHARE


def _spread(image: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """float32 (H, W, 3): the hole as a soap film over its rim (Laplace's equation), from small to
    large."""
    height, width = hole.shape
    if min(height, width) > 2 and _depth_px(hole) > 2:
        size_wh = (width + 1) // 2, (height + 1) // 2
        smaller = _spread(_averaged(image, hole, size_wh), _known_nowhere(hole, size_wh))
        start = cv2.resize(smaller, (width, height), interpolation=cv2.INTER_LINEAR)
    else:
        known = ~hole
        middle = image[known].mean(0) if known.any() else np.float32(128)
        start = np.broadcast_to(middle, image.shape).astype(np.float32)
    film = np.where(hole[..., None], start, image).astype(np.float32)
    cross = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]], np.float32) / 4
    for _ in range(_FILM_ROUNDS):
        mean = cv2.filter2D(film, -1, cross, borderType=cv2.BORDER_REPLICATE)
        film[hole] = mean[hole]
    return film


def _known_nowhere(hole: np.ndarray, size_wh: tuple[int, int]) -> np.ndarray:
    """bool (H, W): pixels that lie in the hole whole."""
    return cv2.resize(hole.astype(np.float32), size_wh, interpolation=cv2.INTER_AREA) > 0.99


def _shrunk(hole: np.ndarray, size_wh: tuple[int, int]) -> np.ndarray:
    """bool (H, W): every pixel that has a part in the hole."""
    return cv2.resize(hole.astype(np.float32), size_wh, interpolation=cv2.INTER_AREA) > 0.01


def _averaged(image: np.ndarray, hole: np.ndarray, size_wh: tuple[int, int]) -> np.ndarray:
    """float32 (H, W, 3): nothing of what is in the hole gets out of it."""
    known = (~hole).astype(np.float32)
    total = cv2.resize(image * known[..., None], size_wh, interpolation=cv2.INTER_AREA)
    weight = cv2.resize(known, size_wh, interpolation=cv2.INTER_AREA)
    return np.clip(total / np.maximum(weight, 1e-3)[..., None], 0, 255).astype(np.float32)


def _depth_px(hole: np.ndarray) -> float:
    """From the innermost pixel to the rim."""
    return float(cv2.distanceTransform(hole.astype(np.uint8), cv2.DIST_L2, 3).max())


def _completed(
    image: np.ndarray, hole: np.ndarray, before: np.ndarray | None, rounds: int
) -> tuple[np.ndarray, np.ndarray] | None:
    """The picture with the hole filled, float32 (H, W, 3), and int32 (H, W, 2): where the piece
    around each pixel comes from, row and column. before: the same of a smaller size."""
    r = _RADIUS
    height, width = hole.shape
    side = 2 * r + 1
    near = cv2.dilate(hole.astype(np.uint8), np.ones((side, side), np.uint8)) > 0
    sources = ~near
    for edge in (np.s_[:r], np.s_[height - r :], np.s_[:, :r], np.s_[:, width - r :]):
        sources[edge] = False
    rows, columns = np.nonzero(sources)
    if len(rows) < _LEAST_SOURCES:
        return None
    random = np.random.default_rng(0)
    drawn = random.integers(0, len(rows), hole.shape)
    places = np.stack((rows[drawn], columns[drawn]), -1).astype(np.int32)
    if before is not None:
        _take_over(before, sources, places)
    padded = cv2.copyMakeBorder(image, r, r, r, r, cv2.BORDER_REPLICATE)
    targets = np.stack(np.nonzero(near), -1).astype(np.int32)
    depth = cv2.distanceTransform(hole.astype(np.uint8), cv2.DIST_L2, 3)
    sure = (_INWARD ** -np.minimum(depth, 40)).astype(np.float32)
    cost = np.zeros(hole.shape, np.float32)
    for number in range(max(1, rounds)):
        _measure(padded, targets, places, cost, r)
        if rounds:
            seeds = random.integers(1, 2**31, 2)
            for backwards in (False, True):
                seed = int(seeds[int(backwards)])
                _search(padded, targets, near, sources, places, cost, r, seed, backwards)
        costs = cost[near]
        scale = max(float(np.quantile(costs, 0.75)), 1.0) * (0.5 if number + 1 < rounds else 0.1)
        _vote(padded, hole, targets, places, cost, sure, np.float32(scale), r)
        inside = padded[r : r + height, r : r + width]
        padded = cv2.copyMakeBorder(inside, r, r, r, r, cv2.BORDER_REPLICATE)
    return padded[r : r + height, r : r + width].copy(), places


def _take_over(before: np.ndarray, sources: np.ndarray, places: np.ndarray) -> None:
    """Places of a smaller size, where they are places of this one."""
    height, width = sources.shape
    tall, wide = before.shape[:2]
    y = np.minimum(np.arange(height) * tall // height, tall - 1)[:, None]
    x = np.minimum(np.arange(width) * wide // width, wide - 1)[None]
    offset = before[y, x] - np.stack(np.broadcast_arrays(y, x), -1)
    scale = np.array((height / tall, width / wide))
    own = np.moveaxis(np.mgrid[:height, :width], 0, -1) + np.rint(offset * scale).astype(np.int64)
    own = np.clip(own, 0, (height - 1, width - 1))
    fits = sources[own[..., 0], own[..., 1]]
    places[fits] = own[fits]


@njit(cache=True, nogil=True)
def _distance(padded, y, x, v, u, r, most):
    """Of the pieces around (y, x) and (v, u), squared; no more than `most` is counted."""
    up, aside = np.float32(v - y), np.float32(u - x) / np.float32(2)
    levels = np.float32(_LEVELS_BY_HEIGHT) / np.float32(padded.shape[0])
    pixels = np.float32(3 * (2 * r + 1) ** 2)
    total = pixels * levels * levels * (up * up + aside * aside)
    for i in range(2 * r + 1):
        for j in range(2 * r + 1):
            for c in range(3):
                off = padded[y + i, x + j, c] - padded[v + i, u + j, c]
                total += off * off
        if total > most:
            return total
    return total


@njit(cache=True, nogil=True)
def _measure(padded, targets, places, cost, r):
    for n in range(len(targets)):
        y, x = targets[n]
        cost[y, x] = _distance(padded, y, x, places[y, x, 0], places[y, x, 1], r, np.float32(1e30))


@njit(cache=True, nogil=True)
def _search(padded, targets, near, sources, places, cost, r, seed, backwards):
    """Neighbours' pieces, moved by one, and ever nearer ones by chance."""
    height, width = near.shape
    step = 1 if backwards else -1
    state = np.uint32(seed)
    for k in range(len(targets)):
        y, x = targets[len(targets) - 1 - k if backwards else k]
        for way in range(2):
            b, a = (y + step, x) if way else (y, x + step)
            if not (0 <= b < height and 0 <= a < width and near[b, a]):
                continue
            v, u = places[b, a, 0] + y - b, places[b, a, 1] + x - a
            if 0 <= v < height and 0 <= u < width and sources[v, u]:
                found = _distance(padded, y, x, v, u, r, cost[y, x])
                if found < cost[y, x]:
                    cost[y, x], places[y, x, 0], places[y, x, 1] = found, v, u
        reach = max(height, width)
        while reach >= 1:
            state = np.uint32(state * np.uint32(1664525) + np.uint32(1013904223))
            v = places[y, x, 0] + np.int64(state >> np.uint32(8)) % (2 * reach + 1) - reach
            state = np.uint32(state * np.uint32(1664525) + np.uint32(1013904223))
            u = places[y, x, 1] + np.int64(state >> np.uint32(8)) % (2 * reach + 1) - reach
            if 0 <= v < height and 0 <= u < width and sources[v, u]:
                found = _distance(padded, y, x, v, u, r, cost[y, x])
                if found < cost[y, x]:
                    cost[y, x], places[y, x, 0], places[y, x, 1] = found, v, u
            reach //= 2


@njit(cache=True, nogil=True)
def _vote(padded, hole, targets, places, cost, sure, scale, r):
    """Each pixel of the hole becomes the mean of the pieces that lie over it."""
    height, width = hole.shape
    total = np.zeros((height, width, 4), np.float32)
    for n in range(len(targets)):
        y, x = targets[n]
        v, u = places[y, x]
        weight = sure[y, x] * np.exp(-cost[y, x] / (np.float32(2) * scale)) + np.float32(1e-12)
        for i in range(-r, r + 1):
            for j in range(-r, r + 1):
                b, a = y + i, x + j
                if 0 <= b < height and 0 <= a < width and hole[b, a]:
                    for c in range(3):
                        total[b, a, c] += weight * padded[v + i + r, u + j + r, c]
                    total[b, a, 3] += weight
    for y in range(height):
        for x in range(width):
            if hole[y, x] and total[y, x, 3] > 0:
                for c in range(3):
                    padded[y + r, x + r, c] = total[y, x, c] / total[y, x, 3]
