"""Joints with an Ultralytics YOLO-pose network (extra yolo): wanted on a GPU and for several
people.

Ultralytics and its weights are AGPL-3.0; they are imported nowhere else and only when asked for.
"""

import logging
import math
import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from PIL import Image

from dancepipe.errors import ConfigError, MissingExtraError, WeightsError
from dancepipe.files.caches import cache_folder
from dancepipe.files.whole_file import make_folder
from dancepipe.person.clothes import Clothes, clothes_of
from dancepipe.person.look import Sighting
from dancepipe.pose.skeleton import openpose_view
from dancepipe.records import BodyPose, PersonFrame
from dancepipe.skeletons import COCO_17

log = logging.getLogger(__name__)

DEFAULT_WEIGHTS = "yolo11n-pose.pt"
PUBLISHED_NAMES = re.compile(
    r"yolo(?:v8|11|26)[nsmlx]-pose(?:-p6)?\.pt"
)  # what Ultralytics offers for download
MIN_BOX_CONFIDENCE = 0.4
TRUNK = [6, 5, 12, 11]  # right and left shoulder and hip among the keypoints
KNEES = [14, 13]
LICENCE_NOTICE = (
    "pose backend yolo: ultralytics and its weights are licensed under AGPL-3.0; "
    "whoever distributes or serves a product with them must follow it or buy their enterprise "
    "licence"
)
_notice_given = False


@dataclass(frozen=True)
class YoloReading:
    """What the network says about one person."""

    sighting: Sighting
    keypoints: np.ndarray  # float32 (17, 3): x_px, y_px, confidence


class YoloPoseBackend:
    """look(image) -> everyone in a picture, without masks; one run of the network reads them all.

    It knows nothing of the frame before: each is looked at whole.
    """

    goes_on = False
    records = (YoloReading,)
    neighbour_reaches = math.inf

    def __init__(
        self,
        *,
        weights: Path | str | None = None,
        device: str = "cpu",
        min_box_confidence: float = MIN_BOX_CONFIDENCE,
    ):
        """weights: a .pt file, or a published name (default yolo11n-pose.pt), which is looked
        for in the working folder and then downloaded by ultralytics into
        <cache>/dancepipe/weights (DANCEPIPE_CACHE, else ~/.cache)."""
        global _notice_given
        if not _notice_given:
            log.info(LICENCE_NOTICE)
            _notice_given = True
        self._device, self._min_box_confidence = device, min_box_confidence
        self._model: Any = _load(weights or DEFAULT_WEIGHTS)
        with _threads_kept():
            _check_device(device)

    def look(self, image: np.ndarray) -> "YoloLook":
        bgr = np.ascontiguousarray(image[..., ::-1])
        with _threads_kept():
            result = self._model.predict(
                bgr, conf=self._min_box_confidence, device=self._device, verbose=False
            )[0]
        readings = []
        if result.keypoints is not None and len(result.boxes):
            # theirs count from the outer edge of pixel 0
            boxes = result.boxes.xyxy.cpu().numpy() - 0.5
            scores = result.boxes.conf.cpu().numpy()
            keypoints = result.keypoints.data.cpu().numpy().astype(np.float32)  # (K, 17, 3)
            keypoints[..., :2] -= 0.5
            readings = [
                YoloReading(_sighting(box, float(score)), points)
                for box, score, points in zip(boxes, scores, keypoints, strict=True)
            ]
        return YoloLook(image, readings)

    def close(self) -> None:
        """Frees the network. Closing twice is allowed."""
        self._model = None


class YoloLook:
    """One picture that the network has read."""

    def __init__(self, picture: np.ndarray, readings: list[YoloReading]):
        self.picture, self._readings = picture, readings
        self.size_wh = picture.shape[1], picture.shape[0]

    def sightings(self) -> list[Sighting]:
        return [reading.sighting for reading in self._readings]

    def read(
        self, index: int | None, beside: Sequence[int] = (), last: YoloReading | None = None
    ) -> YoloReading | None:
        return None if index is None else self._readings[index]

    def everyone(self) -> list[YoloReading]:
        return list(self._readings)

    def read_apart(
        self, own: YoloReading, others: Sequence[YoloReading]
    ) -> tuple[YoloReading | None, list[YoloReading]]:
        return own, list(others)  # one run of the network tells them apart

    def clothes(self, reading: YoloReading) -> Clothes | None:
        return clothes_of(self.picture, reading.keypoints[TRUNK + KNEES, :2])

    def person(self, reading: YoloReading, before: YoloReading | None = None) -> PersonFrame | None:
        pose = openpose_view(reading.keypoints, COCO_17, self.size_wh)
        return PersonFrame(BodyPose(pose), None) if pose.present.any() else None


def _sighting(box: np.ndarray, score: float) -> Sighting:
    x0, y0, x1, y1 = map(float, box)
    return Sighting(((x0 + x1) / 2, (y0 + y1) / 2), max(x1 - x0, y1 - y0, 1.0) / 2, min(score, 1.0))


def _load(weights: Path | str) -> Any:
    """The network from a file on this disk, loaded without running what a pickle might carry.

    Any: Ultralytics' types are those of all its tasks at once, not of a pose network.
    """
    path = Path(weights).expanduser()
    if path.suffix != ".pt":
        raise WeightsError(f"YOLO weights must be a .pt file of a pose network, got {weights}")
    published = str(weights) == path.name and PUBLISHED_NAMES.fullmatch(path.name)
    if not os.path.isfile(path):
        if not published:
            raise WeightsError(
                f"no YOLO weights at {path}: give the path of a pose .pt file, or a published "
                f"name such as {DEFAULT_WEIGHTS} to download it"
            )
        path = cache_folder("weights") / path.name
    _prepare_environment(offline=path.is_file())
    open_picture = Image.open
    try:
        from ultralytics import YOLO
        from ultralytics.nn.tasks import torch_safe_load
        from ultralytics.utils import SETTINGS
    except ImportError as error:
        raise MissingExtraError("ultralytics", "yolo", "the pose backend yolo") from error
    finally:
        # ultralytics puts its own in its place, which installs packages at a damaged picture
        Image.open = open_picture
    if SETTINGS.get("sync"):
        SETTINGS.update({"sync": False})  # no usage reports from our users' machines
    if not path.is_file():
        _download(path)
    try:
        torch_safe_load(
            str(path), safe_only=True
        )  # refuses a file that is not plain weights before YOLO() reads it
        model = cast(Any, YOLO(str(path.resolve())))
    except Exception as error:  # TypeError, RuntimeError, KeyError: whatever a damaged file meets
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise WeightsError(
            f"cannot read YOLO weights {path} ({reason}): give a pose .pt file as Ultralytics "
            "publishes them"
        ) from error
    if model.task != "pose":
        raise WeightsError(
            f"{path} is a YOLO network for {model.task}, a pose network is needed: take one such "
            f"as {DEFAULT_WEIGHTS}"
        )
    keypoint_shape = tuple(
        getattr(model.model, "kpt_shape", None) or getattr(model.model.model[-1], "kpt_shape", ())
    )
    if keypoint_shape and keypoint_shape != (17, 3):
        raise WeightsError(
            f"{path} finds {keypoint_shape} keypoints, the 17 of COCO with confidences are needed"
        )
    return model


@contextmanager
def _threads_kept() -> Iterator[None]:
    """with-block: choosing a device, Ultralytics sets torch's number of threads to one of its own,
    for the whole process."""
    import torch

    threads = torch.get_num_threads()
    try:
        yield
    finally:
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)


def _check_device(device: str) -> None:
    from ultralytics.utils.torch_utils import select_device

    try:
        select_device(device, verbose=False)
    except ValueError as error:
        raise ConfigError(
            f"yolo cannot run on the device {device!r}: it is not in this machine, take cpu or "
            "one that is"
        ) from error


def _download(path: Path) -> None:
    """A published file into our cache, through the library's own download."""
    from ultralytics.utils.downloads import attempt_download_asset

    log.info(f"downloading {path.name} (AGPL-3.0) from Ultralytics into {path.parent}")
    try:
        make_folder(path.parent, private=True)
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            arrived = Path(attempt_download_asset(str(Path(folder) / path.name)))
            if not arrived.is_file():
                raise FileNotFoundError(f"{path.name} did not arrive")
            os.replace(arrived, path)
    except OSError as error:
        raise WeightsError(
            f"cannot download {path.name} ({error}): bring the file to this machine and give its "
            "path, or use the pose backend mediapipe"
        ) from error


def _prepare_environment(offline: bool) -> None:
    """To be called before the first import of ultralytics, which reads these once."""
    os.environ.setdefault("YOLO_AUTOINSTALL", "false")  # it would pip-install packages at run time
    os.environ.setdefault("YOLO_VERBOSE", "false")
    os.environ.setdefault("ULTRALYTICS_SAFE_LOAD", "1")
    settings = cache_folder("ultralytics")
    if "YOLO_CONFIG_DIR" not in os.environ:
        make_folder(settings, private=True)
        os.environ["YOLO_CONFIG_DIR"] = str(settings)
    if offline:
        os.environ.setdefault("YOLO_OFFLINE", "true")
