"""Edges and fine contrast against calculations by hand, and that blur is what they punish."""

import pytest
import torch
import torch.nn.functional as F

from dancepipe.model.fine_detail import gradient_loss, lost_detail_loss


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


def test_lost_detail_loss_prefers_shifted_stripes_to_blurred_ones():
    target, mask = stripes(2), torch.ones(1, 1, 64, 64)
    blurred, shifted = F.avg_pool2d(F.pad(target, (4, 4, 4, 4), mode="reflect"), 9, 1), stripes(2, shift=1)
    assert F.l1_loss(blurred, target) < F.l1_loss(shifted, target) + 0.01  # L1 does not tell
    assert lost_detail_loss(shifted, target, mask) < 0.2 * lost_detail_loss(blurred, target, mask)


def test_lost_detail_of_noise_is_what_its_deviation_lacks():
    torch.manual_seed(0)
    noise, mask = torch.randn(4, 1, 256, 256).expand(-1, 3, -1, -1), torch.ones(4, 1, 256, 256)
    weak, strong = lost_detail_loss(0.1 * noise, 0.2 * noise, mask), lost_detail_loss(0.1 * noise, 0.4 * noise, mask)
    assert lost_detail_loss(0.2 * noise, 0.1 * noise, mask).item() == 0  # too much is none of its business
    assert (strong / weak).item() == pytest.approx(3, rel=0.02)  # (.4 - .1) / (.2 - .1)


def test_lost_detail_loss_looks_at_the_person_only():
    target, mask = stripes(2), torch.zeros(1, 1, 64, 64)
    mask[..., :32] = 1
    made = target.clone()
    made[..., 40:] = 0
    assert lost_detail_loss(made, target, mask).item() == 0
    assert lost_detail_loss(made, target, 1 - mask).item() > 0.1
