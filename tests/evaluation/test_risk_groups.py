"""Risk groups against scikit-survival, statsmodels and counts by hand, and what an optimal cut-off would do."""

from __future__ import annotations

import numpy as np
import pytest
from sksurv.compare import compare_survival
from sksurv.util import Surv
from statsmodels.duration.hazard_regression import PHReg
from statsmodels.duration.survfunc import survdiff

from medomicslab_nb.errors import DataError
from medomicslab_nb.evaluation.risk_groups import compare_groups, log_rank, numbers_at_risk, risk_groups


def patients(n=150, groups=3, effect=0.5, seed=0):
    rng = np.random.default_rng(seed)
    group = rng.integers(0, groups, n)
    time = np.ceil(rng.exponential(8 * np.exp(-effect * group))) + 2
    entry = np.floor(rng.uniform(0, 0.6, n) * time)
    return group, time, rng.random(n) < 0.7, entry, rng.integers(0, 4, n)


def test_groups_by_cut_off():
    assert risk_groups(np.array([0.1, 0.5, 0.7, 0.9, 2.0]), [0.5, 0.9]).tolist() == [0, 1, 1, 2, 2]
    assert risk_groups(np.array([1.0, 2.0]), []).tolist() == [0, 0]
    with pytest.raises(ValueError, match="do not rise"):
        risk_groups(np.array([1.0]), [2.0, 1.0])
    with pytest.raises(ValueError, match="missing"):
        risk_groups(np.array([np.nan]), [2.0])


@pytest.mark.parametrize("groups", [2, 3])
def test_log_rank_of_scikit_survival(groups):
    group, time, event, _, _ = patients(groups=groups)
    statistic, freedom, p = log_rank(group, time, event)
    assert (statistic, p) == pytest.approx(compare_survival(Surv.from_arrays(event, time), group))
    assert freedom == groups - 1


def test_log_rank_of_statsmodels_with_strata_or_entry():
    group, time, event, entry, strata = patients()
    for parts in ({"strata": strata}, {"entry": entry}):
        assert log_rank(group, time, event, **parts)[::2] == pytest.approx(survdiff(time, event, group, **parts))


def test_log_rank_is_coxs_score_test():
    # Without ties, with strata and entry both.
    group, time, event, entry, strata = patients(groups=2)
    time = time + np.arange(150) / 1000
    model = PHReg(time, group[:, None].astype(float), status=event, entry=entry, strata=strata)
    zero = np.zeros(1)
    assert log_rank(group, time, event, entry=entry, strata=strata)[0] == pytest.approx(
        float(model.score(zero)[0] ** 2 / -model.hessian(zero)[0, 0]))


def test_log_rank_by_hand():
    # Group 0: events at 1 and 3; group 1: event at 2, censored at 4. Expected in group 1: 1/2 + 2/3 + 1/2.
    group, time = np.array([0, 1, 0, 1]), np.array([1.0, 2, 3, 4])
    statistic, _, _ = log_rank(group, time, np.array([True, True, True, False]))
    expected, variance = 1 / 2 + 2 / 3 + 1 / 2, 1 / 4 + 2 / 9 + 1 / 4
    assert statistic == pytest.approx((1 - expected) ** 2 / variance)


def test_where_nothing_can_be_compared():
    group, time, event, _, _ = patients()
    assert np.isnan(log_rank(np.zeros(150, int), time, event)[2])
    assert np.isnan(log_rank(group, time, np.zeros(150, bool))[2])
    # Strata that are the groups: nobody has anyone to be compared with.
    assert np.isnan(log_rank(group, time, event, strata=group)[2])
    alone = compare_groups(np.zeros(150, int), time, event)
    assert alone.hazard_ratios == {}
    nobody = compare_groups(group, time, event & (group != 2))
    assert np.isnan(nobody.hazard_ratios[2].estimate)
    assert nobody.p < 1
    with pytest.raises(DataError, match="enter at or after"):
        compare_groups(group, time, event, entry=time)


def test_comparison():
    group, time, event, entry, strata = patients(n=400)
    found = compare_groups(group, time, event, entry=entry, strata=strata)
    columns = (group[:, None] == [1, 2]).astype(float)
    # Entries off the event times, where statsmodels counts differently.
    reference = PHReg(time, columns, status=event, entry=entry + 0.5, strata=strata, ties="efron").fit()
    for number, coef, limits in zip((1, 2), reference.params, reference.conf_int(), strict=True):
        ratio = found.hazard_ratios[number]
        assert (ratio.estimate, ratio.lower, ratio.upper) == pytest.approx(tuple(np.exp([coef, *limits])), abs=1e-6)
    assert found.p < 0.001
    assert found.groups["n"].tolist() == np.bincount(group).tolist()
    assert found.groups["events"].sum() == event.sum()
    assert found.groups["median_survival"].is_monotonic_decreasing


def test_numbers_at_risk():
    group, time = np.array([0, 0, 1, 1]), np.array([1.0, 2, 2, 5])
    event, entry = np.array([True, False, True, False]), np.array([0.0, 0, 1, 2])
    table = numbers_at_risk(group, time, event, [0, 2, 3])
    assert table["at_risk"].tolist() == [2, 1, 0, 2, 2, 1]
    assert table["events"].tolist() == [0, 1, 1, 0, 1, 1]
    # The one of group 1 that enters at 2 is not under observation just before.
    assert numbers_at_risk(group, time, event, [2, 3], entry=entry)["at_risk"].tolist() == [1, 0, 1, 1]


def test_what_an_optimal_cut_off_does():
    """Where the score says nothing: held-out cut-offs err in 5 % of studies, the best of all cut-offs far oftener."""
    rng = np.random.default_rng(0)
    held_out = optimal = 0
    trials = 250
    for _ in range(trials):
        score, time, event = rng.normal(size=60), rng.exponential(size=60), rng.random(60) < 0.7
        cut = np.median(rng.normal(size=60))  # of training patients
        held_out += log_rank(risk_groups(score, [cut]), time, event)[2] < 0.05
        cuts = np.sort(score)[6:55:2]
        optimal += min(log_rank(risk_groups(score, [cut]), time, event)[2] for cut in cuts) < 0.05
    assert held_out / trials == pytest.approx(0.05, abs=0.035)
    assert optimal / trials > 0.3
