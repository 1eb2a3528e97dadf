"""How this system is trained: both networks together."""

from collections.abc import Mapping
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from dancepipe.losses.feature_terms import (
    contextual_distance,
    levelled_distance,
    matching_distance,
)
from dancepipe.losses.matte import matte_loss
from dancepipe.losses.taps import FeatureTaps
from dancepipe.nn.patch_discriminator import PatchDiscriminator, Scales
from dancepipe.systems.cocos.blocks import Attention
from dancepipe.systems.cocos.correspondence import in_tiles, matched, of_tiles
from dancepipe.systems.cocos.dims import CocosDims
from dancepipe.systems.cocos.network import CocosMade, CocosNetwork
from dancepipe.systems.cocos.options import CocosOptions
from dancepipe.systems.single.pose_input import PairInput
from dancepipe.systems.single.stage import Judge, Rates, SingleRecipe, Teaching
from dancepipe.systems.single.training import single_training

_RELU3, _RELU4, _RELU5 = 2, 3, 4  # positions among the taps


class Recipe(SingleRecipe, Protocol):
    @property
    def cocos(self) -> CocosOptions: ...


def dims_of(recipe: Recipe, initial: CocosDims | None = None) -> CocosDims:
    """The prior that the recipe leaves open is as in `initial`."""
    own = recipe.cocos
    return CocosDims(
        (recipe.height_px, recipe.width_px),
        own.pose,  # type: ignore[arg-type]  # dims look at the name
        recipe.prior or (initial.prior if initial else "none"),  # type: ignore[arg-type]
        own.nf,
        own.h,
    )


def teaching(dims: CocosDims, recipe: Recipe) -> Teaching:
    own, network, judges = recipe.cocos, CocosNetwork(dims), {}
    if own.adversarial or own.feature_matching:
        judges["D"] = Judge(_discriminator(dims), _view)
    weights = {
        name: getattr(own, name)
        for name in (
            "domain",
            "warp",
            "features",
            "perceptual",
            "contextual",
            "adversarial",
            "feature_matching",
            "cycle",
            "matte",
        )  # fmt: skip
    }

    def terms(
        made: CocosMade,
        given: PairInput,
        perceptual: FeatureTaps | None,
        judges: Mapping[str, Judge],
    ) -> dict[str, Tensor]:
        I_t, matte_t = given.pair.I_t, given.pair.matte_t
        found = {
            "domain": F.l1_loss(made.pose_features, network.correspondence.of_picture(I_t)),
            "warp": F.l1_loss(made.warped, I_t),
            "matte": matte_loss(made.matte_logits, matte_t),
        }
        if own.cycle:
            found["cycle"] = F.l1_loss(_warped_back(made), given.pair.I_r)
        if perceptual is not None:
            found |= perceptual_terms(perceptual, made.picture, I_t, given.pair.I_r)
        if "D" in judges:
            found |= _judged(judges["D"], given, made.picture)
        return found

    return Teaching(
        network,
        Rates(own.learning_rate, own.beta1, 0.9, 1e-3),
        Rates(own.discriminator_rate, own.beta1, 0.9),
        decay=own.decay,
        kind="hinge",
        judges=judges,
        terms=terms,
        weights=weights,
    )


def _discriminator(dims: CocosDims) -> Scales:
    """Two scales, with attention at an eighth of each."""
    widths = [dims.nf * 2**level for level in range(4)]
    return Scales(
        *(
            PatchDiscriminator(
                dims.pose_channels + 3,
                widths,
                spectral=True,
                bias=False,
                attention=Attention(widths[2]),
            )
            for _ in range(2)
        )
    )


def _view(given: PairInput, picture: Tensor) -> tuple[Tensor, None]:
    return torch.cat((given.pose_t, picture), 1), None


def _judged(judge: Judge, given: PairInput, picture: Tensor) -> dict[str, Tensor]:
    scales = judge.network.judge(_view(given, picture)[0])  # pyright: ignore[reportCallIssue]
    with torch.no_grad():
        true = judge.network.judge(_view(given, given.pair.I_t)[0])  # pyright: ignore[reportCallIssue]
    return {
        "adversarial": torch.stack([-scores.mean() for scores, _ in scales]).mean(),
        "feature_matching": torch.stack(
            [
                matching_distance(features, features_t).mean()
                for (_, features), (_, features_t) in zip(scales, true)
            ]
        ).mean(),
    }


def _warped_back(made: CocosMade) -> Tensor:
    """The warped reference, by the same similarities: (B, 3, H, W)."""
    back = made.similarity.transpose(1, 2)
    size_hw = made.warped.shape[2], made.warped.shape[3]
    return of_tiles(matched(back, in_tiles(made.warped)), size_hw)


def perceptual_terms(
    perceptual: FeatureTaps, picture: Tensor, I_t: Tensor, I_r: Tensor
) -> dict[str, Tensor]:
    """Those of relu1_2 to relu5_2: to the target, and to the reference wherever things lie."""
    with torch.no_grad():
        taps_t, taps_r = perceptual(I_t), perceptual(I_r)
    taps = perceptual(picture)
    halves = F.avg_pool2d(taps[_RELU3].float(), 2), F.avg_pool2d(taps_r[_RELU3].float(), 2)
    return {
        "features": levelled_distance(taps, taps_t).mean(),
        "perceptual": (taps[_RELU4].float() - taps_t[_RELU4].float()).square().mean(),
        "contextual": (
            8 * contextual_distance(taps[_RELU5], taps_r[_RELU5])
            + 4 * contextual_distance(taps[_RELU4], taps_r[_RELU4])
            + 2 * contextual_distance(*halves)
        ).mean(),
    }


TRAINING = single_training(CocosDims, dims_of, CocosNetwork, teaching, layers="second")
