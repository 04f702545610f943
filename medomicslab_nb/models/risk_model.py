"""A fitted model: weighted members of one or several blocks, and the calibration of their score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import minimize
from scipy.special import expit, softmax
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression
from sksurv.linear_model import CoxPHSurvivalAnalysis
from sksurv.util import Surv

from medomicslab_nb.evaluation.cox import CoxRegression, breslow_hazard
from medomicslab_nb.evaluation.endpoints import Endpoint
from medomicslab_nb.models.learners.problem import raw_score
from medomicslab_nb.models.preparation import Preparation

_RIDGE = 0.1  # of all patients together: keeps the calibration of a score that separates the outcome finite
_STEEPEST = 300.0  # log of a hazard ratio above which every risk is 1, and exp() soon no number


class Part(BaseEstimator):
    """A fitted member: the preparation of its block, an estimator, and its share of the score.

    Parameters
    ----------
    block, kind : str
        Block of predictors (several joined by +) and name of the learner.
    columns : list of str
        Columns of the block.
    preparation : Preparation
        Fitted on the training patients that have the block.
    estimator : object
        Takes prepared rows.
    centre : float or ndarray, shape (n_classes,)
    scale, weight : float
        The part's score is ``weight / scale * (raw - centre)``.
    absent : float or ndarray, shape (n_classes,)
        Its score for a patient without any value of the block; 0 is that of an average one.
    """

    def __init__(self, block: str, kind: str, columns: list[str], preparation: Preparation, estimator: Any,
                 centre: Any, scale: float, weight: float, absent: Any = 0.0) -> None:
        self.block = block
        self.kind = kind
        self.columns = columns
        self.preparation = preparation
        self.estimator = estimator
        self.centre = centre
        self.scale = scale
        self.weight = weight
        self.absent = absent

    def present(self, frame: pd.DataFrame) -> np.ndarray:
        """Patients with a value in any column of the block, bool, shape (n,)."""
        return frame[self.columns].notna().any(axis=1).to_numpy()

    def score_prepared(self, prepared: np.ndarray) -> np.ndarray:
        """The part's share of the score of prepared rows, shape (n,) or (n, n_classes)."""
        return self.weight / self.scale * (raw_score(self.estimator, prepared) - self.centre)


class RiskModel(BaseEstimator):
    """A fitted model.

    Parameters
    ----------
    kind : str
        Kind of the endpoint.
    classes : list of str
        Of a multi-class endpoint.
    parts : list of Part
        The score is the sum of theirs; a block of which a patient has no value at all adds what lacking it added
        among the training patients.
    columns, categorical : list of str
        What a frame of patients must hold, and which of it are categories.
    slope : float
    offset : float or ndarray, shape (n_classes,)
        Calibration on the scores of training patients by models that did not see them. Binary: P = 1 / (1 +
        exp(-(offset + slope * score))); multi-class: softmax of the same; continuous: offset + slope * score; survival:
        hazard ratio exp(slope * score).
    hazard : dict
        Survival: ``times``, and the cumulative baseline hazards ``event`` and ``competing`` there, with the slope of
        the competing events, ``competing_slope``.
    horizon : float or None
        Survival: time to which ``probability`` refers.
    cut_offs : list of float
        Of the score, between risk groups: quantiles in training patients, by models that did not see them.
    thresholds : dict of str to float
        Binary: of the score, at which training patients reached a stated sensitivity or specificity, by models that
        did not see them.
    chosen : str
        What inner cross-validation chose, in words.
    """

    def __init__(self, kind: str, classes: list[str], parts: list[Part], columns: list[str], categorical: list[str],
                 slope: float, offset: Any, hazard: dict[str, Any], horizon: float | None, cut_offs: list[float],
                 thresholds: dict[str, float], chosen: str) -> None:
        self.kind = kind
        self.classes = classes
        self.parts = parts
        self.columns = columns
        self.categorical = categorical
        self.slope = slope
        self.offset = offset
        self.hazard = hazard
        self.horizon = horizon
        self.cut_offs = cut_offs
        self.thresholds = thresholds
        self.chosen = chosen

    def score(self, frame: pd.DataFrame, centre: pd.Series | None = None) -> np.ndarray:
        """Score of each patient, shape (n,) or (n, n_classes): higher means more risk, or more of the outcome.

        Parameters
        ----------
        frame : DataFrame
            Columns as in training, in any order; index = patient.
        centre : Series, optional
            Centre of each patient, for a model that harmonises.
        """
        shape = (len(frame), len(self.classes)) if self.kind == "multiclass" else (len(frame),)
        total = np.zeros(shape)
        prepared: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        for part in self.parts:
            key = id(part.preparation)
            if key not in prepared:
                present = part.present(frame)
                rows = frame.loc[present, part.columns]
                own = None if centre is None else centre.reindex(rows.index)
                prepared[key] = present, (part.preparation.transform(rows, own) if len(rows) else np.empty((0, 0)))
            present, matrix = prepared[key]
            if len(matrix):
                total[present] += part.score_prepared(matrix)
            total[~present] += part.absent
        return total

    def probability(self, score: np.ndarray) -> np.ndarray:
        """What the score means, shape (n,) or (n, n_classes).

        Probability of the positive class, of each class, of the event by the horizon; or the predicted value.
        """
        if self.kind == "survival":
            assert self.horizon is not None
            return self.risk_at(score, [self.horizon])[:, 0]
        position = self.offset + self.slope * score
        if self.kind == "continuous":
            return np.asarray(position)
        return softmax(position, axis=1) if self.kind == "multiclass" else expit(position)

    def risk_at(self, score: np.ndarray, times: Sequence[float] | np.ndarray) -> np.ndarray:
        """Survival: probability of the event by each time, shape (n, n_times), competing events allowed for."""
        at = np.searchsorted(self.hazard["times"], times, side="right") - 1
        relative = _hazard_ratio(self.slope * score)
        if self.hazard["competing"] is None:
            return -np.expm1(-relative * np.where(at < 0, 0.0, self.hazard["event"][np.maximum(at, 0)]))
        competing = _hazard_ratio(self.hazard["competing_slope"] * score) * self.hazard["competing"]
        risk = _cumulative_incidence(relative * self.hazard["event"], competing)
        return np.where(at < 0, 0.0, risk[:, np.maximum(at, 0)])


@dataclass(frozen=True)
class Calibration:
    """How a score becomes a probability; see :class:`RiskModel`."""

    slope: float
    offset: Any
    hazard: dict[str, Any]


def calibrate(score: np.ndarray, endpoint: Endpoint) -> Calibration:
    """Calibrate on scores of patients by models that did not see them.

    A score that points the wrong way there is given no slope: everybody then has the average risk.
    """
    if endpoint.kind == "survival":
        return _calibrate_survival(score, endpoint)
    if endpoint.kind == "multiclass":
        return _calibrate_classes(score, endpoint)
    outcome = endpoint.outcome.astype(float)
    if endpoint.kind == "continuous":
        spread = float(np.var(score))
        slope = float(np.cov(score, outcome, bias=True)[0, 1]) / spread if spread else 0.0
        return Calibration(max(slope, 0.0), float(outcome.mean() - max(slope, 0.0) * score.mean()), {})
    model = LogisticRegression(C=1 / _RIDGE, max_iter=1000).fit(score[:, None], endpoint.event)
    slope = float(model.coef_[0, 0])
    if slope > 0:
        return Calibration(slope, float(model.intercept_[0]), {})
    prevalence = outcome.mean()
    return Calibration(0.0, float(np.log(prevalence / (1 - prevalence))), {})


def _calibrate_classes(score: np.ndarray, endpoint: Endpoint) -> Calibration:
    """One slope and an offset for each class, by likelihood."""
    n, classes = score.shape
    rows = np.arange(n)

    def loss(values: np.ndarray) -> tuple[float, np.ndarray]:
        position = values[0] * score + values[1:]
        shares = softmax(position, axis=1)
        wrong = shares.copy()
        wrong[rows, endpoint.outcome] -= 1
        slopes = np.concatenate([[(wrong * score).sum()], wrong.sum(axis=0)]) / n
        likelihood = -np.log(np.maximum(shares[rows, endpoint.outcome], 1e-300)).mean()
        return float(likelihood + _RIDGE / n / 2 * values @ values), slopes + _RIDGE / n * values

    found = minimize(loss, np.concatenate([[1.0], np.zeros(classes)]), jac=True, method="L-BFGS-B",
                     bounds=[(0, None), *[(None, None)] * classes]).x
    return Calibration(float(found[0]), found[1:], {})


def _calibrate_survival(score: np.ndarray, endpoint: Endpoint) -> Calibration:
    times, event, slope = _baseline(score, endpoint, endpoint.event)
    if endpoint.cause is None or not (endpoint.cause > 1).any():
        return Calibration(slope, 0.0, {"times": times, "event": event, "competing": None, "competing_slope": 0.0})
    other_times, competing, competing_slope = _baseline(score, endpoint, endpoint.cause > 1, any_sign=True)
    grid = np.union1d(times, other_times)
    return Calibration(slope, 0.0, {"times": grid, "event": _on_grid(times, event, grid),
                                    "competing": _on_grid(other_times, competing, grid),
                                    "competing_slope": competing_slope})


def _baseline(score: np.ndarray, endpoint: Endpoint, event: np.ndarray, *,
              any_sign: bool = False) -> tuple[np.ndarray, np.ndarray, float]:
    """Times, cumulative baseline hazard and slope of a Cox regression on the score alone."""
    assert endpoint.time is not None
    column = score[:, None] if np.ptp(score) > 0 else None
    slope = 0.0
    if column is not None:
        slope = _cox_slope(column, endpoint, event)
    slope = slope if any_sign else max(slope, 0.0)
    times, hazard = breslow_hazard(endpoint.time, event, slope * score, endpoint.entry)
    return times, hazard, slope


def _cox_slope(column: np.ndarray, endpoint: Endpoint, event: np.ndarray) -> float:
    if endpoint.entry is not None:
        return float(CoxRegression(alpha=_RIDGE).fit(column, endpoint.time, event, entry=endpoint.entry).coef_[0])
    # A score that orders the times perfectly overflows the baseline survival, which nobody asks for.
    with np.errstate(over="ignore"):
        return float(CoxPHSurvivalAnalysis(alpha=_RIDGE).fit(column, Surv.from_arrays(event, endpoint.time)).coef_[0])


def _hazard_ratio(position: np.ndarray) -> np.ndarray:
    """Shape (n, 1); finite however far outside of training a patient is."""
    return np.exp(np.minimum(position, _STEEPEST))[:, None]


def _on_grid(times: np.ndarray, values: np.ndarray, grid: np.ndarray) -> np.ndarray:
    at = np.searchsorted(times, grid, side="right")
    return np.concatenate([[0.0], values])[at]


def _cumulative_incidence(event: np.ndarray, competing: np.ndarray) -> np.ndarray:
    """Cumulative incidence of the event from both cumulative hazards, shape (n, n_times)."""
    steps = np.diff(event, prepend=0, axis=1)
    both = steps + np.diff(competing, prepend=0, axis=1)
    free = np.exp(-np.concatenate([np.zeros((len(event), 1)), (event + competing)], axis=1))
    with np.errstate(invalid="ignore"):
        share = np.where(both > 0, steps / both, 0.0)
    return np.cumsum(share * -np.diff(free, axis=1), axis=1)
