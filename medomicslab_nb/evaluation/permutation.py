"""Permutation test: how often patients' outcomes, dealt out at random, are predicted as well as the real ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from statsmodels.stats.proportion import proportion_confint

from medomicslab_nb.evaluation.endpoints import Endpoint
from medomicslab_nb.evaluation.intervals import Interval


def permuted(endpoint: Endpoint, seed: int, *, within: np.ndarray | None = None) -> Endpoint:
    """The endpoint with its outcomes dealt out anew; what belongs to one (event, time, entry) stays together.

    The whole procedure must then be repeated on it, selection and tuning included.

    Parameters
    ----------
    seed : int
        The same seed gives the same permutation, on every machine.
    within : ndarray, shape (n,), optional
        Groups, such as centres, within which outcomes are exchanged. Without, the test's null is also that groups do
        not differ.
    """
    rng = np.random.default_rng(seed)
    order = np.arange(len(endpoint))
    if within is None:
        order = rng.permutation(order)
    else:
        if len(within) != len(endpoint):
            raise ValueError(f"{len(within)} groups for {len(endpoint)} patients")
        for group in np.unique(within):
            rows = np.flatnonzero(within == group)
            order[rows] = rng.permutation(rows)
    return replace(endpoint.take(order), patients=endpoint.patients)


def permutation_p(observed: float, null: np.ndarray, *, confidence: float = 0.95) -> Interval:
    """P-value of a measure of which larger is better, one-sided: ``(1 + #{null >= observed}) / (1 + B)`` [1]_.

    It is valid for any number of permutations B, and never 0.

    Parameters
    ----------
    null : ndarray, shape (B,)
        The measure under each permutation. NaN, where it does not exist, is left out.

    Returns
    -------
    Interval
        The p-value (as ``estimate`` and ``p``), and Clopper-Pearson limits of the share of *all* permutations that
        reach the observed value: how far it is uncertain for want of permutations. NaN without an observed value or
        permutations.

    References
    ----------
    .. [1] Phipson B, Smyth GK. Permutation p-values should never be zero. Stat Appl Genet Mol Biol 2010;9:39.
    """
    null = np.asarray(null, dtype=float)
    null = null[~np.isnan(null)]
    if np.isnan(observed) or not len(null):
        return Interval(float("nan"), float("nan"), float("nan"))
    # Equal values may differ in their last digit by the order of a sum: they count as reached.
    reached = int((null >= observed - 1e-12 * max(1.0, abs(observed))).sum())
    lower, upper = proportion_confint(reached, len(null), alpha=1 - confidence, method="beta")
    p = (1 + reached) / (1 + len(null))
    return Interval(p, float(lower), float(upper), p)
