"""The made picture of an attention check: anybody who looks sees that it is no photograph."""

import numpy as np
from PIL import Image, ImageFilter

from dancepipe.study.plan import shuffled

TILES = 5  # along each side
BLUR = 1 / 40  # of the shorter side


def scramble(image: np.ndarray, *key) -> np.ndarray:
    """uint8 RGB (H, W, 3) -> the same size, tiles in an order drawn from `key`, blurred."""
    height, width = image.shape[:2]
    rows, columns = (
        np.linspace(0, side, TILES + 1).round().astype(int).tolist() for side in (height, width)
    )
    boxes = [
        (columns[i], rows[j], columns[i + 1], rows[j + 1])
        for j in range(TILES)
        for i in range(TILES)
    ]
    source = Image.fromarray(image)
    result = source.copy()
    for place, origin in enumerate(shuffled(range(len(boxes)), *key)):
        left, top, right, bottom = boxes[place]
        if right > left and bottom > top:  # pictures of fewer pixels than tiles
            tile = source.crop(boxes[origin])
            result.paste(
                tile.resize((right - left, bottom - top))
                if min(tile.size)
                else Image.new("RGB", (right - left, bottom - top)),
                (left, top),
            )
    return np.asarray(result.filter(ImageFilter.GaussianBlur(max(min(width, height) * BLUR, 1))))
