"""The options of a run -> the networks that it trains: a preset, and what the paper's ablations
take from it."""

from dataclasses import replace

from dancepipe.systems.focus_retain.dims import PRESETS, ModelDims
from dancepipe.training.options import TrainOptions


def dims_of(options: TrainOptions, initial: ModelDims | None = None) -> ModelDims:
    """What the options leave open is as in `initial`, the weights that training starts from, or
    else as the preset has it.

    Raises ConfigError for a size that no network takes.
    """
    preset = PRESETS[options.preset]
    like = initial if initial and initial.preset == options.preset else preset
    attention, prior = (
        options.attention or like.flow_attention.attention,
        options.prior or like.flow_attention.prior,
    )
    flow_attention = replace(
        preset.flow_attention,
        attention=attention,
        attention_module=options.attention_module,
        prior=prior,
    )
    enhancer = replace(
        preset.enhancer, keep=like.enhancer.keep if options.keep is None else options.keep
    )
    size_hw = (options.height_px, options.width_px)
    return replace(
        preset,
        size_hw=size_hw,
        flow_attention=flow_attention,
        enhancer=enhancer,
        enlarge=options.enlarge,
    )
