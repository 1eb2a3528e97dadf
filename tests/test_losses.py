"""Every term against a calculation by hand, and the sum against eq. 10."""

from dataclasses import fields, replace

import pytest
import torch
from torch import nn

from dancepipe.losses.adversarial import discriminator_loss
from dancepipe.losses.face import face_boxes
from dancepipe.losses.fine_detail import gradient_loss
from dancepipe.losses.flow import (
    ExactFlow,
    affine_loss,
    flow_exact_loss,
    flow_feature_loss,
    flow_image_loss,
)
from dancepipe.losses.matte import matte_loss
from dancepipe.losses.perceptual import random_vgg19
from dancepipe.nn.mixture import Mixture
from dancepipe.systems.focus_retain.enhancer import EnhancerOutput
from dancepipe.systems.focus_retain.flow_attention import FlowAttentionOutput
from dancepipe.systems.focus_retain.losses import (
    Counts,
    LossWeights,
    detail_terms,
    perceptual_distance,
    stage1_terms,
    stage2_terms,
    style_loss,
    synthesis_terms,
    weighted_sum,
)

ONE_MINUS_COSINE_45 = torch.exp(torch.tensor(-(2**-0.5))).item()


@pytest.fixture(scope="module")
def vgg():
    return random_vgg19()


class Scores(nn.Module):
    """A discriminator that scores a picture by its mean."""

    def forward(self, images):
        return images.mean(1, keepdim=True)

    def judge(self, images):
        return self(images), [images, 2 * images]


def no_flows(batch=1, side=32):
    return torch.zeros(batch, 2, side // 8, side // 8), torch.zeros(batch, 2, side // 4, side // 4)


def taps_of(eighth, quarter):
    """Five taps of which only the two that flow_feature_loss may use are there."""
    return None, None, quarter, eighth, None


def test_flow_feature_loss_is_exp_of_minus_cosine():
    quarter, eighth = torch.zeros(1, 2, 4, 4), torch.zeros(1, 2, 2, 2)
    quarter[:, 0], eighth[:, 0] = 1, 1
    turned_quarter, turned_eighth = quarter.clone(), eighth.clone()
    turned_quarter[:, 1] = 1  # 45 degrees away
    turned_eighth[:, :, :, 1] = torch.tensor([0.0, 3.0]).view(1, 2, 1)  # right half: 90 degrees
    flows = torch.zeros(1, 2, 2, 2), torch.zeros(1, 2, 4, 4)
    same = flow_feature_loss(flows, taps_of(eighth, quarter), taps_of(eighth, quarter))
    assert same.item() == pytest.approx(torch.exp(torch.tensor(-1.0)).item())
    turned = flow_feature_loss(
        flows, taps_of(eighth, quarter), taps_of(turned_eighth, turned_quarter)
    )
    assert turned.item() == pytest.approx((ONE_MINUS_COSINE_45 + (same.item() + 1) / 2) / 2)


def test_flow_feature_loss_falls_when_the_flow_is_right_and_its_gradient_points_there():
    features = torch.randn(1, 8, 8, 8, generator=torch.Generator().manual_seed(0))
    smooth = nn.functional.avg_pool2d(nn.functional.pad(features, (2,) * 4, mode="replicate"), 5, 1)
    target = smooth.roll(-1, 3)  # the source of x is x + 1
    flow = torch.full((1, 2, 8, 8), 0.0)
    flow[:, 0] = 0.5
    flow.requires_grad_()
    taps_r, taps_t = taps_of(smooth, smooth), taps_of(target, target)
    half_way = flow_feature_loss((flow, flow), taps_r, taps_t)
    half_way.backward()
    right = torch.zeros(1, 2, 8, 8)
    right[:, 0] = 1
    assert flow_feature_loss((right, right), taps_r, taps_t) < half_way
    assert flow.grad[:, 0].mean() < 0


def test_flow_image_loss_by_hand():
    I_r = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
    I_t = torch.cat(
        (I_r[..., 8:], I_r[..., -1:].expand(-1, -1, -1, 8)), 3
    )  # moved left by 8, the right border repeated
    flow_8, flow_4 = no_flows()
    flow_8[:, 0], flow_4[:, 0] = 1, 2  # both 8 px in the picture
    assert flow_image_loss((flow_8, flow_4), I_r, I_t).item() == pytest.approx(0, abs=1e-6)
    still = (I_r - I_t).abs().mean().item()
    assert flow_image_loss((flow_8, flow_4 * 0), I_r, I_t).item() == pytest.approx(
        still / 2, abs=1e-6
    )


def test_perceptual_distance_by_hand():
    taps = [torch.zeros(2, 1, 2, 2), torch.ones(2, 3, 1, 1)]
    taps_t = [
        torch.tensor([1.0, 2.0]).view(2, 1, 1, 1).expand(2, 1, 2, 2),
        torch.ones(2, 3, 1, 1) * 0.5,
    ]
    assert perceptual_distance(taps, taps_t).tolist() == [1.5, 2.5]


def test_matte_loss_by_hand():
    logits = torch.tensor([0.0, 2.0]).view(1, 1, 1, 2)
    mask = torch.tensor([1.0, 0.0]).view(1, 1, 1, 2)
    sigmoid_2 = 1 / (1 + torch.exp(torch.tensor(-2.0)))
    by_hand = ((0.5 + sigmoid_2) + (-torch.log(torch.tensor(0.5)) - torch.log(1 - sigmoid_2))) / 2
    assert matte_loss(logits, mask).item() == pytest.approx(by_hand.item(), rel=1e-5)


def test_discriminator_loss_by_hand_and_without_a_gradient_to_the_maker():
    real, made = torch.full((2, 3, 4, 4), 0.5), torch.full((2, 3, 4, 4), 0.25, requires_grad=True)
    real.requires_grad_()
    result = discriminator_loss(Scores(), real, made)
    assert result.loss.item() == pytest.approx(0.5 * (0.5**2 + 0.25**2))
    assert (result.real_score.item(), result.made_score.item()) == (0.5, 0.25)
    result.loss.backward()
    assert made.grad is None and real.grad is not None
    made = torch.stack((torch.zeros(3, 4, 4), torch.ones(3, 4, 4)))
    assert discriminator_loss(
        Scores(), real, made, torch.tensor([True, False])
    ).loss.item() == pytest.approx(0.5 * 0.5**2)
    assert discriminator_loss(Scores(), real, made, torch.tensor([False, False])).loss.item() == 0


def stage1_case():
    random = torch.Generator().manual_seed(0)
    coarse, I_r, I_t = (torch.rand(2, 3, 32, 32, generator=random) * 2 - 1 for _ in range(3))
    mask = (torch.rand(2, 1, 32, 32, generator=random) > 0.5).float()
    made = FlowAttentionOutput(coarse, torch.zeros(2, 1, 32, 32), no_flows(2), (), ())
    return made, I_r, I_t, mask


def test_stage_1_terms(vgg):
    made, I_r, I_t, mask = stage1_case()
    terms = stage1_terms(made, I_r, I_t, mask, vgg, Scores())
    assert set(terms) == {
        "flow_image",
        "flow_feature",
        "l1",
        "perceptual",
        "adversarial",
        "matte",
        "gradient",
        "person_l1",
    }
    assert terms["l1"].item() == pytest.approx((made.coarse - I_t).abs().mean().item())
    by_hand = sum((a - b).abs().mean() for a, b in zip(vgg(made.coarse), vgg(I_t)))
    assert terms["perceptual"].item() == pytest.approx(by_hand.item(), rel=1e-4)
    assert terms["adversarial"].item() == pytest.approx(
        ((made.coarse.mean(1) - 1) ** 2).mean().item()
    )
    assert terms["matte"].item() == pytest.approx(0.5 + 0.6931, abs=1e-4)
    assert set(stage1_terms(made, I_r, I_t, mask, None, None)) == {
        "flow_image",
        "l1",
        "matte",
        "gradient",
        "person_l1",
    }


def test_stage_2_terms_count_only_samples_with_a_face(vgg):
    random = torch.Generator().manual_seed(0)
    final, I_t = (torch.rand(2, 3, 32, 32, generator=random) * 2 - 1 for _ in range(2))
    mask = torch.ones(2, 1, 32, 32)
    made = EnhancerOutput(final, torch.zeros(2, 1, 32, 32))
    joints = torch.zeros(2, 18, 3)
    joints[0, [0, 1, 14, 15]] = torch.tensor([[16, 12, 1], [16, 22, 1], [13, 9, 1], [19, 9, 1.0]])
    arguments = (mask, joints, vgg, Scores(), Scores())
    terms = stage2_terms(made, I_t, *arguments)
    assert set(terms) == {
        "l1",
        "face_l1",
        "perceptual",
        "face_perceptual",
        "adversarial",
        "adversarial_face",
        "matte",
        "gradient",
        "person_l1",
    }
    blind = final.clone()
    blind[1] = 0  # the sample without a face changes
    changed = stage2_terms(EnhancerOutput(blind, made.matte_logits), I_t, *arguments)
    for name in terms:
        same = changed[name].item() == pytest.approx(terms[name].item(), rel=1e-5)
        assert same == (name in ("face_l1", "face_perceptual", "adversarial_face", "matte")), name
    joints[0, :, 2] = 0
    nobody = stage2_terms(made, I_t, *arguments)
    assert [nobody[name].item() for name in ("face_l1", "face_perceptual", "adversarial_face")] == [
        0,
        0,
        0,
    ]
    assert set(stage2_terms(made, I_t, mask, joints, None, None, None)) == {
        "l1",
        "face_l1",
        "matte",
        "gradient",
        "person_l1",
    }


def test_sum_is_eq_10_and_every_term_has_its_weight(vgg):
    made, I_r, I_t, mask = stage1_case()
    names = {field.name for field in fields(LossWeights)}
    options = LossWeights(feature_matching=1, style=1, affine=1, flow_exact=1, synthesis=1)
    exact = ExactFlow(torch.zeros(2, 2, 32, 32), mask)
    stage1 = stage1_terms(made, I_r, I_t, mask, vgg, Scores(), options, exact=exact)
    mixture = Mixture(torch.ones(2, 1, 32, 32), made.coarse, made.coarse)
    stage2 = stage2_terms(
        EnhancerOutput(made.coarse, made.matte_logits, mixture),
        I_t,
        mask,
        torch.zeros(2, 18, 3),
        vgg,
        Scores(),
        Scores(),
        options,
    )
    assert set(stage1) | set(stage2) == names and {"style", "feature_matching"} < set(stage2)
    free = stage1_terms(made, I_r, I_t, mask, vgg, Scores(), exact=exact)
    assert not {"style", "feature_matching", "affine", "flow_exact", "synthesis"} & set(free), (
        "what weighs nothing costs nothing"
    )
    terms = {"l1": torch.tensor(0.5), "adversarial": torch.tensor(3.0), "matte": torch.tensor(2.0)}
    assert weighted_sum(terms, LossWeights(l1=2, adversarial=10, matte=0)).item() == pytest.approx(
        0.5 * 2 + 3 * 10
    )


def test_the_mean_over_parts_is_the_whole_batch_when_it_is_counted_over_the_whole():
    def five_taps(images):
        return tuple(images.roll(1, 2) * factor for factor in range(1, 6))

    random = torch.Generator().manual_seed(0)
    final, copied, I_t = (torch.rand(4, 3, 32, 32, generator=random) * 2 - 1 for _ in range(3))
    mask, gate = (torch.rand(4, 1, 32, 32, generator=random) for _ in range(2))
    mask[1:] *= 0.1  # unevenly: the mean of the parts' own ratios would be another
    joints = torch.zeros(4, 18, 3)
    joints[:3, [0, 1, 14, 15]] = torch.tensor([[16, 12, 1], [16, 22, 1], [13, 9, 1], [19, 9, 1.0]])
    weights = LossWeights(lost_detail=1, feature_matching=0, style=1, person_l1=1, synthesis=1)

    def terms(rows, counts):
        made = EnhancerOutput(
            final[rows],
            torch.zeros_like(mask[rows]),
            Mixture(gate[rows], copied[rows], final[rows]),
        )
        made_terms = stage2_terms(
            made,
            I_t[rows],
            mask[rows],
            joints[rows],
            five_taps,
            Scores(),
            Scores(),
            weights,
            counts,
        )
        faces = counts and counts.faces
        judged = discriminator_loss(
            Scores(), I_t[rows], final[rows], face_boxes(joints[rows], 32).present, faces
        )
        return made_terms | {"discriminator": judged.loss, "real": judged.real_score}

    whole, parts = terms(slice(None), None), [slice(0, 2), slice(2, 4)]
    counts = Counts.spread(Counts.of(mask, joints), 2)
    assert counts.faces == 1.5
    for name, value in whole.items():
        torch.testing.assert_close(
            sum(terms(part, counts)[name] for part in parts) / 2,
            value,
            msg=lambda text: f"{name}: {text}",
        )
    alone = sum(terms(part, None)["face_l1"] for part in parts) / 2
    assert abs(alone - whole["face_l1"]) > 1e-3


def test_lost_detail_moves_the_gate_alone():
    torch.manual_seed(0)
    gate, copied, synthesis = (
        torch.rand(1, channels, 32, 32, requires_grad=True) for channels in (1, 3, 3)
    )
    mixture = Mixture(gate, copied, synthesis)
    terms = detail_terms(
        torch.zeros(1, 3, 32, 32), mixture, torch.rand(1, 3, 32, 32), torch.ones(1, 1, 32, 32)
    )
    assert terms["lost_detail"] > 0
    terms["lost_detail"].backward()
    assert gate.grad.abs().sum() > 0 and copied.grad is None and synthesis.grad is None


def test_person_l1_counts_the_persons_pixels_alone():
    made, target, mask = torch.zeros(1, 3, 4, 4), torch.zeros(1, 3, 4, 4), torch.zeros(1, 1, 4, 4)
    mask[..., 0, 0], mask[..., 0, 1] = 1, 0.5
    target[..., 0, 0], target[..., 0, 1], target[..., 3, 3] = (
        0.6,
        0.3,
        1.0,
    )  # the last one is background
    assert detail_terms(made, None, target, mask)["person_l1"].item() == pytest.approx(
        (0.6 + 0.5 * 0.3) / 1.5
    )
    assert detail_terms(made, None, target, torch.zeros_like(mask))["person_l1"].item() == 0


def test_synthesis_asks_of_the_made_part_what_is_asked_of_the_picture_and_moves_it_alone():
    gate, copied, synthesis = (
        torch.full((1, 1, 16, 16), 0.9, requires_grad=True),
        torch.rand(1, 3, 16, 16, requires_grad=True),
        torch.zeros(1, 3, 16, 16),
    )
    target, mask = torch.zeros(1, 3, 16, 16), torch.zeros(1, 1, 16, 16)
    target[..., 0, 0], mask[..., 0, 0] = 0.6, 1
    weights = LossWeights(l1=5, person_l1=2, gradient=0, synthesis=0.5)
    mixture = Mixture(gate, copied, synthesis.requires_grad_())
    term = synthesis_terms(mixture, target, mask, weights)["synthesis"]
    assert term.item() == pytest.approx(5 * 0.6 / 256 + 2 * 0.6)
    edges = (
        synthesis_terms(mixture, target, mask, replace(weights, gradient=10))["synthesis"] - term
    )
    assert (
        edges.item() == pytest.approx(10 * gradient_loss(synthesis, target).item(), rel=1e-4)
        and edges > 0
    )
    term.backward()
    assert synthesis.grad.abs().sum() > 0 and gate.grad is None and copied.grad is None
    assert (
        synthesis_terms(None, target, mask, weights)
        == synthesis_terms(mixture, target, mask, LossWeights())
        == {}
    )


def test_gfla_correctness_does_not_blame_the_flow_for_what_is_not_there():
    """Features at 45 degrees are the best that the reference has: as good as it gets, though not
    equal."""
    flows = torch.zeros(1, 2, 2, 2), torch.zeros(1, 2, 4, 4)
    quarter, eighth = torch.zeros(1, 2, 4, 4), torch.zeros(1, 2, 2, 2)
    quarter[:, 0], eighth[:, 0] = 1, 1
    wanted_quarter, wanted_eighth = quarter.clone(), eighth.clone()
    wanted_quarter[:, 1], wanted_eighth[:, 1] = 1, 1
    taps_r, taps_t = taps_of(eighth, quarter), taps_of(wanted_eighth, wanted_quarter)
    best = torch.exp(torch.tensor(-1.0)).item()
    assert flow_feature_loss(flows, taps_r, taps_t, "gfla").item() == pytest.approx(best, rel=1e-4)
    assert flow_feature_loss(flows, taps_r, taps_t).item() == pytest.approx(ONE_MINUS_COSINE_45)
    eighth[0, :, 1, 1], quarter[0, :, 3, 3] = (
        torch.tensor([1.0, 1.0]),
        torch.tensor([1.0, 1.0]),
    )  # now a better source exists elsewhere
    missed = flow_feature_loss(flows, taps_of(eighth, quarter), taps_t, "gfla").item()
    assert missed == pytest.approx(
        (ONE_MINUS_COSINE_45 * (3 / 4 + 15 / 16) + best * (1 / 4 + 1 / 16)) / 2, rel=1e-4
    )


def test_best_similarity_in_chunks_is_the_same(monkeypatch):
    from dancepipe.losses import flow as flow_losses

    random = torch.Generator().manual_seed(1)
    reference, target = (torch.randn(2, 5, 6, 4, generator=random) for _ in range(2))
    whole = flow_losses._best_similarity(reference, target)
    monkeypatch.setattr(flow_losses, "_BEST_CHUNK", 100)
    torch.testing.assert_close(flow_losses._best_similarity(reference, target), whole)
    by_hand = torch.stack(
        [torch.cosine_similarity(reference[1].flatten(1), target[1, :, 2, 3, None], dim=0)]
    ).max()
    assert whole[1, 2, 3].item() == pytest.approx(by_hand.item(), rel=1e-5)


def test_affine_flow_costs_nothing_and_a_bump_its_square():
    y, x = torch.meshgrid(torch.arange(8.0), torch.arange(8.0), indexing="ij")
    smooth = torch.stack((2 + 0.5 * x - 3 * y, x + y))[None]
    assert affine_loss((smooth, smooth)).item() == pytest.approx(0, abs=1e-8)
    bump = torch.zeros(1, 2, 3, 3)
    bump[0, 0, 1, 1] = 3  # the only window; its middle keeps 8/9 of it, the other eight -1/9 each
    by_hand = 9 * ((8 / 9) ** 2 + 8 * (1 / 9) ** 2) / (9 * 2)
    assert affine_loss((bump, torch.zeros(1, 2, 5, 5))).item() == pytest.approx(
        by_hand / 2, rel=1e-5
    )


def test_flow_exact_loss_by_hand():
    """A picture of 32 x 32 whose upper left cell of 8 x 8 is known: its left half moves by (8,
    0) px, its right half is not visible."""
    flow, visible = torch.full((1, 2, 32, 32), 77.0), torch.zeros(1, 1, 32, 32)
    flow[:, 0, :8, :4], flow[:, 1, :8, :4], visible[..., :8, :4] = 8, 0, 1
    flows = torch.zeros(1, 2, 4, 4), torch.zeros(1, 2, 8, 8)
    # At H/8 the motion is 1 px of 4 in x, none in y: (1 / 4 + 0) / 2 over half a cell of 16. At H/4
    # it is 2 px of 8, the same, over 2 cells of 64.
    by_hand = 0.125 * (0.5 / 16 + 2 / 64) / 2
    assert flow_exact_loss(flows, ExactFlow(flow, visible)).item() == pytest.approx(by_hand)
    visible[..., 8:16, :8] = 1
    flow[..., 8:16, :8] = 0  # known, and right: nothing changes
    assert flow_exact_loss(flows, ExactFlow(flow, visible)).item() == pytest.approx(by_hand)
    both = ExactFlow(torch.cat((flow, flow)), torch.cat((visible, torch.zeros_like(visible))))
    assert flow_exact_loss(
        tuple(one.expand(2, -1, -1, -1) for one in flows), both
    ).item() == pytest.approx(by_hand / 2), "parts of a batch add up"
    flows[0][0, 0, 0, 0], flows[1][0, 0, :2, 0] = 1, 2
    assert flow_exact_loss(flows, ExactFlow(flow, visible)).item() == pytest.approx(0)
    assert flow_exact_loss(flows, ExactFlow(flow, torch.zeros_like(visible))).item() == 0, (
        "nothing known, nothing asked"
    )


def test_style_of_one_tap_by_hand():
    tap, other = torch.zeros(1, 2, 1, 2), torch.zeros(1, 2, 1, 2)
    tap[0, 0] = torch.tensor([1.0, 2.0])  # Gram: 5 at (0, 0), over C h w = 4
    assert style_loss([tap], [other]).item() == pytest.approx(5 / 4 / 4)
    assert style_loss([tap.flip(3)], [tap]).item() == 0, "where it lies has no say"


def test_feature_matching_compares_the_features_of_the_discriminator():
    made, I_r, I_t, mask = stage1_case()
    term = stage1_terms(made, I_r, I_t, mask, None, Scores(), LossWeights(feature_matching=1))[
        "feature_matching"
    ]
    assert term.item() == pytest.approx(
        1.5 * (made.coarse - I_t).abs().mean().item(), rel=1e-5
    )  # mean of 1 and 2 times


def test_hinge_by_hand_and_over_scales():
    real, made = torch.tensor([0.5, 2.0]), torch.tensor([-2.0, 0.25])

    class Two(nn.Module):
        """Scores the picture, and twice that at a second scale."""

        def forward(self, images):
            return [images, 2 * images]

    pictures = [one.view(2, 1, 1, 1) for one in (real, made)]
    one = discriminator_loss(Scores(), *pictures, kind="hinge").loss
    both = discriminator_loss(Two(), *pictures, kind="hinge").loss
    assert one.item() == pytest.approx((0.5 + 0 + 0 + 1.25) / 2)
    assert both.item() == pytest.approx(((0.5 + 1.25) / 2 + (0 + 0 + 0 + 1.5) / 2) / 2)
