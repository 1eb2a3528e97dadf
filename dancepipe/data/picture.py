"""One labelled picture of a data set, at the size that it is wanted in."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from dancepipe.data.store import hands_array
from dancepipe.geometry import resized_px
from dancepipe.records import BodyPose, Pose
from dancepipe.skeletons import BLAZEPOSE_33


@dataclass(frozen=True)
class LabelledPicture:
    """uint8 RGB (H, W, 3) on grey, uint8 mask (H, W), body in its pixels."""

    image: np.ndarray
    mask: np.ndarray
    body: BodyPose

    @property
    def pose(self) -> Pose:
        """The 18 joints."""
        return self.body.joints

    def resized(self, size_hw: tuple[int, int]) -> "LabelledPicture":
        """At that size: area-averaged when it shrinks, bicubic (the mask bilinear) when it
        grows; the body with it, its depth as its width."""
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
        return LabelledPicture(np.asarray(image), np.asarray(mask), _resized(self.body, scale_xy))

    def arrays(self, role: str, *, landmarks: bool, hands: bool) -> dict[str, np.ndarray]:
        """What a PairBatch has of it: image, mask, joints, and when asked for landmarks
        (float32 (33, 4)) and hands (float32 (2, 21, 4)), under f"{role}_image" and so on.

        Landmarks that this picture lacks, and a hand that it lacks, are all zeros: nothing there
        has a confidence.
        """
        found = {"image": self.image, "mask": self.mask, "joints": self.pose.as_array()}
        if landmarks:
            own = self.body.landmarks
            nothing = np.zeros((len(BLAZEPOSE_33), 4), np.float32)
            found["landmarks"] = nothing if own is None else own.with_depth()
        if hands:
            found["hands"] = hands_array(self.body.hands or (None, None))
        return {f"{role}_{name}": value for name, value in found.items()}


def _resized(body: BodyPose, scale_xy: np.ndarray) -> BodyPose:
    def change(pose: Pose) -> Pose:
        points = resized_px(pose.points_px, scale_xy)
        depth = None if pose.depth_px is None else pose.depth_px * scale_xy[0]
        return Pose(points, pose.confidence, pose.skeleton, depth)

    hands = body.hands
    if hands is not None:
        right, left = (hand and change(hand) for hand in hands)
        hands = right, left
    return BodyPose(change(body.joints), body.landmarks and change(body.landmarks), hands)
