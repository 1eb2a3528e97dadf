"""GFLA's content-aware warp (psi of eq. 1) and its three samplers, in plain PyTorch.

For target position p, window offsets d in {-r..r}^2, flow f:
    s_d(p) = bilinear(source, p + f(p) + d)        t_d(p) = target[p + d]
    a(p)   = softmax over d of conv1x1(act(sum_d W_s,d s_d + W_t,d t_d + b))
    out(p) = sum_d a_d(p) s_d(p)
Borders replicate. Flow is in pixels of its own map, channel 0 = x, 1 = y.

GFLA averages the window, so its result is this divided by window^2; the sum
keeps both sides of the blend in eq. 1 on one scale.

`LocalAttention` never builds the window^2 copies, yet computes the same numbers:
- all window^2 samples of one p share one fractional offset, so convolving the
  source first (the key map) and sampling once afterwards gives the same logits;
- the two-tap bilinear weights fold into a, giving one weighted sum over
  (window + 1)^2 whole source pixels: an embedding bag.
`literal_local_attention` is the definition above, for tests and benches.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dancepipe.geometry import unit_px
from dancepipe.nn.blocks import activate, in_float32


def coordinates(flow: Tensor) -> tuple[Tensor, Tensor]:
    """Where each position of a flow (B, 2, H, W) points: x_px, y_px, each (B, H, W), never below
    float32."""
    flow = flow if flow.dtype == torch.float64 else flow.float()
    y, x = torch.meshgrid(
        *(torch.arange(side, device=flow.device, dtype=flow.dtype) for side in flow.shape[2:]),
        indexing="ij",
    )
    return x + flow[:, 0], y + flow[:, 1]


def sample(source: Tensor, x_px: Tensor, y_px: Tensor, outside: str = "border") -> Tensor:
    """Bilinear samples. source (B or 1, C, H, W), points (B, h, w) -> (B, C, h, w) in the points'
    dtype.

    outside: "border" replicates the borders, "zeros" has nothing beyond them. A point that is not a
    number is taken for the middle of the picture.
    """
    height, width = source.shape[2:]
    grid = torch.stack((unit_px(x_px, width), unit_px(y_px, height)), -1)
    grid = grid.nan_to_num(0.0)  # the gradient of grid_sample would write outside of its memory
    source = source.to(grid.dtype).expand(len(grid), -1, -1, -1)
    return F.grid_sample(source, grid, mode="bilinear", padding_mode=outside, align_corners=True)


def warp(source: Tensor, flow: Tensor) -> Tensor:
    """source (B or 1, C, H, W) along a flow (B, 2, h, w) of its size: (B, C, h, w), W_theta of
    eq. 4 and D_theta of eq. 5."""
    return sample(source, *coordinates(flow))


def block_extractor(source: Tensor, flow: Tensor, window: int) -> Tensor:
    """All window^2 samples side by side: (B, C, window * H, window * W).

    Cell (y * window + i, x * window + j) is the source at (x + j - r, y + i - r) + flow(x, y).
    GFLA's BlockExtractor.
    """
    x_px, y_px = (
        points.repeat_interleave(window, 1).repeat_interleave(window, 2)
        for points in coordinates(flow)
    )
    offsets = torch.arange(window, device=flow.device, dtype=x_px.dtype) - window // 2
    x_px = x_px + offsets.repeat(flow.shape[3])  # (B, window * H, window * W)
    y_px = y_px + offsets.repeat(flow.shape[2])[:, None]
    return sample(source, x_px, y_px)


def local_attn_reshape(attention: Tensor, window: int) -> Tensor:
    """(B, window^2, H, W) -> (B, 1, window * H, window * W) in block_extractor's layout. GFLA's
    LocalAttnReshape."""
    return F.pixel_shuffle(attention, window)


def _widened(x: Tensor, by: int) -> Tensor:
    """x with its border pixels repeated outwards: (B, C, H, W) -> (B, C, H + 2 by, W + 2 by)."""
    if not torch.compiler.is_compiling():
        return F.pad(x, (by,) * 4, mode="replicate")
    # The same, slower when it is not compiled: inductor is wrong about how the gradient of F.pad
    # lies in memory, and stops (PyTorch 2.14).
    for side in (2, 3):
        first, last = x.narrow(side, 0, 1), x.narrow(side, x.shape[side] - 1, 1)
        x = torch.cat((*[first] * by, x, *[last] * by), side)
    return x


def _gather(source: Tensor, weights: Tensor, first_x: Tensor, first_y: Tensor) -> Tensor:
    """Weighted sums over a stencil of whole source pixels.

    source (B or 1, C, H, W); weights (B, h, w, n, n), rows first; first_x, first_y (B, h, w): the
    whole-numbered corner of the stencil, as floats. Pixels outside are replaced by the nearest
    border pixel. Returns (B, C, h, w) in the weights' dtype.
    """
    height, width = source.shape[2:]
    batch, h, w, n, _ = weights.shape
    steps = torch.arange(n, device=source.device, dtype=first_x.dtype)
    if torch.onnx.is_in_onnx_export():
        return _gathered_in_graph(source, weights, first_x, first_y)
    # A flow that is not a number reaches the loss through the weights; it must not become an
    # address.
    x = (first_x.nan_to_num()[..., None] + steps).clamp(0, width - 1).int()  # (B, h, w, n)
    y = (first_y.nan_to_num()[..., None] + steps).clamp(0, height - 1).int()
    addresses = y[..., :, None] * width + x[..., None, :]  # (B, h, w, n, n)
    if len(source) > 1:
        pictures = torch.arange(batch, device=source.device, dtype=torch.int32)
        addresses = addresses + (pictures * (height * width)).view(-1, 1, 1, 1, 1)
    # The table must be contiguous: on a permuted view embedding_bag is 40 times slower. Free if
    # source is channels_last.
    table = (
        source.permute(0, 2, 3, 1).contiguous().view(-1, source.shape[1]).to(weights.dtype)
    )  # (B * H * W, C)
    summed = F.embedding_bag(
        addresses.reshape(-1, n * n),
        table,
        per_sample_weights=weights.reshape(-1, n * n),
        mode="sum",
    )
    return summed.view(batch, h, w, -1).permute(0, 3, 1, 2)  # (B, C, h, w), channels_last in memory


def _gathered_in_graph(source: Tensor, weights: Tensor, first_x: Tensor, first_y: Tensor) -> Tensor:
    """_gather of a source of batch 1 by operators that ONNX has."""
    height, width = source.shape[2:]
    batch, h, w, n, _ = weights.shape
    steps = torch.arange(n, device=source.device, dtype=first_x.dtype)
    x = (first_x.nan_to_num()[..., None] + steps).clamp(0, width - 1).long()  # (B, h, w, n)
    y = (first_y.nan_to_num()[..., None] + steps).clamp(0, height - 1).long()
    addresses = (y[..., :, None] * width + x[..., None, :]).reshape(-1, n * n)
    table = source.permute(0, 2, 3, 1).reshape(-1, source.shape[1])  # (H * W, C)
    summed = weights.reshape(-1, 1, n * n) @ table[addresses]  # (B h w, 1, C)
    return summed.view(batch, h, w, -1).permute(0, 3, 1, 2)


def resample2d(source: Tensor, flow: Tensor, sigma_px: float = 2.0) -> Tensor:
    """Warp with a smooth 4x4 Gaussian window, normalised: (B, C, h, w). GFLA's Resample2d(4, 1,
    sigma=2).

    Taps floor(q) - 1 .. floor(q) + 2 per axis around the sampled point q; its gradient by the flow
    reaches further than bilinear's.
    """
    x_px, y_px = coordinates(flow)
    first_x, first_y = torch.floor(x_px) - 1, torch.floor(y_px) - 1
    taps = torch.arange(4, device=flow.device, dtype=x_px.dtype)
    weight_x, weight_y = (
        torch.softmax(
            -((first[..., None] + taps - point[..., None]) ** 2) / (2 * sigma_px**2), -1
        )  # = exp(...) / its sum
        for first, point in ((first_x, x_px), (first_y, y_px))
    )
    return _gather(source, weight_y[..., :, None] * weight_x[..., None, :], first_x, first_y)


class LocalAttention(nn.Module):
    """psi of eq. 1. channels: of source and target; hidden: of the logits' layer; window: odd."""

    def __init__(self, channels: int, hidden: int, window: int):
        super().__init__()
        self.window = window
        self.from_target = nn.Conv2d(channels, hidden, window)
        self.from_source = nn.Conv2d(channels, hidden, window, bias=False)
        self.logits = nn.Conv2d(hidden, window * window, 1)

    def key_map(self, source: Tensor) -> Tensor:
        """The source's share of the logits, before sampling: (B, hidden, H + 2r, W + 2r).
        Depends on the reference only."""
        r = self.window // 2
        return self.from_source(_widened(source, 2 * r))

    def forward(self, source: Tensor, key: Tensor, target: Tensor, flow: Tensor) -> Tensor:
        """source (B or 1, C, H, W), key = key_map(source), target (B, C, H, W), flow (B, 2, H,
        W) -> (B, C, H, W), float32."""
        r = self.window // 2
        x_px, y_px = coordinates(flow)
        hidden = self.from_target(_widened(target, r)) + sample(
            key, x_px + r, y_px + r
        )  # (B, hidden, H, W)
        attention = torch.softmax(
            in_float32(self.logits, activate(hidden)), 1
        )  # (B, window^2, H, W)

        batch, _, h, w = attention.shape
        attention = attention.permute(0, 2, 3, 1).view(batch, h, w, self.window, self.window)
        first_x, first_y = torch.floor(x_px), torch.floor(y_px)
        right = (x_px - first_x)[
            ..., None, None
        ]  # the share of the right-hand and of the lower tap
        lower = (y_px - first_y)[..., None, None]
        wide = F.pad(attention * (1 - right), (0, 1)) + F.pad(
            attention * right, (1, 0)
        )  # (B, h, w, window, window + 1)
        stencil = F.pad(wide * (1 - lower), (0, 0, 0, 1)) + F.pad(wide * lower, (0, 0, 1, 0))
        return _gather(source, stencil, first_x - r, first_y - r)


def literal_local_attention(
    layer: LocalAttention, source: Tensor, target: Tensor, flow: Tensor
) -> Tensor:
    """The same as layer(source, layer.key_map(source), target, flow) by GFLA's own route, with
    its window^2 copies."""
    window = layer.window
    source_blocks = block_extractor(source, flow, window)  # (B, C, window * H, window * W)
    target_blocks = block_extractor(target, torch.zeros_like(flow), window)
    hidden = F.conv2d(source_blocks, layer.from_source.weight, stride=window)
    hidden = hidden + F.conv2d(
        target_blocks, layer.from_target.weight, layer.from_target.bias, stride=window
    )
    attention = local_attn_reshape(torch.softmax(layer.logits(activate(hidden)), 1), window)
    return F.avg_pool2d(source_blocks * attention, window) * window**2
