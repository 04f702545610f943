"""SHAP values: exact for linear models and trees, by sampled permutations for everything else.

A model is a weighted sum of members, and so are its SHAP values. Those of a linear member have a closed form (columns
taken as independent, against the mean of the training patients) [1]_; those of trees are TreeSHAP's, path dependent
[2]_; those of any other member are estimated by antithetic permutations of the columns, in which a column that is
absent takes the value of a patient drawn from the background [3]_. In each case base + values = score, to rounding.

References
----------
.. [1] Lundberg SM, Lee SI. A unified approach to interpreting model predictions. NeurIPS 2017.
.. [2] Lundberg SM, et al. From local explanations to global understanding with explainable AI for trees. Nat Mach
   Intell 2020;2:56-67.
.. [3] Strumbelj E, Kononenko I. Explaining prediction models and individual predictions with feature contributions.
   Knowl Inf Syst 2014;41:647-665; antithetic pairs: Mitchell R, et al. J Mach Learn Res 2022;23:1-46.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sksurv.ensemble import ExtraSurvivalTrees, GradientBoostingSurvivalAnalysis, RandomSurvivalForest
from sksurv.svm import FastSurvivalSVM

from medomicslab_nb.errors import DataError
from medomicslab_nb.models.learners.linear import is_linear, linear_coefficients
from medomicslab_nb.models.learners.searched import CoxBoosting
from medomicslab_nb.progress import Progress

PERMUTATIONS = 32
"""Permutations of the columns where SHAP values are estimated; half of them are drawn, the others their reverses."""

MOST_PREDICTIONS = 2_000_000
"""Predictions above which fewer permutations are drawn, four at least."""

LINEAR, TREES = "exact, linear", "exact, TreeSHAP (path dependent)"

_CHUNK = 4_000_000  # cells of a matrix that is predicted at once
_TOLERANCE = 1e-5  # of the sum of exact values, relative: trees compare in single precision
_FORESTS = (RandomForestClassifier, RandomForestRegressor)
_HISTOGRAM_BOOSTING = (HistGradientBoostingClassifier, HistGradientBoostingRegressor)
_SURVIVAL_FORESTS = (RandomSurvivalForest, ExtraSurvivalTrees)

Predict = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Attribution:
    """SHAP values of one function of the patients.

    Attributes
    ----------
    values : ndarray, shape (n, n_players) or (n, n_players, n_outputs)
    base : ndarray, shape () or (n_outputs,)
        What is predicted without knowing anything of a patient: base + sum of the values = prediction.
    error : ndarray, shape of ``values``
        Monte-Carlo standard error of each value; zero where values are exact.
    method : str
        How they were made, with the number of permutations where they were drawn.
    """

    values: np.ndarray
    base: np.ndarray
    error: np.ndarray
    method: str

    @classmethod
    def exact(cls, values: np.ndarray, base: np.ndarray | float, method: str) -> Attribution:
        """Values without a Monte-Carlo error."""
        return cls(values, np.asarray(base, dtype=float), np.zeros_like(values), method)


def exact_attribution(estimator: Any, predict: Predict, prepared: np.ndarray) -> Attribution | None:
    """Exact SHAP values of an estimator's score by prepared column, or None where there is no exact method.

    Parameters
    ----------
    estimator : Any
        Fitted on columns whose mean over the training patients is zero.
    predict : callable
        From a matrix (n, n_prepared) to the estimator's score, (n,) or (n, n_classes). Values that do not add up to
        it are not returned.
    prepared : ndarray, shape (n, n_prepared)
        One row or more.
    """
    found = _linear(estimator, predict, prepared) or _trees(estimator, prepared)
    if found is None:
        return None
    score = predict(prepared)
    total = found.base + found.values.sum(axis=1)
    if total.shape != score.shape or not np.allclose(total, score, rtol=_TOLERANCE, atol=_TOLERANCE):
        return None
    return found


def permutation_attribution(predict: Callable[[np.ndarray, int], np.ndarray], players: int, n: int, background: int, *,
                            permutations: int = PERMUTATIONS, seed: int = 0,
                            progress: Progress | None = None) -> Attribution:
    """SHAP values of any function, estimated by antithetic permutations of its players.

    Each pair of permutations, one drawn and its reverse, replaces what is absent by the values of one patient of the
    background. The patients are drawn without replacement as far as they last, the same for everyone explained.

    Parameters
    ----------
    predict : callable
        ``predict(present, row)`` with ``present`` bool, shape (n_coalitions, players), and the background patient's
        position: the function's values, shape (n_coalitions, n) or (n_coalitions, n, n_outputs), where players that
        are not present have that patient's values.
    players, n, background : int
        Numbers of players, of explained patients and of background patients.
    permutations : int
        Even, four or more. Fewer are drawn above :data:`MOST_PREDICTIONS`; the result's ``method`` says how many.

    Returns
    -------
    Attribution
        ``base`` is the mean prediction of the drawn background patients.

    Raises
    ------
    DataError
        There is no patient to compare with.
    Cancelled
        The user asked for the work to stop.
    """
    if background < 1:
        raise DataError("there is no patient to compare with", where="SHAP values",
                        todo="Give a background of patients")
    pairs = _pairs(permutations, n, players)
    rng = np.random.default_rng(seed)
    rows = np.concatenate([rng.permutation(background) for _ in range(-(-pairs // background))])[:pairs]
    orders = [rng.permutation(players) for _ in range(pairs)]
    total: Any = 0.0
    squares: Any = 0.0
    base: Any = 0.0
    with (progress or Progress()).task("permutation SHAP", total=pairs) as step:
        for order, row in zip(orders, rows, strict=True):
            forward, empty = _along(predict, order, int(row))
            backward, _ = _along(predict, order[::-1], int(row))
            values = (forward + backward) / 2
            total, squares, base = total + values, squares + values**2, base + empty
            step()
    mean = total / pairs
    variance = np.maximum(squares / pairs - mean**2, 0) * pairs / (pairs - 1)
    return Attribution(mean, base / pairs, np.sqrt(variance / pairs), f"{2 * pairs} permutations, antithetic")


def column_groups(names: Sequence[str], players: Sequence[str]) -> np.ndarray:
    """Position among ``players`` of each prepared column's original column; -1 where it is none of them."""
    places = {name: place for place, name in enumerate(players)}
    return np.array([places.get(name, -1) for name in names], dtype=int)


def mixed_predictions(predict: Predict, prepared: np.ndarray, background: np.ndarray, groups: np.ndarray,
                      present: np.ndarray) -> np.ndarray:
    """Predictions for patients whose absent players have a background patient's values.

    Parameters
    ----------
    predict : callable
        From (m, n_prepared) to (m,) or (m, n_outputs).
    prepared : ndarray, shape (n, n_prepared)
    background : ndarray, shape (n_prepared,)
    groups : ndarray of int, shape (n_prepared,)
        The player that each column belongs to.
    present : ndarray of bool, shape (n_coalitions, players)

    Returns
    -------
    ndarray, shape (n_coalitions, n) or (n_coalitions, n, n_outputs)
    """
    masks = present[:, groups]
    parts = []
    n, width = prepared.shape
    size = max(1, _CHUNK // max(1, n * width))
    for start in range(0, len(masks), size):
        mixed = np.where(masks[start:start + size, None, :], prepared[None], background)
        found = predict(mixed.reshape(-1, width))
        parts.append(found.reshape(len(mixed), n, *found.shape[1:]))
    return np.concatenate(parts)


def _pairs(permutations: int, n: int, players: int) -> int:
    """Pairs of permutations: as many as asked for, fewer where that would take too many predictions, two at least."""
    affordable = MOST_PREDICTIONS // max(1, 2 * n * (players + 1))
    return max(2, min(permutations // 2, affordable))


def _along(predict: Callable[[np.ndarray, int], np.ndarray], order: np.ndarray,
           row: int) -> tuple[np.ndarray, np.ndarray]:
    """What each player adds when it joins in this order, shape (n, players[, n_outputs]), and the empty coalition."""
    players = len(order)
    ranks = np.empty(players, dtype=int)
    ranks[order] = np.arange(players)
    steps = predict(ranks[None, :] < np.arange(players + 1)[:, None], row)
    gains = np.diff(steps, axis=0)[ranks]
    return np.moveaxis(gains, 0, 1), steps[0][0]


def _linear(estimator: Any, predict: Predict, prepared: np.ndarray) -> Attribution | None:
    if is_linear(estimator):
        coefficients = linear_coefficients(estimator).T
    elif isinstance(estimator, FastSurvivalSVM):
        # As a ranking machine it predicts the negative of its decision function.
        coefficients = np.asarray(estimator.coef_) * (-1 if estimator.rank_ratio == 1 else 1)
    else:
        return None
    base = predict(np.zeros((1, prepared.shape[1])))[0]
    values = prepared * coefficients if coefficients.ndim == 1 else prepared[:, :, None] * coefficients
    return Attribution.exact(values, base, LINEAR)


def _trees(estimator: Any, prepared: np.ndarray) -> Attribution | None:
    if isinstance(estimator, _SURVIVAL_FORESTS):
        return _tree_explainer(_as_regression(estimator), prepared.astype(np.float32))
    if isinstance(estimator, GradientBoostingSurvivalAnalysis):
        return _tree_explainer(_as_boosted_regression(estimator), prepared.astype(np.float32))
    if isinstance(estimator, _FORESTS):
        # Trees compare in single precision.
        return _tree_explainer(estimator, prepared.astype(np.float32))
    if isinstance(estimator, _HISTOGRAM_BOOSTING):
        return _tree_explainer(estimator, prepared)
    if isinstance(estimator, CoxBoosting):
        return _xgboost(estimator.model, prepared)
    library = type(estimator).__module__.partition(".")[0]
    if library == "lightgbm":
        return _by_class(np.asarray(estimator.predict(prepared, pred_contrib=True)), prepared.shape[1])
    if library == "xgboost":
        return _xgboost(estimator, prepared)
    return None


def _tree_explainer(model: Any, prepared: np.ndarray) -> Attribution:
    import shap

    explainer = shap.TreeExplainer(model, feature_perturbation="tree_path_dependent")
    values = np.asarray(explainer.shap_values(prepared, check_additivity=False), dtype=float)
    base = np.ravel(explainer.expected_value).astype(float)
    if values.ndim == 3 and values.shape[2] == 2 and isinstance(model, RandomForestClassifier):
        return Attribution.exact(values[:, :, 1], base[1], TREES)
    return Attribution.exact(values, base if values.ndim == 3 else base[0], TREES)


def _xgboost(estimator: Any, prepared: np.ndarray) -> Attribution:
    import xgboost

    return _by_class(estimator.get_booster().predict(xgboost.DMatrix(prepared), pred_contribs=True), prepared.shape[1])


def _by_class(contributions: np.ndarray, width: int) -> Attribution:
    """From a library's own TreeSHAP: for each class the columns' values, then the base."""
    by_class = np.asarray(contributions, dtype=float).reshape(len(contributions), -1, width + 1)
    values, base = by_class[:, :, :-1].transpose(0, 2, 1), by_class[0, :, -1]
    return (Attribution.exact(values[:, :, 0], base[0], TREES) if values.shape[2] == 1 else
            Attribution.exact(values, base, TREES))


def _as_regression(forest: Any) -> dict[str, Any]:
    """A survival forest, whose risk score is a mean over trees of one number per leaf, as shap takes trees."""
    trees = [estimator.tree_ for estimator in forest.estimators_]
    return _ensemble([_as_tree(tree, _leaf_scores(forest, tree) / len(trees)) for tree in trees])


def _leaf_scores(forest: Any, tree: Any) -> np.ndarray:
    """Risk score of each node, shape (n_nodes, 1): its cumulative hazard summed over the event times."""
    values = tree.value
    if forest.low_memory:
        return np.asarray(values[:, 0, :])
    return np.asarray(values[:, forest.is_event_time_, 0].sum(axis=1, keepdims=True))


def _as_boosted_regression(boosting: GradientBoostingSurvivalAnalysis) -> dict[str, Any]:
    trees = [estimator.tree_ for estimator in np.ravel(boosting.estimators_)]
    return _ensemble([_as_tree(tree, tree.value[:, 0, :] * boosting.learning_rate) for tree in trees])


def _as_tree(tree: Any, values: np.ndarray) -> dict[str, Any]:
    return {"children_left": tree.children_left, "children_right": tree.children_right,
            "children_default": tree.children_right, "features": tree.feature,
            "thresholds": tree.threshold.astype(np.float64), "values": values,
            "node_sample_weight": tree.weighted_n_node_samples}


def _ensemble(trees: list[dict[str, Any]]) -> dict[str, Any]:
    return {"internal_dtype": np.float64, "input_dtype": np.float32, "tree_output": "raw_value", "trees": trees}
