"""Is it still the same person? The whole body, as a network sees it that was trained to know people
again in other pictures.

The network is the Youtu re-identification baseline (OpenCV's model zoo, Apache-2.0): 128 x 256, 768
features. Faces of the pictures scored here are some twenty pixels wide, too small for networks of
faces. It runs on the CPU, through OpenCV.
"""

from pathlib import Path

import numpy as np
from PIL import Image

from dancepipe.errors import WeightsError
from dancepipe.evaluation.metric_weights import find_metric_weights
from dancepipe.person.crop import body_bounds
from dancepipe.records import Pose

_SIZE_WH = (128, 256)
_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
_STD = np.array([0.229, 0.224, 0.225], np.float32)
_SMALLEST_PX = 4  # of what is left of a body inside the picture


class Reidentifier:
    """A person in a picture -> features of unit length; their product is the likeness (cosine)
    of two people."""

    def __init__(self, network, identity: str):
        """network: of cv2.dnn. identity: names weights and preparation, for caches and
        protocols."""
        self._network, self.identity = network, identity
        self._width = self._forward(np.zeros((_SIZE_WH[1], _SIZE_WH[0], 3), np.float32)).size

    def features(self, image: np.ndarray, pose: Pose | None) -> np.ndarray:
        """uint8 RGB (H, W, 3) and its person -> (768,). Nobody is like nobody: zeros where no
        person was found."""
        box = None if pose is None or not pose.present.any() else _box_inside(pose, image.shape)
        if box is None:
            return np.zeros(self._width, np.float32)
        body = Image.fromarray(image).resize(_SIZE_WH, Image.Resampling.BILINEAR, box=box)
        found = self._forward((np.asarray(body, np.float32) / 255 - _MEAN) / _STD)
        return found / max(float(np.linalg.norm(found)), 1e-12)

    def _forward(self, picture: np.ndarray) -> np.ndarray:
        self._network.setInput(np.ascontiguousarray(picture.transpose(2, 0, 1)[None]))
        return self._network.forward().ravel()


def _box_inside(pose: Pose, shape: tuple[int, ...]) -> tuple[float, float, float, float] | None:
    """The body's bounds within the picture as Pillow counts them (pixel i covers [i, i + 1]);
    None when hardly anything is inside."""
    x0, y0, x1, y1 = (edge + 0.5 for edge in body_bounds(pose))
    box = max(x0, 0.0), max(y0, 0.0), min(x1, float(shape[1])), min(y1, float(shape[0]))
    return box if min(box[2] - box[0], box[3] - box[1]) >= _SMALLEST_PX else None


def likeness(own: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Features (..., D) twice -> (...): 1 is the same, 0 also where no person was found; nan
    where the wanted one is nobody."""
    return np.where(np.any(wanted != 0, -1), (own * wanted).sum(-1, dtype=np.float64), np.nan)


def open_reidentifier(folder: Path | None, *, fetch: bool = False) -> Reidentifier:
    """WeightsMissingError, WeightsError when it cannot be had."""
    import cv2

    path = find_metric_weights("identity", folder, fetch=fetch)
    try:
        return Reidentifier(
            cv2.dnn.readNetFromONNX(str(path)),
            f"{path.name}, body's bounds to {_SIZE_WH[0]} x {_SIZE_WH[1]}",
        )
    except cv2.error as error:
        raise WeightsError(
            f"OpenCV cannot read {path}: {error.err}; delete it and get it anew, or update "
            "opencv-contrib-python"
        ) from error
