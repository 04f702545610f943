"""Metrics against definitions written out, and published numbers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.extra.numpy import arrays
from sksurv.linear_model import CoxPHSurvivalAnalysis
from statsmodels.duration.hazard_regression import PHReg

from medomicslab_nb.evaluation.endpoints import Endpoint
from medomicslab_nb.evaluation.metrics import auc, brier, c_index, calibration_slope, log_likelihood


def pairwise_auc(observed, score) -> float:
    """Share of (case, other) pairs in the right order."""
    pairs = [(a > b) + 0.5 * (a == b) for a in score[observed] for b in score[~observed]]
    return float(np.mean(pairs))


def pairwise_c(event, time, score) -> float:
    """Harrell's definition, pair by pair."""
    values = []
    for i in np.flatnonzero(event):
        for j in range(len(time)):
            if time[i] < time[j] or (time[i] == time[j] and not event[j]):
                values.append((score[i] > score[j]) + 0.5 * (score[i] == score[j]))
    return float(np.mean(values)) if values else float("nan")


@settings(max_examples=60)
@given(arrays(bool, 15), arrays(int, 15, elements=st.integers(0, 5)))
def test_auc_is_the_share_of_ordered_pairs(observed, score):
    if observed.all() or not observed.any():
        assert np.isnan(auc(observed, score))
    else:
        assert auc(observed, score) == pytest.approx(pairwise_auc(observed, score))


@settings(max_examples=60)
@given(arrays(bool, 12), arrays(int, 12, elements=st.integers(1, 6)), arrays(int, 12, elements=st.integers(0, 4)))
def test_c_index_is_harrells_definition(event, time, score):
    assert c_index(event, time.astype(float), score.astype(float)) == pytest.approx(
        pairwise_c(event, time, score), nan_ok=True)


def test_auc_of_hanley_and_mcneil():
    # Ratings of 58 normal and 51 abnormal CT images, Hanley and McNeil, Radiology 1982;143:29-36: area .893.
    normal, abnormal = [33, 6, 6, 11, 2], [3, 2, 2, 11, 33]
    score = np.repeat([1, 2, 3, 4, 5] * 2, normal + abnormal)
    observed = np.arange(109) >= 58
    assert auc(observed, score) == pytest.approx(0.893, abs=5e-4)


def test_brier_by_hand():
    assert brier(np.array([True, False, True]), np.array([0.9, 0.2, 0.6])) == pytest.approx((0.01 + 0.04 + 0.16) / 3)


def test_calibration_slope_recovers_the_distortion():
    rng = np.random.default_rng(0)
    position = rng.normal(size=60_000)
    observed = rng.random(60_000) < 1 / (1 + np.exp(-(0.5 + 0.7 * position)))
    slope, intercept = calibration_slope(observed, 1 / (1 + np.exp(-position)))
    assert slope == pytest.approx(0.7, abs=0.03)
    # The intercept is what makes the mean prediction right.
    assert (1 / (1 + np.exp(-(intercept + position)))).mean() == pytest.approx(observed.mean(), abs=1e-6)


def test_calibration_slope_where_it_does_not_exist():
    observed = np.array([True, True, False, False])
    assert np.isnan(calibration_slope(observed, np.array([0.9, 0.8, 0.2, 0.1]))[0])
    assert np.isnan(calibration_slope(np.ones(4, bool), np.full(4, 0.5))).all()
    slope, intercept = calibration_slope(observed, np.full(4, 0.5))
    assert np.isnan(slope)
    assert intercept == pytest.approx(0)


def test_cox_likelihood_is_that_of_statsmodels():
    rng = np.random.default_rng(2)
    time, event, x = np.ceil(rng.exponential(10, 60)), rng.random(60) < 0.6, rng.normal(size=60)
    endpoint = Endpoint("os", event, pd.RangeIndex(60), time)
    expected = PHReg(time, x[:, None], status=event, ties="breslow").loglike(np.array([0.8]))
    assert log_likelihood(endpoint, 0.8 * x) * event.sum() == pytest.approx(expected)
    best = CoxPHSurvivalAnalysis().fit(x[:, None], np.array(list(zip(event, time, strict=True)),
                                                            dtype=[("e", bool), ("t", float)])).coef_[0]
    assert log_likelihood(endpoint, best * x) > max(log_likelihood(endpoint, (best + d) * x) for d in (-0.1, 0.1))


def test_logistic_likelihood_by_hand():
    endpoint = Endpoint("y", np.array([True, False]), pd.RangeIndex(2))
    score = np.array([1.0, -2.0])
    assert log_likelihood(endpoint, score) == pytest.approx(np.log([1 / (1 + np.exp(-1)), 1 / (1 + np.exp(-2))]).mean())
