"""The base learners: preparation inside the fold, ridge regression and random forest, for both kinds of endpoint.

Everything here sees training rows when it is fitted, and only those. One thread, fixed seeds.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sksurv.ensemble import RandomSurvivalForest
from sksurv.linear_model import CoxnetSurvivalAnalysis
from sksurv.util import Surv

from medomicslab_nb.evaluation.endpoints import Endpoint

RIDGE = "ridge"
FOREST = "forest"

COX_PENALTIES = np.logspace(1, -3, 17)
"""Penalties of ridge Cox, per patient, on standardised predictors; strongest first."""
LOGISTIC_PENALTIES = np.logspace(-4, 2, 13)
"""Inverse penalties (C) of ridge logistic regression, on standardised predictors; strongest penalty first."""

TREES = 200
LEAF = 3
"""Patients in a leaf of a tree, at least."""

_WIDE = 100  # numeric columns from which missingness is not made a predictor of its own
_L1_SHARE = 1e-3  # coordinate descent needs a trace of lasso; coefficients differ from ridge in the third digit
_RARE_CATEGORIES = 20


def preparation(numeric: Sequence[str], categorical: Sequence[str]) -> ColumnTransformer:
    """Impute, encode and scale: medians and "was missing" columns, one column per category, unit variance.

    A column without any value in the training rows becomes a constant; a category not seen there becomes all zeros.
    """
    numbers = Pipeline([
        ("impute", SimpleImputer(strategy="median", keep_empty_features=True, add_indicator=len(numeric) <= _WIDE)),
        ("scale", StandardScaler())])
    categories = Pipeline([
        ("impute", SimpleImputer(strategy="constant", fill_value="missing", missing_values=np.nan)),
        ("encode", OneHotEncoder(handle_unknown="infrequent_if_exist", max_categories=_RARE_CATEGORIES,
                                 sparse_output=False)),
        ("scale", StandardScaler())])
    parts = [("numbers", numbers, list(numeric)), ("categories", categories, list(categorical))]
    return ColumnTransformer([part for part in parts if part[2]], sparse_threshold=0)


def prepared_columns(fitted: ColumnTransformer) -> list[str]:
    """The original column of each prepared column."""
    names: list[str] = []
    for part, pipeline, columns in fitted.transformers_:
        if part == "numbers":
            indicator = pipeline["impute"].indicator_
            extra = [] if indicator is None else [columns[i] for i in indicator.features_]
            names += [*columns, *extra]
        elif part == "categories":
            # The encoder names its columns INPUT_CATEGORY; with numbers as inputs the first _ ends the input.
            encoded = pipeline["encode"].get_feature_names_out([str(i) for i in range(len(columns))])
            names += [columns[int(name.partition("_")[0])] for name in encoded]
    return names


def target(endpoint: Endpoint) -> np.ndarray:
    """The outcome as scikit-learn (bool) or scikit-survival (event, time) take it."""
    if endpoint.time is None:
        return endpoint.event
    return Surv.from_arrays(endpoint.event, endpoint.time)


def ridge_path(endpoint: Endpoint, train: np.ndarray, test: np.ndarray) -> np.ndarray:
    """Linear predictors of the test rows at every penalty, shape (n_test, n_penalties), strongest first."""
    if endpoint.time is None:
        return np.column_stack([fit_ridge(endpoint, train, k).decision_function(test)
                                for k in range(len(LOGISTIC_PENALTIES))])
    coefficients = _cox_path(endpoint, train, len(COX_PENALTIES)).coef_
    scores = test @ coefficients
    # Weak penalties that could not be fitted stand for the weakest that could.
    return scores[:, np.minimum(np.arange(len(COX_PENALTIES)), scores.shape[1] - 1)]


def fit_ridge(endpoint: Endpoint, train: np.ndarray, penalty: int) -> Any:
    """Ridge logistic or Cox regression at one penalty of the list, given by position."""
    if endpoint.time is not None:
        return _cox_path(endpoint, train, penalty + 1)
    model = LogisticRegression(C=LOGISTIC_PENALTIES[penalty], max_iter=2000)
    return model.fit(train, endpoint.event)


def _cox_path(endpoint: Endpoint, train: np.ndarray, count: int) -> CoxnetSurvivalAnalysis:
    """Ridge Cox along the first penalties; it predicts with the last one that could be fitted."""
    y = target(endpoint)
    while True:
        model = CoxnetSurvivalAnalysis(alphas=COX_PENALTIES[:count], l1_ratio=_L1_SHARE, max_iter=100_000)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", ConvergenceWarning)
                return model.fit(train, y)
        except (ArithmeticError, ConvergenceWarning):
            if count == 1:
                raise
            count -= 1


def fit_forest(endpoint: Endpoint, train: np.ndarray, seed: int) -> Any:
    """Random forest or random survival forest, with out-of-bag scores of the training rows."""
    if endpoint.time is None:
        forest = RandomForestClassifier(TREES, min_samples_leaf=LEAF, oob_score=True, random_state=seed, n_jobs=1)
        return forest.fit(train, endpoint.event)
    # low_memory keeps one number per leaf, the sum of its cumulative hazard over the event times: the risk score.
    survival = RandomSurvivalForest(TREES, min_samples_leaf=LEAF, low_memory=True, oob_score=True, random_state=seed,
                                    n_jobs=1)
    return survival.fit(train, target(endpoint))


def out_of_bag_score(forest: Any) -> np.ndarray:
    """Score of each training row by the trees that did not see it."""
    if isinstance(forest, RandomForestClassifier):
        return np.asarray(forest.oob_decision_function_[:, 1])
    return np.asarray(forest.oob_prediction_)


def raw_score(estimator: Any, prepared: np.ndarray) -> np.ndarray:
    """Higher means more risk: linear predictor, share of votes, or expected number of events."""
    if isinstance(estimator, LogisticRegression):
        return np.asarray(estimator.decision_function(prepared))
    if isinstance(estimator, RandomForestClassifier):
        return np.asarray(estimator.predict_proba(prepared)[:, 1])
    return np.asarray(estimator.predict(prepared))


def split_columns(frame: pd.DataFrame, categorical: Sequence[str]) -> tuple[list[str], list[str]]:
    """Numeric and categorical columns of a frame, in its order."""
    known = set(categorical)
    return ([column for column in frame.columns if column not in known],
            [column for column in frame.columns if column in known])
