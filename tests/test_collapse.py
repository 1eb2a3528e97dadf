"""Attention that has collapsed is told once for each level; what merely leans is not."""

from dataclasses import replace

import torch
from test_train import QUICK, data  # noqa: F401

from dancepipe.systems.focus_retain import collapse
from dancepipe.systems.focus_retain.collapse import CollapseWatch
from dancepipe.systems.focus_retain.flow_attention_module import FlowAttentionBlock
from dancepipe.training.train import train


def A_max(peak: float) -> float:
    """Of a block whose logits have one peak of that height among 4 x 4 positions."""
    block = FlowAttentionBlock(4, 4, 4, "spatial")
    block.conv_1 = torch.nn.Identity()
    features = torch.zeros(1, 8, 4, 4)
    features[0, 0, 2, 2] = peak
    block.conv_2 = torch.nn.Conv2d(8, 1, 1, bias=False)
    block.conv_2.weight.data.zero_()[0, 0] = 1.0
    return block(features[:, :4], features[:, 4:])[1].max().item()


def test_it_is_told_once_for_each_level():
    said = []
    watch = CollapseWatch((32, 32))  # 4 x 4 positions at H/8, 8 x 8 at H/4
    said += watch.look(50, {"A_8_max": A_max(0), "A_4_max": A_max(3)})
    assert said == []
    said += watch.look(100, {"A_8_max": A_max(9), "A_4_max": A_max(9)})
    said += watch.look(150, {"A_8_max": A_max(9), "A_4_max": A_max(9)})
    assert (
        len(said) == 1
        and "at step 100" in said[0]
        and "H/8" in said[0]
        and "100% of its mass on one of 16 positions" in said[0]
        and "--attention gate" in said[0]
    )
    said += watch.look(200, {"A_4_max": 64.0})
    assert len(said) == 2 and "H/4" in said[1] and "64 positions" in said[1]


def test_a_network_without_the_module_or_with_a_gate_has_nothing_to_tell():
    said = []
    said += CollapseWatch((32, 32)).look(50, {"l1": 0.1, "M_8_mean": 0.0})
    said += CollapseWatch((32, 32)).look(50, {"A_8_max": 1.0, "A_4_max": 1.0})
    assert said == []


def test_training_tells(data, tmp_path, monkeypatch, said):
    monkeypatch.setattr(collapse, "NEARLY_ALL", 0.0)
    said.clear()
    train(data, tmp_path / "run", replace(QUICK, attention="spatial", stage2_steps=0))
    assert sum("it has collapsed" in line for line in said) == 2, "once for each level"
