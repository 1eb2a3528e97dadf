"""A person of a photo, fitted once and drawn as large as the targets have it; what the system
`body` and the prior `body` both do."""

import logging
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from dancepipe.body.posing import in_view
from dancepipe.body.reference import BodyPicture, BodyReference, shared_drawer
from dancepipe.errors import ConfigError
from dancepipe.pose.batch import PoseBatch
from dancepipe.pose.skeleton import torso_length_px
from dancepipe.records import Pose

log = logging.getLogger(__name__)

_PATIENCE_SECONDS = 3.0  # what takes longer is said
# Bones whose lengths, target against reference, say how much larger the target is.
_BONES = np.array(
    [(11, 13), (13, 15), (12, 14), (14, 16), (23, 25), (25, 27), (24, 26), (26, 28), (11, 12),
     (23, 24), (11, 23), (12, 24)]
)  # fmt: skip


@dataclass(frozen=True)
class PoseWithDepth:
    """What the body reads of a pose."""

    joints: np.ndarray  # float32 (18, 3)
    landmarks: np.ndarray  # float32 (33, 4)
    hands: np.ndarray | None  # float32 (2, 21, 4)

    @staticmethod
    def each_of(poses: PoseBatch) -> Iterator["PoseWithDepth"]:
        """ConfigError when they have no landmarks, or one of them has none that anybody saw."""
        if poses.landmarks is None or not (poses.landmarks[..., 3] > 0).any(1).all():
            raise ConfigError(
                "the body needs landmarks with depth, which these poses have not all; use the pose "
                "backend mediapipe, or data that were built with it"
            )
        hands = [None] * len(poses) if poses.hands is None else list(poses.hands.cpu().numpy())
        each = zip(poses.joints.cpu().numpy(), poses.landmarks.cpu().numpy(), hands)
        return (PoseWithDepth(*one) for one in each)


@dataclass(frozen=True, eq=False)
class BodyPerson:
    """A fitted person, and how large it is in the photo."""

    fitted: BodyReference
    bones_px: np.ndarray  # float64 (12,): lengths in the photo

    @staticmethod
    def of(image: np.ndarray, mask: np.ndarray, pose: PoseWithDepth) -> "BodyPerson":
        """image uint8 RGB (H, W, 3) on grey, mask uint8 (H, W), 255 = person."""
        torso_px = torso_length_px(Pose.from_array(pose.joints)) or _torso_px(pose.landmarks)
        fitted = shared_drawer().fit(image, mask, pose.landmarks, torso_px, pose.hands)
        return BodyPerson(fitted, _bones_px(pose.landmarks))

    def with_others(self, others: Sequence["BodyPerson"]) -> "BodyPerson":
        """The same person, whom other photos show too."""
        fitted = shared_drawer().joined(self.fitted, [other.fitted for other in others])
        return BodyPerson(fitted, self.bones_px)

    def drawn(self, pose: PoseWithDepth, *, with_normals: bool = False) -> BodyPicture:
        """In another pose, in the size of the photo."""
        larger = np.median(_bones_px(pose.landmarks) / np.maximum(self.bones_px, 1e-3))
        torso_px = float(self.fitted.torso_px * np.clip(larger, 0.1, 10))
        return shared_drawer().draw(
            self.fitted,
            pose.landmarks,
            torso_px,
            self.fitted.photo.shape[:2],
            pose.hands,
            with_normals=with_normals,
        )


@cache
def make_ready() -> None:
    """Fit and draw a body at rest, so that the kernels are compiled or read from numba's cache."""
    notice = threading.Timer(
        _PATIENCE_SECONDS,
        log.info,
        ["the body's kernels are compiled, once on this machine: half a minute and more"],
    )
    notice.daemon = True
    notice.start()
    try:
        drawer = shared_drawer()
        places = drawer.mesh.landmarks_dm * [1, -1, -1] + [12, 9, 0]  # px of a picture of 24 x 24
        landmarks = np.concatenate([places, np.ones((len(places), 1))], 1).astype(np.float32)
        picture, mask = np.zeros((24, 24, 3), np.uint8), np.full((24, 24), 255, np.uint8)
        hands = np.zeros((2, 21, 4), np.float32)
        person = drawer.fit(picture, mask, landmarks, drawer.poser.torso_dm, hands)
        drawer.draw(person, landmarks, drawer.poser.torso_dm, (24, 24), hands, with_normals=True)
    finally:
        notice.cancel()


def _bones_px(landmarks: np.ndarray) -> np.ndarray:
    places = in_view(landmarks)
    return np.linalg.norm(places[_BONES[:, 0]] - places[_BONES[:, 1]], axis=1)


def _torso_px(landmarks: np.ndarray) -> float:
    places = in_view(landmarks)
    up = (places[11] + places[12] - places[23] - places[24]) / 2
    return max(float(np.linalg.norm(up)), 1.0)
