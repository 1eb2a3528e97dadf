"""Training that starts from weights: zero steps change nothing, `stay` holds the weights back,
other networks are refused."""

from dataclasses import replace

import pytest
import torch
from test_train import QUICK, data  # noqa: F401

from dancepipe.errors import ConfigError, WeightsError
from dancepipe.nn.ema import Anchor
from dancepipe.systems.focus_retain.networks import load_networks
from dancepipe.training.train import train


@pytest.fixture(scope="module")
def weights(data, tmp_path_factory):
    out = tmp_path_factory.mktemp("first") / "run"
    train(data, out, QUICK)
    return out / "weights.safetensors"


def distance(left, right) -> float:
    """Between the parameters of two networks."""
    return (
        sum(
            (a - b).square().sum().item()
            for a, b in zip(left.parameters(), right.parameters(), strict=True)
        )
        ** 0.5
    )


def test_no_steps_give_the_same_weights_at_another_size(data, weights, tmp_path, said):
    train(
        data,
        tmp_path / "run",
        replace(
            QUICK, init=str(weights), height_px=48, width_px=48, stage1_steps=0, stage2_steps=0
        ),
    )
    made, before = load_networks(tmp_path / "run" / "stage1.safetensors"), load_networks(weights)
    assert distance(made.flow_attention, before.flow_attention) == 0 and made.dims.size_hw == (
        48,
        48,
    )
    assert any("starting from" in line and "stage 2, trained at 32 x 32" in line for line in said)


def test_both_stages_go_on_from_the_weights_and_stay_holds_them_back(data, weights, tmp_path):
    before = load_networks(weights)
    moved = {}
    for stay in (0.0, 0.2):
        out = tmp_path / f"stay{stay}"
        train(data, out, replace(QUICK, init=str(weights), stay=stay, average=0.0))
        made = load_networks(out / "weights.safetensors")
        moved[stay] = [
            distance(getattr(made, name), getattr(before, name))
            for name in ("flow_attention", "enhancer")
        ]
    for free, held in zip(moved[0.0], moved[0.2]):
        assert 0 < held < 0.7 * free


def test_what_is_left_open_is_as_in_the_weights(data, weights, tmp_path):
    """Shipped weights outlive a preset that has changed since."""
    options = replace(QUICK, stage1_steps=0, stage2_steps=0)
    train(
        data,
        tmp_path / "gate",
        replace(options, attention="gate", keep=False, prior="none"),
    )
    init = str(tmp_path / "gate" / "weights.safetensors")
    train(data, tmp_path / "on", replace(options, init=init))
    dims = load_networks(tmp_path / "on" / "weights.safetensors").dims
    assert (dims.flow_attention.attention, dims.flow_attention.prior, dims.enhancer.keep) == (
        "gate",
        "none",
        False,
    )
    with pytest.raises(ConfigError, match="other networks: .*attention"):
        train(data, tmp_path / "other", replace(options, init=init, attention="spatial"))


def test_an_anchor_goes_back_by_its_share():
    module = torch.nn.Linear(2, 2)
    start = module.weight.detach().clone()
    anchor = Anchor(module, 0.25)
    with torch.no_grad():
        module.weight += 4
    anchor.pull()
    torch.testing.assert_close(module.weight.detach(), start + 3)


def test_refusals(data, weights, tmp_path):
    with pytest.raises(
        ConfigError, match="networks of preset tiny, not live; choose --preset tiny"
    ):
        train(data, tmp_path / "run", replace(QUICK, preset="live", init=str(weights)))
    with pytest.raises(WeightsError, match="nowhere"):
        train(
            data,
            tmp_path / "run",
            replace(QUICK, init=str(tmp_path / "nowhere.safetensors")),
        )
    with pytest.raises(ConfigError, match="nothing to stay near; give --init"):
        train(data, tmp_path / "run", replace(QUICK, stay=0.1))
    assert not (tmp_path / "run").exists()
