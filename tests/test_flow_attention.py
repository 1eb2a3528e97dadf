"""Stage 1: one encoded reference serves all frames, masks choose between warp and pose, numbers
that must be float32 are."""

from dataclasses import replace

import pytest
import torch
from still_layers import still_layers

from dancepipe.nn.local_attention import literal_local_attention
from dancepipe.priors.prior import PriorAt
from dancepipe.systems.focus_retain.dims import PRESETS, FlowAttentionDims
from dancepipe.systems.focus_retain.flow_attention import FlowAttentionNetwork, fuse
from dancepipe.systems.focus_retain.flow_attention_module import FlowAttentionBlock

SIZE_HW = (48, 64)


def inputs(batch=1, seed=0, size_hw=SIZE_HW):
    """I_r, S_r, S_t, J_r, J_t"""
    random = torch.Generator().manual_seed(seed)
    I_r, *maps = (
        torch.rand(batch, channels, *size_hw, generator=random) for channels in (3, 18, 18, 3, 3)
    )
    return [I_r * 2 - 1, *maps]


def drawn_prior(size_hw=SIZE_HW):
    random = torch.Generator().manual_seed(5)
    picture, matte = (torch.rand(1, channels, *size_hw, generator=random) for channels in (3, 1))
    flow_4 = torch.rand(1, 2, size_hw[0] // 4, size_hw[1] // 4, generator=random) * 10 - 5
    return PriorAt(picture * 2 - 1, matte, flow_4, still_layers(picture * 2 - 1, matte))


def lively(network):
    """Heads that start at zero say nothing: draw them, so that flows, masks and attention differ
    from place to place."""
    torch.manual_seed(3)
    module = network.attention_module
    for layer in (
        network.flow_network.flow_8,
        network.flow_network.flow_4,
        module.attend_8.conv_2,
        module.attend_4.conv_2,
    ):
        torch.nn.init.normal_(layer.weight, 0, 0.05)
    return network.eval()


def spelled_out(network, I_r, S_r, S_t, J_r, J_t, prior=None):
    """The coarse picture as the paper's section 3.2 reads: nothing cached, whole inputs, literal
    local attention."""
    flow_network, module = network.flow_network, network.attention_module
    known = (prior.inputs(),) if prior else ()
    F_f, flows = flow_network.after_entry(
        flow_network.entry.part(torch.cat((I_r, S_r, S_t, *known), 1), 0)
    )
    if prior:
        flows = [flow + first for flow, first in zip(flows, (prior.flow_8, prior.flow_4))]
    masks, _ = module.after_entry(module.encoder.entry.part(torch.cat((J_r, J_t), 1), 0), F_f)
    _, F_r_4, F_r_8 = network.appearance_encoder(I_r)
    x = network.pose_encoder(torch.cat((S_t, J_t, *known), 1))[2]
    for M, F_r, flow, attention, decode in (
        (masks[0], F_r_8, flows[0], network.local_attention_8, network.decode_8),
        (masks[1], F_r_4, flows[1], network.local_attention_4, network.decode_4),
    ):
        x = decode(M * literal_local_attention(attention, F_r, x, flow) + (1 - M) * x)
    x = torch.nn.functional.leaky_relu(x, 0.1)
    picture = network.picture(x)
    if prior:
        plan = network.copy(x, prior, torch.tanh(picture[:, :3]), picture[:, 3:])
        return plan.over(prior.layers)[0]
    return torch.tanh(picture[:, :3])


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("attention", ["spatial", "gate"])
def test_cached_frame_is_the_frame_spelled_out(preset, attention):
    dims = PRESETS[preset].flow_attention
    network = lively(FlowAttentionNetwork(replace(dims, nf=min(dims.nf, 16), attention=attention)))
    I_r, S_r, S_t, J_r, J_t = inputs()
    prior = drawn_prior() if network.has_prior else None
    with torch.inference_mode():
        reference = network.encode_reference(I_r, S_r, J_r)
        network.render(
            reference, S_t.flip(3), J_t.flip(3), prior
        )  # another frame in between leaves no trace
        cached = network.render(reference, S_t, J_t, prior)
        assert (
            cached.coarse - spelled_out(network, I_r, S_r, S_t, J_r, J_t, prior)
        ).abs().max() < 1e-5
    assert cached.flows[0].abs().max() > 0.1 and cached.masks[0].std() > 1e-3


def test_one_encoded_reference_serves_a_batch_of_targets():
    network = lively(FlowAttentionNetwork(FlowAttentionDims(8)))
    I_r, S_r, _, J_r, _ = inputs()
    _, _, S_t, _, J_t = inputs(batch=3, seed=1)
    with torch.inference_mode():
        together = network.render(network.encode_reference(I_r, S_r, J_r), S_t, J_t)
        for i in range(3):
            alone = network(I_r, S_r, S_t[i : i + 1], J_r, J_t[i : i + 1])
            torch.testing.assert_close(together.coarse[i : i + 1], alone.coarse, rtol=0, atol=1e-5)
            torch.testing.assert_close(
                together.matte_logits[i : i + 1], alone.matte_logits, rtol=0, atol=1e-5
            )
        repeated = network(
            I_r.expand(3, -1, -1, -1),
            S_r.expand(3, -1, -1, -1),
            S_t,
            J_r.expand(3, -1, -1, -1),
            J_t,
        )
        torch.testing.assert_close(together.coarse, repeated.coarse, rtol=0, atol=1e-5)
    assert (together.coarse[0] - together.coarse[1]).abs().max() > 1e-3


def test_fusion_at_its_ends_is_pure():
    warped, pose = torch.randn(1, 4, 3, 3), torch.randn(1, 4, 3, 3)
    assert torch.equal(fuse(torch.ones(1, 1, 3, 3), warped, pose), warped)
    assert torch.equal(fuse(torch.zeros(1, 1, 3, 3), warped, pose), pose)


def test_mask_0_is_blind_to_the_reference_and_mask_1_takes_all_from_it():
    network = lively(FlowAttentionNetwork(FlowAttentionDims(8)))
    I_r, S_r, S_t, J_r, J_t = inputs()
    with torch.inference_mode():
        here, elsewhere = (
            network.encode_reference(I_r, S_r, J_r),
            network.encode_reference(-I_r, S_r.flip(3), J_r.flip(2)),
        )
        pose_only = [
            network.render(reference, S_t, J_t, fixed_mask=0).coarse
            for reference in (here, elsewhere)
        ]
        warp_only = [
            network.render(reference, S_t, J_t, fixed_mask=1).coarse
            for reference in (here, elsewhere)
        ]
        assert torch.equal(*pose_only)
        assert (warp_only[0] - warp_only[1]).abs().max() > 1e-3
        for layer in (network.local_attention_8.logits, network.local_attention_4.logits):
            layer.weight.zero_()  # the pose may still choose within the window; now it may not
        for head in (network.flow_network.flow_8, network.flow_network.flow_4):
            head.weight.zero_()
        one, other = (
            network.render(here, S_t.flip(3) * scale, J_t * scale, fixed_mask=1).coarse
            for scale in (1, 0.3)
        )
        assert torch.equal(one, other)


def test_spatial_attention_has_mean_1_and_the_gate_stays_within_0_and_1():
    network = lively(FlowAttentionNetwork(FlowAttentionDims(8)))
    with torch.inference_mode():
        for A in network(*inputs(batch=2)).attention:
            torch.testing.assert_close(A.mean((1, 2, 3)), torch.ones(2))
            assert A.std() > 1e-4
    gate = FlowAttentionBlock(4, 4, 8, "gate")
    torch.nn.init.normal_(gate.conv_2.weight)
    joined, A = gate(torch.randn(1, 4, 5, 5) * 9, torch.randn(1, 4, 5, 5))
    assert joined.shape == (1, 8, 5, 5) and 0 <= A.min() < A.max() <= 1


def test_flow_masks_and_attention_stay_float32_under_bfloat16_autocast():
    network = lively(FlowAttentionNetwork(FlowAttentionDims(8)))
    tensors = inputs()
    with torch.inference_mode():
        exact = network(*tensors)
        with torch.autocast("cpu", torch.bfloat16):
            rough = network(*tensors)
    for tensor in (rough.coarse, rough.matte_logits, *rough.flows, *rough.masks, *rough.attention):
        assert tensor.dtype == torch.float32
    for tensor in rough.flows:  # not bfloat16 numbers in float32 clothes
        assert not torch.equal(tensor, tensor.bfloat16().float())
    assert 0 < (exact.coarse - rough.coarse).abs().mean() < 0.05


def test_flow_means_the_same_motion_at_any_size():
    """A head that says a constant gives a flow of that constant times width / 8, in pixels of
    its own map."""
    network = FlowAttentionNetwork(FlowAttentionDims(8)).eval()
    for head in (network.flow_network.flow_8, network.flow_network.flow_4):
        torch.nn.init.zeros_(head.weight)
        torch.nn.init.constant_(head.bias, 0.5)
    with torch.inference_mode():
        flows = network(*inputs(size_hw=(32, 64))).flows
    assert flows[0].unique().tolist() == [0.5] and flows[0].shape == (1, 2, 4, 8)
    assert flows[1].unique().tolist() == [1.0] and flows[1].shape == (1, 2, 8, 16)


def test_sizes_that_are_no_multiple_of_16_are_refused():
    network = FlowAttentionNetwork(FlowAttentionDims(8))
    with pytest.raises(ValueError, match=r"multiples of 16, got \(40, 64\)"):
        network(*inputs(size_hw=(40, 64)))


def test_memory_format_changes_no_number():
    network = lively(FlowAttentionNetwork(FlowAttentionDims(8)))
    tensors = inputs()
    with torch.inference_mode():
        plain = network(*tensors).coarse
        network.to(memory_format=torch.channels_last)
        last = network(
            *(tensor.contiguous(memory_format=torch.channels_last) for tensor in tensors)
        ).coarse
    assert (plain - last).abs().max() < 1e-5


def test_without_the_module_the_mask_is_read_off_the_flow_features_alone():
    network = FlowAttentionNetwork(FlowAttentionDims(8, attention_module=False)).eval()
    I_r, S_r, S_t, J_r, J_t = inputs()
    with torch.inference_mode():
        made = network(I_r, S_r, S_t, J_r, J_t)
        features, _ = network.flow_network(network.flow_network.encode_reference(I_r, S_r), S_t)
        for M, head, F_f in zip(
            made.masks, (network.attention_module.mask_8, network.attention_module.mask_4), features
        ):
            by_hand = torch.sigmoid(head(torch.where(F_f > 0, F_f, 0.1 * F_f)))
            torch.testing.assert_close(M, by_hand)
            assert M.std() > 1e-3
        other = network(I_r, S_r, S_t, J_r.flip(3), J_t.flip(3))
    assert made.attention == () and torch.equal(made.masks[0], other.masks[0])
    assert (made.coarse - other.coarse).abs().max() > 1e-4, (
        "the pose encoder still reads the joint map"
    )
