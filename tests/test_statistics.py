"""Intervals: they hold people together, cover the truth as often as they say, and pair what
belongs together."""

import numpy as np
import pytest

from dancepipe.evaluation.statistics import Resamples, estimate


def people(count: int, pictures: int) -> list[str]:
    return [f"p{person}" for person in range(count) for _ in range(pictures)]


def test_the_mean_leaves_out_what_does_not_apply():
    estimate = Resamples(people(6, 2), 200, 0).mean(np.array([1.0, np.nan] * 6))
    assert estimate.value == 1 and estimate.low == estimate.high == 1 and estimate.count == 6


def test_many_pictures_of_few_people_say_little():
    """Equal pictures of each person: the interval is that of people, however many pictures."""
    random = np.random.default_rng(0)
    per_person = random.normal(size=20)
    few, many = (Resamples(people(20, n), 2000, 1).mean(np.repeat(per_person, n)) for n in (1, 50))
    assert many.high - many.low == pytest.approx(few.high - few.low, rel=1e-6)
    assert many.high - many.low == pytest.approx(2 * 1.96 * per_person.std() / 20**0.5, rel=0.15)


def test_intervals_cover_the_truth():
    random = np.random.default_rng(1)
    covered = 0
    for trial in range(200):
        values = random.normal(size=(30, 1)) + 0.3 * random.normal(size=(30, 4))
        estimate = Resamples(people(30, 4), 300, trial).mean(values.ravel())
        covered += estimate.low <= 0 <= estimate.high
    assert 180 <= covered <= 198  # 95 %, a little less for 30 people


def test_a_paired_difference_is_sharper_than_two_means():
    random = np.random.default_rng(2)
    hard = np.repeat(random.normal(size=25), 3)
    first, second = hard + 0.1 + 0.01 * random.normal(size=75), hard + 0.01 * random.normal(size=75)
    resamples = Resamples(people(25, 3), 1000, 0)
    difference, alone = resamples.difference(first, second), resamples.mean(first)
    assert 0.09 < difference.low < difference.value < difference.high < 0.11
    assert alone.low < 0.1 - 0.2 and alone.high > 0.1 + 0.2


def test_too_few_people_give_no_interval():
    estimate = Resamples(people(4, 100), 1000, 0).mean(np.arange(400.0))
    assert estimate.value == pytest.approx(199.5) and estimate.low is None


def test_the_seed_decides():
    values = np.arange(30.0)
    first, again, other = (Resamples(people(10, 3), 100, seed).mean(values) for seed in (3, 3, 4))
    assert first == again and first.low != other.low


def test_nothing_that_applies_is_no_number():
    assert np.isnan(Resamples(people(6, 1), 100, 0).mean(np.full(6, np.nan)).value)


def test_the_median_is_that_of_the_pictures_and_its_interval_that_of_people():
    values = np.array([3.0, np.nan, 1, 2, 100, 5, 9, 4] * 4)
    resamples = Resamples([f"p{i % 11}" for i in range(len(values))], 60, 0)
    found = resamples.median(values)
    assert found.value == np.nanmedian(values) == 4 and found.count == 28
    medians = []
    for draw in range(60):
        drawn = np.repeat(values, resamples.picture_weights(draw))
        medians.append(np.nanmedian(drawn))
    assert (found.low, found.high) == tuple(np.percentile(medians, [2.5, 97.5]))
    assert found.low < found.high


def test_a_difference_of_medians_is_of_the_pictures_that_both_have():
    first = np.array([1.0, 2, 3, 50, np.nan, 4] * 3)
    second = np.array([0.0, 0, 1, 7, 1000, np.nan] * 3)
    found = Resamples([f"p{i % 7}" for i in range(18)], 100, 0).median_difference(first, second)
    assert found.value == np.median([1, 2, 3, 50]) - np.median([0, 0, 1, 7])
    assert found.count == 12 and found.low < found.value < found.high


def test_each_measure_is_given_as_it_says():
    values, others = np.array([1.0, 2, 9] * 4), np.array([0.0, 1, 1] * 4)
    resamples = Resamples(people(12, 1), 50, 0)
    assert estimate(resamples, "turn_error_degrees", values).value == 2
    assert estimate(resamples, "turn_error_degrees", values, others).value == 1
    assert estimate(resamples, "pre", values).value == 4
    assert estimate(resamples, "pre", values, others).value == pytest.approx(10 / 3)


def test_a_median_of_nothing_is_no_number():
    found = Resamples(people(6, 1), 100, 0).median(np.full(6, np.nan))
    assert np.isnan(found.value) and found.low is None and found.count == 0
