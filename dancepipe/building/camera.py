"""How fast the camera moves, by what moves beside the people."""

import cv2
import numpy as np

_WIDTH_PX = 240
_POINTS, _FEWEST = 80, 8
_BESIDE_PX = 5  # the masks' rims move with the people


class CameraMotion:
    """see(...) frame by frame of one shot; speeds() at its end."""

    def __init__(self):
        self._last: tuple[np.ndarray, np.ndarray, float] | None = None
        self._speeds: list[float] = []

    def see(self, image: np.ndarray, masks: list[np.ndarray], time_seconds: float) -> None:
        """image: uint8 RGB (H, W, 3). masks: uint8 (H, W) of the people in it."""
        size_wh = _WIDTH_PX, max(8, round(_WIDTH_PX * image.shape[0] / image.shape[1]))
        small = cv2.resize(image, size_wh, interpolation=cv2.INTER_AREA)
        grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
        beside = np.full(grey.shape, 255, np.uint8)
        for mask in masks:
            beside[cv2.resize(mask, size_wh, interpolation=cv2.INTER_AREA) > 30] = 0
        beside = cv2.erode(beside, np.ones((_BESIDE_PX, _BESIDE_PX), np.uint8))
        last, self._last = self._last, (grey, beside, time_seconds)
        if last is None or time_seconds <= last[2]:
            self._speeds.append(np.nan)
            return
        self._speeds.append(
            _shift_px(last[0], grey, last[1]) / _WIDTH_PX / (time_seconds - last[2])
        )

    def speeds(self) -> np.ndarray:
        """float (frames,): picture widths a second since the frame before; nan at the first frame,
        and where nothing beside the people could be followed."""
        return np.array(self._speeds)


def _shift_px(last: np.ndarray, now: np.ndarray, beside: np.ndarray) -> float:
    """The median of how far points beside the people moved."""
    points = cv2.goodFeaturesToTrack(last, _POINTS, 0.02, 6, mask=beside)
    if points is None or len(points) < _FEWEST:
        return np.nan
    moved, found, _ = cv2.calcOpticalFlowPyrLK(last, now, points, np.empty_like(points))
    found = found.ravel() > 0
    if found.sum() < _FEWEST:
        return np.nan
    # The median of each axis: half of the points may lie on people that nobody found.
    return float(np.hypot(*np.median((moved - points)[found].reshape(-1, 2), 0)))
