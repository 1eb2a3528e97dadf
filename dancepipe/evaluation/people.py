"""The people in pictures: joints and masks by the chosen backend. The joints of real pictures
are kept between runs."""

import os
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from dancepipe import __version__
from dancepipe.evaluation.cache import FeatureCache, picture_digests
from dancepipe.evaluation.metric_weights import sha256_of
from dancepipe.evaluation.options import EvaluateOptions
from dancepipe.person.backends.pose_yolo import DEFAULT_WEIGHTS
from dancepipe.person.blazepose.models import PACKAGE, VERSION
from dancepipe.person.finder import open_person_finder
from dancepipe.records import Pose

_KEPT = 1 + 18 * 3  # whether a person was found, and the joints


class PeopleReader:
    """Looks at every picture for itself. Close it: that keeps what is new."""

    def __init__(
        self,
        options: EvaluateOptions,
        device: str,
        *,
        gives_masks: bool,
        cache: Path | None,
    ):
        """gives_masks: `poses_and_masks` will be asked. cache: the folder of kept joints, None:
        nothing is kept."""
        self.identity = pose_identity(options.pose, options.yolo_weights)
        self._finder = open_person_finder(
            options.pose,
            "mediapipe" if gives_masks else None,
            mode="photo",
            yolo_weights=options.yolo_weights,
            device=device,
        )
        # the converters to our joints are of this version
        self._kept = FeatureCache(cache, f"{self.identity}, dancepipe {__version__}")

    def poses(self, pictures: np.ndarray) -> list[Pose | None]:
        """uint8 RGB (B, H, W, 3) -> the person's joints in each, or None."""
        people = (self._finder.find(picture) for picture in pictures)
        return [person.pose if person else None for person in people]

    def real_poses(self, pictures: np.ndarray) -> list[Pose | None]:
        """The same, of pictures that the next run will have again."""

        def find(absent: list[int]) -> np.ndarray:
            rows = np.zeros((len(absent), _KEPT), np.float32)
            for row, pose in zip(rows, self.poses(pictures[absent]), strict=True):
                if pose is not None:
                    row[0], row[1:] = 1, pose.as_array().ravel()
            return rows

        rows = self._kept.rows(picture_digests(pictures), find)
        return [Pose.from_array(row[1:].reshape(18, 3)) if row[0] else None for row in rows]

    def poses_and_masks(self, pictures: np.ndarray) -> tuple[list[Pose | None], np.ndarray]:
        """Joints, and masks uint8 (B, H, W), 255 = person, empty where nobody is found."""
        masks = np.zeros(pictures.shape[:3], np.uint8)
        people = [self._finder.find(picture) for picture in pictures]
        for mask, person in zip(masks, people, strict=True):
            if person is not None:
                mask[:] = person.mask
        return [person.pose if person else None for person in people], masks

    def close(self) -> None:
        """Frees the backend."""
        self._kept.save()
        self._finder.close()


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
