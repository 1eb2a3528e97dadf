"""Market-1501 as PATN and GFLA publish it: 128 x 64 pictures of street cameras, joints in their
pixels."""

import numpy as np

from dancepipe.data.picture import LabelledPicture
from dancepipe.data.pose_transfer import PoseTransferLayout
from dancepipe.records import BodyPose, Pose

SIZE_HW = (128, 64)
_NOBODY = ("-1", "0000")  # what no one labelled, and distractors


def identity(name: str) -> str | None:
    """0002_c1s1_000451_03.jpg -> 0002."""
    person = name.split("_")[0]
    return None if person in _NOBODY else person


def framed(
    image: np.ndarray, mask: np.ndarray, pose: Pose, annotated_width: int
) -> LabelledPicture:
    """The picture as it is; all are 128 x 64."""
    return LabelledPicture(image, mask, BodyPose(pose)).resized(SIZE_HW)


MARKET1501 = PoseTransferLayout(
    "market1501",
    ("market",),
    {"train": ("train", "bounding_box_train"), "test": ("test", "bounding_box_test")},
    identity,
    framed,
)
