"""Metrics against definitions written out, and published numbers."""

from __future__ import annotations

from time import perf_counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import softmax
from sklearn import metrics as sklearn_metrics
from sksurv.linear_model import CoxPHSurvivalAnalysis
from statsmodels.duration.hazard_regression import PHReg

from medomicslab_nb.errors import DataError
from medomicslab_nb.evaluation.endpoints import Endpoint
from medomicslab_nb.evaluation.metrics import (
    accuracy,
    auc,
    auc_ovr,
    auprc,
    balanced_accuracy,
    brier,
    c_index,
    calibration_slope,
    discrimination,
    log_likelihood,
    log_loss,
    mean_absolute_error,
    r2,
    root_mean_squared_error,
)


def pairwise_auc(observed, score) -> float:
    """Share of (case, other) pairs in the right order."""
    pairs = [(a > b) + 0.5 * (a == b) for a in score[observed] for b in score[~observed]]
    return float(np.mean(pairs))


def pairwise_c(event, time, score, entry=None) -> float:
    """Harrell's definition, pair by pair."""
    values = []
    for i in np.flatnonzero(event):
        for j in range(len(time)):
            observed = entry is None or entry[j] < time[i]
            if observed and (time[i] < time[j] or (time[i] == time[j] and not event[j])):
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


@settings(max_examples=60)
@given(arrays(bool, 12), arrays(int, 12, elements=st.integers(1, 6)), arrays(int, 12, elements=st.integers(0, 4)),
       arrays(int, 12, elements=st.integers(0, 5)))
def test_c_index_with_left_truncation_is_the_definition(event, time, score, entry):
    entry = np.minimum(entry, time - 1).astype(float)
    found = c_index(event, time.astype(float), score.astype(float), entry=entry)
    assert found == pytest.approx(pairwise_c(event, time, score, entry), nan_ok=True)


def test_entry_at_zero_changes_nothing_and_blocks_add_up(monkeypatch):
    rng = np.random.default_rng(3)
    time, event, score = np.ceil(rng.exponential(9, 300)), rng.random(300) < 0.5, np.round(rng.normal(size=300), 1)
    expected = c_index(event, time, score)
    assert c_index(event, time, score, entry=np.zeros(300)) == pytest.approx(expected)
    monkeypatch.setattr("medomicslab_nb.evaluation.metrics._CHUNK", 1000)
    assert c_index(event, time, score, entry=np.zeros(300)) == pytest.approx(expected)


def test_left_truncation_of_2000_patients_is_fast():
    rng = np.random.default_rng(3)
    time, event, score = rng.exponential(9, 2000), rng.random(2000) < 0.5, rng.normal(size=2000)
    start = perf_counter()
    c_index(event, time, score, entry=time / 2)
    assert perf_counter() - start < 1


def test_auc_is_scikit_learns_with_ties():
    rng = np.random.default_rng(4)
    observed, score = rng.random(500) < 0.2, np.round(rng.normal(size=500), 1)
    assert auc(observed, score) == pytest.approx(sklearn_metrics.roc_auc_score(observed, score), abs=1e-12)
    assert auc(observed, -score) == pytest.approx(1 - auc(observed, score))


def test_macro_auc_is_scikit_learns_and_leaves_out_absent_classes():
    rng = np.random.default_rng(5)
    outcome, score = rng.integers(0, 4, 200), rng.normal(size=(200, 4))
    score[np.arange(200), outcome] += 1
    expected = sklearn_metrics.roc_auc_score(outcome, softmax(score, axis=1), multi_class="ovr")
    assert auc_ovr(outcome, softmax(score, axis=1)) == pytest.approx(expected)
    some = outcome != 2
    present = [auc(outcome[some] == k, score[some, k]) for k in (0, 1, 3)]
    assert auc_ovr(outcome[some], score[some]) == pytest.approx(np.mean(present))


def test_r2_and_errors_are_scikit_learns():
    rng = np.random.default_rng(6)
    outcome = rng.normal(50, 10, size=80)
    predicted = outcome + rng.normal(0, 5, size=80)
    assert r2(outcome, predicted) == pytest.approx(sklearn_metrics.r2_score(outcome, predicted))
    assert r2(outcome, np.full(80, outcome.mean())) == pytest.approx(0)
    assert mean_absolute_error(outcome, predicted) == pytest.approx(
        sklearn_metrics.mean_absolute_error(outcome, predicted))
    assert root_mean_squared_error(outcome, predicted) == pytest.approx(
        sklearn_metrics.root_mean_squared_error(outcome, predicted))


@settings(max_examples=60)
@given(arrays(bool, 20), arrays(int, 20, elements=st.integers(0, 6)))
def test_auprc_is_scikit_learns_average_precision(observed, score):
    if observed.all() or not observed.any():
        assert np.isnan(auprc(observed, score))
    else:
        assert auprc(observed, score) == pytest.approx(sklearn_metrics.average_precision_score(observed, score))


def test_auprc_without_information_is_the_prevalence():
    assert auprc(np.arange(10) < 3, np.zeros(10)) == pytest.approx(0.3)


def test_errors_of_probabilities_are_scikit_learns():
    rng = np.random.default_rng(7)
    outcome, probability = rng.integers(0, 3, 90), softmax(rng.normal(size=(90, 3)), axis=1)
    assert log_loss(outcome, probability) == pytest.approx(sklearn_metrics.log_loss(outcome, probability))
    assert brier(outcome, probability) == pytest.approx(
        sklearn_metrics.brier_score_loss(outcome, probability, scale_by_half=False))
    observed, positive = outcome == 1, probability[:, 1]
    assert log_loss(observed, positive) == pytest.approx(sklearn_metrics.log_loss(observed, positive))
    assert brier(observed.astype(int), np.column_stack([1 - positive, positive])) == pytest.approx(
        2 * brier(observed, positive))
    assert log_loss(np.array([True]), np.array([0.0])) == pytest.approx(-np.log(np.finfo(float).eps))


def test_accuracies_are_scikit_learns():
    rng = np.random.default_rng(8)
    observed, predicted = rng.choice(3, 60, p=[0.7, 0.2, 0.1]), rng.integers(0, 3, 60)
    assert accuracy(observed, predicted) == pytest.approx(sklearn_metrics.accuracy_score(observed, predicted))
    assert balanced_accuracy(observed, predicted) == pytest.approx(
        sklearn_metrics.balanced_accuracy_score(observed, predicted))


def test_discrimination_of_the_four_kinds():
    rng = np.random.default_rng(9)
    patients, score = pd.RangeIndex(40), rng.normal(size=40)
    flags, time = rng.random(40) < 0.5, rng.exponential(size=40)
    codes, rows = rng.integers(0, 3, 40), rng.normal(size=(40, 3))
    assert discrimination(Endpoint("y", flags, patients), score) == auc(flags, score)
    assert discrimination(Endpoint("y", codes, patients, classes=("a", "b", "c")), rows) == auc_ovr(codes, rows)
    assert discrimination(Endpoint("y", time, patients), score) == r2(time, score)
    assert discrimination(Endpoint("y", flags, patients, time), score) == c_index(flags, time, score)
    late = Endpoint("y", flags, patients, time, entry=time / 2)
    assert discrimination(late, score) == c_index(flags, time, score, entry=time / 2)


def test_likelihood_with_left_truncation_is_that_of_statsmodels():
    rng = np.random.default_rng(10)
    time, event, x = np.ceil(rng.exponential(10, 60)), rng.random(60) < 0.6, rng.normal(size=60)
    # PHReg has a patient who enters at an event's time at risk; R's survival and we do not.
    entry = np.floor(time * rng.random(60))
    endpoint = Endpoint("os", event, pd.RangeIndex(60), time, entry=entry)
    expected = PHReg(time, x[:, None], status=event, entry=entry + 0.5, ties="breslow").loglike(np.array([0.8]))
    assert log_likelihood(endpoint, 0.8 * x) * event.sum() == pytest.approx(expected)
    without = Endpoint("os", event, pd.RangeIndex(60), time)
    at_zero = Endpoint("os", event, pd.RangeIndex(60), time, entry=np.zeros(60))
    assert log_likelihood(at_zero, x) == pytest.approx(log_likelihood(without, x))


def test_likelihood_of_classes_and_numbers():
    rng = np.random.default_rng(11)
    codes, score = rng.integers(0, 3, 50), rng.normal(size=(50, 3))
    endpoint = Endpoint("y", codes, pd.RangeIndex(50), classes=("a", "b", "c"))
    assert log_likelihood(endpoint, score) == pytest.approx(-sklearn_metrics.log_loss(codes, softmax(score, axis=1)))
    numbers = Endpoint("y", score[:, 0], pd.RangeIndex(50))
    assert log_likelihood(numbers, score[:, 1]) == pytest.approx(-np.mean((score[:, 0] - score[:, 1]) ** 2))


def test_bad_input_48_one_class_in_the_test():
    score = np.linspace(0.1, 0.9, 5)
    for observed in (np.zeros(5, bool), np.ones(5, bool)):
        assert np.isnan([auc(observed, score), auprc(observed, score), balanced_accuracy(observed, observed),
                         *calibration_slope(observed, score)]).all()
        assert np.isfinite([brier(observed, score), log_loss(observed, score)]).all()
    assert np.isnan(auc_ovr(np.zeros(5, int), np.zeros((5, 3))))
    assert np.isnan([r2(np.ones(5), score), r2(np.ones(1), score[:1])]).all()
    assert np.isnan(c_index(np.zeros(5, bool), score, score, entry=np.zeros(5)))


def test_missing_scores_are_no_number_and_wrong_shapes_are_refused():
    observed, score = np.array([True, False, True]), np.array([0.1, np.nan, 0.3])
    assert np.isnan([auc(observed, score), auprc(observed, score), c_index(observed, np.arange(3.0), score)]).all()
    with pytest.raises(DataError, match="one column per class"):
        auc_ovr(np.array([0, 1, 2]), np.zeros((3, 2)))
    with pytest.raises(DataError, match="one column per class"):
        log_loss(np.array([0, 1, 2]), np.zeros((2, 3)))
