"""Cox regression against statsmodels, scikit-survival, and likelihoods and incidences written out."""

from __future__ import annotations

from itertools import pairwise
from math import log

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize
from sksurv.linear_model import CoxPHSurvivalAnalysis
from sksurv.util import Surv
from statsmodels.duration.hazard_regression import PHReg

from medomicslab_nb.errors import DataError
from medomicslab_nb.evaluation.competing import aalen_johansen
from medomicslab_nb.evaluation.cox import CoxRegression, breslow_hazard, fit_cause_specific, incidence_at
from medomicslab_nb.evaluation.endpoints import Endpoint
from medomicslab_nb.evaluation.metrics import c_index


def patients(n=120, columns=3, seed=0, step=0.25):
    """X, time (tied: in steps), event, entry and strata; entry in steps that never equal an event time."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, columns)) * [1, 5, 0.2][:columns] + [0, 60, 3][:columns]
    risk = (X - X.mean(0)) / X.std(0) @ [0.7, -0.4, 0.2][:columns]
    # Steps of a binary fraction: shifted times tie exactly as the times do.
    time = np.ceil(rng.exponential(5 * np.exp(-risk)) / step) * step + 0.5
    entry = np.floor(rng.uniform(0, 0.6, n) * time / step) * step + 0.0625
    return X, time, rng.random(n) < 0.7, np.where(entry < time, entry, 0.0), rng.integers(0, 3, n)


def partial_likelihood(coef, X, time, event, entry, strata, ties):
    """Log partial likelihood by its definition, event time by event time."""
    linear, total = X @ coef, 0.0
    for stratum in np.unique(strata):
        for t in np.unique(time[event & (strata == stratum)]):
            at_risk = (strata == stratum) & (entry < t) & (time >= t)
            dying = at_risk & event & (time == t)
            count = dying.sum()
            for k in range(count):
                share = k / count if ties == "efron" else 0.0
                total -= np.log(np.exp(linear[at_risk]).sum() - share * np.exp(linear[dying]).sum())
            total += linear[dying].sum()
    return total


@pytest.mark.parametrize("ties", ["efron", "breslow"])
@pytest.mark.parametrize("truncated", [False, True])
@pytest.mark.parametrize("stratified", [False, True])
def test_equal_to_statsmodels(ties, truncated, stratified):
    X, time, event, entry, strata = patients()
    entry, strata = entry if truncated else None, strata if stratified else None
    model = CoxRegression(ties).fit(X, time, event, entry, strata)
    expected = PHReg(time, X - X.mean(0), status=event, entry=entry, strata=strata, ties=ties).fit()
    np.testing.assert_allclose(model.coef_, expected.params, atol=1e-6)
    np.testing.assert_allclose(model.standard_errors_, expected.bse, atol=1e-6)
    assert model.log_likelihood_ == pytest.approx(expected.llf, abs=1e-6)


@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_maximises_the_partial_likelihood_written_out(ties):
    X, time, event, entry, strata = patients(n=60, columns=2)
    entry = np.floor(entry)  # entries at event times
    X = (X - X.mean(0)) / X.std(0)
    best = minimize(lambda coef: -partial_likelihood(coef, X, time, event, entry, strata, ties), np.zeros(2),
                    method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-12, "maxfev": 2000})
    model = CoxRegression(ties).fit(X, time, event, entry, strata)
    np.testing.assert_allclose(model.coef_, best.x, atol=1e-6)
    assert model.log_likelihood_ == pytest.approx(-best.fun, abs=1e-9)


def test_a_likelihood_solved_by_hand():
    # Times 1, 2, 3 without censoring, x = 1, 0, 1. With h = exp(coef) the likelihood is h / (2 h + 1) * 1 / (1 + h),
    # whose maximum is at h = 1 / sqrt(2), where it is 1 / (3 + 2 sqrt(2)).
    model = CoxRegression().fit(np.array([[1.0], [0], [1]]), np.array([1.0, 2, 3]), np.array([True] * 3))
    assert model.coef_[0] == pytest.approx(-log(2) / 2, abs=1e-9)
    assert model.log_likelihood_ == pytest.approx(-log(3 + 2 * 2**0.5), abs=1e-12)


def test_tied_events_by_hand():
    # Both events at time 1, x = 1 and 0; one more patient, x = 0, followed to 2; risk set h + 2.
    # Breslow: h / (h + 2)^2, maximum at h = 2. Efron: h / ((h + 2) (h + 2 - (h + 1) / 2)), maximum at h = sqrt(6).
    X, time, event = np.array([[1.0], [0], [0]]), np.array([1.0, 1, 2]), np.array([True, True, False])
    assert CoxRegression("breslow").fit(X, time, event).coef_[0] == pytest.approx(log(2), abs=1e-9)
    assert CoxRegression("efron").fit(X, time, event).coef_[0] == pytest.approx(log(6) / 2, abs=1e-9)


@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_a_patient_split_in_two_rows_counts_once(ties):
    X, time, event, entry, strata = patients()
    whole = CoxRegression(ties).fit(X, time, event, entry, strata)
    # Some are cut at the time of an event of others, where statsmodels alone would count both rows.
    for cut in (np.full(len(time), 2.5), entry + 0.5 * (time - entry)):
        rows = np.flatnonzero((entry < cut) & (cut < time))
        kept = np.setdiff1d(np.arange(len(time)), rows)
        assert len(rows) > 40
        parts = np.concatenate([kept, rows, rows])
        split = CoxRegression(ties).fit(
            X[parts], np.concatenate([time[kept], cut[rows], time[rows]]),
            np.concatenate([event[kept], np.zeros(len(rows), bool), event[rows]]),
            np.concatenate([entry[kept], entry[rows], cut[rows]]), strata[parts])
        np.testing.assert_allclose(split.coef_, whole.coef_, atol=1e-10)
        np.testing.assert_allclose(split.standard_errors_, whole.standard_errors_, atol=1e-10)
        grid = np.linspace(0, time[strata == 1].max(), 9)
        scale = np.exp((whole.centre_ - split.centre_) @ whole.coef_)
        np.testing.assert_allclose(split.cumulative_hazard(grid, "1") * scale, whole.cumulative_hazard(grid, "1"))


def test_strata_multiply_likelihoods():
    X, time, event, entry, strata = patients()
    model = CoxRegression().fit(X, time, event, entry, strata)
    coefs = model.coef_[None, :]
    alone = sum(float(PHReg(time[rows], X[rows] - model.centre_, status=event[rows], entry=entry[rows],
                            ties="efron").loglike(coefs[0])) for rows in (strata == value for value in range(3)))
    assert model.log_likelihood_ == pytest.approx(alone, abs=1e-9)


def test_only_the_order_of_times_matters():
    X, time, event, entry, _ = patients()
    model = CoxRegression().fit(X, time, event, entry)
    shifted = CoxRegression().fit(X, time - 1000, event, entry - 1000)
    np.testing.assert_array_equal(model.coef_, shifted.coef_)


def test_ridge_is_that_of_scikit_survival():
    rng = np.random.default_rng(1)
    X, time, event, _, _ = patients(n=40)
    X = np.column_stack([(X - X.mean(0)) / X.std(0), rng.normal(size=(40, 60))])
    expected = CoxPHSurvivalAnalysis(alpha=5.0, ties="efron", tol=1e-12).fit(X, Surv.from_arrays(event, time))
    np.testing.assert_allclose(CoxRegression(alpha=5.0).fit(X, time, event).coef_, expected.coef_, atol=1e-6)


def test_baseline_hazard_by_hand():
    # Without effects: 1/3 at 2 and 1/2 at 3 with three and two at risk.
    time, event = np.array([2.0, 3, 4]), np.array([True, True, False])
    times, hazard = breslow_hazard(time, event, np.zeros(3))
    assert times.tolist() == [2, 3]
    np.testing.assert_allclose(hazard, [1 / 3, 1 / 3 + 1 / 2])
    # Who enters at 2 or later is not at risk at 2.
    np.testing.assert_allclose(breslow_hazard(time, event, np.zeros(3), np.array([0.0, 1, 2]))[1], [1 / 2, 1])
    # Weights: twice the hazard of the second patient.
    np.testing.assert_allclose(breslow_hazard(time, event, np.log([1, 2, 1]))[1], [1 / 4, 1 / 4 + 1 / 3])


def test_risk_is_that_of_scikit_survival():
    X, time, event, _, _ = patients()
    model = CoxRegression("breslow").fit(X, time, event)
    reference = CoxPHSurvivalAnalysis(ties="breslow", tol=1e-12).fit(X - X.mean(0), Surv.from_arrays(event, time))
    at = np.array([1.0, 2.5, 6])
    expected = np.array([1 - curve(at) for curve in reference.predict_survival_function(X - X.mean(0))])
    np.testing.assert_allclose(model.risk_at(X, at), expected, atol=1e-6)
    assert np.isnan(model.risk_at(X, [time.max() + 1])).all()
    assert (model.risk_at(X, [0.0]) == 0).all()


def test_risk_by_stratum_and_table():
    X, time, event, entry, strata = patients(n=300)
    frame = pd.DataFrame(X, columns=["age", "dose", "stage"])
    labels = np.array(["a", "b", "c"])[strata]
    model = CoxRegression().fit(frame, time, event, entry, labels)
    risk = model.risk_at(frame, [3.0], labels)
    for label in "abc":
        rows = labels == label
        expected = 1 - np.exp(-model.cumulative_hazard([3.0], label) * np.exp(model.predict(frame))[rows])
        np.testing.assert_allclose(risk[rows, 0], expected)
    assert model.table()["column"].tolist() == ["age", "dose", "stage"]
    np.testing.assert_allclose(np.sqrt(model.table()["lower"] * model.table()["upper"]), np.exp(model.coef_))
    # Columns are found by name.
    np.testing.assert_allclose(model.predict(frame[["stage", "age", "dose"]]), model.predict(frame))
    with pytest.raises(DataError, match="stratum was not there"):
        model.risk_at(frame, [3.0], ["d"] * 300)


@pytest.mark.parametrize(("change", "words"), [
    ("no_event", "no patient had the event"), ("few", "too few for 3"), ("gap", "missing or infinite"),
    ("constant", "constant or follow.*x1"), ("copy", "follow from each other: x0, x1"), ("late", "1 patients enter"),
    ("time", "times are missing"), ("separated", "x2 grows without end"), ("rare", "x2 grows without end"),
    ("within", "constant or follow.*x2")])
def test_named_faults(change, words):
    X, time, event, entry, strata = patients()
    if change == "no_event":
        event = np.zeros(len(event), dtype=bool)
    elif change == "few":
        event = np.arange(len(event)) < 3
    elif change == "gap":
        X[4, 1] = np.nan
    elif change == "constant":
        X[:, 1] = 0.1
    elif change == "copy":
        X[:, 1] = 3 * X[:, 0] - 2
    elif change == "late":
        entry[3] = time[3]
    elif change == "time":
        time[0] = np.nan
    elif change == "separated":
        X[:, 2] = -time  # who dies is always the one with the highest value at risk
    elif change == "rare":
        X[:, 2] = np.arange(len(time)) < 6
        event[:6] = False
    else:
        X[:, 2] = strata  # varies between strata only
    with pytest.raises(DataError, match=words):
        CoxRegression().fit(X, time, event, entry, strata)


def test_a_strong_effect_is_not_called_separation():
    rng = np.random.default_rng(0)
    x = rng.normal(size=2000)
    time = rng.exponential(np.exp(-4 * x))
    model = CoxRegression().fit(x[:, None], time, np.ones(2000, bool))
    assert model.coef_[0] == pytest.approx(4, abs=0.3)


def test_ridge_where_there_is_no_other_answer():
    X, time, event, entry, strata = patients()
    X = np.column_stack([X[:, 0], X[:, 0], -time, np.ones(len(time))])
    model = CoxRegression(alpha=1.0).fit(X, time, event, entry, strata)
    assert model.coef_[0] == pytest.approx(model.coef_[1])
    assert 0 < model.coef_[2] < 20
    assert model.coef_[3] == 0


def competing(n=2500, seed=3):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 2))
    first, second = rng.exponential(np.exp(-0.8 * X[:, 0])), rng.exponential(2 * np.exp(-0.5 * X[:, 1]))
    end = rng.uniform(0.5, 3, n)
    time = np.minimum(np.minimum(first, second), end)
    cause = np.where(end == time, 0, np.where(first == time, 1, 2))
    return X, Endpoint("relapse", cause == 1, pd.RangeIndex(n), time, cause=cause, causes=("relapse", "death"))


def test_cause_specific_models_recover_the_truth():
    X, endpoint = competing()
    models = fit_cause_specific(X, endpoint)
    assert list(models) == ["relapse", "death"]
    np.testing.assert_allclose(models["relapse"].coef_, [0.8, 0], atol=0.1)
    np.testing.assert_allclose(models["death"].coef_, [0, 0.5], atol=0.1)
    expected = PHReg(endpoint.time, X, status=endpoint.cause == 2, ties="efron").fit().params
    np.testing.assert_allclose(models["death"].coef_, expected, atol=1e-6)
    # The true incidence of constant hazards.
    patient = np.array([[1.0, -1.0]])
    a, b, t = np.exp(0.8), np.exp(-0.5) / 2, 1.0
    incidence = incidence_at(models, patient, [t])
    assert incidence["relapse"][0, 0] == pytest.approx(a / (a + b) * (1 - np.exp(-(a + b) * t)), abs=0.03)
    assert incidence["death"][0, 0] == pytest.approx(b / (a + b) * (1 - np.exp(-(a + b) * t)), abs=0.03)


def test_incidence_is_the_product_integral():
    X, endpoint = competing(n=80)
    models, at = fit_cause_specific(X, endpoint), 1.2
    patient = X[:1]
    grid = np.unique(endpoint.time[endpoint.cause > 0])
    grid = grid[grid <= at]
    hazards = np.stack([model.cumulative_hazard(np.concatenate([[0.0], grid])) * np.exp(model.predict(patient))
                        for model in models.values()])
    state, parts = np.array([1.0, 0.0, 0.0]), 2000
    for before, after in pairwise(hazards.T):
        step = (after - before) / parts
        move = np.array([[1 - step.sum(), *step], [0, 1, 0], [0, 0, 1]])
        state = state @ np.linalg.matrix_power(move, parts)
    incidence = incidence_at(models, patient, [at, endpoint.time.max() + 1])
    np.testing.assert_allclose([incidence[name][0, 0] for name in models], state[1:], atol=1e-4)
    assert np.isnan(incidence["relapse"][0, 1])


def test_incidence_adds_up_and_is_the_risk_with_one_cause():
    X, endpoint = competing(n=300)
    at = [0.3, 1.0, 2.0]
    models = fit_cause_specific(X, endpoint)
    total = sum(incidence_at(models, X, at).values())
    free = np.exp(-sum(np.exp(model.predict(X))[:, None] * model.cumulative_hazard(at) for model in models.values()))
    np.testing.assert_allclose(total, 1 - free)
    np.testing.assert_allclose(incidence_at({"relapse": models["relapse"]}, X, at)["relapse"],
                               models["relapse"].risk_at(X, at))
    # The mean over patients is near Aalen and Johansen's estimate.
    curve = aalen_johansen(endpoint.time, endpoint.cause)
    assert incidence_at(models, X, [1.0])["relapse"].mean() == pytest.approx(curve.at(1.0)[0], abs=0.02)


def test_cause_specific_with_strata_and_entry():
    X, time, event, entry, strata = patients(n=300)
    cause = np.where(event, 1 + (np.arange(300) % 3 == 0), 0)
    endpoint = Endpoint("os", cause == 1, pd.RangeIndex(300), time, entry=entry, cause=cause, causes=("a", "b"))
    models = fit_cause_specific(X, endpoint, strata=strata)
    expected = PHReg(time, X - X.mean(0), status=cause == 2, entry=entry, strata=strata, ties="efron").fit().params
    np.testing.assert_allclose(models["b"].coef_, expected, atol=1e-6)
    values = incidence_at(models, X, [2.0], strata)["a"]
    assert values.shape == (300, 1)
    assert np.isfinite(values).all()
    with pytest.raises(DataError, match="cause b"):
        fit_cause_specific(X, Endpoint("os", event, pd.RangeIndex(300), time, cause=event.astype(int),
                                       causes=("a", "b")))


def test_kept_as_skops():
    from skops.io import dumps, get_untrusted_types, loads

    X, time, event, entry, strata = patients()
    model = CoxRegression().fit(X, time, event, entry, strata)
    stored = dumps(model)
    assert get_untrusted_types(data=stored) == ["medomicslab_nb.evaluation.cox.CoxRegression"]
    again = loads(stored, trusted=["medomicslab_nb.evaluation.cox.CoxRegression"])
    np.testing.assert_array_equal(again.risk_at(X, [2.0], strata), model.risk_at(X, [2.0], strata))


# Where the datasets lie in the files, which are uncompressed: first byte and columns of x, e and t.
DEEPSURV = {
    "metabric_IHC4_clinical_train_test.h5": {
        "columns": 9, "train": (1523, 2144, 59020, 65112), "test": (381, 71204, 86968, 88492)},
    "gbsg_cancer_train_test.h5": {
        "columns": 7, "train": (1546, 2144, 47480, 53664), "test": (686, 59848, 81104, 83848)},
}


@pytest.mark.realdata
@pytest.mark.parametrize(("name", "published"), [
    ("metabric_IHC4_clinical_train_test.h5", 0.632), ("gbsg_cancer_train_test.h5", 0.656)])
def test_concordance_on_fixed_splits(real_data, name, published):
    parts = {}
    for part in ("train", "test"):
        n, *starts = DEEPSURV[name][part]
        data = (real_data / "deepsurv" / name).read_bytes()
        X, event, time = (np.frombuffer(data, kind, n * width, start) for kind, width, start in zip(
            ("<f4", "<i4", "<f4"), (DEEPSURV[name]["columns"], 1, 1), starts, strict=True))
        parts[part] = X.reshape(n, -1).astype(float), time.astype(float), event == 1
    X, time, event = parts["test"]
    score = CoxRegression().fit(*parts["train"]).predict(X)
    assert c_index(event, time, score) == pytest.approx(published, abs=0.003)
