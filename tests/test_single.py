"""Every system of one network (guided, cocos, fewshot) learns, in all its parts, goes on where it
was stopped, and has the numbers of parameters that were published."""

import json
import shutil
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from test_pair_list import write_people
from test_retarget import whole
from test_train import ALONE, same_weights

from dancepipe.data.pairs import PairSource, collate
from dancepipe.errors import ConfigError
from dancepipe.losses.perceptual import random_vgg19
from dancepipe.nn.without_numbers import WithoutNumbers
from dancepipe.pose.batch import PoseBatch
from dancepipe.systems.cocos.correspondence import in_tiles, of_tiles
from dancepipe.systems.cocos.options import CocosOptions
from dancepipe.systems.fewshot.options import FewshotOptions
from dancepipe.systems.guided.dims import GuidedDims
from dancepipe.systems.guided.network import GuidedNetwork
from dancepipe.systems.guided.options import GuidedOptions
from dancepipe.systems.names import system_of
from dancepipe.systems.open import open_system
from dancepipe.systems.single.network import NETWORK
from dancepipe.systems.single.pose_input import PairInput
from dancepipe.systems.weights import WeightsInfo, save_weights
from dancepipe.training.inputs import network_pair
from dancepipe.training.options import TrainOptions
from dancepipe.training.train import train

COMMON = TrainOptions(
    height_px=64,
    width_px=64,
    stage1_steps=4,
    batch=2,
    average=0.9,
    perceptual="none",
    device="cpu",
    workers=0,
    log_every=1,
    sample_every=4,
    held_out_pre=False,
    save_every=2,
)
SMALL = {
    "guided": replace(COMMON, system="guided", guided=GuidedOptions(nf=4, d=4, blocks=1)),
    "cocos": replace(COMMON, system="cocos", cocos=CocosOptions(nf=4, h=8)),
    "fewshot": replace(
        COMMON,
        system="fewshot",
        fewshot=FewshotOptions(nf=4, levels=3, generated=2, flow_blocks=1),
    ),
}
WITH_VGG = ("cocos", "fewshot")  # those whose terms read a perceptual network
EACH = pytest.mark.parametrize("name", SMALL)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Small layers gain little from a second thread, and lose much when another program has it."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Two drawn people with depth, 64 x 64, in both splits."""
    folder = tmp_path_factory.mktemp("data")
    write_people(folder, people=2, frames=4, body=lambda person, pose: whole(pose))
    (folder / "train").symlink_to(folder / "test")
    return folder


@pytest.fixture(scope="module")
def pair_of(data):
    def pairs(count: int, size_hw=(64, 64)):
        source = PairSource(data, "test", size_hw, seed=0)
        return network_pair(collate([source[index] for index in range(count)]), "cpu")

    return pairs


def stage_of(name: str, perceptual=None, **changes):
    options = replace(SMALL[name], **changes)
    training = system_of(name).training()
    (stage,) = training.stages(training.dims(options, None), options, perceptual, ALONE, None)
    return stage


@EACH
def test_two_steps_change_every_parameter(name, pair_of):
    """Two, as some parts begin at nothing; a part that never changes is dead. Of a hinge loss the
    scores' bias gets as much from the true as from the made ones, while all are within 1."""
    stage = stage_of(name, random_vgg19(layers="second") if name in WITH_VGG else None)
    everything = {
        f"{key}.{name}": (parameter, parameter.detach().clone())
        for key, module in stage.modules.items()
        for name, parameter in module.named_parameters()
        if not name.endswith("score.bias")
    }
    for step in range(2):
        numbers = stage.step([pair_of(2)], step, with_statistics=False)
    assert all(torch.isfinite(value) for value in numbers.values())
    dead = [key for key, (now, before) in everything.items() if torch.equal(now, before)]
    assert not dead, dead


@EACH
def test_a_batch_in_parts_is_the_same_step(name, pair_of):
    whole_batch, parts = pair_of(2), [pair_of(2).__class__(**rows) for rows in _rows(pair_of(2))]
    made = []
    for batch in ([whole_batch], parts):
        stage = stage_of(name)
        numbers = stage.step(batch, 0, with_statistics=False)
        made.append((numbers, dict(stage.network.named_parameters())))
    (numbers, first), (others, second) = made
    assert numbers.keys() == others.keys()
    for key in numbers:
        assert numbers[key].item() == pytest.approx(others[key].item(), rel=1e-3, abs=1e-4), key
    moved = torch.cat([(first[key] - second[key]).flatten() for key in first]).abs()
    rate = getattr(SMALL[name], name).learning_rate
    # Adam's first step has the gradient's sign alone, which may turn where it is almost 0
    assert (moved > 0.5 * rate).float().mean() < 0.02


def _rows(pair):
    for row in range(2):
        which = slice(row, row + 1)
        yield {key: None if value is None else value[which] for key, value in vars(pair).items()}


@EACH
@pytest.mark.parametrize("prior", ["none", "limbs", "body"])
def test_it_trains_at_the_size_of_market_with_any_prior(name, prior, pair_of):
    stage = stage_of(name, height_px=128, width_px=64, prior=prior)
    pair = pair_of(1, (128, 64))
    numbers = stage.step([pair], 0, with_statistics=False)
    assert torch.isfinite(numbers["total"])
    shown = stage.show(pair)
    assert shown.picture.shape == (1, 3, 128, 64) and shown.matte_logits.shape == (1, 1, 128, 64)
    assert all(one.shape == shown.picture.shape for one in shown.columns.values())


@EACH
def test_saved_weights_draw_what_the_training_shows(name, pair_of, tmp_path):
    stage = stage_of(name)
    pair = pair_of(2)
    stage.step([pair], 0, with_statistics=False)
    path = tmp_path / "weights.safetensors"
    save_weights(path, WeightsInfo(stage.dims, 1, 1), stage.renders)
    system = open_system(path, "cpu")
    images = ((pair.I_r + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1)
    masks = (pair.matte_r[:, 0] * 255).round().to(torch.uint8)
    drawn = system.draw(
        system.encode(images, masks, PoseBatch(pair.joints_r)), PoseBatch(pair.joints_t)
    )
    shown = ((stage.show(pair).picture + 1) * 127.5).round().permute(0, 2, 3, 1)
    assert (drawn.pictures - shown).abs().max() <= 1
    assert system.info.name == name and system.info.size_hw == (64, 64)


@EACH
def test_a_resumed_run_equals_a_straight_one_bit_for_bit(name, data, tmp_path):
    straight, again = tmp_path / "straight", tmp_path / "again"
    train(data, straight, SMALL[name])
    shutil.copytree(straight, again)
    for path in (again / "weights.safetensors", again / "stage1.safetensors"):
        path.unlink()
    shutil.rmtree(again / "checkpoints" / "stage1-0000004")
    train(data, again, SMALL[name], resume=True)
    assert same_weights(straight, again)
    lines = (straight / "log.jsonl").read_text().splitlines()
    assert {json.loads(line)["stage"] for line in lines} == {1}


@pytest.mark.slow
@EACH
def test_one_pair_is_learnt(name, pair_of):
    own = replace(getattr(SMALL[name], name), **OVERFIT[name][1])
    stage = stage_of(name, stage1_steps=OVERFIT[name][0], **{name: own})
    pair = pair_of(1)
    grey = pair.I_t.abs().mean().item()
    for step in range(stage.steps):
        stage.step([pair], step, with_statistics=False)
    made = PairInput.of(pair, stage.dims, stage.network).through(stage.network)
    assert (made.picture - pair.I_t).abs().mean().item() < 0.6 * grey


OVERFIT = {  # steps, and what is taken from the published recipe
    "guided": (160, {"nf": 8, "learning_rate": 4e-3, "beta1": 0.5, "adversarial": 0.0}),
    # Without a perceptual network and D nothing is said of the picture: a D that stays as it began
    # has features to compare.
    "cocos": (
        90,
        {"learning_rate": 1e-3, "beta1": 0.5, "decay": 0.0, "feature_matching": 3000.0}
        | {"adversarial": 0.0, "discriminator_rate": 0.0},
    ),
    "fewshot": (
        60,
        {"nf": 8, "learning_rate": 2e-3, "beta1": 0.5, "feature_matching": 1000.0}
        | {"adversarial": 0.0, "face_adversarial": 0.0, "face_feature_matching": 0.0}
        | {"discriminator_rate": 0.0},
    ),
}
PUBLISHED = {  # name: options -> parameters without the matte, of the whole and of its parts
    "guided": {"": 47_766_459, "body": 42_476_544, "D": 2_786_241},
    "cocos": {
        "correspondence": 52_846_916,
        "correspondence.of_pose": 24_070_784,
        "correspondence.of_picture": 23_923_904,
        "correspondence.residual": 4_720_644,
        "": 52_846_916 + 92_740_548,
        "D": 5_732_484,
    },
    # 97.96 M there, 112.10 M with the embedding of the previous frame. Left out: the encoders'
    # last layers, which nothing reads, and the modulations by the previous frame.
    "fewshot": {
        "": 97_957_630 - 2 * (64 * 32 * 9 + 3 * 32) - 52_160,
        "main": 35_881_856,
        "of_picture": 12_561_984,
        "label": 11_007_296,
        "flow_network": 7_866_819,
        "warp_embedding": 14_141_504,
        "weight_nets": 3_846_104,
        "D": 2_801_569,
    },
}


@EACH
def test_the_published_settings_have_the_published_numbers_of_parameters(name):
    """BASELINES' counts to the last one; the matte is ours and is counted apart."""
    training, options = system_of(name).training(), TrainOptions(system=name)
    with torch.device("meta"), WithoutNumbers():
        networks = training.networks(training.dims(options, None), options)
    network = networks["generator"]
    for part, wanted in PUBLISHED[name].items():
        if judge := networks.get(f"discriminator {part}"):
            assert _count(judge) == wanted, part
        elif part:
            assert _count(network.get_submodule(part)) == wanted, part
        else:
            assert _count(network) - _count(network.matte) == wanted


def _count(module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@EACH
def test_weights_of_another_network_are_no_start(name, data, tmp_path):
    stage = stage_of(name)
    path = tmp_path / "weights.safetensors"
    save_weights(path, WeightsInfo(stage.dims, 1, 1), stage.renders)
    for changes, message in (
        ({"prior": "limbs"}, "prior none, wanted limbs"),
        ({name: replace(getattr(SMALL[name], name), nf=6)}, "nf 4, wanted 6"),
    ):
        options = replace(SMALL[name], init=str(path), **changes)
        with pytest.raises(ConfigError, match=message):
            train(data, tmp_path / "run", options, dry_run=True)
    assert NETWORK in stage.renders


def test_what_a_system_does_not_read_is_said(data, tmp_path, caplog):
    caplog.set_level("INFO", "dancepipe")
    options = replace(SMALL["guided"], learning_rate=1e-3, stage2_steps=5)
    train(data, tmp_path / "run", options, dry_run=True)
    assert "system guided does not read these: stage2_steps, learning_rate, perceptual" in (
        caplog.text
    )
    assert '"weights"' not in caplog.text and '"guided"' in caplog.text


def test_both_directions_of_the_transformations_are_used(pair_of):
    """Without what the picture says of the guide, another picture comes out; and the gradient of
    the picture reaches both encoders."""
    stage = stage_of("guided")
    network, pair = stage.network, pair_of(1)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.05 * torch.randn_like(parameter)
    given = PairInput.of(pair, stage.dims, network)
    whole_picture = given.through(network).picture
    whole_picture.mean().backward()
    for layers in (network.image_layers, network.guide_layers):
        assert all(layer.weight.grad.abs().max() > 0 for layer in layers)
    for direction in (network.from_image, network.from_guide):
        kept = {name: value.clone() for name, value in direction.state_dict().items()}
        with torch.no_grad():
            for transformation in direction:  # 1 and 0: the features stay as they were
                for maps, value in ((transformation.scale, 1.0), (transformation.shift, 0.0)):
                    maps[2].weight.zero_()
                    maps[2].bias.fill_(value)
            cut = given.through(network).picture
        assert (cut - whole_picture).abs().mean() > 1e-3
        direction.load_state_dict(kept)
    assert torch.equal(given.through(network).picture, whole_picture)


def test_the_right_positions_win_in_a_pair_whose_warp_is_known(pair_of):
    """The pose is the target's picture itself and is read as the reference's is; the reference is
    the target, rolled by whole tiles. Features roll along, but at the border."""
    stage = stage_of("cocos", cocos=CocosOptions("J", nf=8, h=8))
    network = stage.network.eval()
    correspondence = network.correspondence
    correspondence.of_pose = correspondence.of_picture
    correspondence.theta = correspondence.phi
    target = (
        F.interpolate(
            torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0)), scale_factor=4
        )
        * 2
        - 1
    )
    for rolled in ((0, 0), (8, 12)):
        with torch.no_grad():
            made = network.draw(network.encode(target.roll(rolled, (2, 3))), target)
        off = (made.warped - target).abs()[:, :, 20:-20, 20:-20]
        assert (off < 0.05).float().mean() > 0.9, rolled
        best = made.similarity[0].argmax(1).view(16, 16)
        row, column = torch.meshgrid(torch.arange(16), torch.arange(16), indexing="ij")
        wanted = (row + rolled[0] // 4) % 16 * 16 + (column + rolled[1] // 4) % 16
        assert (best == wanted)[5:-5, 5:-5].float().mean() > 0.9
    assert torch.equal(of_tiles(in_tiles(target), (64, 64)), target)


def test_the_reference_makes_the_weights(pair_of):
    """Another reference makes other kernels, and each level's have their say in the picture."""
    network = stage_of("fewshot").network.eval()
    pictures = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    pose = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(1)) * 2 - 1
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.05 * torch.randn(
                parameter.shape, generator=torch.Generator().manual_seed(parameter.numel())
            )
        one, other = (network.encode(picture[None], pose) for picture in pictures)
        for level, (mine, theirs) in enumerate(zip(one.weights, other.weights)):
            for kernel, its in (
                (mine.modulate_0.scale, theirs.modulate_0.scale),
                (mine.modulate_1.shift, theirs.modulate_1.shift),
                (mine.modulate_skip.scale, theirs.modulate_skip.scale),
                (mine.label, theirs.label),
            ):
                assert not torch.allclose(kernel.weight, its.weight), level
                assert not torch.allclose(kernel.bias, its.bias), level
        made = network.draw(one, pose).picture
        for place in range(len(one.weights)):  # cut at any level, the picture is another
            weights = [*one.weights]
            weights[place] = other.weights[place]
            cut = network.draw(replace(one, weights=weights), pose).picture
            assert (cut - made).abs().mean() > 1e-5


def test_sequences_are_refused_with_what_is_missing(data, tmp_path):
    own = replace(SMALL["fewshot"].fewshot, frames=4)
    with pytest.raises(ConfigError, match="frames is 4, but sequences are not there: .*D_T"):
        train(data, tmp_path / "run", replace(SMALL["fewshot"], fewshot=own), dry_run=True)


def test_the_narrow_guided_reading_is_as_alive_at_first_as_the_published_width():
    """With the published spread of weights its features begin at 1e-17, and it draws grey for
    thousands of steps."""
    variances = []
    for nf, hidden in ((8, 16), (64, 100)):
        torch.manual_seed(0)
        network = GuidedNetwork(GuidedDims((64, 64), "S", "none", nf, hidden, 2))
        with torch.no_grad():
            reference = network.encode(torch.rand(1, 3, 64, 64) * 2 - 1)
            heard = []
            network.body.register_forward_hook(lambda _, __, out: heard.append(out))
            network.draw(reference, torch.rand(1, 18, 64, 64) * 2 - 1)
        variances.append(heard[0].var((2, 3)).mean())
    narrow, published = variances
    assert 0.1 < narrow / published < 10 and narrow > 0.1
