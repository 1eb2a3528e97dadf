"""The norm of stage 1 is instance norm, in value and in every gradient, in every memory format
and precision."""

import pytest
import torch
import torch.nn.functional as F

from dancepipe.nn.blocks import InstanceNorm, instance_norm

FORMATS = [torch.contiguous_format, torch.channels_last]


def literal(x, weight=None, bias=None):
    """In float64 and NCHW, by PyTorch."""
    return F.instance_norm(x, None, None, weight, bias)


def case(batch: int, dtype=torch.float64):
    random = torch.Generator().manual_seed(batch)
    x, upstream = (
        torch.randn(batch, 5, 6, 7, generator=random, dtype=torch.float64) for _ in range(2)
    )
    weight, bias = (torch.randn(5, generator=random, dtype=torch.float64) for _ in range(2))
    return [(3 * x + 10).to(dtype), upstream.to(dtype), weight.to(dtype), bias.to(dtype)]


def with_gradients(norm, x, upstream, *affine):
    leaves = [value.clone().requires_grad_() for value in (x, *affine)]
    made = norm(*leaves)
    return [made, *torch.autograd.grad(made, leaves, upstream)]


@pytest.mark.parametrize("memory_format", FORMATS)
@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("is_affine", [True, False])
def test_it_is_instance_norm_in_value_and_gradient(memory_format, batch, is_affine):
    x, upstream, *affine = case(batch)
    affine = affine if is_affine else []
    wanted = with_gradients(literal, x, upstream, *affine)
    images = (value.contiguous(memory_format=memory_format) for value in (x, upstream))
    for made, expected in zip(with_gradients(instance_norm, *images, *affine), wanted, strict=True):
        torch.testing.assert_close(made, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("dtype, tolerance", [(torch.float32, 1e-5), (torch.bfloat16, 1.5e-2)])
def test_it_is_so_in_the_precisions_of_training_and_keeps_the_format(dtype, tolerance):
    wanted = with_gradients(literal, *(value.to(dtype).double() for value in case(2)))
    x, upstream, *affine = case(2, dtype)
    x, upstream = (value.contiguous(memory_format=torch.channels_last) for value in (x, upstream))
    got = with_gradients(instance_norm, x, upstream, *(value.float() for value in affine))
    assert got[0].dtype == got[1].dtype == dtype and got[2].dtype == torch.float32
    assert all(value.is_contiguous(memory_format=torch.channels_last) for value in got[:2])
    for made, expected in zip(got, wanted):
        assert (made.double() - expected).norm() < tolerance * expected.norm()


def test_a_large_level_costs_no_precision():
    x = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(
        InstanceNorm(3)(x + 1000),
        InstanceNorm(3)((x + 1000).double()).float(),
        rtol=1e-3,
        atol=1e-3,
    )
