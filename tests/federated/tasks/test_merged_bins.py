"""Bins are merged until no count is small, and not further than that."""

from __future__ import annotations

import numpy as np
from hypothesis import given, strategies as st
from hypothesis.extra.numpy import arrays

from medomicslab_nb.federated.tasks.merged_bins import group_sums, merged_ends

COUNTS = arrays(int, st.tuples(st.integers(1, 12), st.integers(1, 2)), elements=st.integers(0, 9))


def test_by_hand():
    counts = np.array([[0], [7], [2], [0], [4], [0], [1]])
    assert merged_ends(counts, 5).tolist() == [1, 2, 7]
    assert group_sums(counts, np.array([1, 2, 7])).tolist() == [[0], [7], [7]]


def test_a_bin_that_many_share_stays_by_itself():
    assert merged_ends(np.array([[6], [0], [1], [2], [40], [1]]), 5).tolist() == [4, 6]
    assert merged_ends(np.array([[6], [0], [0], [3], [0], [40]]), 5).tolist() == [5, 6]
    assert merged_ends(np.array([[40], [0], [0], [3], [0], [10]]), 5).tolist() == [1, 2, 3, 6]  # more are in the first
    assert merged_ends(np.array([[2], [40], [30]]), 5).tolist() == [2, 3]  # nobody before whom the first could join


def test_both_kinds_must_be_large_enough():
    counts = np.array([[5, 1], [0, 4], [5, 0]])
    assert merged_ends(counts, 5).tolist() == [2, 3]


def test_what_is_left_over_joins_the_groups_before():
    assert merged_ends(np.array([[5, 0], [0, 6], [0, 2], [1, 0]]), 5).tolist() == [4]


def test_empty_bins_at_the_end_stay_apart():
    assert merged_ends(np.array([[0], [6], [2], [0], [0]]), 5).tolist() == [1, 3, 4, 5]
    assert merged_ends(np.array([[0], [0]]), 5).tolist() == [1, 2]


def test_nothing_is_merged_where_every_count_may_leave():
    assert merged_ends(np.array([[1], [0], [3]]), 1).tolist() == [1, 2, 3]


@given(COUNTS, st.integers(1, 6))
def test_no_small_count_leaves(counts, minimum):
    ends = merged_ends(counts, minimum)
    sums = group_sums(counts, ends)
    assert (sums.sum(axis=0) == counts.sum(axis=0)).all() and ends[-1] == len(counts) and (np.diff(ends) > 0).all()
    total = counts.sum(axis=0)
    possible = ((total == 0) | (total >= minimum)).all()
    small = ((sums > 0) & (sums < minimum)).any()
    assert small == (not possible)
    assert possible or (sums.sum(axis=1) > 0).sum() == 1
