"""The fast local attention is the literal one; the samplers are what their formulas say."""

import pytest
import torch
import torch.nn.functional as F

from dancepipe.nn import local_attention
from dancepipe.nn.local_attention import (
    LocalAttention,
    block_extractor,
    literal_local_attention,
    local_attn_reshape,
    resample2d,
    sample,
    warp,
)

SIZES_HW = [(6, 6), (5, 9)]


def drawn(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def constant_flow(x_px, y_px, height, width, batch=1):
    return (
        torch.tensor([x_px, y_px], dtype=torch.float64)
        .view(1, 2, 1, 1)
        .expand(batch, 2, height, width)
    )


def uniform_attention(channels, window):
    layer = LocalAttention(channels, 8, window).double()
    torch.nn.init.zeros_(layer.logits.weight)
    torch.nn.init.zeros_(layer.logits.bias)
    return layer


@pytest.fixture(params=["cpu", "cuda"])
def device(request):
    if request.param == "cuda" and not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    return request.param


@pytest.mark.parametrize("window", [3, 5])
@pytest.mark.parametrize("size_hw", SIZES_HW)
def test_fast_is_literal_in_value_and_in_every_gradient(window, size_hw, device):
    torch.manual_seed(1)
    layer = LocalAttention(4, 8, window).double().to(device)
    inputs = [
        drawn(2, channels, *size_hw, seed=seed).to(device) * factor
        for channels, seed, factor in ((4, 2, 1), (4, 3, 1), (2, 4, 2))
    ]
    flow = inputs[2]
    flow[:, :, 0, 0] = torch.tensor(
        [-(window + 40.3), window + 31.7]
    )  # out of the picture by more than the window, every way
    flow[:, :, -1, -1] = torch.tensor([window + 25.2, -(window + 17.9)])
    upstream = drawn(2, 4, *size_hw, seed=5).to(device)
    results = []
    for route in (
        lambda source, target, flow: layer(source, layer.key_map(source), target, flow),
        lambda source, target, flow: literal_local_attention(layer, source, target, flow),
    ):
        leaves = [tensor.clone().requires_grad_() for tensor in inputs]
        value = route(*leaves)
        results.append(
            [value, *torch.autograd.grad(value, leaves + list(layer.parameters()), upstream)]
        )
    names = ["value", "source", "target", "flow", *(name for name, _ in layer.named_parameters())]
    for name, fast, literal in zip(names, *results):
        assert literal.abs().max() > 1e-4, name  # each of them takes part
        torch.testing.assert_close(
            fast, literal, rtol=0, atol=1e-9, msg=lambda text: f"{name}: {text}"
        )


@pytest.mark.parametrize("window", [3, 5])
def test_no_flow_and_uniform_attention_is_a_box_sum(window):
    source, target = drawn(1, 3, 6, 8), drawn(1, 3, 6, 8, seed=1)
    layer = uniform_attention(3, window)
    out = layer(source, layer.key_map(source), target, constant_flow(0, 0, 6, 8))
    box = F.avg_pool2d(F.pad(source, (window // 2,) * 4, mode="replicate"), window, 1)
    torch.testing.assert_close(out, box)


def test_whole_flow_is_a_shifted_picture():
    source = drawn(1, 3, 6, 8)
    moved = warp(source, constant_flow(2, -1, 6, 8))
    torch.testing.assert_close(
        moved[:, :, 1:, :-2], source[:, :, :-1, 2:]
    )  # channel 0 is x, and f points to the source
    torch.testing.assert_close(
        moved[:, :, 0, :-2], source[:, :, 0, 2:]
    )  # above the border: the border
    box = F.avg_pool2d(F.pad(moved, (1,) * 4, mode="replicate"), 3, 1)
    layer = uniform_attention(3, 3)
    out = layer(
        source, layer.key_map(source), drawn(1, 3, 6, 8, seed=1), constant_flow(2, -1, 6, 8)
    )
    torch.testing.assert_close(out[:, :, 2:-1, 1:-3], box[:, :, 2:-1, 1:-3])


def test_one_source_serves_many_targets():
    layer = LocalAttention(4, 8, 3).double()
    source, targets, flows = drawn(1, 4, 6, 7), drawn(3, 4, 6, 7, seed=1), drawn(3, 2, 6, 7, seed=2)
    together = layer(source, layer.key_map(source), targets, flows)
    each = [
        layer(source, layer.key_map(source), targets[i : i + 1], flows[i : i + 1]) for i in range(3)
    ]
    torch.testing.assert_close(together, torch.cat(each))


def test_flow_that_is_not_a_number_stays_where_it_is():
    layer = LocalAttention(4, 8, 3).double()
    source, target, flow = (
        drawn(1, 4, 6, 6),
        drawn(1, 4, 6, 6, seed=1),
        torch.zeros(1, 2, 6, 6, dtype=torch.float64),
    )
    flow[0, 0, 2, 2], flow[0, 1, 3, 3] = float("nan"), float("inf")
    out = layer(source, layer.key_map(source), target, flow)
    assert not torch.isfinite(out[0, :, 2, 2]).any() and not torch.isfinite(out[0, :, 3, 3]).any()
    assert torch.isfinite(out[0, :, 0, 0]).all()


@pytest.mark.parametrize("by", [1, 4])
def test_the_border_is_repeated_the_same_way_when_compiled(by, monkeypatch):
    picture = drawn(2, 3, 5, 7)
    plain = local_attention._widened(picture, by)
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    assert torch.equal(local_attention._widened(picture, by), plain) and plain.shape == (
        2,
        3,
        5 + 2 * by,
        7 + 2 * by,
    )


def test_sampling_at_what_is_not_a_number_harms_nothing():
    source, flow = drawn(1, 3, 32, 32).float().requires_grad_(), torch.zeros(1, 2, 32, 32)
    flow[:, :, ::2] = float("nan")
    flow[0, 0, 1], flow[0, 1, 3] = float("inf"), -float("inf")
    flow.requires_grad_()
    warp(
        source,
        flow,
        # in PyTorch 2.14 this ends the process on the CPU when coordinates are not numbers
    ).sum().backward()
    assert torch.isfinite(source.grad).all() and (flow.grad[:, :, ::2] == 0).all()


def test_block_extractor_lays_the_window_out_rows_first():
    source, flow = drawn(2, 3, 5, 7), drawn(2, 2, 5, 7, seed=1)
    blocks = block_extractor(source, flow, 3)
    assert blocks.shape == (2, 3, 15, 21)
    for i in range(3):
        for j in range(3):
            offset = torch.tensor([j - 1.0, i - 1.0], dtype=torch.float64).view(1, 2, 1, 1)
            torch.testing.assert_close(blocks[:, :, i::3, j::3], warp(source, flow + offset))


def test_local_attn_reshape_matches_block_extractor():
    attention = drawn(1, 9, 2, 3)
    spread = local_attn_reshape(attention, 3)
    assert spread.shape == (1, 1, 6, 9)
    assert spread[0, 0, 3 * 1 + 2, 3 * 2 + 0] == attention[0, 2 * 3 + 0, 1, 2]


def test_resample2d_by_hand():
    source = drawn(1, 2, 8, 8)
    out = resample2d(source, constant_flow(0.25, -0.5, 8, 8), sigma_px=2.0)
    x, y = 3 + 0.25, 4 - 0.5
    total, weights = torch.zeros(2, dtype=torch.float64), 0.0
    for column in range(2, 6):
        for row in range(2, 6):
            weight = torch.exp(
                torch.tensor(-((column - x) ** 2 + (row - y) ** 2) / 8, dtype=torch.float64)
            )
            total, weights = total + weight * source[0, :, row, column], weights + weight
    torch.testing.assert_close(out[0, :, 4, 3], total / weights)


def test_samples_are_bilinear():
    source = torch.arange(12, dtype=torch.float64).view(1, 1, 3, 4)
    x, y = (
        torch.tensor([[[1.25]]], dtype=torch.float64),
        torch.tensor([[[0.5]]], dtype=torch.float64),
    )
    assert sample(source, x, y).item() == pytest.approx(0.5 * 4 + 1.25)
