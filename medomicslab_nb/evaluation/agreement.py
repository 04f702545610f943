"""Agreement between ratings of the same subjects: intraclass correlation of many features at once.

Arrays are (subjects, raters, features).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.stats import f as f_distribution

Form = Literal["ICC(1,1)", "ICC(A,1)", "ICC(C,1)"]

_CONSTANT = 1e-24  # share of the mean square below which a sum of squares is rounding error


@dataclass(frozen=True)
class IntraclassCorrelation:
    """Intraclass correlation of each feature, each array of shape (n_features,).

    Attributes
    ----------
    estimate, lower, upper : ndarray
        NaN where it does not exist: a constant feature, fewer than two subjects, no subject rated twice.
    subjects : ndarray of int
        Subjects that counted.
    """

    estimate: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    subjects: np.ndarray


@dataclass(frozen=True)
class _MeanSquares:
    """Analysis of variance of each feature; ``k`` and ``n`` are raters and subjects."""

    n: np.ndarray
    k: np.ndarray
    rows: np.ndarray
    residual: np.ndarray
    residual_df: np.ndarray
    columns: np.ndarray


def intraclass_correlation(ratings: np.ndarray, *, form: Form = "ICC(1,1)", level: float = 0.95
                           ) -> IntraclassCorrelation:
    """Intraclass correlation of a single rating, with confidence limits [1]_ [2]_.

    Parameters
    ----------
    ratings : ndarray, shape (n_subjects, n_raters) or (n_subjects, n_raters, n_features)
        NaN where a rating is missing.
    form : str
        ``ICC(1,1)``: one-way random, raters are interchangeable (random perturbations). ``ICC(A,1)``: two-way,
        absolute agreement, ICC(2,1) in [1]_ (readers who stand for others). ``ICC(C,1)``: two-way, consistency,
        ICC(3,1) in [1]_ (a constant difference between readers does not count).
    level : float
        Level of the limits.

    Returns
    -------
    IntraclassCorrelation

    Notes
    -----
    Missing ratings: the one-way form takes all ratings of every subject, with the mean number of ratings
    ``(N - sum n_i**2 / N) / (n - 1)`` in place of the number of raters, and its limits are then approximate; the
    two-way forms leave out, feature by feature, subjects without all ratings. Ratings that are equal within every
    subject, but not between them, agree perfectly: 1, with limits 1.

    References
    ----------
    .. [1] Shrout PE, Fleiss JL. Intraclass correlations: uses in assessing rater reliability. Psychol Bull
       1979;86:420-428.
    .. [2] McGraw KO, Wong SP. Forming inferences about some intraclass correlation coefficients. Psychol Methods
       1996;1:30-46.
    """
    values = np.asarray(ratings, dtype=float)
    if values.ndim == 2:
        values = values[:, :, None]
    if values.ndim != 3:
        raise ValueError("ratings are (subjects, raters) or (subjects, raters, features)")
    with np.errstate(invalid="ignore", divide="ignore"):
        if form == "ICC(1,1)":
            squares = _one_way(values)
            limits = _limits_by_f(squares, level)
        else:
            squares = _two_way(values)
            limits = _limits_by_f(squares, level) if form == "ICC(C,1)" else _limits_of_agreement(squares, level)
        absolute = squares.k / squares.n * (squares.columns - squares.residual) if form == "ICC(A,1)" else 0.0
        estimate = ((squares.rows - squares.residual)
                    / (squares.rows + (squares.k - 1) * squares.residual + absolute))
    perfect = estimate == 1
    lower, upper = (np.where(perfect, 1.0, np.where(np.isnan(estimate), np.nan, limit)) for limit in limits)
    return IntraclassCorrelation(estimate, lower, upper, squares.n)


def _one_way(values: np.ndarray) -> _MeanSquares:
    given = ~np.isnan(values)
    ratings = given.sum(axis=1)  # of each subject, shape (n_subjects, n_features)
    n, total = (ratings > 0).sum(axis=0), ratings.sum(axis=0)
    filled = np.where(given, values, 0.0)
    means = filled.sum(axis=1) / np.maximum(ratings, 1)
    centre = filled.sum(axis=(0, 1)) / np.maximum(total, 1)
    between = (ratings * (means - centre) ** 2).sum(axis=0)
    within = (np.where(given, values - means[:, None], 0.0) ** 2).sum(axis=(0, 1))
    tiny = _CONSTANT * (filled ** 2).sum(axis=(0, 1))
    exists = (n > 1) & (total > n) & (between + within > tiny)
    between, within = np.where(exists, between, np.nan), np.where(within > tiny, within, 0.0)
    k = (total - (ratings ** 2).sum(axis=0) / total) / (n - 1)
    return _MeanSquares(n, k, between / (n - 1), within / (total - n), total - n, np.zeros_like(within))


def _two_way(values: np.ndarray) -> _MeanSquares:
    k = values.shape[1]
    complete = ~np.isnan(values).any(axis=1)  # shape (n_subjects, n_features)
    n = complete.sum(axis=0)
    filled = np.where(complete[:, None], values, 0.0)
    rows = filled.mean(axis=1)
    columns = filled.sum(axis=0) / np.maximum(n, 1)
    centre = columns.mean(axis=0)
    between = k * (np.where(complete, rows - centre, 0.0) ** 2).sum(axis=0)
    raters = n * ((columns - centre) ** 2).sum(axis=0)
    rest = filled - rows[:, None] - columns[None] + centre
    residual = (np.where(complete[:, None], rest, 0.0) ** 2).sum(axis=(0, 1))
    tiny = _CONSTANT * (filled ** 2).sum(axis=(0, 1))
    exists = (n > 1) & (k > 1) & (between + raters + residual > tiny)
    between = np.where(exists, np.where(between > tiny, between, 0.0), np.nan)
    raters, residual = np.where(raters > tiny, raters, 0.0), np.where(residual > tiny, residual, 0.0)
    freedom = (n - 1) * (k - 1)
    return _MeanSquares(n, np.full(n.shape, float(k)), between / (n - 1), residual / freedom, freedom,
                        raters / (k - 1))


def _limits_by_f(squares: _MeanSquares, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Limits of ICC(1,1) and ICC(C,1), from the ratio of mean squares."""
    ratio, tail = squares.rows / squares.residual, (1 + level) / 2
    low = ratio / f_distribution.ppf(tail, squares.n - 1, squares.residual_df)
    high = ratio * f_distribution.ppf(tail, squares.residual_df, squares.n - 1)
    return (low - 1) / (low + squares.k - 1), (high - 1) / (high + squares.k - 1)


def _limits_of_agreement(squares: _MeanSquares, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Limits of ICC(A,1), with Satterthwaite's degrees of freedom (table 7 of McGraw and Wong)."""
    n, k, rows, error, raters = squares.n, squares.k, squares.rows, squares.residual, squares.columns
    icc = (rows - error) / (rows + (k - 1) * error + k / n * (raters - error))
    a = k * icc / (n * (1 - icc))
    b = 1 + k * icc * (n - 1) / (n * (1 - icc))
    freedom = (a * raters + b * error) ** 2 / ((a * raters) ** 2 / (k - 1) + (b * error) ** 2 / squares.residual_df)
    tail = (1 + level) / 2
    low, high = f_distribution.ppf(tail, n - 1, freedom), f_distribution.ppf(tail, freedom, n - 1)
    rest = k * raters + (k * n - k - n) * error
    return n * (rows - low * error) / (low * rest + n * rows), n * (high * rows - error) / (rest + n * high * rows)
