"""Folders of drawn pictures for tests of the study: real ones are green, a method's have another
colour each."""

from pathlib import Path

import numpy as np
from PIL import Image

REAL_RGB = (20, 200, 20)
MADE_RGB = {"ours": (220, 30, 30), "other": (30, 30, 220)}


def picture_name(index: int) -> str:
    return f"p{index:03d}"


def draw_flat(
    colour: tuple[int, int, int], index: int, size_wh: tuple[int, int] = (40, 60)
) -> np.ndarray:
    """uint8 (H, W, 3) of the colour, with a dark bar whose height is the index."""
    image = np.full((size_wh[1], size_wh[0], 3), colour, np.uint8)
    image[: 1 + index % size_wh[1], : size_wh[0] // 2] //= 2
    return image


def write_folders(
    folder: Path, count: int, methods=("ours",), size_wh: tuple[int, int] = (40, 60)
) -> tuple[Path, dict[str, Path]]:
    """`count` real pictures and as many of each method; the arguments of study()."""
    folders = {}
    for method, colour in {
        "real": REAL_RGB,
        **{method: MADE_RGB[method] for method in methods},
    }.items():
        folders[method] = Path(folder) / method
        folders[method].mkdir(parents=True)
        for index in range(count):
            Image.fromarray(draw_flat(colour, index, size_wh)).save(
                folders[method] / f"{picture_name(index)}.png"
            )
    return folders.pop("real"), folders


def is_real(image: np.ndarray) -> bool:
    """Whether a picture shows the real one's colour, scrambled or not."""
    red, green, blue = image.reshape(-1, 3).astype(float).mean(0)
    return green > red and green > blue
