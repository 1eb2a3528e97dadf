"""The running average follows the weights by the formula, forgets its start, and copies buffers."""

import torch

from dancepipe.nn.ema import EMA


def test_the_average_is_the_written_out_one():
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
    average = EMA(module, decay=0.9)
    wanted = module[0].weight.detach().clone()
    for step in range(200):
        with torch.no_grad():
            module[0].weight.add_(torch.randn(2, 3))
            module[1].running_mean.fill_(step)
        average.update(step)
        decay = min(0.9, (1 + step) / (10 + step))
        wanted = decay * wanted + (1 - decay) * module[0].weight.detach()
    torch.testing.assert_close(average.module[0].weight, wanted, rtol=1e-4, atol=1e-4)
    assert (average.module[1].running_mean == 199).all()
    assert not any(parameter.requires_grad for parameter in average.module.parameters())


def test_no_decay_is_the_last_step_and_the_start_is_forgotten():
    module = torch.nn.Linear(2, 2)
    last, slow = EMA(module, 0.0), EMA(module, 0.9999)
    start = module.weight.detach().clone()
    with torch.no_grad():
        module.weight.copy_(start + 10)
    for step in range(60):
        last.update(step)
        slow.update(step)
    torch.testing.assert_close(last.module.weight, module.weight)
    assert (slow.module.weight - module.weight).abs().max() < 0.01
