"""Neighbouring bins made one until every count that leaves a site is zero or large enough."""

from __future__ import annotations

import numpy as np


def merged_ends(counts: np.ndarray, minimum: int) -> np.ndarray:
    """Where groups of neighbouring bins end, so that no group counts 1 to ``minimum - 1`` patients of a kind.

    A group is as small as it can be from the left. Before a bin that holds enough by itself, the few join the group
    before them where fewer patients then count in bins that are not theirs: where many share a value, such as the end
    of follow-up, they are not spread over others. What is left over at the right joins the last group, and empty bins
    after that are groups of their own. Where even all bins together count too few of a kind, the filled ones are one
    group all the same: the site's policy refuses it.

    Parameters
    ----------
    counts : ndarray of int, shape (n_bins, n_kinds)
        Patients of each kind, e.g. with an event and censored.

    Returns
    -------
    ndarray of int, shape (n_groups,)
        The bin after the last one of each group; the last is ``n_bins``.
    """
    total = np.concatenate([np.zeros((1, counts.shape[1]), dtype=int), np.cumsum(counts, axis=0)])

    def may_leave(start: int, end: int) -> bool:
        group = total[end] - total[start]
        return bool(np.all((group == 0) | (group >= minimum)))

    def spread(start: int, end: int) -> int:
        return int((total[end] - total[start]).sum()) * (end - start)

    filled = np.flatnonzero(counts.any(axis=1))
    last = int(filled[-1]) + 1 if len(filled) else 0
    ends = [0]
    for end in range(1, last + 1):
        if not may_leave(ends[-1], end):
            continue
        if ends[-1] < end - 1 and may_leave(end - 1, end):
            start = next((start for start in reversed(ends) if may_leave(start, end - 1)), None)
            if start is not None and spread(start, end - 1) < spread(ends[-1], end):
                ends = [*ends[:ends.index(start) + 1], end - 1]
        ends.append(end)
    while ends[-1] != last and len(ends) > 1 and not may_leave(ends[-1], last):
        ends.pop()
    joined = [last] if ends[-1] != last else []
    return np.array([*ends[1:], *joined, *range(last + 1, len(counts) + 1)], dtype=int)


def group_sums(counts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Sums of the counts over the groups that end there, shape (n_groups, n_kinds)."""
    starts = np.concatenate([[0], ends[:-1]]).astype(int)
    return np.add.reduceat(counts, starts, axis=0)


def in_words(cells: int, minimum: int) -> str:
    """How many bins, and that none of them holds few."""
    return f"{cells} bins of {minimum} or more or of nobody" if minimum > 1 else f"{cells} bins"
