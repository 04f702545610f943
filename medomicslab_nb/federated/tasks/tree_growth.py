"""One tree grown on bins: where it splits and what its leaves hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

RIDGE = 1.0
"""Added to the hessian of a leaf, as XGBoost's lambda: a leaf of few patients moves little."""

_GAIN = 1e-6  # smallest gain of a split, as in XGBoost: below it is rounding


@dataclass(frozen=True)
class Tree:
    """A tree of full depth, its nodes by level: node i has the children 2 i + 1 and 2 i + 2.

    Attributes
    ----------
    column, bin : ndarray of int, shape (2 ** depth - 1,)
        Patients whose bin of this column is at most this one go left. A node that does not split has column -1 and a
        bin above all, so that everyone goes left.
    gradient, hessian : ndarray, shape (2 ** depth,)
        Sums over the patients of each leaf; 0 where nobody comes.
    count : ndarray of int, shape (2 ** depth,)
    """

    column: np.ndarray
    bin: np.ndarray
    gradient: np.ndarray
    hessian: np.ndarray
    count: np.ndarray


def bins_of(matrix: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Bin of each value, int, shape of ``matrix``: how many of its column's edges lie below it."""
    bins = np.empty(matrix.shape, dtype=int)
    for number, row in enumerate(edges):
        bins[:, number] = np.searchsorted(row, matrix[:, number], side="left")
    return bins


def leaf_of(bins: np.ndarray, column: np.ndarray, bin_of_split: np.ndarray) -> np.ndarray:
    """Leaf of each patient in each tree, int, shape (n_patients, n_trees); splits have shape (n_trees, splits)."""
    patients, trees = np.arange(len(bins))[:, None], np.arange(len(column))[None, :]
    node = np.zeros((len(bins), len(column)), dtype=int)
    splits = column.shape[1]
    for _ in range(splits.bit_length()):
        right = bins[patients, column[trees, node]] > bin_of_split[trees, node]
        node = 2 * node + 1 + right
    return np.asarray(node - splits)


def grow(bins: np.ndarray, gradient: np.ndarray, hessian: np.ndarray, depth: int, minimum: int) -> Tree:
    """The tree that greedy splits give, each with at least ``minimum`` patients on either side.

    Of splits of the same gain the one of the first column and lowest bin is taken. With depth 0 the tree is one leaf.

    Parameters
    ----------
    bins : ndarray of int, shape (n_patients, n_columns)
    gradient, hessian : ndarray, shape (n_patients,)
        Of the loss by each patient's score.
    """
    size = int(bins.max(initial=0)) + 1
    column, split = np.full(2**depth - 1, -1), np.full(2**depth - 1, np.iinfo(np.int32).max)
    node = np.zeros(len(bins), dtype=int)
    for here in range(len(column)):  # parents come before their children
        rows = np.flatnonzero(node == here)
        best = _best_split(bins[rows], gradient[rows], hessian[rows], size, max(minimum, 1))
        if best is not None:
            column[here], split[here] = best
        node[rows] = 2 * here + 1 + (bins[rows, column[here]] > split[here])
    leaf = node - len(column)
    sums = [np.bincount(leaf, weights, 2**depth) for weights in (gradient, hessian)]
    return Tree(column, split, sums[0], sums[1], np.bincount(leaf, minlength=2**depth))


def _best_split(bins: np.ndarray, gradient: np.ndarray, hessian: np.ndarray, size: int,
                minimum: int) -> tuple[int, int] | None:
    """Column and bin of the split with the largest gain, None if none is allowed or worth it."""
    if len(bins) < 2 * minimum:
        return None
    count, left_gradient, left_hessian = (
        _cumulated(bins, weights, size) for weights in (np.ones(len(bins)), gradient, hessian))
    gain = (_worth(left_gradient, left_hessian)
            + _worth(gradient.sum() - left_gradient, hessian.sum() - left_hessian)
            - _worth(gradient.sum(), hessian.sum()))
    gain[(count < minimum) | (len(bins) - count < minimum)] = -np.inf
    best = int(gain.argmax())
    return (best // size, best % size) if gain.flat[best] > _GAIN else None


def _cumulated(bins: np.ndarray, weights: np.ndarray, size: int) -> np.ndarray:
    """Sum of weights up to each bin of each column, shape (n_columns, size)."""
    columns = bins.shape[1]
    place = (bins + size * np.arange(columns)).ravel()
    return np.bincount(place, np.repeat(weights, columns), columns * size).reshape(columns, size).cumsum(axis=1)


def _worth(gradient: Any, hessian: Any) -> Any:
    """Twice what a leaf takes off the loss."""
    return gradient**2 / (hessian + RIDGE)
