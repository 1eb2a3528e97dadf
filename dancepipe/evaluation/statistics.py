"""95 % intervals by resampling whole people, and the paired difference of two methods.

Pictures of one person resemble each other, so people are drawn, not pictures. Both methods of a
difference are drawn together: what is hard for one person is hard for both.
"""

from dataclasses import dataclass

import numpy as np

from dancepipe.evaluation.measures import MEASURES

MIN_GROUPS = 5  # fewer people say nothing about people


@dataclass(frozen=True)
class Estimate:
    """A mean or a median, and its 95 % interval. low and high are None where there are too few
    people, or none were asked for."""

    value: float
    low: float | None
    high: float | None
    count: int  # pictures (or frames) behind it
    mark: str | None = (
        None  # what a reader must know, for example that FID was taken of too few pictures
    )


class Resamples:
    """The same draws of people for every number of a run."""

    def __init__(self, groups: list[str], resamples: int, seed: int):
        """groups: the person of every picture, in order."""
        self.names, self.group = np.unique(np.asarray(groups, dtype=str), return_inverse=True)
        people = len(self.names)
        self.draws = None
        if resamples and people >= MIN_GROUPS:
            random = np.random.default_rng(seed)
            self.draws = random.multinomial(
                people, np.full(people, 1 / people), size=resamples
            )  # (R, people): how often each is drawn

    def mean(self, values: np.ndarray) -> Estimate:
        """The mean over pictures of values (N,); nan = does not apply to that picture."""
        means, count = self._means(values)
        return self._estimate(float(np.nanmean(values)) if count else float("nan"), means, count)

    def median(self, values: np.ndarray) -> Estimate:
        """The median over pictures of values (N,); nan = does not apply to that picture."""
        return self._median_of([np.asarray(values, np.float64)])

    def median_difference(self, values: np.ndarray, others: np.ndarray) -> Estimate:
        """median(values) - median(others) over the pictures where both apply."""
        values, others = np.asarray(values, np.float64), np.asarray(others, np.float64)
        both = np.isfinite(values) & np.isfinite(others)
        return self._median_of([np.where(both, one, np.nan) for one in (values, others)])

    def _median_of(self, series: list[np.ndarray]) -> Estimate:
        """Of one series, or of the first less that of the second, which apply to the same
        pictures."""
        there = np.isfinite(series[0])
        count = int(there.sum())
        orders = [np.argsort(one)[:count] for one in series]  # nan comes last

        def median(counts: np.ndarray) -> float:
            found = [
                _weighted_median(one[order], counts[order]) for one, order in zip(series, orders)
            ]
            return found[0] - sum(found[1:])

        value = median(np.ones(len(there)))
        medians = None
        if self.draws is not None and count:
            medians = np.array(
                [median(self.picture_weights(draw)) for draw in range(len(self.draws))]
            )
        return self._estimate(value, medians, count)

    def difference(self, values: np.ndarray, others: np.ndarray) -> Estimate:
        """mean(values - others) over the pictures where both apply."""
        return self.mean(np.asarray(values, np.float64) - np.asarray(others, np.float64))

    def picture_weights(self, draw: int) -> np.ndarray:
        """(N,): how often each picture stands in that resample."""
        assert self.draws is not None  # who counts draws has some
        return self.draws[draw][self.group]

    def _means(self, values: np.ndarray) -> tuple[np.ndarray | None, int]:
        values = np.asarray(values, np.float64)
        there = np.isfinite(values)
        if self.draws is None or not there.any():
            return None, int(there.sum())
        sums = np.bincount(self.group, np.where(there, values, 0), len(self.names))
        counts = np.bincount(self.group, there, len(self.names))
        with np.errstate(invalid="ignore", divide="ignore"):
            return (self.draws @ sums) / (self.draws @ counts), int(there.sum())

    @staticmethod
    def _estimate(value: float, means: np.ndarray | None, count: int) -> Estimate:
        if means is None or not np.isfinite(means).any():
            return Estimate(value, None, None, count)
        low, high = np.nanpercentile(means, [2.5, 97.5])
        return Estimate(value, float(low), float(high), count)


def estimate(
    resamples: Resamples, name: str, values: np.ndarray, others: np.ndarray | None = None
) -> Estimate:
    """The mean or the median, as the measure of that name is given; or that of values less that of
    others."""
    if MEASURES[name].middle == "median":
        if others is None:
            return resamples.median(values)
        return resamples.median_difference(values, others)
    return resamples.mean(values) if others is None else resamples.difference(values, others)


def _weighted_median(values: np.ndarray, counts: np.ndarray) -> float:
    """The median of values in rising order that stand `counts` times each."""
    if not counts.any():
        return float("nan")
    standing = np.cumsum(counts)
    half = standing[-1] / 2
    lower, upper = (np.searchsorted(standing, half, side=side) for side in ("left", "right"))
    return float((values[lower] + values[min(upper, len(values) - 1)]) / 2)
