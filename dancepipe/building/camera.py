"""How fast the camera moves, by what moves beside the people."""

import cv2
import numpy as np

_PAUSE_SECONDS = 0.4  # between two looks: the speed of a shot is asked for, not of each frame
_POINTS, _FEWEST = 80, 8
_BESIDE_PX = 5  # the masks' rims move with the people


class CameraMotion:
    """see(...) frame by frame of one shot; speeds() at its end."""

    def __init__(self):
        self._last: tuple[np.ndarray, np.ndarray, float] | None = None
        self._next_seconds = -np.inf
        self._speeds: list[float] = []

    def see(self, image: np.ndarray, masks: list[np.ndarray], time_seconds: float) -> None:
        """image: uint8 RGB (h, w, 3), some 320 px. masks: uint8 (H, W), of any size, of the people
        in it."""
        last, self._last = self._last, None
        if last is not None:
            grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
            gone = _shift_px(last[0], grey, last[1]) / image.shape[1]
            self._speeds.append(gone / (time_seconds - last[2]))
            self._next_seconds = time_seconds + _PAUSE_SECONDS
        elif time_seconds >= self._next_seconds:
            grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
            self._last = grey, _beside(grey, masks), time_seconds

    def speeds(self) -> np.ndarray:
        """float (looks,): picture widths a second, from one frame to the next; nan where nothing
        beside the people could be followed."""
        return np.array(self._speeds)


def _beside(grey: np.ndarray, masks: list[np.ndarray]) -> np.ndarray:
    """uint8 (h, w): 255 where nobody is."""
    size_wh = grey.shape[1], grey.shape[0]
    beside = np.full(grey.shape, 255, np.uint8)
    for mask in masks:
        beside[cv2.resize(mask, size_wh, interpolation=cv2.INTER_AREA) > 30] = 0
    return cv2.erode(beside, np.ones((_BESIDE_PX, _BESIDE_PX), np.uint8))


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
