"""How networks are placed and stepped, the same for every system that trains."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import torch
from torch import Tensor, nn

_Network = TypeVar("_Network", bound=nn.Module)


def placed(module: _Network, device: str) -> _Network:
    # torch's overloads leave memory_format out.
    return module.to(device, memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]


def adam(
    module: nn.Module, rate: float, beta1: float, beta2: float = 0.999, epsilon: float = 1e-8
) -> torch.optim.Adam:
    return torch.optim.Adam(module.parameters(), lr=rate, betas=(beta1, beta2), eps=epsilon)


def autocast(device: str, precision: str) -> torch.autocast:
    """precision: "fp32" or "bf16", of the convolutions."""
    return torch.autocast(torch.device(device).type, torch.bfloat16, enabled=precision == "bf16")


@contextmanager
def frozen(*modules: nn.Module | None) -> Iterator[None]:
    """with-block: gradients only pass through these modules."""
    there = [module for module in modules if module is not None]
    for module in there:
        module.requires_grad_(False)
    try:
        yield
    finally:
        for module in there:
            module.requires_grad_(True)


def mean_figures(values: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    """Of each number over the parts of a batch, detached."""
    return {
        name: torch.stack([one[name].detach() for one in values]).mean()
        for name in (values[0] if values else ())
    }
