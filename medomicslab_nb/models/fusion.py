"""Fusion of blocks: stacking of the blocks' scores, and penalties by block.

Both are learned from training patients only: stacking from scores by models that did not see the patient, the
penalties by inner cross-validation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy.optimize import minimize, nnls
from scipy.special import expit, softmax

from medomicslab_nb.evaluation.endpoints import Endpoint
from medomicslab_nb.evaluation.metrics import log_likelihood

FACTORS = (0.1, 10**-0.5, 10**0.5, 10.0)
"""By how much the columns of a block may be scaled before one ridge over all: penalties from 1/100 to 100 times."""

_SMALLEST = 1e-3  # share of the score below which a block is left out


def stacking_weights(scores: Sequence[np.ndarray], endpoint: Endpoint) -> np.ndarray:
    """Weight of each block's score: of highest likelihood, none negative, with a unit prior on each.

    Parameters
    ----------
    scores : sequence of ndarray, shape (n,) or (n, n_classes)
        Standardised, of training patients by models that did not see them; 0 where a patient lacks the block.

    Returns
    -------
    ndarray, shape (n_blocks,)
        Equal weights when no block says anything: the calibration then gives everybody the average risk.
    """
    if len(scores) == 1:
        return np.ones(1)
    stacked = np.stack(scores)
    weights = _least_squares(stacked, endpoint) if endpoint.kind == "continuous" else _likeliest(stacked, endpoint)
    weights = np.where(weights < _SMALLEST * weights.sum(), 0.0, weights)
    return weights if weights.any() else np.full(len(stacked), 1 / len(stacked))


def _least_squares(stacked: np.ndarray, endpoint: Endpoint) -> np.ndarray:
    """Of a continuous outcome: the prior is one more row for each weight, with the outcome 0."""
    outcome = (endpoint.outcome - endpoint.outcome.mean()) / (endpoint.outcome.std() or 1.0)
    n_blocks = len(stacked)
    return np.asarray(nnls(np.vstack([stacked.T, np.eye(n_blocks)]), np.concatenate([outcome, np.zeros(n_blocks)]))[0])


def _likeliest(stacked: np.ndarray, endpoint: Endpoint) -> np.ndarray:
    n_blocks = len(stacked)

    def loss(values: np.ndarray) -> float:
        weights, offset = values[:n_blocks], values[n_blocks:]
        score = np.tensordot(weights, stacked, axes=1)
        return _negative_likelihood(endpoint, score, offset) + float(weights @ weights) / 2 / len(endpoint)

    start = np.concatenate([np.full(n_blocks, 1 / n_blocks), _offsets(endpoint)])
    bounds = [(0, None)] * n_blocks + [(None, None)] * (len(start) - n_blocks)
    # Blocks that say nearly the same make a long flat valley, in which a small gain does not mean the end of it.
    return minimize(loss, start, method="L-BFGS-B", bounds=bounds, jac="3-point",
                    options={"ftol": 0.0, "gtol": 1e-6}).x[:n_blocks]


def block_factors(blocks: Sequence[str], value: Callable[[dict[str, float]], float]) -> dict[str, float]:
    """By how much to scale each block's columns: one round over the blocks, each factor by inner cross-validation.

    Parameters
    ----------
    value : callable
        Mean held-out likelihood of ridge with the given factors; higher is better.
    """
    factors = dict.fromkeys(blocks, 1.0)
    if len(blocks) < 2:
        return factors
    best = value(factors)
    for block in blocks:
        for factor in FACTORS:
            tried = value({**factors, block: factor})
            if tried > best:
                best, factors = tried, {**factors, block: factor}
    return factors


def _offsets(endpoint: Endpoint) -> np.ndarray:
    """Starting offsets: of a binary outcome and of classes, their log odds and log shares."""
    if endpoint.kind == "binary":
        share = endpoint.event.mean()
        return np.array([np.log(share / (1 - share))])
    if endpoint.kind == "multiclass":
        return np.log(np.bincount(endpoint.outcome, minlength=len(endpoint.classes)) / len(endpoint))
    return np.empty(0)


def _negative_likelihood(endpoint: Endpoint, score: np.ndarray, offset: np.ndarray) -> float:
    if endpoint.kind == "survival":
        return -log_likelihood(endpoint, score)
    if endpoint.kind == "multiclass":
        shares = softmax(score + offset, axis=1)[np.arange(len(score)), endpoint.outcome]
        return -float(np.log(np.maximum(shares, 1e-300)).mean())
    chance = expit(score + offset)
    return -float(np.log(np.maximum(np.where(endpoint.event, chance, 1 - chance), 1e-300)).mean())
