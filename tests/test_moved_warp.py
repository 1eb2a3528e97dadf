"""The limb warp read beside its place: the same pixels, interpolated once."""

from dataclasses import replace

import pytest
import torch
from still_layers import still_layers
from test_prior import pair  # noqa: F401

from dancepipe.nn.local_attention import warp
from dancepipe.priors.limb_warp import limb_warp, warp_source


def shifted(pair, x_px, textured=False):
    """The pair whose target stands x_px to the right of the reference."""
    I_r, matte_r, joints_r, _ = pair
    if textured:
        I_r = torch.rand(I_r.shape, generator=torch.Generator().manual_seed(0)) * 2 - 1
    return I_r * matte_r, matte_r, joints_r, joints_r + torch.tensor([x_px, 0.0, 0.0])


def moves(pair, x_px, y_px=0.0):
    return torch.tensor([x_px, y_px]).view(1, 2, 1, 1).expand(1, 2, *pair[0].shape[2:])


def test_without_a_move_it_is_the_warp(pair):
    warped = limb_warp(*shifted(pair, 2.3))
    picture, matte = warped.layers.read(moves(pair, 0.0))
    torch.testing.assert_close(picture, warped.picture, atol=1e-4, rtol=0)
    torch.testing.assert_close(matte, warped.matte, atol=1e-4, rtol=0)


def test_nor_do_they_differ_where_the_reference_ends(pair):
    I_r, matte_r, joints, _ = pair
    everywhere = torch.ones_like(matte_r)
    warped = limb_warp(
        torch.ones_like(I_r), everywhere, joints + torch.tensor([44.0, 0.0, 0.0]), joints
    )  # half of the person stands beyond the edge
    picture, matte = warped.layers.read(moves(pair, 0.0))
    torch.testing.assert_close(picture, warped.picture, atol=1e-4, rtol=0)
    torch.testing.assert_close(matte, warped.matte, atol=1e-4, rtol=0)


def test_whole_pixels_beside_it_is_the_warp_there(pair):
    warped = limb_warp(*shifted(pair, 2.3))
    picture, matte = warped.layers.read(moves(pair, 3.0, -2.0))
    torch.testing.assert_close(
        picture[..., 2:, :-3], warped.picture[..., :-2, 3:], atol=1e-4, rtol=0
    )
    torch.testing.assert_close(matte[..., 2:, :-3], warped.matte[..., :-2, 3:], atol=1e-4, rtol=0)
    torch.testing.assert_close(
        picture[..., 2:, -3:],
        warped.picture[..., :-2, -1:].expand(-1, -1, -1, 3),
        atol=1e-4,
        rtol=0,
    )  # the border repeats


def test_two_half_pixels_make_a_whole_one_and_blur_nothing(pair):
    I_r, matte_r, *joints = shifted(pair, 0.5, textured=True)
    warped = limb_warp(I_r, matte_r, *joints)
    picture, matte = warped.layers.read(
        moves(pair, -0.5)
    )  # target p takes the warp's p - 1/2, which is the reference's p - 1
    inside = (
        torch.nn.functional.max_pool2d(1 - warped.layers.rest[:, :1] * warped.matte, 7, 1, 3) < 1e-3
    )
    assert inside.sum() > 100
    once, whole = picture[..., 1:], I_r[..., :-1]
    torch.testing.assert_close(
        once[inside[..., 1:].expand_as(once)],
        whole[inside[..., 1:].expand_as(once)],
        atol=1e-3,
        rtol=0,
    )
    twice = warp(warped.picture, moves(pair, -0.5))[..., 1:]
    assert (twice - whole)[inside[..., 1:].expand_as(once)].abs().mean() > 0.1, (
        "what reading the finished warp would cost"
    )


def test_beyond_the_reference_lies_nothing():
    everywhere = torch.ones(1, 4, 32, 32)
    layers = replace(
        still_layers(everywhere[:, :3], everywhere[:, 3:]),
        maps=torch.tensor([[[[1.0, 0.0, -10.0], [0.0, 1.0, 0.0]]]]),
    )
    for values in layers.read(torch.zeros(1, 2, 32, 32)):
        torch.testing.assert_close(
            values[0, 0, 0], torch.tensor([0.0] * 10 + [1.0] * 22), atol=1e-4, rtol=0
        )


def test_gradients_reach_the_move_and_say_the_truth(pair):
    layers = limb_warp(*shifted(pair, 2.3)).layers
    x_px = torch.tensor(0.42, requires_grad=True)
    seen = torch.rand(1, 3, *pair[0].shape[2:], generator=torch.Generator().manual_seed(1))

    def level(value):
        return (layers.read(value * moves(pair, 1.0))[0] * seen).sum()

    level(x_px).backward()
    with torch.no_grad():
        slope = (level(torch.tensor(0.43)) - level(torch.tensor(0.41))) / 0.02
    assert x_px.grad.item() == pytest.approx(slope.item(), rel=0.05) and abs(slope) > 1


def test_a_move_that_is_no_number_or_leaves_the_picture_harms_nothing(pair):
    layers = limb_warp(*shifted(pair, 2.3)).layers
    for wild in (float("nan"), float("inf"), -1e9):
        move = moves(pair, wild).clone().requires_grad_()
        picture, matte = layers.read(move)
        assert picture.isfinite().all() and matte.isfinite().all()
        picture.sum().backward()


def test_one_reference_serves_many_targets(pair):
    I_r, matte_r, joints_r, _ = shifted(pair, 0.0)
    targets = torch.cat([joints_r + torch.tensor([x, 0.0, 0.0]) for x in (0.0, 3.0, -2.5)])
    source = warp_source(I_r, matte_r, joints_r)
    together = limb_warp(
        *(value.expand(3, *value.shape[1:]) for value in (I_r, matte_r, joints_r)), targets, source
    )
    assert together.layers.pixels.shape[0] == 1
    picture, _ = together.layers.read(moves(pair, 0.4).expand(3, -1, -1, -1))
    for index in range(3):
        alone = limb_warp(I_r, matte_r, joints_r, targets[index : index + 1]).layers.read(
            moves(pair, 0.4)
        )[0]
        torch.testing.assert_close(picture[index : index + 1], alone)
