"""Survival and cumulative incidence curves with left truncation, ties and competing events.

A patient is at risk in ``(entry, time]``. An event and the end of a follow-up at one time happen in this order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import norm

from medomicslab_nb.errors import DataError
from medomicslab_nb.evaluation.cox import weight_at_risk
from medomicslab_nb.evaluation.endpoints import Endpoint


@dataclass(frozen=True)
class Curve:
    """A step function of time with pointwise limits.

    Attributes
    ----------
    times : ndarray, shape (n_times,)
        When any event, whichever its cause, was seen: the steps.
    estimate, standard_error, lower, upper : ndarray, shape (n_times,)
        From each time until the next.
    at_risk, events : ndarray of int, shape (n_times,)
        Patients at risk just before, and events of the cause in question.
    start : float
        Value before the first time: 0 of an incidence, 1 of a survival curve.
    last : float
        The longest follow-up: nothing is known after it.
    """

    times: np.ndarray
    estimate: np.ndarray
    standard_error: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    at_risk: np.ndarray
    events: np.ndarray
    start: float
    last: float

    def at(self, time: float) -> tuple[float, float, float]:
        """Estimate and limits at a time; without width before the first event, NaN after the last follow-up."""
        if time > self.last:
            return float("nan"), float("nan"), float("nan")
        step = int(np.searchsorted(self.times, time, side="right")) - 1
        if step < 0:
            return self.start, self.start, self.start
        return float(self.estimate[step]), float(self.lower[step]), float(self.upper[step])


def kaplan_meier(time: np.ndarray, event: np.ndarray, entry: np.ndarray | None = None, *,
                 confidence: float = 0.95) -> Curve:
    """Survival by the product-limit estimator [1]_ with Greenwood's variance and log(-log) limits.

    With left truncation the estimate is of survival given survival to the earliest entry. It falls to 0, and stays
    there, when everybody at risk has the event while few have entered yet: ``at_risk`` shows such times; limits are
    NaN from then on.

    Parameters
    ----------
    time : ndarray, shape (n,)
    event : ndarray of bool, shape (n,)
    entry : ndarray, shape (n,), optional
        Below ``time``.

    Raises
    ------
    DataError
        Entry at or after the end of follow-up; missing times; no patients.

    References
    ----------
    .. [1] Kaplan EL, Meier P. Nonparametric estimation from incomplete observations. J Am Stat Assoc 1958;53:457-481.
    """
    times, at_risk, events, last = _counts(time, np.asarray(event).astype(int), entry)
    died = events[0]
    survival = np.cumprod(1 - died / at_risk)
    error = survival * np.sqrt(np.cumsum(_greenwood(at_risk, died)))
    lower, upper = _log_log_limits(survival, error, confidence, start=1.0)
    return Curve(times, survival, error, lower, upper, at_risk, died, 1.0, last)


def aalen_johansen(time: np.ndarray, cause: np.ndarray, entry: np.ndarray | None = None, *, which: int = 1,
                   confidence: float = 0.95) -> Curve:
    """Cumulative incidence of a cause: ``sum of S(t-) d_k(t) / n(t)`` with S of all causes together [1]_.

    One minus Kaplan-Meier, which counts competing events as censored, overstates it.

    The variance is the delta method's, of Greenwood's type [2]_, [3]_, as in Stata's stcompet; it equals Greenwood's
    without competing events. Limits are on the scale ``log(-log(F))``, so within [0, 1]:
    ``F ** exp(+-z se / (F log F))``.

    Parameters
    ----------
    time : ndarray, shape (n,)
    cause : ndarray of int, shape (n,)
        0: follow-up ended; 1, 2, ...: which event was seen.
    entry : ndarray, shape (n,), optional
        Below ``time``; with left truncation see :func:`kaplan_meier`.
    which : int
        The cause in question.

    Raises
    ------
    DataError
        As :func:`kaplan_meier`.

    References
    ----------
    .. [1] Aalen OO, Johansen S. An empirical transition matrix for non-homogeneous Markov chains based on censored
       observations. Scand J Stat 1978;5:141-150.
    .. [2] Dinse GE, Larson MG. A note on semi-Markov models for partially censored data. Biometrika 1986;73:379-386.
    .. [3] Marubini E, Valsecchi MG. Analysing survival data from clinical trials and observational studies. Wiley 1995.
    """
    times, at_risk, events, last = _counts(time, np.asarray(cause), entry, which)
    any_cause, own = events[0], events[1]
    before = np.concatenate([[1.0], np.cumprod(1 - any_cause / at_risk)])[:len(times)]
    incidence = np.cumsum(before * own / at_risk)
    # Dinse and Larson: sum over u <= t of (F(t) - F(u))^2 d / (n (n - d)) + S(u-)^2 d_k (n - d_k) / n^3
    # - 2 (F(t) - F(u)) S(u-) d_k / n^2; squares are multiplied out, so that sums run once.
    greenwood, jump = _greenwood(at_risk, any_cause), before * own / at_risk**2
    variance = (incidence**2 * np.cumsum(greenwood) - 2 * incidence * np.cumsum(incidence * greenwood)
                + np.cumsum(incidence**2 * greenwood)
                + np.cumsum(before**2 * own * (at_risk - own) / at_risk**3.0)
                - 2 * incidence * np.cumsum(jump) + 2 * np.cumsum(incidence * jump))
    error = np.sqrt(np.maximum(variance, 0))
    lower, upper = _log_log_limits(incidence, error, confidence, start=0.0)
    return Curve(times, incidence, error, lower, upper, at_risk, own, 0.0, last)


def incidence_table(endpoint: Endpoint, times: Sequence[float], *, confidence: float = 0.95) -> pd.DataFrame:
    """Cumulative incidence of each cause of a survival endpoint at some times.

    Returns
    -------
    DataFrame
        cause, time, at_risk (patients under observation just before), events (of the cause until then), incidence,
        lower, upper; NaN after the last follow-up.
    """
    assert endpoint.time is not None
    cause = endpoint.outcome.astype(int) if endpoint.cause is None else endpoint.cause
    rows = []
    for number, name in enumerate(endpoint.causes or (endpoint.name,), start=1):
        curve = aalen_johansen(endpoint.time, cause, endpoint.entry, which=number, confidence=confidence)
        present = weight_at_risk(np.asarray(times, dtype=float), endpoint.time, np.ones(len(endpoint)), endpoint.entry)
        rows += [(name, time, int(n), int(curve.events[curve.times <= time].sum()), *curve.at(time))
                 for time, n in zip(times, present, strict=True)]
    return pd.DataFrame(rows, columns=["cause", "time", "at_risk", "events", "incidence", "lower", "upper"])


def _counts(time: np.ndarray, cause: np.ndarray, entry: np.ndarray | None,
            which: int = 1) -> tuple[np.ndarray, np.ndarray, tuple[np.ndarray, np.ndarray], float]:
    """Event times, patients at risk, events of any and of one cause, and the longest follow-up."""
    time = np.asarray(time, dtype=float)
    entry = None if entry is None else np.asarray(entry, dtype=float)
    _check(time, entry)
    times, where = np.unique(time[cause > 0], return_inverse=True)
    at_risk = np.rint(weight_at_risk(times, time, np.ones(len(time)), entry)).astype(int)
    own = np.bincount(where, weights=cause[cause > 0] == which, minlength=len(times)).astype(int)
    return times, at_risk, (np.bincount(where, minlength=len(times)), own), float(time.max())


def _check(time: np.ndarray, entry: np.ndarray | None) -> None:
    if not len(time):
        raise DataError("there are no patients", where="survival curve", todo="Choose a larger group")
    if not np.isfinite(time).all() or (entry is not None and not np.isfinite(entry).all()):
        raise DataError("times are missing or infinite", where="survival curve", todo="Correct them in the table")
    late = 0 if entry is None else int((entry >= time).sum())
    if late:
        raise DataError(f"{late} patients enter at or after the end of their follow-up", where="survival curve",
                        todo="Leave them out: they were never seen at risk")


def _greenwood(at_risk: np.ndarray, events: np.ndarray) -> np.ndarray:
    """Terms d / (n (n - d)); 0 where everybody at risk has the event, so that survival is 0 without an error."""
    left = at_risk - events
    return np.divide(events, at_risk * left.astype(float), out=np.zeros(len(events)), where=left > 0)


def _log_log_limits(values: np.ndarray, error: np.ndarray, confidence: float, *,
                    start: float) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper limits on the scale log(-log(value)).

    The value itself while it is what it was at the start, NaN where it has reached the other end.
    """
    inside = (values > 0) & (values < 1)
    safe = np.where(inside, values, 0.5)
    width = norm.ppf((1 + confidence) / 2) * error / (safe * np.log(safe))  # below 0
    outside = np.where(values == start, values, np.nan)
    return np.where(inside, safe**np.exp(-width), outside), np.where(inside, safe**np.exp(width), outside)
