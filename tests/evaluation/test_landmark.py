"""Landmark: who is still at risk, and which values were known by then."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from medomicslab_nb.errors import DataError
from medomicslab_nb.evaluation.endpoints import binary_endpoint, survival_endpoint
from medomicslab_nb.evaluation.landmark import days_since, known_by, landmark

IDS = pd.Index(list("abcdefgh"), name="patient")
TIME = [10, 10, 20, 20, 20.5, 30, 40, 50]
CAUSE = [1, 0, 1, 2, 0, 1, 2, 0]
ENTRY = [0, 0, 0, 0, 20, 20.5, 15, 35]


def endpoint(**options):
    series = {name: pd.Series(values, index=IDS, dtype=float)
              for name, values in (("time", TIME), ("cause", CAUSE), ("entry", ENTRY))}
    optional = {name: series[name] for name in options.get("use", ())}
    event = pd.Series([cause == 1 for cause in CAUSE], index=IDS)
    return survival_endpoint("os", series["time"], event, unit="months", **optional)


def test_patients_at_risk_are_kept_and_time_restarts():
    later = landmark(endpoint(), 20)
    assert list(later.patients) == list("efgh")
    assert later.time.tolist() == [0.5, 10, 20, 30]
    assert later.event.tolist() == [False, True, False, False]
    assert later.notes[-1] == (
        "Time is counted from the landmark 20 months, at which 4 of 8 patients are at risk: 2 had the event by then, "
        "2 had the end of their follow-up by then.")


def test_competing_events_and_late_entry():
    with pytest.raises(DataError, match="has the event after"):  # f comes under observation at 20.5
        landmark(endpoint(use=("cause", "entry")), 20)
    with_event = landmark(endpoint(use=("cause", "entry")), 20.5)
    assert list(with_event.patients) == ["f", "g"]
    assert (with_event.time.tolist(), with_event.cause.tolist()) == ([9.5, 19.5], [1, 2])
    assert with_event.entry is None
    assert "2 had the event by then, 1 had a competing event by then, 2 had the end" in with_event.notes[-1]
    assert "1 came under observation later" in with_event.notes[-1]


def test_landmark_0_keeps_who_is_followed_at_all():
    later = landmark(endpoint(), 0)
    assert later.time.tolist() == TIME
    assert later.notes[-1].endswith("8 of 8 patients are at risk.")


@pytest.mark.parametrize(("at", "words"), [(-1, "no time after the anchor"), (np.nan, "no time after"),
                                           (np.inf, "no time after"), (50, "at risk at the landmark 50 months"),
                                           (35, "has the event after the landmark 35 months")])
def test_bad_input_48_landmarks_that_leave_nothing(at, words):
    with pytest.raises(DataError, match=words):
        landmark(endpoint(), at)


def test_a_landmark_needs_follow_up():
    response = binary_endpoint("response", pd.Series([0, 1, 0, 1], index=IDS[:4]))
    with pytest.raises(DataError, match="needs an outcome with follow-up"):
        landmark(response, 1)


def test_the_estimate_from_the_landmark_is_the_conditional_one():
    """Kaplan-Meier from the landmark is S(t) / S(landmark) of all patients."""
    from sksurv.nonparametric import kaplan_meier_estimator

    rng = np.random.default_rng(3)
    ids = pd.Index([f"P{i:03d}" for i in range(200)])
    whole = survival_endpoint("os", pd.Series(rng.exponential(10, 200).round(1), index=ids),
                              pd.Series(rng.random(200) < 0.6, index=ids))
    later = landmark(whole, 5)
    times, survival = kaplan_meier_estimator(whole.event, whole.time)
    at = survival[np.searchsorted(times, 5, side="right") - 1]
    later_times, later_survival = kaplan_meier_estimator(later.event, later.time)
    np.testing.assert_allclose(later_survival, survival[times > 5] / at, rtol=1e-12)
    np.testing.assert_allclose(later_times, times[times > 5] - 5, rtol=1e-12)


def test_bad_input_92_values_after_the_landmark_are_not_known():
    index = pd.Series(pd.to_datetime(["2020-01-01", "2020-02-01", None]), index=list("abc"))
    texts = ["2019-12-01", "2020-01-31 23:00", "2020-02-01", "2020-03-03", None, "2020-01-01"]
    dates = pd.Series(pd.to_datetime(texts, format="ISO8601"), index=list("aaabbc"))
    assert known_by(dates, index, 30).tolist() == [True, True, False, False, False, False]
    assert known_by(dates, index, 31).tolist() == [True, True, True, True, False, False]
    assert known_by(dates, index).tolist() == [True, False, False, False, False, False]
    assert known_by(dates, index, 1, unit="months").tolist() == [True, True, False, False, False, False]
    np.testing.assert_array_equal(days_since(dates, index), [-31, 30, 31, 31, np.nan, np.nan])


def test_units_of_time_that_are_not_known_are_refused():
    dates = pd.Series(pd.to_datetime(["2020-01-01"]), index=["a"])
    with pytest.raises(DataError, match="unit 'weeks'"):
        known_by(dates, dates, 1, unit="weeks")
