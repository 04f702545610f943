"""A tree on bins: known splits, and what must hold for every tree."""

from __future__ import annotations

import numpy as np
from hypothesis import given, strategies as st

from medomicslab_nb.federated.tasks.tree_growth import bins_of, grow, leaf_of


def test_a_bin_ends_at_its_edge() -> None:
    edges = np.array([[1.0, 2.0, np.inf], [0.5, np.inf, np.inf]])
    matrix = np.array([[0.0, 0.0], [1.0, 0.5], [1.5, 1.0], [2.0, 1.0], [9.0, 1.0]])
    assert bins_of(matrix, edges).tolist() == [[0, 0], [0, 0], [1, 1], [1, 1], [2, 1]]


def test_the_obvious_split_is_found() -> None:
    bins = np.array([[0, 3], [1, 0], [2, 3], [3, 0]] * 5)
    gradient = np.where(bins[:, 0] <= 1, -1.0, 1.0)
    tree = grow(bins, gradient, np.ones(20), depth=1, minimum=1)
    assert (tree.column.tolist(), tree.bin.tolist()) == ([0], [1])
    assert tree.gradient.tolist() == [-10.0, 10.0] and tree.count.tolist() == [10, 10]


def test_a_small_group_is_not_split_off() -> None:
    bins = np.array([[0]] * 4 + [[1]] * 16)
    gradient = np.where(bins[:, 0] == 0, -1.0, 1.0)
    assert grow(bins, gradient, np.ones(20), depth=1, minimum=4).column.tolist() == [0]
    tree = grow(bins, gradient, np.ones(20), depth=1, minimum=5)
    assert tree.column.tolist() == [-1] and tree.count.tolist() == [20, 0]


def test_without_any_signal_there_is_one_leaf() -> None:
    assert grow(np.array([[0], [1]] * 10), np.zeros(20), np.ones(20), 3, 1).count.tolist() == [20, *[0] * 7]


@given(seed=st.integers(0, 1000), depth=st.integers(0, 4), minimum=st.integers(1, 12), size=st.integers(1, 60))
def test_every_leaf_is_empty_or_large_enough(seed: int, depth: int, minimum: int, size: int) -> None:
    generator = np.random.default_rng(seed)
    bins = generator.integers(0, 5, (size, 3))
    gradient, hessian = generator.normal(size=size), generator.uniform(0.1, 1, size)
    tree = grow(bins, gradient, hessian, depth, minimum)
    held = tree.count[tree.count > 0]
    assert held.sum() == size and (len(held) == 1 or held.min() >= minimum)
    leaf = leaf_of(bins, tree.column[None], tree.bin[None])[:, 0]
    assert np.array_equal(np.bincount(leaf, minlength=2**depth), tree.count)
    np.testing.assert_allclose(np.bincount(leaf, gradient, 2**depth), tree.gradient, atol=1e-12)
