"""The records that travel between the rooms. Frozen, checked at birth, units in the names.

Pictures are uint8 RGB, shape (H, W, 3), everywhere except between one pair of
functions to and from network tensors.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np

from dancepipe.skeletons import BLAZEPOSE_33, HAND_21, OPENPOSE_18, Skeleton

JOINT_COUNT = len(OPENPOSE_18)
HAND_POINT_COUNT = len(HAND_21)
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
    """What a container and its packets say about its first video stream (never trusted as a
    count)."""

    path: Path
    size_wh: tuple[int, int]  # as displayed: after rotation and sample aspect ratio
    frame_rate: Fraction | None  # measured: of the usual step; None when unknown
    duration_seconds: Fraction | None  # measured, of the pictures
    declared_frames: int | None
    codec: str
    rotation_degrees: int  # counter-clockwise, already applied to frames
    audio_codec: str | None  # None: no audio stream
    time_base: Fraction = Fraction(1, 90000)  # seconds; every frame time is a whole multiple of it
    remarks: tuple[str, ...] = ()  # for the user: what reading changes in the pictures

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
    """Points of one skeleton. confidence 0 = missing; its point then means nothing."""

    points_px: np.ndarray  # float32 (N, 2): x, y; pixel centres at integers
    confidence: np.ndarray  # float32 (N,) in [0, 1]
    skeleton: Skeleton = OPENPOSE_18
    depth_px: np.ndarray | None = (
        None  # float32 (N,): larger = farther; what is 0, the skeleton says
    )

    def __post_init__(self):
        count = len(self.skeleton)
        points = np.asarray(self.points_px, np.float32)
        confidence = np.asarray(self.confidence, np.float32)
        if points.shape != (count, 2) or confidence.shape != (count,):
            raise ValueError(
                f"a pose of {self.skeleton.name} has {count} points, got {points.shape}, "
                f"confidence {confidence.shape}"
            )
        if not np.isfinite(points).all() or not ((confidence >= 0) & (confidence <= 1)).all():
            raise ValueError("a pose needs finite points and confidences in [0, 1]")
        object.__setattr__(self, "points_px", points)
        object.__setattr__(self, "confidence", confidence)
        if self.depth_px is not None:
            depth = np.asarray(self.depth_px, np.float32)
            if depth.shape != (count,) or not np.isfinite(depth).all():
                raise ValueError(f"depth must be {count} finite numbers, got {depth.shape}")
            object.__setattr__(self, "depth_px", depth)

    @property
    def present(self) -> np.ndarray:
        """bool (N,): points that were found."""
        return self.confidence > 0

    def as_array(self) -> np.ndarray:
        """float32 (N, 3): x_px, y_px, confidence, as stored in data sets."""
        return np.concatenate([self.points_px, self.confidence[:, None]], 1)

    def with_depth(self) -> np.ndarray:
        """float32 (N, 4): x_px, y_px, depth_px, confidence. ValueError for a pose without depth."""
        if self.depth_px is None:
            raise ValueError(f"this pose of {self.skeleton.name} has no depth")
        columns = (self.points_px, self.depth_px[:, None], self.confidence[:, None])
        return np.concatenate(columns, 1)

    @staticmethod
    def from_array(joints: np.ndarray, skeleton: Skeleton = OPENPOSE_18) -> "Pose":
        """The inverse of as_array, and of with_depth for four columns."""
        joints = np.asarray(joints, np.float32)
        if joints.shape not in ((len(skeleton), 3), (len(skeleton), 4)):
            raise ValueError(
                f"{skeleton.name} needs an array ({len(skeleton)}, 3) or, with depth, "
                f"({len(skeleton)}, 4), got {joints.shape}"
            )
        depth = joints[:, 2] if joints.shape[1] == 4 else None
        return Pose(joints[:, :2], joints[:, -1], skeleton, depth)

    def scaled_and_shifted(self, scale: float, shift_xy_px: tuple[float, float]) -> "Pose":
        """points * scale + shift, depth * scale, confidences unchanged."""
        points = self.points_px * np.float32(scale) + np.asarray(shift_xy_px, np.float32)
        depth = None if self.depth_px is None else self.depth_px * np.float32(scale)
        return Pose(points, self.confidence, self.skeleton, depth)

    def mirrored(self, width_px: int) -> "Pose":
        """The pose in the left-right mirrored picture of that width."""
        mirror = self.skeleton.mirror
        points = self.points_px[mirror].copy()
        points[:, 0] = width_px - 1 - points[:, 0]
        depth = None if self.depth_px is None else self.depth_px[mirror]
        return Pose(points, self.confidence[mirror], self.skeleton, depth)


@dataclass(frozen=True)
class BodyPose:
    """All that is known of how one person stands, in one picture's pixels."""

    joints: Pose  # of OPENPOSE_18
    landmarks: Pose | None = None  # of BLAZEPOSE_33, with depth; None of backends without depth
    # of HAND_21, right and left, each None where it is not seen; None when none were asked for
    hands: tuple[Pose | None, Pose | None] | None = None

    def __post_init__(self):
        if self.joints.skeleton is not OPENPOSE_18:
            raise ValueError(f"joints are of {self.joints.skeleton.name}; openpose-18 is needed")
        if self.landmarks is not None and self.landmarks.skeleton is not BLAZEPOSE_33:
            raise ValueError(f"landmarks are of {self.landmarks.skeleton.name}")
        for hand in self.hands or ():
            if hand is not None and hand.skeleton is not HAND_21:
                raise ValueError(f"a hand is of {hand.skeleton.name}")

    def scaled_and_shifted(self, scale: float, shift_xy_px: tuple[float, float]) -> "BodyPose":
        """Pose.scaled_and_shifted of all of it."""
        return self._each(lambda pose: pose.scaled_and_shifted(scale, shift_xy_px))

    def mirrored(self, width_px: int) -> "BodyPose":
        """The person in the left-right mirrored picture: the right hand becomes the left one."""
        other = self._each(lambda pose: pose.mirrored(width_px))
        hands = other.hands and (other.hands[1], other.hands[0])
        return BodyPose(other.joints, other.landmarks, hands)

    def _each(self, change: Callable[[Pose], Pose]) -> "BodyPose":
        hands = self.hands
        if hands is not None:
            right, left = (hand and change(hand) for hand in hands)
            hands = right, left
        return BodyPose(change(self.joints), self.landmarks and change(self.landmarks), hands)


@dataclass(frozen=True)
class PersonFrame:
    """One person in one picture."""

    body: BodyPose
    mask: np.ndarray | None  # uint8 (H, W), 255 = person; None when no mask was asked for
    people_seen: int = field(default=1)  # how many people the finder saw, this one included

    @property
    def pose(self) -> Pose:
        """The 18 joints."""
        return self.body.joints

    def __post_init__(self):
        if self.mask is not None:
            _check_picture("mask", self.mask, None)
        if self.people_seen < 1:
            raise ValueError("people_seen counts this person too")
