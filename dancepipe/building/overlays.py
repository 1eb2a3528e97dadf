"""Captions and logos: edges that stay where they are while the body under them moves.

Not seen: what is shown for less than most of a shot, what moves, and what lies over parts of a body
that keep still.
"""

import cv2
import numpy as np

_SIDE_PX = 320
_MOST_FRAMES, _FEWEST_FRAMES = 40, 8
_EDGE = 90  # of Sobel's gradient, in grey levels
_SAME_LEVELS = 14
_SHARE_OF_FRAMES = 0.85


class StillEdges:
    """see(image) frame by frame of one shot; found() at its end. Of long shots a few frames are
    kept."""

    def __init__(self):
        self._kept: list[np.ndarray] = []
        self._every, self._seen = 1, 0

    def see(self, image: np.ndarray) -> None:
        """image: uint8 RGB (H, W, 3)."""
        if self._seen % self._every == 0:
            scale = min(1.0, _SIDE_PX / max(image.shape[:2]))
            size_wh = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
            small = cv2.resize(image, size_wh, interpolation=cv2.INTER_AREA)
            self._kept.append(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY))
            if len(self._kept) > _MOST_FRAMES:
                self._kept, self._every = self._kept[::2], self._every * 2
        self._seen += 1

    def found(self) -> np.ndarray | None:
        """bool (h, w), at most 320 px a side: edges that are in the same place, of the same grey,
        in most of the shot. None: of so short a shot nobody can tell."""
        if len(self._kept) < _FEWEST_FRAMES:
            return None
        frames = np.stack(self._kept)
        usual = np.median(frames, 0).astype(np.int16)
        same = (np.abs(frames.astype(np.int16) - usual) < _SAME_LEVELS).mean(0)
        edges = cv2.magnitude(
            cv2.Sobel(usual, cv2.CV_32F, 1, 0), cv2.Sobel(usual, cv2.CV_32F, 0, 1)
        )
        return (edges > _EDGE) & (same >= _SHARE_OF_FRAMES)


def covered_share(
    still: np.ndarray, mask: np.ndarray, points_xy: np.ndarray, moves: np.ndarray
) -> float:
    """Which share of a person lies under what stays still.

    still: as found() has it. mask: uint8 (H, W) of the person. points_xy: (N, 2), joints in shares
    of width and height. moves: (N,), how far each of them goes in this shot, in px of `still`:
    edges at joints that keep still say nothing.
    """
    height, width = still.shape
    person = cv2.resize(mask, (width, height), interpolation=cv2.INTER_AREA) > 200
    size = int(person.sum())
    if not size:
        return 0.0
    rim = max(3, round(0.06 * size**0.5))
    inside = cv2.erode(person.astype(np.uint8), np.ones((rim, rim), np.uint8)) > 0
    rows, columns = np.nonzero(inside & still)
    if not len(rows):
        return 0.0
    joints = points_xy * (width, height) - 0.5
    away = np.hypot(columns[:, None] - joints[:, 0], rows[:, None] - joints[:, 1])
    return float((moves[away.argmin(1)] > 0).sum() / size)
