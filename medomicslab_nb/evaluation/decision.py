"""What follows from acting at a threshold: operating points, and the net benefit of decision curves.

A patient is called positive when the score or the predicted risk is at or above the threshold. A threshold for new
patients comes from the out-of-fold scores of *training* patients: one chosen on the patients on whom it is then judged
flatters the model.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from statsmodels.stats.proportion import proportion_confint

from medomicslab_nb.errors import DataError
from medomicslab_nb.evaluation.intervals import bootstrap_weights

STRATEGIES = ("model", "treat all", "treat none")

_THRESHOLDS = tuple(step / 100 for step in range(1, 100))

# Net benefit of "model" and of "treat all" for weights (samples, n): two arrays of shape (samples, thresholds).
_Curves = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


def operating_point(observed: np.ndarray, score: np.ndarray, threshold: float, *,
                    confidence: float = 0.95) -> pd.DataFrame:
    """Sensitivity, specificity and predictive values at a threshold, with Wilson intervals.

    Parameters
    ----------
    observed : ndarray of bool, shape (n,)
    score : ndarray, shape (n,)
        Score or probability, on the scale of ``threshold``.

    Returns
    -------
    DataFrame
        metric, threshold, estimate, lower, upper, n (patients that the share is of), events (of them, those counted).
        Predictive values are at the prevalence of these patients. NaN where n is 0.
    """
    observed = np.asarray(observed, dtype=bool)
    if np.isnan(score).any() or math.isnan(threshold):
        raise DataError("a score or the threshold is missing", where="operating point",
                        todo="Leave out patients without a score, and say how many")
    positive = np.asarray(score) >= threshold
    shares = {"sensitivity": positive[observed], "specificity": ~positive[~observed],
              "ppv": observed[positive], "npv": ~observed[~positive]}
    rows = []
    for metric, hits in shares.items():
        n, events = len(hits), int(hits.sum())
        lower, upper = proportion_confint(events, n, alpha=1 - confidence, method="wilson") if n else (np.nan, np.nan)
        rows.append({"metric": metric, "threshold": threshold, "estimate": events / n if n else np.nan,
                     "lower": float(lower), "upper": float(upper), "n": n, "events": events})
    return pd.DataFrame(rows)


def threshold_at_sensitivity(observed: np.ndarray, score: np.ndarray, target: float) -> float:
    """The highest threshold at which at least ``target`` of the cases are positive; NaN without cases.

    For out-of-fold scores of training patients.
    """
    cases = np.sort(np.asarray(score, dtype=float)[np.asarray(observed, dtype=bool)])[::-1]
    if not len(cases):
        return float("nan")
    # 0.7 of 10 is 7, whatever their product is in binary.
    return float(cases[max(math.ceil(target * len(cases) - 1e-9), 1) - 1])


def threshold_at_specificity(observed: np.ndarray, score: np.ndarray, target: float) -> float:
    """The lowest score at which at least ``target`` of the others are negative; infinite if none; NaN without others.

    For out-of-fold scores of training patients.
    """
    score = np.asarray(score, dtype=float)
    others = np.sort(score[~np.asarray(observed, dtype=bool)])
    if not len(others):
        return float("nan")
    candidates = np.unique(score)
    below = np.searchsorted(others, candidates, side="left") / len(others)
    enough = candidates[below >= target - 1e-12]
    return float(enough[0]) if len(enough) else float("inf")


def youden_threshold(observed: np.ndarray, score: np.ndarray) -> float:
    """The score at which sensitivity plus specificity is highest, the lowest of equals; NaN with one class only.

    For out-of-fold scores of training patients.
    """
    observed, score = np.asarray(observed, dtype=bool), np.asarray(score, dtype=float)
    if observed.all() or not observed.any():
        return float("nan")
    candidates = np.unique(score)
    missed = np.searchsorted(np.sort(score[observed]), candidates, side="left") / observed.sum()
    spared = np.searchsorted(np.sort(score[~observed]), candidates, side="left") / (~observed).sum()
    return float(candidates[np.argmax(np.round(spared - missed, 12))])


def decision_curve(observed: np.ndarray, probability: np.ndarray, *, thresholds: Sequence[float] = _THRESHOLDS,
                   draws: int = 0, seed: int = 0, confidence: float = 0.95) -> pd.DataFrame:
    """Net benefit over thresholds of treating by the model, treating everybody and treating nobody [1]_.

    With threshold t the net benefit is ``TP / n - FP / n * t / (1 - t)``: true positives per patient, each false one
    counted as the threshold weighs it.

    Parameters
    ----------
    observed : ndarray of bool, shape (n,)
    probability : ndarray, shape (n,)
        Calibrated: net benefit takes the predicted risk at its word.
    thresholds : sequence of float
        Between 0 and 1, exclusive.
    draws : int
        Bootstrap samples for percentile limits at each threshold (not of the curve as a whole); 0: no limits.

    Returns
    -------
    DataFrame
        threshold, strategy (:data:`STRATEGIES`), net_benefit, lower, upper, n, events.

    References
    ----------
    .. [1] Vickers AJ, Elkin EB. Decision curve analysis. Med Decis Making 2006;26:565-574.
    """
    observed = np.asarray(observed, dtype=bool)
    odds, positive = _positive(probability, thresholds, len(observed))
    gain_model = positive * np.where(observed[:, None], 1.0, -odds)
    gain_all = np.where(observed[:, None], 1.0, -odds)

    def curves(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        total = weights.sum(axis=1, keepdims=True)
        return weights @ gain_model / total, weights @ gain_all / total

    return _curve_table(curves, thresholds, len(observed), int(observed.sum()), draws, seed, confidence)


def survival_decision_curve(event: np.ndarray, time: np.ndarray, risk: np.ndarray, horizon: float, *,
                            cause: np.ndarray | None = None, entry: np.ndarray | None = None,
                            thresholds: Sequence[float] = _THRESHOLDS, draws: int = 0, seed: int = 0,
                            confidence: float = 0.95) -> pd.DataFrame:
    """Net benefit at a horizon in data with censoring [1]_; see :func:`decision_curve`.

    With a share x of patients positive and their Kaplan-Meier risk s by the horizon (with competing events
    Aalen-Johansen's), the net benefit is ``x s - x (1 - s) t / (1 - t)``.

    Parameters
    ----------
    event : ndarray of bool, shape (n,)
        Ignored with ``cause``.
    risk : ndarray, shape (n,)
        Predicted probability of the event by ``horizon``, in the unit of ``time``.
    cause : ndarray of int, shape (n,), optional
        0: follow-up ended; 1: the event; others: competing events.
    entry : ndarray, shape (n,), optional
        Left truncation.

    Returns
    -------
    DataFrame
        As :func:`decision_curve`; events are those seen by the horizon. NaN where none of the positive patients is
        followed to the horizon.

    References
    ----------
    .. [1] Vickers AJ, Cronin AM, Elkin EB, Gonen M. Extensions to decision curve analysis. BMC Med Inform Decis Mak
       2008;8:53.
    """
    causes = np.asarray(event, dtype=int) if cause is None else np.asarray(cause)
    time = np.asarray(time, dtype=float)
    odds, positive = _positive(risk, thresholds, len(time))
    # Neighbouring thresholds often call the same patients positive.
    sizes = positive.sum(axis=0)

    def gains(weights: np.ndarray, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        weights = weights * chosen
        share = weights.sum(axis=1)
        observed = absolute_risk(weights, time, causes, horizon, entry=entry)
        # Who treats nobody gains nothing, whatever the risk would have been.
        return np.where(share > 0, share * observed, 0.0), np.where(share > 0, share * (1 - observed), 0.0)

    def curves(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        total = weights.sum(axis=1)[:, None]
        by_size = {int(size): gains(weights, positive[:, np.flatnonzero(sizes == size)[0]])
                   for size in np.unique(sizes)}
        right = np.column_stack([by_size[int(size)][0] for size in sizes])
        wrong = np.column_stack([by_size[int(size)][1] for size in sizes])
        all_right, all_wrong = gains(weights, np.ones(len(time)))
        return (right - wrong * odds) / total, (all_right[:, None] - all_wrong[:, None] * odds) / total

    events = int(((causes == 1) & (time <= horizon)).sum())
    return _curve_table(curves, thresholds, len(time), events, draws, seed, confidence)


def absolute_risk(weights: np.ndarray, time: np.ndarray, cause: np.ndarray, horizon: float, *,
                  entry: np.ndarray | None = None) -> np.ndarray:
    """Risk of cause 1 by ``horizon`` in each weighted sample, shape (samples,): Aalen-Johansen.

    Without competing events that is one minus Kaplan-Meier. NaN where nobody is followed to the horizon, unless
    nobody is left to follow.

    Parameters
    ----------
    weights : ndarray, shape (samples, n)
    cause : ndarray of int, shape (n,)
        0: follow-up ended; 1: the event; others: competing events.
    """
    order = np.argsort(time, kind="stable")
    ordered, causes = time[order], cause[order]
    moments = np.unique(ordered[(causes > 0) & (ordered <= horizon)])
    left, right = (np.searchsorted(ordered, moments, side=side) for side in ("left", "right"))
    sample = weights[:, order]
    at_risk = sample.sum(axis=1, keepdims=True) - _prefix(sample)[:, left]
    if entry is not None:
        by_entry = np.argsort(entry, kind="stable")
        entered = _prefix(weights[:, by_entry])[:, np.searchsorted(entry[by_entry], moments, side="left")]
        at_risk -= weights.sum(axis=1, keepdims=True) - entered
    with np.errstate(invalid="ignore", divide="ignore"):
        any_event, main = (np.where(at_risk > 0, _between(sample * which, left, right) / at_risk, 0.0)
                           for which in (causes > 0, causes == 1))
    free = np.cumprod(np.clip(1 - any_event, 0, 1), axis=1)
    before = np.concatenate([np.ones((len(sample), 1)), free[:, :-1]], axis=1)[:, :len(moments)]
    left_over = free[:, -1] if len(moments) else np.ones(len(sample))
    followed = (sample[:, np.searchsorted(ordered, horizon, side="left"):].sum(axis=1) > 0) | (left_over <= 1e-12)
    return np.where(followed, (before * main).sum(axis=1), np.nan)


def _prefix(values: np.ndarray) -> np.ndarray:
    """Sums of the first 0, 1, ... columns, shape (samples, n + 1)."""
    return np.concatenate([np.zeros((len(values), 1)), np.cumsum(values, axis=1)], axis=1)


def _between(values: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    sums = _prefix(values)
    return sums[:, right] - sums[:, left]


def _positive(risk: np.ndarray, thresholds: Sequence[float], n: int) -> tuple[np.ndarray, np.ndarray]:
    """Odds of the thresholds, shape (T,), and who is at or above each, shape (n, T)."""
    risk, levels = np.asarray(risk, dtype=float), np.asarray(thresholds, dtype=float)
    if not len(levels) or not ((levels > 0) & (levels < 1)).all():
        raise DataError("thresholds must lie between 0 and 1", where="decision curve", todo="E.g. 0.05 to 0.5")
    if len(risk) != n or n == 0 or not ((risk >= 0) & (risk <= 1)).all():
        raise DataError("a predicted risk is missing or not between 0 and 1", where="decision curve",
                        todo="Pass one calibrated probability per patient, not a score")
    return levels / (1 - levels), risk[:, None] >= levels


def _curve_table(curves: _Curves, thresholds: Sequence[float], n: int, events: int, draws: int, seed: int,
                 confidence: float) -> pd.DataFrame:
    estimates = [values[0] for values in curves(np.ones((1, n)))]
    missing = np.full(len(thresholds), np.nan)
    limits = [(missing, missing)] * 2
    if draws:
        samples = [curves(weights) for weights in bootstrap_weights(n, draws, seed)]
        limits = [_limits(np.concatenate([part[k] for part in samples]), confidence) for k in range(2)]
    zero = np.zeros(len(thresholds))
    parts = [(strategy, values, lower, upper) for strategy, values, (lower, upper) in
             zip(STRATEGIES, [*estimates, zero], [*limits, (zero, zero)], strict=True)]
    return pd.concat([pd.DataFrame({"threshold": list(thresholds), "strategy": strategy, "net_benefit": values,
                                    "lower": lower, "upper": upper, "n": n, "events": events})
                      for strategy, values, lower, upper in parts], ignore_index=True)


def _limits(values: np.ndarray, confidence: float) -> tuple[np.ndarray, np.ndarray]:
    """Percentiles of each column; NaN where most samples have no value."""
    known = ~np.isnan(values)
    usable = known.mean(axis=0) >= 0.5
    edges = np.full((2, values.shape[1]), np.nan)
    if usable.any():
        edges[:, usable] = np.nanquantile(values[:, usable], [(1 - confidence) / 2, (1 + confidence) / 2], axis=0)
    return edges[0], edges[1]
