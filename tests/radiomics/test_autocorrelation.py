"""Moran's I and Geary's C against the sums over pairs, written out."""

from __future__ import annotations

import numpy as np
import pytest

from medomicslab_nb.radiomics import autocorrelation
from medomicslab_nb.radiomics.autocorrelation import moran_geary


def by_pairs(array: np.ndarray, mask: np.ndarray, spacing: tuple[float, float, float]) -> tuple[float, float]:
    indices = np.argwhere(mask)
    points, values = indices * spacing[::-1], array[mask].astype(float)
    distance = np.linalg.norm(points[:, None] - points[None], axis=-1)
    weights = np.divide(1, distance, out=np.zeros_like(distance), where=distance > 0)
    deviations = values - values.mean()
    n, squares = len(values), (deviations**2).sum()
    moran = n * (weights * np.outer(deviations, deviations)).sum() / (weights.sum() * squares)
    differences = (weights * (values[:, None] - values[None]) ** 2).sum()
    return moran, (n - 1) * differences / (2 * weights.sum() * squares)


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (1.0, 1.5, 3.0)])
def test_equal_to_the_sums_over_pairs(spacing):
    rng = np.random.default_rng(0)
    array = rng.normal(1000, 30, (4, 6, 9)) + np.arange(9) * 20
    mask = rng.random(array.shape) < 0.6
    assert moran_geary(array, mask, spacing) == pytest.approx(by_pairs(array, mask, spacing), rel=1e-10)


def test_worked_by_hand():
    # Values 1, 2, 3 in a row, 1 mm apart: deviations -1, 0, 1; weights 1, 1 and 1/2.
    # Moran: 3 * 2 * (-1 * 1 * 1/2) / (2 * 2.5 * 2) = -0.3.
    # Geary: 2 * 2 * (1 + 1 + 4 / 2) / (2 * 2 * 2.5 * 2) = 0.8.
    array, mask = np.array([[[1.0, 2.0, 3.0]]]), np.ones((1, 1, 3), dtype=bool)
    assert moran_geary(array, mask, (1.0, 1.0, 1.0)) == pytest.approx((-0.3, 0.8))


def test_not_defined_for_one_intensity_or_one_voxel():
    mask = np.ones((3, 3, 3), dtype=bool)
    assert np.isnan(moran_geary(np.full(mask.shape, 4.0), mask, (1.0, 1.0, 1.0))).all()
    one = np.zeros_like(mask)
    one[1, 1, 1] = True
    assert np.isnan(moran_geary(np.random.default_rng(0).random(mask.shape), one, (1.0, 1.0, 1.0))).all()


def test_too_large_a_roi_has_no_value(monkeypatch):
    monkeypatch.setattr(autocorrelation, "MOST_POINTS", 100)
    array = np.random.default_rng(0).random((3, 4, 5))
    assert np.isnan(moran_geary(array, array > 0, (1.0, 1.0, 1.0))).all()
