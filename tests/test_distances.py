"""FID and KID against closed forms and the definitions written out."""

import numpy as np
import pytest
import torch

from dancepipe.evaluation.distances import Kid, fid, kid


def gaussians(count: int, size: int = 6, seed: int = 0):
    random = np.random.default_rng(seed)
    mix = random.normal(size=(size, size))
    return torch.from_numpy(random.normal(size=(count, size)) @ mix + random.normal(size=size))


def with_moments(mean: np.ndarray, covariance: np.ndarray, count: int) -> torch.Tensor:
    """Rows whose mean and unbiased covariance are exactly these."""
    rows = np.random.default_rng(7).normal(size=(count, len(mean)))
    rows -= rows.mean(0)
    rows = rows @ np.linalg.inv(np.linalg.cholesky(np.cov(rows, rowvar=False))).T
    return torch.from_numpy(rows @ np.linalg.cholesky(covariance).T + mean)


@pytest.mark.parametrize(
    "count", [5, 40], ids=["fewer rows than features", "more rows than features"]
)
def test_equal_sets_have_no_distance(count):
    features = gaussians(count, size=12)
    assert fid(features, features) == pytest.approx(0, abs=1e-6)


def test_fid_of_two_gaussians_is_the_closed_form():
    """Diagonal covariances: |m1 - m2|^2 + sum (s1 - s2)^2."""
    m_1, m_2 = np.array([1.0, 2, 3]), np.array([0.0, 2, 5])
    s_1, s_2 = np.array([1.0, 2, 0.5]), np.array([3.0, 1, 0.5])
    wanted = ((m_1 - m_2) ** 2).sum() + ((s_1 - s_2) ** 2).sum()
    first, second = with_moments(m_1, np.diag(s_1**2), 50), with_moments(m_2, np.diag(s_2**2), 60)
    assert fid(first, second) == pytest.approx(wanted, rel=1e-9)


def test_fid_is_that_of_the_matrix_root():
    linalg = pytest.importorskip("scipy.linalg")
    first, second = gaussians(80, seed=1), gaussians(70, seed=2)
    c_1, c_2 = (np.cov(one.numpy(), rowvar=False) for one in (first, second))
    wanted = float(((first.mean(0) - second.mean(0)) ** 2).sum()) + np.trace(
        c_1 + c_2 - 2 * linalg.sqrtm(c_1 @ c_2).real
    )
    assert fid(first, second) == pytest.approx(wanted, rel=1e-8)


def test_both_ways_of_the_root_agree():
    """Few rows take singular values of products of rows, many take D x D roots."""
    first, second = gaussians(30, size=29, seed=3), gaussians(30, size=29, seed=4)
    few = fid(first, second)
    padded = [
        torch.nn.functional.pad(one, (0, 5)) for one in (first, second)
    ]  # more features than rows, the same Gaussians
    assert fid(*padded) == pytest.approx(few, rel=1e-6)


def test_weights_are_repeats():
    first, second = gaussians(8, seed=5), gaussians(8, seed=6)
    times = torch.tensor([2, 0, 1, 3, 1, 0, 1, 2])
    repeated = [one.repeat_interleave(times, 0) for one in (first, second)]
    assert fid(first, second, times.double()) == pytest.approx(fid(*repeated), rel=1e-6)


def test_kid_is_its_definition():
    first, second = gaussians(7, seed=1), gaussians(9, seed=2)

    def kernel(a, b):
        return float((a @ b / len(a) + 1) ** 3)

    own = np.mean(
        [kernel(a, b) for i, a in enumerate(first) for j, b in enumerate(first) if i != j]
    )
    other = np.mean(
        [kernel(a, b) for i, a in enumerate(second) for j, b in enumerate(second) if i != j]
    )
    cross = np.mean([kernel(a, b) for a in first for b in second])
    assert kid(first, second) == pytest.approx(own + other - 2 * cross, rel=1e-9)


def test_kid_of_one_distribution_is_nothing_on_average():
    random = torch.Generator().manual_seed(0)
    values = [kid(*torch.randn(2, 60, 5, generator=random, dtype=torch.float64)) for _ in range(30)]
    assert abs(np.mean(values)) < 3 * np.std(values) / 30**0.5
    assert kid(
        torch.randn(60, 5, generator=random), torch.randn(60, 5, generator=random) + 1
    ) > 5 * np.std(values)


def test_kernels_serve_all_resamples():
    first, second = gaussians(10, seed=1), gaussians(10, seed=2)
    assert Kid(first, second)(torch.ones(10)) == pytest.approx(kid(first, second), rel=1e-12)


def test_one_picture_is_no_set():
    with pytest.raises(ValueError, match="at least two pictures"):
        fid(gaussians(1), gaussians(5))
