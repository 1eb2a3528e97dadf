"""G_theta of eq. 8: the face region of a picture, found from the target's joints, cut out
differentiably.

The paper names the six points (nose, neck, ears, eyes); how they become a region is ours.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from dancepipe.nn.local_attention import sample
from dancepipe.pose.skeleton import FACE, L_EYE, NOSE, R_EYE

CROP_PX = 64
# of the six, and one of them on the front of the face: ears and neck alone are the back of a head
POINTS_NEEDED = 3
FRONT = (NOSE, R_EYE, L_EYE)
MARGIN = 1.4
SMALLEST_SHARE = 1 / 16  # of the picture's height


@dataclass(frozen=True)
class FaceBoxes:
    """Square face regions; where present is False the box is a placeholder and must be given no
    weight."""

    boxes_xyxy_px: Tensor  # (B, 4) float32, pixel centres at integers; may reach out of the picture
    present: Tensor  # (B,) bool


def face_boxes(joints: Tensor, height: int) -> FaceBoxes:
    """Regions in pictures of this height from the joints (B, 18, 3: x_px, y_px, confidence;
    confidence <= 0 = missing).

    The square on the larger side of the points' bounds, times 1.4, at least height / 16.
    """
    joints = joints.float()
    points, found = joints[:, FACE, :2], joints[:, FACE, 2] > 0  # (B, 6, 2), (B, 6)
    present = (found.sum(1) >= POINTS_NEEDED) & (joints[:, FRONT, 2] > 0).any(1)
    counted = (found & present[:, None])[..., None]
    low = points.masked_fill(~counted, float("inf")).amin(1)  # (B, 2)
    high = points.masked_fill(~counted, float("-inf")).amax(1)
    low, high = (corner.masked_fill(~present[:, None], 0) for corner in (low, high))
    side = ((high - low).amax(1, keepdim=True) * MARGIN).clamp_min(
        height * SMALLEST_SHARE
    )  # (B, 1)
    centre = (low + high) / 2
    return FaceBoxes(torch.cat((centre - side / 2, centre + side / 2), 1), present)


def crop_faces(images: Tensor, boxes: FaceBoxes) -> Tensor:
    """images (B, 3, H, W) -> (B, 3, 64, 64), bilinear, borders replicated; differentiable in the
    images. float32."""
    x_0, y_0, x_1, y_1 = boxes.boxes_xyxy_px.unbind(1)
    centres = (torch.arange(CROP_PX, device=images.device) + 0.5) / CROP_PX
    x_px = x_0[:, None] + centres * (x_1 - x_0)[:, None]  # (B, 64)
    y_px = y_0[:, None] + centres * (y_1 - y_0)[:, None]
    return sample(
        images, x_px[:, None, :].expand(-1, CROP_PX, -1), y_px[:, :, None].expand(-1, -1, CROP_PX)
    )
