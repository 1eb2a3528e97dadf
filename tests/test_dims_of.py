"""The paper's ablations: one flag or configuration each gives the right networks, and each phase
trains exactly its own."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from people import SAMPLES, write_dance
from test_pair_list import write_people
from test_train import ALONE, QUICK

from dancepipe.config import as_plain, merged, options_from, read_yaml
from dancepipe.data.pairs import PairSource, collate
from dancepipe.errors import ConfigError
from dancepipe.evaluation.evaluate import evaluate
from dancepipe.evaluation.options import EvaluateOptions
from dancepipe.losses.perceptual import random_vgg19
from dancepipe.rendering.animate import animate
from dancepipe.rendering.options import AnimateOptions
from dancepipe.systems.focus_retain.flow_attention_module import FlowAttentionModule, FlowMasks
from dancepipe.systems.focus_retain.loss_weights import LossWeights
from dancepipe.systems.focus_retain.networks import load_networks
from dancepipe.systems.focus_retain.stages import Stage1, Stage2
from dancepipe.systems.focus_retain.training import dims_of
from dancepipe.training.inputs import network_pair
from dancepipe.training.options import TrainOptions
from dancepipe.training.train import train

CONFIGS = Path(__file__).parent.parent / "configs" / "ablation"
ARMS = ("full", "no_attention", "no_face", "no_enhancer", "gfla", "prior")


def arm(name: str) -> TrainOptions:
    """The quick options with that configuration laid on."""
    return options_from(
        TrainOptions, merged(as_plain(QUICK), read_yaml(CONFIGS / f"{name}.yaml")), name
    )


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """The same drawn people in both splits: nothing here asks whether they were seen."""
    folder = write_people(tmp_path_factory.mktemp("data"))
    (folder / "train").symlink_to(folder / "test")
    return folder


def test_each_configuration_takes_away_what_it_says_and_nothing_else():
    full = arm("full")
    assert (
        dims_of(full).flow_attention.attention_module
        and dims_of(full).flow_attention.prior == "none"
        and not dims_of(full).enhancer.keep
    )
    assert dims_of(arm("no_attention")) == replace(
        dims_of(full), flow_attention=replace(dims_of(full).flow_attention, attention_module=False)
    )
    assert replace(arm("no_attention"), attention_module=True) == full
    gated = dims_of(replace(full, attention="gate"))
    assert gated == replace(
        dims_of(full), flow_attention=replace(dims_of(full).flow_attention, attention="gate")
    )
    assert replace(arm("no_face"), weights=full.weights) == full
    assert arm("no_face").weights == replace(
        full.weights, face_l1=0, face_perceptual=0, adversarial_face=0
    )
    assert replace(arm("no_enhancer"), stage2_steps=full.stage2_steps) == full
    gfla = arm("gfla")
    assert (
        dims_of(gfla) == dims_of(arm("no_attention"))
        and gfla.stage2_steps == 0
        and gfla.correctness == "gfla"
    )
    assert gfla.weights == replace(full.weights, flow_image=0, style=500, affine=0.0025)
    assert replace(arm("prior"), prior="none", keep=False) == full


def test_without_flags_the_networks_are_the_presets():
    from dancepipe.systems.focus_retain.dims import PRESETS

    for preset, dims in PRESETS.items():
        height_px, width_px = dims.size_hw
        assert dims_of(TrainOptions(preset=preset, height_px=height_px, width_px=width_px)) == dims


def with_gradient(module: torch.nn.Module) -> set[str]:
    """The parts that a gradient reached."""
    return {
        name
        for name, part in module.named_children()
        if any(one.grad is not None and one.grad.abs().sum() > 0 for one in part.parameters())
    }


def state(modules) -> dict[str, torch.Tensor]:
    return {
        f"{name}.{key}": value.clone()
        for name, module in modules.items()
        for key, value in module.named_parameters()
    }


def moved(before, modules) -> set[str]:
    """The modules that have changed."""
    after = state(modules)
    return {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}


@pytest.mark.parametrize("name", ARMS)
def test_gradients_reach_exactly_what_each_phase_trains(data, name):
    options, vgg = arm(name), random_vgg19()
    source = PairSource(data, "train", (32, 32), seed=0)
    pair = network_pair(collate([source[0], source[1]]), "cpu")
    torch.manual_seed(0)
    stage1 = Stage1(dims_of(options), options, vgg, ALONE)
    before = state(stage1.modules)
    stage1.step([pair], 0, with_statistics=False)
    parts = {part for part, _ in stage1.flow_attention.named_children()}
    assert {"appearance_encoder", "flow_network", "attention_module", "local_attention_4"} < parts
    assert ("copy" in parts) == (name == "prior")
    assert with_gradient(stage1.flow_attention) == parts
    assert (
        moved(before, stage1.modules)
        == {"flow_attention", "flow_attention_average", "D"}
        == set(stage1.modules)
    )

    stage2 = Stage2(stage1.flow_attention, dims_of(options), options, vgg, ALONE)
    stage1.flow_attention.zero_grad()
    before = state(stage2.modules)
    stage2.step([pair], 0, with_statistics=False)
    assert not with_gradient(stage1.flow_attention) and not with_gradient(vgg.features)
    assert with_gradient(stage2.enhancer) == {part for part, _ in stage2.enhancer.named_children()}
    adversaries = {"D"} if name == "no_face" else {"D", "D_f"}
    assert (
        moved(before, stage2.modules)
        == {"enhancer", "enhancer_average", *adversaries}
        == set(stage2.modules) - {"flow_attention"}
    )


@pytest.mark.parametrize("name", ["no_attention", "gfla"])
def test_weights_of_a_variant_are_loaded_scored_and_animated(data, name, tmp_path):
    options = replace(arm(name), stage1_steps=1, stage2_steps=min(arm(name).stage2_steps, 1))
    train(data, tmp_path / "run", options)
    weights = tmp_path / "run" / "weights.safetensors"
    networks = load_networks(weights)
    assert networks.dims == dims_of(options) and isinstance(
        networks.flow_attention.attention_module, FlowMasks
    )
    assert (networks.enhancer is None) == (name == "gfla")
    settings = EvaluateOptions(
        metrics="l1",
        baselines="none",
        pairs_per_person=1,
        min_pose_change=0.1,
        device="cpu",
        cache="none",
    )
    assert (
        0
        < evaluate(weights=weights, data=data, options=settings).methods["network"]["l1"].value
        < 1
    )
    write_dance(tmp_path / "dance.mp4", frames=3)
    animate(
        SAMPLES / "reference.png",
        tmp_path / "dance.mp4",
        tmp_path / "out.mp4",
        weights,
        AnimateOptions(device="cpu"),
    )
    assert (tmp_path / "out.mp4").stat().st_size > 0


def test_other_networks_of_the_same_preset_are_named(data, tmp_path):
    train(data, tmp_path / "run", replace(arm("full"), stage1_steps=0, stage2_steps=0))
    with pytest.raises(
        ConfigError,
        match="other networks: flow_attention .*choose the same attention, attention_module, "
        "prior and keep",
    ):
        train(
            data,
            tmp_path / "other",
            replace(arm("no_attention"), init=str(tmp_path / "run" / "weights.safetensors")),
        )


def test_the_default_has_the_module():
    assert isinstance(
        Stage1(
            dims_of(QUICK), replace(QUICK, weights=LossWeights(adversarial=0)), None, ALONE
        ).flow_attention.attention_module,
        FlowAttentionModule,
    )
