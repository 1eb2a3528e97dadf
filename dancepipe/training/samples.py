"""The sample grid: one row a pair, everything one wants to see of a step side by side."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw

from dancepipe.media.image import save_png
from dancepipe.nn.tensors import to_picture
from dancepipe.systems.stage import NetworkPair, Shown

_TITLE_PX = 14


def sample_grid(pair: NetworkPair, shown: Shown) -> np.ndarray:
    """uint8 RGB (rows * H + title, columns * W, 3): reference, target, what the system shows of
    its making, the matte."""
    matte = (torch.sigmoid(shown.matte_logits) * 2 - 1).expand(-1, 3, -1, -1)
    columns = {"reference": pair.I_r, "target": pair.I_t, **shown.columns, "matte": matte}
    pictures = [to_picture(column).cpu().numpy() for column in columns.values()]
    rows = np.concatenate([np.concatenate(list(column), 0) for column in pictures], 1)
    titles = Image.new("RGB", (rows.shape[1], _TITLE_PX), "white")
    for index, name in enumerate(columns):
        ImageDraw.Draw(titles).text((index * pair.size_hw[1] + 2, 1), name, fill="black")
    return np.concatenate([np.asarray(titles), rows], 0)


def save_grid(out: Path, stage: int, step: int, grid: np.ndarray) -> Path:
    """samples/stageN-STEP.png in the run folder."""
    path = Path(out) / "samples" / f"stage{stage}-{step:07d}.png"
    save_png(path, grid)
    return path
