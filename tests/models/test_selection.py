"""Selection: statistics against other libraries and brute force, and what each method is for."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import f_oneway, linregress, spearmanr
from statsmodels.duration.hazard_regression import PHReg

from medomicslab_nb.evaluation.endpoints import Endpoint
from medomicslab_nb.models import selection
from medomicslab_nb.models.selection import (
    cox_score_test,
    mrmr,
    representatives,
    select,
    stability_frequency,
    univariate_scores,
)


def survival(n: int = 60, seed: int = 0) -> tuple[np.ndarray, Endpoint]:
    """Ten columns, times with ties, the first column matters."""
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(n, 10))
    time = np.ceil(5 * rng.exponential(np.exp(-matrix[:, 0])))
    return matrix, Endpoint("os", rng.random(n) < 0.6, pd.RangeIndex(n), time + 1)


def score_test_by_hand(column, event, time, entry=None):
    entry = np.full(len(time), -np.inf) if entry is None else entry
    score = information = 0.0
    for row in np.flatnonzero(event):
        at_risk = column[(time >= time[row]) & (entry < time[row])]
        score += column[row] - at_risk.mean()
        information += at_risk.var()
    return score ** 2 / information if information else 0.0


@pytest.mark.parametrize("truncated", [False, True])
def test_cox_score_test_with_ties_is_that_of_statsmodels_and_of_a_loop(truncated):
    matrix, endpoint = survival()
    entry = endpoint.time * np.random.default_rng(1).uniform(0, 0.6, len(endpoint)) if truncated else None
    found = cox_score_test(matrix, endpoint.event, endpoint.time, entry)
    for column in range(4):
        model = PHReg(endpoint.time, matrix[:, [column]], status=endpoint.event.astype(int), entry=entry,
                      ties="breslow")
        at_zero = np.zeros(1)
        expected = model.score(at_zero)[0] ** 2 / -model.hessian(at_zero)[0, 0]
        assert found[column] == pytest.approx(expected, rel=1e-9)
    by_hand = [score_test_by_hand(column, endpoint.event, endpoint.time, entry) for column in matrix.T]
    assert found == pytest.approx(by_hand, rel=1e-9)


def test_cox_score_test_does_not_exist_without_events_or_variation():
    matrix, endpoint = survival()
    matrix[:, 3] = 0.1
    assert cox_score_test(matrix, endpoint.event, endpoint.time)[3] == 0
    assert not cox_score_test(matrix, np.zeros(60, dtype=bool), endpoint.time).any()


def test_cox_score_test_is_the_same_in_pieces(monkeypatch):
    matrix, endpoint = survival()
    whole = cox_score_test(matrix, endpoint.event, endpoint.time)
    monkeypatch.setattr(selection, "_CHUNK", 3)
    assert cox_score_test(matrix, endpoint.event, endpoint.time) == pytest.approx(whole)


def test_univariate_scores_of_classes_and_numbers():
    rng = np.random.default_rng(0)
    matrix, patients = rng.normal(size=(40, 3)), pd.RangeIndex(40)
    matrix[:, 2] = 1.5
    codes = rng.integers(0, 3, 40)
    several = univariate_scores(matrix, Endpoint("k", codes, patients, classes=("a", "b", "c")))
    two = univariate_scores(matrix, Endpoint("b", codes == 0, patients))
    number = univariate_scores(matrix, Endpoint("c", rng.normal(size=40) + matrix[:, 0], patients))
    for column in range(2):
        values = matrix[:, column]
        assert several[column] == pytest.approx(f_oneway(*(values[codes == code] for code in range(3)))[0])
        assert two[column] == pytest.approx(f_oneway(values[codes == 0], values[codes != 0])[0])
    assert number[0] > number[1]
    assert several[2] == two[2] == number[2] == 0
    alone = Endpoint("b", np.ones(40, dtype=bool), patients)
    assert not univariate_scores(matrix, alone).any()


def test_f_of_a_number_is_the_squared_t_of_the_slope():
    rng = np.random.default_rng(0)
    matrix, outcome = rng.normal(size=(30, 2)), rng.normal(size=30)
    fit = linregress(matrix[:, 1], outcome)
    found = univariate_scores(matrix, Endpoint("c", outcome, pd.RangeIndex(30)))
    assert found[1] == pytest.approx((fit.slope / fit.stderr) ** 2)


def mrmr_by_hand(matrix, relevance, count):
    chosen = [int(np.argmax(relevance))]
    while len(chosen) < count:
        quotient = {column: relevance[column] / max(len(matrix) ** -0.5, np.mean([
                        abs(np.corrcoef(matrix[:, column], matrix[:, other])[0, 1]) for other in chosen]))
                    for column in range(matrix.shape[1]) if column not in chosen}
        chosen.append(max(quotient, key=quotient.get))
    return chosen


def test_mrmr_is_that_of_a_loop_and_passes_over_a_copy():
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(200, 8))
    matrix[:, 1] = matrix[:, 0] + 0.01 * matrix[:, 1]
    endpoint = Endpoint("b", matrix[:, 0] + 0.7 * matrix[:, 2] + rng.normal(size=200) > 0, pd.RangeIndex(200))
    found = mrmr(matrix, endpoint, 6)
    assert found.tolist() == mrmr_by_hand(matrix, univariate_scores(matrix, endpoint), 6)
    assert 2 in found[:2]
    assert set(select(matrix, endpoint, "univariate", 2).order.tolist()) == {0, 1}


def test_more_asked_for_than_there_are():
    matrix, endpoint = survival()
    for method in ("univariate", "mrmr", "stability"):
        assert sorted(select(matrix, endpoint, method, 99).order.tolist()) == list(range(10))


def test_stability_prefers_what_matters_and_repeats_itself():
    matrix, endpoint = survival(150)
    first = select(matrix, endpoint, "stability", 2, seed=3)
    assert first.order[0] == 0
    assert first.frequency[0] > 0.9
    assert first.frequency.sum() == pytest.approx(2)
    assert np.array_equal(first.frequency, select(matrix, endpoint, "stability", 2, seed=3).frequency)
    assert not np.array_equal(first.frequency, select(matrix, endpoint, "stability", 2, seed=4).frequency)


def test_stability_of_noise_is_that_of_chance():
    rng = np.random.default_rng(0)
    endpoint = Endpoint("b", rng.random(80) < 0.5, pd.RangeIndex(80))
    frequency = stability_frequency(rng.normal(size=(80, 200)), endpoint, 10)
    assert frequency.sum() == pytest.approx(10)
    assert frequency.max() < 0.9


@pytest.mark.parametrize("widest", [5000, 5])
def test_representatives_of_correlated_columns(widest, monkeypatch):
    monkeypatch.setattr(selection, "WIDEST", widest)
    rng = np.random.default_rng(0)
    a, b, c = rng.normal(size=(3, 100))
    matrix = np.column_stack([a + 0.15 * b, b, np.exp(a), -a + 0.1 * c, c, a + 0.02 * rng.normal(size=100)])
    kept = representatives(matrix, 0.9)
    assert len(kept) == 3
    assert {1, 4} <= set(kept.tolist())
    rank = np.abs(spearmanr(matrix).statistic)
    assert (rank[np.ix_(kept, kept)] - np.eye(3)).max() < 0.9
    if widest == 5000:
        family = [0, 2, 3, 5]
        medoid = family[int(np.argmax(rank[np.ix_(family, family)].mean(axis=1)))]
        assert medoid in kept


def test_representatives_of_copies_one_column_and_none():
    column = np.random.default_rng(0).normal(size=(30, 1))
    assert representatives(np.tile(column, (1, 7)), 0.99).tolist() == [0]
    assert representatives(column, 0.9).tolist() == [0]
    assert representatives(np.empty((30, 0)), 0.9).tolist() == []


def test_near_duplicates_are_found_across_blocks(monkeypatch):
    monkeypatch.setattr(selection, "WIDEST", 5)
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(50, 20))
    matrix[:, 17], matrix[:, 4] = matrix[:, 2], -matrix[:, 3]
    whole = representatives(matrix, 0.95)
    monkeypatch.setattr(selection, "_CHUNK", 6)
    assert representatives(matrix, 0.95).tolist() == whole.tolist() == [i for i in range(20) if i not in (4, 17)]
