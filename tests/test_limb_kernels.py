"""The kernels of the limb warp and of the joint map give what torch gives."""

import numpy as np
import pytest
import torch
from figure import standing_pose

from dancepipe.pose.batch import PoseBatch
from dancepipe.pose.draw import joint_map
from dancepipe.pose.draw_kernels import draw_joint_map
from dancepipe.priors.limb_kernels import LimbWarper, mixed_copy
from dancepipe.priors.limb_warp import warp_source
from dancepipe.priors.limbs import LimbPrior
from dancepipe.systems.focus_retain.gated_copy import CopyPlan

HEIGHT, WIDTH = 64, 48


def joints(seed: int, lacking: tuple[int, ...] = ()) -> torch.Tensor:
    """(1, 18, 3): somebody about upright, limbs anywhere near."""
    rng = np.random.default_rng(seed)
    made = standing_pose((WIDTH / 2, 5), HEIGHT - 12).as_array().copy()
    made[:, :2] += rng.normal(0, 3.0, made[:, :2].shape)
    made[:, 2] = 1
    for joint in lacking:
        made[joint] = (np.nan, 1e6, 0)
    return torch.from_numpy(made.astype(np.float32))[None]


POSES = {
    "whole": (1, ()),
    "no head": (2, (0, 14, 15, 16, 17)),
    "no neck": (3, (1,)),
    "one leg, one hip": (4, (8, 9, 10)),
    "arms alone": (5, (0, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17)),
    "nothing": (6, tuple(range(18))),
}


def reference():
    torch.manual_seed(0)
    matte = torch.rand(1, 1, HEIGHT, WIDTH)
    return (torch.rand(1, 3, HEIGHT, WIDTH) * 2 - 1) * matte, matte, joints(0)


@pytest.mark.parametrize("name", POSES)
def test_map_warp_and_copy_are_those_of_torch(name):
    target = joints(*POSES[name])
    picture, matte, own = reference()

    J = np.empty((3, HEIGHT, WIDTH), "f4")
    draw_joint_map(target[0].numpy(), J)
    assert np.abs(J - joint_map(target, HEIGHT, WIDTH)[0].numpy()).max() < 1e-4

    prior = LimbPrior(picture, matte, PoseBatch(own)).at(PoseBatch(target))
    warper = LimbWarper(warp_source(picture, matte, own), own)
    warp = warper.at(target)
    wanted = torch.cat((prior.picture, prior.matte), 1)[0].numpy()
    # At a seam between two parts either may be the nearer one.
    differs = np.abs(warp.known - wanted).max(0) > 2e-3
    assert differs.mean() < 2e-3, differs.mean()
    assert np.abs(warp.flow_4 - prior.flow_4[0].numpy()).max() < 2e-2

    move = torch.nn.functional.interpolate(
        torch.randn(1, 2, HEIGHT // 4, WIDTH // 4) * 2, scale_factor=4, mode="bilinear"
    )
    gate, made = torch.rand(1, 1, HEIGHT, WIDTH), torch.rand(1, 3, HEIGHT, WIDTH) * 2 - 1
    made_matte = torch.rand(1, 1, HEIGHT, WIDTH)
    shown, logits, _ = CopyPlan(gate, move, made, made_matte).over(prior.layers)
    wanted = torch.cat((shown, torch.sigmoid(logits)), 1)[0].numpy()
    got = mixed_copy(
        warper.pixels,
        warp,
        *(one[0].numpy() for one in (gate[:, 0], move, made)),
        made_matte[0, 0].numpy(),
    )
    differs = np.abs(got - wanted).max(0) > 4e-3
    assert differs.mean() < 6e-3, (differs.mean(), np.abs(got - wanted).max())


def test_what_is_no_number_is_read_nowhere_else():
    picture, matte, own = reference()
    warper = LimbWarper(warp_source(picture, matte, own), own)
    warp = warper.at(joints(1))
    move = np.full((2, HEIGHT, WIDTH), np.nan, np.float32)
    move[:, ::2] = np.inf
    half = np.full((HEIGHT, WIDTH), 0.5, np.float32)
    got = mixed_copy(warper.pixels, warp, half, move, np.zeros((3, HEIGHT, WIDTH), "f4"), half)
    assert np.isfinite(got).all()
