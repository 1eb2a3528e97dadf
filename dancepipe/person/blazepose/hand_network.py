"""A hand, with mediapipe's hand network: 21 points with depth, where the body's points lead to.

After mediapipe 0.10.14's graph HandLandmarksFromPoseCpu (HolisticLandmarkCpu's part): its options,
and the arithmetic of HandDetectionsFromPoseToRectsCalculator, AlignmentPointsRectsCalculator and
RectTransformationCalculator. Each picture for itself: no region is kept from one to the next.
"""

import math

import numpy as np

from dancepipe.person.blazepose.litert import Network
from dancepipe.person.blazepose.turned_square import TurnedSquare
from dancepipe.records import HAND_POINT_COUNT

_ROUGH_PX, _INPUT_PX = 256, 224  # inputs of the two networks
_ROUGH_SIDES = 2.7  # of the square around what wrist, index and little finger say
_UP_SIDES = 0.1  # a square lies this much further towards the fingers
_DEPTH_SCALE = 0.4  # the network's depth is that of another unit: the graph divides by this
_MIN_PRESENCE = 0.5


class HandNetwork:
    """read(image, wrist, index, little finger) -> 21 points | None."""

    def __init__(self, region_network: Network, network: Network):
        """hand_recrop.tflite and hand_landmark_full.tflite."""
        self._region_network, self._network = region_network, network

    def read(self, image: np.ndarray, hand_xy_px: np.ndarray) -> np.ndarray | None:
        """The hand near three points of the body, or None when the network sees none there.

        image: uint8 RGB (H, W, 3). hand_xy_px: (3, 2), the body's wrist, little finger and index.
        Returns float32 (21, 4): x_px, y_px (pixel centres at integers), depth (px, larger =
        farther, 0 = wrist), presence in [0, 1].
        """
        square = self._closer(image, rough_square(hand_xy_px))
        if square is None:
            return None
        picture = square.read(image, _INPUT_PX, repeat_border=True)
        raw, presence, _, _ = self._network.run(picture.astype(np.float32) * np.float32(1 / 255))
        if not presence[0, 0] > _MIN_PRESENCE or not np.isfinite(raw).all():
            return None
        points = raw.reshape(HAND_POINT_COUNT, 3)
        hand = np.empty((HAND_POINT_COUNT, 4), np.float32)
        hand[:, :2] = square.to_picture(points[:, :2] / np.float32(_INPUT_PX))
        hand[:, 2] = points[:, 2] * (square.side_px / (_INPUT_PX * _DEPTH_SCALE))
        hand[:, 3] = presence[0, 0]
        return hand

    def close(self) -> None:
        """Frees the networks. Closing twice is allowed."""
        self._region_network.close()
        self._network.close()

    def _closer(self, image: np.ndarray, rough: TurnedSquare) -> TurnedSquare | None:
        """The square around the hand itself."""
        if not (rough.side_px >= 2 and math.isfinite(rough.side_px)):
            return None
        picture = rough.read(image, _ROUGH_PX, repeat_border=True)
        (raw,) = self._region_network.run(picture.astype(np.float32) * np.float32(1 / 255))
        middle, rim = rough.to_picture(raw.reshape(2, 2) / np.float32(_ROUGH_PX))
        if not np.isfinite([middle, rim]).all():
            return None
        square = _towards_fingers(middle, middle - rim, 2 * math.dist(middle, rim), 1.0)
        return square if square.side_px >= 2 else None


def rough_square(hand_xy_px: np.ndarray) -> TurnedSquare:
    """Where a hand is, as the body's wrist, little finger and index (3, 2) say."""
    wrist, little, index = np.asarray(hand_xy_px, np.float64)
    knuckle = (2 * index + little) / 3  # of the middle finger, or near it
    reach = math.dist(knuckle, wrist)
    return _towards_fingers(knuckle, knuckle - wrist, 2 * reach, _ROUGH_SIDES)


def _towards_fingers(
    middle: np.ndarray, up: np.ndarray, side_px: float, sides: float
) -> TurnedSquare:
    """A square of `sides` times side_px whose content points up, moved up by a share of side_px."""
    turn = math.atan2(up[0], -up[1])
    shift = np.array([math.sin(turn), -math.cos(turn)]) * (_UP_SIDES * side_px)
    return TurnedSquare(tuple((middle + shift).tolist()), side_px * sides, turn)
