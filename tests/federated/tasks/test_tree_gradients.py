"""Derivatives against differences of the loss."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from medomicslab_nb.errors import DataError
from medomicslab_nb.evaluation.endpoints import Endpoint
from medomicslab_nb.federated.tasks.network_layers import sizes_of
from medomicslab_nb.federated.tasks.network_training import mean_loss
from medomicslab_nb.federated.tasks.tree_gradients import gradients

N = 40
generator = np.random.default_rng(0)
SCORE = generator.normal(size=N)
PATIENTS = pd.Index([f"p{number}" for number in range(N)])
TIME = generator.integers(1, 12, N).astype(float)  # with ties
ENDPOINTS = {
    "binary": Endpoint("y", generator.random(N) < 0.4, PATIENTS),
    "continuous": Endpoint("y", generator.normal(size=N), PATIENTS),
    "survival": Endpoint("y", generator.random(N) < 0.6, PATIENTS, time=TIME),
    "late entry": Endpoint("y", generator.random(N) < 0.6, PATIENTS, time=TIME, entry=TIME - 3.0),
}


@pytest.mark.parametrize("name", ENDPOINTS)
def test_derivatives_are_differences_of_the_loss(name: str) -> None:
    endpoint, step = ENDPOINTS[name], 1e-4
    gradient, hessian, loss = gradients(endpoint, SCORE)
    total = endpoint.events if endpoint.kind == "survival" else N
    for patient in range(N):
        moved = step * (np.arange(N) == patient)
        up, down = (gradients(endpoint, SCORE + sign * moved)[2] for sign in (1, -1))
        assert total * (up - down) / (2 * step) == pytest.approx(gradient[patient], abs=1e-6)
        assert total * (up - 2 * loss + down) / step**2 == pytest.approx(hessian[patient], abs=1e-4)


@pytest.mark.parametrize("name", ENDPOINTS)
def test_the_loss_is_the_networks(name: str) -> None:
    """Two ways to write it: here in numpy, there in PyTorch; a network of one weight and no layer scores the matrix."""
    endpoint = ENDPOINTS[name]
    theirs = mean_loss(np.array([1.0, 0.0]), sizes_of(1, ()), SCORE[:, None], endpoint)
    assert gradients(endpoint, SCORE)[2] == pytest.approx(theirs, rel=1e-12)


def test_several_classes_are_refused() -> None:
    endpoint = Endpoint("grade", np.arange(N) % 3, PATIENTS, classes=("1", "2", "3"))
    with pytest.raises(DataError, match="two classes"):
        gradients(endpoint, SCORE)
