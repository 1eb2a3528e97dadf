"""How this system is trained: an L1 and a least squares discriminator of patches, no more."""

from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from dancepipe.losses.matte import matte_loss
from dancepipe.nn.patch_discriminator import PatchDiscriminator, Scales
from dancepipe.systems.guided.dims import GuidedDims
from dancepipe.systems.guided.network import GuidedNetwork
from dancepipe.systems.guided.options import GuidedOptions
from dancepipe.systems.single.network import Made
from dancepipe.systems.single.pose_input import PairInput
from dancepipe.systems.single.stage import Judge, Rates, SingleRecipe, Teaching
from dancepipe.systems.single.training import single_training


class Recipe(SingleRecipe, Protocol):
    @property
    def guided(self) -> GuidedOptions: ...


def dims_of(recipe: Recipe, initial: GuidedDims | None = None) -> GuidedDims:
    """The prior that the recipe leaves open is as in `initial`."""
    own = recipe.guided
    return GuidedDims(
        (recipe.height_px, recipe.width_px),
        own.pose,  # type: ignore[arg-type]  # dims look at the name
        recipe.prior or (initial.prior if initial else "none"),  # type: ignore[arg-type]
        own.nf,
        own.d,
        own.blocks,
    )


def teaching(dims: GuidedDims, recipe: Recipe) -> Teaching:
    own = recipe.guided
    judges = {}
    if own.adversarial:
        widths = [dims.nf * 2**level for level in range(4)]
        judges["D"] = Judge(Scales(PatchDiscriminator(6 + dims.pose_channels, widths)), _view)
    return Teaching(
        GuidedNetwork(dims),
        Rates(own.learning_rate, own.beta1, 0.999),
        Rates(own.discriminator_rate, own.beta1, 0.999),
        decay=0.0,
        kind="lsgan",
        judges=judges,
        terms=_terms,
        weights={"l1": own.l1, "adversarial": own.adversarial, "matte": own.matte},
    )


def _view(given: PairInput, picture: Tensor) -> tuple[Tensor, None]:
    return torch.cat((given.pair.I_r, given.pose_t, picture), 1), None


def _terms(made: Made, given: PairInput, perceptual, judges) -> dict[str, Tensor]:
    terms = {
        "l1": F.l1_loss(made.picture, given.pair.I_t),
        "matte": matte_loss(made.matte_logits, given.pair.matte_t),
    }
    if "D" in judges:
        seen, _ = _view(given, made.picture)
        (scores,) = judges["D"].network(seen)
        terms["adversarial"] = (scores - 1).square().mean()
    return terms


TRAINING = single_training(GuidedDims, dims_of, GuidedNetwork, teaching, layers=None)
