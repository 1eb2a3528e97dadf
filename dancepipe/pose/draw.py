"""Pose -> what the networks read: heat maps S (one Gaussian per joint) and the joint map J
(coloured limbs).

Batched torch, on the joints' device, without gradients. Points are in pixels of the drawn picture,
centres at integers.
"""

import colorsys
from typing import TYPE_CHECKING

from dancepipe.pose.skeleton import LIMBS

if TYPE_CHECKING:
    import torch

SIGMA_OF_HEIGHT = 6 / 256  # heat map sigma in heights
LIMB_WIDTH_OF_HEIGHT = 0.016
_HALF_THICK, _FAR = 4.0, 765.0  # px at a height of 256, of limb_distances
LIMB_COLOURS = tuple(colorsys.hsv_to_rgb(i / len(LIMBS), 1.0, 1.0) for i in range(len(LIMBS)))


def heat_maps(
    joints: "torch.Tensor", height: int, width: int, sigma_px: float | None = None
) -> "torch.Tensor":
    """joints (B, 18, 3): x_px, y_px, confidence -> (B, 18, height, width), sub-pixel Gaussians of
    peak 1.

    A joint with confidence <= 0 gives an all-zero channel. sigma_px defaults to 6 * height / 256.
    """
    import torch

    _check(joints)
    sigma = SIGMA_OF_HEIGHT * height if sigma_px is None else sigma_px
    with torch.no_grad():
        joints = joints.float()
        # exp(-(dx^2 + dy^2)) is an outer product: H + W exponentials for a joint in place of H * W.
        columns = torch.arange(width, device=joints.device, dtype=torch.float32)
        rows = torch.arange(height, device=joints.device, dtype=torch.float32)
        across = torch.exp((columns - joints[..., 0:1]).square() * (-0.5 / sigma**2))  # (B, 18, W)
        down = torch.exp((rows - joints[..., 1:2]).square() * (-0.5 / sigma**2))  # (B, 18, H)
        # torch.where, not a product: a missing joint may carry any point, even nan.
        down = torch.where(joints[..., 2:3] > 0, down, torch.zeros_like(down)).transpose(1, 2)
        across = torch.where(joints[..., 2:3] > 0, across, torch.zeros_like(across)).transpose(1, 2)
        return (down[:, :, None] * across[:, None]).permute(
            0, 3, 1, 2
        )  # (B, 18, H, W), channels_last in memory


def joint_map(
    joints: "torch.Tensor", height: int, width: int, device: "torch.device | str | None" = None
) -> "torch.Tensor":
    """joints (B, 18, 3) as above -> (B, 3, height, width) in [0, 1] on `device` (default: the
    joints'): 17 anti-aliased limbs on black.

    Limb i has the hue i / 17, is 0.016 * height wide with round ends, lies over the limbs before
    it, and is left out when one of its ends is missing. Joints are looked at on the CPU: give them
    there, and nothing waits for the device.
    """
    import torch

    _check(joints)
    batch = joints.shape[0]
    with torch.no_grad():
        device = joints.device if device is None else device
        ends = (
            joints.float().cpu()[:, torch.tensor(LIMBS)].transpose(0, 1)
        )  # (17, B, 2, 3): painted limb by limb
        half_width = LIMB_WIDTH_OF_HEIGHT * height / 2
        present = (ends[..., 2] > 0).all(-1) & torch.isfinite(ends).all(-1).all(-1)  # (17, B)
        limb_index, sample_index = present.nonzero(as_tuple=True)  # sorted by limb
        start, end = ends[present][:, 0, :2], ends[present][:, 1, :2]  # (N, 2)
        if not len(start):
            return torch.zeros(batch, 3, height, width, device=device)

        # Each limb is looked at only inside its own bounding box; all boxes' pixels stand in one
        # flat list.
        reach = half_width + 1
        size = torch.tensor([width, height])
        low = (torch.minimum(start, end) - reach).ceil().clamp(min=0).minimum(size.float()).long()
        high = (
            (torch.maximum(start, end) + reach)
            .floor()
            .add(1)
            .clamp(min=0)
            .minimum(size.float())
            .long()
        )
        extent = (high - low).clamp(min=0)  # (N, 2) columns, rows
        area = extent.prod(1)
        begin = area.cumsum(0) - area
        limb_pixels = (
            torch.zeros(len(LIMBS), dtype=torch.long).index_add_(0, limb_index, area).tolist()
        )
        total = int(area.sum())

        owner = torch.repeat_interleave(
            torch.arange(len(area), device=device), area.to(device), output_size=total
        )
        within = torch.arange(total, device=device) - begin.to(device)[owner]
        columns = extent[:, 0].to(device)[owner].clamp(min=1)
        row = torch.div(within, columns, rounding_mode="floor")
        y = row + low[:, 1].to(device)[owner]
        x = within - row * columns + low[:, 0].to(device)[owner]
        distance = _distance_to_limb(
            x.float(), y.float(), start.to(device), (end - start).to(device), owner
        )
        cover = (half_width + 0.5 - distance).clamp(0, 1)  # a one-pixel ramp
        pixel = (sample_index.to(device)[owner] * height + y) * width + x

        drawing = torch.zeros(batch * height * width, 3, device=device)
        colours = torch.tensor(LIMB_COLOURS, device=device)
        first = 0
        for limb, count in enumerate(
            limb_pixels
        ):  # painter's order; one limb covers no pixel twice
            where, alpha = pixel[first : first + count], cover[first : first + count, None]
            drawing[where] = torch.lerp(drawing[where], colours[limb].expand(count, 3), alpha)
            first += count
        return drawing.view(batch, height, width, 3).permute(
            0, 3, 1, 2
        )  # (B, 3, H, W), channels_last in memory


def limb_distances(joints: "torch.Tensor", height: int, width: int) -> "torch.Tensor":
    """joints (B, 18, 3) as above -> (B, 17, height, width) in [0, 1]: how far each pixel is from
    each limb, 1 being 765 px of a picture 256 high; 1 everywhere for a missing limb.

    After CoCosNet's maps: they say where a limb is in every pixel, so they can be shrunk without a
    filter. Distances are Euclidean, to a limb 8 px thick at 256.
    """
    import torch

    _check(joints)
    with torch.no_grad():
        ends = joints.float()[:, torch.tensor(LIMBS, device=joints.device)]  # (B, 17, 2, 3)
        present = (ends[..., 2] > 0).all(-1) & torch.isfinite(ends).all(-1).all(-1)
        ends = torch.where(present[..., None, None], ends, torch.zeros_like(ends))
        start, along = ends[:, :, 0, :2], ends[:, :, 1, :2] - ends[:, :, 0, :2]  # (B, 17, 2)
        dx = torch.arange(width, device=joints.device) - start[..., :1]  # (B, 17, W)
        dy = torch.arange(height, device=joints.device) - start[..., 1:]  # (B, 17, H)
        dx, dy = dx[:, :, None], dy[..., None]
        along_x, along_y = along[..., 0, None, None], along[..., 1, None, None]
        length_squared = (along_x.square() + along_y.square()).clamp_min(1e-12)
        t = ((dx * along_x + dy * along_y) / length_squared).clamp(0, 1)
        distance = torch.hypot(dx - t * along_x, dy - t * along_y) * (256 / height)
        near = ((distance - _HALF_THICK) / _FAR).clamp(0, 1)
        return torch.where(present[..., None, None], near, torch.ones_like(near))


def _distance_to_limb(x, y, start, along, owner):
    """Distance in px of pixel (x, y) to the segment of limb owner: start + t * along, t in [0,
    1]. All flat, (P,)."""
    along_x, along_y = along[:, 0][owner], along[:, 1][owner]
    length_squared = along.square().sum(1).clamp(min=1e-12)[owner]
    dx, dy = x - start[:, 0][owner], y - start[:, 1][owner]
    t = ((dx * along_x + dy * along_y) / length_squared).clamp(0, 1)
    return ((dx - t * along_x).square() + (dy - t * along_y).square()).sqrt()


def _check(joints) -> None:
    if joints.ndim != 3 or joints.shape[1:] != (18, 3):
        raise ValueError(f"joints must have shape (B, 18, 3), got {tuple(joints.shape)}")
