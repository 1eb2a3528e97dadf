"""The flow attention network learns: eight drawn pairs at 64 x 64, about 20 seconds of one core."""

import pytest
import torch
from puppets import puppet_pairs

from dancepipe.systems.focus_retain.dims import FlowAttentionDims
from dancepipe.systems.focus_retain.flow_attention import FlowAttentionNetwork
from dancepipe.systems.focus_retain.losses import LossWeights, stage1_terms, weighted_sum

STEPS = 90


@pytest.fixture
def one_thread():
    """Small layers gain little from a second thread, and lose much when another program has it."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.slow
def test_eight_pairs_are_learnt(one_thread):
    pairs = puppet_pairs(count=8, side_px=64)
    torch.manual_seed(0)
    network = FlowAttentionNetwork(FlowAttentionDims(nf=16)).to(memory_format=torch.channels_last)
    optimiser = torch.optim.Adam(network.parameters(), lr=4e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, 4e-3, total_steps=STEPS, pct_start=0.2
    )
    history = []
    for _ in range(STEPS):
        made = network(*pairs.inputs)
        terms = stage1_terms(made, pairs.I_r, pairs.I_t, pairs.mask, None, None)
        history.append({name: term.item() for name, term in terms.items()})
        optimiser.zero_grad()
        weighted_sum(terms, LossWeights()).backward()
        optimiser.step()
        schedule.step()

    first, last = history[0], history[-1]
    grey, stay = pairs.I_t.abs().mean().item(), (pairs.I_r - pairs.I_t).abs().mean().item()
    assert last["l1"] < 0.55 * grey  # little more than half of what plain grey would cost
    assert last["flow_image"] < 0.5 * stay  # the flow carries the reference towards the target
    assert last["matte"] < 0.15 * first["matte"]
    assert all(0.02 < M.mean().item() < 0.98 for M in made.masks)  # neither branch was given up

    network.eval()
    with torch.inference_mode():
        I_r, S_r, S_t, J_r, J_t = pairs.inputs
        swapped = network(I_r.roll(1, 0), S_r.roll(1, 0), S_t, J_r.roll(1, 0), J_t).coarse
    assert (swapped - pairs.I_t).abs().mean() > 1.5 * last[
        "l1"
    ]  # the reference is used, the pose does not tell it all
