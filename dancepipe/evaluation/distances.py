"""Distances between two sets of features: FID (Frechet, Heusel et al. 2017) and KID (Binkowski
et al. 2018)."""

import torch
from torch import Tensor

# of fewer pictures the covariance of 2,048 features is singular, and the bias larger than most
# differences
FEWEST_FOR_FID = 2048


def fid(real: Tensor, fake: Tensor, weights: Tensor | None = None) -> float:
    """|m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)) of features (N, D), (M, D), in float64.

    weights: how often each row counts (N = M then); for resampling. The trace of the root is the
    sum of the singular values of X1 X2^T (centred), which needs no matrix root and has no imaginary
    part; of long sets it is taken of the D x D roots.
    """
    real, fake = real.double(), fake.double()
    if min(len(real), len(fake)) < 2:
        raise ValueError(
            f"FID needs at least two pictures on each side, got {len(real)} and {len(fake)}"
        )
    mean_r, root_r = _centred(real, weights)
    mean_f, root_f = _centred(fake, weights)
    traces = root_r.square().sum() + root_f.square().sum()
    return float((mean_r - mean_f).square().sum() + traces - 2 * _root_trace(root_r, root_f))


def _centred(features: Tensor, weights: Tensor | None) -> tuple[Tensor, Tensor]:
    """Mean (D,), and a matrix X (N, D) with X^T X = the covariance (unbiased, as numpy.cov has
    it)."""
    if weights is None:
        mean = features.mean(0)
        return mean, (features - mean) / (len(features) - 1) ** 0.5
    weights = weights.to(features)[:, None]
    total = weights.sum()
    mean = (features * weights).sum(0) / total
    return mean, (features - mean) * (weights / (total - 1)).sqrt()


def _root_trace(first: Tensor, second: Tensor) -> Tensor:
    """tr((A^T A B^T B)^(1/2)) = the nuclear norm of A B^T."""
    if min(len(first), len(second)) <= first.shape[1]:
        return torch.linalg.svdvals(first @ second.T).sum()
    values, vectors = torch.linalg.eigh(first.T @ first)
    root = vectors * values.clamp_min(0).sqrt()  # (D, D), root root^T = C1
    return torch.linalg.eigvalsh(root.T @ (second.T @ second) @ root).clamp_min(0).sqrt().sum()


def kid(real: Tensor, fake: Tensor, weights: Tensor | None = None) -> float:
    """Unbiased squared MMD with the kernel (x.y / D + 1)^3, over all pairs at once (no random
    subsets), in float64.

    weights: how often each row counts, for resampling.
    """
    if min(len(real), len(fake)) < 2:
        raise ValueError(
            f"KID needs at least two pictures on each side, got {len(real)} and {len(fake)}"
        )
    return Kid(real, fake)(weights)


class Kid:
    """The kernels of two sets, computed once for all resamples."""

    def __init__(self, real: Tensor, fake: Tensor):
        real, fake = real.double(), fake.double()
        self._real, self._fake, self._cross = (
            _kernel(*pair) for pair in ((real, real), (fake, fake), (real, fake))
        )

    def __call__(self, weights: Tensor | None = None) -> float:
        ones = [
            torch.ones(side, dtype=torch.float64, device=self._cross.device)
            for side in self._cross.shape
        ]
        w_r, w_f = ones if weights is None else (weights.to(self._cross),) * 2
        cross = w_r @ self._cross @ w_f / (w_r.sum() * w_f.sum())
        return float(_off_diagonal(self._real, w_r) + _off_diagonal(self._fake, w_f) - 2 * cross)


def _kernel(first: Tensor, second: Tensor) -> Tensor:
    return (first @ second.T / first.shape[1] + 1) ** 3


def _off_diagonal(kernel: Tensor, weights: Tensor) -> Tensor:
    """Mean over ordered pairs of different pictures; a picture drawn twice is not compared with
    itself."""
    own = (weights.square() * kernel.diagonal()).sum()
    pairs = weights.sum().square() - weights.square().sum()
    return (weights @ kernel @ weights - own) / pairs
