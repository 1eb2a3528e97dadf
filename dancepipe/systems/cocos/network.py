"""Both networks together: the reference warped by the correspondence, W, and beside the pose it is
the condition of a generator of SPADE blocks.

As in the published code, not its paper: the generator starts from W and pose at H/32, and both
condition every block.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dancepipe.systems.cocos.blocks import Attention, SpadeBlock
from dancepipe.systems.cocos.correspondence import (
    Correspondence,
    in_tiles,
    matched,
    of_tiles,
    similarities,
)
from dancepipe.systems.cocos.dims import CocosDims
from dancepipe.systems.single.begin import begin_small
from dancepipe.systems.single.network import Made, MatteHead, SingleNetwork

_START = 32  # the generator starts at H/32
# Of each block: channels in and out, in nf, and whether the map was enlarged before it.
_BLOCKS = (
    (16, 16, False),
    (16, 16, True),
    (16, 16, False),
    (16, 8, True),
    (8, 4, True),
    (4, 2, True),  # after attention
    (2, 1, True),
)
_ATTENTION_BEFORE = 5


@dataclass(frozen=True, eq=False)
class EncodedReference:
    keys: Tensor  # (B, N, D)
    tiles: Tensor  # (B, N, 48)


@dataclass(frozen=True, eq=False, kw_only=True)
class CocosMade(Made):
    warped: Tensor  # W, (B, 3, H, W)
    pose_features: Tensor  # x_S, (B, 4 nf, H/4, W/4), each position of length 1
    similarity: Tensor  # M, (B, N, N)


class Generator(nn.Module):
    """(B, c, H, W) -> features (B, nf, H, W)."""

    def __init__(self, condition: int, nf: int, hidden: int):
        super().__init__()
        self.start = nn.Conv2d(condition, 16 * nf, 3, padding=1)
        self.blocks = nn.ModuleList(
            SpadeBlock(i * nf, o * nf, condition, hidden) for i, o, _ in _BLOCKS
        )
        self.attention = Attention(4 * nf)

    def forward(self, condition: Tensor) -> Tensor:
        height, width = condition.shape[2:]
        small = F.interpolate(condition, (height // _START, width // _START), mode="nearest")
        x = self.start(small)  # (B, 16 nf, H/32, W/32)
        for place, (block, (_, _, grows)) in enumerate(zip(self.blocks, _BLOCKS)):
            if grows:
                x = F.interpolate(x, scale_factor=2, mode="nearest")
            if place == _ATTENTION_BEFORE:
                x = self.attention(x)
            x = block(x, condition)
        return x


class CocosNetwork(SingleNetwork):
    def __init__(self, dims: CocosDims):
        super().__init__()
        self.correspondence = Correspondence(dims)
        self.generator = Generator(3 + dims.pose_channels, dims.nf, dims.h)
        self.picture = nn.Conv2d(dims.nf, 3, 3, padding=1)
        self.matte = MatteHead(dims.nf)
        begin_small(self)

    def encode(self, I_r: Tensor, pose_r: Tensor | None = None) -> EncodedReference:
        return EncodedReference(self.correspondence.keys(I_r), in_tiles(I_r))

    def draw(self, reference: EncodedReference, pose_t: Tensor) -> CocosMade:
        pose_features = self.correspondence.of_pose(pose_t)
        queries = self.correspondence.queries(pose_features)
        similarity = similarities(queries, reference.keys)
        size_hw = pose_t.shape[2], pose_t.shape[3]
        warped = of_tiles(matched(similarity, reference.tiles), size_hw)
        features = self.generator(torch.cat((warped, pose_t), 1))  # (B, nf, H, W)
        return CocosMade(
            picture=torch.tanh(self.picture(F.leaky_relu(features, 0.2))),
            matte_logits=self.matte(F.leaky_relu(features, 0.2)),
            columns={"warped": warped},
            warped=warped,
            pose_features=pose_features,
            similarity=similarity,
        )
