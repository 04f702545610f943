"""First and second derivatives of a loss by each patient's score: what a boosted tree is grown on."""

from __future__ import annotations

import numpy as np
from scipy.special import expit

from medomicslab_nb.errors import DataError
from medomicslab_nb.evaluation.endpoints import Endpoint

Derivatives = tuple[np.ndarray, np.ndarray, float]
"""Gradient and hessian, shape (n,), and the mean loss."""


def gradients(endpoint: Endpoint, score: np.ndarray) -> Derivatives:
    """Derivatives and mean loss at the patients' scores, shape (n,).

    Raises
    ------
    DataError
        The endpoint has several classes.
    """
    if endpoint.kind == "survival":
        return _cox(endpoint, score)
    if endpoint.kind == "multiclass":
        raise DataError("trees take an outcome of two classes, a number or a follow-up time", where=endpoint.name,
                        todo="Set 'positive' to the class that counts as the event")
    outcome = endpoint.outcome.astype(float)
    if endpoint.kind == "continuous":
        return score - outcome, np.ones(len(score)), float(np.square(score - outcome).mean() / 2)
    chance = expit(score)
    return chance - outcome, chance * (1 - chance), float((np.logaddexp(0, score) - outcome * score).mean())


def _cox(endpoint: Endpoint, score: np.ndarray) -> Derivatives:
    """Of minus the log partial likelihood within the site (Breslow's rule), of the hessian the diagonal.

    The loss is a mean over events.
    """
    assert endpoint.time is not None
    entry = np.full(len(score), -np.inf) if endpoint.entry is None else endpoint.entry
    event = np.flatnonzero(endpoint.outcome)
    at_risk = (endpoint.time >= endpoint.time[event, None]) & (entry < endpoint.time[event, None])
    hazard = np.exp(score - score.max())
    share = at_risk * hazard / (at_risk @ hazard)[:, None]  # of each event's risk set, shape (n_events, n)
    loss = -np.log(share[np.arange(len(event)), event]).sum() / max(len(event), 1)
    return share.sum(axis=0) - endpoint.outcome, (share * (1 - share)).sum(axis=0), float(loss)
