"""The limit keeps its false alarm rate on patients like the training's, and patients from elsewhere are found."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import mahalanobis
from sklearn.covariance import LedoitWolf
from sklearn.decomposition import PCA

from medomicslab_nb.models.out_of_distribution import FEWEST, Applicability, fit_applicability


def correlated(n: int, p: int, seed: int, *, heavy: bool = False) -> np.ndarray:
    """Rows with three common factors, e.g. of correlated radiomics features."""
    rng = np.random.default_rng(seed)
    loadings = np.random.default_rng(99).normal(size=(3, p))
    rows = rng.normal(size=(n, 3)) @ loadings + rng.normal(size=(n, p))
    return np.sign(rows) * np.abs(rows) ** 1.5 if heavy else rows


@pytest.mark.parametrize(("p", "heavy"), [(8, False), (8, True), (250, False), (250, True)])
def test_false_alarms_are_as_stated_and_shifted_patients_are_found(p, heavy):
    alarms, found = [], []
    for seed in range(24):
        rows = correlated(600, p, seed, heavy=heavy)
        applicability = fit_applicability(rows[:200])
        alarms.append(applicability.flagged(rows[200:]).mean())
        shifted = rows[200:] + 4 * rows.std(axis=0)
        found.append(applicability.flagged(shifted).mean())
    assert 0.004 <= np.mean(alarms) <= 0.02, np.mean(alarms)
    assert np.mean(found) > 0.8, np.mean(found)


def test_a_lost_correlation_is_found_though_each_value_is_usual():
    rng = np.random.default_rng(0)
    factor = rng.normal(size=300)
    rows = factor[:, None] + 0.1 * rng.normal(size=(300, 5))
    applicability = fit_applicability(rows)
    strange = np.array([[1.5, -1.5, 1.5, -1.5, 1.5]])
    assert np.abs(strange).max() < np.abs(rows).max()
    assert applicability.flagged(strange).all()


def test_distance_is_mahalanobis_with_ledoit_wolf():
    rows = correlated(100, 6, 1)
    applicability = fit_applicability(rows)
    precision = np.linalg.inv(LedoitWolf().fit(rows).covariance_)
    expected = [mahalanobis(row, rows.mean(axis=0), precision) for row in rows]
    assert applicability.distance(rows) * applicability.units[0] == pytest.approx(np.array(expected))


def test_wide_distance_is_the_larger_of_both_components_of_the_row():
    rows = correlated(60, 200, 2)
    applicability = fit_applicability(rows)
    new = correlated(10, 200, 3)
    moved = new - rows.mean(axis=0)
    pca = PCA(len(applicability.directions), svd_solver="full").fit(rows)
    u = pca.components_
    assert np.abs((applicability.directions * u).sum(axis=1)) == pytest.approx(np.ones(len(u)), abs=1e-6)
    remainder = np.linalg.norm(moved - moved @ u.T @ u, axis=1)
    among = np.linalg.norm(pca.transform(new) / np.sqrt(pca.explained_variance_), axis=1)
    expected = np.maximum(among / applicability.units[0], remainder / applicability.units[1])
    assert applicability.distance(new) == pytest.approx(expected, rel=1e-5)


def test_with_few_patients_the_stated_rate_is_the_one_that_can_be_kept():
    applicability = fit_applicability(correlated(40, 3, 4))
    assert applicability.false_alarms == pytest.approx(1 / 41)
    assert np.isfinite(applicability.limit)


def test_too_few_patients_or_no_varying_column_give_no_limit():
    assert fit_applicability(correlated(FEWEST - 1, 3, 0)) is None
    assert fit_applicability(np.ones((50, 2))) is None


def test_constant_columns_do_not_count_and_the_same_rows_give_the_same_limit():
    rows = correlated(80, 4, 5)
    padded = np.column_stack([rows, np.ones(80)])
    one, other = fit_applicability(rows), fit_applicability(padded)
    assert one.limit == other.limit == fit_applicability(rows).limit
    assert other.distance(np.column_stack([rows, np.full(80, 8.0)])) == pytest.approx(one.distance(rows))


def test_plain_values_give_the_same_distances():
    rows = correlated(50, 60, 6)
    applicability = fit_applicability(rows)
    again = Applicability.from_dict(applicability.to_dict())
    assert np.array_equal(again.distance(rows), applicability.distance(rows))
    with pytest.raises(ValueError, match="applicability"):
        Applicability.from_dict({**applicability.to_dict(), "centre": np.zeros(3)})
