"""Confidence intervals: bootstrap of patients, and the corrected resampled t for cross-validation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student

_CHUNK = 4_000_000  # cells of a chunk of bootstrap weights


@dataclass(frozen=True)
class Interval:
    """An estimate with its confidence limits, and the p-value against the value under the null, where asked for."""

    estimate: float
    lower: float
    upper: float
    p: float = float("nan")


def corrected_resampled_t(values: np.ndarray, *, n_train: float, n_test: float, confidence: float = 0.95,
                          null: float = 0.0, bounds: tuple[float, float] = (-np.inf, np.inf)) -> Interval:
    """Mean over the folds of a repeated cross-validation with an interval that allows for shared training patients.

    The variance of the mean of J folds is ``(1 / J + n_test / n_train) s^2``, with J - 1 degrees of freedom [1]_.

    Parameters
    ----------
    values : ndarray, shape (J,)
        One value per fold; NaN where the measure does not exist: such folds are left out.
    n_train, n_test : float
        Mean numbers of patients in training and test folds.
    null : float
        Value that the p-value (two-sided) is against.
    bounds : tuple of float
        Values beyond which the measure does not exist; limits are cut there.

    Returns
    -------
    Interval
        Limits and p are NaN with fewer than two folds. With no variance the limits are the mean itself.

    References
    ----------
    .. [1] Nadeau C, Bengio Y. Inference for the generalization error. Mach Learn 2003;52:239-281.
    """
    values = np.asarray(values, dtype=float)
    values = values[~np.isnan(values)]
    if len(values) < 2:
        return Interval(float(values[0]) if len(values) else float("nan"), float("nan"), float("nan"))
    mean = float(values.mean())
    error = corrected_standard_error(values, n_train=n_train, n_test=n_test)
    freedom = len(values) - 1
    width = float(student.ppf((1 + confidence) / 2, freedom)) * error
    if error == 0:
        return Interval(mean, mean, mean, float(mean == null))
    p = float(2 * student.sf(abs(mean - null) / error, freedom))
    return Interval(mean, max(bounds[0], mean - width), min(bounds[1], mean + width), p)


def corrected_standard_error(values: np.ndarray, *, n_train: float, n_test: float) -> float:
    """Standard error of the mean over folds; see :func:`corrected_resampled_t`. Needs two values or more."""
    return float(np.sqrt((1 / len(values) + n_test / n_train) * np.var(values, ddof=1)))


def bootstrap_auc(observed: np.ndarray, scores: np.ndarray, *, draws: int = 1000, seed: int = 0,
                  confidence: float = 0.95) -> Interval:
    """AUC with a percentile interval over bootstrap samples of patients.

    Parameters
    ----------
    observed : ndarray of bool, shape (n,)
    scores : ndarray, shape (n,) or (n, repeats)
        With several columns the mean of their AUCs is estimated; a sample takes the same patients in all.

    Returns
    -------
    Interval
        Samples with one class only are left out of the limits.
    """
    columns = _columns(scores)
    estimate = np.mean([_weighted_auc(np.ones((1, len(observed))), observed, score) for score in columns])
    values = [np.mean([_weighted_auc(weights, observed, score) for score in columns], axis=0)
              for weights in bootstrap_weights(len(observed), draws, seed)]
    return _percentile(float(estimate), np.concatenate(values), confidence)


def bootstrap_c_index(event: np.ndarray, time: np.ndarray, scores: np.ndarray, *, draws: int = 1000, seed: int = 0,
                      confidence: float = 0.95) -> Interval:
    """C-index with a percentile interval over bootstrap samples of patients; see :func:`bootstrap_auc`.

    Needs n x n memory: meant for up to some thousand patients.
    """
    comparable = comparable_pairs(event, time).astype(np.float32)
    columns = [comparable * _concordance(score) for score in _columns(scores)]
    ones = np.ones((1, len(event)), dtype=np.float32)
    estimate = np.mean([_weighted_pairs(ones, pairs, comparable) for pairs in columns])
    values = [np.mean([_weighted_pairs(weights.astype(np.float32), pairs, comparable) for pairs in columns], axis=0)
              for weights in bootstrap_weights(len(event), draws, seed)]
    return _percentile(float(estimate), np.concatenate(values), confidence)


def bootstrap_weights(n: int, draws: int, seed: int) -> Iterator[np.ndarray]:
    """How often each patient is in each bootstrap sample: chunks of shape (samples, n) that add up to ``draws``."""
    rng = np.random.default_rng(seed)
    size = max(1, _CHUNK // n)
    for start in range(0, draws, size):
        count = min(size, draws - start)
        drawn = rng.integers(n, size=(count, n)) + n * np.arange(count)[:, None]
        yield np.bincount(drawn.ravel(), minlength=count * n).reshape(count, n).astype(float)


def comparable_pairs(event: np.ndarray, time: np.ndarray) -> np.ndarray:
    """Pairs (i, j) in which i is known to have had the event first: bool, shape (n, n).

    i had the event before j's time, or at the same time at which j's follow-up ended without it.
    """
    earlier = time[:, None] < time[None, :]
    same = (time[:, None] == time[None, :]) & ~event[None, :]
    return event[:, None] & (earlier | same)


def _columns(scores: np.ndarray) -> list[np.ndarray]:
    return list(np.asarray(scores, dtype=float).reshape(len(scores), -1).T)


def _concordance(score: np.ndarray) -> np.ndarray:
    """1 where i scores higher than j, one half in ties, shape (n, n)."""
    difference = score[:, None] - score[None, :]
    # Ties are judged as scikit-survival does: equal within 1e-8.
    tied = np.abs(difference) <= 1e-8
    return np.where(tied, 0.5, difference > 0).astype(np.float32)


def _weighted_pairs(weights: np.ndarray, concordant: np.ndarray, comparable: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        return ((weights @ concordant) * weights).sum(axis=1) / ((weights @ comparable) * weights).sum(axis=1)


def _weighted_auc(weights: np.ndarray, observed: np.ndarray, score: np.ndarray) -> np.ndarray:
    """AUC of each weighted sample, shape (samples,), by the Mann-Whitney statistic with ties counted half."""
    order = np.argsort(score, kind="stable")
    starts = np.flatnonzero(np.diff(score[order], prepend=-np.inf))
    cases = np.add.reduceat(weights[:, order] * observed[order], starts, axis=1)
    others = np.add.reduceat(weights[:, order] * ~observed[order], starts, axis=1)
    below = np.cumsum(others, axis=1) - others / 2
    with np.errstate(invalid="ignore"):
        return (cases * below).sum(axis=1) / (cases.sum(axis=1) * others.sum(axis=1))


def _percentile(estimate: float, values: np.ndarray, confidence: float) -> Interval:
    values = values[~np.isnan(values)]
    if not len(values):
        return Interval(estimate, float("nan"), float("nan"))
    lower, upper = np.quantile(values, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(estimate, float(lower), float(upper))
