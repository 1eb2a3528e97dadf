"""YOLO networks for tests: untrained files made on the spot, and one that sees what it is told."""

import atexit
import functools
import os
import shutil
import tempfile
from pathlib import Path

import numpy as np

from dancepipe.person.backends.pose_yolo import _prepare_environment
from dancepipe.pose.skeleton import JOINTS

COCO = (
    "nose left_eye right_eye left_ear right_ear left_shoulder right_shoulder left_elbow "
    "right_elbow left_wrist right_wrist "
    "left_hip right_hip left_knee right_knee left_ankle right_ankle"
).split()


@functools.cache
def _folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="dancepipe-yolo-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@functools.cache
def tiny_pose_file(task_yaml: str = "yolo11n-pose.yaml") -> Path:
    """A .pt file with random weights; without anything downloaded."""
    import torch

    os.environ.setdefault(
        "YOLO_CONFIG_DIR", str(_folder())
    )  # before the first import of ultralytics
    _prepare_environment(offline=True)
    from ultralytics import YOLO

    torch.manual_seed(0)
    path = _folder() / task_yaml.replace("yaml", "pt")
    YOLO(task_yaml).save(str(path))
    return path


def seeing(poses, calls=None):
    """A stand-in for YOLO.predict: these people are in every picture that is not all one colour."""
    import torch
    from ultralytics.engine.results import Results

    def predict(image, **options):
        if calls is not None:
            calls.append((image, options))
        people = poses if np.ptp(image) else []
        boxes, keypoints = np.zeros((len(people), 6)), np.zeros((len(people), 17, 3))
        for i, pose in enumerate(people):
            points = pose.points_px + 0.5
            boxes[i] = [*points.min(0), *points.max(0), 0.9, 0]
            keypoints[i, :, :2] = [points[JOINTS.index(name)] for name in COCO]
            keypoints[i, :, 2] = [pose.confidence[JOINTS.index(name)] for name in COCO]
        return [
            Results(
                image,
                "",
                {0: "person"},
                boxes=torch.from_numpy(boxes).float(),
                keypoints=torch.from_numpy(keypoints).float(),
            )
        ]

    return predict
