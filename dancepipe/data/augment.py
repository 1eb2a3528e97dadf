"""What a pair may undergo on the way into training: mirrored and recoloured the same on reference
and target, so that the task stays the same; moved each in its own way, as people stand elsewhere in
another photo.
"""

import math

import torch
import torch.nn.functional as F

from dancepipe.data.pairs import PairBatch
from dancepipe.skeletons import BLAZEPOSE_33, OPENPOSE_18

# What comes from where in a mirrored picture. A hand's own points keep their numbers.
_MIRRORED_ORDER = {"joints": OPENPOSE_18.mirror, "landmarks": BLAZEPOSE_33.mirror, "hands": [1, 0]}


def mirrored(batch: PairBatch, which: torch.Tensor) -> PairBatch:
    """The pairs marked in `which` (bool (B,)) left-right mirrored, joints and landmarks renamed
    (left becomes right), the hands exchanged. Everything stays on its device."""
    values = dict(vars(batch))
    for role in ("reference", "target"):
        image, mask = (values[f"{role}_{part}"] for part in ("image", "mask"))
        here = which.to(image.device)
        values[f"{role}_image"] = torch.where(here[:, None, None, None], image.flip(2), image)
        values[f"{role}_mask"] = torch.where(here[:, None, None], mask.flip(2), mask)
        for part, order in _MIRRORED_ORDER.items():
            if (points := values[f"{role}_{part}"]) is not None:
                flipped = points[:, order].clone()
                flipped[..., 0] = image.shape[2] - 1 - flipped[..., 0]
                there = which.to(points.device).view(-1, *[1] * (points.ndim - 1))
                values[f"{role}_{part}"] = torch.where(there, flipped, points)
    if batch.flow is not None:
        assert batch.flow_visible is not None  # the two come together
        here = which.to(batch.flow.device)
        turned = batch.flow.flip(2) * batch.flow.new_tensor([-1, 1])
        values["flow"] = torch.where(here[:, None, None, None], turned, batch.flow)
        values["flow_visible"] = torch.where(
            here[:, None, None], batch.flow_visible.flip(2), batch.flow_visible
        )
    return PairBatch(**values)


def recoloured(
    images: torch.Tensor, masks: torch.Tensor, gain: torch.Tensor, order: torch.Tensor
) -> torch.Tensor:
    """Network pictures (B, 3, H, W) in [-1, 1] with their channels gained and reordered inside the
    mask.

    gain: (B, 3); order: int (B, 3), a permutation of the channels. masks: (B, 1, H, W)
    in [0, 1]. The grey background stays as it is.
    """
    batch = torch.arange(images.shape[0], device=images.device)[:, None]
    unit = (images + masks) / 2  # colour in [0, 1] times mask, since grey is 0
    changed = (unit[batch, order] * gain[:, :, None, None]).minimum(masks).clamp_min(0)
    return 2 * changed - masks


def random_colours(
    batch: int, strength: float, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """(gain (B, 3), channel order (B, 3)) on the CPU: gains exp(N(0, strength)), and the
    channels swapped in a third of the pairs."""
    gain = torch.exp(torch.randn(batch, 3, generator=generator) * strength)
    order = torch.arange(3).repeat(batch, 1)
    swap = torch.rand(batch, generator=generator) < 1 / 3
    for row in torch.nonzero(swap).flatten().tolist():
        order[row] = torch.randperm(3, generator=generator)
    return gain, order


def random_moves(
    batch: int, turn_degrees: float, shift: float, zoom: float, generator: torch.Generator
) -> torch.Tensor:
    """(B, 2, 3) on the CPU: turned by up to +- turn_degrees, scaled by 1 +- zoom, shifted by up to
    +- shift picture heights each way.

    A move (A, t) takes the point p of a picture with the centre c and the height H to A (p - c) + c
    + H t.
    """
    angle, size, across, down = (torch.rand(4, batch, generator=generator) * 2 - 1) * torch.tensor(
        [math.radians(turn_degrees), zoom, shift, shift]
    )[:, None]
    cos, sin = (1 + size) * torch.cos(angle), (1 + size) * torch.sin(angle)
    return torch.stack((torch.stack((cos, -sin, across), 1), torch.stack((sin, cos, down), 1)), 1)


def moved_joints(
    joints: torch.Tensor, moves: torch.Tensor, size_hw: tuple[int, int]
) -> torch.Tensor:
    """joints (B, 18, 3) px of pictures of that size, moved; confidences stay."""
    height, width = size_hw
    centre = joints.new_tensor([(width - 1) / 2, (height - 1) / 2])
    points = (
        (joints[..., :2] - centre) @ moves[:, :, :2].transpose(1, 2)
        + centre
        + height * moves[:, None, :, 2]
    )
    return torch.cat((points, joints[..., 2:]), -1)


def moved_landmarks(
    landmarks: torch.Tensor, moves: torch.Tensor, size_hw: tuple[int, int]
) -> torch.Tensor:
    """Points with depth (B, ..., 4), x_px, y_px, depth_px, confidence, moved: landmarks, or both
    hands. Depth changes as sizes do; confidences stay."""
    flat = landmarks.flatten(1, -2)
    size = torch.linalg.det(moves[:, :, :2]).sqrt()[:, None, None]
    moved = moved_joints(flat, moves, size_hw)
    return torch.cat((moved[..., :2], moved[..., 2:3] * size, moved[..., 3:]), -1).view_as(
        landmarks
    )


def moved_pictures(pictures: torch.Tensor, moves: torch.Tensor) -> torch.Tensor:
    """(B, C, H, W), moved, bilinear, on their device; what comes in from outside is 0: grey, and
    no person."""
    return _sampled(pictures, _origins(moves, pictures.shape, pictures.device))


def moved_flow(
    flow: torch.Tensor, visible: torch.Tensor, moves_r: torch.Tensor, moves_t: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """The flow of a pair whose reference and target were moved: target pixel p shows reference
    pixel p + flow(p).

    flow (B, 2, H, W) px, visible (B, 1, H, W): 1 where that is so. A moved position is visible when
    all that it is read from is.
    """
    height, width = flow.shape[2:]
    grid = _origins(
        moves_t, flow.shape, flow.device
    )  # where in the unmoved target each position comes from
    half, pixels = (
        _halves(flow, height, width),
        _origins(torch.eye(2, 3)[None], flow.shape, flow.device),
    )
    read = _sampled(torch.cat((flow * visible, visible), 1), grid)
    known = (read[:, 2:] > 1 - 1e-4).float()
    source = grid * half + read[:, :2].permute(
        0, 2, 3, 1
    )  # (B, H, W, 2), from the middle of the unmoved reference
    moves_r = moves_r.to(flow.device)
    source = (
        source @ moves_r[:, None, :, :2].transpose(2, 3) + height * moves_r[:, None, None, :, 2]
    )
    return (source - pixels * half).permute(0, 3, 1, 2) * known, known


def _halves(like: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """(2,): half the picture's width and height between its outermost pixels."""
    return like.new_tensor([(width - 1) / 2, (height - 1) / 2])


def _origins(moves: torch.Tensor, shape: tuple[int, ...], device: torch.device) -> torch.Tensor:
    """(B, H, W, 2): the point that each pixel of the moved picture comes from; the middle is 0,
    the outermost pixels are +-1."""
    height, width = shape[2:]
    half = _halves(moves, height, width)
    a, b, c, d = moves[:, 0, 0], moves[:, 0, 1], moves[:, 1, 0], moves[:, 1, 1]
    inverse = (
        torch.stack((torch.stack((d, -b), 1), torch.stack((-c, a), 1)), 1)
        / (a * d - b * c)[:, None, None]
    )
    back = -inverse @ (height * moves[:, :, 2:])
    theta = torch.cat((inverse * half, back), 2) / half[:, None]
    return F.affine_grid(theta.to(device), [len(moves), 1, height, width], align_corners=True)


def _sampled(pictures: torch.Tensor, origins: torch.Tensor) -> torch.Tensor:
    return F.grid_sample(
        pictures, origins, mode="bilinear", padding_mode="zeros", align_corners=True
    )
