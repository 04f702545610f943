"""Learners with several parameters, of which inner cross-validation chooses a combination of the stated space.

Boosting and support vectors of scikit-learn and scikit-survival; LightGBM and XGBoost as extras.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.svm import SVC, SVR
from sksurv.ensemble import GradientBoostingSurvivalAnalysis
from sksurv.svm import FastSurvivalSVM

from medomicslab_nb.errors import MissingExtraError
from medomicslab_nb.evaluation.endpoints import Endpoint, Kind
from medomicslab_nb.models.learners.problem import (
    ALL_KINDS,
    InnerFold,
    Problem,
    SearchOptions,
    Tuned,
    criterion,
    raw_score,
    target,
)

Parameters = dict[str, Any]


@dataclass(frozen=True)
class Searched:
    """A learner whose parameters are chosen by mean held-out discrimination.

    Attributes
    ----------
    build : callable
        From endpoint, parameters and options to an estimator.
    grid : mapping
        The values of each parameter.
    """

    name: str
    build: Callable[[Endpoint, Parameters, SearchOptions], Any]
    grid: Mapping[str, tuple[Any, ...]]
    kinds: frozenset[Kind] = ALL_KINDS

    @property
    def space(self) -> str:
        """The candidates, in words."""
        return "; ".join(f"{name} {', '.join(map(str, values))}" for name, values in self.grid.items())

    def tune(self, problem: Problem) -> Tuned:
        """Choose by inner cross-validation, then fit on all training patients."""
        folds = list(problem.inner)
        found = (_by_optuna if problem.options.optuna else _by_grid)(self, problem, folds)
        parameters, unseen = found
        estimator = self._fit(problem.endpoint, problem.matrix, parameters, problem.options)
        return Tuned(estimator, unseen, ", ".join(f"{name} {value}" for name, value in parameters.items()))

    def judge(self, problem: Problem, folds: list[InnerFold], parameters: Parameters) -> tuple[float, np.ndarray]:
        """Mean over the inner folds of the held-out discrimination, and the out-of-fold scores."""
        unseen: np.ndarray | None = None
        values = []
        for fold in folds:
            estimator = self._fit(problem.endpoint.take(fold.train), fold.train_matrix, parameters, problem.options)
            scores = raw_score(estimator, fold.test_matrix)
            if unseen is None:
                unseen = np.zeros((len(problem.endpoint), *scores.shape[1:]))
            unseen[fold.test] = scores
            values.append(criterion(problem.endpoint.take(fold.test), scores[:, None], by_likelihood=False)[0])
        assert unseen is not None
        known = [value for value in values if not np.isnan(value)]
        return float(np.mean(known)) if known else -np.inf, unseen

    def _fit(self, endpoint: Endpoint, matrix: np.ndarray, parameters: Parameters, options: SearchOptions) -> Any:
        return self.build(endpoint, parameters, options).fit(matrix, target(endpoint))


def _by_grid(learner: Searched, problem: Problem, folds: list[InnerFold]) -> tuple[Parameters, np.ndarray]:
    """The best of all combinations, or of ``trials`` of them drawn at random; the first of equals."""
    combinations = [dict(zip(learner.grid, values, strict=True)) for values in itertools.product(
        *learner.grid.values())]
    if len(combinations) > problem.options.trials:
        drawn = np.random.default_rng(problem.options.seed).permutation(len(combinations))[:problem.options.trials]
        combinations = [combinations[i] for i in sorted(drawn)]
    judged = [learner.judge(problem, folds, parameters) for parameters in combinations]
    best = int(np.argmax([value for value, _ in judged]))
    return combinations[best], judged[best][1]


def _by_optuna(learner: Searched, problem: Problem, folds: list[InnerFold]) -> tuple[Parameters, np.ndarray]:
    """The best of ``trials`` combinations that Optuna's Parzen estimator proposes one after the other."""
    try:
        import optuna
    except ImportError:
        raise MissingExtraError("the search by Optuna", "search") from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    scores: dict[int, np.ndarray] = {}

    def objective(trial: Any) -> float:
        parameters = {name: trial.suggest_categorical(name, list(values)) for name, values in learner.grid.items()}
        value, scores[trial.number] = learner.judge(problem, folds, parameters)
        return value

    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=problem.options.seed))
    study.optimize(objective, n_trials=problem.options.trials)
    return dict(study.best_trial.params), scores[study.best_trial.number]


def _boosting(endpoint: Endpoint, parameters: Parameters, options: SearchOptions) -> Any:
    if endpoint.kind == "survival":
        return GradientBoostingSurvivalAnalysis(
            n_estimators=parameters["trees"], learning_rate=parameters["learning_rate"],
            max_depth=parameters["depth"], subsample=0.5, max_features="sqrt", random_state=options.seed)
    common = {"max_iter": parameters["trees"], "learning_rate": parameters["learning_rate"],
              "max_depth": parameters["depth"], "min_samples_leaf": 10, "early_stopping": False,
              "random_state": options.seed}
    if endpoint.kind == "continuous":
        return HistGradientBoostingRegressor(**common)
    return HistGradientBoostingClassifier(class_weight="balanced" if options.balanced else None, **common)


def _support_vectors(endpoint: Endpoint, parameters: Parameters, options: SearchOptions) -> Any:
    strength = parameters["C"]
    if endpoint.kind == "survival":
        return FastSurvivalSVM(alpha=strength, rank_ratio=1.0, max_iter=100, random_state=options.seed)
    if endpoint.kind == "continuous":
        return SVR(C=strength)
    return SVC(C=strength, decision_function_shape="ovr", class_weight="balanced" if options.balanced else None)


def _lightgbm(endpoint: Endpoint, parameters: Parameters, options: SearchOptions) -> Any:
    try:
        import lightgbm
    except ImportError:
        raise MissingExtraError("LightGBM", "boosting") from None
    common = {"n_estimators": parameters["trees"], "learning_rate": parameters["learning_rate"],
              "num_leaves": 2 ** parameters["depth"], "min_child_samples": 10, "subsample": 0.8,
              "subsample_freq": 1, "colsample_bytree": 0.8, "random_state": options.seed, "n_jobs": 1,
              "deterministic": True, "force_row_wise": True, "verbose": -1}
    if endpoint.kind == "continuous":
        return lightgbm.LGBMRegressor(**common)
    return lightgbm.LGBMClassifier(class_weight="balanced" if options.balanced else None, **common)


def _xgboost(endpoint: Endpoint, parameters: Parameters, options: SearchOptions) -> Any:
    try:
        import xgboost
    except ImportError:
        raise MissingExtraError("XGBoost", "boosting") from None
    common = {"n_estimators": parameters["trees"], "learning_rate": parameters["learning_rate"],
              "max_depth": parameters["depth"], "subsample": 0.8, "colsample_bytree": 0.8, "tree_method": "hist",
              "random_state": options.seed, "n_jobs": 1}
    if endpoint.kind == "survival":
        return CoxBoosting(common)
    return xgboost.XGBRegressor(**common) if endpoint.kind == "continuous" else xgboost.XGBClassifier(**common)


class CoxBoosting:
    """XGBoost with Cox's partial likelihood; the score is the log hazard ratio."""

    def __init__(self, parameters: Parameters) -> None:
        self.parameters = parameters

    def fit(self, matrix: np.ndarray, outcome: np.ndarray) -> CoxBoosting:
        """Fit to scikit-survival's structured outcome."""
        import xgboost

        event, time = (outcome[name] for name in outcome.dtype.names)
        # XGBoost marks censored patients by a negative time, so that a time of 0 would lose its mark.
        signed = np.where(event, 1.0, -1.0) * np.maximum(time, 1e-6)
        self.model = xgboost.XGBRegressor(objective="survival:cox", **self.parameters).fit(matrix, signed)
        return self

    def predict(self, matrix: np.ndarray) -> np.ndarray:
        """Log hazard ratio, shape (n,)."""
        return np.asarray(self.model.predict(matrix, output_margin=True), dtype=float)


_TREES = {"trees": (50, 150, 300), "learning_rate": (0.03, 0.1), "depth": (2, 4)}
BOOSTING = Searched("boosting", _boosting, _TREES)
SUPPORT_VECTORS = Searched("svm", _support_vectors, {"C": (0.01, 0.1, 1.0, 10.0)})
LIGHTGBM = Searched("lightgbm", _lightgbm, _TREES, ALL_KINDS - {"survival"})
XGBOOST = Searched("xgboost", _xgboost, _TREES)
