"""The options of a run -> the networks that it trains: a preset, and what the paper's ablations take from it."""

from dataclasses import replace

from dancepipe.model.dims import PRESETS, ModelDims
from dancepipe.train.options import TrainOptions


def dims_of(options: TrainOptions) -> ModelDims:
    """Raises ConfigError for a size that no network takes."""
    preset = PRESETS[options.preset]
    flow_attention = replace(preset.flow_attention, attention_module=options.attention_module, prior=options.prior or preset.flow_attention.prior)
    enhancer = replace(preset.enhancer, keep=preset.enhancer.keep if options.keep is None else options.keep)
    size_hw = (options.height_px, options.width_px)
    return replace(preset, size_hw=size_hw, flow_attention=flow_attention, enhancer=enhancer, enlarge=options.enlarge)
