"""Fusion of blocks: stacking of the blocks' scores, and penalties by block.

Both are learned from training patients only: stacking from scores by models that did not see the patient, the
penalties by inner cross-validation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import lsq_linear, minimize
from scipy.special import expit, softmax

from medomicslab_nb.evaluation.endpoints import Endpoint
from medomicslab_nb.evaluation.metrics import log_likelihood

FACTORS = (0.1, 10**-0.5, 10**0.5, 10.0)
"""By how much the columns of a block may be scaled before one ridge over all: penalties from 1/100 to 100 times."""

_FEWEST = 5  # patients without a block, and with it, from whom it is learned what lacking it means
_SPREAD = 0.5  # standard deviation of the prior on what lacking a block adds: an odds ratio of 1.6 up or down
_SMALLEST = 1e-3  # share of the score below which a block is left out


@dataclass(frozen=True)
class Stacking:
    """How the blocks' scores make one.

    Attributes
    ----------
    weights : ndarray, shape (n_blocks,)
        None negative.
    absent : list of float or ndarray, shape (n_classes,)
        What is added for a patient without the block. That a block is lacking often says something: who was not
        scanned was too ill, or not ill enough.
    """

    weights: np.ndarray
    absent: list[Any]


def stack(scores: Sequence[np.ndarray], endpoint: Endpoint, lacking: Sequence[np.ndarray]) -> Stacking:
    """Weights of the blocks, and what lacking one adds: of highest likelihood, with a prior on each.

    Normal with mean 0 and a standard deviation of 1 for weights, of one half for what lacking a block adds.

    Parameters
    ----------
    scores : sequence of ndarray, shape (n,) or (n, n_classes)
        Standardised, of training patients by models that did not see them; 0 where a patient lacks the block.
    lacking : sequence of ndarray of bool, shape (n,)
        Patients without each block; fewer than five say nothing.

    Returns
    -------
    Stacking
        Equal weights when no block says anything: the calibration then gives everybody the average risk.
    """
    incomplete = [k for k, rows in enumerate(lacking) if min(int(rows.sum()), int((~rows).sum())) >= _FEWEST]
    effects: list[Any] = [0.0] * len(scores)
    if len(scores) == 1 and not incomplete:
        return Stacking(np.ones(1), effects)
    stacked = np.stack(scores)
    indicators = np.array([lacking[k] - lacking[k].mean() for k in incomplete]).reshape(len(incomplete), len(endpoint))
    solve = _least_squares if endpoint.kind == "continuous" else _likeliest
    weights, found = solve(stacked, indicators, endpoint)
    weights = np.where(weights < _SMALLEST * weights.sum(), 0.0, weights)
    for k, effect in zip(incomplete, found, strict=True):
        effects[k] = effect if np.ndim(effect) else float(effect)
    return Stacking(weights if weights.any() else np.full(len(stacked), 1 / len(stacked)), effects)


def _least_squares(stacked: np.ndarray, indicators: np.ndarray, endpoint: Endpoint) -> tuple[np.ndarray, np.ndarray]:
    """Of a continuous outcome: the prior is one more row for each value, with the outcome 0."""
    outcome = (endpoint.outcome - endpoint.outcome.mean()) / (endpoint.outcome.std() or 1.0)
    columns = np.vstack([stacked, indicators]).T
    width, n_blocks = columns.shape[1], len(stacked)
    lowest = np.where(np.arange(width) < n_blocks, 0.0, -np.inf)
    prior = np.diag(np.where(np.arange(width) < n_blocks, 1.0, 1 / _SPREAD))
    found = lsq_linear(np.vstack([columns, prior]), np.concatenate([outcome, np.zeros(width)]),
                       bounds=(lowest, np.inf), method="bvls").x
    return found[:n_blocks], found[n_blocks:]


def _likeliest(stacked: np.ndarray, indicators: np.ndarray, endpoint: Endpoint) -> tuple[np.ndarray, np.ndarray]:
    n_blocks = len(stacked)
    offsets = _offsets(endpoint)
    shape = (len(indicators), len(endpoint.classes)) if endpoint.kind == "multiclass" else (len(indicators),)

    def parts(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return values[:n_blocks], values[n_blocks:n_blocks + len(offsets)], values[n_blocks + len(offsets):].reshape(
            shape)

    def loss(values: np.ndarray) -> float:
        weights, offset, effects = parts(values)
        score = np.tensordot(weights, stacked, axes=1) + np.tensordot(indicators.T, effects, axes=1)
        prior = float(weights @ weights) + float((effects**2).sum()) / _SPREAD**2
        return _negative_likelihood(endpoint, score, offset) + prior / 2 / len(endpoint)

    start = np.concatenate([np.full(n_blocks, 1 / n_blocks), offsets, np.zeros(int(np.prod(shape)))])
    bounds = [(0, None)] * n_blocks + [(None, None)] * (len(start) - n_blocks)
    # Blocks that say nearly the same make a long flat valley, in which a small gain does not mean the end of it.
    weights, _, effects = parts(minimize(loss, start, method="L-BFGS-B", bounds=bounds, jac="3-point",
                                         options={"ftol": 0.0, "gtol": 1e-6}).x)
    return weights, effects


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
