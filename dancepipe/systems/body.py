"""The body in three dimensions as a system: the fastest way to a result, with nothing learnt.

It reads landmarks with depth; without them there is nothing to pose.
"""

import logging
import threading
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor

from dancepipe.body.posing import in_view
from dancepipe.body.reference import BodyReference, shared_drawer
from dancepipe.errors import ConfigError
from dancepipe.pose.batch import PoseBatch
from dancepipe.pose.skeleton import torso_length_px
from dancepipe.records import Pose
from dancepipe.systems.system import (
    Drawn,
    SystemEntry,
    SystemInfo,
    check_references,
    check_targets,
)

log = logging.getLogger(__name__)

_PATIENCE_SECONDS = 3.0  # what takes longer is said
# Bones whose lengths, target against reference, say how much larger the target is.
_BONES = np.array(
    [(11, 13), (13, 15), (12, 14), (14, 16), (23, 25), (25, 27), (24, 26), (26, 28), (11, 12),
     (23, 24), (11, 23), (12, 24)]
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Person:
    fitted: BodyReference
    bones_px: np.ndarray  # float64 (12,): lengths in the photo


class BodySystem:
    """A System (system.py). It works on the CPU, whatever the device."""

    info = SystemInfo("body", None, reads_hands=True)

    def __init__(self):
        _make_ready()

    def encode(self, images: Tensor, masks: Tensor, poses: PoseBatch) -> list[_Person]:
        check_references(images, masks, poses)
        landmarks, hands = _depth_of(poses)
        people = []
        for image, mask, joints, points, both in zip(
            images.cpu().numpy(), masks.cpu().numpy(), poses.joints.cpu().numpy(), landmarks, hands
        ):
            torso_px = torso_length_px(Pose.from_array(joints)) or _torso_px(points)
            fitted = shared_drawer().fit(image, mask, points, torso_px, both)
            people.append(_Person(fitted, _bones_px(points)))
        return people

    def draw(self, state: list[_Person], targets: PoseBatch) -> Drawn:
        check_targets(len(state), targets)
        landmarks, hands = _depth_of(targets)
        people = state * len(targets) if len(state) == 1 else state
        pictures, mattes = [], []
        for person, points, both in zip(people, landmarks, hands):
            larger = np.median(_bones_px(points) / np.maximum(person.bones_px, 1e-3))
            torso_px = float(person.fitted.torso_px * np.clip(larger, 0.1, 10))
            drawn = shared_drawer().draw(
                person.fitted, points, torso_px, person.fitted.photo.shape[:2], both
            )
            pictures.append(drawn.on_grey())
            mattes.append(drawn.matte())
        return Drawn(torch.from_numpy(np.stack(pictures)), torch.from_numpy(np.stack(mattes)))


@cache
def _make_ready() -> None:
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
        drawer.draw(person, landmarks, drawer.poser.torso_dm, (24, 24), hands)
    finally:
        notice.cancel()


def _depth_of(poses: PoseBatch) -> tuple[np.ndarray, list[np.ndarray | None]]:
    """Landmarks (B, 33, 4), and hands (2, 21, 4) each, or None."""
    if poses.landmarks is None:
        raise ConfigError(
            "the body needs landmarks with depth, which these poses have not; use the pose backend "
            "mediapipe"
        )
    hands = [None] * len(poses) if poses.hands is None else list(poses.hands.cpu().numpy())
    return poses.landmarks.cpu().numpy(), hands


def _bones_px(landmarks: np.ndarray) -> np.ndarray:
    places = in_view(landmarks)
    return np.linalg.norm(places[_BONES[:, 0]] - places[_BONES[:, 1]], axis=1)


def _torso_px(landmarks: np.ndarray) -> float:
    places = in_view(landmarks)
    up = (places[11] + places[12] - places[23] - places[24]) / 2
    return max(float(np.linalg.norm(up)), 1.0)


ENTRY = SystemEntry("body", open=lambda weights, device, precision: BodySystem())
