"""The person alone: the picture with its background removed."""

from dataclasses import dataclass

import numpy as np

from dancepipe.person.crop import Box, crop_square, person_box, pose_in_box
from dancepipe.person.halo import without_halo
from dancepipe.pose.skeleton import L_ANKLE, R_ANKLE
from dancepipe.records import GREY, BodyPose, PersonFrame, Pose


def on_grey(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The masked person on neutral grey: uint8 RGB (H, W, 3) from a picture and its soft mask
    (H, W), 255 = person."""
    weight = mask[..., None].astype(np.float32) / 255
    return np.rint(image * weight + GREY * (1 - weight)).astype(np.uint8)


@dataclass(frozen=True)
class CutOut:
    """A person in a square picture of their own."""

    image: np.ndarray  # uint8 RGB (S, S, 3) on grey
    mask: np.ndarray  # uint8 (S, S)
    body: BodyPose  # in that picture's pixels
    box_xyxy_px: Box  # where the square lies in the photo

    @property
    def pose(self) -> Pose:
        """The 18 joints."""
        return self.body.joints


def cut_out(photo: np.ndarray, person: PersonFrame, size_px: int) -> CutOut:
    """The person that was found in a photo (uint8 RGB (H, W, 3)), with its mask."""
    assert person.mask is not None  # whoever cuts out asks the finder for masks
    box = person_box(person.pose, person.mask)
    mask = crop_square(person.mask, box, size_px, fill=0)
    square = crop_square(photo, box, size_px, fill=GREY)
    body = pose_in_box(person.body, box, size_px)
    mask = without_halo(square, mask, above_px=_ankles_px(body.joints))
    return CutOut(on_grey(square, mask), mask, body, box)


def _ankles_px(pose: Pose) -> float | None:
    """The height of the higher one; None where none was found."""
    found = [pose.points_px[joint, 1] for joint in (R_ANKLE, L_ANKLE) if pose.present[joint]]
    return float(min(found)) if found else None
