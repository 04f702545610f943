"""Intervals against loops over samples, and the corrected t against its formula."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy import stats
from sklearn.metrics import roc_auc_score
from sksurv.metrics import concordance_index_censored

from medomicslab_nb.evaluation.intervals import (
    bootstrap_auc,
    bootstrap_c_index,
    bootstrap_weights,
    corrected_resampled_t,
)

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
