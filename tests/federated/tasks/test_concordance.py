"""Concordance with its standard error, and added over sites."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from medomicslab_nb.evaluation.delong import delong
from medomicslab_nb.evaluation.endpoints import Endpoint
from medomicslab_nb.evaluation.intervals import bootstrap_weights, comparable_pairs, concordance
from medomicslab_nb.evaluation.metrics import c_index
from medomicslab_nb.federated.tasks import concordance as module
from medomicslab_nb.federated.tasks.concordance import Concordance, added, concordance_of


def patients(n=150, seed=0, truncated=False) -> tuple[Endpoint, np.ndarray]:
    """Times in steps, so that they tie, and scores that tie too."""
    rng = np.random.default_rng(seed)
    score = np.round(rng.normal(size=n), 1)
    time = np.ceil(rng.exponential(10 * np.exp(-0.8 * score)))
    entry = np.floor(time * rng.uniform(0, 0.9, n)) if truncated else None
    return Endpoint("death", rng.random(n) < 0.6, pd.RangeIndex(n), time, entry=entry), score


@pytest.mark.parametrize("truncated", [False, True])
@pytest.mark.parametrize("chunk", [4_000_000, 700])
def test_the_value_is_harrells(truncated, chunk, monkeypatch):
    monkeypatch.setattr(module, "_CHUNK", chunk)
    endpoint, score = patients(truncated=truncated)
    found = concordance_of(endpoint, score)
    expected = c_index(endpoint.event, endpoint.time, score, entry=endpoint.entry)
    assert found.estimate == pytest.approx(expected, abs=1e-9)
    assert found.pairs == comparable_pairs(endpoint.event, endpoint.time, endpoint.entry).sum()


def test_standard_error_is_that_of_the_bootstrap():
    endpoint, score = patients(n=300)
    comparable = comparable_pairs(endpoint.event, endpoint.time)
    agree = comparable * concordance(score)
    weights = np.concatenate(list(bootstrap_weights(300, 2000, 0)))
    values = ((weights @ agree) * weights).sum(axis=1) / ((weights @ comparable) * weights).sum(axis=1)
    assert concordance_of(endpoint, score).standard_error == pytest.approx(values.std(), rel=0.06)


def test_standard_error_is_delongs_where_time_tells_no_more_than_the_class():
    # Cases have the event at 1, others are followed until 2: the C-index is the AUC. DeLong divides by m - 1, not by m.
    rng = np.random.default_rng(1)
    case, score = np.arange(80) < 40, rng.normal(size=80)
    endpoint = Endpoint("death", case, pd.RangeIndex(80), np.where(case, 1.0, 2.0))
    found = concordance_of(endpoint, score)
    areas, covariance = delong(case, score)
    assert found.estimate == pytest.approx(areas[0], abs=1e-7)
    assert found.standard_error == pytest.approx(np.sqrt(covariance[0, 0] * 39 / 40), rel=1e-6)


def test_sites_add_up_to_the_pairs_within_them():
    parts = [patients(n, seed) for n, seed in ((80, 1), (120, 2))]
    found = added([concordance_of(*part) for part in parts])
    endpoint = Endpoint("death", np.concatenate([part[0].event for part in parts]), pd.RangeIndex(200),
                        np.concatenate([part[0].time for part in parts]))
    site, score = np.repeat([0, 1], [80, 120]), np.concatenate([part[1] for part in parts])
    comparable = comparable_pairs(endpoint.event, endpoint.time) & (site[:, None] == site)
    assert found.pairs == comparable.sum()
    assert found.estimate == pytest.approx((comparable * concordance(score)).sum() / comparable.sum(), abs=1e-7)
    alone = [concordance_of(*part).standard_error for part in parts]
    assert min(alone) / 2 < found.standard_error < min(alone)


def test_without_a_pair_there_is_none():
    nothing = concordance_of(Endpoint("death", np.array([True, False]), pd.RangeIndex(2), np.array([2.0, 1.0])),
                             np.array([0.0, 1.0]))
    assert np.isnan(nothing.estimate) and nothing.pairs == 0
    assert np.isnan(added([nothing]).estimate)
    one = Concordance(0.7, 0.05, 30)
    assert added([nothing, one]) == one
    assert one.limits()[0] < 0.7 < one.limits()[1] < 1
    assert np.isnan(Concordance(1.0, 0.0, 5).limits()).all()
