"""The records that travel between the rooms. Frozen, checked at birth, units in the names.

Pictures are uint8 RGB, shape (H, W, 3), everywhere except between one pair of
functions to and from network tensors.
"""

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np

JOINT_COUNT = 18
HAND_POINT_COUNT = 21
GREY = 128  # what people stand on in data sets and inside the networks, in all three channels


def _check_picture(name: str, picture: np.ndarray, channels: int | None) -> None:
    expected = 3 if channels else 2
    if not isinstance(picture, np.ndarray) or picture.dtype != np.uint8 or picture.ndim != expected:
        got = f"{getattr(picture, 'dtype', type(picture).__name__)} {getattr(picture, 'shape', '')}"
        raise ValueError(f"{name} must be a uint8 array of {expected} dimensions, got {got}")
    if channels and picture.shape[2] != channels:
        raise ValueError(f"{name} must have {channels} channels, got {picture.shape[2]}")


@dataclass(frozen=True)
class VideoInfo:
    """What a container says about its first video stream (declared, never trusted as a count)."""

    path: Path
    size_wh: tuple[int, int]  # as displayed: after rotation and sample aspect ratio
    frame_rate: Fraction | None  # average; None when unknown
    duration_seconds: Fraction | None
    declared_frames: int | None
    codec: str
    rotation_degrees: int  # counter-clockwise, already applied to frames
    audio_codec: str | None  # None: no audio stream
    time_base: Fraction = Fraction(1, 90000)  # seconds; every frame time is a whole multiple of it

    def __post_init__(self):
        if min(self.size_wh) < 1:
            raise ValueError(f"size_wh must be positive, got {self.size_wh}")
        if not isinstance(self.time_base, Fraction) or self.time_base <= 0:
            raise ValueError(f"time_base must be a positive Fraction, got {self.time_base!r}")


@dataclass(frozen=True)
class Frame:
    """One decoded picture with its exact presentation time."""

    index: int  # in presentation order, from 0
    time_seconds: Fraction
    image: np.ndarray  # uint8 RGB (H, W, 3)
    is_corrupt: bool = False

    def __post_init__(self):
        _check_picture("image", self.image, 3)
        if not isinstance(self.time_seconds, Fraction):
            raise ValueError(
                f"time_seconds must be a Fraction, got {type(self.time_seconds).__name__}"
            )


@dataclass(frozen=True)
class Pose:
    """18 joints in OpenPose order (person/skeleton.py). confidence 0 = missing; its point then
    means nothing."""

    points_px: np.ndarray  # float32 (18, 2): x, y; pixel centres at integers
    confidence: np.ndarray  # float32 (18,) in [0, 1]

    def __post_init__(self):
        points = np.asarray(self.points_px, np.float32)
        confidence = np.asarray(self.confidence, np.float32)
        if points.shape != (JOINT_COUNT, 2) or confidence.shape != (JOINT_COUNT,):
            raise ValueError(
                f"a pose has {JOINT_COUNT} joints, got points {points.shape}, confidence "
                f"{confidence.shape}"
            )
        if not np.isfinite(points).all() or not ((confidence >= 0) & (confidence <= 1)).all():
            raise ValueError("a pose needs finite points and confidences in [0, 1]")
        object.__setattr__(self, "points_px", points)
        object.__setattr__(self, "confidence", confidence)

    @property
    def present(self) -> np.ndarray:
        """bool (18,): joints that were found."""
        return self.confidence > 0

    def as_array(self) -> np.ndarray:
        """float32 (18, 3): x_px, y_px, confidence, as stored in data sets."""
        return np.concatenate([self.points_px, self.confidence[:, None]], 1)

    @staticmethod
    def from_array(joints: np.ndarray) -> "Pose":
        """The inverse of as_array."""
        joints = np.asarray(joints, np.float32)
        if joints.shape != (JOINT_COUNT, 3):
            raise ValueError(f"joints must have shape ({JOINT_COUNT}, 3), got {joints.shape}")
        return Pose(joints[:, :2], joints[:, 2])

    def scaled_and_shifted(self, scale: float, shift_xy_px: tuple[float, float]) -> "Pose":
        """points * scale + shift, confidences unchanged."""
        return Pose(
            self.points_px * np.float32(scale) + np.asarray(shift_xy_px, np.float32),
            self.confidence,
        )


@dataclass(frozen=True)
class PersonFrame:
    """The followed person in one picture."""

    pose: Pose
    mask: np.ndarray | None  # uint8 (H, W), 255 = person; None when no mask was asked for
    people_seen: int = field(default=1)  # how many people the finder saw, this one included
    # float32 (2, 21, 4): right and left hand, x_px, y_px, depth (px, larger = farther, 0 = wrist),
    # presence in [0, 1], 0 for a hand that is not seen; None when no hands were asked for
    hands: np.ndarray | None = None

    def __post_init__(self):
        if self.hands is not None and self.hands.shape != (2, HAND_POINT_COUNT, 4):
            raise ValueError(
                f"hands must have shape (2, {HAND_POINT_COUNT}, 4), got {self.hands.shape}"
            )
        if self.mask is not None:
            _check_picture("mask", self.mask, None)
        if self.people_seen < 1:
            raise ValueError("people_seen counts this person too")
