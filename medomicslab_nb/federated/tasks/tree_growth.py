"""One tree on bins: where it splits, what its leaves hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from medomicslab_nb.federated.tasks.merged_bins import merged_ends

RIDGE = 1.0
"""Added to the hessian of a leaf, as XGBoost's lambda: a leaf of few patients moves little."""

_GAIN = 1e-6  # smallest gain of a split, as in XGBoost: below it is rounding
_NOBODY = np.iinfo(np.int32).max  # no bin is above


@dataclass(frozen=True)
class Splits:
    """Trees of full depth, their nodes by level: node i has the children 2 i + 1 and 2 i + 2.

    Attributes
    ----------
    column, bin : ndarray of int, shape (..., 2 ** depth - 1)
        Patients whose bin of this column is at most this one go left. A node that does not split has column -1 and a
        bin above all, so that everyone goes left.
    """

    column: np.ndarray
    bin: np.ndarray

    @classmethod
    def none(cls, depth: int) -> Self:
        """A tree that does not split."""
        return cls(np.full(2**depth - 1, -1), np.full(2**depth - 1, _NOBODY))


@dataclass(frozen=True)
class Leaves:
    """What the leaves of a tree hold.

    Attributes
    ----------
    count : ndarray of int, shape (2 ** depth,)
        Patients.
    gradient, hessian : ndarray, shape (2 ** depth,)
        Sums over them.
    """

    count: np.ndarray
    gradient: np.ndarray
    hessian: np.ndarray

    def merged(self, minimum: int) -> Leaves:
        """The same with no leaf of 1 to ``minimum`` - 1 patients, unless there are no more in all.

        From the bottom up: patients of a branch that holds too few count in the largest leaf of its sibling.
        """
        parts = [part.copy() for part in (self.count, self.gradient, self.hessian)]
        count, size = parts[0], 1
        while size < len(count):
            for start in range(0, len(count), 2 * size):
                pair = slice(start, start + size), slice(start + size, start + 2 * size)
                small, large = sorted(pair, key=lambda branch: int(count[branch].sum()))
                if 0 < count[small].sum() < minimum:
                    largest = large.start + int(count[large].argmax())
                    for part in parts:
                        part[largest] += part[small].sum()
                        part[small] = 0
            size *= 2
        return Leaves(*parts)


def bins_of(matrix: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Bin of each value, int, shape of ``matrix``: how many of its column's edges lie below it."""
    bins = np.empty(matrix.shape, dtype=int)
    for number, row in enumerate(edges):
        bins[:, number] = np.searchsorted(row, matrix[:, number], side="left")
    return bins


def without_few(bins: np.ndarray, minimum: int) -> np.ndarray:
    """The same with neighbouring bins of a column taken for the last of them, so that each holds enough patients."""
    coarse = np.empty_like(bins)
    for number, column in enumerate(bins.T):
        ends = merged_ends(np.bincount(column)[:, None], minimum)
        last = np.asarray(ends) - 1
        coarse[:, number] = last[np.searchsorted(last, column)]
    return coarse


def leaf_of(bins: np.ndarray, splits: Splits) -> np.ndarray:
    """Leaf of each patient in each tree, int, shape (n_patients, n_trees); splits have shape (n_trees, n_splits)."""
    patients, trees = np.arange(len(bins))[:, None], np.arange(len(splits.column))[None, :]
    node = np.zeros((len(bins), len(splits.column)), dtype=int)
    size = splits.column.shape[1]
    for _ in range(size.bit_length()):
        right = bins[patients, splits.column[trees, node]] > splits.bin[trees, node]
        node = 2 * node + 1 + right
    return np.asarray(node - size)


def leaves_of(bins: np.ndarray, gradient: np.ndarray, hessian: np.ndarray, splits: Splits) -> Leaves:
    """What the leaves of one tree hold of these patients."""
    size = len(splits.column) + 1
    leaf = leaf_of(bins, Splits(splits.column[None], splits.bin[None]))[:, 0]
    return Leaves(np.bincount(leaf, minlength=size), np.bincount(leaf, gradient, size),
                  np.bincount(leaf, hessian, size))


def gain_of(leaves: Leaves) -> float:
    """Twice what the tree takes off the loss, compared with one leaf."""
    return float(_worth(leaves.gradient, leaves.hessian).sum() - _worth(leaves.gradient.sum(), leaves.hessian.sum()))


def grow(bins: np.ndarray, gradient: np.ndarray, hessian: np.ndarray, depth: int, minimum: int) -> Splits:
    """The tree of greedy splits, each with at least ``minimum`` patients on either side.

    Of splits of the same gain the one of the first column and lowest bin is taken.

    Parameters
    ----------
    bins : ndarray of int, shape (n_patients, n_columns)
    gradient, hessian : ndarray, shape (n_patients,)
        Of the loss by each patient's score.
    """
    size = int(bins.max(initial=0)) + 1
    splits, node = Splits.none(depth), np.zeros(len(bins), dtype=int)
    for here in range(len(splits.column)):  # parents come before their children
        rows = np.flatnonzero(node == here)
        best = _best_split(bins[rows], gradient[rows], hessian[rows], size, max(minimum, 1))
        if best is not None:
            splits.column[here], splits.bin[here] = best
        node[rows] = 2 * here + 1 + (bins[rows, splits.column[here]] > splits.bin[here])
    return splits


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
