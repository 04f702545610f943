"""Calibration bins against published intervals and simple Kaplan-Meier sums."""

from __future__ import annotations

from time import perf_counter

import numpy as np
import pytest
from scipy import stats
from scipy.special import expit, softmax
from statsmodels.discrete.discrete_model import Logit
from statsmodels.duration.hazard_regression import PHReg
from statsmodels.stats.proportion import proportion_confint

from medomicslab_nb.evaluation import calibration
from medomicslab_nb.evaluation.calibration import (
    calibration_bins,
    class_calibration,
    cox_slope,
    linear_calibration,
    logistic_calibration,
    observed_risk,
    survival_calibration,
    survival_calibration_bins,
)
from medomicslab_nb.evaluation.competing import aalen_johansen


@pytest.mark.parametrize("latest", [0.5, 2.0])
def test_the_true_model_is_calibrated_however_late_patients_enter(latest):
    """Kaplan-Meier's risk, of those who never could enter too, would be 1.1 to 1.3 times the mean of the risks."""
    rng = np.random.default_rng(0)
    n = 20_000
    rate = 0.5 * np.exp(rng.normal(size=n))
    died, entry = rng.exponential(1 / rate), rng.uniform(0, latest, n)
    end = entry + rng.uniform(0.5, 3, n)
    kept = died > entry
    time, event, risk = np.minimum(died, end)[kept], (died <= end)[kept], -np.expm1(-rate[kept])
    found = survival_calibration(event, time, np.log(rate[kept]), risk, 1.0, entry=entry[kept])
    assert found.slope.estimate == pytest.approx(1, abs=0.03)
    assert found.ratio.estimate == pytest.approx(1, abs=0.03) and found.ratio.lower < 1 < found.ratio.upper
    assert observed_risk(event, time, 1.0, entry=entry[kept])[0] / risk.mean() > 1.08
    half = survival_calibration(event, time, np.log(rate[kept]), risk / 2, 1.0, entry=entry[kept])
    assert half.ratio.estimate > 1.8


def test_late_entry_at_zero_for_all_is_close_to_kaplan_meier():
    rng = np.random.default_rng(1)
    rate = 0.5 * np.exp(rng.normal(size=5000) / 2)
    died, end = rng.exponential(1 / rate), rng.uniform(1, 3, 5000)
    time, event, risk = np.minimum(died, end), died <= end, -np.expm1(-rate)
    late = survival_calibration(event, time, np.log(rate), risk, 1.0, entry=np.zeros(5000)).ratio
    plain = survival_calibration(event, time, np.log(rate), risk, 1.0).ratio
    assert late.estimate == pytest.approx(plain.estimate, abs=0.02)
    assert (late.lower, late.upper) == pytest.approx((plain.lower, plain.upper), abs=0.02)


def test_wilson_interval_of_a_published_example():
    # 81 of 263: Wilson limits .2553 and .3662 (Newcombe, Stat Med 1998;17:857-872, table I).
    observed = np.arange(263) < 81
    row = calibration_bins(observed, np.full(263, 0.3)).iloc[0]
    assert (row["lower"], row["upper"]) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert row["n"] == 263


def test_bins_hold_everybody_and_follow_the_prediction():
    rng = np.random.default_rng(0)
    probability = rng.random(1000)
    bins = calibration_bins(rng.random(1000) < probability, probability)
    assert bins["n"].sum() == 1000
    assert bins["bin"].tolist() == list(range(1, 11))
    assert np.abs(bins["predicted"] - bins["observed"]).max() < 0.12


def test_observed_risk_by_hand():
    # Events at 1 and 3 of five patients, one censored at 2: survival 4/5 * 2/3.
    time, event = np.array([1.0, 2, 3, 4, 5]), np.array([True, False, True, False, False])
    risk, lower, upper = observed_risk(event, time, 3.5)
    assert risk == pytest.approx(1 - 4 / 5 * 2 / 3)
    assert lower < risk < upper
    assert np.isnan(observed_risk(event, time, 6)).all()


def test_risk_without_an_event_has_the_upper_limit_of_clopper_and_pearson():
    time, event = np.array([0.2, 1.0, 2, 3, 4, 5]), np.array([False, True, False, True, False, False])
    exact = {n: proportion_confint(0, n, method="beta") for n in (4, 5, 6)}
    assert observed_risk(event, time, 0.5) == pytest.approx((0, *exact[5]))  # one was censored before
    assert observed_risk(event, time, 0.5, cause=np.array([2, 1, 0, 1, 0, 0])) == pytest.approx((0, *exact[6]))
    assert observed_risk(event, time, 0.5, entry=np.array([0, 0, 0, 0, 0, 0.7])) == pytest.approx((0, *exact[4]))
    assert observed_risk(np.zeros(6, dtype=bool), time, 4.5)[2] == pytest.approx(0.975)


def test_survival_bins():
    rng = np.random.default_rng(0)
    risk = rng.uniform(0.1, 0.9, 2000)
    time = rng.exponential(-1 / np.log(1 - risk))
    bins = survival_calibration_bins(time < 2, np.minimum(time, 2), risk, 1.0)
    assert np.abs(bins["predicted"] - bins["observed"]).max() < 0.06


def test_logistic_limits_are_those_of_another_fit():
    rng = np.random.default_rng(1)
    position = rng.normal(size=300)
    observed = rng.random(300) < expit(0.3 + 0.6 * position)
    found = logistic_calibration(observed, expit(position), confidence=0.9)
    other = Logit(observed.astype(float), np.column_stack([np.ones(300), position])).fit(disp=0)
    assert (found.slope.lower, found.slope.upper) == pytest.approx(tuple(other.conf_int(0.1)[1]), abs=1e-6)
    assert found.slope.p == pytest.approx(2 * stats.norm.sf(abs(other.params[1] - 1) / other.bse[1]), abs=1e-6)
    assert found.intercept.lower < found.intercept.estimate < found.intercept.upper


def test_classes_against_the_rest():
    rng = np.random.default_rng(2)
    score = rng.normal(size=(3000, 3))
    probability = softmax(score, axis=1)
    outcome = (rng.random(3000)[:, None] > np.cumsum(probability, axis=1)).sum(axis=1)
    table = class_calibration(outcome, np.column_stack([probability, np.full(3000, 0.1)]), ("a", "b", "c", "nobody"))
    assert table["events"].tolist() == [*np.bincount(outcome), 0]
    assert (table["slope"][:3] - 1).abs().max() < 0.15
    assert table.loc[3, ["slope", "intercept", "slope_lower"]].isna().all()


def test_linear_calibration_is_a_regression():
    rng = np.random.default_rng(3)
    predicted = rng.normal(1e4, 3, size=40)
    outcome = 2 + 0.5 * (predicted - 1e4) + 1e4 + rng.normal(size=40)
    found, line = linear_calibration(outcome, predicted), stats.linregress(predicted, outcome)
    assert found.slope.estimate == pytest.approx(line.slope)
    width = stats.t.ppf(0.975, 38) * line.stderr
    assert (found.slope.lower, found.slope.upper) == pytest.approx((line.slope - width, line.slope + width))
    t_test = stats.ttest_1samp(outcome - predicted, 0)
    assert (found.intercept.estimate, found.intercept.p) == pytest.approx(
        ((outcome - predicted).mean(), t_test.pvalue))
    assert found.intercept.lower == pytest.approx(t_test.confidence_interval(0.95).low)


def survivors(n: int = 400):
    rng = np.random.default_rng(4)
    score = rng.normal(size=n)
    time, censoring = rng.exponential(np.exp(-0.7 * score)), rng.uniform(0, 3, n)
    return time <= censoring, np.minimum(time, censoring), score


def test_cox_slope_is_that_of_statsmodels_whatever_the_scale():
    event, time, score = survivors()
    other = PHReg(time, score[:, None], status=event.astype(int), ties="efron").fit()
    for scale, shift in ((1, 0), (1e3, 50), (1e-3, -9)):
        found = cox_slope(event, time, score * scale + shift)
        assert found.estimate * scale == pytest.approx(other.params[0], rel=1e-6)
        assert found.upper * scale == pytest.approx(other.conf_int()[0][1], rel=1e-6)


@pytest.mark.parametrize("digits", [0, 1, 6])
def test_cox_slope_with_ties_and_left_truncation_is_that_of_statsmodels(digits):
    event, time, score = survivors(150)
    time = np.ceil(time * 10**digits)
    # PHReg has a patient who enters at an event's time at risk; R's survival and we do not.
    entry = np.floor(time * np.random.default_rng(5).random(150))
    late = PHReg(time, score[:, None], status=event.astype(int), entry=entry + 0.5, ties="efron").fit()
    found = cox_slope(event, time, score, entry=entry)
    assert found.estimate == pytest.approx(late.params[0], rel=1e-6)
    assert found.lower == pytest.approx(late.conf_int()[0][0], rel=1e-5)
    tied = PHReg(time, score[:, None], status=event.astype(int), ties="efron").fit()
    assert cox_slope(event, time, score).estimate == pytest.approx(tied.params[0], rel=1e-6)


def test_cox_slope_of_10_000_patients_is_fast():
    event, time, score = survivors(10_000)
    start = perf_counter()
    cox_slope(event, time, score)
    assert perf_counter() - start < 1


def test_survival_calibration_of_a_right_and_a_wrong_model():
    event, time, score = survivors(4000)
    risk = 1 - np.exp(-np.exp(0.7 * score))
    found = survival_calibration(event, time, 0.7 * score, risk, 1.0)
    assert found.slope.estimate == pytest.approx(1, abs=0.07)
    assert found.slope.lower < 1 < found.slope.upper
    assert found.ratio.lower < 1 < found.ratio.upper
    half = survival_calibration(event, time, 1.4 * score, risk / 2, 1.0)
    assert half.slope.estimate == pytest.approx(found.slope.estimate / 2)
    assert half.ratio.estimate == pytest.approx(2 * found.ratio.estimate)
    assert np.isnan(survival_calibration(event, time, score, risk, 99.0).ratio.estimate)


def test_observed_risk_with_left_truncation_by_hand():
    # At 2: one event among those who entered before (three); at 4: one of two.
    time, event = np.array([2.0, 4, 5, 6]), np.array([True, True, False, False])
    entry = np.array([0.0, 1, 3, 1])
    assert observed_risk(event, time, 4.5, entry=entry)[0] == pytest.approx(1 - 2 / 3 * 2 / 3)


def test_slopes_that_do_not_exist():
    time, event = np.arange(1.0, 9), np.ones(8, bool)
    assert np.isnan(cox_slope(event, time, -time).estimate)
    assert np.isnan(cox_slope(event, time, np.zeros(8)).estimate)
    assert np.isnan(cox_slope(~event, time, time).estimate)
    assert np.isnan(linear_calibration(np.ones(2), np.ones(2)).intercept.estimate)
    flat = linear_calibration(np.arange(4.0), np.full(4, 1.0))
    assert np.isnan(flat.slope.estimate)
    assert flat.intercept.estimate == pytest.approx(0.5)


def test_observed_risk_with_competing_events_is_the_cumulative_incidence():
    rng = np.random.default_rng(3)
    time, cause = rng.exponential(size=200).round(2) + 0.01, rng.choice([0, 1, 2], 200)
    found = calibration.observed_risk(cause == 1, time, 0.8, cause=cause)
    assert found == aalen_johansen(time, cause).at(0.8)
    assert found[0] < calibration.observed_risk(cause == 1, time, 0.8)[0]
    bins = calibration.survival_calibration_bins(cause == 1, time, rng.random(200), 0.8, cause=cause, bins=1)
    assert bins[["observed", "lower", "upper"]].iloc[0].tolist() == list(found)


def test_calibration_in_the_large_of_confident_and_wrong_probabilities() -> None:
    """statsmodels' steps overflow there, and end at no answer."""
    rng = np.random.default_rng(4)
    observed = rng.random(60) < 0.5
    probability = np.where(rng.random(60) < 0.5, 1e-9, 1 - 1e-9)
    found = logistic_calibration(observed, probability).intercept
    position = np.log(np.clip(probability, 1e-6, 1 - 1e-6) / (1 - np.clip(probability, 1e-6, 1 - 1e-6)))
    assert (1 / (1 + np.exp(-(position + found.estimate)))).sum() == pytest.approx(observed.sum(), abs=1e-6)
    assert found.lower < found.estimate < found.upper
