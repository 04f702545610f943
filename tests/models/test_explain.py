"""SHAP values of whole models add up, column by column, and their tables say what they hold."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from medomicslab_nb.evaluation.endpoints import Endpoint
from medomicslab_nb.models.default import DEFAULT
from medomicslab_nb.models.explain import (
    OTHERS,
    Estimation,
    Labels,
    Predictors,
    block_table,
    bootstrap_mean_abs,
    explain_risk,
    explain_score,
    explanation_tables,
    importance_table,
    patient_table,
    risk_table,
    top_features,
)
from medomicslab_nb.models.fitting import FitOptions, Patients, fit_models
from medomicslab_nb.models.learners import trees
from medomicslab_nb.models.risk_model import RiskModel
from medomicslab_nb.models.shap_values import Attribution
from medomicslab_nb.progress import Event, Progress

KINDS = ("binary", "multiclass", "continuous", "survival")
QUICK = Estimation(permutations=6)


@pytest.fixture(autouse=True)
def few_trees(monkeypatch):
    monkeypatch.setattr(trees, "TREES", 20)


def patients(kind: str, n: int = 90) -> Patients:
    """Two blocks; the second is missing in a fifth of the patients, and single values are."""
    rng = np.random.default_rng(0)
    index = pd.Index([f"{i:03d}" for i in range(n)], name="patient")
    frame = pd.DataFrame({"age": rng.normal(60, 9, n), "marker": rng.lognormal(size=n),
                          "stage": rng.choice(["I", "II", "III"], n), "g0": rng.normal(size=n),
                          "g1": rng.normal(size=n), "g2": rng.normal(size=n)}, index=index)
    frame["stage"] = frame["stage"].astype(object)
    risk = (frame["age"] - 60) / 9 + (frame["stage"] == "III") * 1.5 + frame["g0"]
    frame.loc[rng.random(n) < 0.2, "marker"] = np.nan
    frame.loc[rng.random(n) < 0.1, "stage"] = None
    frame.loc[rng.random(n) < 0.2, ["g0", "g1", "g2"]] = np.nan
    noisy = (risk + rng.logistic(size=n)).to_numpy()
    if kind == "survival":
        time = np.ceil(rng.exponential(900 * np.exp(-risk.to_numpy())))
        endpoint = Endpoint(kind, time <= 1500, index, np.minimum(time, 1500.0))
    elif kind == "multiclass":
        endpoint = Endpoint(kind, np.digitize(noisy, np.quantile(noisy, [0.3, 0.7])), index, classes=("a", "b", "c"))
    else:
        endpoint = Endpoint(kind, noisy > 0 if kind == "binary" else noisy, index)
    return Patients(frame, endpoint, {"clinical": ("age", "marker", "stage"), "genes": ("g0", "g1", "g2")}, ("stage",))


LABELS = Labels("clinical + genes", dict.fromkeys(("age", "marker", "stage"), "clinical")
                | dict.fromkeys(("g0", "g1", "g2"), "genes"), ("stage",), ("a", "b", "c"))


def model_of(who: Patients, learner: str = DEFAULT, fusion: str = "late") -> RiskModel:
    return fit_models(who, {"all": ("clinical", "genes")}, [learner],
                      FitOptions(fusion=fusion, inner_folds=3))["all", learner]


@pytest.fixture(scope="module", params=KINDS)
def fitted(request):
    who = patients(request.param)
    return who, model_of(who)


def test_the_values_add_up_to_the_score(fitted):
    who, model = fitted
    found = explain_score(model, Predictors(who.frame))
    assert found.values.shape[:2] == who.frame.shape
    assert found.base + found.values.sum(axis=1) == pytest.approx(model.score(who.frame), abs=1e-5)
    assert not found.error.any()
    assert "exact" in found.method


def test_new_patients_are_explained_one_by_one(fitted):
    who, model = fitted
    together = explain_score(model, Predictors(who.frame))
    alone = explain_score(model, Predictors(who.frame.iloc[[5]]))
    assert alone.values[0] == pytest.approx(together.values[5], abs=1e-6)
    assert alone.base == pytest.approx(together.base, abs=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_a_learner_without_exact_values_is_explained_by_permutations(kind):
    who = patients(kind)
    model = model_of(who, "svm")
    events: list[Event] = []
    found = explain_score(model, Predictors(who.frame), estimation=Estimation(8, progress=Progress([events.append])))
    assert found.base + found.values.sum(axis=1) == pytest.approx(model.score(who.frame), abs=1e-5)
    if kind != "survival":  # whose support vector machine is linear
        assert "8 permutations" in found.method
        assert found.error.any()
        assert {event.task for event in events} == {"permutation SHAP"}


def test_a_patient_without_a_block_gets_what_lacking_it_adds_less_the_block_s_base():
    who = patients("binary")
    model = model_of(who, "ridge")
    found = explain_score(model, Predictors(who.frame))
    absent = who.frame[["g0", "g1", "g2"]].isna().all(axis=1).to_numpy()
    genes = next(part for part in model.parts if part.block == "genes")
    base = float(genes.score_prepared(np.zeros((1, len(genes.preparation.columns_))))[0])
    assert absent.any()
    assert found.values[absent][:, 3:].sum(axis=1) == pytest.approx(genes.absent - base, abs=1e-9)
    assert np.ptp(found.values[absent][:, 3:]) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("learner", [DEFAULT, "boosting"])
def test_patients_who_all_lack_a_block_are_explained(learner):
    who = patients("binary")
    model = model_of(who, learner)
    frame = who.frame.iloc[:4].assign(g0=np.nan, g1=np.nan, g2=np.nan)
    found = explain_score(model, Predictors(frame))
    assert found.base + found.values.sum(axis=1) == pytest.approx(model.score(frame), abs=1e-5)
    assert found.base == pytest.approx(explain_score(model, Predictors(who.frame)).base, abs=1e-9)


def test_linear_values_are_the_closed_form():
    who = patients("binary")
    model = model_of(who, "ridge", "early")
    found = explain_score(model, Predictors(who.frame))
    moved = who.frame.assign(age=who.frame["age"] + 1.0)
    slope = model.score(moved) - model.score(who.frame)
    age = who.frame["age"]
    assert found.values[:, 0] == pytest.approx((slope * (age - age.mean())).to_numpy(), abs=1e-8)


def test_a_column_that_was_not_selected_has_the_value_0():
    who = patients("continuous")
    model = model_of(who, "lasso", "early")
    found = explain_score(model, Predictors(who.frame))
    table = importance_table(found, list(who.frame.columns), LABELS)
    unused = table[~table["selected"]]
    assert len(unused)
    assert not found.values[:, who.frame.columns.get_indexer(unused["feature"])].any()


@pytest.fixture(scope="module")
def survival():
    who = patients("survival")
    return who, model_of(who)


def test_the_values_of_the_risk_add_up_at_every_time(survival):
    who, model = survival
    times, features = [300.0, 900.0], ["age", "g0"]
    found = explain_risk(model, Predictors(who.frame), times, features, estimation=QUICK)
    risks = model.risk_at(model.score(who.frame), times)
    assert found.values.shape == (90, 3, 2)
    assert found.base + found.values.sum(axis=1) == pytest.approx(risks, abs=1e-9)
    assert 0 < found.base[0] < found.base[1] < 1
    table = risk_table(found, features, times, LABELS)
    assert list(table["feature"].unique()) == ["age", "g0", OTHERS]
    total = table.groupby(["time", "row"])["shap"].sum() + table.groupby(["time", "row"])["base"].first()
    assert total.to_numpy() == pytest.approx(risks.T.ravel(), abs=1e-9)
    assert set(table["n"]) == {90}


def test_the_values_of_the_risk_are_those_of_the_model_on_mixed_patients():
    """Two players and one background patient: the Shapley values by hand, from frames that the model scores."""
    who = patients("survival")
    model = model_of(who, "ridge")
    for other in (3, int(np.flatnonzero(who.frame["g0"].isna())[0])):
        background = who.frame.iloc[[other]]
        found = explain_risk(model, Predictors(who.frame), [600.0], ["g0"], background=Predictors(background),
                             estimation=QUICK)
        with_gene, without = who.frame.copy(), who.frame.copy()
        for column in who.frame.columns:
            (without if column == "g0" else with_gene)[column] = background[column].iloc[0]

        def risk(frame: pd.DataFrame) -> np.ndarray:
            return model.risk_at(model.score(frame), [600.0])[:, 0]

        empty = risk(background)[0]
        expected = (risk(with_gene) - empty + risk(who.frame) - risk(without)) / 2
        assert found.values[:, 0, 0] == pytest.approx(expected, abs=1e-9)


def test_importance_has_its_n_and_interval(fitted):
    who, model = fitted
    found = explain_score(model, Predictors(who.frame))
    table = importance_table(found, list(who.frame.columns), LABELS, seed=1)
    assert {"blocks", "feature", "block", "mean_abs_shap", "lower", "upper", "n", "error", "selected",
            "method"} <= set(table.columns)
    assert ("class" in table.columns) == (model.kind == "multiclass")
    assert len(table) == 6 * (3 if model.kind == "multiclass" else 1)
    assert (table["lower"] <= table["mean_abs_shap"]).all()
    assert (table["mean_abs_shap"] <= table["upper"]).all()
    assert set(table["n"]) == {90}
    for _, part in table.groupby("class") if "class" in table.columns else [("", table)]:
        assert part["mean_abs_shap"].is_monotonic_decreasing
    first = np.abs(found.values[:, 0] if found.values.ndim == 2 else found.values[:, 0, 0]).mean()
    assert table[table["feature"] == "age"]["mean_abs_shap"].iloc[0] == pytest.approx(first)


def test_the_interval_is_the_bootstrap_s():
    values = np.random.default_rng(0).normal(size=(200, 3)) * [1, 2, 0]
    mean, lower, upper = bootstrap_mean_abs(values)
    error = np.abs(values).std(axis=0) / np.sqrt(200)
    assert mean == pytest.approx(np.abs(values).mean(axis=0))
    assert (upper - lower)[:2] == pytest.approx(2 * 1.96 * error[:2], rel=0.15)
    assert (lower[2], upper[2]) == (0, 0)
    few = bootstrap_mean_abs(values[:1])
    assert few[0] == pytest.approx(np.abs(values[0]))
    assert np.isnan(few[1]).all()
    assert np.isnan(bootstrap_mean_abs(values[:0])[0]).all()


def test_blocks_are_sums_in_every_patient():
    values = np.array([[1.0, -1.0, 0.0, 2.0, 0.0, 0.0], [1.0, 1.0, 0.0, -2.0, 0.0, 0.0]])
    found = Attribution.exact(values, 0.0, "by hand")
    table = block_table(found, ["age", "marker", "stage", "g0", "g1", "g2"], LABELS).set_index("block")
    assert table.loc["clinical", "mean_abs_shap"] == 1.0  # 0 and 2
    assert table.loc["genes", "mean_abs_shap"] == 2.0
    assert table["share"].tolist() == pytest.approx([1 / 3, 2 / 3])
    nothing = block_table(Attribution.exact(values * 0, 0.0, ""), list(LABELS.block_of), LABELS)
    assert nothing["share"].isna().all()


def test_the_table_of_patients_has_values_and_categories():
    who = patients("multiclass")
    found = explain_score(model_of(who, "ridge"), Predictors(who.frame))
    table = patient_table(found, who.frame, ["age", "stage"], LABELS)
    assert len(table) == 90 * 2 * 3
    assert list(table.columns) == ["blocks", "class", "row", "feature", "value", "category", "shap"]
    row = table[(table["class"] == "b") & (table["feature"] == "stage") & (table["row"] == 7)].iloc[0]
    assert row["shap"] == pytest.approx(found.values[7, 2, 1])
    stage = who.frame["stage"].iloc[7]
    assert row["category"] == ("missing" if stage is None else stage)


def test_top_features_are_the_largest_that_are_used():
    values = np.array([[0.1, 0.0, -3.0], [0.1, 0.0, 3.0]])
    assert top_features(Attribution.exact(values, 0.0, ""), ["a", "b", "c"]) == ["c", "a"]
    assert top_features(Attribution.exact(values, 0.0, ""), ["a", "b", "c"], most=1) == ["c"]


def test_all_tables_at_once(survival):
    who, model = survival
    tables = explanation_tables(model, Predictors(who.frame), LABELS, times=[500.0], estimation=QUICK)
    assert list(tables) == ["importance", "importance_blocks", "shap", "shap_survival"]
    assert not any(table["blocks"].isna().any() for table in tables.values())
    assert "patient" not in {column for table in tables.values() for column in table.columns}


def test_a_model_that_uses_nothing_has_no_values():
    who = patients("binary")
    model = model_of(who, "ridge")
    model.parts = []
    found = explain_score(model, Predictors(who.frame))
    assert not found.values.any()
    assert len(explanation_tables(model, Predictors(who.frame), LABELS)["shap"]) == 0
