"""Moments of sites are those of everybody."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st

from medomicslab_nb.federated.tasks.column_moments import ColumnMoments


@given(st.integers(0, 2**32 - 1), st.lists(st.integers(0, 30), min_size=1, max_size=5), st.floats(0, 1))
def test_parts_together_are_the_whole(seed, sizes, gaps):
    rng = np.random.default_rng(seed)
    parts = [rng.normal(rng.normal(), 1, (n, 3)) for n in sizes]
    for part in parts:
        part[rng.random(part.shape) < gaps * rng.random(3)] = np.nan
    whole, joined = ColumnMoments.of(np.concatenate(parts)), ColumnMoments.together(map(ColumnMoments.of, parts))
    assert joined.count.tolist() == whole.count.tolist()
    np.testing.assert_allclose(joined.mean, whole.mean, atol=1e-13)
    np.testing.assert_allclose(joined.squares, whole.squares, atol=1e-11)


def test_a_large_offset_costs_no_digits():
    """Sums of squares about 0 would leave none: 1e9 squared has no room for a variance of 1."""
    values = np.random.default_rng(0).normal(size=(400, 1))
    joined = ColumnMoments.together(ColumnMoments.of(part + 1e9) for part in np.split(values, 4))
    assert joined.squares[0] / 400 == pytest.approx(values.var(), rel=1e-6)


def test_a_column_without_values():
    found = ColumnMoments.of(np.full((4, 1), np.nan))
    assert (found.count[0], found.mean[0], found.squares[0]) == (0, 0.0, 0.0)
    joined = found.joined(ColumnMoments.of(np.array([[2.0], [4.0]])))
    assert (joined.count[0], joined.mean[0], joined.squares[0]) == (2, 3.0, 2.0)
