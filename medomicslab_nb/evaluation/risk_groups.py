"""Risk groups by cut-offs of a score, and whether they differ in survival.

The cut-offs must come from other patients than those that are compared: from training patients, with scores by models
that did not see them. A cut-off chosen for the smallest p-value among the very patients that are tested finds a
difference in a third and more of all studies where there is none [1]_, and these functions cannot see where it came
from.

References
----------
.. [1] Altman DG, Lausen B, Sauerbrei W, Schumacher M. Dangers of using "optimal" cutpoints in the evaluation of
   prognostic factors. J Natl Cancer Inst 1994;86:829-835.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import chi2

from medomicslab_nb.errors import DataError
from medomicslab_nb.evaluation.competing import kaplan_meier
from medomicslab_nb.evaluation.cox import CoxRegression, weight_at_risk
from medomicslab_nb.evaluation.intervals import Interval


@dataclass(frozen=True)
class GroupComparison:
    """Survival of risk groups.

    Attributes
    ----------
    statistic, freedom, p : float, int, float
        Log-rank test of all groups together; NaN where it does not exist.
    hazard_ratios : dict of int to Interval
        Of each group against the lowest with patients, Cox regression with Efron's rule for ties.
    groups : DataFrame
        group, n, events, median_survival (NaN where not reached).
    """

    statistic: float
    freedom: int
    p: float
    hazard_ratios: dict[int, Interval]
    groups: pd.DataFrame


def risk_groups(score: np.ndarray, cut_offs: Sequence[float]) -> np.ndarray:
    """Group of each patient: 0 below the first cut-off, 1 from it on, and so forth; int, shape (n,).

    Parameters
    ----------
    score : ndarray, shape (n,)
        Higher means more risk; no NaN.
    cut_offs : sequence of float
        Rising; from other patients than these, see the module.
    """
    if np.isnan(score).any():
        raise ValueError("scores are missing")
    if np.any(np.diff(cut_offs) < 0):
        raise ValueError(f"cut-offs {list(cut_offs)} do not rise")
    return np.searchsorted(np.asarray(cut_offs, dtype=float), score, side="right")


def compare_groups(group: np.ndarray, time: np.ndarray, event: np.ndarray, *, entry: np.ndarray | None = None,
                   strata: Sequence[Any] | np.ndarray | None = None) -> GroupComparison:
    """Log-rank test and hazard ratios between groups of *held-out* patients.

    Parameters
    ----------
    group : ndarray of int, shape (n,)
        From cut-offs of other patients.
    strata : sequence, shape (n,), optional
        Compare within strata only: the folds, when each had a cut-off of its own. Scores of patients of one
        cross-validation depend on each other, since their models share patients: p-values and limits are then
        approximate, and a permutation test of the whole procedure is exact.
    """
    table = pd.DataFrame([_described(number, time, event, entry, group == number) for number in np.unique(group)],
                         columns=["group", "n", "events", "median_survival"])
    statistic, freedom, p = log_rank(group, time, event, entry=entry, strata=strata)
    return GroupComparison(statistic, freedom, p, _hazard_ratios(group, time, event, entry, strata), table)


def log_rank(group: np.ndarray, time: np.ndarray, event: np.ndarray, *, entry: np.ndarray | None = None,
             strata: Sequence[Any] | np.ndarray | None = None) -> tuple[float, int, float]:
    """Log-rank test [1]_: statistic, degrees of freedom, p-value. See :func:`compare_groups`.

    Returns
    -------
    tuple
        NaN, 0, NaN with fewer than two groups; a statistic and p of NaN when groups are never at risk at the same
        time, or without events.

    References
    ----------
    .. [1] Mantel N. Evaluation of survival data and two new rank order statistics arising in its consideration. Cancer
       Chemother Rep 1966;50:163-170.
    """
    numbers = np.unique(group)
    freedom = len(numbers) - 1
    if freedom < 1:
        return float("nan"), 0, float("nan")
    labels = np.zeros(len(group)) if strata is None else np.asarray(strata)
    excess, variance = np.zeros(freedom), np.zeros((freedom, freedom))
    for stratum in np.unique(labels):
        rows = labels == stratum
        parts = _excess(numbers, group[rows], time[rows], event[rows], None if entry is None else entry[rows])
        excess += parts[0]
        variance += parts[1]
    if np.linalg.matrix_rank(variance) < freedom:  # a group is never compared with the others
        return float("nan"), freedom, float("nan")
    statistic = float(excess @ np.linalg.solve(variance, excess))
    return statistic, freedom, float(chi2.sf(statistic, freedom))


def numbers_at_risk(group: np.ndarray, time: np.ndarray, event: np.ndarray, times: Sequence[float], *,
                    entry: np.ndarray | None = None) -> pd.DataFrame:
    """Patients at risk and events so far, by group and time.

    Returns
    -------
    DataFrame
        group, time, at_risk (under observation just before; at time 0 of who enters there all), events (until then).
    """
    at = np.asarray(times, dtype=float)
    rows = []
    for number in np.unique(group):
        inside = group == number
        starts = None if entry is None else entry[inside]
        at_risk = weight_at_risk(at, time[inside], np.ones(int(inside.sum())), starts)
        rows += [(int(number), moment, round(present), int((event & inside & (time <= moment)).sum()))
                 for moment, present in zip(times, at_risk, strict=True)]
    return pd.DataFrame(rows, columns=["group", "time", "at_risk", "events"])


def _excess(numbers: np.ndarray, group: np.ndarray, time: np.ndarray, event: np.ndarray,
            entry: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Observed minus expected events of all groups but the first, and their (hypergeometric) covariance."""
    times = np.unique(time[event])
    members = group == numbers[:, None]
    at_risk = np.rint([weight_at_risk(times, time, inside.astype(float), entry) for inside in members])
    events = np.array([np.bincount(np.searchsorted(times, time[inside & event]), minlength=len(times))
                       for inside in members])
    n, d = at_risk.sum(axis=0), events.sum(axis=0)
    share = at_risk / n
    factor = np.divide(d * (n - d), n - 1, out=np.zeros(len(n)), where=n > 1)
    covariance = np.diag((share * factor).sum(axis=1)) - (share * factor) @ share.T
    return (events - share * d).sum(axis=1)[1:], covariance[1:, 1:]


def _described(number: int, time: np.ndarray, event: np.ndarray, entry: np.ndarray | None,
               inside: np.ndarray) -> tuple[int, int, int, float]:
    curve = kaplan_meier(time[inside], event[inside], None if entry is None else entry[inside])
    reached = np.flatnonzero(curve.estimate <= 0.5)
    median = float(curve.times[reached[0]]) if len(reached) else float("nan")
    return int(number), int(inside.sum()), int(event[inside].sum()), median


def _hazard_ratios(group: np.ndarray, time: np.ndarray, event: np.ndarray, entry: np.ndarray | None,
                   strata: Sequence[Any] | np.ndarray | None) -> dict[int, Interval]:
    """NaN for all when there is no finite answer, e.g. a group without events."""
    numbers = np.unique(group)
    columns = (group[:, None] == numbers[1:]).astype(float)
    if not columns.shape[1]:
        return {}
    try:
        table = CoxRegression().fit(columns, time, event, entry, strata).table()
        values = table[["hazard_ratio", "lower", "upper", "p"]].to_numpy()
    except DataError:
        values = np.full((len(numbers) - 1, 4), np.nan)
    return {int(number): Interval(*map(float, row)) for number, row in zip(numbers[1:], values, strict=True)}
