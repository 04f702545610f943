"""The AUC of counts in bins: what it states as possible holds the AUC of the pooled scores, always."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st
from scipy.stats import norm

from medomicslab_nb.evaluation.delong import external_auc_interval
from medomicslab_nb.evaluation.metrics import auc
from medomicslab_nb.federated.tasks.binned_auc import Bins, SiteBins, auc_of_bins
from medomicslab_nb.federated.tasks.merged_bins import group_sums, merged_ends

Scored = tuple[np.ndarray, np.ndarray]


def binned(observed, scores, edges, minimum) -> SiteBins:
    """What a site tells."""
    place = np.searchsorted(edges, scores, side="right")
    parts = []
    for rows in (observed, ~observed):
        counts = np.bincount(place[rows], minlength=len(edges) + 1)[:, None]
        ends = merged_ends(counts, minimum)
        parts.append(Bins(np.concatenate([[0], ends[:-1]]), ends, group_sums(counts, ends)[:, 0]))
    return SiteBins(*parts, auc(observed, scores))


def simulated(seed=0, sizes=(150, 80, 120)) -> dict[str, Scored]:
    rng = np.random.default_rng(seed)
    found = {}
    for number, n in enumerate(sizes):
        observed = rng.random(n) < 0.2 + 0.2 * number
        found["abc"[number]] = observed, rng.normal(size=n) + observed + 0.5 * number
    return found


def pooled(sites) -> Scored:
    observed, scores = zip(*sites.values(), strict=True)
    return np.concatenate(observed), np.concatenate(scores)


@given(st.lists(st.lists(st.tuples(st.booleans(), st.integers(0, 20)), min_size=1, max_size=25), min_size=1,
                max_size=4), st.lists(st.integers(-1, 21), max_size=8), st.integers(1, 6))
def test_the_pooled_auc_is_within_the_limits(patients, edges, minimum):
    sites = {str(number): (np.array([case for case, _ in one]), np.array([float(value) for _, value in one]))
             for number, one in enumerate(patients)}
    cuts = np.unique(np.array(edges, dtype=float))
    found = auc_of_bins({name: binned(*one, cuts, minimum) for name, one in sites.items()})
    exact = auc(*pooled(sites))
    if np.isnan(exact):
        assert np.isnan([found.estimate, found.least, found.most]).all()
        return
    assert found.least - 1e-9 <= exact <= found.most + 1e-9
    assert found.least - 1e-9 <= found.estimate <= found.most + 1e-9
    assert found.least >= 0 and found.most <= 1 + 1e-9
    if len(sites) == 1:
        assert found.least == pytest.approx(exact) and found.most == pytest.approx(exact)


def test_a_bin_for_each_score_gives_the_exact_auc_between_sites():
    # Two sites, one of cases and one of others: no pair is within a site.
    cases, others = np.array([1.5, 3.5, 5.5]), np.array([0.5, 2.5, 4.5, 6.5])
    sites = {"a": (np.ones(3, dtype=bool), cases), "b": (np.zeros(4, dtype=bool), others)}
    found = auc_of_bins({name: binned(*one, np.arange(1.0, 7.0), 1) for name, one in sites.items()})
    assert found.least == found.most == found.estimate == pytest.approx(6 / 12)


def test_estimate_and_interval_are_near_those_of_the_pooled_scores():
    sites = simulated()
    exact = external_auc_interval(*pooled(sites))
    edges = 1 + 1.4 * norm.ppf(np.arange(1, 50) / 50)
    found = auc_of_bins({name: binned(*one, edges, 5) for name, one in sites.items()})
    assert found.estimate == pytest.approx(exact.estimate, abs=0.007)
    assert found.least <= exact.estimate <= found.most and found.most - found.least < 0.12
    assert found.lower < exact.lower and exact.upper < found.upper
    fine = auc_of_bins({name: binned(*one, np.linspace(-3, 6, 900), 1) for name, one in sites.items()})
    assert fine.lower == pytest.approx(exact.lower, abs=1e-3) and fine.upper == pytest.approx(exact.upper, abs=1e-3)


def test_fewer_small_counts_ask_for_wider_limits():
    sites = simulated()
    widths = [(lambda found: found.most - found.least)(auc_of_bins(
        {name: binned(*one, np.linspace(-2, 4, 49), minimum) for name, one in sites.items()}))
        for minimum in (1, 5, 15)]
    assert widths == sorted(widths) and widths[0] < widths[2]


def test_few_patients_a_site_give_an_auc_near_the_exact_one():
    """Where bins hold all of a class, pairs within sites tell how pairs between sites go."""
    edges = norm.ppf(np.arange(1, 50) / 50)
    errors = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        observed = [np.arange(n) < n * rng.uniform(0.35, 0.65) for n in (16, 20, 24)]
        sites = {str(number): (one, rng.normal(size=len(one)) + 1.2 * one - 0.6) for number, one in enumerate(observed)}
        errors.append(auc_of_bins({name: binned(*one, edges, 5) for name, one in sites.items()}).estimate
                      - auc(*pooled(sites)))
    assert np.sqrt(np.mean(np.square(errors))) < 0.03 and abs(np.mean(errors)) < 0.01
