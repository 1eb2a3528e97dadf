"""Fine detail: how much small structure the person has. Errors such as L1 reward blur; this
number shows it."""

from torch import Tensor

from dancepipe.evaluation.pixels import unit_range
from dancepipe.losses.fine_detail import fine_contrast


def fine_detail(pictures: Tensor, masks: Tensor) -> Tensor:
    """hf (B,) of uint8 pictures (B, H, W, 3) inside masks uint8 (B, H, W): see fine_contrast."""
    return fine_contrast(unit_range(pictures), masks)
