"""Preparation and learners: training rows only, and the values that formulas give."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from sksurv.linear_model import CoxPHSurvivalAnalysis

from medomicslab_nb.evaluation.endpoints import Endpoint
from medomicslab_nb.models import learners, nested
from medomicslab_nb.models.default import DEFAULT
from medomicslab_nb.models.learners import fit_ridge, preparation, prepared_columns, ridge_path, target
from tests.models.conftest import core


def test_preparation_by_hand():
    frame = pd.DataFrame({"x": [1.0, 3, np.nan, 8], "stage": pd.Series(["a", "b", np.nan, "a"], dtype=object)})
    fitted = preparation(["x"], ["stage"]).fit(frame)
    assert prepared_columns(fitted) == ["x", "x", "stage", "stage", "stage"]
    values = np.array([1.0, 3, 3, 8])
    assert fitted.transform(frame)[:, 0] == pytest.approx((values - values.mean()) / values.std())


def test_bad_input_51_column_missing_in_the_training_fold_is_a_constant():
    train = pd.DataFrame({"x": [np.nan] * 4, "y": [1.0, 2, 3, 4]})
    fitted = preparation(["x", "y"], []).fit(train)
    out = fitted.transform(pd.DataFrame({"x": [7.0, np.nan], "y": [1.0, 1.0]}))
    assert np.isfinite(out).all()
    assert len(prepared_columns(fitted)) == out.shape[1]


def test_unseen_category_is_all_zeros_and_no_warning():
    train = pd.DataFrame({"stage": ["a", "b", "a", "b"]}, dtype=object)
    fitted = preparation([], ["stage"]).fit(train)
    out = fitted.transform(pd.DataFrame({"stage": ["new", "a"]}, dtype=object))
    assert out[0] == pytest.approx([-1, -1])


@pytest.mark.parametrize("kind", ["binary", "survival"])
def test_medians_and_scales_come_from_training_rows_only(kind, monkeypatch, few_trees):
    design, endpoint = core(kind)
    # Each patient's age is unique: what the scaler or imputer was shown tells which patients it saw.
    shown: list[frozenset[float]] = []

    def spy(original):
        def fit(self, X, *args, **kwargs):
            values = np.asarray(X)
            if values.dtype.kind == "f":
                shown.append(frozenset(values[:, 0]))
            return original(self, X, *args, **kwargs)
        return fit

    monkeypatch.setattr(SimpleImputer, "fit_transform", spy(SimpleImputer.fit_transform))
    monkeypatch.setattr(SimpleImputer, "fit", spy(SimpleImputer.fit))
    monkeypatch.setattr(StandardScaler, "fit", spy(StandardScaler.fit))
    case = nested.fold_cases("all", design, endpoint, nested.make_splits(endpoint, folds=3, repeats=1, seed=0),
                             folds=3, repeats=1, learners=[DEFAULT], inner_folds=3, seed=0, horizon=500.0)[0]
    nested.evaluate_fold(case)
    held_out = set(design.frame["age"].iloc[case.test])
    assert len(shown) >= 8
    assert all(not held_out & ages for ages in shown)


def test_ridge_cox_is_that_of_newtons_method():
    design, endpoint = core("survival")
    matrix = preparation(["age", "marker"], ["stage"]).fit_transform(design.frame)
    position = 8
    ours = ridge_path(endpoint, matrix, matrix)[:, position]
    alpha = learners.penalties(matrix)[position] * len(endpoint)
    newton = CoxPHSurvivalAnalysis(alpha=alpha, ties="breslow").fit(matrix, target(endpoint)).predict(matrix)
    assert np.corrcoef(ours, newton)[0, 1] > 0.9999
    assert np.std(ours) == pytest.approx(np.std(newton), rel=0.02)


@pytest.mark.parametrize("kind", ["binary", "survival"])
def test_path_holds_the_single_fits(kind):
    design, endpoint = core(kind)
    matrix = preparation(["age", "marker"], ["stage"]).fit_transform(design.frame)
    path = ridge_path(endpoint, matrix, matrix)
    for position in (0, 7):
        single = learners.raw_score(fit_ridge(endpoint, matrix, position), matrix)
        assert path[:, position] - path[:, position].mean() == pytest.approx(single - single.mean(), abs=1e-5)


def test_cox_path_that_breaks_down_is_cut_and_filled():
    # A predictor that orders the times perfectly has no finite coefficient without a penalty.
    time = np.arange(1.0, 41)
    endpoint = Endpoint("os", np.ones(40, bool), pd.RangeIndex(40), time)
    matrix = np.column_stack([-time * 1e3, np.random.default_rng(0).normal(size=40)])
    path = ridge_path(endpoint, matrix, matrix)
    assert path.shape == (40, len(learners.PENALTIES))
    assert np.isfinite(path).all()


@pytest.mark.parametrize("kind", ["binary", "survival"])
def test_more_columns_than_patients(kind):
    _, endpoint = core(kind)
    matrix = np.random.default_rng(0).normal(size=(90, 400))
    path = ridge_path(endpoint, matrix, matrix)
    assert np.isfinite(path).all()
    # Fitted without the rotation to fewer coordinates.
    strength = learners.penalties(matrix)[4]
    if kind == "survival":
        plain = CoxPHSurvivalAnalysis(alpha=strength * 90, ties="breslow").fit(matrix, target(endpoint)).predict(matrix)
    else:
        plain = LogisticRegression(C=1 / (strength * 90), tol=1e-8).fit(matrix, endpoint.event)
        plain = plain.decision_function(matrix)
    assert np.corrcoef(path[:, 4], plain)[0, 1] > 0.999
    whole = learners.raw_score(fit_ridge(endpoint, matrix, 4), matrix)
    assert path[:, 4] - path[:, 4].mean() == pytest.approx(whole - whole.mean(), abs=1e-5)
