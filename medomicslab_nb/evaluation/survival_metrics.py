"""Measures of survival predictions that allow for censoring by weights: Uno's C, AUC and Brier score at stated times.

Everybody whose state is known counts as often as one over the probability of not being censored by then; that
distribution is estimated from the *training* patients, as scikit-survival does, and taken as known in the intervals.
For pooled out-of-fold predictions pass the same patients as training and as test; fold by fold, those of the fold.

What cannot be had (follow-up of the test beyond that of the training, no case, no control) is NaN with the reason in
words. Competing events: the AUC and Brier score are those of the cumulative incidence of cause 1, for which a patient
with a competing event is a control from then on [1]_.

References
----------
.. [1] Blanche P, Dartigues JF, Jacqmin-Gadda H. Estimating and comparing time-dependent areas under ROC curves for
   censored event times with competing risks. Stat Med 2013;32:5381-5397.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.integrate import trapezoid
from sksurv.nonparametric import CensoringDistributionEstimator
from sksurv.util import Surv

from medomicslab_nb.errors import DataError
from medomicslab_nb.evaluation.decision import absolute_risk
from medomicslab_nb.evaluation.endpoints import Endpoint
from medomicslab_nb.evaluation.intervals import (
    Interval,
    bootstrap,
    bootstrap_mean,
    comparable_pairs,
    concordance,
    weighted_auc,
)

_NONE = Interval(float("nan"), float("nan"), float("nan"))


@dataclass(frozen=True)
class Measured:
    """A measure with its interval and the time up to which it looks, or why there is none."""

    interval: Interval
    until: float
    reason: str = ""


def uno_c(train: Endpoint, test: Endpoint, score: np.ndarray, *, tau: float | None = None, draws: int = 1000,
          seed: int = 0, confidence: float = 0.95) -> Measured:
    """Uno's concordance [1]_: Harrell's pairs with events before ``tau``, weighted by 1 / G(t)^2.

    Unlike Harrell's C it does not depend on the pattern of censoring.

    Parameters
    ----------
    train, test : Endpoint
        Survival endpoints without left truncation or competing events (otherwise NaN with the reason).
    score : ndarray, shape (n,)
        A risk: higher means earlier event. It *does not accept* survival probabilities.
    tau : float, optional
        In the unit of time. By default just after the test's last event that the training patients' follow-up covers.

    References
    ----------
    .. [1] Uno H, Cai T, Pencina MJ, D'Agostino RB, Wei LJ. On the C-statistics for evaluating overall adequacy of risk
       prediction procedures with censored survival data. Stat Med 2011;30:1105-1117.
    """
    reason = _unsuited(train, test) or ("competing events: concordance is not defined here" if test.cause is not None
                                        else "")
    if reason:
        return Measured(_NONE, float("nan"), reason)
    time, limit = _times(test), supported_until(train)
    if tau is not None and bool((test.event & (time < tau) & (time > limit)).any()):
        return Measured(_NONE, float(tau), f"training patients were followed to {limit:g} only")
    covered = test.event & (time <= limit if tau is None else time < tau)
    if not covered.any():
        return Measured(_NONE, float("nan"), "no event within the training patients' follow-up")
    until = float(time[covered].max()) if tau is None else float(tau)
    weight = np.zeros(len(test))
    weight[covered] = _not_censored(train, time[covered]) ** -2.0
    pairs = comparable_pairs(covered, time) & comparable_pairs(test.event, time)
    comparable = pairs * weight[:, None]
    if not comparable.any():
        return Measured(_NONE, until, "no comparable pair")
    agree = comparable * concordance(np.asarray(score, dtype=float))

    def measure(weights: np.ndarray) -> np.ndarray:
        with np.errstate(invalid="ignore"):
            return ((weights @ agree) * weights).sum(axis=1) / ((weights @ comparable) * weights).sum(axis=1)

    return Measured(bootstrap(measure, len(test), draws=draws, seed=seed, confidence=confidence), until)


def time_dependent_auc(train: Endpoint, test: Endpoint, score: np.ndarray, times: Sequence[float], *,
                       draws: int = 1000, seed: int = 0, confidence: float = 0.95) -> pd.DataFrame:
    """Cumulative/dynamic AUC: who had the event by t against who had not, at each stated time t [1]_.

    Parameters
    ----------
    score : ndarray, shape (n,) or (n, times)
        A risk; with one column per time, the risk by that time.
    times : sequence of float
        In the unit of time.

    Returns
    -------
    DataFrame
        time, estimate, lower, upper, n, cases, controls (patients known to be), reason (empty where there is a value).

    References
    ----------
    .. [1] Hung H, Chiang CT. Estimation methods for time-dependent AUC models with survival data. Can J Stat
       2010;38:8-26.
    """
    scores = _per_time(score, times, len(test))

    def interval(k: int, states: _States) -> Interval:
        # Weights of patients without a known state are zero, so they count on neither side.
        def measure(weights: np.ndarray) -> np.ndarray:
            return weighted_auc(weights * states.weight, states.case, scores[:, k])

        return bootstrap(measure, len(test), draws=draws, seed=seed, confidence=confidence)

    return pd.DataFrame([_row(train, test, float(t), k, interval, both=True) for k, t in enumerate(times)])


def brier_by_time(train: Endpoint, test: Endpoint, risk: np.ndarray, times: Sequence[float], *, draws: int = 1000,
                  seed: int = 0, confidence: float = 0.95) -> pd.DataFrame:
    """Brier score of the predicted risk by each time, weighted for censoring [1]_; 0 is perfect, lower is better.

    Parameters
    ----------
    risk : ndarray, shape (n, times)
        Predicted probability of the event by each time: one minus survival.

    Returns
    -------
    DataFrame
        As :func:`time_dependent_auc`, and ``reference``: the score of predicting for everybody the training patients'
        risk (Kaplan-Meier; with competing events Aalen-Johansen).

    References
    ----------
    .. [1] Graf E, Schmoor C, Sauerbrei W, Schumacher M. Assessment and comparison of prognostic classification schemes
       for survival data. Stat Med 1999;18:2529-2545.
    """
    risks = _per_time(risk, times, len(test))

    def interval(k: int, states: _States) -> Interval:
        return bootstrap_mean(states.losses(risks[:, k]), draws=draws, seed=seed, confidence=confidence)

    rows = []
    for k, t in enumerate(times):
        row = _row(train, test, float(t), k, interval, both=False)
        rows.append({**row, "reference": float("nan") if row["reason"] else float(
            _states(train, test, float(t)).losses(_training_risk(train, float(t))).mean())})
    return pd.DataFrame(rows)


def integrated_brier(train: Endpoint, test: Endpoint, risk: np.ndarray, times: Sequence[float], *, draws: int = 1000,
                     seed: int = 0, confidence: float = 0.95) -> Measured:
    """Brier score averaged over time by trapezoids, from the first to the last of ``times``.

    Parameters
    ----------
    risk : ndarray, shape (n, times)
        Predicted probability of the event by each time.
    times : sequence of float
        Increasing, two or more, e.g. :func:`evaluation_times`.
    """
    risks, grid = _per_time(risk, times, len(test)), np.asarray(times, dtype=float)
    if len(grid) < 2 or not (np.diff(grid) > 0).all():
        raise DataError(f"{len(grid)} times, which must increase and be two or more", where="integrated Brier score",
                        todo="Pass increasing times")
    reason = _unsuited(train, test) or _beyond(train, test, float(grid[-1]))
    if reason:
        return Measured(_NONE, float(grid[-1]), reason)
    losses = np.column_stack([_states(train, test, float(t)).losses(risks[:, k]) for k, t in enumerate(grid)])
    mean = trapezoid(losses, grid, axis=1) / (grid[-1] - grid[0])
    return Measured(bootstrap_mean(mean, draws=draws, seed=seed, confidence=confidence), float(grid[-1]))


def evaluation_times(train: Endpoint, test: Endpoint, *, count: int = 50) -> np.ndarray:
    """Equally spaced times from the 10th to the 90th percentile of the test's event times, within all follow-up.

    Empty when the training patients' follow-up ends before, or without events.
    """
    time = _times(test)
    if not test.event.any():
        return np.empty(0)
    first, last = np.quantile(time[test.event], [0.1, 0.9])
    last = min(last, supported_until(train), float(np.nextafter(time.max(), -np.inf)))
    return np.linspace(first, last, count) if last > first else np.empty(0)


def supported_until(train: Endpoint) -> float:
    """The last follow-up at which the training patients' probability of not being censored is above zero."""
    censoring = _censoring(train)
    return float(censoring.unique_time_[censoring.prob_ > 0].max())


@dataclass(frozen=True)
class _States:
    """Who is a case and who a control by some time, and with what weight; 0: not known."""

    case: np.ndarray
    weight: np.ndarray

    def losses(self, risk: np.ndarray | float) -> np.ndarray:
        """Weighted squared error of each patient."""
        return self.weight * (self.case - risk) ** 2


def _states(train: Endpoint, test: Endpoint, t: float) -> _States:
    time = _times(test)
    ended = _any_event(test) & (time <= t)
    weight = np.zeros(len(test))
    weight[ended] = 1 / _not_censored(train, time[ended])
    weight[time > t] = 1 / _not_censored(train, np.array([t]))
    return _States(test.event & ended, weight)


def _row(train: Endpoint, test: Endpoint, t: float, k: int, interval: object, *, both: bool) -> dict[str, object]:
    """One time of a table; ``both``: without cases or without controls there is no value."""
    reason, cases, controls, found = _unsuited(train, test) or _beyond(train, test, t), 0, 0, _NONE
    if not reason:
        states = _states(train, test, t)
        cases, controls = int(states.case.sum()), int(((states.weight > 0) & ~states.case).sum())
        if both and not (cases and controls):
            reason = "nobody had the event by then" if not cases else "nobody is known to be without the event"
        else:
            found = interval(k, states)  # type: ignore[operator]
    return {"time": t, "estimate": found.estimate, "lower": found.lower, "upper": found.upper, "n": len(test),
            "cases": cases, "controls": controls, "reason": reason}


def _unsuited(train: Endpoint, test: Endpoint) -> str:
    if train.kind != "survival" or test.kind != "survival":
        raise DataError(f"the endpoint '{test.name}' has no follow-up", where="survival measures",
                        todo="Choose an endpoint with follow-up")
    if train.entry is not None or test.entry is not None:
        return "left truncation: weights for censoring are not defined here"
    return "" if len(train) and len(test) else "no patients"


def _beyond(train: Endpoint, test: Endpoint, t: float) -> str:
    if t > (limit := supported_until(train)):
        return f"training patients were followed to {limit:g} only"
    if t >= (longest := float(_times(test).max())):
        return f"these patients were followed to {longest:g} only"
    return ""


def _censoring(train: Endpoint) -> CensoringDistributionEstimator:
    return CensoringDistributionEstimator().fit(Surv.from_arrays(_any_event(train), _times(train)))


def _not_censored(train: Endpoint, times: np.ndarray) -> np.ndarray:
    return np.asarray(_censoring(train).predict_proba(times)) if len(times) else np.empty(0)


def _any_event(endpoint: Endpoint) -> np.ndarray:
    return endpoint.event if endpoint.cause is None else endpoint.cause > 0


def _training_risk(train: Endpoint, t: float) -> float:
    cause = train.event.astype(int) if train.cause is None else train.cause
    return float(absolute_risk(np.ones((1, len(train))), _times(train), cause, t)[0])


def _times(endpoint: Endpoint) -> np.ndarray:
    assert endpoint.time is not None  # of survival endpoints only
    return endpoint.time


def _per_time(values: np.ndarray, times: Sequence[float], n: int) -> np.ndarray:
    """The values with one column per time."""
    values = np.asarray(values, dtype=float)
    columns = np.broadcast_to(values[:, None], (len(values), len(times))) if values.ndim == 1 else values
    if columns.shape != (n, len(times)):
        raise DataError(f"predictions of shape {values.shape} for {n} patients and {len(times)} times",
                        where="survival measures", todo="Pass one row per patient and one column per time")
    if np.isnan(columns).any():
        raise DataError("a prediction is missing", where="survival measures",
                        todo="Leave out patients without a prediction, and say how many")
    return columns
