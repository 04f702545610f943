"""The network in numpy is the one that PyTorch trains."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from medomicslab_nb.federated.tasks.network_layers import forward, initial_weights, layers, sizes_of
from medomicslab_nb.federated.tasks.network_training import module_of, weights_of


@pytest.mark.parametrize("hidden", [(), (5,), (7, 3)])
def test_pytorch_scores_the_same(hidden: tuple[int, ...]) -> None:
    sizes = sizes_of(4, hidden)
    weights = initial_weights(sizes, seed=1) + 0.1
    matrix = np.random.default_rng(0).normal(size=(20, 4))
    module = module_of(weights, sizes)
    theirs = module(torch.tensor(matrix))[:, 0].detach().numpy()
    np.testing.assert_allclose(forward(weights, sizes, matrix), theirs, atol=1e-14)
    assert np.array_equal(weights_of(module), weights)


def test_without_hidden_layers_it_is_linear() -> None:
    assert forward(np.array([2.0, -1.0, 0.5]), sizes_of(2, ()), np.array([[1.0, 3.0]])) == pytest.approx(2 - 3 + 0.5)


def test_start_is_the_seeds_and_within_the_limit() -> None:
    sizes = sizes_of(10, (6,))
    first, again, other = (initial_weights(sizes, seed) for seed in (0, 0, 1))
    assert np.array_equal(first, again) and not np.array_equal(first, other)
    (matrix, intercepts), _ = layers(first, sizes)
    assert np.abs(matrix).max() <= np.sqrt(6 / 16) and not intercepts.any()
