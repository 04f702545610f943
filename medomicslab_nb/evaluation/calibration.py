"""Calibration: predicted against observed risk in groups of patients of similar predicted risk."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sksurv.nonparametric import kaplan_meier_estimator
from statsmodels.stats.proportion import proportion_confint

COLUMNS = ["bin", "n", "predicted", "observed", "lower", "upper"]


def calibration_bins(observed: np.ndarray, probability: np.ndarray, *, bins: int = 10,
                     confidence: float = 0.95) -> pd.DataFrame:
    """Observed share of events, with Wilson intervals [1]_, by quantiles of predicted probability.

    Returns
    -------
    DataFrame
        bin (from 1), n, predicted (mean), observed, lower, upper; fewer bins when predictions tie.

    References
    ----------
    .. [1] Wilson EB. Probable inference. J Am Stat Assoc 1927;22:209-212.
    """
    rows = []
    for number, rows_in in _groups(probability, bins):
        events, n = int(observed[rows_in].sum()), len(rows_in)
        lower, upper = proportion_confint(events, n, alpha=1 - confidence, method="wilson")
        rows.append((number, n, probability[rows_in].mean(), events / n, lower, upper))
    return pd.DataFrame(rows, columns=COLUMNS)


def survival_calibration_bins(event: np.ndarray, time: np.ndarray, risk: np.ndarray, horizon: float, *, bins: int = 5,
                              confidence: float = 0.95) -> pd.DataFrame:
    """Observed risk by ``horizon`` (one minus Kaplan-Meier, log-log limits), by quantiles of predicted risk.

    Parameters
    ----------
    risk : ndarray, shape (n,)
        Predicted probability of the event by ``horizon``.
    horizon : float
        In the unit of ``time``. A bin in which nobody is followed that far has NaN.
    """
    rows = []
    for number, rows_in in _groups(risk, bins):
        observed, lower, upper = observed_risk(event[rows_in], time[rows_in], horizon, confidence)
        rows.append((number, len(rows_in), risk[rows_in].mean(), observed, lower, upper))
    return pd.DataFrame(rows, columns=COLUMNS)


def observed_risk(event: np.ndarray, time: np.ndarray, horizon: float,
                  confidence: float = 0.95) -> tuple[float, float, float]:
    """Kaplan-Meier risk by ``horizon`` and its limits; NaN when nobody is followed that far."""
    if time.max() < horizon:
        return float("nan"), float("nan"), float("nan")
    times, survival, limits = kaplan_meier(event, time, confidence)
    at = int(np.searchsorted(times, horizon, side="right")) - 1
    if at < 0:
        return 0.0, 0.0, 0.0
    return float(1 - survival[at]), float(1 - limits[1, at]), float(1 - limits[0, at])


def kaplan_meier(event: np.ndarray, time: np.ndarray,
                 confidence: float = 0.95) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Times, survival, and log-log limits of shape (2, times), [1, 1] until the first event."""
    if not event.any():
        times = np.unique(time)
        return times, np.ones(len(times)), np.ones((2, len(times)))
    times, survival, limits = kaplan_meier_estimator(event, time, conf_level=confidence, conf_type="log-log")
    return times, survival, limits


def _groups(values: np.ndarray, bins: int) -> list[tuple[int, np.ndarray]]:
    """Rows of each quantile group that is not empty, numbered from 1."""
    codes = pd.qcut(values, min(bins, len(values)), labels=False, duplicates="drop")
    if np.ptp(values) == 0:
        codes = np.zeros(len(values), dtype=int)
    return [(number, np.flatnonzero(codes == code)) for number, code in enumerate(np.unique(codes), start=1)]
