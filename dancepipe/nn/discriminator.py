"""D and D_f of eq. 9, after GFLA: residual blocks with spectral norm and no other norm, scores
per patch."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm
from torch.nn.utils.parametrize import is_parametrized

from dancepipe.nn.blocks import activate, conv3x3


class DiscriminatorBlock(nn.Module):
    """(B, in, H, W) -> (B, out, H/2, W/2)."""

    def __init__(self, channels_in: int, channels_out: int, hidden: int):
        super().__init__()
        self.conv = spectral_norm(conv3x3(channels_in, hidden))
        self.shrink = spectral_norm(nn.Conv2d(hidden, channels_out, 4, 2, 1))
        self.shortcut = spectral_norm(nn.Conv2d(channels_in, channels_out, 1))

    def forward(self, x: Tensor) -> Tensor:
        inner = self.conv(activate(x))  # (B, hidden, H, W)
        return self.shrink(activate(inner)) + self.shortcut(F.avg_pool2d(x, 2))


class Discriminator(nn.Module):
    """(B, 3, H, W) in [-1, 1] -> scores (B, 1, H / 2^blocks, W / 2^blocks), float32; real is 1,
    made is 0."""

    def __init__(self, blocks: int, width: int = 32):
        super().__init__()
        widths = [width, 2 * width, 4 * width, 4 * width][:blocks]
        self.blocks = nn.Sequential(
            DiscriminatorBlock(3, width, width),
            *(DiscriminatorBlock(i, o, i) for i, o in zip(widths, widths[1:])),
        )
        self.score = spectral_norm(nn.Conv2d(widths[-1], 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        return self.judge(images)[0]

    def judge(self, images: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Scores, and the features after each block: (B, width, H/2, W/2) and so on."""
        x, features = images, []
        for block in self.blocks:
            x = block(x)
            features.append(x)
        return self.score(activate(x)).float(), features


def image_discriminator(size_hw: tuple[int, int]) -> Discriminator:
    """D for pictures of about this size: 16 x 16 scores at 256 x 256, one block fewer for 128 x
    64 and smaller."""
    return Discriminator(blocks=4 if min(size_hw) > 64 else 3)


def face_discriminator() -> Discriminator:
    """D_f for face crops of 64 x 64: 8 x 8 scores."""
    return Discriminator(blocks=3)


@torch.no_grad()
def renew_spectral_norms(network: nn.Module) -> None:
    """One power iteration of each; then the norms stay as they are, however often D is asked,
    until the next call."""
    network.train()
    for module in network.modules():
        if is_parametrized(module, "weight"):
            _ = module.weight  # reading it is the iteration
    network.eval()
