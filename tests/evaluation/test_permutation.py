"""Permutations, and their p-value against all permutations and its own null."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import beta

from medomicslab_nb.evaluation.endpoints import Endpoint
from medomicslab_nb.evaluation.metrics import auc
from medomicslab_nb.evaluation.permutation import permutation_p, permuted


def endpoint(n=60):
    rng = np.random.default_rng(0)
    time, cause = np.arange(1.0, n + 1), rng.integers(0, 3, n)
    return Endpoint("os", cause == 1, pd.Index([f"p{i:03d}" for i in range(n)]), time, entry=time / 2, cause=cause,
                    causes=("relapse", "death"))


def test_outcomes_move_together_and_patients_stay():
    real = endpoint()
    dealt = permuted(real, 4)
    assert dealt.patients.equals(real.patients)
    assert not np.array_equal(dealt.time, real.time)
    origin = dealt.time.astype(int) - 1
    assert sorted(origin) == list(range(60))
    for name in ("outcome", "entry", "cause"):
        np.testing.assert_array_equal(getattr(dealt, name), getattr(real, name)[origin])
    assert dealt.name == "os"


def test_deterministic():
    np.testing.assert_array_equal(permuted(endpoint(), 4).time, permuted(endpoint(), 4).time)
    assert not np.array_equal(permuted(endpoint(), 4).time, permuted(endpoint(), 5).time)


def test_within_groups():
    real, centre = endpoint(), np.repeat(["a", "b", "c"], 20)
    dealt = permuted(real, 1, within=centre)
    for name in "abc":
        assert set(dealt.time[centre == name]) == set(real.time[centre == name])
    assert not np.array_equal(dealt.time[:20], real.time[:20])
    # A group of one keeps its outcome.
    np.testing.assert_array_equal(permuted(real, 1, within=np.arange(60)).time, real.time)
    with pytest.raises(ValueError, match="3 groups for 60"):
        permuted(real, 1, within=np.arange(3))


def test_p_by_hand():
    found = permutation_p(0.7, np.array([0.5, 0.7, 0.6, 0.8, np.nan, 0.4]))
    assert found.estimate == found.p == pytest.approx(3 / 6)
    assert (found.lower, found.upper) == pytest.approx((beta.ppf(0.025, 2, 4), beta.ppf(0.975, 3, 3)))


def test_p_at_the_edges():
    none = permutation_p(0.9, np.full(99, 0.5))
    assert none.p == 0.01
    assert (none.lower, none.upper) == pytest.approx((0, 1 - 0.025 ** (1 / 99)))
    every = permutation_p(0.1, np.full(99, 0.5))
    assert (every.p, every.upper) == (1, 1)
    assert np.isnan(permutation_p(float("nan"), np.ones(3)).p)
    assert np.isnan(permutation_p(0.5, np.array([np.nan])).p)
    # Equal but for rounding.
    assert permutation_p(0.1 + 0.2, np.array([0.3])).p == 1


def test_near_the_exact_test():
    outcome = np.array([False, True, False, False, True, True])
    score = np.array([0.1, 0.9, 0.3, 0.75, 0.6, 0.7])
    every = np.array([auc(np.array(dealt), score) for dealt in set(permutations(outcome.tolist()))])
    exact = (every >= auc(outcome, score) - 1e-12).mean()
    real = Endpoint("y", outcome, pd.RangeIndex(6))
    found = permutation_p(auc(outcome, score), np.array([auc(permuted(real, seed).event, score)
                                                         for seed in range(800)]))
    assert found.p == pytest.approx(exact, abs=0.04)
    assert found.lower < exact < found.upper


def test_type_one_error():
    rng = np.random.default_rng(0)
    below = 0
    for trial in range(300):
        real = Endpoint("y", rng.random(30) < 0.5, pd.RangeIndex(30))
        score = rng.normal(size=30)
        null = np.array([auc(permuted(real, 100 * trial + seed).event, score) for seed in range(19)])
        below += permutation_p(auc(real.event, score), null).p <= 0.05
    assert below / 300 == pytest.approx(0.05, abs=0.035)
