"""The one named default, and the plain learners that it is compared with.

The default is a weighted average of ridge regression (2/3) and a random forest (1/3), each standardised by its
out-of-fold scores among the training patients. Inner cross-validation chooses the penalty of the ridge, by held-out
likelihood (the order of patients alone chooses more by chance), and leaves the weight 2/3 only for one that is
better by more than a standard error. Nothing looks at a test patient.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression
from sksurv.linear_model import CoxPHSurvivalAnalysis

from medomicslab_nb.errors import DataError
from medomicslab_nb.evaluation.endpoints import Endpoint
from medomicslab_nb.evaluation.intervals import corrected_standard_error
from medomicslab_nb.evaluation.metrics import discrimination, log_likelihood
from medomicslab_nb.evaluation.splits import fold_numbers
from medomicslab_nb.models.learners import (
    FOREST,
    RIDGE,
    fit_forest,
    fit_ridge,
    out_of_bag_score,
    penalties,
    preparation,
    raw_score,
    ridge_path,
    split_columns,
    target,
)

DEFAULT = "default: ridge + forest"
"""Name of the default in every table."""

LEARNERS = {"default": DEFAULT, RIDGE: RIDGE, FOREST: FOREST}
"""Names in tables of what the setting ``learner`` offers."""

USUAL_WEIGHT = 2 / 3
"""Share of the ridge in the default, unless inner cross-validation clearly speaks for another."""

WEIGHTS = (0.0, 1 / 3, USUAL_WEIGHT, 1.0)


class RiskModel(BaseEstimator):
    """A fitted model: preparation, weighted members, and the calibration of its score.

    Parameters
    ----------
    preparation : ColumnTransformer
        Fitted on the training patients.
    members : list of estimators
    centres, scales, weights : list of float
        Of each member's score: the score is the sum of ``weight * (raw - centre) / scale``.
    slope, offset : float
        Binary: P = 1 / (1 + exp(-(offset + slope * score))). Survival: risk by the horizon
        = 1 - exp(-exp(offset + slope * score)).
    cut_off : float
        Median score of the training patients, by models that did not see them.
    survival : bool
    chosen : str
        What inner cross-validation chose, in words.
    """

    def __init__(self, preparation: Any, members: list[Any], centres: list[float], scales: list[float],
                 weights: list[float], slope: float, offset: float, cut_off: float, survival: bool,
                 chosen: str) -> None:
        self.preparation = preparation
        self.members = members
        self.centres = centres
        self.scales = scales
        self.weights = weights
        self.slope = slope
        self.offset = offset
        self.cut_off = cut_off
        self.survival = survival
        self.chosen = chosen

    def score(self, frame: pd.DataFrame) -> np.ndarray:
        """Risk score of each patient, shape (n,): higher means more risk."""
        prepared = self.preparation.transform(frame)
        return sum((weight / scale * (raw_score(member, prepared) - centre) for member, centre, scale, weight
                    in zip(self.members, self.centres, self.scales, self.weights, strict=True)),
                   np.zeros(len(frame)))

    def probability(self, score: np.ndarray) -> np.ndarray:
        """Probability of the positive class, or of the event by the horizon, for scores of :meth:`score`."""
        position = self.offset + self.slope * score
        return -np.expm1(-np.exp(position)) if self.survival else expit(position)


def fit_models(frame: pd.DataFrame, endpoint: Endpoint, *, categorical: Sequence[str] = (),
               learners: Iterable[str] = (DEFAULT,), inner_folds: int = 5, seed: int = 0,
               horizon: float | None = None) -> dict[str, RiskModel]:
    """Fit learners on training patients; what they share is computed once.

    Parameters
    ----------
    frame : DataFrame, shape (n, n_columns)
        Predictors of the training patients, in the endpoint's order.
    categorical : sequence of str
        Columns of ``frame`` that are categories.
    learners : iterable of str
        Values of :data:`LEARNERS`.
    horizon : float, optional
        Time to which the calibrated risk of a survival endpoint refers; default the median time of the events.

    Raises
    ------
    DataError
        Fewer than two training patients with, or without, the event.
    """
    learners = list(learners)
    inner = inner_fold_numbers(endpoint, inner_folds, seed)
    prepared = preparation(*split_columns(frame, categorical))
    matrix = prepared.fit_transform(frame)
    members: dict[str, _Member] = {}
    if {RIDGE, DEFAULT} & set(learners):
        members[RIDGE] = _fit_ridge_member(frame, matrix, endpoint, categorical, inner)
    if {FOREST, DEFAULT} & set(learners):
        forest = fit_forest(endpoint, matrix, seed)
        members[FOREST] = _Member.of(forest, out_of_bag_score(forest), f"{len(forest.estimators_)} trees")
    return {name: _model(prepared, _mixture(name, members, endpoint, inner), endpoint, horizon) for name in learners}


def inner_fold_numbers(endpoint: Endpoint, folds: int, seed: int) -> np.ndarray:
    """Inner fold of each training patient, shape (n,); fewer folds when there are fewer events than folds."""
    least = min(endpoint.events, len(endpoint) - endpoint.events) or endpoint.events
    if least < 2:
        raise DataError(f"a training fold has {endpoint.events} of {len(endpoint)} patients with the event: too few "
                        "to choose a model", where=f"endpoint {endpoint.name}",
                        todo="Use fewer folds, or add patients")
    return fold_numbers(endpoint.event, min(folds, least), seed)


@dataclass(frozen=True)
class _Member:
    """A fitted learner and its scores of the training patients by models that did not see them."""

    estimator: Any
    standardised: np.ndarray
    centre: float
    scale: float
    chosen: str
    weight: float = 1.0

    @classmethod
    def of(cls, estimator: Any, unseen: np.ndarray, chosen: str) -> _Member:
        centre, spread = float(unseen.mean()), float(unseen.std())
        # A model without any opinion has no spread, only rounding errors.
        scale = spread if spread > 1e-9 * max(1.0, abs(centre)) else 1.0
        return cls(estimator, (unseen - centre) / scale, centre, scale, chosen)


def _fit_ridge_member(frame: pd.DataFrame, matrix: np.ndarray, endpoint: Endpoint, categorical: Sequence[str],
                      inner: np.ndarray) -> _Member:
    """Choose the penalty by mean held-out likelihood, then fit on all training patients."""
    strengths = penalties(matrix)
    count = len(strengths)
    scores = np.empty((len(frame), count))
    likelihoods = []
    for fold in range(int(inner.max()) + 1):
        train, test = np.flatnonzero(inner != fold), np.flatnonzero(inner == fold)
        prepared = preparation(*split_columns(frame, categorical)).fit(frame.iloc[train])
        scores[test] = ridge_path(endpoint.take(train), prepared.transform(frame.iloc[train]),
                                  prepared.transform(frame.iloc[test]))
        held_out = endpoint.take(test)
        likelihoods.append([log_likelihood(held_out, scores[test, k]) for k in range(count)])
    best = int(np.argmax(np.nanmean(likelihoods, axis=0)))
    return _Member.of(fit_ridge(endpoint, matrix, best), scores[:, best], f"penalty {strengths[best]:.3g}")


def _mixture(name: str, members: dict[str, _Member], endpoint: Endpoint, inner: np.ndarray) -> list[_Member]:
    """The members of a learner with their weights."""
    if name != DEFAULT:
        return [members[name]]
    ridge, forest = members[RIDGE], members[FOREST]
    weight = choose_weight(ridge.standardised, forest.standardised, endpoint, inner)
    shares = ((ridge, weight), (forest, 1 - weight))
    return [_Member(member.estimator, member.standardised, member.centre, member.scale,
                    f"{share:.2f} {kind} ({member.chosen})", share)
            for (member, share), kind in zip(shares, (RIDGE, FOREST), strict=True) if share > 0]


def choose_weight(ridge: np.ndarray, forest: np.ndarray, endpoint: Endpoint, inner: np.ndarray) -> float:
    """Weight of the ridge: the usual one, unless another discriminates better by more than one standard error.

    Parameters
    ----------
    ridge, forest : ndarray, shape (n,)
        Standardised scores of the training patients by models that did not see them.
    inner : ndarray of int, shape (n,)
        Inner folds; the standard error is that of the paired differences over them, corrected for shared patients.
    """
    folds = [np.flatnonzero(inner == fold) for fold in range(int(inner.max()) + 1)]
    values = np.array([[discrimination(endpoint.take(rows), (w * ridge + (1 - w) * forest)[rows]) for rows in folds]
                       for w in WEIGHTS])
    gains = values - values[WEIGHTS.index(USUAL_WEIGHT)]
    gains = gains[:, ~np.isnan(gains).any(axis=0)]
    if gains.shape[1] < 2:
        return USUAL_WEIGHT
    errors = np.array([corrected_standard_error(gain, n_train=len(folds) - 1, n_test=1) for gain in gains])
    means = gains.mean(axis=1)
    clear = np.where(means > errors, means, -np.inf)
    return WEIGHTS[int(np.argmax(clear))] if np.isfinite(clear).any() else USUAL_WEIGHT


def _model(prepared: Any, members: list[_Member], endpoint: Endpoint, horizon: float | None) -> RiskModel:
    unseen = sum((member.weight * member.standardised for member in members), np.zeros(len(endpoint)))
    slope, offset = _calibration(unseen, endpoint, horizon)
    return RiskModel(prepared, [member.estimator for member in members], [member.centre for member in members],
                     [member.scale for member in members], [member.weight for member in members], slope, offset,
                     float(np.median(unseen)), endpoint.time is not None,
                     " + ".join(member.chosen for member in members))


def _calibration(score: np.ndarray, endpoint: Endpoint, horizon: float | None) -> tuple[float, float]:
    """Slope and offset that turn scores into probabilities, from scores by models that did not see the patient."""
    column = score[:, None]
    if endpoint.time is None:
        logistic = LogisticRegression(C=100.0).fit(column, endpoint.event)
        return float(logistic.coef_[0, 0]), float(logistic.intercept_[0])
    cox = CoxPHSurvivalAnalysis(alpha=1e-3).fit(column, target(endpoint))
    at = default_horizon(endpoint) if horizon is None else horizon
    hazard = cox.cum_baseline_hazard_
    value = float(hazard(np.clip(at, hazard.x[0], hazard.x[-1])))
    return float(cox.coef_[0]), float(np.log(max(value, 1e-12)))


def default_horizon(endpoint: Endpoint) -> float:
    """The median time of the events."""
    assert endpoint.time is not None
    return float(np.median(endpoint.time[endpoint.event]))
