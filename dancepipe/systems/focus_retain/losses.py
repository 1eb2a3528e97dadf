"""Eq. 3 to 10: named, unweighted terms, and the one function that weighs and sums them.

A term's name is its weight's name in LossWeights, its key in logs and in YAML.
Stage 1 trains the coarse picture and the flow, stage 2 the final picture, so no
term needs to say which of the two it is about. Every term is float32.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dancepipe.losses.adversarial import mean_where
from dancepipe.losses.face import crop_faces, face_boxes
from dancepipe.losses.fine_detail import body_windows, gradient_loss, lost_detail_loss
from dancepipe.losses.flow import (
    Correctness,
    ExactFlow,
    affine_loss,
    flow_exact_loss,
    flow_feature_loss,
    flow_image_loss,
)
from dancepipe.losses.matte import matte_loss
from dancepipe.losses.taps import FeatureTaps
from dancepipe.nn.discriminator import Discriminator
from dancepipe.nn.mixture import Mixture
from dancepipe.systems.focus_retain.enhancer import EnhancerOutput
from dancepipe.systems.focus_retain.flow_attention import FlowAttentionOutput
from dancepipe.systems.focus_retain.loss_weights import LossWeights


@dataclass(frozen=True)
class Counts:
    """What the terms that are no plain means over all samples are divided by; each is () and
    float32, and at least 1 for a whole batch.

    A batch that is worked on in parts needs those of the whole, spread over the parts: then the
    mean over the parts is the whole's term.
    """

    faces: Tensor  # samples with a face
    person: Tensor  # its pixels, for person_l1
    body: Tensor  # its windows, for lost_detail

    @staticmethod
    def of(mask: Tensor, joints: Tensor) -> Tensor:
        """(3,): all of them in this order. mask (B, 1, H, W) in [0, 1] and joints (B, 18, 3) of
        I_t."""
        return torch.stack(
            (
                face_boxes(joints, mask.shape[2]).present.sum().float(),
                mask.sum(),
                body_windows(mask).sum(),
            )
        )

    @staticmethod
    def spread(whole: Tensor, parts: int) -> "Counts":
        """whole (3,): of the batch, the sum of its parts."""
        return Counts(*(whole.clamp_min(1) / parts))


def sum_of(values: Iterable[Tensor]) -> Tensor:
    """Of one at least: of none, sum gives the number that it starts from."""
    return cast(Tensor, sum(values))


def weighted_sum(terms: Mapping[str, Tensor], weights: LossWeights) -> Tensor:
    """Eq. 10."""
    return sum_of(value * getattr(weights, name) for name, value in terms.items())


def stage1_terms(
    made: FlowAttentionOutput,
    I_r: Tensor,
    I_t: Tensor,
    mask: Tensor,
    perceptual: FeatureTaps | None,
    discriminator: Discriminator | None,
    weights: LossWeights = LossWeights(),
    correctness: Correctness = "eq3",
    exact: ExactFlow | None = None,
    counts: Counts | None = None,
) -> dict[str, Tensor]:
    """The flow attention network's terms; those of a network that is None are absent, and options
    that weigh nothing.

    I_r, I_t (B, 3, H, W) in [-1, 1]; mask (B, 1, H, W) in [0, 1], the person in I_t; exact: the
    flow, where the data know it; counts: when these samples are part of a batch.
    """
    taps_r, taps_t = given_taps(perceptual, I_r, I_t)
    terms = flow_terms(made.flows, I_r, I_t, taps_r, taps_t, weights, correctness, exact)
    terms["l1"] = F.l1_loss(made.coarse, I_t)
    terms |= detail_terms(made.coarse, made.mixture, I_t, mask, counts) | synthesis_terms(
        made.mixture, I_t, mask, weights, counts
    )
    if perceptual is not None:
        assert taps_t is not None  # given_taps has both or none
        taps = perceptual(made.coarse)
        terms["perceptual"] = perceptual_distance(taps, taps_t).mean()
        if weights.style:
            terms["style"] = style_loss(taps, taps_t)
    terms |= adversarial_terms(discriminator, made.coarse, I_t, weights)
    terms["matte"] = matte_loss(made.matte_logits, mask)
    return terms


def flow_terms(
    flows: tuple[Tensor, Tensor],
    I_r: Tensor,
    I_t: Tensor,
    taps_r: Sequence[Tensor] | None,
    taps_t: Sequence[Tensor] | None,
    weights: LossWeights,
    correctness: Correctness,
    exact: ExactFlow | None,
) -> dict[str, Tensor]:
    """Those of the flow alone, as in stage1_terms. taps: perceptual features, None without a
    perceptual network."""
    terms = {"flow_image": flow_image_loss(flows, I_r, I_t)}
    if taps_r is not None and taps_t is not None:
        terms["flow_feature"] = flow_feature_loss(flows, taps_r, taps_t, correctness)
    if weights.flow_exact and exact is not None:
        terms["flow_exact"] = flow_exact_loss(flows, exact)
    if weights.affine:
        terms["affine"] = affine_loss(flows)
    return terms


@torch.no_grad()
def given_taps(
    perceptual: FeatureTaps | None, I_r: Tensor, I_t: Tensor
) -> tuple[Sequence[Tensor] | None, Sequence[Tensor] | None]:
    """Perceptual features of the reference and of the target; None without a perceptual network."""
    return (None, None) if perceptual is None else (perceptual(I_r), perceptual(I_t))


def stage2_terms(
    made: EnhancerOutput,
    I_t: Tensor,
    mask: Tensor,
    joints: Tensor,
    perceptual: FeatureTaps | None,
    discriminator: Discriminator | None,
    face_discriminator: nn.Module | None,
    weights: LossWeights = LossWeights(),
    counts: Counts | None = None,
) -> dict[str, Tensor]:
    """The enhancer's terms; those of a network that is None are absent, and options that weigh
    nothing. joints (B, 18, 3) of I_t: x_px, y_px, confidence.

    The terms of eq. 7 and 9 in I_coarse are constant here and left out. Samples without a face do
    not count in the face terms. counts: when these samples are part of a batch.
    """
    faces = counts and counts.faces
    boxes = face_boxes(joints, I_t.shape[2])
    face, face_t = crop_faces(made.final, boxes), crop_faces(I_t, boxes)
    terms = {
        "l1": F.l1_loss(made.final, I_t),
        "face_l1": mean_where((face - face_t).abs().mean((1, 2, 3)), boxes.present, faces),
    }
    terms |= detail_terms(made.final, made.mixture, I_t, mask, counts) | synthesis_terms(
        made.mixture, I_t, mask, weights, counts
    )
    if perceptual is not None:
        with torch.no_grad():
            taps_t, face_taps_t = perceptual(I_t), perceptual(face_t)
        taps = perceptual(made.final)
        terms["perceptual"] = perceptual_distance(taps, taps_t).mean()
        if weights.style:
            terms["style"] = style_loss(taps, taps_t)
        terms["face_perceptual"] = mean_where(
            perceptual_distance(perceptual(face), face_taps_t), boxes.present, faces
        )
    terms |= adversarial_terms(discriminator, made.final, I_t, weights)
    if face_discriminator is not None:
        terms["adversarial_face"] = mean_where(
            (face_discriminator(face) - 1).square().mean((1, 2, 3)), boxes.present, faces
        )
    terms["matte"] = matte_loss(made.matte_logits, mask)
    return terms


def adversarial_terms(
    discriminator: Discriminator | None, made: Tensor, I_t: Tensor, weights: LossWeights
) -> dict[str, Tensor]:
    """Eq. 9 of D; with a weight for it also feature matching, ours: mean L1 between D's features
    of the made and of the true picture."""
    if discriminator is None:
        return {}
    if not weights.feature_matching:
        return {"adversarial": (discriminator(made) - 1).square().mean()}
    score, features = discriminator.judge(made)
    with torch.no_grad():
        _, features_t = discriminator.judge(I_t)
    matching = sum_of(
        F.l1_loss(one.float(), other.float()) for one, other in zip(features, features_t)
    ) / len(features)
    return {"adversarial": (score - 1).square().mean(), "feature_matching": matching}


def style_loss(taps: Sequence[Tensor], taps_t: Sequence[Tensor]) -> Tensor:
    """GFLA's style term, on our five taps: mean L1 between the Gram matrices, each divided by C
    h w."""
    distances = (F.l1_loss(_gram(tap), _gram(tap_t)) for tap, tap_t in zip(taps, taps_t))
    return sum_of(distances) / len(taps)


def _gram(features: Tensor) -> Tensor:
    flat = features.float().flatten(2)  # (B, C, h w)
    return flat @ flat.transpose(1, 2) / (flat.shape[1] * flat.shape[2])


def perceptual_distance(taps: Sequence[Tensor], taps_t: Sequence[Tensor]) -> Tensor:
    """The perceptual half of eq. 7: the sum over the taps of the mean absolute difference. (B,)"""
    return sum_of(
        (tap.float() - tap_t.float()).abs().mean((1, 2, 3)) for tap, tap_t in zip(taps, taps_t)
    )


def detail_terms(
    made: Tensor, mixture: Mixture | None, I_t: Tensor, mask: Tensor, counts: Counts | None = None
) -> dict[str, Tensor]:
    """Ours, the same in both stages: see fine_detail.py. `lost_detail` is for networks with a gate.

    person_l1: mean L1 over the person's pixels in the target. A plain L1 drops what is there in
    less than half of all guesses, and where exactly a hand or foot lies is a guess; with this a
    limb is drawn as soon as it is not unlikely.
    """
    terms = {"gradient": gradient_loss(made, I_t), "person_l1": _person_l1(made, I_t, mask, counts)}
    if mixture:
        terms["lost_detail"] = lost_detail_loss(
            mixture.gate, mixture.copied, I_t, mask, counts and counts.body
        )
    return terms


def synthesis_terms(
    mixture: Mixture | None,
    I_t: Tensor,
    mask: Tensor,
    weights: LossWeights,
    counts: Counts | None = None,
) -> dict[str, Tensor]:
    """Ours, for networks with a gate, the same in both stages: l1, person_l1 and gradient by their
    weights, of the synthesis alone.

    Behind a gate that starts open the synthesis hardly learns: it darkens rims, and where the copy
    is wrong there is nothing better to close the gate for.
    """
    if mixture is None or not weights.synthesis:
        return {}
    own = {
        "l1": F.l1_loss(mixture.made, I_t),
        "person_l1": _person_l1(mixture.made, I_t, mask, counts),
        "gradient": gradient_loss(mixture.made, I_t),
    }
    return {"synthesis": weighted_sum(own, weights)}


def _person_l1(made: Tensor, I_t: Tensor, mask: Tensor, counts: Counts | None) -> Tensor:
    person = counts.person if counts else mask.sum().clamp_min(1)
    return ((made - I_t).abs() * mask).sum() / (3 * person)
