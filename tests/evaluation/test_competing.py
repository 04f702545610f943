"""Curves against statsmodels, scikit-survival, sums by hand and each other."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.extra.numpy import arrays
from sksurv.nonparametric import cumulative_incidence_competing_risks
from statsmodels.duration.survfunc import CumIncidenceRight, SurvfuncRight

from medomicslab_nb.errors import DataError
from medomicslab_nb.evaluation import calibration
from medomicslab_nb.evaluation.competing import aalen_johansen, incidence_table, kaplan_meier
from medomicslab_nb.evaluation.endpoints import Endpoint


def patients(n=200, seed=0, step=0.25):
    """Tied times, causes 0 to 2, and entries, some of them at event times."""
    rng = np.random.default_rng(seed)
    time = np.ceil(rng.exponential(3, n) / step) * step + 1
    entry = np.floor(rng.uniform(0, 0.7, n) * time / step) * step
    return time, rng.choice([0, 1, 2], n, p=[0.3, 0.4, 0.3]), np.where(entry < time, entry, 0.0)


@pytest.mark.parametrize("which", [1, 2])
def test_incidence_and_error_of_statsmodels(which):
    time, cause, _ = patients()
    cause[time == time.max()] = 0  # where statsmodels' variance is 0 / 0
    reference = CumIncidenceRight(time, cause)
    curve = aalen_johansen(time, cause, which=which)
    kept = np.isin(reference.times, curve.times)
    np.testing.assert_allclose(curve.estimate, reference.cinc[which - 1][kept], atol=1e-6)
    np.testing.assert_allclose(curve.standard_error, reference.cinc_se[which - 1][kept], atol=1e-6)


def test_limits_of_scikit_survival():
    time, cause, _ = patients()
    cause[time == time.max()] = 0
    times, incidence, limits = cumulative_incidence_competing_risks(cause, time, conf_type="log-log",
                                                                    var_type="Dinse_Approx")
    curve = aalen_johansen(time, cause)
    kept = np.isin(times, curve.times)
    np.testing.assert_allclose(curve.estimate, incidence[1][kept], atol=1e-9)
    np.testing.assert_allclose(curve.lower, limits[1][0][kept], atol=1e-9)
    np.testing.assert_allclose(curve.upper, limits[1][1][kept], atol=1e-9)


def test_incidence_by_hand():
    # Five patients: relapse at 1, death at 2, censored at 3, relapse at 4, censored at 5.
    time, cause = np.array([1.0, 2, 3, 4, 5]), np.array([1, 2, 0, 1, 0])
    curve = aalen_johansen(time, cause)
    assert curve.times.tolist() == [1, 2, 4]
    assert curve.at_risk.tolist() == [5, 4, 2]
    np.testing.assert_allclose(curve.estimate, [1 / 5, 1 / 5, 1 / 5 + 3 / 5 * 1 / 2])
    # At time 1 it is a share of five: variance .2 * .8 / 5, limits .2 ** exp(+-1.96 se / (.2 log .2)).
    error = (0.2 * 0.8 / 5) ** 0.5
    assert curve.standard_error[0] == pytest.approx(error)
    power = np.exp(1.959964 * error / (0.2 * np.log(0.2)))
    assert curve.at(1.5) == pytest.approx((0.2, 0.2 ** (1 / power), 0.2**power), abs=1e-6)
    assert aalen_johansen(time, cause, which=2).at(4) == pytest.approx(
        (0.2, *aalen_johansen(time, cause, which=2).at(4)[1:]))
    assert curve.at(0.5) == (0, 0, 0)
    assert np.isnan(curve.at(6)).all()


def test_left_truncation_by_hand():
    # Entries 0, 0, 1, 2: the third is not at risk at 1, the fourth not at 2.
    time, cause, entry = np.array([1.0, 2, 3, 4]), np.array([1, 2, 1, 0]), np.array([0.0, 0, 1, 2])
    curve = aalen_johansen(time, cause, entry)
    assert curve.at_risk.tolist() == [2, 2, 2]
    np.testing.assert_allclose(curve.estimate, [1 / 2, 1 / 2, 1 / 2 + 1 / 4 * 1 / 2])
    np.testing.assert_allclose(kaplan_meier(time, cause > 0, entry).estimate, [1 / 2, 1 / 4, 1 / 8])


@settings(max_examples=50)
@given(arrays(int, 25, elements=st.integers(1, 8)), arrays(int, 25, elements=st.integers(0, 2)),
       arrays(int, 25, elements=st.integers(0, 6)))
def test_truncated_incidence_written_out(time, cause, entry):
    time, entry = time.astype(float), np.minimum(entry, time - 1).astype(float)
    free, incidence, expected = 1.0, 0.0, []
    for t in np.unique(time[cause > 0]):
        n = int(((entry < t) & (time >= t)).sum())
        incidence += free * ((time == t) & (cause == 1)).sum() / n
        free *= 1 - ((time == t) & (cause > 0)).sum() / n
        expected.append((incidence, free))
    found = list(zip(aalen_johansen(time, cause, entry).estimate, kaplan_meier(time, cause > 0, entry).estimate,
                     strict=True))
    np.testing.assert_allclose(np.array(found).reshape(-1, 2), np.array(expected).reshape(-1, 2), atol=1e-12)


def test_one_cause_is_one_minus_kaplan_meier():
    time, cause, entry = patients()
    event = cause > 0
    incidence, survival = aalen_johansen(time, event.astype(int), entry), kaplan_meier(time, event, entry)
    np.testing.assert_allclose(incidence.estimate, 1 - survival.estimate, atol=1e-12)
    alive = survival.estimate > 0
    np.testing.assert_allclose(incidence.standard_error[alive], survival.standard_error[alive], atol=1e-9)


def test_incidences_and_survival_add_up():
    time, cause, entry = patients()
    total = sum(aalen_johansen(time, cause, entry, which=which).estimate for which in (1, 2))
    np.testing.assert_allclose(total + kaplan_meier(time, cause > 0, entry).estimate, 1)


def test_kaplan_meier_of_statsmodels_and_of_the_calibration():
    time, cause, entry = patients()
    reference = SurvfuncRight(time, cause > 0, entry=entry)
    curve = kaplan_meier(time, cause > 0, entry)
    np.testing.assert_allclose(curve.estimate, reference.surv_prob, atol=1e-12)
    alive = reference.surv_prob > 0
    np.testing.assert_allclose(curve.standard_error[alive], reference.surv_prob_se[alive], atol=1e-12)
    times, survival, limits = calibration.kaplan_meier(cause > 0, time)
    curve = kaplan_meier(time, cause > 0)
    kept = np.isin(times, curve.times) & (survival > 0)
    np.testing.assert_allclose(curve.estimate[curve.estimate > 0], survival[kept])
    np.testing.assert_allclose([curve.lower[curve.estimate > 0], curve.upper[curve.estimate > 0]], limits[:, kept])


def test_coverage_of_the_limits():
    rng = np.random.default_rng(0)
    covered, truth = 0, 0.5 * (1 - np.exp(-2 * 0.5))
    for _ in range(400):
        event, end = rng.exponential(0.5, 100), rng.uniform(0.2, 2, 100)
        cause = np.where(event <= end, rng.integers(1, 3, 100), 0)
        _, lower, upper = aalen_johansen(np.minimum(event, end), cause).at(0.5)
        covered += lower <= truth <= upper
    assert covered / 400 == pytest.approx(0.95, abs=0.035)


def test_where_there_is_little():
    none = aalen_johansen(np.array([1.0, 2]), np.array([0, 0]))
    assert none.at(1.5) == (0, 0, 0)
    one = kaplan_meier(np.array([2.0]), np.array([True]))
    assert one.at(2)[0] == 0
    assert np.isnan(one.at(2)[1:]).all()
    # Another cause alone: none of this one yet.
    assert aalen_johansen(np.array([1.0, 2]), np.array([2, 0])).at(1) == (0, 0, 0)
    with pytest.raises(DataError, match="no patients"):
        kaplan_meier(np.array([]), np.array([], dtype=bool))
    with pytest.raises(DataError, match="missing"):
        kaplan_meier(np.array([np.nan]), np.array([True]))
    with pytest.raises(DataError, match="1 patients enter"):
        kaplan_meier(np.array([1.0, 2]), np.array([True, True]), np.array([0.0, 2]))


def test_table_of_an_endpoint():
    time, cause, entry = patients()
    endpoint = Endpoint("relapse", cause == 1, pd.RangeIndex(200), time, entry=entry, cause=cause,
                        causes=("relapse", "death"))
    table = incidence_table(endpoint, [2.0, 4.0, 1000.0])
    assert table["cause"].tolist() == ["relapse"] * 3 + ["death"] * 3
    row = table.iloc[1]
    assert row["at_risk"] == ((entry < 4) & (time >= 4)).sum()
    assert row["events"] == ((cause == 1) & (time <= 4)).sum()
    assert row["incidence"] == aalen_johansen(time, cause, entry).at(4)[0]
    assert table["incidence"].isna().tolist() == [False, False, True] * 2
    single = incidence_table(Endpoint("os", cause == 1, pd.RangeIndex(200), time), [2.0])
    assert single["cause"].tolist() == ["os"]
