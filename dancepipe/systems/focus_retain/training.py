"""How focus_retain is trained."""

from dataclasses import replace

from torch import nn

from dancepipe.errors import ConfigError
from dancepipe.systems.focus_retain.dims import PRESETS, ModelDims
from dancepipe.systems.focus_retain.enhancer import Enhancer
from dancepipe.systems.focus_retain.flow_attention import FlowAttentionNetwork
from dancepipe.systems.focus_retain.networks import load_networks
from dancepipe.systems.focus_retain.recipe import Recipe
from dancepipe.systems.focus_retain.stages import stages
from dancepipe.systems.training import Training
from dancepipe.systems.weights import differences


def dims_of(recipe: Recipe, initial: ModelDims | None = None) -> ModelDims:
    """A preset, and what the paper's ablations take from it. What the recipe leaves open is as in
    `initial`, the weights that training starts from, or else as the preset has it.

    Raises ConfigError for a size that no network takes.
    """
    preset = PRESETS[recipe.preset]
    like = initial if initial and initial.preset == recipe.preset else preset
    flow_attention = replace(
        preset.flow_attention,
        attention=recipe.attention or like.flow_attention.attention,
        attention_module=recipe.attention_module,
        prior=recipe.prior or like.flow_attention.prior,
    )
    keep = like.enhancer.keep if recipe.keep is None else recipe.keep
    return replace(
        preset,
        size_hw=(recipe.height_px, recipe.width_px),
        flow_attention=flow_attention,
        enhancer=replace(preset.enhancer, keep=keep),
        enlarge=recipe.enlarge,
    )


def _check_same(init: str, given: ModelDims, wanted: ModelDims) -> None:
    if (given.flow_attention, given.enhancer) == (wanted.flow_attention, wanted.enhancer):
        return
    if given.preset != wanted.preset:
        raise ConfigError(
            f"{init} holds networks of preset {given.preset}, not {wanted.preset}; choose "
            f"--preset {given.preset}, or other weights"
        )
    differing = differences(given, wanted, ("flow_attention", "enhancer"))
    raise ConfigError(
        f"{init} holds other networks: {differing}; choose the same attention, attention_module, "
        "prior and keep, or other weights"
    )


def _networks(dims: ModelDims, recipe: Recipe) -> dict[str, nn.Module]:
    named: dict[str, nn.Module] = {
        "flow attention network": FlowAttentionNetwork(dims.flow_attention)
    }
    if recipe.stage2_steps:
        named["enhancer"] = Enhancer(dims.enhancer)
    return named


TRAINING = Training(
    dims=dims_of,
    load=load_networks,
    check_same=_check_same,
    pair_sizes_hw=lambda dims: {1: dims.coarse_hw, 2: dims.size_hw},
    stages=stages,
    networks=_networks,
    reads_flow=lambda recipe: bool(recipe.weights.flow_exact),
)
