"""torch.compile for the networks of a stage: the same numbers but for rounding, in fewer and
larger kernels."""

from collections.abc import Iterable

import torch

from dancepipe.errors import ConfigError


def check_compiler(device: str) -> None:
    """ConfigError, with the reason, where nothing can be compiled for that device: found out on
    one line, not after minutes."""
    try:
        torch.compile(_probe)(torch.ones(8, device=device))
    except Exception as error:  # what is missing (g++, triton) has an error of its own
        reason = next(
            (line for line in reversed(str(error).splitlines()) if line.strip()),
            type(error).__name__,
        )
        raise ConfigError(
            f"compile was asked for, but nothing can be compiled here for {device} "
            f"({reason.strip()}); install what is missing, or leave compile off"
        ) from error


def _probe(values: torch.Tensor) -> torch.Tensor:
    return torch.tanh(values) * 2


def compile_in_place(networks: Iterable[torch.nn.Module | None]) -> None:
    """Calls of these modules run compiled from now on; their state, its names and their other
    methods stay."""
    for network in networks:
        if network is not None:
            network.compile(dynamic=False)
