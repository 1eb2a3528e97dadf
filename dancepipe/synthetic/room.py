"""What stands behind a dancer while a finder looks for one: without anything there, its masks
come out better than on photographs."""

import numpy as np


def draw_room(rng: np.random.Generator, size_px: int) -> np.ndarray:
    """float32 RGB (S, S, 3) in 0..255: wall, floor and furniture as soft patches, out of focus
    by a drawn amount."""
    from scipy.ndimage import gaussian_filter, zoom

    room = np.empty((size_px, size_px, 3), np.float32)
    room[:] = rng.uniform(40, 230, 3)
    room[int(rng.uniform(0.55, 1.0) * size_px) :] = rng.uniform(30, 200, 3)
    for _ in range(rng.integers(0, 9)):
        across, down = (np.sort(rng.integers(0, size_px, 2)) for _ in range(2))
        share = rng.uniform(0.3, 1.0)
        patch = room[down[0] : down[1], across[0] : across[1]]
        patch += share * (rng.uniform(10, 245, 3).astype(np.float32) - patch)
    coarse = rng.standard_normal((9, 9, 1), np.float32) * rng.uniform(0, 30)
    room += np.asarray(zoom(coarse, (size_px / 9, size_px / 9, 1), order=1))
    grain = rng.standard_normal((size_px, size_px, 1), np.float32) * rng.uniform(0, 25)
    focus = rng.uniform(0.3, 4.0) * size_px / 256
    return gaussian_filter(room + grain, (focus, focus, 0)).clip(0, 255)
