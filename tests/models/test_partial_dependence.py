"""Partial dependence against scikit-learn's; its grid never leaves what was observed. Selection frequency."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.inspection import partial_dependence as reference
from sklearn.pipeline import make_pipeline
from statsmodels.stats.proportion import proportion_confint

from medomicslab_nb.errors import Cancelled, DataError
from medomicslab_nb.models import partial_dependence as module
from medomicslab_nb.models.explain import Predictors
from medomicslab_nb.models.learners import trees
from medomicslab_nb.models.partial_dependence import POINTS, grid_of, model_dependence, partial_dependence
from medomicslab_nb.models.selection_frequency import selection_frequency, used_columns
from medomicslab_nb.progress import Event, Progress
from tests.models.test_explain import model_of, patients


@pytest.fixture(autouse=True)
def few_trees(monkeypatch):
    monkeypatch.setattr(trees, "TREES", 20)


@pytest.fixture(scope="module")
def pipeline():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=120), "b": rng.normal(size=120), "c": rng.integers(0, 4, 120) * 1.0})
    outcome = frame["a"] + frame["a"] * frame["b"] > 0
    return frame, make_pipeline(SimpleImputer(), RandomForestClassifier(20, random_state=0)).fit(frame, outcome)


def predict_with(model):
    return lambda frame, centre: model.predict_proba(frame)[:, 1]


def test_it_is_scikit_learn_s(pipeline):
    frame, model = pipeline
    table = partial_dependence(predict_with(model), frame, ["a", "c"])
    for feature in ("a", "c"):
        mine = table[table["feature"] == feature]
        expected = reference(model, frame, [feature], kind="both", custom_values={feature: mine["value"].to_numpy()})
        assert mine["mean"].to_numpy() == pytest.approx(expected["average"][0], abs=1e-12)
        curves = expected["individual"][0]
        assert mine["p10"].to_numpy() == pytest.approx(np.quantile(curves, 0.1, axis=0), abs=1e-12)
        assert mine["p90"].to_numpy() == pytest.approx(np.quantile(curves, 0.9, axis=0), abs=1e-12)
        error = curves.std(axis=0) / np.sqrt(len(frame))
        assert (mine["upper"] - mine["lower"]).to_numpy() == pytest.approx(2 * 1.96 * error, rel=0.2, abs=1e-3)
    assert set(table["n"]) == {120}


def test_batches_change_nothing(pipeline, monkeypatch):
    frame, model = pipeline
    whole = partial_dependence(predict_with(model), frame, ["a"])
    monkeypatch.setattr(module, "_ROWS", 250)
    pd.testing.assert_frame_equal(partial_dependence(predict_with(model), frame, ["a"]), whole)


def test_the_grid_stays_within_what_was_observed():
    rng = np.random.default_rng(0)
    values = pd.Series([*rng.normal(size=200), 1e6, -1e6, np.nan])
    grid = grid_of(values)
    assert len(grid) == POINTS
    assert grid[0] == pytest.approx(np.nanquantile(values, 0.025))
    assert grid[-1] == pytest.approx(np.nanquantile(values, 0.975))
    assert grid_of(pd.Series([0.0] * 99 + [1.0])).tolist() == [0, 1]
    assert grid_of(pd.Series([1.0, 2.0, 3.0, 2.0] * 20)).tolist() == [1, 2, 3]
    assert grid_of(pd.Series([5.0, np.nan])).tolist() == [5]
    assert len(grid_of(pd.Series([np.nan, np.nan]))) == 0
    assert grid_of(pd.Series(["b", None, "a", "b"], dtype=object), categorical=True).tolist() == ["a", "b"]


@pytest.mark.parametrize(("kind", "outputs"), [("binary", [""]), ("continuous", [""]), ("multiclass", ["a", "b", "c"]),
                                               ("survival", ["300", "900"])])
def test_a_model_s_curves_are_means_of_its_predictions(kind, outputs):
    who = patients(kind)
    model = model_of(who)
    table = model_dependence(model, Predictors(who.frame), ["age", "stage", "g0"],
                             times=[300.0, 900.0] if kind == "survival" else (), block_of={"g0": "genes"})
    assert list(table["output"].unique()) == outputs
    known = who.frame[who.frame["stage"].notna()]
    row = table[(table["feature"] == "stage") & (table["category"] == "II")]
    score = model.score(known.assign(stage="II"))
    expected = model.risk_at(score, [300.0, 900.0]) if kind == "survival" else model.probability(score)
    assert row["mean"].to_numpy() == pytest.approx(np.reshape(expected, (len(known), -1)).mean(axis=0), abs=1e-9)
    assert set(row["n"]) == {len(known)} and len(known) < 90
    assert (table["p10"] <= table["p90"]).all()
    assert set(table[table["feature"] == "g0"]["block"]) == {"genes"}


def test_the_horizon_is_the_default_time():
    who = patients("survival")
    model = model_of(who, "ridge")
    table = model_dependence(model, Predictors(who.frame), ["age"])
    assert set(table["output"]) == {f"{model.horizon:g}"}


def test_columns_without_values_have_no_curve_and_unknown_ones_an_error(pipeline):
    frame, model = pipeline
    nothing = partial_dependence(predict_with(model), frame.assign(b=np.nan), ["b"])
    assert len(nothing) == 0
    assert "mean" in nothing.columns
    with pytest.raises(DataError, match="no column 'z'"):
        partial_dependence(predict_with(model), frame, ["z"])
    single = partial_dependence(predict_with(model), frame.iloc[:1], ["a"])
    assert single["lower"].isna().all()
    assert single["n"].tolist() == [1]


def test_progress_and_cancel(pipeline):
    frame, model = pipeline
    events: list[Event] = []
    partial_dependence(predict_with(model), frame, ["a", "b"], progress=Progress([events.append]))
    assert [event.done for event in events] == [0, 1, 2, 2]
    with pytest.raises(Cancelled):
        partial_dependence(predict_with(model), frame, ["a", "b"],
                           progress=Progress([events.append], cancelled=lambda: len(events) > 5))


# --- Selection frequency ----------------------------------------------------------------------------------------------


def test_shares_have_wilson_s_interval():
    folds = [["a", "b"], ["a"], ["a", "c"], ["a", "b"]]
    table = selection_frequency(folds, ["c", "b", "a", "d"], block_of={"a": "clinical"}).set_index("feature")
    assert table.index.tolist() == ["a", "b", "c", "d"]
    assert table["selected"].tolist() == [4, 2, 1, 0]
    assert table["share"].tolist() == [1.0, 0.5, 0.25, 0.0]
    assert set(table["n"]) == {4}
    for feature, row in table.iterrows():
        low, high = proportion_confint(row["selected"], 4, method="wilson")
        assert (row["lower"], row["upper"]) == pytest.approx((low, high), abs=1e-12), feature
    assert table.loc["a", "block"] == "clinical"


def test_without_folds_there_is_no_share():
    table = selection_frequency([], ["a"])
    assert table[["share", "lower", "upper"]].isna().all().all()


def test_used_columns_are_those_that_change_the_score():
    who = patients("continuous")
    for learner in ("lasso", "forest", "ridge", "svm"):
        model = model_of(who, learner)
        used = used_columns(model)
        for column in who.frame.columns:
            if column not in used:
                moved = who.frame.copy()
                moved[column] = moved[column].sample(frac=1, random_state=0).to_numpy()
                kept = moved.notna().equals(who.frame.notna())
                assert not kept or np.allclose(model.score(moved), model.score(who.frame))
        assert used == [column for column in model.columns if column in used]
    assert len(used_columns(model_of(who, "lasso", "early"))) < 6


def test_a_forest_uses_what_it_splits():
    who = patients("binary")
    model = model_of(who, "forest", "early")
    assert "age" in used_columns(model)
    for tree in model.parts[0].estimator.estimators_:
        tree.tree_.feature[:] = 0
        tree.tree_.children_left[0] = max(tree.tree_.children_left[0], 1)
    assert used_columns(model) == [model.parts[0].preparation.columns_[0]]
