"""The body as structural prior: an untrained network is the body's picture, a photo is fitted once,
and a network hears which pixels the photo shows."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from mesh_photo import part_map
from test_body_drawing import colour_of
from test_dims_of import state
from test_posing import at_rest
from test_train import ALONE, QUICK

from dancepipe.body.mesh import PARTS
from dancepipe.body.person import BodyPerson
from dancepipe.errors import ConfigError
from dancepipe.nn.local_attention import warp
from dancepipe.nn.tensors import mask_to_network, to_mask, to_network, to_picture
from dancepipe.pose.batch import PoseBatch
from dancepipe.pose.skeleton import openpose_view
from dancepipe.priors.names import CHANNELS, prior_of
from dancepipe.skeletons import BLAZEPOSE_33
from dancepipe.systems.focus_retain.coarse_input import CoarseInput
from dancepipe.systems.focus_retain.dims import EnhancerDims, FlowAttentionDims, ModelDims
from dancepipe.systems.focus_retain.enhancer import Enhancer
from dancepipe.systems.focus_retain.flow_attention import FlowAttentionNetwork
from dancepipe.systems.focus_retain.networks import Networks
from dancepipe.systems.focus_retain.renderer import FocusRetain
from dancepipe.systems.focus_retain.stages import Stage0, Stage1, Stage2
from dancepipe.systems.focus_retain.training import dims_of
from dancepipe.systems.stage import NetworkPair
from dancepipe.systems.weights import WeightsInfo

SIDE = 64
TORSO_PX = 18.0
LEFT_ARM = (13, 15, 17, 19, 21)


def in_small(landmarks: np.ndarray) -> np.ndarray:
    """test_posing's landmarks in a picture of 64 px, which they fill."""
    small = landmarks.copy()
    small[:, :3] = (small[:, :3] - [200, 307, 0]) * TORSO_PX / 100 + [SIDE / 2, SIDE / 2, 0]
    return small.astype(np.float32)


def standing() -> np.ndarray:
    return in_small(at_rest())


def arm_up() -> np.ndarray:
    landmarks = standing()
    shoulder = landmarks[11].copy()
    for point in LEFT_ARM:
        away = np.hypot(*(landmarks[point, :2] - shoulder[:2]))
        landmarks[point, :3] = shoulder[:3] - [-0.5 * away, 0.6 * away, 0]
    return landmarks


def turned_back() -> np.ndarray:
    landmarks = standing()
    landmarks[:, 0] = SIDE - landmarks[:, 0]
    landmarks[:, 2] = -landmarks[:, 2]
    return landmarks


def batch_of(*people: np.ndarray) -> PoseBatch:
    joints = [
        openpose_view(one[:, [0, 1, 3]], BLAZEPOSE_33, (SIDE, SIDE)).as_array() for one in people
    ]
    return PoseBatch(*(torch.from_numpy(np.stack(each)) for each in (joints, people)))


@pytest.fixture(scope="module")
def photo():
    """(I_r, matte_r, poses_r): the mesh seen from the front, in colours and fine stripes."""
    part = part_map(standing(), TORSO_PX, (SIDE, SIDE))
    image = np.full((SIDE, SIDE, 3), 128, np.uint8)
    stripes = np.where(np.arange(SIDE) // 2 % 2, 0.6, 1.0)[:, None, None]
    for number in range(len(PARTS)):
        here = part == number
        image[here] = (colour_of(number) * stripes * np.ones((SIDE, SIDE, 1)))[here]
    mask = np.where(part >= 0, 255, 0).astype(np.uint8)
    return to_network(image[None]), mask_to_network(mask[None]), batch_of(standing())


def pair_of(photo, *targets: np.ndarray) -> NetworkPair:
    """As training has it, the target's picture that of the reference."""
    I_r, matte_r, poses_r = photo
    count, poses_t = len(targets), batch_of(*targets)
    poses_r = poses_r.expand(count)
    I_r, matte_r = (one.repeat(count, 1, 1, 1) for one in (I_r, matte_r))
    return NetworkPair(
        I_r, I_r, matte_r, matte_r, poses_r.joints, poses_t.joints, poses_r.joints, poses_t.joints,
        landmarks_r=poses_r.landmarks, landmarks_t=poses_t.landmarks,
    )  # fmt: skip


def network_of(**dims) -> FlowAttentionNetwork:
    torch.manual_seed(0)
    return FlowAttentionNetwork(FlowAttentionDims(8, prior="body", **dims)).eval()


def test_an_untrained_network_gives_nearly_the_body(photo):
    network = network_of()
    given = CoarseInput.of(pair_of(photo, arm_up()), network)
    with torch.no_grad():
        made = given.through(network)
        final = Enhancer(EnhancerDims(4, 8, keep=True)).eval()(
            made.coarse, made.matte_logits, given.J_t
        )
    assert given.prior.picture.std() > 0.1
    assert (made.coarse - given.prior.picture).abs().mean() < 0.02
    assert (torch.sigmoid(made.matte_logits) - given.prior.matte).abs().mean() < 0.04
    assert made.mixture.gate.mean() > 0.9
    assert (final.final - made.coarse).abs().mean() < 0.05


def test_with_an_open_gate_and_no_move_it_is_the_body(photo):
    network = network_of()
    torch.nn.init.zeros_(network.copy.head.weight)
    torch.nn.init.constant_(network.copy.head.bias[:1], 30.0)
    given = CoarseInput.of(pair_of(photo, arm_up()), network)
    with torch.no_grad():
        made = given.through(network)
    torch.testing.assert_close(made.coarse, given.prior.picture, atol=1e-4, rtol=0)


def test_rows_of_one_photo_are_fitted_once(photo, monkeypatch):
    I_r, matte_r, poses_r = photo
    fitted = []
    fit = BodyPerson.of
    monkeypatch.setattr(BodyPerson, "of", lambda *one: fitted.append(1) or fit(*one))
    darker = torch.cat((I_r, I_r, I_r.clamp(-1, 0.2)))
    targets = arm_up(), turned_back(), arm_up()
    made = prior_of("body", darker, matte_r.repeat(3, 1, 1, 1), poses_r.expand(3))
    made = made.at(batch_of(*targets))
    assert len(fitted) == 2
    for row, image in enumerate(darker.split(1)):
        alone = prior_of("body", image, matte_r, poses_r).at(batch_of(targets[row]))
        torch.testing.assert_close(made.picture[row : row + 1], alone.picture)


def test_its_plan_is_laid_over_a_larger_photo(photo):
    """A network that moves the copy moves the large one as far, and the photo's fine stripes stay,
    which a picture that is enlarged has lost."""
    network = network_of()
    torch.nn.init.zeros_(network.copy.head.weight)
    network.copy.head.bias.data[:] = torch.tensor([30.0, 1.0, 0])
    size = SIDE // 2
    dims = ModelDims("tiny", (size, size), FlowAttentionDims(8, prior="body"), EnhancerDims(4, 8))
    system = FocusRetain(Networks(dims, WeightsInfo(dims, 1, 0), network, None), "cpu", "fp32")
    assert system.info.draws_larger
    image, mask = to_picture(photo[0]), to_mask(photo[1])
    targets = batch_of(arm_up())
    large = system.draw(system.encode(image, mask, photo[2]), targets).pictures[0].float()
    still = prior_of("body", *photo)
    moved, matte = still.layers_of(still.drawn(targets), np.s_[:, :]).read(
        torch.tensor([2.0, 0]).view(1, 2, 1, 1).expand(1, 2, SIDE, SIDE) / 2
    )
    inside = (matte[0, 0] > 0.99)[..., None].expand(-1, -1, 3)
    off = (large - to_picture(moved)[0].float()).abs()[inside]
    assert off.median() < 2 and off.mean() < 6
    small = (
        system.draw(
            system.encode(image[:, ::2, ::2], mask[:, ::2, ::2], photo[2].shrunk(2)),
            targets.shrunk(2),
        )
        .pictures[0]
        .float()
    )
    again = small.repeat_interleave(2, 0).repeat_interleave(2, 1)
    assert off.mean() < (again - to_picture(moved)[0].float()).abs()[inside].mean() / 2


def test_in_the_photos_own_pose_it_is_the_photo(photo):
    I_r, matte_r, poses_r = photo
    made = prior_of("body", *photo).at(poses_r)
    inside = (matte_r > 0) & (made.matte > 0.99)
    assert inside.sum() > 0.75 * (matte_r > 0).sum()
    off = (made.picture - I_r).abs()[inside.expand(-1, 3, -1, -1)]
    assert off.median() < 0.05
    assert (made.flow_4[inside[..., ::4, ::4].expand(-1, 2, -1, -1)]).abs().median() < 0.1


def test_networks_hear_what_the_photo_shows_and_where_the_surface_faces(photo):
    front, back = prior_of("body", *photo).at(batch_of(standing(), turned_back())).surface
    for one in (front, back):
        kinds, normals = one[:3], one[3:]
        body = kinds.sum(0)
        assert set(body.unique().tolist()) == {0, 1}, "of one kind at most"
        torch.testing.assert_close(normals.square().sum(0), body, atol=1e-3, rtol=0)
        assert (normals[2][body > 0] > -0.1).float().mean() > 0.98, "what is seen faces the viewer"
    assert front[0].sum() > 0.8 * front[:3].sum() and back[0].sum() < 0.3 * back[:3].sum()


def test_the_flow_goes_where_the_arm_was(photo):
    _, _, poses_r = photo
    made = prior_of("body", *photo).at(batch_of(arm_up()))
    elbow, was = arm_up()[13, :2], standing()[13, :2]
    x, y = ((elbow + 0.5) / 4 - 0.5).round().astype(int)
    found = made.flow_4[0, :, y, x].numpy()
    assert np.abs(found - (was - elbow) / 4).max() < 0.8
    assert made.flow_8.shape == (1, 2, 8, 8) and torch.isfinite(made.flow_4).all()
    pool, grid = torch.nn.functional.avg_pool2d, torch.arange(float(SIDE))
    moves = made.layers.places[:, :2] - torch.stack(
        (grid.expand(SIDE, SIDE), grid[:, None].expand(SIDE, SIDE))
    )
    is_seen = (pool(made.surface[:, :1], 4) == 1).expand(-1, 2, -1, -1)
    assert is_seen.sum() > 20
    torch.testing.assert_close(made.flow_4[is_seen], pool(moves, 4)[is_seen] / 4)


def test_one_reference_serves_many_targets_and_a_batch_is_its_members(photo):
    together = prior_of("body", *photo).at(batch_of(arm_up(), turned_back()))
    two = (one.repeat(2, 1, 1, 1) for one in photo[:2])
    own = prior_of("body", *two, photo[2].expand(2)).at(batch_of(arm_up(), turned_back()))
    move = torch.full((2, 2, SIDE, SIDE), 0.4)
    for number, target in enumerate((arm_up(), turned_back())):
        alone = prior_of("body", *photo).at(batch_of(target))
        for many in (together, own):
            for name in ("picture", "matte", "surface", "flow_4"):
                torch.testing.assert_close(
                    getattr(many, name)[number : number + 1], getattr(alone, name)
                )
            read, wanted = many.layers.read(move)[0], alone.layers.read(move[:1])[0]
            torch.testing.assert_close(read[number : number + 1], wanted)


def test_inputs_have_the_channels_that_the_networks_expect(photo):
    for name in ("limbs", "body"):
        made = prior_of(name, *photo).at(batch_of(arm_up(), turned_back()))
        assert made.inputs().shape == (2, CHANNELS[name], SIDE, SIDE)


def test_the_prior_keeps_float32_coordinates_under_autocast(photo):
    plain = prior_of("body", *photo).at(batch_of(arm_up()))
    with torch.autocast("cpu", torch.bfloat16):
        under = prior_of("body", *photo).at(batch_of(arm_up()))
    assert torch.equal(plain.flow_4, under.flow_4) and torch.equal(plain.picture, under.picture)
    assert torch.equal(plain.layers.rest, under.layers.rest)


def test_a_move_reads_the_photo_and_blurs_less_than_moving_the_finished_picture(photo):
    made = prior_of("body", *photo).at(photo[2])
    half = torch.zeros(1, 2, SIDE, SIDE)
    half[:, 1] = 0.5  # across the stripes

    def detail(picture):
        return picture.diff(dim=2).abs().mean()

    read, blurred = made.layers.read(half)[0], warp(made.picture, half)
    assert detail(read) > 1.05 * detail(blurred)
    whole = made.layers.read(2 * half)[0]
    torch.testing.assert_close(whole[..., :-1, :], made.picture[..., 1:, :], atol=1e-4, rtol=0)


def test_a_move_is_learnt_by_its_gradient(photo):
    made = prior_of("body", *photo).at(photo[2])
    wanted = made.layers.read(torch.full((1, 2, SIDE, SIDE), 0.6))[0]
    move = torch.zeros(1, 2, 1, 1, requires_grad=True)
    optimiser = torch.optim.Adam([move], lr=0.05)
    for _ in range(40):
        loss = (made.layers.read(move.expand(1, 2, SIDE, SIDE))[0] - wanted).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert (move - 0.6).abs().max() < 0.1


def test_moves_that_are_no_numbers_are_survived(photo):
    made = prior_of("body", *photo).at(batch_of(arm_up()))
    for value in (float("nan"), float("inf"), -1e9):
        move = torch.full((1, 2, SIDE, SIDE), value, requires_grad=True)
        picture, matte = made.layers.read(move)
        (picture.sum() + matte.sum()).backward()
        assert torch.isfinite(picture).all() and torch.isfinite(matte).all()


@pytest.mark.parametrize("make", [Stage0, Stage1], ids=["stage 0", "stage 1"])
def test_a_training_step_changes_the_network(photo, make):
    options = replace(QUICK, prior="body", height_px=SIDE, width_px=SIDE)
    dims = dims_of(options)
    assert (
        dims.flow_attention.prior == "body" and dims.as_json()["flow_attention"]["prior"] == "body"
    )
    torch.manual_seed(0)
    stage = make(dims, options, None, ALONE)
    before = state({"": stage.flow_attention})
    pair = pair_of(photo, arm_up(), turned_back())
    figures = stage.step([pair], 0, with_statistics=True)
    changed = {
        name for name, value in state({"": stage.flow_attention}).items()
        if not torch.equal(value, before[name])
    }  # fmt: skip
    assert len(changed) > 0.3 * len(before) and torch.isfinite(figures["total"])
    assert any("flow_network.entry" in name for name in changed)
    assert torch.isfinite(stage.show(pair).picture).all()


def test_stage_2_enlarges_a_body_of_half_the_size(photo):
    options = replace(QUICK, prior="body", height_px=SIDE, width_px=SIDE, enlarge=2)
    dims = dims_of(options)
    stage = Stage2(network_of(), replace(dims, enlarge=2), options, None, ALONE)
    pair = pair_of(photo, arm_up())
    given = CoarseInput.of(pair, stage.flow_attention, 2)
    assert given.prior.picture.shape == (1, 3, SIDE // 2, SIDE // 2)
    small = torch.nn.functional.avg_pool2d(
        CoarseInput.of(pair, stage.flow_attention).prior.matte, 2
    )
    assert (small - given.prior.matte).abs().mean() < 0.02, "it stands where it stood"
    assert torch.isfinite(stage.step([pair], 0, with_statistics=False)["total"])


def test_pairs_without_landmarks_are_refused(photo):
    whole = pair_of(photo, arm_up(), turned_back())
    bare = replace(whole, landmarks_r=None, landmarks_t=None)
    some = replace(whole, landmarks_t=torch.stack((whole.landmarks_t[0], torch.zeros(33, 4))))
    options = replace(QUICK, prior="body", height_px=SIDE, width_px=SIDE)
    stage = Stage1(dims_of(options), options, None, ALONE)
    for pair in (bare, some):
        with pytest.raises(ConfigError, match="needs landmarks with depth, which these poses have"):
            stage.step([pair], 0, with_statistics=False)
    with pytest.raises(ConfigError, match="needs landmarks"):
        prior_of("body", *photo).at(PoseBatch(photo[2].joints))


def test_a_picture_of_nobody_is_drawn_all_the_same(photo):
    I_r, matte_r, poses = photo
    made = prior_of("body", I_r * 0, matte_r * 0, poses).at(batch_of(arm_up()))
    for values in (made.inputs(), made.flow_4, *made.layers.read(torch.zeros(1, 2, SIDE, SIDE))):
        assert torch.isfinite(values).all()
