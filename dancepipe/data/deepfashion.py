"""DeepFashion, In-shop Clothes Retrieval, as PATN and GFLA publish it: 256 x 176 joints for
pictures of any size.

Ours: 256 x 176 in the middle of 256 x 256, so that the networks keep squares. GFLA stretches 256 x
176 to 256 x 256 instead: whole-picture numbers of the two are not comparable, nor are either with
those of papers that cut to 256 x 176.
"""

import re

import numpy as np

from dancepipe.data.picture import LabelledPicture
from dancepipe.data.pose_transfer import PoseTransferLayout
from dancepipe.geometry import resized_px
from dancepipe.records import GREY, BodyPose, Pose

HEIGHT_PX, WIDTH_PX, BORDER_PX = 256, 176, 40
_NAME = re.compile(
    r"(?:fashion)?(.*id\d{8}\d{2})_"
)  # fashionWOMENTees_Tanksid0000597603_7additional.jpg: garment 5976 in its third colour


def identity(name: str) -> str | None:
    """Person and garment: pairs are of one garment, and one person may wear several."""
    found = _NAME.match(name)
    return found.group(1) if found else None


def framed(
    image: np.ndarray, mask: np.ndarray, pose: Pose, annotated_width: int
) -> LabelledPicture:
    """The picture, 256 x 176 of it, on grey of 256 x 256.

    annotated_width: up to 176 the joints are GFLA's, in 256 x 176; beyond, PATN's first ones, in
    256 x 256 with its borders of 40 px. Square pictures have these borders too.
    """
    border = BORDER_PX if annotated_width > WIDTH_PX else 0
    points = pose.points_px - np.array([border, 0], np.float32)
    height, width = image.shape[:2]
    if width > 0.9 * height:
        cut = round(width * BORDER_PX / HEIGHT_PX)
        image, mask = image[:, cut : width - cut], mask[:, cut : width - cut]
        width = image.shape[1]
    points = resized_px(points, np.array([width / WIDTH_PX, height / HEIGHT_PX], np.float32))
    small = LabelledPicture(
        np.ascontiguousarray(image),
        np.ascontiguousarray(mask),
        BodyPose(Pose(points, pose.confidence)),
    ).resized((HEIGHT_PX, WIDTH_PX))
    sides = ((0, 0), (BORDER_PX, BORDER_PX))
    shifted = small.pose.points_px + np.array([BORDER_PX, 0], np.float32)
    return LabelledPicture(
        np.pad(small.image, (*sides, (0, 0)), constant_values=GREY),
        np.pad(small.mask, sides),
        BodyPose(Pose(shifted, pose.confidence)),
    )


DEEPFASHION = PoseTransferLayout(
    "deepfashion",
    ("fasion-resize", "fasion", "fashion"),
    {"train": ("train",), "test": ("test",)},
    identity,
    framed,
)
