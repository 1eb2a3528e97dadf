"""Stage 2 uses all it is given, at test it does not depend on the batch, and training it leaves
stage 1 as it was."""

import copy

import pytest
import torch

from dancepipe.systems.focus_retain.dims import EnhancerDims, FlowAttentionDims
from dancepipe.systems.focus_retain.enhancer import Enhancer
from dancepipe.systems.focus_retain.flow_attention import FlowAttentionNetwork


def inputs(batch=2, seed=0, size_hw=(48, 32)):
    random = torch.Generator().manual_seed(seed)
    coarse, matte_logits, J_t = (
        torch.randn(batch, channels, *size_hw, generator=random) for channels in (3, 1, 3)
    )
    return coarse.tanh(), matte_logits, J_t.sigmoid()


@pytest.mark.parametrize("norm", ["batch", "instance"])
def test_every_input_reaches_both_outputs(norm):
    enhancer = Enhancer(EnhancerDims(4, 8, norm)).eval()
    with torch.inference_mode():
        whole = enhancer(*inputs())
        assert whole.final.shape == (2, 3, 48, 32) and whole.matte_logits.shape == (2, 1, 48, 32)
        assert whole.final.abs().max() <= 1
        for i in range(3):
            changed = list(inputs())
            changed[i] = changed[i].flip(3)
            other = enhancer(*changed)
            assert (whole.final - other.final).abs().max() > 1e-4
            assert (whole.matte_logits - other.matte_logits).abs().max() > 1e-4


@pytest.mark.parametrize("norm", ["batch", "instance"])
def test_at_test_a_frame_does_not_depend_on_its_batch(norm):
    enhancer = Enhancer(EnhancerDims(4, 8, norm))
    enhancer(*inputs(batch=4, seed=1))  # running statistics that are not the initial ones
    enhancer.eval()
    with torch.inference_mode():
        together = enhancer(*inputs(batch=3)).final
        for i in range(3):
            alone = enhancer(*(tensor[i : i + 1] for tensor in inputs(batch=3))).final
            torch.testing.assert_close(together[i : i + 1], alone, rtol=0, atol=1e-5)


def test_with_instance_norm_gradients_of_pictures_one_by_one_add_up():
    torch.manual_seed(0)
    # In double precision: rounding that differs between batch sizes can put a value on the other
    # side of a ReLU.
    enhancer = Enhancer(EnhancerDims(4, 8, "instance")).double()
    parameters = list(enhancer.parameters())
    whole = [one.double() for one in inputs(batch=3)]
    together = torch.autograd.grad(enhancer(*whole).final.square().sum(), parameters)
    alone = [
        torch.autograd.grad(
            enhancer(*(one[i : i + 1] for one in whole)).final.square().sum(), parameters
        )
        for i in range(3)
    ]
    for grads, expected in zip(zip(*alone), together):
        torch.testing.assert_close(sum(grads), expected, rtol=1e-6, atol=1e-6)


def test_training_it_leaves_stage_1_bit_identical():
    torch.manual_seed(0)
    stage_1, enhancer = (
        FlowAttentionNetwork(FlowAttentionDims(8)).eval().requires_grad_(False),
        Enhancer(EnhancerDims(4, 8)),
    )
    before, enhancer_before = (
        copy.deepcopy(stage_1.state_dict()),
        copy.deepcopy(enhancer.state_dict()),
    )
    optimiser = torch.optim.Adam(enhancer.parameters(), 1e-3)
    I_r, S_r, S_t, J_r, J_t = (torch.rand(2, channels, 32, 32) for channels in (3, 18, 18, 3, 3))
    for _ in range(2):
        with torch.no_grad():
            coarse = stage_1(I_r, S_r, S_t, J_r, J_t)
        made = enhancer(coarse.coarse, coarse.matte_logits, J_t)
        loss = made.final.abs().mean() + made.matte_logits.sigmoid().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert all(torch.equal(tensor, before[name]) for name, tensor in stage_1.state_dict().items())
    still = [
        name
        for name, tensor in enhancer.state_dict().items()
        if torch.equal(tensor, enhancer_before[name])
    ]
    assert still == []  # weights and running statistics alike


def test_sizes_that_are_no_multiple_of_16_are_refused():
    with pytest.raises(ValueError, match=r"multiples of 16, got \(40, 32\)"):
        Enhancer(EnhancerDims(4, 8))(*inputs(size_hw=(40, 32)))
