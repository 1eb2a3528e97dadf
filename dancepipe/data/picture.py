"""One labelled picture of a data set, at the size that it is wanted in."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from dancepipe.records import Pose


@dataclass(frozen=True)
class LabelledPicture:
    """uint8 RGB (H, W, 3) on grey, uint8 mask (H, W), pose in its pixels."""

    image: np.ndarray
    mask: np.ndarray
    pose: Pose

    def resized(self, size_hw: tuple[int, int]) -> "LabelledPicture":
        """At that size: area-averaged when it shrinks, bicubic (the mask bilinear) when it
        grows; the joints with it."""
        (height, width), (old_height, old_width) = size_hw, self.mask.shape
        if (height, width) == (old_height, old_width):
            return self
        shrinks = width < old_width
        image = Image.fromarray(self.image).resize(
            (width, height), Image.Resampling.BOX if shrinks else Image.Resampling.BICUBIC
        )
        mask = Image.fromarray(self.mask).resize(
            (width, height), Image.Resampling.BOX if shrinks else Image.Resampling.BILINEAR
        )
        scale_xy = np.array([width / old_width, height / old_height], np.float32)
        pose = Pose(
            (self.pose.points_px + 0.5) * scale_xy - 0.5, self.pose.confidence
        )  # pixel centres are at integers
        return LabelledPicture(np.asarray(image), np.asarray(mask), pose)
