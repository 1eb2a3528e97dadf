"""Batch norm over the pictures of all processes, on any device (PyTorch's own knows CUDA only)."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.distributed as dist
from torch import Tensor, nn

from dancepipe.processes import Processes, answering


class _Total(torch.autograd.Function):
    """Sum over the processes; its gradient is the sum of theirs."""

    @staticmethod
    def forward(context, values: Tensor) -> Tensor:
        values = values.clone()
        with answering():
            dist.all_reduce(values)
        return values

    @staticmethod
    def backward(context, gradient: Tensor) -> Tensor:
        return _Total.forward(None, gradient)


class SharedBatchNorm(nn.BatchNorm2d):
    """nn.BatchNorm2d without scale and shift, its statistics those of the pictures of all
    processes, of which each has as many."""

    # torch says None for norms that remember nothing; these remember.
    momentum: float
    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor

    def __init__(self, norm: nn.BatchNorm2d, count: int):
        super().__init__(norm.num_features, norm.eps, norm.momentum, affine=False)
        self.load_state_dict(norm.state_dict())
        self._count = count

    @torch.compiler.disable  # the processes talk to each other in here
    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        with torch.autocast(x.device.type, enabled=False):
            wide = x.float()
            mean = _Total.apply(wide.mean((0, 2, 3))) / self._count
            centred = wide - mean[:, None, None]
            variance = _Total.apply(centred.square().mean((0, 2, 3))) / self._count
            if self.track_running_stats:
                self._remember(
                    mean.detach(), variance.detach(), self._count * x.numel() // x.shape[1]
                )
            return (centred * torch.rsqrt(variance + self.eps)[:, None, None]).to(x.dtype)

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor, values: int) -> None:
        self.num_batches_tracked += 1
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance * values / (values - 1), self.momentum)


def share_batch_norms(module: nn.Module, processes: Processes) -> None:
    """In place; state and names stay. With one process nothing changes."""
    if processes.count > 1:
        for parent in list(module.modules()):
            for name, child in parent.named_children():
                if type(child) is nn.BatchNorm2d:
                    setattr(
                        parent,
                        name,
                        SharedBatchNorm(child, processes.count).to(next(child.buffers()).device),
                    )


@contextmanager
def statistics_kept(module: nn.Module) -> Iterator[None]:
    """Within it, batch norms in training mode use the pictures' own statistics and remember
    nothing of them."""
    norms = [part for part in module.modules() if isinstance(part, nn.BatchNorm2d)]
    for norm in norms:
        norm.track_running_stats = False
    try:
        yield
    finally:
        for norm in norms:
            norm.track_running_stats = True
