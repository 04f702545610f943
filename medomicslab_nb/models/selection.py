"""Selection of prepared columns by their relation with the outcome, and representatives of correlated ones.

Everything takes a finite matrix (patients, columns) of training rows and gives columns by position, best first. Ties
go to the column that comes first.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform
from scipy.stats import rankdata
from sklearn.feature_selection import f_classif, f_regression

from medomicslab_nb.evaluation.endpoints import Endpoint

SUBSAMPLES = 50
"""Halves of the training patients on which stability selection repeats the univariate one."""

WIDEST = 5000
"""Columns up to which all pairs are clustered; of more, near duplicates are left out one after the other."""

_CHUNK = 1024  # columns at once: running sums of more leave the cache
_CANDIDATES = 1000  # columns among which stability selection looks, the best of the whole training set


@dataclass(frozen=True)
class Selection:
    """Columns by position, best first, and how often each was among the best.

    Attributes
    ----------
    order : ndarray of int, shape (n_selected,)
    frequency : ndarray, shape (n_columns,), or None
        Stability selection: share of the subsamples.
    """

    order: np.ndarray
    frequency: np.ndarray | None = None


def select(matrix: np.ndarray, endpoint: Endpoint, method: str, count: int, *, seed: int = 0) -> Selection:
    """The best columns by one of the methods ``univariate``, ``mrmr`` and ``stability``.

    Parameters
    ----------
    matrix : ndarray, shape (n_patients, n_columns)
        Training rows, in the order of the endpoint.
    count : int
        Columns to keep; all when there are fewer.
    seed : int
        Of the subsamples.
    """
    if method == "mrmr":
        return Selection(mrmr(matrix, endpoint, count))
    if method == "stability":
        frequency = stability_frequency(matrix, endpoint, count, seed=seed)
        order = np.lexsort((-univariate_scores(matrix, endpoint), -frequency))  # the last key is the first criterion
        return Selection(order[:count], frequency)
    return Selection(_best(univariate_scores(matrix, endpoint), count))


def univariate_scores(matrix: np.ndarray, endpoint: Endpoint) -> np.ndarray:
    """How strongly each column alone is related to the outcome, shape (n_columns,): higher is stronger.

    Classes: F of the analysis of variance; continuous: F of the linear regression; survival: chi-squared of
    :func:`cox_score_test`. 0 where a column, or the outcome, is constant; infinite where a column gives the outcome
    away.
    """
    if endpoint.kind == "survival":
        assert endpoint.time is not None
        return cox_score_test(matrix, endpoint.outcome, endpoint.time, endpoint.entry)
    if len(np.unique(endpoint.outcome)) < 2:
        return np.zeros(matrix.shape[1])
    test = f_regression if endpoint.kind == "continuous" else f_classif
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # constant columns of a subsample; they get 0 below
        scores = test(matrix, endpoint.outcome)[0]
    return np.nan_to_num(np.where(np.ptp(matrix, axis=0) > 0, scores, 0.0), nan=0.0, posinf=np.inf)


def cox_score_test(matrix: np.ndarray, event: np.ndarray, time: np.ndarray, entry: np.ndarray | None = None
                   ) -> np.ndarray:
    """Chi-squared of the score test of each column's univariate Cox model at coefficient 0, shape (n_columns,).

    Breslow's ties; with two groups it is the log-rank test but for the variance of ties. A patient is at risk from
    after ``entry`` to ``time``, both given in the same unit. 0 for a constant column and without events.
    """
    times, deaths = np.unique(time[event], return_counts=True)
    if not len(times):
        return np.zeros(matrix.shape[1])
    leaving, first = _by_time(time, times)
    at_risk = len(time) - first
    entering, late = (None, None) if entry is None else _by_time(entry, times)
    if late is not None:
        at_risk = at_risk - (len(time) - late)
    scores = np.empty(matrix.shape[1])
    for start in range(0, matrix.shape[1], _CHUNK):
        columns = matrix[:, start:start + _CHUNK]
        columns = columns - columns.mean(axis=0)
        sums, squares = (_sums_from(part, leaving, first) for part in (columns, columns ** 2))
        if late is not None:
            sums -= _sums_from(columns, entering, late)
            squares -= _sums_from(columns ** 2, entering, late)
        mean = sums / at_risk[:, None]
        observed = columns[event].sum(axis=0)
        variance = deaths @ (squares / at_risk[:, None] - mean ** 2)
        tiny = 1e-12 * len(time) * (columns ** 2).mean(axis=0)
        usable = variance > tiny
        scores[start:start + _CHUNK] = np.where(
            usable, (observed - deaths @ mean) ** 2 / np.where(usable, variance, 1.0), 0.0)
    return scores


def _by_time(values: np.ndarray, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows by value, and the position in that order from which values are at least each time."""
    order = np.argsort(values, kind="stable")
    return order, np.searchsorted(values[order], times)


def _sums_from(columns: np.ndarray, order: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Sums of the ordered rows from each position on, shape (n_times, n_columns)."""
    running = np.zeros((len(order) + 1, columns.shape[1]))
    np.cumsum(columns[order[::-1]], axis=0, out=running[1:])
    return running[len(order) - first]


def mrmr(matrix: np.ndarray, endpoint: Endpoint, count: int) -> np.ndarray:
    """Minimum redundancy, maximum relevance: positions of the columns, in the order of their choice.

    One after the other, the column with the highest univariate score, divided by its mean absolute correlation with
    those already chosen [1]_ (the quotient FCQ). A mean below 1 / sqrt(n), which columns without any relation have
    by chance, counts as that: otherwise chance would choose.

    References
    ----------
    .. [1] Ding C, Peng H. Minimum redundancy feature selection from microarray gene expression data. J Bioinform
       Comput Biol 2005;3:185-205.
    """
    relevance = np.minimum(univariate_scores(matrix, endpoint), 1e300)
    standard = _standardised(matrix)
    redundancy = np.zeros(matrix.shape[1])
    chance = 1 / np.sqrt(max(len(matrix), 1))
    chosen: list[int] = []
    free = np.ones(matrix.shape[1], dtype=bool)
    while len(chosen) < min(count, matrix.shape[1]):
        mean = np.maximum(redundancy / len(chosen), chance) if chosen else 1.0
        best = int(np.argmax(np.where(free, relevance / mean, -1.0)))
        chosen.append(best)
        free[best] = False
        redundancy += np.abs(standard[:, best] @ standard)
    return np.array(chosen, dtype=int)


def stability_frequency(matrix: np.ndarray, endpoint: Endpoint, count: int, *, seed: int = 0,
                        subsamples: int = SUBSAMPLES) -> np.ndarray:
    """Share of random halves of the patients in which a column is among the ``count`` best, shape (n_columns,).

    Stability selection [1]_ around univariate selection; halves are stratified by outcome. Only the 1,000 columns
    that are best in all patients can be chosen.

    References
    ----------
    .. [1] Meinshausen N, Buehlmann P. Stability selection. J R Stat Soc B 2010;72:417-473.
    """
    candidates = _best(univariate_scores(matrix, endpoint), max(_CANDIDATES, 2 * count))
    columns, rng = matrix[:, candidates], np.random.default_rng(seed)
    hits = np.zeros(len(candidates))
    for _ in range(subsamples):
        rows = _half(endpoint.strata, rng)
        scores = univariate_scores(columns[rows], endpoint.take(rows))
        best = _best(scores, count)
        hits[best[scores[best] > 0]] += 1
    frequency = np.zeros(matrix.shape[1])
    frequency[candidates] = hits / subsamples
    return frequency


def _half(strata: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Half of the rows of each stratum, sorted; an odd one is in by chance."""
    parts = []
    for stratum in np.unique(strata):
        rows = rng.permutation(np.flatnonzero(strata == stratum))
        parts.append(rows[:(len(rows) + int(rng.integers(2))) // 2])
    return np.sort(np.concatenate(parts))


def representatives(matrix: np.ndarray, threshold: float) -> np.ndarray:
    """Columns that stand for the others, by position and sorted.

    Columns are clustered so that all pairs of a cluster have an absolute Spearman correlation of at least
    ``threshold`` (complete linkage); of each cluster, the one with the highest mean correlation is kept. With more
    than 5,000 columns, a column is left out instead when it reaches the threshold with one before it that was kept.
    """
    n_columns = matrix.shape[1]
    if n_columns < 2:
        return np.arange(n_columns)
    standard = _standardised(rankdata(matrix, axis=0))
    if n_columns > WIDEST:
        return _without_near_duplicates(standard, threshold)
    correlation = np.minimum(np.abs(standard.T @ standard), 1.0)
    distance = 1.0 - correlation
    np.fill_diagonal(distance, 0.0)
    tree = linkage(squareform(distance, checks=False), method="complete")
    cluster = fcluster(tree, 1.0 - threshold + 1e-9, criterion="distance")
    kept = []
    for members in np.split(np.argsort(cluster, kind="stable"), np.cumsum(np.bincount(cluster)[1:])[:-1]):
        kept.append(members[np.argmax(np.round(correlation[np.ix_(members, members)].mean(axis=1), 9))])
    return np.sort(np.array(kept, dtype=int))


def _without_near_duplicates(standard: np.ndarray, threshold: float) -> np.ndarray:
    kept = np.empty(0, dtype=int)
    for start in range(0, standard.shape[1], _CHUNK):
        block = np.arange(start, min(start + _CHUNK, standard.shape[1]))
        if len(kept):
            near = np.abs(standard[:, kept].T @ standard[:, block]).max(axis=0) >= threshold
            block = block[~near]
        within = np.abs(standard[:, block].T @ standard[:, block]) >= threshold
        free = np.ones(len(block), dtype=bool)
        for position in range(len(block)):
            if free[position]:
                free[position + 1:] &= ~within[position, position + 1:]
        kept = np.concatenate([kept, block[free]])
    return kept


def _best(scores: np.ndarray, count: int) -> np.ndarray:
    return np.argsort(-scores, kind="stable")[:count]


def _standardised(matrix: np.ndarray) -> np.ndarray:
    """Columns with mean 0 and length 1, so that a product is a correlation; constant ones are 0."""
    centred = matrix - matrix.mean(axis=0)
    length = np.sqrt((centred ** 2).sum(axis=0))
    return centred / np.where(length > 0, length, 1.0)
