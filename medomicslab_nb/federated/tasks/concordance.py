"""Harrell's concordance of one site with its standard error and its number of pairs, so that sites can be added up."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit
from scipy.stats import norm

from medomicslab_nb.evaluation.endpoints import Endpoint
from medomicslab_nb.evaluation.intervals import comparable_pairs, concordance

_CHUNK = 4_000_000  # cells of a block of pairs


@dataclass(frozen=True)
class Concordance:
    """C-index, its standard error, and the comparable pairs that it is the share of; NaN without a pair."""

    estimate: float
    standard_error: float
    pairs: int

    def limits(self, confidence: float = 0.95) -> tuple[float, float]:
        """Limits on the logit scale, which keeps them within 0 and 1; NaN for 0 and 1 themselves."""
        c = self.estimate
        if not 0 < c < 1:
            return float("nan"), float("nan")
        width = float(norm.ppf((1 + confidence) / 2)) * self.standard_error / (c * (1 - c))
        return float(expit(logit(c) - width)), float(expit(logit(c) + width))


def concordance_of(endpoint: Endpoint, score: np.ndarray) -> Concordance:
    """Of patients with a follow-up time: the value of :func:`~medomicslab_nb.evaluation.metrics.c_index`.

    The variance is the infinitesimal jackknife's: the sum of squares of what each patient adds to the estimate [1]_.

    References
    ----------
    .. [1] Therneau TM, Watson DA. The concordance statistic and the Cox model. Mayo Clinic Department of Health
       Science Research technical report 85, 2017.
    """
    assert endpoint.time is not None
    n = len(endpoint)
    agree, pairs = np.zeros(n), np.zeros(n)  # of all pairs that each patient is in
    events = np.flatnonzero(endpoint.event)
    size = max(1, _CHUNK // max(n, 1))
    for start in range(0, len(events), size):
        rows = events[start:start + size]
        comparable = comparable_pairs(endpoint.event, endpoint.time, endpoint.entry, rows=rows)
        agreeing = comparable * concordance(score, rows=rows)
        for total, part in ((pairs, comparable), (agree, agreeing)):
            total += part.sum(axis=0, dtype=float)
            total[rows] += part.sum(axis=1, dtype=float)
    count = pairs.sum() / 2
    if not count:
        return Concordance(float("nan"), float("nan"), 0)
    estimate = float(agree.sum() / 2 / count)
    return Concordance(estimate, float(np.sqrt(((agree - estimate * pairs) ** 2).sum()) / count), int(count))


def added(parts: list[Concordance]) -> Concordance:
    """Over sites: the share of agreeing pairs among those of two patients of one site, the sites as strata."""
    known = [part for part in parts if part.pairs]
    pairs = sum(part.pairs for part in known)
    if not pairs:
        return Concordance(float("nan"), float("nan"), 0)
    weights = np.array([part.pairs / pairs for part in known])
    return Concordance(float(weights @ [part.estimate for part in known]),
                       float(np.sqrt(weights**2 @ [part.standard_error**2 for part in known])), pairs)
