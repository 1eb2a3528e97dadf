"""What every perceptual network gives, whichever it is."""

from abc import abstractmethod
from typing import Literal

from torch import Tensor, nn

AT_4, AT_8 = 2, 3  # positions among the taps: the maps at H/4 and H/8

# Which layers of VGG-19: relu1_1 to relu5_1, or relu1_2 to relu5_2.
Layers = Literal["first", "second"]


class FeatureTaps(nn.Module):
    """images (B, 3, H, W) in [-1, 1], H and W >= 16 -> five feature maps, from fine to coarse,
    the third at H/4, the fourth at H/8, the fifth at H/16. Frozen."""

    @abstractmethod
    def forward(self, images: Tensor) -> tuple[Tensor, ...]: ...
