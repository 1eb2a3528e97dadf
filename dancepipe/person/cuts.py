"""Where one shot ends and another begins.

PySceneDetect's content and adaptive detectors in one: the mean change of lightness and colour from
frame to frame, against a limit and against the changes before. That library reads files, where
frames are at hand, and brings an OpenCV of its own, for these few lines.
"""

from collections import deque

import cv2
import numpy as np

_WIDTH_PX = 64
# Changes are mean differences in contrasts of the pictures: of dark ones as of bright ones. Dancers
# in close shots change up to .4 of it, and fades the whole, but each frame like the one before.
_LEAST_CHANGE = 0.5
_TIMES_BEFORE = 3.5
_FRAMES_BEFORE = 6
_NOISE = 1.0  # grey levels that count as contrast where there is none
# Before a plain wall a dancer's jump is all that there is to change; at a cut the picture does.
_LEAST_SHARE, _SEEN_LEVELS = 0.3, 3


class CutDetector:
    """is_cut(picture), frame by frame of one clip."""

    def __init__(self):
        self._last: np.ndarray | None = None
        self._last_contrast = 0.0
        self._changes: deque[float] = deque(maxlen=_FRAMES_BEFORE)

    def is_cut(self, picture: np.ndarray) -> bool:
        """picture: uint8 RGB (H, W, 3), all of one size -> whether it begins another shot."""
        height = max(1, round(_WIDTH_PX * picture.shape[0] / picture.shape[1]))
        small = cv2.resize(picture, (_WIDTH_PX, height), interpolation=cv2.INTER_AREA)
        now = cv2.cvtColor(small, cv2.COLOR_RGB2LAB).astype(np.float32)
        own = float(np.abs(now - cv2.mean(now)[:3]).mean())
        last, self._last = self._last, now
        contrast, self._last_contrast = (own + self._last_contrast) / 2, own
        if last is None:
            return False
        changes = cv2.absdiff(now, last).mean(2)
        change = float(changes.mean() / (contrast + _NOISE))
        share = float((changes > _SEEN_LEVELS).mean())
        # The one before alone says when a pan begins, which is no row of cuts.
        before = max(float(np.mean(self._changes)), self._changes[-1]) if self._changes else np.inf
        self._changes.append(change)
        return share >= _LEAST_SHARE and change >= max(_LEAST_CHANGE, _TIMES_BEFORE * before)
