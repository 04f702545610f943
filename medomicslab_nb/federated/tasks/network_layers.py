"""The layers of a network as one row of numbers, and what they answer.

Weights travel as one float64 array: for each layer its matrix, shape (units, inputs), row by row, then its intercepts;
the order of PyTorch's ``parameters()``. Layers but the last end in tanh. Nothing here needs PyTorch: a trained network
is judged and used without it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from medomicslab_nb.federated.tasks.outcome_scale import OutcomeScale


def sizes_of(columns: int, hidden: Sequence[int]) -> tuple[int, ...]:
    """Units of each layer, from the columns to the one score."""
    return (columns, *hidden, 1)


def initial_weights(sizes: Sequence[int], seed: int) -> np.ndarray:
    """Where training starts: matrices drawn evenly within Glorot's limit [1]_, intercepts 0.

    References
    ----------
    .. [1] Glorot X, Bengio Y. Understanding the difficulty of training deep feedforward neural networks. AISTATS 2010.
    """
    generator = np.random.default_rng(seed)
    parts = []
    for inputs, units in pairwise(sizes):
        limit = np.sqrt(6 / (inputs + units))
        parts += [generator.uniform(-limit, limit, units * inputs), np.zeros(units)]
    return np.concatenate(parts)


def layers(weights: np.ndarray, sizes: Sequence[int]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Matrix, shape (units, inputs), and intercepts, shape (units,), of each layer."""
    start = 0
    for inputs, units in pairwise(sizes):
        middle, end = start + units * inputs, start + units * inputs + units
        yield weights[start:middle].reshape(units, inputs), weights[middle:end]
        start = end


def in_units(weights: np.ndarray, sizes: Sequence[int], outcome: OutcomeScale) -> np.ndarray:
    """Weights of the same network with its score, trained in standard deviations, in the unit of the outcome."""
    scaled = weights.copy()
    scaled[-(sizes[-2] + 1):] *= outcome.sd  # the last layer has one unit and its intercept
    scaled[-1] += outcome.mean
    return scaled


def forward(weights: np.ndarray, sizes: Sequence[int], matrix: np.ndarray) -> np.ndarray:
    """Score of each row of ``matrix``, shape (n, columns): shape (n,)."""
    values = matrix
    for number, (matrix_of_layer, intercepts) in enumerate(layers(weights, sizes), start=2):
        values = values @ matrix_of_layer.T + intercepts
        if number < len(sizes):
            values = np.tanh(values)
    return np.asarray(values[:, 0])
