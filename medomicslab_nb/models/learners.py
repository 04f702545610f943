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

from medomicslab_nb.errors import DataError
from medomicslab_nb.evaluation.endpoints import Endpoint

RIDGE = "ridge"
FOREST = "forest"

PENALTIES = np.logspace(1, -3, 17)
"""Penalties of the ridge per patient, on standardised predictors, strongest first; see :func:`penalties`."""

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


def penalties(train: np.ndarray) -> np.ndarray:
    """The penalties to choose from, per patient, strongest first.

    With more columns than patients they grow with the ratio, as the variances that they are added to do.
    """
    n, p = train.shape
    return PENALTIES * max(1.0, p / n)


def ridge_path(endpoint: Endpoint, train: np.ndarray, test: np.ndarray) -> np.ndarray:
    """Linear predictors of the test rows at every penalty, shape (n_test, n_penalties), strongest first."""
    strengths, axes = penalties(train), _axes(train)
    if axes is not None:
        train, test = train @ axes.T, test @ axes.T
    if endpoint.time is None:
        return np.column_stack([_logistic(endpoint, train, strength).decision_function(test)
                                for strength in strengths])
    scores = test @ _cox(endpoint, train, strengths).coef_
    # Weak penalties that could not be fitted stand for the weakest that could.
    return scores[:, np.minimum(np.arange(len(strengths)), scores.shape[1] - 1)]


def fit_ridge(endpoint: Endpoint, train: np.ndarray, penalty: int) -> Any:
    """Ridge logistic or Cox regression at one penalty of the list, given by position."""
    strengths, axes = penalties(train)[:penalty + 1], _axes(train)
    rows = train if axes is None else train @ axes.T
    model = (_logistic(endpoint, rows, strengths[-1]) if endpoint.time is None else
             _cox(endpoint, rows, strengths))
    if axes is not None:
        model.coef_ = model.coef_ @ axes if endpoint.time is None else axes.T @ model.coef_
        model.n_features_in_ = train.shape[1]
    return model


def linear_coefficients(model: Any) -> np.ndarray:
    """Coefficient of each prepared column in a model of :func:`fit_ridge`."""
    return np.asarray(model.coef_[0] if isinstance(model, LogisticRegression) else model.coef_[:, -1])


def _axes(train: np.ndarray) -> np.ndarray | None:
    """With more columns than rows: the directions that the rows span, shape (rank, n_columns).

    Ridge does not notice a rotation, and a model on 200 coordinates is fitted faster than one on 20,000 columns.
    """
    if train.shape[1] <= train.shape[0]:
        return None
    _, singular, axes = np.linalg.svd(train, full_matrices=False)
    return np.asarray(axes[singular > 1e-8 * singular[0]])


def _logistic(endpoint: Endpoint, train: np.ndarray, strength: float) -> LogisticRegression:
    model = LogisticRegression(C=1 / (strength * len(train)), max_iter=2000)
    return model.fit(train, endpoint.event)


def _cox(endpoint: Endpoint, train: np.ndarray, strengths: np.ndarray) -> CoxnetSurvivalAnalysis:
    """Ridge Cox along penalties; it predicts with the last one that could be fitted."""
    y = target(endpoint)
    for count in range(len(strengths), 0, -1):
        model = CoxnetSurvivalAnalysis(alphas=strengths[:count], l1_ratio=_L1_SHARE, max_iter=100_000)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", ConvergenceWarning)
                return model.fit(train, y)
        except (ArithmeticError, ConvergenceWarning):
            continue
    raise DataError("ridge Cox regression could not be fitted, even with the strongest penalty",
                    where=f"endpoint {endpoint.name}", todo="Look for extreme values among the predictors")


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
