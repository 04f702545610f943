"""Calibration bins against published intervals and simple Kaplan-Meier sums."""

from __future__ import annotations

import numpy as np
import pytest

from medomicslab_nb.evaluation.calibration import calibration_bins, observed_risk, survival_calibration_bins


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
    assert observed_risk(event, time, 0.5) == (0, 0, 0)
    assert np.isnan(observed_risk(event, time, 6)).all()


def test_survival_bins():
    rng = np.random.default_rng(0)
    risk = rng.uniform(0.1, 0.9, 2000)
    time = rng.exponential(-1 / np.log(1 - risk))
    bins = survival_calibration_bins(time < 2, np.minimum(time, 2), risk, 1.0)
    assert np.abs(bins["predicted"] - bins["observed"]).max() < 0.06
