"""Linear models along a path of penalties: ridge, lasso and elastic net, and without any penalty.

Logistic (binary and multinomial), linear and Cox regression. With more columns than patients, ridge is fitted on the
directions that the patients span: it does not notice a rotation, and 200 coordinates take less time than 20,000.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression, LogisticRegression, enet_path
from sksurv.linear_model import CoxnetSurvivalAnalysis, CoxPHSurvivalAnalysis

from medomicslab_nb.errors import DataError
from medomicslab_nb.evaluation.cox import CoxRegression, breslow_hazard
from medomicslab_nb.evaluation.endpoints import Endpoint, Kind
from medomicslab_nb.models.learners.problem import (
    ALL_KINDS,
    Problem,
    SearchOptions,
    Tuned,
    best_candidate,
    criterion,
    raw_score,
    target,
)

PENALTIES = tuple(np.logspace(1, -3, 17))
"""Penalties of the ridge per patient, on standardised predictors, strongest first; see :func:`penalties`."""

SPARSE_PATH = np.logspace(0, -2, 13)
"""Penalties of lasso and elastic net, as shares of the smallest one that sets every coefficient to zero."""

# Coordinate descent needs a trace of lasso. A hundred times more of it, and strong penalties set coefficients to 0.
_L1_SHARE = 1e-5
_TRACE = 1e-4  # of a penalty: columns that follow from each other, as those of categories do, have one solution then
_SMALLEST = 1e-10  # of the largest squared singular value: directions below hold rounding errors only


@dataclass(frozen=True)
class Penalised:
    """Penalised regression; the penalty is chosen by mean held-out likelihood.

    Attributes
    ----------
    l1_share : float
        0 ridge, 1 lasso, between them elastic net.
    ridge_penalties : tuple of float
        Of the ridge, per patient, strongest first.
    """

    name: str
    l1_share: float
    space: str
    ridge_penalties: tuple[float, ...] = PENALTIES
    kinds: frozenset[Kind] = ALL_KINDS

    def tune(self, problem: Problem) -> Tuned:
        """Choose the penalty by inner cross-validation, then fit on all training patients."""
        unseen: np.ndarray | None = None
        values = []
        for fold in problem.inner:
            scores = self.path(problem.endpoint.take(fold.train), fold.train_matrix, fold.test_matrix, problem.options)
            if unseen is None:
                unseen = np.zeros((len(problem.endpoint), *scores.shape[1:]))
            unseen[fold.test] = scores
            values.append(criterion(problem.endpoint.take(fold.test), scores, by_likelihood=True))
        assert unseen is not None
        best = best_candidate(values)
        model = self.fit(problem.endpoint, problem.matrix, best, problem.options)
        return Tuned(model, unseen[:, best], f"penalty {self.strengths(problem.endpoint, problem.matrix)[best]:.3g}")

    def strengths(self, endpoint: Endpoint, train: np.ndarray) -> np.ndarray:
        """The penalties per patient, strongest first."""
        if not self.l1_share:
            return penalties(train, self.ridge_penalties)
        return SPARSE_PATH * _largest_penalty(endpoint, train, self.l1_share)

    def path(self, endpoint: Endpoint, train: np.ndarray, test: np.ndarray, options: SearchOptions) -> np.ndarray:
        """Linear predictors of the test rows at every penalty, shape (n_test, n_penalties) or (..., n_classes)."""
        strengths = self.strengths(endpoint, train)
        if self.l1_share:
            models = _sparse_models(endpoint, train, strengths, self.l1_share, options)
            return np.stack([raw_score(model, test) for model in models], axis=1)
        coordinates = _coordinates(train)
        if coordinates is not None:
            train, project = coordinates
            test = test @ project
        return _ridge_scores(endpoint, train, test, strengths, options)

    def fit(self, endpoint: Endpoint, train: np.ndarray, candidate: int, options: SearchOptions) -> Any:
        """The model at one penalty of the path, given by position."""
        strengths = self.strengths(endpoint, train)
        if self.l1_share:
            return _sparse_models(endpoint, train, strengths[:candidate + 1], self.l1_share, options)[-1]
        coordinates = _coordinates(train)
        if coordinates is None:
            return _ridge_model(endpoint, train, strengths, candidate, options)
        rows, project = coordinates
        return _turned_back(_ridge_model(endpoint, rows, strengths, candidate, options), project)


@dataclass(frozen=True)
class Plain:
    """Regression without a penalty: logistic, linear or Cox (Efron's ties; with entry times and strata)."""

    name: str = "plain"
    space: str = "nothing to choose"
    kinds: frozenset[Kind] = ALL_KINDS

    def tune(self, problem: Problem) -> Tuned:
        """Fit on all training patients; out-of-fold scores by the inner folds."""
        unseen: np.ndarray | None = None
        for fold in problem.inner:
            strata = None if problem.strata is None else problem.strata[fold.train]
            model = _plain_model(problem.endpoint.take(fold.train), fold.train_matrix, strata)
            scores = raw_score(model, fold.test_matrix)
            if unseen is None:
                unseen = np.zeros((len(problem.endpoint), *scores.shape[1:]))
            unseen[fold.test] = scores
        assert unseen is not None
        return Tuned(_plain_model(problem.endpoint, problem.matrix, problem.strata), unseen, "no penalty")


RIDGE = Penalised("ridge", 0.0, "17 penalties per patient from 10 to 0.001, times p / n where p > n")
LASSO = Penalised("lasso", 1.0, "13 penalties, from the smallest that selects nothing to a hundredth of it")
ELASTIC_NET = Penalised("elastic net", 0.5, "13 penalties, half lasso and half ridge")
PLAIN = Plain()


def penalties(train: np.ndarray, per_patient: tuple[float, ...] = PENALTIES) -> np.ndarray:
    """The penalties of ridge to choose from, per patient, strongest first.

    With more columns than patients they grow with the ratio, as the variances that they are added to do.
    """
    n, p = train.shape
    return np.array(per_patient) * max(1.0, p / n)


def linear_coefficients(model: Any) -> np.ndarray:
    """Coefficient of each prepared column, shape (n_prepared,), or (n_classes, n_prepared) of a multinomial model."""
    coefficients = np.asarray(model.coef_)
    if isinstance(model, CoxnetSurvivalAnalysis):
        return coefficients[:, -1]
    return coefficients[0] if coefficients.ndim == 2 and len(coefficients) == 1 else coefficients


def linear_intercept(model: Any) -> Any:
    """The model's score where every prepared column is 0: a float, or shape (n_classes,)."""
    if isinstance(model, CoxnetSurvivalAnalysis):
        return -float(model.offset_[-1])
    if isinstance(model, CoxRegression):
        return -float(model.centre_ @ model.coef_)
    intercept = np.ravel(getattr(model, "intercept_", 0.0))
    return float(intercept[0]) if len(intercept) == 1 else intercept


def scale_coefficients(model: Any, scale: np.ndarray) -> None:
    """Turn a model of scaled columns into one of the columns themselves."""
    model.coef_ = model.coef_ * (scale[:, None] if isinstance(model, CoxnetSurvivalAnalysis) else scale)
    if isinstance(model, CoxRegression):
        model.centre_ = model.centre_ / scale


def is_linear(model: Any) -> bool:
    """Whether :func:`linear_coefficients` knows the model."""
    return isinstance(model, (LogisticRegression, LinearRegression, CoxnetSurvivalAnalysis, CoxPHSurvivalAnalysis,
                              CoxRegression))


def _coordinates(train: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """With more columns than rows: the rows in the directions that they span, and the projection onto these.

    Shapes (n, rank) and (n_columns, rank); by the eigenvectors of the n x n matrix of inner products.
    """
    if train.shape[1] <= train.shape[0]:
        return None
    squares, left = np.linalg.eigh(train @ train.T)
    kept = squares > _SMALLEST * squares[-1]
    singular = np.sqrt(squares[kept])
    return left[:, kept] * singular, train.T @ (left[:, kept] / singular)


def _turned_back(model: Any, project: np.ndarray) -> Any:
    """The same model on the original columns."""
    if isinstance(model, CoxnetSurvivalAnalysis):
        model.coef_ = project @ model.coef_
    elif isinstance(model, CoxRegression):
        model.coef_, model.centre_ = project @ model.coef_, project @ model.centre_
        model.columns_ = [str(i) for i in range(len(project))]
    else:
        model.coef_ = model.coef_ @ project.T
    model.n_features_in_ = len(project)
    return model


def _ridge_scores(endpoint: Endpoint, train: np.ndarray, test: np.ndarray, strengths: np.ndarray,
                  options: SearchOptions) -> np.ndarray:
    if endpoint.entry is not None:
        return np.stack([_truncated_cox(endpoint, train, strength).predict(test) for strength in strengths], axis=1)
    if endpoint.kind == "survival":
        scores = test @ _ridge_cox(endpoint, train, strengths).coef_
        # Weak penalties that could not be fitted stand for the weakest that could.
        return scores[:, np.minimum(np.arange(len(strengths)), scores.shape[1] - 1)]
    if endpoint.kind == "continuous":
        return _ridge_linear(train, endpoint.outcome, strengths, test)
    if endpoint.kind == "binary":
        return np.column_stack([test @ values[:-1] + values[-1]
                                for values in _ridge_logistic(endpoint.event, train, strengths, options)])
    model = LogisticRegression(max_iter=2000, warm_start=True, class_weight=_weights(options))
    scores = []
    for strength in strengths:
        model.C = 1 / (strength * len(train))
        scores.append(model.fit(train, endpoint.outcome).decision_function(test))
    return np.stack(scores, axis=1)


def _ridge_logistic(event: np.ndarray, train: np.ndarray, strengths: np.ndarray,
                    options: SearchOptions) -> Iterator[np.ndarray]:
    """Coefficients, then the intercept, at every penalty, each from where the one before ended.

    The minimum that scikit-learn finds, without its checks at every step of the search: on some hundred coordinates
    they take several times as long as the arithmetic.
    """
    sign = np.where(event, 1.0, -1.0)
    weights = np.full(len(event), 1 / len(event))
    if options.balanced:
        weights = np.where(event, 0.5 / event.sum(), 0.5 / (~event).sum())

    def loss(values: np.ndarray, strength: float) -> tuple[float, np.ndarray]:
        coefficients = values[:-1]
        margin = sign * (train @ coefficients + values[-1])
        pull = -weights * sign * expit(-margin)
        gradient = np.append(pull @ train + strength * coefficients, pull.sum())
        return float(weights @ np.logaddexp(0, -margin) + strength / 2 * coefficients @ coefficients), gradient

    values = np.zeros(train.shape[1] + 1)
    for strength in strengths:
        values = minimize(loss, values, args=(strength,), jac=True, method="L-BFGS-B",
                          options={"ftol": 1e-12, "gtol": 1e-7, "maxiter": 2000}).x
        yield values


def _ridge_model(endpoint: Endpoint, train: np.ndarray, strengths: np.ndarray, candidate: int,
                 options: SearchOptions) -> Any:
    if endpoint.entry is not None:
        return _truncated_cox(endpoint, train, strengths[candidate])
    if endpoint.kind == "survival":
        return _ridge_cox(endpoint, train, strengths[:candidate + 1])
    if endpoint.kind == "continuous":
        return _linear(_ridge_coefficients(train, endpoint.outcome, strengths[[candidate]])[0], train,
                       endpoint.outcome)
    model = LogisticRegression(C=1 / (strengths[candidate] * len(train)), max_iter=2000,
                               class_weight=_weights(options))
    return model.fit(train, endpoint.outcome)


def _truncated_cox(endpoint: Endpoint, train: np.ndarray, strength: float) -> CoxRegression:
    """Ridge Cox with times of entry, which scikit-survival does not know."""
    assert endpoint.time is not None
    return CoxRegression(alpha=float(strength) * len(train)).fit(train, endpoint.time, endpoint.event,
                                                                 entry=endpoint.entry)


def _ridge_cox(endpoint: Endpoint, train: np.ndarray, strengths: np.ndarray) -> CoxnetSurvivalAnalysis:
    """Ridge Cox along penalties; it predicts with the last one that could be fitted."""
    return _coxnet(endpoint, train, strengths, _L1_SHARE)


def _coxnet(endpoint: Endpoint, train: np.ndarray, strengths: np.ndarray, l1_share: float) -> CoxnetSurvivalAnalysis:
    y = target(endpoint)
    for count in range(len(strengths), 0, -1):
        model = CoxnetSurvivalAnalysis(alphas=strengths[:count], l1_ratio=l1_share, max_iter=100_000)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", ConvergenceWarning)
                # A penalty that selects nothing is a candidate like any other.
                warnings.filterwarnings("ignore", message="all coefficients are zero")
                return model.fit(train, y)
        except (ArithmeticError, ConvergenceWarning):
            continue
    raise DataError("penalised Cox regression could not be fitted, even with the strongest penalty",
                    where=f"endpoint {endpoint.name}", todo="Look for extreme values among the predictors")


def _ridge_coefficients(train: np.ndarray, outcome: np.ndarray, strengths: np.ndarray) -> np.ndarray:
    """Ridge regression at every penalty by one decomposition, shape (n_penalties, n_columns)."""
    centred = train - train.mean(axis=0)
    left, singular, right = np.linalg.svd(centred, full_matrices=False)
    projected = left.T @ (outcome - outcome.mean())
    return np.array([(singular / (singular**2 + strength * len(train)) * projected) @ right
                     for strength in strengths])


def _ridge_linear(train: np.ndarray, outcome: np.ndarray, strengths: np.ndarray, test: np.ndarray) -> np.ndarray:
    coefficients = _ridge_coefficients(train, outcome, strengths)
    return (test - train.mean(axis=0)) @ coefficients.T + outcome.mean()


def _linear(coefficients: np.ndarray, train: np.ndarray, outcome: np.ndarray) -> LinearRegression:
    """A linear model with given coefficients."""
    model = LinearRegression()
    model.coef_, model.n_features_in_ = coefficients, train.shape[1]
    model.intercept_ = float(outcome.mean() - train.mean(axis=0) @ coefficients)
    return model


def _largest_penalty(endpoint: Endpoint, train: np.ndarray, l1_share: float) -> float:
    """The smallest penalty per patient at which every coefficient is zero."""
    outcome = endpoint.outcome
    if endpoint.time is not None:
        # Martingale residuals of nobody's risk differing: events seen, less those expected.
        times, hazard = breslow_hazard(endpoint.time, endpoint.event, np.zeros(len(train)))
        expected = np.concatenate([[0.0], hazard])[np.searchsorted(times, endpoint.time, side="right")]
        centred = endpoint.event - expected
    else:
        if endpoint.kind == "multiclass":
            outcome = np.eye(len(endpoint.classes))[outcome]
        centred = outcome - outcome.mean(axis=0)
    return max(float(np.abs(train.T @ centred).max()) / len(train) / l1_share, 1e-6)


def _sparse_models(endpoint: Endpoint, train: np.ndarray, strengths: np.ndarray, l1_share: float,
                   options: SearchOptions) -> list[Any]:
    """The models at every penalty, strongest first."""
    if endpoint.kind == "survival":
        return _sparse_cox(endpoint, train, strengths, l1_share)
    if endpoint.kind == "continuous":
        centred = train - train.mean(axis=0)
        _, coefficients, _ = enet_path(centred, endpoint.outcome - endpoint.outcome.mean(), l1_ratio=l1_share,
                                       alphas=strengths, max_iter=5000, tol=1e-3)
        return [_linear(column, train, endpoint.outcome) for column in coefficients.T]
    models = []
    last: LogisticRegression | None = None
    for strength in strengths:
        model = LogisticRegression(C=1 / (strength * len(train)), l1_ratio=l1_share, solver="saga", max_iter=300,
                                   tol=1e-3, class_weight=_weights(options), warm_start=True, random_state=0)
        if last is not None:
            model.coef_, model.intercept_ = last.coef_.copy(), last.intercept_.copy()
        with warnings.catch_warnings():
            # The choice among penalties needs no more digits than 300 passes give.
            warnings.simplefilter("ignore", ConvergenceWarning)
            last = model.fit(train, endpoint.outcome)
        models.append(last)
    return models


def _sparse_cox(endpoint: Endpoint, train: np.ndarray, strengths: np.ndarray, l1_share: float) -> list[Any]:
    path = _coxnet(endpoint, train, strengths, l1_share)
    models = []
    for position in range(len(strengths)):
        one = CoxnetSurvivalAnalysis(alphas=strengths[:position + 1], l1_ratio=l1_share)
        last = min(position, path.coef_.shape[1] - 1)
        one.n_features_in_ = path.n_features_in_
        one.coef_, one.offset_ = path.coef_[:, :last + 1], path.offset_[:last + 1]
        one.alphas_, one.deviance_ratio_ = path.alphas_[:last + 1], path.deviance_ratio_[:last + 1]
        one._baseline_models = None
        models.append(one)
    return models


def _plain_model(endpoint: Endpoint, train: np.ndarray, strata: np.ndarray | None) -> Any:
    if endpoint.time is not None and (endpoint.entry is not None or strata is not None):
        return CoxRegression(alpha=_TRACE).fit(train, endpoint.time, endpoint.event, entry=endpoint.entry,
                                               strata=strata)
    if endpoint.time is not None:
        return CoxPHSurvivalAnalysis(alpha=_TRACE, ties="efron").fit(train, target(endpoint))
    if endpoint.kind == "continuous":
        return LinearRegression().fit(train, endpoint.outcome)
    return LogisticRegression(C=np.inf, max_iter=5000).fit(train, endpoint.outcome)


def _weights(options: SearchOptions) -> str | None:
    return "balanced" if options.balanced else None
