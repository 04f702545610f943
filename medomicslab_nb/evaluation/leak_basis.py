"""What the checks for leakage share: findings, the outcome as numbers, and how strongly each column goes with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from scipy.stats import chi2, norm, rankdata

from medomicslab_nb.evaluation.endpoints import Endpoint

KINDS = {
    "outcome_in_disguise": "the outcome, or something computed from it, is among the predictors",
    "patient_in_two_folds": "rows of one patient are trained on and tested on",
    "fitted_outside": "something was learned from patients who are later tested on",
    "optimal_cut_point": "a cut-point was chosen by the outcome of the same patients",
    "duplicated_rows": "rows are copies, or mixtures, of other rows",
    "time_after_event": "values stem from after the moment of prediction",
    "centre_as_proxy": "the outcome is told by where patients come from, not by what they have",
    "many_runs": "many models were tried on the same patients",
}
"""What a finding can be about."""

MIN_PATIENTS = 20
"""Below this nothing is claimed from the data."""

_BLOCK = 500
_LARGEST_Z = 37.0  # beyond it, a normal tail is zero in double precision


@dataclass(frozen=True)
class Finding:
    """Something that may let a model see what it is to predict."""

    kind: str
    """A key of :data:`KINDS`."""
    level: Literal["alarm", "notice"]
    """``alarm``: results are not to be believed before it is gone; ``notice``: to be looked at."""
    what: str
    """What was found, in one sentence."""
    where: str
    """Columns, setting or part of an estimator."""
    todo: str
    """What to do, in one sentence."""
    value: float
    """The figure behind it."""
    n: int
    """Patients (rows) that it rests on."""


def numbers(frame: pd.DataFrame, categorical: Sequence[str] = ()) -> pd.DataFrame:
    """The numeric columns as float, without infinite values; shape (n, p)."""
    numeric = frame.drop(columns=[name for name in categorical if name in frame.columns])
    numeric = numeric.select_dtypes(include=["number", "bool", "boolean"])
    return numeric.astype("float64").replace([np.inf, -np.inf], np.nan)


def standardised(values: np.ndarray) -> np.ndarray:
    """Columns with mean 0 and variance 1; missing values at 0, constant columns all 0."""
    with np.errstate(invalid="ignore", divide="ignore"):
        known = ~np.isnan(values)
        count = known.sum(axis=0)
        filled = np.where(known, values, 0.0)
        mean = filled.sum(axis=0) / count
        filled = np.where(known, values - mean, 0.0)
        spread = np.sqrt((filled**2).sum(axis=0) / count)
        tiny = ~(spread > 1e-12 * np.maximum(1.0, np.abs(mean)))
        return np.where(tiny, 0.0, filled / np.where(tiny, 1.0, spread))


def hazard_residuals(endpoint: Endpoint) -> np.ndarray:
    """Martingale residuals without predictors: events seen less events expected (Nelson-Aalen); shape (n,)."""
    assert endpoint.time is not None
    entry = endpoint.entry if endpoint.entry is not None else np.full(len(endpoint), -np.inf)
    times = np.unique(endpoint.time[endpoint.event])
    at_risk = (np.searchsorted(np.sort(entry), times, side="left")
               - np.searchsorted(np.sort(endpoint.time), times, side="left"))
    events = np.searchsorted(np.sort(endpoint.time[endpoint.event]), times, side="right")
    steps = np.diff(events, prepend=0) / np.maximum(at_risk, 1)
    hazard = np.concatenate([[0.0], np.cumsum(steps)])
    expected = (hazard[np.searchsorted(times, endpoint.time, side="right")]
                - hazard[np.searchsorted(times, entry, side="right")])
    return endpoint.event - expected


def target_numbers(endpoint: Endpoint) -> np.ndarray:
    """The outcome as columns of numbers, shape (n, k): classes as 0 and 1, values, or martingale residuals."""
    if endpoint.kind == "survival":
        return hazard_residuals(endpoint)[:, None]
    if endpoint.kind == "multiclass":
        return np.asarray(endpoint.outcome[:, None] == np.arange(len(endpoint.classes)), dtype=float)
    return endpoint.outcome.astype(float)[:, None]


def class_indicators(endpoint: Endpoint) -> np.ndarray:
    """One column of 0 and 1 for each class (binary and survival: the event only); continuous: none. (n, k)."""
    if endpoint.kind == "continuous":
        return np.empty((len(endpoint), 0))
    if endpoint.kind == "multiclass":
        return target_numbers(endpoint)
    return endpoint.event.astype(float)[:, None]


def association(values: np.ndarray, target: np.ndarray) -> np.ndarray:
    """How strongly each column goes with the outcome: |z| of a score test, shape (p,).

    Parameters
    ----------
    values : ndarray, shape (n, p)
        Missing values count as the column's mean.
    target : ndarray, shape (n, k)
        As :func:`target_numbers`. Several columns are tested together (chi-squared), and the p-value is turned into
        the z of the same p.
    """
    n = len(values)
    if target.shape[1] == 1:
        correlation = _correlations(values, standardised(target))[:, 0]
        return np.minimum(np.abs(correlation) * np.sqrt(n - 1), _LARGEST_Z)
    axes = np.linalg.qr(target - target.mean(axis=0))[0][:, : target.shape[1] - 1] * np.sqrt(n)
    explained = (_correlations(values, axes) ** 2).sum(axis=1)
    tail = chi2.logsf((n - 1) * explained, target.shape[1] - 1)
    return np.minimum(np.where(tail > -600, norm.isf(np.exp(np.maximum(tail, -600)) / 2), _LARGEST_Z), _LARGEST_Z)


def _correlations(values: np.ndarray, axes: np.ndarray) -> np.ndarray:
    parts = [standardised(values[:, block]).T @ axes / len(values) for block in column_blocks(values.shape[1])]
    return np.concatenate(parts) if parts else np.empty((0, axes.shape[1]))


def column_blocks(count: int) -> Iterator[slice]:
    """The columns in blocks that fit into memory."""
    for start in range(0, count, _BLOCK):
        yield slice(start, start + _BLOCK)


def unlike_the_commonest(values: np.ndarray) -> np.ndarray:
    """In how many patients each column has a value other than its commonest (missing: none); shape (p,)."""
    counts = [np.unique(column[~np.isnan(column)], return_counts=True)[1] for column in values.T]
    return np.array([int(count.sum() - count.max(initial=0)) for count in counts], dtype=int)


def aucs(values: np.ndarray, positive: np.ndarray) -> np.ndarray:
    """AUC of each column (ties count half), shape (p,); missing values at the column's median rank.

    ``positive`` is bool, shape (n,). Without cases or without controls: NaN.
    """
    n_1, n_0 = int(positive.sum()), int((~positive).sum())
    if not n_1 or not n_0:
        return np.full(values.shape[1], np.nan)
    result = np.empty(values.shape[1])
    for block in column_blocks(values.shape[1]):
        part = values[:, block]
        gaps = np.isnan(part)
        if gaps.any():
            part = np.where(gaps, np.nanmedian(np.where(gaps.all(axis=0), 0.0, part), axis=0), part)
        ranks = rankdata(part, axis=0)
        result[block] = (ranks[positive].sum(axis=0) - n_1 * (n_1 + 1) / 2) / (n_1 * n_0)
    return result


def auc_error(auc: np.ndarray | float, cases: int, controls: int) -> np.ndarray:
    """Standard error of an AUC by Hanley and McNeil (Radiology 1982; 143:29)."""
    a = np.clip(np.asarray(auc, dtype=float), 1e-6, 1 - 1e-6)
    q_1, q_2 = a / (2 - a), 2 * a**2 / (1 + a)
    variance = a * (1 - a) + (cases - 1) * (q_1 - a**2) + (controls - 1) * (q_2 - a**2)
    return np.sqrt(np.maximum(variance, 0) / (cases * controls))


def some(columns: Sequence[str], most: int = 5) -> str:
    """Names of columns for a sentence, a few at most."""
    shown = ", ".join(f"'{column}'" for column in columns[:most])
    return shown + (f" and {len(columns) - most} more" if len(columns) > most else "")
