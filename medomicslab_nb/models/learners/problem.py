"""What every learner is given and gives back: prepared training patients, their inner folds, and a tuned model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from sksurv.util import Surv

from medomicslab_nb.errors import DataError
from medomicslab_nb.evaluation.endpoints import Endpoint, Kind
from medomicslab_nb.evaluation.metrics import discrimination, log_likelihood

ALL_KINDS: frozenset[Kind] = frozenset({"binary", "multiclass", "continuous", "survival"})


@dataclass(frozen=True)
class SearchOptions:
    """How a learner is tuned."""

    seed: int = 0
    balanced: bool = False
    """Weight classes by the inverse of their frequency."""
    optuna: bool = False
    """Search learners with a space of parameters by Optuna instead of over a grid."""
    trials: int = 20
    """Candidates of such a search, at most."""


@dataclass(frozen=True)
class InnerFold:
    """One inner fold, prepared on its training rows only."""

    train: np.ndarray
    test: np.ndarray
    train_matrix: np.ndarray = field(repr=False)
    test_matrix: np.ndarray = field(repr=False)


class InnerFolds(Protocol):
    """The inner folds; each pass over them may prepare them anew."""

    def __iter__(self) -> Iterator[InnerFold]: ...


@dataclass(frozen=True)
class Problem:
    """Training patients as a learner sees them.

    Attributes
    ----------
    endpoint : Endpoint
        Of the n training patients.
    matrix : ndarray of float, shape (n, n_prepared)
        Prepared on all of them.
    inner : iterable of InnerFold
        The same rows, cut into inner folds by which everything is chosen.
    strata : ndarray of str, shape (n,), or None
        Groups with a baseline hazard of their own, for the learner "plain".
    """

    endpoint: Endpoint
    matrix: np.ndarray
    inner: InnerFolds
    options: SearchOptions = field(default_factory=SearchOptions)
    strata: np.ndarray | None = None


@dataclass(frozen=True)
class Tuned:
    """A learner fitted on all training patients.

    Attributes
    ----------
    unseen : ndarray, shape (n,) or (n, n_classes)
        Raw scores of the training patients by models that did not see them.
    chosen : str
        What was chosen, in words.
    """

    estimator: Any
    unseen: np.ndarray
    chosen: str


class Learner(Protocol):
    """A kind of model with the space from which inner cross-validation chooses."""

    name: str
    kinds: frozenset[Kind]
    space: str
    """The candidates, in words."""

    def tune(self, problem: Problem) -> Tuned:
        """Choose by inner cross-validation, then fit on all training patients."""
        ...


def target(endpoint: Endpoint) -> np.ndarray:
    """The outcome as scikit-learn takes it, or scikit-survival: (event, time)."""
    if endpoint.time is None:
        return endpoint.outcome
    return Surv.from_arrays(endpoint.event, endpoint.time)


def criterion(endpoint: Endpoint, scores: np.ndarray, *, by_likelihood: bool) -> np.ndarray:
    """The value of each candidate in one inner fold, shape (n_candidates,); higher is better.

    Parameters
    ----------
    scores : ndarray, shape (n, n_candidates) or (n, n_candidates, n_classes)
    by_likelihood : bool
        For scores that are linear predictors: the order of patients alone chooses more by chance.
    """
    measure = log_likelihood if by_likelihood else discrimination
    return np.array([measure(endpoint, scores[:, k]) for k in range(scores.shape[1])])


def best_candidate(values: list[np.ndarray]) -> int:
    """Position of the best mean over inner folds; folds in which the measure does not exist are left out."""
    table = np.array(values, dtype=float)
    known = ~np.isnan(table)
    means = np.where(known, table, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    return int(np.argmax(np.where(known.any(axis=0), means, -np.inf)))


def raw_score(estimator: Any, matrix: np.ndarray) -> np.ndarray:
    """Higher means more of the outcome: linear predictor, share of votes, predicted value or expected events.

    Returns
    -------
    ndarray, shape (n,) or (n, n_classes)
    """
    if type(estimator).__name__ == "XGBClassifier":
        return np.asarray(estimator.predict(matrix, output_margin=True), dtype=float)
    if hasattr(estimator, "decision_function"):
        return np.asarray(estimator.decision_function(matrix), dtype=float)
    if hasattr(estimator, "predict_proba"):
        shares = np.asarray(estimator.predict_proba(matrix), dtype=float)
        return shares[:, 1] if shares.shape[1] == 2 else shares
    return np.asarray(estimator.predict(matrix), dtype=float)


def refuse_kind(learner: Learner, endpoint: Endpoint) -> None:
    """Refuse a learner that cannot predict an endpoint of this kind.

    Raises
    ------
    DataError
    """
    if endpoint.kind not in learner.kinds:
        raise DataError(f"'{learner.name}' cannot predict a {endpoint.kind} outcome",
                        where=f"endpoint {endpoint.name}",
                        todo="Choose another learner; 'medomicslab run models --help' lists them")
    if endpoint.entry is not None and learner.name not in ("plain", "ridge"):
        raise DataError(f"'{learner.name}' cannot use times of entry (left truncation)",
                        where=f"endpoint {endpoint.name}",
                        todo="Set 'learner' to 'ridge' or 'plain' and 'compare' to no")
