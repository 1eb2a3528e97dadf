"""The people in pictures: bodies and masks by the chosen backend. The bodies of real pictures
are kept between runs."""

import math
import os
from importlib.metadata import PackageNotFoundError, version
from itertools import accumulate
from pathlib import Path

import numpy as np

from dancepipe import __version__
from dancepipe.evaluation.cache import FeatureCache, picture_digests
from dancepipe.evaluation.metric_weights import sha256_of
from dancepipe.evaluation.options import EvaluateOptions
from dancepipe.person.backends.pose_yolo import DEFAULT_WEIGHTS
from dancepipe.person.blazepose.models import PACKAGE, VERSION
from dancepipe.person.finder import open_person_finder
from dancepipe.pose.batch import PoseBatch
from dancepipe.records import BodyPose, Pose
from dancepipe.skeletons import BLAZEPOSE_33, HAND_21

# Of every picture: whether a person was found and whether there are landmarks, the joints, the
# landmarks; and, where hands are read, both hands, all zeros for one that is not seen.
_JOINTS, _LANDMARKS, _HANDS = (18, 3), (33, 4), (2, 21, 4)
_ENDS = list(accumulate([2, *map(math.prod, (_JOINTS, _LANDMARKS, _HANDS))]))


class PeopleReader:
    """Looks at every picture for itself. Close it: that keeps what is new."""

    def __init__(
        self,
        options: EvaluateOptions,
        device: str,
        *,
        gives_masks: bool,
        cache: Path | None,
        hands: bool = False,
    ):
        """gives_masks: `bodies_and_masks` will be asked. cache: the folder of kept bodies, None:
        nothing is kept. hands: bodies have hands too; ConfigError of a backend that reads none."""
        self.identity = pose_identity(options.pose, options.yolo_weights)
        self._finder = open_person_finder(
            options.pose,
            "mediapipe" if gives_masks else None,
            hands=hands,
            mode="photo",
            yolo_weights=options.yolo_weights,
            device=device,
        )
        self._hands = hands
        # the converters to our joints are of this version
        self._kept = FeatureCache(
            cache,
            f"bodies {'with' if hands else 'without'} hands of {self.identity}, "
            f"dancepipe {__version__}",
        )

    def bodies(self, pictures: np.ndarray) -> list[BodyPose | None]:
        """uint8 RGB (B, H, W, 3) -> the person's body in each, or None."""
        people = (self._finder.find(picture) for picture in pictures)
        return [person.body if person else None for person in people]

    def real_bodies(self, pictures: np.ndarray) -> list[BodyPose | None]:
        """The same, of pictures that the next run will have again."""

        def find(absent: list[int]) -> np.ndarray:
            return np.stack([_row(body, self._hands) for body in self.bodies(pictures[absent])])

        return [_body(row) for row in self._kept.rows(picture_digests(pictures), find)]

    def bodies_and_masks(self, pictures: np.ndarray) -> tuple[list[BodyPose | None], np.ndarray]:
        """Bodies, and masks uint8 (B, H, W), 255 = person, empty where nobody is found."""
        masks = np.zeros(pictures.shape[:3], np.uint8)
        people = [self._finder.find(picture) for picture in pictures]
        for mask, person in zip(masks, people, strict=True):
            if person is not None:
                mask[:] = person.mask
        return [person.body if person else None for person in people], masks

    def close(self) -> None:
        """Frees the backend."""
        self._kept.save()
        self._finder.close()


def _row(body: BodyPose | None, hands: bool) -> np.ndarray:
    row = np.zeros(_ENDS[3] if hands else _ENDS[2], np.float32)
    if body is not None:
        batch = PoseBatch.of([body])
        row[:2] = 1, batch.landmarks is not None
        for values, first, end in zip(
            (batch.joints, batch.landmarks, batch.hands if hands else None), _ENDS, _ENDS[1:]
        ):
            if values is not None:
                row[first:end] = values.numpy().ravel()
    return row


def _body(row: np.ndarray) -> BodyPose | None:
    found, has_landmarks = row[:2]
    if not found:
        return None
    joints, landmarks, hands = (row[first:end] for first, end in zip(_ENDS, _ENDS[1:]))
    return BodyPose(
        Pose.from_array(joints.reshape(_JOINTS)),
        Pose.from_array(landmarks.reshape(_LANDMARKS), BLAZEPOSE_33) if has_landmarks else None,
        _both_hands(hands.reshape(_HANDS)) if len(hands) else None,
    )


def _both_hands(hands: np.ndarray) -> tuple[Pose | None, Pose | None]:
    right, left = (Pose.from_array(hand, HAND_21) if hand.any() else None for hand in hands)
    return right, left


def pose_identity(backend: str, yolo_weights: str | None) -> str:
    """Names a pose estimator with its version and weights, for protocols and caches. Two files
    of one name are two estimators."""
    package = {"mediapipe": "ai-edge-litert", "yolo": "ultralytics"}[backend]
    try:
        found = version(package)
    except PackageNotFoundError:
        found = "unknown version"
    if backend == "mediapipe":
        return f"{backend} (networks of {PACKAGE} {VERSION}, {package} {found})"
    weights = Path(yolo_weights or DEFAULT_WEIGHTS).expanduser()
    digest = (
        f" {sha256_of(weights)[:8]}" if os.path.isfile(weights) else ""
    )  # else a published file: its name says enough
    return f"{backend} ({package} {found}, {weights.name}{digest})"
