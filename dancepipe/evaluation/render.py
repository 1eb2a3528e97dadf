"""Pairs -> the pictures that a system makes of them."""

import numpy as np
from torch import Tensor

from dancepipe.pose.batch import PoseBatch
from dancepipe.systems.system import System


def render_pairs(
    system: System, images: Tensor, masks: Tensor, poses_r: PoseBatch, poses_t: PoseBatch
) -> np.ndarray:
    """References uint8 (B, H, W, 3), masks uint8 (B, H, W), poses px of both -> uint8 (B, H, W, 3)
    on grey; each reference serves its own target."""
    return system.draw(system.encode(images, masks, poses_r), poses_t).pictures.numpy()
