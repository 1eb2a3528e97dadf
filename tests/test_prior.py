"""The structural prior: an untrained network is the limb warp, and its gates decide between copy
and synthesis."""

import numpy as np
import pytest
import torch
from figure import draw_figure, standing_pose
from still_layers import still_layers

from dancepipe.errors import ConfigError
from dancepipe.nn.tensors import to_network
from dancepipe.pose.batch import PoseBatch
from dancepipe.pose.draw import heat_maps, joint_map
from dancepipe.priors.limb_warp import limb_warp
from dancepipe.priors.limbs import limb_prior
from dancepipe.priors.names import CHANNELS, prior_of
from dancepipe.priors.prior import PriorAt
from dancepipe.systems.focus_retain.dims import EnhancerDims, FlowAttentionDims
from dancepipe.systems.focus_retain.enhancer import Enhancer
from dancepipe.systems.focus_retain.flow_attention import FlowAttentionNetwork
from dancepipe.systems.focus_retain.gated_copy import GatedCopy

SIZE = 96


@pytest.fixture(scope="module")
def pair():
    """A drawn figure and the same joints moved: (I_r, matte_r, joints_r, joints_t)."""
    pose = standing_pose((48, 8), 80)
    image = draw_figure(pose, (SIZE, SIZE))
    background = draw_figure(pose, (SIZE, SIZE))[0, 0]
    mask = (np.abs(image.astype(int) - background).sum(2) > 30).astype(np.float32)
    image = np.where(mask[..., None] > 0, image, 128).astype(np.uint8)
    joints_r = torch.from_numpy(pose.as_array())[None]
    joints_t = joints_r.clone()
    joints_t[..., 0] += 6
    return to_network(image[None]), torch.from_numpy(mask)[None, None], joints_r, joints_t


def render(network, pair):
    I_r, matte_r, joints_r, joints_t = pair
    maps = [
        drawing(joints, SIZE, SIZE)
        for joints in (joints_r, joints_t)
        for drawing in (heat_maps, joint_map)
    ]
    prior = limb_prior(I_r, matte_r, joints_r, joints_t)
    with torch.no_grad():
        return network.eval()(I_r, maps[0], maps[2], maps[1], maps[3], prior), maps[3]


def test_an_untrained_network_gives_nearly_the_limb_warp(pair):
    torch.manual_seed(0)
    made, J_t = render(FlowAttentionNetwork(FlowAttentionDims(8, prior="limbs")), pair)
    warped = limb_warp(*pair)
    assert (made.coarse - warped.picture).abs().mean() < 0.02
    assert (torch.sigmoid(made.matte_logits) - warped.matte).abs().mean() < 0.04
    assert made.mixture.gate.mean() > 0.9
    final = Enhancer(EnhancerDims(4, 8, keep=True)).eval()(made.coarse, made.matte_logits, J_t)
    assert (final.final - made.coarse).abs().mean() < 0.05


@pytest.mark.parametrize("bias, is_copy", [(30.0, True), (-30.0, False)])
def test_the_gates_at_their_ends_are_pure(pair, bias, is_copy):
    torch.manual_seed(0)
    network, enhancer = (
        FlowAttentionNetwork(FlowAttentionDims(8, prior="limbs")),
        Enhancer(EnhancerDims(4, 8, keep=True)).eval(),
    )
    for weights in (network.copy.head, enhancer.keep.gate):
        torch.nn.init.zeros_(weights.weight)
        torch.nn.init.constant_(weights.bias[:1], bias)
    made, J_t = render(network, pair)
    warped = limb_warp(*pair)
    same = (made.coarse - warped.picture).abs().max() < 1e-4
    assert bool(same) == is_copy
    with torch.no_grad():
        final = enhancer(made.coarse, made.matte_logits, J_t).final
    assert bool((final - made.coarse).abs().max() < 1e-4) == is_copy


def test_the_gate_learns_where_the_copy_is_wrong(pair):
    torch.manual_seed(0)
    network = FlowAttentionNetwork(FlowAttentionDims(8, prior="limbs"))
    I_r, matte_r, joints_r, joints_t = pair
    maps = [
        drawing(joints, SIZE, SIZE)
        for joints in (joints_r, joints_t)
        for drawing in (heat_maps, joint_map)
    ]
    prior = limb_prior(I_r, matte_r, joints_r, joints_t)
    target = prior.picture.clone()
    target[..., :48] = -0.8  # half of the picture is something that no copy can give
    optimiser = torch.optim.Adam(network.parameters(), lr=5e-3)
    for _ in range(40):
        made = network(I_r, maps[0], maps[2], maps[1], maps[3], prior)
        loss = (made.coarse - target).abs().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert made.mixture.gate[..., :40].mean() < made.mixture.gate[..., 56:].mean() - 0.2
    assert loss < 0.6 * (prior.picture - target).abs().mean()


def test_a_prior_where_there_is_none_and_none_where_there_must_be(pair):
    I_r, matte_r, joints_r, joints_t = pair
    maps = [
        drawing(joints, SIZE, SIZE)
        for joints in (joints_r, joints_t)
        for drawing in (heat_maps, joint_map)
    ]
    with pytest.raises(ValueError, match="takes no prior"):
        render(FlowAttentionNetwork(FlowAttentionDims(8)), pair)
    with pytest.raises(ValueError, match="needs a prior"):
        FlowAttentionNetwork(FlowAttentionDims(8, prior="limbs"))(
            I_r, maps[0], maps[2], maps[1], maps[3]
        )


@pytest.mark.parametrize("module", [True, False])
def test_with_a_prior_the_masks_begin_with_the_warped_features(pair, module):
    torch.manual_seed(0)
    made, _ = render(
        FlowAttentionNetwork(FlowAttentionDims(8, prior="limbs", attention_module=module)), pair
    )
    assert all(M.mean() > 0.75 for M in made.masks)
    plain = FlowAttentionNetwork(FlowAttentionDims(8, attention_module=module)).attention_module
    assert all(mask.bias.abs() < 0.2 for mask in (plain.mask_8, plain.mask_4)), (
        "the paper's own begins undecided"
    )


def test_the_smooth_flow_says_how_the_body_moved(pair):
    I_r, matte_r, joints_r, joints_t = pair  # 6 px to the right: the source lies 6 px to the left
    prior = limb_prior(I_r, matte_r, joints_r, joints_t)
    body = torch.nn.functional.avg_pool2d(prior.matte, 4) > 0.9
    moved = prior.flow_4[body.expand(-1, 2, -1, -1)].view(2, -1)
    assert (moved[0] + 6 / 4).abs().max() < 0.05 and moved[1].abs().max() < 0.05
    assert (prior.flow_8[:, 0].median() + 6 / 8).abs() < 0.05


def test_one_reference_serves_many_targets(pair):
    I_r, matte_r, joints_r, joints_t = pair
    targets = torch.cat([joints_t, joints_r, joints_t + torch.tensor([3.0, -2.0, 0.0])])
    together = limb_prior(I_r, matte_r, joints_r, targets)
    for index in range(3):
        alone = limb_prior(I_r, matte_r, joints_r, targets[index : index + 1])
        torch.testing.assert_close(together.picture[index : index + 1], alone.picture)
        torch.testing.assert_close(together.flow_4[index : index + 1], alone.flow_4)


def test_a_prior_is_found_by_its_name_and_made_once_for_many_targets(pair):
    I_r, matte_r, joints_r, joints_t = pair
    assert prior_of("none", I_r, matte_r, PoseBatch(joints_r)) is None
    prior = prior_of("limbs", I_r, matte_r, PoseBatch(joints_r))
    targets = torch.cat([joints_t, joints_r])
    for poses in (targets, targets[:1], targets[1:]):
        made, wanted = prior.at(PoseBatch(poses)), limb_prior(I_r, matte_r, joints_r, poses)
        for name in ("picture", "matte", "flow_4", "flow_8"):
            assert torch.equal(getattr(made, name), getattr(wanted, name))
        assert made.inputs().shape == (len(poses), CHANNELS["limbs"], SIZE, SIZE)
        move = torch.full((len(poses), 2, SIZE, SIZE), 0.4)
        for got, known in zip(made.layers.read(move), wanted.layers.read(move)):
            assert torch.equal(got, known)
    with pytest.raises(ConfigError, match="unknown prior 'limb'; known are none, limbs, body"):
        prior_of("limb", I_r, matte_r, PoseBatch(joints_r))


def test_the_prior_keeps_float32_coordinates_under_autocast(pair):
    plain = limb_prior(*pair)
    with torch.autocast("cpu", torch.bfloat16):
        under = limb_prior(*pair)
    assert under.flow_4.dtype == torch.float32
    assert torch.equal(plain.flow_4, under.flow_4) and torch.equal(plain.picture, under.picture)


def test_the_copy_is_moved_smoothly():
    """A pattern that the decoder repeats from pixel to pixel does not reach the copy: neighbours
    move together."""
    torch.manual_seed(0)
    copy = GatedCopy(4, CHANNELS["limbs"], over_body=False)
    torch.nn.init.normal_(copy.head.weight[:, :4], 0, 2.0)
    torch.nn.init.zeros_(copy.head.weight[:, 4:])
    lattice = (
        (torch.arange(64)[:, None] + torch.arange(64)[None])
        .remainder(2)
        .sub(0.5)
        .expand(1, 4, 64, 64)
    )
    x = torch.linspace(-1, 1, 64).expand(1, 3, 64, 64)
    matte = torch.ones(1, 1, 64, 64)
    prior = PriorAt(x, matte, torch.zeros(1, 2, 16, 16), still_layers(x, matte))
    plan = copy(lattice, prior, torch.zeros(1, 3, 64, 64), torch.zeros(1, 1, 64, 64))
    _, _, mixture = plan.over(prior.layers)
    steps = mixture.copied[0, 0, 8:-8, 8:-8].diff(dim=1)
    moves = copy.head(torch.cat((lattice, prior.inputs()), 1))[:, 1:]
    assert moves.diff(dim=3).abs().mean() > 0.5, "the pattern is in what the head gives, in pixels"
    assert steps.min() > 0.5 * 2 / 63 and steps.max() < 1.5 * 2 / 63
