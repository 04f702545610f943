"""Intervals against loops over samples, and the corrected t against its formula."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st
from scipy import stats
from sklearn.metrics import average_precision_score, r2_score, roc_auc_score
from sksurv.metrics import concordance_index_censored

from medomicslab_nb.evaluation import intervals
from medomicslab_nb.evaluation.endpoints import Endpoint
from medomicslab_nb.evaluation.intervals import (
    bootstrap,
    bootstrap_auc,
    bootstrap_auprc,
    bootstrap_c_index,
    bootstrap_discrimination,
    bootstrap_mean,
    bootstrap_weights,
    corrected_resampled_t,
    undercoverage_warning,
    weighted_auc,
)
from medomicslab_nb.evaluation.metrics import auc_ovr, c_index

N = 60


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    event = rng.random(N) < 0.5
    return event, np.ceil(rng.exponential(20, N)), np.round(rng.normal(size=N) + event, 1)


def samples(draws: int) -> list[np.ndarray]:
    weights = np.concatenate(list(bootstrap_weights(N, draws, 7))).astype(int)
    return [np.repeat(np.arange(N), row) for row in weights]


def test_vectorised_bootstrap_of_auc_is_the_loop(data):
    event, _, score = data
    loop = [roc_auc_score(event[rows], score[rows]) for rows in samples(200)]
    found = bootstrap_auc(event, score, draws=200, seed=7)
    assert found.estimate == pytest.approx(roc_auc_score(event, score))
    assert (found.lower, found.upper) == pytest.approx(tuple(np.quantile(loop, [0.025, 0.975])))


def test_vectorised_bootstrap_of_c_index_is_the_loop(data):
    event, time, score = data
    loop = [concordance_index_censored(event[rows], time[rows], score[rows])[0] for rows in samples(100)]
    found = bootstrap_c_index(event, time, score, draws=100, seed=7)
    assert found.estimate == pytest.approx(concordance_index_censored(event, time, score)[0], abs=1e-6)
    assert (found.lower, found.upper) == pytest.approx(tuple(np.quantile(loop, [0.025, 0.975])), abs=1e-5)


def test_repeats_are_averaged(data):
    event, time, score = data
    both = np.column_stack([score, -score])
    assert bootstrap_auc(event, both, draws=50).estimate == pytest.approx(0.5)
    assert bootstrap_c_index(event, time, both, draws=50).upper == pytest.approx(0.5)


def test_bootstrap_interval_covers_and_shrinks():
    rng = np.random.default_rng(1)
    widths, hits = {}, 0
    for n in (80, 320):
        for _ in range(60):
            event = rng.random(n) < 0.5
            found = bootstrap_auc(event, rng.normal(size=n) + event, draws=300)
            widths.setdefault(n, []).append(found.upper - found.lower)
            hits += found.lower <= stats.norm.cdf(1 / np.sqrt(2)) <= found.upper
    assert np.mean(widths[80]) / np.mean(widths[320]) == pytest.approx(2, abs=0.3)
    assert hits / 120 >= 0.88


@settings(max_examples=40)
@given(st.lists(st.floats(0.3, 0.9), min_size=2, max_size=20), st.floats(0.1, 0.5))
def test_corrected_t_is_the_formula(values, ratio):
    found = corrected_resampled_t(np.array(values), n_train=100, n_test=100 * ratio, null=0.5)
    j, mean = len(values), sum(values) / len(values)
    variance = sum((value - mean) ** 2 for value in values) / (j - 1)
    error = ((1 / j + ratio) * variance) ** 0.5
    assert found.estimate == pytest.approx(mean)
    if error > 1e-9:
        assert found.upper - mean == pytest.approx(stats.t.ppf(0.975, j - 1) * error)
        assert found.p == pytest.approx(2 * stats.t.sf(abs(mean - 0.5) / error, j - 1))


def test_corrected_t_in_degenerate_cases():
    assert np.isnan(corrected_resampled_t(np.array([0.6]), n_train=4, n_test=1).lower)
    assert np.isnan(corrected_resampled_t(np.array([np.nan]), n_train=4, n_test=1).estimate)
    same = corrected_resampled_t(np.full(5, 0.75), n_train=4, n_test=1, null=0.5)
    assert (same.lower, same.upper, same.p) == (0.75, 0.75, 0.0)
    cut = corrected_resampled_t(np.array([0.5, 1.0, 1.0]), n_train=4, n_test=1, bounds=(0, 1))
    assert cut.upper == 1.0


def quantiles(values) -> tuple[float, ...]:
    return tuple(np.quantile(values, [0.025, 0.975]))


def test_vectorised_bootstrap_of_average_precision_is_the_loop(data):
    event, _, score = data
    loop = [average_precision_score(event[rows], score[rows]) for rows in samples(200)]
    found = bootstrap_auprc(event, score, draws=200, seed=7)
    assert found.estimate == pytest.approx(average_precision_score(event, score))
    assert (found.lower, found.upper) == pytest.approx(quantiles(loop))


def test_vectorised_bootstrap_of_a_mean_is_the_loop(data):
    _, _, score = data
    found = bootstrap_mean(score**2, draws=200, seed=7)
    assert (found.lower, found.upper) == pytest.approx(quantiles([np.mean(score[rows] ** 2) for rows in samples(200)]))


def test_bootstrap_with_left_truncation_is_the_loop(data):
    event, time, score = data
    entry = np.floor(time / 2)
    loop = [c_index(event[rows], time[rows], score[rows], entry=entry[rows]) for rows in samples(100)]
    found = bootstrap_c_index(event, time, score, entry=entry, draws=100, seed=7)
    assert found.estimate == pytest.approx(c_index(event, time, score, entry=entry), abs=1e-6)
    assert (found.lower, found.upper) == pytest.approx(quantiles(loop), abs=1e-5)


def test_discrimination_of_the_four_kinds(data):
    event, time, score = data
    options, patients = {"draws": 100, "seed": 7}, pd.RangeIndex(N)
    assert bootstrap_discrimination(Endpoint("y", event, patients), score, **options) == bootstrap_auc(
        event, score, **options)
    assert bootstrap_discrimination(Endpoint("y", event, patients, time), score, **options) == bootstrap_c_index(
        event, time, score, **options)
    found = bootstrap_discrimination(Endpoint("y", time, patients), score, **options)
    loop = [r2_score(time[rows], score[rows]) for rows in samples(100)]
    assert (found.estimate, found.lower, found.upper) == pytest.approx((r2_score(time, score), *quantiles(loop)))
    codes, rows_of_scores = (time % 3).astype(int), np.random.default_rng(1).normal(size=(N, 3, 2))
    found = bootstrap_discrimination(Endpoint("y", codes, patients, classes=("a", "b", "c")), rows_of_scores, **options)
    loop = [np.mean([auc_ovr(codes[rows], rows_of_scores[rows, :, r]) for r in (0, 1)]) for rows in samples(100)]
    assert (found.lower, found.upper) == pytest.approx(quantiles(loop))


def test_bca_is_that_of_scipy():
    rng = np.random.default_rng(2)
    values = rng.exponential(size=80)
    found = bootstrap(lambda weights: weights @ values / weights.sum(axis=1), 80, draws=20_000, corrected=True)
    other = stats.bootstrap((values,), np.mean, n_resamples=20_000, method="BCa", rng=3).confidence_interval
    assert (found.lower, found.upper) == pytest.approx((other.low, other.high), abs=0.01)
    assert bootstrap_mean(values, draws=20_000).lower < found.lower  # the mean of a skewed sample: limits move up


def test_bootstrap_where_there_is_nothing_to_draw():
    nothing = bootstrap_auc(np.empty(0, bool), np.empty(0))
    assert np.isnan([nothing.estimate, nothing.lower, nothing.upper]).all()
    one_class = bootstrap_auc(np.ones(9, bool), np.arange(9.0), corrected=True)
    assert np.isnan([one_class.estimate, one_class.lower, one_class.upper]).all()
    perfect = bootstrap_auc(np.arange(9) > 4, np.arange(9.0), corrected=True)
    assert (perfect.estimate, perfect.lower, perfect.upper) == (1, 1, 1)
    infinite = weighted_auc(np.ones((1, 4)), np.array([True, True, False, False]), np.array([np.inf, 1, 1, -np.inf]))
    assert infinite[0] == pytest.approx(3.5 / 4)


def test_where_cross_validation_under_covers_it_says_so():
    few, more = undercoverage_warning(50), undercoverage_warning(99)
    assert "of 50 patients (five folds, two repeats), 95% intervals held the true AUC in 87% to 94%" in few
    assert few == more == undercoverage_warning(20)
    assert "ten repeats" in undercoverage_warning(400, repeats=10)
    assert undercoverage_warning(400) is None
    assert "90% were not measured" in undercoverage_warning(60, 0.9)


def test_mean_within_centres_compares_no_patients_of_two():
    rng = np.random.default_rng(0)
    n = 300
    centre = np.repeat(["a", "b", "c"], [150, 100, 50])
    # Each centre's scores have another level, and its outcome another frequency: pooled, the level is all there is.
    event = rng.random(n) < np.repeat([0.2, 0.5, 0.8], [150, 100, 50])
    score = rng.normal(size=n) + 3 * np.repeat([0, 1, 2], [150, 100, 50])
    endpoint = Endpoint("y", event, pd.Index([f"P{i}" for i in range(n)]))
    by_hand = np.average([roc_auc_score(event[centre == name], score[centre == name]) for name in "abc"],
                         weights=[150, 100, 50])
    found = intervals.bootstrap_discrimination(endpoint, score, within=centre, draws=200)
    assert found.estimate == pytest.approx(by_hand)
    assert found.lower < 0.5 < found.upper
    assert roc_auc_score(event, score) > 0.65
    nothing = intervals.bootstrap_difference(endpoint, score, score, within=centre, draws=50)
    assert (nothing.estimate, nothing.lower, nothing.upper) == (0, 0, 0)
