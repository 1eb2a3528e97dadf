"""Clips and photos of the rendered people in samples/, cut and spoiled as a test needs them."""

from functools import cache
from pathlib import Path

import numpy as np
from drawn import write_test_video
from PIL import Image

from dancepipe.media.read import VideoReader
from dancepipe.systems.focus_retain.dims import PRESETS, ModelDims
from dancepipe.systems.focus_retain.enhancer import Enhancer
from dancepipe.systems.focus_retain.flow_attention import FlowAttentionNetwork
from dancepipe.systems.weights import WeightsInfo, save_weights

SAMPLES = Path(__file__).resolve().parents[1] / "samples"
SIZE_WH = (224, 320)


@cache
def dancer_frames() -> list[np.ndarray]:
    """The frames of samples/driver.mp4 at half size."""
    with VideoReader(SAMPLES / "driver.mp4", max_side_px=SIZE_WH[1]) as video:
        return [frame.image for frame in video]


def write_dance(
    path: Path, frames: int = 16, *, first: int = 0, empty: tuple[int, ...] = (), **settings
):
    """A video of the rendered dancer; in the frames named in `empty` nobody is there. Settings
    as write_test_video."""
    pictures = dancer_frames()

    def draw(index: int, size_wh: tuple[int, int]) -> np.ndarray:
        picture = np.full_like(pictures[0], 180) if index in empty else pictures[first + index]
        return (
            np.asarray(Image.fromarray(picture).resize(size_wh)) if size_wh != SIZE_WH else picture
        )

    return write_test_video(
        path, frames, **{"size_wh": SIZE_WH, "draw": draw, "options": {"crf": "18"}, **settings}
    )


def write_untrained_weights(
    path: Path, *, stage: int = 2, preset: str = "tiny", size_hw: tuple[int, int] = (32, 32)
) -> None:
    """Weights of untrained networks: everything but the look of the result can be tested with
    them."""
    import torch

    torch.manual_seed(0)
    dims = ModelDims(preset, size_hw, PRESETS[preset].flow_attention, PRESETS[preset].enhancer)
    networks = {"flow_attention": FlowAttentionNetwork(dims.flow_attention)}
    if stage == 2:
        networks["enhancer"] = Enhancer(dims.enhancer)
    save_weights(path, WeightsInfo(dims, stage, 0), networks)
