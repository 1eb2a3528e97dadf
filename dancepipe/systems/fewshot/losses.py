"""The terms of the reference moved: that it shows the target, and that the occlusion tells where it
does."""

import torch
import torch.nn.functional as F
from torch import Tensor

from dancepipe.losses.face import face_boxes
from dancepipe.losses.flow import ExactFlow
from dancepipe.systems.fewshot.network import FewshotMade
from dancepipe.systems.stage import NetworkPair

_REACH_OF_HEIGHT = 15 / 256  # of what is dilated and softened; 15 px


def occlusion_terms(made: FewshotMade, pair: NetworkPair) -> Tensor:
    """Mean over all pixels: anew where the moved reference is wrong, and where it brings what the
    target has not; from the reference where it is right, and in the face, which is to look like
    the reference's."""
    o = made.occlusion
    right = (1 - (made.warped - pair.I_t).abs().sum(1, keepdim=True)).clamp(0, 1)
    face = _soft_faces(pair)
    there = (_dilated(pair.matte_r) - _dilated(pair.matte_t)).clamp_min(0)
    return (
        (o * right).mean()
        + ((1 - o) * (1 - right)).mean()
        + (o * face).mean()
        + ((made.picture - made.warped.detach()).abs() * face).mean()
        + ((1 - o) * there).mean()
    )


def flow_term(made: FewshotMade, exact: ExactFlow) -> Tensor:
    """L1 in px against the flow that rendered people know, where the reference shows the pixel."""
    return ((made.flow - exact.flow).abs().mean(1, keepdim=True) * exact.visible).mean()


def _soft_faces(pair: NetworkPair) -> Tensor:
    """(B, 1, H, W): 1 in the target's face, falling to 0 around it; 0 where none is known."""
    height, width = pair.size_hw
    boxes = face_boxes(pair.joints_t, height)
    x_0, y_0, x_1, y_1 = boxes.boxes_xyxy_px[..., None].unbind(1)  # (B, 1) each
    x = torch.arange(width, device=x_0.device)
    y = torch.arange(height, device=x_0.device)
    across, down = ((x >= x_0) & (x <= x_1)), ((y >= y_0) & (y <= y_1))
    inside = (down[:, :, None] & across[:, None] & boxes.present[:, None, None]).float()[:, None]
    side = _odd_side(height)
    return F.avg_pool2d(inside, side, 1, side // 2)


def _dilated(matte: Tensor) -> Tensor:
    side = _odd_side(matte.shape[2])
    return F.max_pool2d(matte, side, 1, side // 2)


def _odd_side(height: int) -> int:
    return 2 * round(_REACH_OF_HEIGHT * height / 2) + 1
