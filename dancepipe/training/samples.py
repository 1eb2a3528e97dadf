"""The sample grid: one row a pair, everything one wants to see of a step side by side."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from dancepipe.losses.flow import full_size
from dancepipe.media.image import save_png
from dancepipe.nn.local_attention import warp
from dancepipe.nn.tensors import to_picture
from dancepipe.training.inputs import NetworkPair

COLUMNS = ("reference", "target", "J", "warped", "M", "coarse", "final", "matte")
_TITLE_PX = 14


def sample_grid(
    pair: NetworkPair, coarse, final: Tensor | None, matte_logits: Tensor
) -> np.ndarray:
    """uint8 RGB (rows * H + title, 8 * W, 3). coarse: a FlowAttentionOutput; final: None in
    stage 1."""
    size_hw = pair.I_t.shape[2:]
    M = torch.nn.functional.interpolate(
        coarse.masks[1].float(), size=size_hw, mode="bilinear", align_corners=False
    )
    columns = [
        pair.I_r,
        pair.I_t,
        pair.J_t * 2 - 1,
        warp(pair.I_r, full_size(coarse.flows[1], pair.I_r)),
        (M * 2 - 1).expand(-1, 3, -1, -1),
        coarse.coarse,
        torch.zeros_like(pair.I_t) if final is None else final,
        (torch.sigmoid(matte_logits) * 2 - 1).expand(-1, 3, -1, -1),
    ]
    pictures = [to_picture(column).cpu().numpy() for column in columns]
    rows = np.concatenate([np.concatenate(list(column), 0) for column in pictures], 1)
    titles = Image.new("RGB", (rows.shape[1], _TITLE_PX), "white")
    for index, name in enumerate(COLUMNS):
        ImageDraw.Draw(titles).text((index * size_hw[1] + 2, 1), name, fill="black")
    return np.concatenate([np.asarray(titles), rows], 0)


def save_grid(out: Path, stage: int, step: int, grid: np.ndarray) -> Path:
    """samples/stageN-STEP.png in the run folder."""
    path = Path(out) / "samples" / f"stage{stage}-{step:07d}.png"
    save_png(path, grid)
    return path
