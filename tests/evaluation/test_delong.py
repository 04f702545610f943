"""DeLong against structural components pair by pair, another library's test, and coverage."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from medomicslab_nb.errors import DataError
from medomicslab_nb.evaluation.delong import delong, delong_test, external_auc_interval, newcombe_interval
from medomicslab_nb.evaluation.metrics import auc


def structural_components(observed, scores):
    """DeLong, DeLong and Clarke-Pearson 1988, equations 4 to 6, written out."""
    def kernel(case, other):
        return float(case > other) + 0.5 * float(case == other)

    cases, others = scores[observed], scores[~observed]
    models = range(scores.shape[1])
    v10 = np.array([[np.mean([kernel(row[k], y) for y in others[:, k]]) for k in models] for row in cases])
    v01 = np.array([[np.mean([kernel(x, row[k]) for x in cases[:, k]]) for k in models] for row in others])
    area = v10.mean(axis=0)
    s10 = (v10 - area).T @ (v10 - area) / (len(cases) - 1)
    s01 = (v01 - area).T @ (v01 - area) / (len(others) - 1)
    return area, s10 / len(cases) + s01 / len(others)


@settings(max_examples=40)
@given(arrays(bool, 14), arrays(int, (14, 3), elements=st.integers(0, 5)))
def test_fast_algorithm_is_the_definition(observed, scores):
    if not 2 <= observed.sum() <= 12:
        return
    area, covariance = delong(observed, scores)
    expected_area, expected_covariance = structural_components(observed, scores)
    assert area == pytest.approx(expected_area)
    assert covariance == pytest.approx(expected_covariance, abs=1e-12)


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    observed = rng.random(120) < 0.3
    return observed, np.round(rng.normal(size=120) + observed, 1), rng.normal(size=120) + 0.5 * observed


def test_p_against_chance_is_that_of_brunner_and_munzel(data):
    observed, score, _ = data
    found = external_auc_interval(observed, score)
    assert found.p == pytest.approx(stats.brunnermunzel(score[observed], score[~observed]).pvalue)


def test_interval_is_the_formula(data):
    observed, score, _ = data
    found, (area, covariance) = external_auc_interval(observed, score, confidence=0.9), delong(observed, score)
    assert found.estimate == pytest.approx(auc(observed, score))
    logit = np.log(area[0] / (1 - area[0]))
    error = covariance[0, 0] ** 0.5 / (area[0] * (1 - area[0]))
    upper = np.log(found.upper / (1 - found.upper))
    lower = np.log(found.lower / (1 - found.lower))
    assert (lower + upper) / 2 == pytest.approx(logit)
    # Between normal quantiles and those of the smaller class alone.
    assert stats.norm.ppf(0.95) < (upper - logit) / error < stats.t.ppf(0.95, observed.sum() - 1)


def test_newcombe_solves_his_equation(data):
    observed, score, _ = data
    found, m, n = newcombe_interval(observed, score), observed.sum(), (~observed).sum()
    for limit in (found.lower, found.upper):
        q1, q2, star = limit / (2 - limit), 2 * limit**2 / (1 + limit), (m + n) / 2
        variance = (limit * (1 - limit) + (star - 1) * (q1 - limit**2) + (star - 1) * (q2 - limit**2)) / (m * n)
        assert abs(found.estimate - limit) == pytest.approx(stats.norm.ppf(0.975) * variance**0.5)
    assert found.lower < found.estimate < found.upper


def test_paired_comparison(data):
    observed, first, second = data
    found = delong_test(observed, first, second)
    area, covariance = structural_components(observed, np.column_stack([first, second]))
    error = (covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]) ** 0.5
    assert found.estimate == pytest.approx(area[0] - area[1])
    assert found.upper - found.estimate == pytest.approx(stats.norm.ppf(0.975) * error)
    assert found.p == pytest.approx(2 * stats.norm.sf(abs(area[0] - area[1]) / error))
    same = delong_test(observed, first, 3 * first + 1)
    assert (same.estimate, same.lower, same.upper, same.p) == pytest.approx((0, 0, 0, 1))
    with pytest.raises(DataError, match="same patients"):
        delong_test(observed, first, second[1:])


def test_paired_comparison_keeps_its_level():
    rng = np.random.default_rng(1)
    rejected = 0
    for _ in range(600):
        observed = rng.random(100) < 0.4
        common = rng.normal(size=100) + observed
        first, second = common + rng.normal(size=(2, 100))
        rejected += delong_test(observed, first, second).p < 0.05
    assert 0.03 <= rejected / 600 <= 0.075


def test_external_interval_covers():
    rng = np.random.default_rng(2)
    for n, area in ((100, 0.75), (200, 0.9)):
        distance, hits = np.sqrt(2) * stats.norm.ppf(area), 0
        for _ in range(600):
            observed = rng.random(n) < 0.3
            found = external_auc_interval(observed, rng.normal(size=n) + distance * observed)
            hits += found.lower <= area <= found.upper
        assert 0.93 <= hits / 600 <= 0.975


def test_perfect_order_is_no_certainty():
    observed = np.arange(20) >= 12
    found = external_auc_interval(observed, np.arange(20.0))
    assert (found.estimate, found.upper) == (1, 1)
    assert 0.6 < found.lower < 0.95
    worst = external_auc_interval(observed, -np.arange(20.0))
    assert (worst.estimate, worst.lower) == (0, 0)
    assert worst.upper == pytest.approx(1 - found.lower)
    flat = external_auc_interval(observed, np.zeros(20))
    assert flat.lower == pytest.approx(1 - flat.upper)
    assert flat.lower < 0.35


def test_bad_input_48_one_class_in_the_test():
    for observed in (np.zeros(6, bool), np.ones(6, bool), np.empty(0, bool)):
        score = np.arange(float(len(observed)))
        found = external_auc_interval(observed, score)
        assert np.isnan([found.estimate, found.lower, found.upper, newcombe_interval(observed, score).lower]).all()
        assert np.isnan(delong_test(observed, score, -score).estimate)
    single = external_auc_interval(np.arange(6) == 3, np.arange(6.0))
    assert single.estimate == pytest.approx(0.6)
    assert np.isnan([single.lower, single.upper]).all()
    assert np.isnan(external_auc_interval(np.arange(6) > 3, np.full(6, np.nan)).estimate)
