"""Checks that data and models stages share."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score
from sksurv.metrics import concordance_index_censored

from medomicslab_nb.evaluation.checks import (
    after_index_date,
    disguised_predictors,
    endpoint_faults,
    impossible_zeros,
)

N = 120


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(1)


def named(found) -> dict[str, str]:
    return {disguise.column: disguise.measure for disguise in found}


def test_bad_input_49_binary_outcome_in_disguise(rng):
    outcome = pd.Series(rng.random(N) < 0.3)
    predictors = pd.DataFrame({
        "noise": rng.normal(size=N), "copy": outcome.astype(float), "reversed": -2.0 * outcome + rng.normal(0, 0.01, N),
        "words": np.where(outcome, "dead", "alive"), "cause": np.where(outcome, 3.0, np.nan),
        "identifier": [f"x{i}" for i in range(N)], "fair": outcome + rng.normal(0, 0.8, N)})
    assert named(disguised_predictors(predictors, outcome=outcome)) == {
        "copy": "auc", "reversed": "auc", "words": "recoding", "cause": "filled in"}


def test_bad_input_49_threshold_is_the_auc_of_scikit_learn(rng):
    outcome = pd.Series(rng.random(N) < 0.5)
    values = outcome * 2.0 + rng.normal(0, 0.45, N)
    auc = roc_auc_score(outcome, values)
    predictors = values.to_frame("x")
    (found,) = disguised_predictors(predictors, outcome=outcome, threshold=auc - 1e-9)
    assert found.value == pytest.approx(auc, abs=1e-12)
    assert not disguised_predictors(predictors, outcome=outcome, threshold=auc + 1e-9)


def test_bad_input_49_survival_outcome_in_disguise(rng):
    time, event = pd.Series(rng.exponential(1000, N)), pd.Series(rng.random(N) < 0.4)
    predictors = pd.DataFrame({"noise": rng.normal(size=N), "time_months": time / 30.4, "risk": -np.log(time),
                               "dead": event.astype(int)})
    assert named(disguised_predictors(predictors, time=time, event=event)) == {
        "time_months": "concordance", "risk": "concordance", "dead": "auc"}


def test_bad_input_49_concordance_is_that_of_scikit_survival(rng):
    time, event = pd.Series(rng.exponential(1000, N)), pd.Series(rng.random(N) < 0.6)
    values = -np.log(time) + rng.normal(0, 0.03, N)
    expected = concordance_index_censored(event.to_numpy(), time.to_numpy(), values.to_numpy())[0]
    (found,) = disguised_predictors(values.to_frame("x"), time=time, event=event, threshold=0.95)
    assert found.value == pytest.approx(expected, abs=1e-12)


def test_bad_input_49_continuous_outcome_in_disguise(rng):
    outcome = pd.Series(rng.normal(size=N))
    predictors = pd.DataFrame({"cube": outcome**3, "noise": rng.normal(size=N)})
    assert named(disguised_predictors(predictors, outcome=outcome)) == {"cube": "correlation"}


def test_bad_input_49_several_classes(rng):
    outcome = pd.Series(rng.choice(["A", "B", "C"], N))
    predictors = pd.DataFrame({"code": outcome.map({"A": 1, "B": 2, "C": 3}), "noise": rng.normal(size=N)})
    assert "code" in named(disguised_predictors(predictors, outcome=outcome))
    assert "noise" not in named(disguised_predictors(predictors, outcome=outcome))


def test_a_few_patients_separated_by_chance_are_not_a_disguise(rng):
    outcome = pd.Series([True] * 3 + [False] * 12)
    predictors = pd.DataFrame(rng.normal(size=(15, 5_000)), columns=[f"G{i}" for i in range(5_000)])
    assert disguised_predictors(predictors, outcome=outcome) == []


def test_missing_values_and_missing_outcomes_are_left_out(rng):
    outcome = pd.Series(np.where(rng.random(N) < 0.1, np.nan, (rng.random(N) < 0.5).astype(float)))
    values = outcome.where(rng.random(N) > 0.2)
    (found,) = disguised_predictors(values.to_frame("x"), outcome=outcome)
    assert found.n == int((values.notna() & outcome.notna()).sum())


def test_an_outcome_or_time_and_event_are_needed():
    with pytest.raises(ValueError, match="outcome"):
        disguised_predictors(pd.DataFrame({"x": [1.0]}))


def test_bad_input_92_dates_after_the_index_date():
    dates = pd.to_datetime(["2021-01-01", "2021-06-01", "2021-06-01 10:00", None, "2021-01-01"], format="mixed")
    dates = pd.Series(dates, index=["a", "a", "b", "b", "c"])
    index_dates = pd.Series(pd.to_datetime(["2021-03-01", "2021-06-01"]), index=["a", "b"])
    assert after_index_date(dates, index_dates).tolist() == [False, True, False, False, False]


@pytest.mark.parametrize(("name", "values", "count"), [
    ("chol", [0, 0, 210, 250], 2),
    ("serumCholesterol", [0.0, 210], 1),
    ("age_years", [0, 61], 1),
    ("blood pressure", [0, 120], 1),
    ("SBP", [0, 120], 1),
    ("stage", [0, 1, 2], 0),
    ("image", [0, 1, 2], 0),
    ("lymph_nodes", [0, 0, 1, 2, 5, 3, 4, 6, 7, 8, 9, 10, 11], 0),
    ("marker", [0, 0, *range(200, 240)], 2),
    ("marker", [0, *range(200, 240)], 0),
    ("change", [0, 0, *range(-20, 0), *range(200, 220)], 0),
    ("words", ["a", "b"], 0),
])
def test_bad_input_91_impossible_zeros(name, values, count):
    assert impossible_zeros(pd.Series(values, name=name)) == count


@pytest.mark.parametrize(("faulty", "words"), [
    ({"outcome": pd.Series([1, 1, None], name="y")}, "one class only"),
    ({"outcome": pd.Series([None, None], dtype=float, name="y")}, "no value at all"),
    ({"time": pd.Series([-1.0, 5.0], name="t"), "event": pd.Series([True, False], name="e")}, "negative in 1"),
    ({"time": pd.Series([np.inf, 5.0], name="t"), "event": pd.Series([True, False], name="e")}, "infinite in 1"),
])
def test_bad_input_48_unusable_outcomes(faulty, words):
    (fault,) = endpoint_faults(**faulty)
    assert words in fault


def test_a_usable_outcome_has_no_faults():
    assert endpoint_faults(time=pd.Series([0.0, 5.0, np.nan]), event=pd.Series([True, False, True])) == []


def test_bad_input_49_disguises_with_a_few_exceptions_are_found(rng):
    outcome = pd.Series(np.arange(200) % 2 == 0)
    words = pd.Series(np.where(outcome, "dead", "alive"))
    words[1] = "dead"
    cause = pd.Series(np.where(outcome, 3.0, np.nan))
    cause[1] = 1.0
    predictors = pd.DataFrame({"words": words, "cause": cause, "site": rng.choice(list("ABC"), 200)})
    assert named(disguised_predictors(predictors, outcome=outcome)) == {"words": "recoding", "cause": "filled in"}
    words[3:33:2] = "dead"
    assert named(disguised_predictors(words.to_frame("words"), outcome=outcome)) == {}


def test_rare_cases_in_categories_of_their_own_are_no_disguise():
    outcome = pd.Series(np.isin(np.arange(1000), [0, 500]))
    centre = pd.Series([f"c{i // 10}" for i in range(1000)])
    assert disguised_predictors(centre.to_frame("centre"), outcome=outcome) == []
