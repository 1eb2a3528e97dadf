"""The person alone: the picture with its background removed."""

import numpy as np

from dancepipe.records import GREY


def on_grey(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The masked person on neutral grey: uint8 RGB (H, W, 3) from a picture and its soft mask (H, W), 255 = person."""
    weight = mask[..., None].astype(np.float32) / 255
    return np.rint(image * weight + GREY * (1 - weight)).astype(np.uint8)
