"""Names of backends become objects here, once, and every backend is held to the same rules of
input and output."""

from dataclasses import replace
from pathlib import Path
from typing import Protocol

import numpy as np

from dancepipe.errors import ConfigError
from dancepipe.records import PersonFrame

POSE_BACKENDS = ("mediapipe", "yolo")
MASK_BACKENDS = ("mediapipe", "rembg", None)
MIN_SIDE_PX = 8  # nobody is found in less


class PoseFinder(Protocol):
    """What pose_*.py give. find may return a mask of its own."""

    def find(self, image: np.ndarray) -> PersonFrame | None: ...
    def close(self) -> None: ...


class Segmenter(Protocol):
    """What segment_*.py give: the mask (uint8 (H, W), 255 = person) of that one person."""

    def segment(self, image: np.ndarray, person: PersonFrame) -> np.ndarray: ...
    def close(self) -> None: ...


class PersonFinder:
    """Finds the one person of a clip (mode "video") or of a photo: joints, mask, and how many
    people are there."""

    def __init__(self, pose_finder: PoseFinder, segmenter: Segmenter | None = None):
        """Both are owned from here on: close() closes them."""
        self._pose_finder, self._segmenter = pose_finder, segmenter
        self._closed = False

    def find(self, image: np.ndarray) -> PersonFrame | None:
        """image: uint8 RGB (H, W, 3) of any size -> the person in its own pixels, or None when
        nobody is seen.

        In mode "video" give the frames of ONE clip in order. ValueError for anything that is no
        such picture.
        """
        if self._closed:
            raise ValueError("this person finder is closed")
        if (
            not isinstance(image, np.ndarray)
            or image.dtype != np.uint8
            or image.ndim != 3
            or image.shape[2] != 3
        ):
            got = f"{getattr(image, 'dtype', type(image).__name__)} {getattr(image, 'shape', '')}"
            raise ValueError(f"find needs a uint8 RGB picture (H, W, 3), got {got}")
        if min(image.shape[:2]) < MIN_SIDE_PX:
            return None
        person = self._pose_finder.find(image)
        if person is None or self._segmenter is None:
            return person
        return replace(person, mask=self._segmenter.segment(image, person))

    def close(self) -> None:
        """Frees the backends. Closing twice is allowed; find afterwards raises ValueError."""
        if not self._closed:
            self._closed = True
            self._pose_finder.close()
            if self._segmenter is not None:
                self._segmenter.close()

    def __enter__(self) -> "PersonFinder":
        return self

    def __exit__(self, *exception) -> None:
        self.close()


def open_person_finder(
    pose: str = "mediapipe",
    mask: str | None = "mediapipe",
    *,
    hands: bool = False,
    mode: str = "video",
    yolo_weights: Path | str | None = None,
    rembg_model: str = "u2net_human_seg",
    device: str = "cpu",
) -> PersonFinder:
    """pose: "mediapipe" or "yolo" (extra). mask: "mediapipe", "rembg" (extra) or None for no masks.
    hands: read both hands too, which mediapipe alone can.

    mode "video" follows one person through the frames of one clip (open a finder for each clip);
    "photo" takes every picture for itself. yolo_weights: a local pose .pt file or a published name;
    rembg_model: a name of segment_rembg.MODELS; device: of yolo and rembg ("cpu", "cuda", ...),
    mediapipe runs on the CPU. Raises ConfigError
    for unknown names, MissingExtraError, WeightsError.
    """
    if pose not in POSE_BACKENDS:
        raise ConfigError(f"unknown pose backend {pose!r}: choose from {', '.join(POSE_BACKENDS)}")
    if mask not in MASK_BACKENDS:
        raise ConfigError(f"unknown mask backend {mask!r}: choose from mediapipe, rembg, or none")
    if mode not in ("video", "photo"):
        raise ConfigError(f"unknown mode {mode!r} of a person finder: choose video or photo")
    if hands and pose != "mediapipe":
        raise ConfigError(
            f"the pose backend {pose} reads no hands: choose mediapipe, or leave hands out"
        )
    if pose == "mediapipe":
        from dancepipe.person.backends.pose_blazepose import BlazePoseFinder

        pose_finder = BlazePoseFinder(mode, mask=mask == "mediapipe", hands=hands)
    else:
        from dancepipe.person.backends.pose_yolo import YoloPoseFinder

        pose_finder = YoloPoseFinder(mode, weights=yolo_weights, device=device)

    segmenter = None
    try:
        if mask == "rembg":
            from dancepipe.person.backends.segment_rembg import RembgSegmenter

            segmenter = RembgSegmenter(rembg_model, device=device)
        elif mask == "mediapipe" and pose != "mediapipe":
            from dancepipe.person.backends.segment_blazepose import BlazePoseSegmenter

            segmenter = BlazePoseSegmenter()
    except BaseException:
        pose_finder.close()
        raise
    return PersonFinder(pose_finder, segmenter)
