"""A model judged over sites against the same measures of the pooled patients."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings, strategies as st
from scipy.special import expit
from statsmodels.duration.hazard_regression import PHReg

from medomicslab_nb.errors import DataError
from medomicslab_nb.evaluation.calibration import cox_slope, linear_calibration, logistic_calibration
from medomicslab_nb.evaluation.delong import delong, external_auc_interval
from medomicslab_nb.evaluation.endpoints import Endpoint
from medomicslab_nb.evaluation.intervals import bootstrap_discrimination, comparable_pairs, concordance
from medomicslab_nb.evaluation.metrics import auc, brier, c_index, r2
from medomicslab_nb.federated.messages import only
from medomicslab_nb.federated.patients import SitePatients
from medomicslab_nb.federated.tasks.evaluation import COLUMNS, evaluate, evaluate_step
from medomicslab_nb.federated.tasks.preparation import Preparation, prepared, standardise
from medomicslab_nb.federated.tasks.scoring import as_question, score
from tests.federated.tasks.conftest import at_site, drive

MODEL = {"model": "regression", "kind": "logistic", "intercept": -0.4, "coef": np.array([0.9, -0.3, 0.5])}
NEWTON = 1e-9  # two fits of the same sums


def hospitals(kind="binary", seed=0, sizes=(150, 90, 120), testing=0.5) -> dict[str, SitePatients]:
    """Sites with outcomes of a kind that the model predicts, not perfectly; gaps at some."""
    rng = np.random.default_rng(seed)
    sites = {}
    for number, n in enumerate(sizes):
        values = rng.normal(size=(n, 3)) + 0.4 * number
        linear = values @ [0.7, -0.2, 0.3] - 0.5
        death, end = np.ceil(rng.exponential(40 * np.exp(-linear))), np.ceil(rng.uniform(10, 120, n))
        outcome, time = {"binary": (rng.random(n) < expit(linear), None),
                         "survival": (death <= end, np.minimum(death, end)),
                         "continuous": (linear + rng.normal(size=n), None)}[kind]
        values[rng.random((n, 3)) < 0.1 * number] = np.nan
        sites["abc"[number]] = at_site(pd.DataFrame(values, columns=list("xyz")), outcome, time=time,
                                       testing=rng.random(n) < testing)
    return sites


def preparation_of(sites) -> Preparation:
    return drive(standardise(Preparation(("x", "y", "z"), {})), sites)


def pooled(sites, preparation, part="testing") -> tuple[Endpoint, np.ndarray, np.ndarray]:
    """Endpoint, scores and site of all patients of the part."""
    values = {**preparation.values(), "part": part}
    members = [one.testing_part if part == "testing" else one for one in sites.values()]
    n = [len(one) for one in members]
    endpoint = Endpoint("pooled", np.concatenate([one.endpoint.outcome for one in members]), pd.RangeIndex(sum(n)),
                        None if members[0].endpoint.time is None else
                        np.concatenate([one.endpoint.time for one in members]))
    return (endpoint, np.concatenate([score(MODEL, prepared(one, values, 1)) for one in sites.values()]),
            np.repeat(list(sites), n))


def test_classes():
    sites = hospitals()
    preparation = preparation_of(sites)
    found = drive(evaluate(preparation, MODEL), sites, minimum=5)
    assert found.measure == "AUC" and list(found.table.columns) == COLUMNS and found.notes == ()
    assert found.table["site"].tolist() == ["all", "a", "b", "c"]
    endpoint, scores, site = pooled(sites, preparation)
    probability = expit(scores)
    for name in "abc":
        rows, row = site == name, found.row(name)
        area = external_auc_interval(endpoint.event[rows], scores[rows])
        calibration = logistic_calibration(endpoint.event[rows], probability[rows])
        assert row["estimate"] == row["least"] == row["most"] == area.estimate
        assert row["standard_error"] == np.sqrt(delong(endpoint.event[rows], scores[rows])[1][0, 0])
        assert (row["lower"], row["upper"]) == (area.lower, area.upper)
        assert row["calibration_slope"] == calibration.slope.estimate
        assert row["calibration_intercept"] == calibration.intercept.estimate
        assert row["brier"] == pytest.approx(brier(endpoint.event[rows], probability[rows]), abs=1e-12)
        assert (row["patients"], row["events"]) == (rows.sum(), endpoint.event[rows].sum())
    row, calibration = found.row(), logistic_calibration(endpoint.event, probability)
    assert row["calibration_slope"] == pytest.approx(calibration.slope.estimate, abs=NEWTON)
    assert row["calibration_intercept"] == pytest.approx(calibration.intercept.estimate, abs=NEWTON)
    assert row["brier"] == pytest.approx(brier(endpoint.event, probability), abs=1e-12)
    assert row["observed_expected"] == pytest.approx(endpoint.events / probability.sum(), rel=1e-12)
    assert (row["patients"], row["events"]) == (len(endpoint), endpoint.events)
    exact = auc(endpoint.event, scores)
    assert row["least"] <= exact <= row["most"] and row["estimate"] == pytest.approx(exact, abs=0.01)
    assert row["lower"] < row["least"] and row["most"] < row["upper"]
    assert row["standard_error"] == pytest.approx(np.sqrt(delong(endpoint.event, scores)[1][0, 0]), rel=0.05)


@given(st.integers(0, 2**31), st.integers(1, 8), st.integers(2, 200), st.sampled_from(["testing", "all"]))
@settings(max_examples=30)
def test_the_auc_of_the_pooled_scores_is_within_the_limits(seed, minimum, bins, part):
    sites = hospitals(seed=seed, sizes=(70, 40, 50))
    preparation = preparation_of(sites)
    found = drive(evaluate(preparation, MODEL, bins, part, calibrate=False), sites, minimum)
    judged = {name: one for name, one in sites.items() if found.row(name)["patients"]}
    assume(judged)
    endpoint, scores, _ = pooled(judged, preparation, part)
    exact = auc(endpoint.event, scores)
    assert found.row()["least"] - 1e-9 <= exact <= found.row()["most"] + 1e-9
    assert found.row()["least"] - 1e-9 <= found.row()["estimate"] <= found.row()["most"] + 1e-9


@pytest.mark.parametrize("horizon", [None, 40.0])
def test_follow_up(horizon):
    sites = hospitals("survival")
    preparation = preparation_of(sites)
    found = drive(evaluate(preparation, MODEL, horizon=horizon), sites, minimum=5)
    endpoint, scores, site = pooled(sites, preparation)
    event, time = endpoint.event, endpoint.time
    if horizon is not None:
        event, time = event & (time <= horizon), np.minimum(time, horizon)
    assert found.measure == "C-index"
    for name in "abc":
        rows, row = site == name, found.row(name)
        assert row["estimate"] == pytest.approx(c_index(event[rows], time[rows], scores[rows]), abs=1e-7)
        slope = cox_slope(event[rows], time[rows], scores[rows])
        assert row["calibration_slope"] == pytest.approx(slope.estimate, abs=NEWTON)
        assert row["lower"] < row["estimate"] < row["upper"] and row["events"] == event[rows].sum()
        assert np.isnan(row["brier"]) and np.isnan(row["calibration_intercept"])
    row = found.row()
    comparable = comparable_pairs(event, time) & (site[:, None] == site)
    assert row["estimate"] == pytest.approx((comparable * concordance(scores)).sum() / comparable.sum(), abs=1e-7)
    stratified = PHReg(time, scores[:, None], status=event.astype(float), strata=site, ties="efron")
    slope = stratified.fit(method="newton", tol=1e-12, disp=0).params[0]
    assert row["calibration_slope"] == pytest.approx(slope, abs=NEWTON)
    assert row["standard_error"] < found.table["standard_error"][1:].min()


def test_numbers():
    sites = hospitals("continuous", sizes=(500, 400, 450))
    preparation = preparation_of(sites)
    found = drive(evaluate(preparation, MODEL), sites, minimum=5)
    endpoint, scores, site = pooled(sites, preparation)
    assert found.measure == "R2"
    for name, rows in [("all", site != ""), *((name, site == name) for name in "abc")]:
        row, calibration = found.row(name), linear_calibration(endpoint.outcome[rows], scores[rows])
        assert row["estimate"] == pytest.approx(r2(endpoint.outcome[rows], scores[rows]), abs=1e-10)
        assert row["calibration_slope"] == pytest.approx(calibration.slope.estimate, abs=1e-10)
        assert row["calibration_intercept"] == pytest.approx(calibration.intercept.estimate, abs=1e-10)
        interval = bootstrap_discrimination(endpoint.take(np.flatnonzero(rows)), scores[rows], draws=2000)
        assert row["upper"] - row["lower"] == pytest.approx(interval.upper - interval.lower, rel=0.1)
    assert found.row()["patients"] == len(endpoint)


def test_a_site_with_few_of_a_class_tells_nothing_and_is_named():
    sites = hospitals(sizes=(150, 90, 60))
    rows = np.flatnonzero(sites["c"].testing)
    outcome = np.ones(60, dtype=bool)
    outcome[rows[:3]] = False
    sites["c"] = replace(sites["c"], endpoint=replace(sites["c"].endpoint, outcome=outcome))
    preparation = preparation_of(sites)
    log = []
    found = drive(evaluate(preparation, MODEL), sites, minimum=5, log=log)
    told = [release for site, _, release in log if site == "c" and release.words.startswith("nothing but")]
    assert [set(release.values) for release in told] == [{"few"}]
    assert "c was not judged: it has fewer than 5 patients of one of the classes" in found.notes[0]
    assert found.row("c")["patients"] == 0 and np.isnan(found.row("c")["estimate"])
    assert {question.sites for _, question, _ in log if question.label != "Measures of each site"} == {("a", "b")}
    rest = drive(evaluate(preparation, MODEL), {name: sites[name] for name in "ab"}, minimum=5)
    pd.testing.assert_series_equal(found.row(), rest.row())


def test_one_site_is_all():
    sites = hospitals()
    preparation = preparation_of(sites)
    log = []
    found = drive(only(evaluate(preparation, MODEL), ("b",)), sites, minimum=5, log=log)
    assert len(log) == 1
    pd.testing.assert_series_equal(found.row().drop("site"), found.row("b").drop("site"), check_names=False)


def test_nobody_to_judge():
    sites = hospitals(testing=0.0)
    found = drive(evaluate(preparation_of(sites), MODEL), sites, minimum=1)
    assert found.measure == "" and len(found.notes) == 3 and found.row()["patients"] == 0
    assert "no patients to judge" in found.notes[0]


def test_without_calibration_there_are_two_questions():
    sites = hospitals()
    log = []
    found = drive(evaluate(preparation_of(sites), MODEL, calibrate=False), sites, log=log)
    assert len({question.label for _, question, _ in log}) == 2
    assert np.isnan(found.row()["calibration_slope"]) and found.row()["brier"] > 0


def test_a_slope_that_does_not_exist_leaves_the_intercept():
    sites = hospitals()
    preparation = preparation_of(sites)
    _, scores, site = pooled(sites, preparation, "all")
    apart = {name: replace(one, endpoint=replace(one.endpoint, outcome=scores[site == name] > 0))
             for name, one in sites.items()}
    found = drive(evaluate(preparation, MODEL, part="all"), apart)
    assert np.isnan(found.table["calibration_slope"]).all()
    expected = logistic_calibration(scores > 0, expit(scores)).intercept.estimate
    assert found.row()["calibration_intercept"] == pytest.approx(expected, abs=NEWTON)
    assert found.row()["most"] == pytest.approx(1)


def test_one_score_for_all_and_a_site_of_one_class():
    sites = hospitals()
    sites["b"] = replace(sites["b"], endpoint=replace(sites["b"].endpoint, outcome=np.zeros(90, dtype=bool)))
    found = drive(evaluate(preparation_of(sites), {**MODEL, "coef": np.zeros(3)}), sites, minimum=5)
    row = found.row()
    assert np.isnan(row["calibration_slope"]) and row["least"] < 0.5 < row["most"] and row["estimate"] == 0.5
    observed = row["events"] / row["patients"]
    assert row["calibration_intercept"] == pytest.approx(np.log(observed / (1 - observed)) + 0.4, abs=NEWTON)
    assert np.isnan(found.row("b")["estimate"]) and found.row("b")["patients"] > 0 and found.row("b")["events"] == 0


def test_no_score_leaves():
    sites = hospitals(sizes=(150, 90, 60))
    log = []
    drive(evaluate(preparation_of(sites), MODEL, bins=400), sites, minimum=5, log=log)
    for name, question, release in log:
        if question.step != "evaluate":
            continue
        n = int(sites[name].testing.sum())
        counts = {key: value for key, value in release.values.items() if key in ("cases", "others")}
        for values in counts.values():
            assert not ((values > 0) & (values < 5)).any()
        numbers = sum(np.size(value) for key, value in release.values.items() if not key.endswith("_ends"))
        assert counts or numbers <= 14
        assert release.patients == n and str(n) in release.words


def test_several_classes_are_refused():
    sites = hospitals()
    endpoint = replace(sites["a"].endpoint, outcome=np.arange(150) % 3, classes=("x", "y", "z"))
    values = {**preparation_of(sites).values(), **as_question(MODEL), "horizon": None}
    with pytest.raises(DataError, match="several classes"):
        evaluate_step(replace(sites["a"], endpoint=endpoint), values, 1)


def test_kinds_that_differ_between_sites_are_refused():
    sites = {**hospitals(), "c": hospitals("continuous")["c"]}
    with pytest.raises(DataError, match="binary and continuous at different sites"):
        drive(evaluate(preparation_of(hospitals()), MODEL), sites)
