"""What a site tells of a model: measures that exist, and sums by which sites are joined."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import approx_fprime
from scipy.special import expit

from medomicslab_nb.evaluation.endpoints import Endpoint
from medomicslab_nb.evaluation.metrics import r2
from medomicslab_nb.federated.tasks.site_measures import measures, r2_of, recalibration, squares

RNG = np.random.default_rng(5)
SCORE = RNG.normal(size=40)
EVENT = RNG.random(40) < expit(SCORE)


def classes(event=EVENT) -> Endpoint:
    return Endpoint("relapse", np.asarray(event), pd.RangeIndex(len(event)))


def with_follow_up(event=EVENT) -> Endpoint:
    return Endpoint("death", np.asarray(event), pd.RangeIndex(len(event)),
                    np.ceil(10 * np.exp(-SCORE[:len(event)])))


@pytest.mark.parametrize(("endpoint", "at"), [
    (classes(), [0.2]), (classes(), [0.2, -0.3, 0.8]), (with_follow_up(), [0.4])])
def test_gradient_and_information_are_derivatives(endpoint, at):
    at = np.array(at)
    found = recalibration(endpoint, SCORE, at)
    gradient = approx_fprime(at, lambda coef: recalibration(endpoint, SCORE, coef)["log_likelihood"], 1e-7)
    np.testing.assert_allclose(found["gradient"], gradient, atol=1e-4)
    for row, slope in enumerate(found["information"]):
        numeric = approx_fprime(at, lambda coef, row=row: recalibration(endpoint, SCORE, coef)["gradient"][row], 1e-7)
        np.testing.assert_allclose(slope, -numeric, atol=1e-4)


def test_what_does_not_exist_is_left_out():
    one_class = measures(classes(np.ones(10, dtype=bool)), SCORE[:10])
    assert "estimate" not in one_class and "calibration_slope" not in one_class
    assert one_class["observed"] == 10 and one_class["squared_error"] > 0
    quiet = measures(with_follow_up(np.zeros(10, dtype=bool)), SCORE[:10])
    assert quiet == {"pairs": 0.0}
    assert all(np.isfinite(list(measures(classes(), SCORE).values())))


def test_variance_explained_from_sums_of_two_parts():
    outcome = SCORE + RNG.normal(size=40)
    means = np.array([outcome.mean(), SCORE.mean()])
    parts = sum(squares(outcome[rows], SCORE[rows], means) for rows in (slice(0, 15), slice(15, 40)))
    assert r2_of(parts)[0] == pytest.approx(r2(outcome, SCORE), abs=1e-12)
    assert np.isnan(r2_of(squares(np.ones(5), SCORE[:5], np.array([1.0, 0.0])))).all()
    by_patient = [(outcome[i] - SCORE[i]) ** 2 - (1 - r2(outcome, SCORE)) * (outcome[i] - means[0]) ** 2
                  for i in range(40)]
    expected = np.sqrt(np.sum(np.square(by_patient))) / np.sum((outcome - means[0]) ** 2)
    assert r2_of(parts)[1] == pytest.approx(expected, rel=1e-9)
