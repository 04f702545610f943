"""Operating points counted by hand, and net benefit against its formula."""

from __future__ import annotations

from time import perf_counter

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.extra.numpy import arrays
from sksurv.nonparametric import cumulative_incidence_competing_risks, kaplan_meier_estimator

from medomicslab_nb.errors import DataError
from medomicslab_nb.evaluation.calibration import observed_risk
from medomicslab_nb.evaluation.decision import (
    absolute_risk,
    decision_curve,
    operating_point,
    survival_decision_curve,
    threshold_at_sensitivity,
    threshold_at_specificity,
    youden_threshold,
)


def test_operating_point_by_hand():
    observed = np.array([1, 1, 1, 0, 0, 0, 0], dtype=bool)
    score = np.array([0.9, 0.5, 0.1, 0.5, 0.2, 0.2, 0.1])
    table = operating_point(observed, score, 0.5).set_index("metric")
    assert table["estimate"].to_dict() == pytest.approx({"sensitivity": 2 / 3, "specificity": 3 / 4, "ppv": 2 / 3,
                                                         "npv": 3 / 4})
    assert table["n"].tolist() == [3, 4, 3, 4]
    assert ((table["lower"] < table["estimate"]) & (table["estimate"] < table["upper"])).all()


def test_operating_point_of_the_wilson_example():
    # 81 of 263: Wilson limits .2553 and .3662 (Newcombe, Stat Med 1998;17:857-872, table I).
    row = operating_point(np.ones(263, bool), np.arange(263) < 81, 1).set_index("metric").loc["sensitivity"]
    assert (row["lower"], row["upper"]) == pytest.approx((0.2553, 0.3662), abs=5e-5)


def test_bad_input_48_operating_point_of_one_class():
    table = operating_point(np.zeros(4, bool), np.zeros(4), 0.5).set_index("metric")
    assert table.loc[["sensitivity", "ppv"], ["estimate", "lower", "upper"]].isna().all(axis=None)
    assert table.loc["specificity", "estimate"] == 1
    assert np.isnan([threshold_at_sensitivity(np.zeros(4, bool), np.zeros(4), 0.9), youden_threshold(
        np.zeros(4, bool), np.zeros(4)), threshold_at_specificity(np.ones(4, bool), np.zeros(4), 0.9)]).all()
    with pytest.raises(DataError, match="missing"):
        operating_point(np.zeros(2, bool), np.array([0.1, np.nan]), 0.5)


@settings(max_examples=80)
@given(arrays(bool, 11), arrays(int, 11, elements=st.integers(0, 5)), st.sampled_from([0.5, 0.7, 0.8, 0.9, 1.0]))
def test_thresholds_reach_their_targets_and_no_other_does_better(observed, score, target):
    if observed.all() or not observed.any():
        return
    sensitivity = {t: (score[observed] >= t).mean() for t in np.unique(score)}
    specificity = {t: (score[~observed] < t).mean() for t in np.unique(score)}
    assert threshold_at_sensitivity(observed, score, target) == max(
        t for t, value in sensitivity.items() if value >= target - 1e-12)
    assert threshold_at_specificity(observed, score, target) == min(
        [t for t, value in specificity.items() if value >= target - 1e-12], default=np.inf)
    best = youden_threshold(observed, score)
    assert sensitivity[best] + specificity[best] == pytest.approx(max(
        sensitivity[t] + specificity[t] for t in sensitivity))


def test_net_benefit_by_hand():
    observed = np.array([1, 1, 0, 0, 0], dtype=bool)
    risk = np.array([0.8, 0.1, 0.6, 0.2, 0.1])
    table = decision_curve(observed, risk, thresholds=(0.2, 0.5)).pivot(
        index="threshold", columns="strategy", values="net_benefit")
    # At 0.2 one true and two false positives of five, at 0.5 one and one.
    assert table["model"].tolist() == pytest.approx([1 / 5 - 2 / 5 * 0.25, 1 / 5 - 1 / 5])
    assert table["treat all"].tolist() == pytest.approx([2 / 5 - 3 / 5 * 0.25, 2 / 5 - 3 / 5])
    assert table["treat none"].tolist() == [0, 0]


def test_band_is_the_loop_over_samples():
    rng = np.random.default_rng(0)
    observed, risk = rng.random(60) < 0.4, rng.random(60)
    table = decision_curve(observed, risk, thresholds=(0.3,), draws=300, seed=5).set_index("strategy")
    draws = np.random.default_rng(5).integers(60, size=(300, 60))
    values = [np.mean((risk[rows] >= 0.3) * np.where(observed[rows], 1, -0.3 / 0.7)) for rows in draws]
    assert table.loc["model", ["lower", "upper"]].tolist() == pytest.approx(list(np.quantile(values, [0.025, 0.975])))
    assert table.loc["treat none", ["lower", "upper"]].tolist() == [0, 0]


def survivors(n: int = 200):
    rng = np.random.default_rng(1)
    time, censoring = np.ceil(rng.exponential(10, n)), np.ceil(rng.uniform(2, 20, n))
    cause = np.where(time <= censoring, rng.choice([1, 2], n, p=[0.7, 0.3]), 0)
    return np.minimum(time, censoring), cause, rng.random(n)


def test_absolute_risk_is_that_of_other_estimators():
    time, cause, _ = survivors()
    times, incidence = cumulative_incidence_competing_risks(cause, time)
    found = absolute_risk(np.ones((1, 200)), time, cause, 8.0)
    assert found[0] == pytest.approx(incidence[1][np.searchsorted(times, 8.0, side="right") - 1], abs=1e-12)
    event = cause == 1
    assert absolute_risk(np.ones((1, 200)), time, event.astype(int), 8.0)[0] == pytest.approx(
        observed_risk(event, time, 8.0)[0])


def test_absolute_risk_with_weights_and_left_truncation():
    time, cause, _ = survivors(40)
    weights = np.random.default_rng(2).integers(0, 3, 40)
    rows, entry = np.repeat(np.arange(40), weights), np.floor(time * 0.4)
    event = cause > 0
    times, survival = kaplan_meier_estimator(event[rows], time[rows], time_enter=entry[rows])
    found = absolute_risk(weights[None, :].astype(float), time, event.astype(int), 8.0, entry=entry)
    assert found[0] == pytest.approx(1 - survival[np.searchsorted(times, 8.0, side="right") - 1])


def test_survival_net_benefit_is_vickers_formula():
    time, cause, risk = survivors()
    event = cause == 1
    table = survival_decision_curve(event, time, risk, 6.0, thresholds=(0.1, 0.4, 0.999))
    model = table[table["strategy"] == "model"]["net_benefit"].to_numpy()
    for value, threshold in zip(model, (0.1, 0.4), strict=False):
        positive = risk >= threshold
        share, seen = positive.mean(), observed_risk(event[positive], time[positive], 6.0)[0]
        assert value == pytest.approx(share * seen - share * (1 - seen) * threshold / (1 - threshold))
    assert model[2] == 0
    everybody = table[table["strategy"] == "treat all"]["net_benefit"].iloc[1]
    seen = observed_risk(event, time, 6.0)[0]
    assert everybody == pytest.approx(seen - (1 - seen) * 0.4 / 0.6)


def test_survival_net_benefit_without_censoring_is_the_binary_one():
    time, _, risk = survivors()
    binary = decision_curve(time <= 6, risk, draws=50)
    survival = survival_decision_curve(np.ones(200, bool), time, risk, 6.0, draws=50)
    columns = ["net_benefit", "lower", "upper"]
    assert survival[columns].to_numpy() == pytest.approx(binary[columns].to_numpy())


def test_competing_events_are_no_true_positives():
    time, cause, risk = survivors()
    alone = survival_decision_curve(cause == 1, time, risk, 6.0, thresholds=(0.3,))
    competing = survival_decision_curve(cause == 1, time, risk, 6.0, cause=cause, thresholds=(0.3,))
    assert competing["net_benefit"][0] < alone["net_benefit"][0]


def test_no_follow_up_to_the_horizon_is_no_number():
    table = survival_decision_curve(np.array([True, False]), np.array([1.0, 2.0]), np.array([0.5, 0.5]), 9.0,
                                    thresholds=(0.2, 0.7), draws=20)
    assert table["net_benefit"].isna().tolist() == [True, False, True, True, False, False]


def quickest(call) -> float:
    seconds = []
    for _ in range(5):
        start = perf_counter()
        call()
        seconds.append(perf_counter() - start)
    return min(seconds)


def test_a_curve_of_686_patients_is_fast():
    rng = np.random.default_rng(3)
    observed, risk, time = rng.random(686) < 0.4, rng.random(686), rng.exponential(size=686)
    assert quickest(lambda: decision_curve(observed, risk)) < 0.1
    assert quickest(lambda: survival_decision_curve(observed, time, risk, 0.5)) < 0.1


@pytest.mark.parametrize(("risk", "thresholds", "words"), [
    ([0.2, 1.4], (0.5,), "not between 0 and 1"),
    ([0.2, np.nan], (0.5,), "missing"),
    ([0.2], (0.5,), "one calibrated probability per patient"),
    ([0.2, 0.3], (0.0, 0.5), "thresholds"),
    ([0.2, 0.3], (), "thresholds"),
])
def test_what_is_no_risk_is_refused(risk, thresholds, words):
    with pytest.raises(DataError, match=words):
        decision_curve(np.array([True, False]), np.array(risk), thresholds=thresholds)
