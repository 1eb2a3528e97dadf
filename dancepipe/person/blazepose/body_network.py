"""The body in one region of a picture, with BlazePose's landmark network: 33 points, and a mask.

After mediapipe 0.10.14's graph PoseLandmarkByRoiCpu: its options, and the arithmetic of
TensorsToLandmarksCalculator, RefineLandmarksFromHeatmapCalculator, LandmarkProjectionCalculator and
WarpAffineCalculator.
"""

import math
from dataclasses import dataclass

import numpy as np

from dancepipe.person.blazepose.litert import Network
from dancepipe.person.blazepose.region import Region

LANDMARK_COUNT = 33
_INPUT_PX = 256
_POINT_COUNT = (
    35  # of the network's 39: the landmarks, then the middle and the tip of the next region
)
# cells of the heat map around a point that say where it is (the graph's file says 7, its Python
# interface reads 9)
_WINDOW = 9
_MIN_HEAT = 0.5  # a window that is nowhere warmer than this says nothing


@dataclass(frozen=True)
class Body:
    """What the body network says about one region."""

    # float32 (33, 5): x_px, y_px (pixel centres at integers), visibility in [0, 1], depth (px;
    # larger = farther, 0 = middle of the hips), presence in [0, 1]
    landmarks: np.ndarray
    next_region: Region  # where to look in the next frame
    mask: np.ndarray | None  # float32 (H, W) in [0, 1], 0 outside the region


class BodyNetwork:
    """read(image, region) -> Body | None."""

    def __init__(self, network: Network, *, mask: bool, min_presence: float = 0.5):
        """network: pose_landmark_full.tflite. Less certain than min_presence: nobody is there."""
        self._network, self._mask, self._min_presence = network, mask, min_presence

    def read(self, image: np.ndarray, region: Region) -> Body | None:
        """image: uint8 RGB (H, W, 3). The body in that region; None when nobody is seen there."""
        square = region.square()
        if square.side_px < 2:
            return None
        picture = square.read(image, _INPUT_PX, repeat_border=True)
        raw, presence, mask_logits, heat_logits, _ = self._network.run(
            picture.astype(np.float32) * np.float32(1 / 255)
        )
        if not presence[0, 0] > self._min_presence:
            return None
        points = raw.reshape(-1, 5)[:_POINT_COUNT]
        if not np.isfinite(points).all():
            return None
        points_px = square.to_picture(refine(points[:, :2] / np.float32(_INPUT_PX), heat_logits[0]))
        center, tip = points_px[LANDMARK_COUNT].tolist(), points_px[LANDMARK_COUNT + 1].tolist()
        if math.dist(center, tip) < 1:
            return None

        landmarks = np.empty((LANDMARK_COUNT, 5), np.float32)
        landmarks[:, :2] = points_px[:LANDMARK_COUNT]
        landmarks[:, 2] = _sigmoid(points[:LANDMARK_COUNT, 3])
        landmarks[:, 3] = points[:LANDMARK_COUNT, 2] * (square.side_px / _INPUT_PX)
        landmarks[:, 4] = _sigmoid(points[:LANDMARK_COUNT, 4])
        mask = None
        if self._mask:
            size_wh = image.shape[1], image.shape[0]
            mask = square.spread(_sigmoid(mask_logits[0, :, :, 0]), size_wh)
        return Body(landmarks, Region(tuple(center), tuple(tip)), mask)

    def close(self) -> None:
        """Frees the network. Closing twice is allowed."""
        self._network.close()


def refine(points_uv: np.ndarray, heat_logits: np.ndarray) -> np.ndarray:
    """Points moved to the middle of the heat around them; a point outside or in the cold stays.

    points_uv: float32 (K, 2) in the square. heat_logits: float32 (n, n, K or more) over it.
    """
    size, count = heat_logits.shape[0], len(points_uv)
    cells = np.trunc(points_uv * np.float32(size)).astype(np.int64)  # (K, 2): column, row
    inside = ((cells >= 0) & (cells < size)).all(1)
    window = np.arange(_WINDOW) - _WINDOW // 2
    columns, rows = (cells[:, axis, None] + window for axis in (0, 1))  # (K, 9) each
    has_row, has_column = (rows >= 0) & (rows < size), (columns >= 0) & (columns < size)
    logits = heat_logits[
        rows.clip(0, size - 1)[:, :, None],
        columns.clip(0, size - 1)[:, None, :],
        np.arange(count)[:, None, None],
    ]
    valid = has_row[:, :, None] & has_column[:, None, :]
    heat = np.where(valid, _sigmoid(logits), np.float32(0))  # (K, 9, 9)
    warm = inside & (heat.max((1, 2)) >= _MIN_HEAT)
    moved = np.stack([(heat.sum(1) * columns).sum(1), (heat.sum(2) * rows).sum(1)], 1)
    total = np.where(warm, heat.sum((1, 2)), 1) * np.float32(size)
    return np.where(warm[:, None], moved / total[:, None], points_uv).astype(np.float32)


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):  # exp(100) is inf, and the answer 0
        return 1 / (1 + np.exp(-logits))
