"""Edges and fine contrast against calculations by hand, and that blur is what they punish."""

import pytest
import torch

from dancepipe.losses.fine_detail import gradient_loss, lost_detail_loss


def stripes(period: int, side: int = 64, shift: int = 0) -> torch.Tensor:
    """(1, 3, side, side) in [-0.5, 0.5]: vertical stripes `period` pixels wide."""
    x = ((torch.arange(side) + shift) // period % 2).float() - 0.5
    return x.expand(1, 3, side, side).clone()


def test_gradient_loss_of_one_step_edge():
    made, target = torch.zeros(1, 3, 8, 8), torch.zeros(1, 3, 8, 8)
    target[..., 4:] = 1  # one edge among the 7 differences across, then among 3, then the only one
    assert gradient_loss(made, target).item() == pytest.approx((1 / 7 + 1 / 3 + 1) / 2 / 3)


def test_gradient_loss_does_not_mind_brightness():
    target = stripes(4)
    assert gradient_loss(target + 0.2, target).item() == pytest.approx(0, abs=1e-6)


def test_lost_detail_is_the_share_dropped_times_the_contrast_there():
    torch.manual_seed(0)
    noise, mask = torch.randn(4, 1, 256, 256).expand(-1, 3, -1, -1), torch.ones(4, 1, 256, 256)
    price = lost_detail_loss(torch.full_like(mask, 0.75), 0.2 * noise, 0.4 * noise, mask)
    # white noise less its Gaussian blur of 1 px keeps 1 - 2 / (2 pi) + 1 / (4 pi) of its variance
    kept = (1 - 1 / torch.pi + 1 / (4 * torch.pi)) ** 0.5
    assert price.item() == pytest.approx(0.25 * 0.2 * kept, rel=0.02)
    assert lost_detail_loss(
        torch.full_like(mask, 0.75), 0.4 * noise, 0.2 * noise, mask
    ).item() == pytest.approx(price.item())
    assert lost_detail_loss(mask, 0.2 * noise, 0.4 * noise, mask).item() == 0


def test_dropping_what_the_target_does_not_have_is_free():
    mask, open_gate = torch.ones(1, 1, 64, 64), torch.zeros(1, 1, 64, 64)
    assert lost_detail_loss(
        open_gate, stripes(2), torch.zeros(1, 3, 64, 64), mask
    ).item() == pytest.approx(0, abs=1e-6)
    assert lost_detail_loss(open_gate, stripes(2), stripes(2, shift=1), mask).item() > 0.1


def test_dropping_detail_of_the_wrong_colour_is_free():
    """A face on the back of a head is sharp, and wrong."""
    mask, open_gate = torch.ones(1, 1, 64, 64), torch.zeros(1, 1, 64, 64)
    prices = [
        lost_detail_loss(open_gate, stripes(2) + off, stripes(2), mask).item()
        for off in (0, 0.2, 0.45, -0.45, 0.7)
    ]
    assert prices[1:] == pytest.approx([prices[0], prices[0] / 2, prices[0] / 2, 0], abs=1e-6)
    half = mask.clone()
    half[..., 32:] = 0  # what lies outside of the person has no say in whether the copy is right
    wrong_outside = torch.where(half > 0, stripes(2), 1.0)
    assert lost_detail_loss(open_gate, wrong_outside, stripes(2), half).item() == pytest.approx(
        prices[0], rel=0.1
    )


def test_a_gate_that_flickers_pays_as_much_as_an_even_one():
    mask, even = torch.ones(1, 1, 64, 64), torch.full((1, 1, 64, 64), 0.5)
    checkerboard = (
        (torch.arange(64)[:, None] + torch.arange(64)[None]).remainder(2).float()[None, None]
    )
    prices = [
        lost_detail_loss(gate, stripes(2), stripes(2), mask).item() for gate in (even, checkerboard)
    ]
    assert prices[0] == pytest.approx(prices[1])


def test_lost_detail_looks_at_the_person_only():
    mask = torch.zeros(1, 1, 64, 64)
    mask[..., :32] = 1
    gate = torch.ones(1, 1, 64, 64)
    gate[..., 40:] = 0
    assert lost_detail_loss(gate, stripes(2), stripes(2), mask).item() == 0
    assert lost_detail_loss(gate, stripes(2), stripes(2), 1 - mask).item() > 0.1
