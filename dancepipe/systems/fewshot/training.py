"""How this system is trained: single frames."""

from collections.abc import Mapping
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from dancepipe.errors import ConfigError
from dancepipe.losses.adversarial import mean_where
from dancepipe.losses.face import crop_faces, face_boxes
from dancepipe.losses.feature_terms import levelled_distance, matching_distance
from dancepipe.losses.matte import matte_loss
from dancepipe.losses.taps import FeatureTaps
from dancepipe.nn.patch_discriminator import PatchDiscriminator, Scales
from dancepipe.systems.fewshot.dims import FewshotDims
from dancepipe.systems.fewshot.losses import flow_term, occlusion_terms
from dancepipe.systems.fewshot.network import FewshotMade, FewshotNetwork
from dancepipe.systems.fewshot.options import FewshotOptions
from dancepipe.systems.single.pose_input import PairInput
from dancepipe.systems.single.stage import Judge, Rates, SingleRecipe, Teaching, both_faces
from dancepipe.systems.single.training import single_training

_TERMS = (
    "adversarial", "feature_matching", "perceptual", "face_adversarial", "face_feature_matching",
    "face_l1", "face_perceptual", "flow", "warp", "occlusion", "matte",
)  # fmt: skip


class Recipe(SingleRecipe, Protocol):
    @property
    def fewshot(self) -> FewshotOptions: ...


def dims_of(recipe: Recipe, initial: FewshotDims | None = None) -> FewshotDims:
    """The prior that the recipe leaves open is as in `initial`. ConfigError for sequences."""
    own = recipe.fewshot
    if own.frames > 1:
        raise ConfigError(
            f"fewshot.frames is {own.frames}, but sequences are not there: no network for the "
            "previous frame (U_p), no discriminator of time (D_T), no clips as training data; "
            "leave it 1, single frames, as Table 1 needs them"
        )
    return FewshotDims(
        (recipe.height_px, recipe.width_px),
        own.pose,  # type: ignore[arg-type]  # dims look at the name
        recipe.prior or (initial.prior if initial else "none"),  # type: ignore[arg-type]
        own.nf,
        own.levels,
        own.generated,
        own.flow_blocks,
    )


def teaching(dims: FewshotDims, recipe: Recipe) -> Teaching:
    own = recipe.fewshot
    judges = {}
    if own.adversarial or own.feature_matching:
        judges["D"] = Judge(_discriminator(2 * (dims.pose_channels + 3), dims.nf), _view)
    if own.face_adversarial or own.face_feature_matching:
        judges["D_f"] = Judge(_discriminator(6, dims.nf), _face_view)

    def terms(
        made: FewshotMade,
        given: PairInput,
        perceptual: FeatureTaps | None,
        judges: Mapping[str, Judge],
    ) -> dict[str, Tensor]:
        pair = given.pair
        found = {
            "warp": F.l1_loss(made.warped, pair.I_t),
            "occlusion": occlusion_terms(made, pair),
            "matte": matte_loss(made.matte_logits, pair.matte_t),
        }
        if own.flow and pair.exact is not None:
            found["flow"] = flow_term(made, pair.exact)
        if perceptual is not None:
            with torch.no_grad():
                taps_t = perceptual(pair.I_t)
            found["perceptual"] = levelled_distance(perceptual(made.picture), taps_t).mean()
        if "D" in judges:
            score, matching = _judged(judges["D"], given, made.picture)
            found |= {"adversarial": score.mean(), "feature_matching": matching.mean()}
        return found | _face_terms(given, made.picture, perceptual, judges)

    return Teaching(
        FewshotNetwork(dims),
        Rates(own.learning_rate, own.beta1, 0.999),
        Rates(own.discriminator_rate, own.beta1, 0.999),
        decay=0.0,
        kind="hinge",
        judges=judges,
        terms=terms,
        weights={name: getattr(own, name) for name in _TERMS},
    )


def _discriminator(channels: int, nf: int) -> Scales:
    widths = [nf * 2**level for level in range(5)]
    return Scales(
        PatchDiscriminator(channels, widths, spectral=True, norm="affine", bias=False, padding=2)
    )


def _view(given: PairInput, picture: Tensor) -> tuple[Tensor, None]:
    """Target and reference, each beside its pose."""
    assert given.pose_r is not None  # the network reads it
    return torch.cat((given.pose_t, picture, given.pose_r, given.pair.I_r), 1), None


def _face_view(given: PairInput, picture: Tensor) -> tuple[Tensor, Tensor]:
    """The faces of reference and picture; samples where both are known."""
    pair = given.pair
    boxes_r, boxes_t = (face_boxes(one, pair.size_hw[0]) for one in (pair.joints_r, pair.joints_t))
    faces = torch.cat((crop_faces(pair.I_r, boxes_r), crop_faces(picture, boxes_t)), 1)
    return faces, both_faces(pair)


def _judged(judge: Judge, given: PairInput, picture: Tensor) -> tuple[Tensor, Tensor]:
    """(B,) each: what the network pays for its score, and the distance of D's features.

    As in the published code the pull ends where a score reaches that of true pictures.
    """
    (scores, features), *_ = judge.network.judge(judge.view(given, picture)[0])  # pyright: ignore[reportCallIssue]
    with torch.no_grad():
        (_, features_t), *_ = judge.network.judge(judge.view(given, given.pair.I_t)[0])  # pyright: ignore[reportCallIssue]
    return F.relu(1 - scores).mean((1, 2, 3)), matching_distance(features, features_t)


def _face_terms(
    given: PairInput,
    picture: Tensor,
    perceptual: FeatureTaps | None,
    judges: Mapping[str, Judge],
) -> dict[str, Tensor]:
    """On crops of 64 x 64; samples without a face do not count."""
    made, present = _face_view(given, picture)
    true, _ = _face_view(given, given.pair.I_t)
    face, face_t = made[:, 3:], true[:, 3:]
    found = {"face_l1": (face - face_t).abs().mean((1, 2, 3))}
    if perceptual is not None:
        with torch.no_grad():
            taps_t = perceptual(face_t)
        found["face_perceptual"] = levelled_distance(perceptual(face), taps_t)
    if "D_f" in judges:
        found["face_adversarial"], found["face_feature_matching"] = _judged(
            judges["D_f"], given, picture
        )
    return {name: mean_where(values, present, given.faces) for name, values in found.items()}


TRAINING = single_training(
    FewshotDims,
    dims_of,
    FewshotNetwork,
    teaching,
    layers="first",
    reads_flow=lambda recipe: bool(recipe.fewshot.flow),
)
