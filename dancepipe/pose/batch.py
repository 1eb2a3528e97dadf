"""Poses side by side, as the generators read them."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from dancepipe.geometry import shrunk_joints, shrunk_landmarks
from dancepipe.records import HAND_POINT_COUNT, BodyPose, Pose

_SHAPES = {"joints": (18, 3), "landmarks": (33, 4), "hands": (2, 21, 4)}


@dataclass(frozen=True, eq=False)
class PoseBatch:
    """The poses of one person or of many, in pixels of their pictures; pixel centres at integers.
    What a backend does not see is None for the whole batch. ValueError for other shapes."""

    # float32 (B, 18, 3): x_px, y_px, confidence; 0 = missing, and its point then means nothing
    joints: Tensor
    # float32 (B, 33, 4): x_px, y_px, depth_px, visibility of BLAZEPOSE_33
    landmarks: Tensor | None = None
    # float32 (B, 2, 21, 4): right and left hand; x_px, y_px, depth_px, presence (0 = not seen)
    hands: Tensor | None = None

    def __post_init__(self):
        for name, values in self._present().items():
            shape = tuple(values.shape)
            if values.dtype != torch.float32 or shape != (len(self.joints), *_SHAPES[name]):
                wanted = ", ".join(map(str, _SHAPES[name]))
                raise ValueError(
                    f"{name} must be float32 of shape ({len(self.joints)}, {wanted}), got "
                    f"{values.dtype} {shape}"
                )

    @staticmethod
    def of(bodies: Sequence[Pose | BodyPose]) -> "PoseBatch":
        """At least one person. Landmarks, and hands, come along when every one of them has some."""
        whole = [one if isinstance(one, BodyPose) else BodyPose(one) for one in bodies]
        landmarks = [body.landmarks.with_depth() for body in whole if body.landmarks is not None]
        hands = [_both(body.hands) for body in whole if body.hands is not None]
        return PoseBatch(
            _stacked([body.joints.as_array() for body in whole]),
            _stacked(landmarks) if len(landmarks) == len(whole) else None,
            _stacked(hands) if len(hands) == len(whole) else None,
        )

    def __len__(self) -> int:
        return len(self.joints)

    def __getitem__(self, which: int | slice | Sequence[int] | Tensor) -> "PoseBatch":
        """Some of them; a number gives a batch of one."""
        if isinstance(which, int):
            which = [range(len(self))[which]]
        return self._each(lambda _, values: values[which])

    def expand(self, count: int) -> "PoseBatch":
        """A batch of one as `count` equal ones, without a copy; a batch of `count` as it is."""
        if len(self) not in (1, count):
            raise ValueError(f"cannot make {count} poses of {len(self)}")
        return self._each(lambda _, values: values.expand(count, *values.shape[1:]))

    def to(self, device: torch.device | str) -> "PoseBatch":
        return self._each(lambda _, values: values.to(device))

    def shrunk(self, factor: float) -> "PoseBatch":
        """In the pixels of pictures shrunk by factor."""
        if factor == 1:
            return self
        return self._each(
            lambda name, values: (shrunk_joints if name == "joints" else shrunk_landmarks)(
                values, factor
            )
        )

    def _present(self) -> dict[str, Tensor]:
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in values.items() if value is not None}

    def _each(self, change) -> "PoseBatch":
        return PoseBatch(**{name: change(name, value) for name, value in self._present().items()})


def _stacked(arrays: Sequence[np.ndarray]) -> Tensor:
    return torch.from_numpy(np.stack(arrays))


def _both(hands: tuple[Pose | None, Pose | None]) -> np.ndarray:
    """float32 (2, 21, 4); a hand that is not seen is all zeros."""
    nothing = np.zeros((HAND_POINT_COUNT, 4), np.float32)
    return np.stack([nothing if hand is None else hand.with_depth() for hand in hands])
