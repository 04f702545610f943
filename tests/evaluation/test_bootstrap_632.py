"""The .632 estimates against the published formulas and properties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from medomicslab_nb.evaluation.bootstrap_632 import estimate_632


def by_weight(error, bootstrap, gamma):
    """Efron and Tibshirani's equations 28 to 32, written with the weight w."""
    if bootstrap <= error or gamma <= error:
        return 0.368 * error + 0.632 * bootstrap
    rate = (min(bootstrap, gamma) - error) / (gamma - error)
    weight = 0.632 / (1 - 0.368 * rate)
    # Beyond no information the weight of the excess stays .632.
    return (1 - weight) * error + weight * min(bootstrap, gamma) + 0.632 * max(bootstrap - gamma, 0)


@settings(max_examples=200)
@given(st.floats(0, 0.6), st.floats(0, 0.6), st.floats(0.3, 0.6))
def test_equal_to_the_formula(error, bootstrap, gamma):
    found = estimate_632(error, bootstrap, gamma, larger_is_better=False)
    assert found.point_632_plus == pytest.approx(by_weight(error, bootstrap, gamma), abs=1e-12)
    assert found.point_632 == pytest.approx(0.368 * error + 0.632 * bootstrap)
    assert 0 <= found.overfitting <= 1
    # An AUC is one minus an error.
    area = estimate_632(1 - error, 1 - bootstrap, 1 - gamma)
    assert area.point_632_plus == pytest.approx(1 - found.point_632_plus, abs=1e-12)


def test_no_overfitting_gives_632():
    found = estimate_632(0.8, 0.8, 0.5)
    assert (found.overfitting, found.point_632, found.point_632_plus) == (0, 0.8, 0.8)
    better = estimate_632(0.7, 0.75, 0.5)
    assert better.point_632_plus == better.point_632


def test_total_overfitting_gives_the_bootstrap():
    found = estimate_632(1.0, 0.5, 0.5)
    assert found.overfitting == 1
    assert found.point_632_plus == pytest.approx(0.5)
    assert found.point_632 == pytest.approx(0.684)


def test_nearest_neighbour_of_the_paper():
    # No information at all, two classes: apparent error 0, bootstrap error .5; .632 says .316, .632+ the true .5.
    found = estimate_632(0.0, 0.5, 0.5, larger_is_better=False)
    assert (found.point_632, found.point_632_plus) == pytest.approx((0.316, 0.5))


def test_between_632_and_the_bootstrap():
    found = estimate_632(1.0, 0.7, 0.5)
    assert 0.7 < found.point_632_plus < found.point_632


def test_warnings_and_gaps():
    note = estimate_632(1.0, 0.6, 0.5, patients=81, predictors=8194).notes[0]
    assert "8,194" in note
    assert "81)" in note
    assert estimate_632(0.8, 0.75, 0.5, patients=100, predictors=5).notes == ()
    assert "overfits almost completely" in estimate_632(1.0, 0.51, 0.5, patients=100, predictors=5).notes[0]
    assert np.isnan(estimate_632(float("nan"), 0.7, 0.5).point_632_plus)
    assert np.isnan(estimate_632(0.8, float("nan"), 0.5).point_632_plus)
