"""Weighted survival measures against scikit-survival's, and the truth without censoring."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score
from sksurv.metrics import brier_score, concordance_index_ipcw, cumulative_dynamic_auc, integrated_brier_score
from sksurv.util import Surv

from medomicslab_nb.errors import DataError
from medomicslab_nb.evaluation.endpoints import Endpoint
from medomicslab_nb.evaluation.metrics import c_index
from medomicslab_nb.evaluation.survival_metrics import (
    brier_by_time,
    evaluation_times,
    integrated_brier,
    supported_until,
    time_dependent_auc,
    uno_c,
)

DRAWS = 100


def cohort(n: int, seed: int, *, longest: float = 4.0, digits: int = 2):
    """Censored survival with ties, a score and the risk by time that goes with it."""
    rng = np.random.default_rng(seed)
    score = np.round(rng.normal(size=n), 1)
    time, censoring = rng.exponential(2 * np.exp(-0.8 * score)), rng.uniform(0.2, longest, n)
    seen = np.round(np.maximum(np.minimum(time, censoring), 0.01), digits)
    return Endpoint("os", time <= censoring, pd.RangeIndex(n), seen, "years"), score


def risk_by(score, times) -> np.ndarray:
    return 1 - np.exp(-np.asarray(times)[None, :] / 2 * np.exp(0.8 * score)[:, None])


def surv(endpoint: Endpoint):
    return Surv.from_arrays(endpoint.event, endpoint.time)


@pytest.fixture
def data():
    train, _ = cohort(300, 0)
    test, score = cohort(150, 1)
    return train, test, score


def test_uno_c_is_scikit_survivals(data):
    train, test, score = data
    found = uno_c(train, test, score, tau=2.5, draws=DRAWS)
    assert found.interval.estimate == pytest.approx(
        concordance_index_ipcw(surv(train), surv(test), score, tau=2.5)[0])
    assert found.interval.lower < found.interval.estimate < found.interval.upper
    assert (found.until, found.reason) == (2.5, "")


def test_uno_c_up_to_all_that_is_known(data):
    train, test, score = data
    found = uno_c(train, test, score, draws=DRAWS)
    assert found.interval.estimate == pytest.approx(concordance_index_ipcw(surv(train), surv(test), score)[0])
    short = train.take(np.flatnonzero(train.time < 2))
    limited = uno_c(short, test, score, draws=DRAWS)
    assert limited.until <= supported_until(short)
    just_after = float(np.nextafter(limited.until, np.inf))
    assert limited.interval.estimate == pytest.approx(
        concordance_index_ipcw(surv(short), surv(test), score, tau=just_after)[0])


def test_without_censoring_uno_is_harrell(data):
    _, test, score = data
    complete = replace(test, outcome=np.ones(len(test), bool))
    assert uno_c(complete, complete, score, draws=DRAWS).interval.estimate == pytest.approx(
        c_index(complete.event, complete.time, score))


def test_auc_by_time_is_scikit_survivals(data):
    train, test, score = data
    times = [0.5, 1.0, 2.0, 3.0]
    expected, _ = cumulative_dynamic_auc(surv(train), surv(test), score, times)
    table = time_dependent_auc(train, test, score, times, draws=DRAWS)
    assert table["estimate"].to_numpy() == pytest.approx(expected)
    assert ((table["lower"] < table["estimate"]) & (table["estimate"] < table["upper"])).all()
    assert table["cases"].is_monotonic_increasing
    changing = risk_by(score, times) + np.linspace(0, 0.2, 4) * score[:, None]
    expected, _ = cumulative_dynamic_auc(surv(train), surv(test), changing, times)
    table = time_dependent_auc(train, test, changing, times, draws=DRAWS)
    assert table["estimate"].to_numpy() == pytest.approx(expected)


def test_brier_by_time_is_scikit_survivals(data):
    train, test, score = data
    times = [0.5, 1.0, 2.0, 3.0]
    table = brier_by_time(train, test, risk_by(score, times), times, draws=DRAWS)
    _, expected = brier_score(surv(train), surv(test), 1 - risk_by(score, times), times)
    assert table["estimate"].to_numpy() == pytest.approx(expected)
    # The right model is better than the same risk for all.
    assert (table["estimate"] < table["reference"]).all()
    assert ((table["lower"] < table["estimate"]) & (table["estimate"] < table["upper"])).all()


def test_integrated_brier_is_scikit_survivals(data):
    train, test, score = data
    times = evaluation_times(train, test)
    found = integrated_brier(train, test, risk_by(score, times), times, draws=DRAWS)
    assert found.interval.estimate == pytest.approx(
        integrated_brier_score(surv(train), surv(test), 1 - risk_by(score, times), times))
    assert (found.until, found.reason) == (times[-1], "")


def test_unweighted_without_censoring(data):
    _, test, score = data
    complete = replace(test, outcome=np.ones(len(test), bool))
    row = time_dependent_auc(complete, complete, score, [1.0], draws=DRAWS).iloc[0]
    assert row["estimate"] == pytest.approx(roc_auc_score(complete.time <= 1, score))
    risk = risk_by(score, [1.0])
    row = brier_by_time(complete, complete, risk, [1.0], draws=DRAWS).iloc[0]
    assert row["estimate"] == pytest.approx(np.mean((risk[:, 0] - (complete.time <= 1)) ** 2))
    share = np.mean(complete.time <= 1)
    assert row["reference"] == pytest.approx(share * (1 - share))


def test_weights_undo_censoring():
    complete, score = cohort(6000, 2, longest=1e6)
    rng = np.random.default_rng(3)
    censoring = rng.uniform(0.1, 5, 6000)
    censored = replace(complete, outcome=complete.event & (complete.time <= censoring),
                       time=np.minimum(complete.time, censoring))
    times = [1.0, 2.0]
    truth = [roc_auc_score(complete.time <= t, score) for t in times]
    assert time_dependent_auc(censored, censored, score, times, draws=2)["estimate"].to_numpy() == pytest.approx(
        truth, abs=0.015)
    risk = risk_by(score, times)
    truth = [np.mean((risk[:, k] - (complete.time <= t)) ** 2) for k, t in enumerate(times)]
    assert brier_by_time(censored, censored, risk, times, draws=2)["estimate"].to_numpy() == pytest.approx(
        truth, abs=0.006)


def test_competing_events_are_controls():
    rng = np.random.default_rng(4)
    n, score = 5000, rng.normal(size=5000)
    time = rng.exponential(1, n)
    cause = np.where(rng.random(n) < 1 / (1 + np.exp(-score)), 1, 2)
    censoring = rng.uniform(0, 3, n)
    seen = np.where(time <= censoring, cause, 0)
    endpoint = Endpoint("relapse", seen == 1, pd.RangeIndex(n), np.minimum(time, censoring), cause=seen,
                        causes=("relapse", "death"))
    relapsed = (cause == 1) & (time <= 1)
    row = time_dependent_auc(endpoint, endpoint, score, [1.0], draws=2).iloc[0]
    assert row["estimate"] == pytest.approx(roc_auc_score(relapsed, score), abs=0.015)
    risk = (1 - np.exp(-1)) / (1 + np.exp(-score))
    row = brier_by_time(endpoint, endpoint, risk[:, None], [1.0], draws=2).iloc[0]
    assert row["estimate"] == pytest.approx(np.mean((risk - relapsed) ** 2), abs=0.01)
    assert row["reference"] == pytest.approx(relapsed.mean() * (1 - relapsed.mean()), abs=0.01)
    assert "competing" in uno_c(endpoint, endpoint, score).reason


def test_follow_up_beyond_the_training_is_said_in_words(data):
    train, test, score = data
    short = train.take(np.flatnonzero(train.time < 1.5))
    times = [0.5, 1.0, 2.0, 9.0]
    table = time_dependent_auc(short, test, score, times, draws=DRAWS)
    assert table["estimate"].isna().tolist() == [False, False, True, True]
    assert table["reason"].str.contains("training patients were followed to 1.4").tolist() == [False, False, True, True]
    beyond = brier_by_time(train, test.take(np.flatnonzero(test.time < 1.5)), risk_by(score[test.time < 1.5], [2.0]),
                           [2.0])
    assert "these patients were followed to 1.4" in beyond["reason"][0]
    assert np.isnan(beyond["reference"][0])
    found = integrated_brier(short, test, risk_by(score, times), times)
    assert np.isnan(found.interval.estimate)
    assert "training patients" in found.reason
    assert "training patients" in uno_c(short, test, score, tau=3.0).reason
    assert len(evaluation_times(train.take(np.flatnonzero(train.time < 0.1)), test)) == 0


def test_bad_input_48_no_event_no_case_no_control(data):
    train, test, score = data
    nobody = replace(test, outcome=np.zeros(len(test), bool))
    assert "no event" in uno_c(train, nobody, score).reason
    row = time_dependent_auc(train, nobody, score, [1.0]).iloc[0]
    assert np.isnan(row["estimate"])
    assert "nobody had the event" in row["reason"]
    assert len(evaluation_times(train, nobody)) == 0
    none = train.take(np.empty(0, int))
    assert uno_c(train, none, np.empty(0)).reason == "no patients"
    assert uno_c(train, test.take(np.array([0])), score[:1]).reason in ("no comparable pair",
                                                                        "no event within the training patients' "
                                                                        "follow-up")
    late = replace(test, entry=np.zeros(len(test)))
    assert "left truncation" in uno_c(train, late, score).reason
    assert "left truncation" in time_dependent_auc(train, late, score, [1.0])["reason"][0]


def test_before_the_first_event(data):
    train, test, score = data
    row = time_dependent_auc(train, test, score, [0.001]).iloc[0]
    assert "nobody had the event" in row["reason"]
    assert brier_by_time(train, test, risk_by(score, [0.001]), [0.001], draws=5)["estimate"][0] < 1e-4


def test_what_does_not_fit_is_refused(data):
    train, test, score = data
    with pytest.raises(DataError, match="no follow-up"):
        uno_c(train, Endpoint("y", test.event, test.patients), score)
    with pytest.raises(DataError, match="shape"):
        brier_by_time(train, test, risk_by(score, [1.0]), [1.0, 2.0])
    with pytest.raises(DataError, match="must increase"):
        integrated_brier(train, test, risk_by(score, [2.0, 1.0]), [2.0, 1.0])
    with pytest.raises(DataError, match="missing"):
        time_dependent_auc(train, test, np.full(len(test), np.nan), [1.0])
