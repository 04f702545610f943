"""Median follow-up, against scikit-survival, a brute-force product and a small example by hand."""

from __future__ import annotations

from dataclasses import astuple

import numpy as np
import pandas as pd
import pytest
from sksurv.nonparametric import kaplan_meier_estimator

from medomicslab_nb.errors import DataError
from medomicslab_nb.evaluation.endpoints import Endpoint, binary_endpoint
from medomicslab_nb.evaluation.follow_up import median_follow_up


def endpoint(time, code, entry=None) -> Endpoint:
    code = np.asarray(code)
    competing = (code > 1).any()
    return Endpoint("os", code == 1, pd.RangeIndex(len(code)), np.asarray(time, dtype=float), "days",
                    entry=None if entry is None else np.asarray(entry, dtype=float), cause=code if competing else None,
                    causes=("event", "other") if competing else ())


def drawn(n=150, seed=0, competing=False):
    rng = np.random.default_rng(seed)
    code = rng.choice([0, 1, 2] if competing else [0, 1], n)
    return rng.exponential(100, n).round(0) + 1, code


def first_half(times, survival) -> float:
    return next((float(t) for t, s in zip(times, survival, strict=True) if s <= 0.5 + 1e-9), float("nan"))


@pytest.mark.parametrize("confidence", [0.9, 0.95])
@pytest.mark.parametrize("seed", range(5))
def test_median_and_limits_are_those_of_scikit_survival(seed, confidence):
    time, code = drawn(seed=seed)
    found = median_follow_up(endpoint(time, code), confidence=confidence)
    times, survival, limits = kaplan_meier_estimator(code == 0, time, conf_type="log-log", conf_level=confidence)
    assert found.estimate == first_half(times, survival)
    assert (found.lower, found.upper) == (first_half(times, limits[0]), first_half(times, limits[1]))
    assert found.lower < found.estimate < found.upper


def test_ten_patients_by_hand():
    """Censored at 2, 4, 4, 6, 8, 10; events at 1, 3, 5, 7: 8/9, x 5/7, x 3/4 (6) = .476."""
    found = median_follow_up(endpoint([1, 2, 3, 4, 4, 5, 6, 7, 8, 10], [1, 0, 1, 0, 0, 1, 0, 1, 0, 0]))
    assert found.estimate == 6


def test_competing_events_are_censorings_as_events_are():
    time, code = drawn(competing=True)
    found = median_follow_up(endpoint(time, code))
    np.testing.assert_equal(astuple(found), astuple(median_follow_up(endpoint(time, np.minimum(code, 1)))))
    assert found.estimate != median_follow_up(endpoint(time, (code == 1).astype(int))).estimate


@pytest.mark.parametrize("seed", range(5))
def test_late_entry_counts_who_is_at_risk(seed):
    time, code = drawn(seed=seed)
    entry = np.floor(time * np.random.default_rng(seed).uniform(0, 0.9, len(time)))
    entry[:20] = 0
    survival, curve = 1.0, []
    for t in np.unique(time[code == 0]):
        ended = ((time == t) & (code == 0)).sum()
        survival *= 1 - ended / ((entry < t) & (t <= time)).sum()
        curve.append((t, survival))
    found = median_follow_up(endpoint(time, code, entry))
    assert found.estimate == first_half(*zip(*curve, strict=True))
    none = median_follow_up(endpoint(time, code, np.zeros(len(time))))
    assert none == median_follow_up(endpoint(time, code))


def test_early_risk_set_that_empties_gives_no_number():
    """The first patient leaves before the others come in: the product is 0 from then on, which means nothing."""
    found = median_follow_up(endpoint([1, 10, 20, 30], [0, 0, 1, 0], [0, 5, 5, 5]))
    assert np.isnan([found.estimate, found.lower, found.upper]).all()


def test_a_half_that_rounding_hides_is_a_half():
    """Nine of 18 leave one after the other: the product of the steps is .5 but for rounding."""
    found = median_follow_up(endpoint(np.arange(1, 19), [0] * 9 + [1] * 9))
    assert found.estimate == 9


@pytest.mark.parametrize(("time", "code", "estimate"), [
    ([5, 6], [1, 1], np.nan),  # nobody censored
    ([5], [0], 5.0),
    ([1, 2, 3, 9], [0, 1, 1, 1], np.nan),  # a half is not reached
])
def test_what_cannot_be_told_is_nan(time, code, estimate):
    found = median_follow_up(endpoint(time, code))
    np.testing.assert_equal(found.estimate, estimate)
    assert np.isnan(found.upper)


def test_an_outcome_without_follow_up_has_none():
    with pytest.raises(DataError, match="no follow-up time"):
        median_follow_up(binary_endpoint("response", pd.Series([0, 1], index=["a", "b"])))
