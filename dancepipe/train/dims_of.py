"""The options of a run -> the networks that it trains: a preset, and what the paper's ablations take from it."""

from dataclasses import replace

from dancepipe.model.dims import PRESETS, ModelDims
from dancepipe.train.options import TrainOptions


def dims_of(options: TrainOptions) -> ModelDims:
    """Raises ConfigError for a size that no network takes."""
    preset = PRESETS[options.preset]
    of_preset = preset.flow_attention
    attention, prior = options.attention or of_preset.attention, options.prior or of_preset.prior
    flow_attention = replace(of_preset, attention=attention, attention_module=options.attention_module, prior=prior)
    enhancer = replace(preset.enhancer, keep=preset.enhancer.keep if options.keep is None else options.keep)
    size_hw = (options.height_px, options.width_px)
    return replace(preset, size_hw=size_hw, flow_attention=flow_attention, enhancer=enhancer, enlarge=options.enlarge)
