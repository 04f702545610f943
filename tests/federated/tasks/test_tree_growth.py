"""A tree on bins: known splits, and what must hold for every tree."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st

from medomicslab_nb.federated.tasks.tree_growth import Leaves, bins_of, gain_of, grow, leaves_of, without_few


def test_a_bin_ends_at_its_edge() -> None:
    edges = np.array([[1.0, 2.0, np.inf], [0.5, np.inf, np.inf]])
    matrix = np.array([[0.0, 0.0], [1.0, 0.5], [1.5, 1.0], [2.0, 1.0], [9.0, 1.0]])
    assert bins_of(matrix, edges).tolist() == [[0, 0], [0, 0], [1, 1], [1, 1], [2, 1]]


@given(seed=st.integers(0, 1000), minimum=st.integers(1, 9), size=st.integers(9, 60))
def test_two_cuts_of_a_column_have_nobody_or_enough_between_them(seed: int, minimum: int, size: int) -> None:
    bins = np.random.default_rng(seed).integers(0, 12, (size, 2))
    coarse = without_few(bins, minimum)
    for column in coarse.T:
        below = [(column <= cut).sum() for cut in range(12)]
        between = np.subtract.outer(below, below)
        assert ((between <= 0) | (between >= minimum)).all()
    assert (coarse >= bins).all() and (minimum > 1 or np.array_equal(coarse, bins))


def test_the_obvious_split_is_found() -> None:
    bins = np.array([[0, 3], [1, 0], [2, 3], [3, 0]] * 5)
    gradient = np.where(bins[:, 0] <= 1, -1.0, 1.0)
    splits = grow(bins, gradient, np.ones(20), depth=1, minimum=1)
    assert (splits.column.tolist(), splits.bin.tolist()) == ([0], [1])
    leaves = leaves_of(bins, gradient, np.ones(20), splits)
    assert leaves.gradient.tolist() == [-10.0, 10.0] and leaves.count.tolist() == [10, 10]
    assert gain_of(leaves) == pytest.approx(2 * 100 / 11)


def test_a_small_group_is_not_split_off() -> None:
    bins = np.array([[0]] * 4 + [[1]] * 16)
    gradient = np.where(bins[:, 0] == 0, -1.0, 1.0)
    assert grow(bins, gradient, np.ones(20), depth=1, minimum=4).column.tolist() == [0]
    splits = grow(bins, gradient, np.ones(20), depth=1, minimum=5)
    assert splits.column.tolist() == [-1]
    assert leaves_of(bins, gradient, np.ones(20), splits).count.tolist() == [20, 0]


def test_without_any_signal_there_is_one_leaf() -> None:
    bins = np.array([[0], [1]] * 10)
    splits = grow(bins, np.zeros(20), np.ones(20), 3, 1)
    assert leaves_of(bins, np.zeros(20), np.ones(20), splits).count.tolist() == [20, *[0] * 7]


@pytest.mark.parametrize(("count", "merged"), [
    ([9, 3, 20, 8], [12, 0, 20, 8]),  # into the sibling
    ([2, 1, 20, 8], [0, 0, 23, 8]),  # the whole branch, into the largest leaf of the other
    ([4, 4, 20, 8], [0, 8, 20, 8]),  # together enough
    ([0, 9, 1, 0], [0, 10, 0, 0]),
    ([1, 1, 1, 1], [0, 0, 0, 4]),  # nothing helps: the site refuses
])
def test_few_patients_count_in_the_neighbouring_branch(count: list[int], merged: list[int]) -> None:
    leaves = Leaves(np.array(count), np.array(count) * 0.5, np.array(count) * 0.25).merged(5)
    assert leaves.count.tolist() == merged
    assert leaves.gradient.tolist() == [0.5 * n for n in merged] and leaves.hessian.tolist() == [0.25 * n
                                                                                               for n in merged]


@given(seed=st.integers(0, 1000), depth=st.integers(0, 4), minimum=st.integers(1, 12), size=st.integers(1, 60))
def test_every_leaf_is_empty_or_large_enough(seed: int, depth: int, minimum: int, size: int) -> None:
    generator = np.random.default_rng(seed)
    bins = generator.integers(0, 5, (size, 3))
    gradient, hessian = generator.normal(size=size), generator.uniform(0.1, 1, size)
    splits = grow(bins, gradient, hessian, depth, minimum)
    own = leaves_of(bins, gradient, hessian, splits)
    others = leaves_of(generator.integers(0, 5, (size, 3)), gradient, hessian, splits).merged(minimum)
    for leaves in (own, others):
        held = leaves.count[leaves.count > 0]
        assert held.sum() == size and (len(held) == 1 or held.min() >= minimum)
        assert leaves.gradient.sum() == pytest.approx(gradient.sum()) and not leaves.hessian[leaves.count == 0].any()
    assert gain_of(own) >= 0
