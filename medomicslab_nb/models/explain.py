"""Exact SHAP values of a fitted model, and the model itself as bytes.

Linear members have a closed form (features taken as independent, against the training mean); trees have TreeSHAP
(path dependent). Both add up: base value + SHAP values = score. The mixture is a weighted sum, and so are its values.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestClassifier
from sksurv.ensemble import RandomSurvivalForest

from medomicslab_nb.evaluation.endpoints import Endpoint
from medomicslab_nb.models.default import RiskModel, fit_models
from medomicslab_nb.models.learners import linear_coefficients, prepared_columns

TOP_FEATURES = 20
"""Features of which the SHAP values of every patient are kept."""


@dataclass(frozen=True)
class FinalCase:
    """A set of blocks whose final model, fitted on all patients, is kept and explained."""

    blocks: str
    frame: pd.DataFrame
    categorical: tuple[str, ...]
    block_of: dict[str, str]
    endpoint: Endpoint
    learner: str
    inner_folds: int
    seed: int
    horizon: float | None
    explain: bool


def fit_final(case: FinalCase) -> dict[str, pd.DataFrame]:
    """Fit on all patients: tables ``importance`` and ``shap`` (where asked for) and ``model`` (one cell of bytes)."""
    model = fit_models(case.frame, case.endpoint, categorical=case.categorical, learners=[case.learner],
                       inner_folds=case.inner_folds, seed=case.seed, horizon=case.horizon)[case.learner]
    tables = {"model": pd.DataFrame({"content": [model_bytes(model)], "chosen": [model.chosen]})}
    if case.explain:
        values, _ = shap_values(model, case.frame)
        importance = _importance(case, values)
        tables["importance"] = importance
        tables["shap"] = _per_patient(case, values, importance["feature"].head(TOP_FEATURES))
    return tables


def shap_values(model: RiskModel, frame: pd.DataFrame) -> tuple[pd.DataFrame, float]:
    """SHAP values by original column, and the base value: they add up to the score.

    Returns
    -------
    DataFrame, shape (n_patients, n_columns)
        The columns of ``frame``; what preparation made of one column is summed.
    float
        The base value.
    """
    prepared = model.preparation.transform(frame)
    total, base = np.zeros(prepared.shape), 0.0
    for member, centre, scale, weight in zip(model.members, model.centres, model.scales, model.weights, strict=True):
        values, expected = _member_values(member, prepared)
        total += weight / scale * values
        base += weight / scale * (expected - centre)
    summed = pd.DataFrame(total, columns=prepared_columns(model.preparation)).T.groupby(level=0).sum().T
    return summed.reindex(columns=frame.columns, fill_value=0.0).set_axis(frame.index), base


def model_bytes(model: RiskModel) -> bytes:
    """The model as skops bytes, which hold no code; :func:`load_model` reads them."""
    import skops.io

    return bytes(skops.io.dumps(model))


TRUSTED = (
    "medomicslab_nb.models.default.RiskModel",
    "numpy.dtype",
    "sklearn.tree._tree.Tree",
    "sksurv.ensemble.forest.RandomSurvivalForest",
    "sksurv.linear_model.coxnet.CoxnetSurvivalAnalysis",
    "sksurv.tree.tree.SurvivalTree",
)
"""The types that a model file may hold beside numpy's and scikit-learn's public ones."""


def load_model(content: bytes) -> RiskModel:
    """Read what :func:`model_bytes` wrote; anything that does not belong there is refused by skops."""
    import skops.io

    model = skops.io.loads(content, trusted=list(TRUSTED))
    assert isinstance(model, RiskModel)
    return model


def _member_values(member: Any, prepared: np.ndarray) -> tuple[np.ndarray, float]:
    """SHAP values, shape (n, n_prepared), and the base value of one member's raw score."""
    if isinstance(member, (RandomForestClassifier, RandomSurvivalForest)):
        return _forest_values(member, prepared)
    # Preparation centres on the training mean, so the expected value of every prepared column is zero.
    constant = member.intercept_[0] if hasattr(member, "intercept_") else -float(member.offset_[-1])
    return prepared * linear_coefficients(member), float(constant)


def _forest_values(forest: Any, prepared: np.ndarray) -> tuple[np.ndarray, float]:
    """TreeSHAP; a survival forest's risk score is a mean over trees of one number per leaf, as in a regression."""
    import shap

    model = forest if isinstance(forest, RandomForestClassifier) else _as_regression(forest)
    explainer = shap.TreeExplainer(model, feature_perturbation="tree_path_dependent")
    # Trees compare in single precision.
    values = np.asarray(explainer.shap_values(prepared.astype(np.float32), check_additivity=False))
    expected = np.ravel(explainer.expected_value)
    if values.ndim == 3:
        return values[:, :, 1], float(expected[1])
    return values, float(expected[0])


def _as_regression(forest: RandomSurvivalForest) -> dict[str, Any]:
    """A survival forest with one risk score per leaf, as shap takes an ensemble of trees."""
    trees = [estimator.tree_ for estimator in forest.estimators_]
    return {"internal_dtype": np.float64, "input_dtype": np.float32, "tree_output": "raw_value",
            "trees": [{"children_left": tree.children_left, "children_right": tree.children_right,
                       "children_default": tree.children_right, "features": tree.feature,
                       "thresholds": tree.threshold.astype(np.float64),
                       "values": tree.value[:, 0, :] / len(trees),
                       "node_sample_weight": tree.weighted_n_node_samples} for tree in trees]}


def _importance(case: FinalCase, values: pd.DataFrame) -> pd.DataFrame:
    """Mean absolute SHAP value of each feature, largest first."""
    mean = values.abs().mean()
    table = pd.DataFrame({"blocks": case.blocks, "feature": mean.index,
                          "block": [case.block_of[column] for column in mean.index],
                          "mean_abs_shap": mean.to_numpy(), "selected": mean.to_numpy() > 0})
    return table.sort_values("mean_abs_shap", ascending=False, kind="stable", ignore_index=True)


def _per_patient(case: FinalCase, values: pd.DataFrame, features: pd.Series) -> pd.DataFrame:
    """SHAP values in long form. ``value`` is a number, or the position of the ``category`` among the sorted ones."""
    rows = np.arange(len(values))
    parts = []
    for feature in features:
        column = case.frame[feature]
        category = feature in set(case.categorical)
        codes = pd.Categorical(column).codes if category else column
        parts.append(pd.DataFrame({
            "blocks": case.blocks, "row": rows, "feature": feature, "value": np.asarray(codes, dtype=float),
            "category": column.fillna("missing").astype(str).to_numpy() if category else "",
            "shap": values[feature].to_numpy()}))
    return pd.concat(parts, ignore_index=True)
