"""Intervals: how often they hold the truth, what few cases allow, and that pairs are kept."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import pytest
from scipy import stats

from DeepMRILib.igs.intervals import EXACT, FEW, auc_interval, mean_interval, paired_interval, sign_flip_p
from DeepMRILib.igs.measures import auc_of_classes


@pytest.mark.parametrize("cases", [5, 40])
def test_the_true_mean_lies_within_about_as_often_as_said(rng: np.random.Generator, cases: int) -> None:
    samples = rng.exponential(1.0, (400, cases)) if cases > FEW else rng.standard_normal((400, cases)) + 1
    within = [low <= 1 <= high for _, low, high, *_ in (mean_interval(sample, 0.9) for sample in samples)]
    assert 0.84 <= np.mean(within) <= 0.95


def test_few_cases_have_students_interval_and_one_has_none() -> None:
    values = [0.7, 0.9, 0.75, math.nan, 0.8]
    found = mean_interval(values, 0.95)
    low, high = stats.t.interval(0.95, 3, np.mean([0.7, 0.9, 0.75, 0.8]), stats.sem([0.7, 0.9, 0.75, 0.8]))
    assert (found.low, found.high, found.cases) == (pytest.approx(low), pytest.approx(high), 4)
    alone = mean_interval([0.7])
    assert (alone.mean, alone.cases) == (0.7, 1)
    assert math.isnan(alone.low)
    assert math.isnan(alone.high)
    nothing = mean_interval([math.nan])
    assert nothing.cases == 0
    assert math.isnan(nothing.mean)


def test_a_seed_gives_one_interval(rng: np.random.Generator) -> None:
    values = rng.random(FEW + 5)
    assert mean_interval(values, seed=3) == mean_interval(values, seed=3)
    assert mean_interval(values, seed=3) != mean_interval(values, seed=4)


def test_pairs_find_a_small_gain_that_the_spread_of_cases_hides(rng: np.random.Generator) -> None:
    hard = rng.uniform(0.2, 0.9, 30)
    second = hard + 0.01 * rng.standard_normal(30)
    gain = paired_interval(hard + 0.02, second)
    assert gain.low > 0.01
    assert gain.high < 0.03
    assert gain.p < 0.001
    assert mean_interval(hard).high - mean_interval(hard).low > 0.1  # unpaired, nothing could be said


def test_a_case_without_a_pair_is_left_out() -> None:
    found = paired_interval([1.0, 2.0, math.nan], [0.5, math.nan, 1.0])
    assert (found.mean, found.cases) == (0.5, 1)
    assert math.isnan(found.p)


def test_sign_flips_of_few_are_exact_and_of_many_agree_with_a_t_test(rng: np.random.Generator) -> None:
    # of 2^5 signs, only all equal ones reach the sum
    assert sign_flip_p(np.array([1.0, 1.2, 0.9, 1.1, 1.0])) == 2 / 2**5
    assert sign_flip_p(np.zeros(4)) == 1.0
    many = rng.standard_normal(EXACT + 48) + 0.2
    assert sign_flip_p(many) == pytest.approx(stats.ttest_1samp(many, 0).pvalue, abs=0.02)
    exact = rng.standard_normal(EXACT) + 0.4
    assert sign_flip_p(exact) == pytest.approx(
        stats.permutation_test((exact,), np.mean, permutation_type="samples", n_resamples=np.inf).pvalue
    )


def test_area_has_an_interval_over_cases_not_slices(rng: np.random.Generator) -> None:
    cases = np.repeat(np.arange(25), 4)
    truth = np.repeat(rng.integers(0, 2, 25), 4)
    # slices of one case are alike: they are no further evidence
    score = np.repeat(rng.standard_normal(25), 4) + truth
    probabilities = np.stack([-score, score], axis=1)
    area = partial(auc_of_classes, probabilities, truth)
    by_case = auc_interval(area, cases)
    by_slice = auc_interval(area, np.arange(100))
    assert by_case.mean == by_slice.mean == pytest.approx(area()[0])
    assert by_case.high - by_case.low > 1.5 * (by_slice.high - by_slice.low)
    assert by_case.low < by_case.mean < by_case.high


def test_areas_of_two_patterns_are_compared_on_the_same_cases(rng: np.random.Generator) -> None:
    truth = rng.integers(0, 2, 80)
    good = rng.standard_normal(80) + 1.5 * truth
    poor = good + 4 * rng.standard_normal(80)
    areas = [partial(auc_of_classes, np.stack([-score, score], axis=1), truth) for score in (good, poor)]
    found = auc_interval(areas[0], np.arange(80), areas[1])
    assert found.mean == pytest.approx(areas[0]()[0] - areas[1]()[0])
    assert 0 < found.low < found.mean
    assert found.p < 0.05
    same = auc_interval(areas[0], np.arange(80), areas[0])
    assert (same.mean, same.low, same.high, same.p) == (0, 0, 0, 1)
