"""Curves of binned counts against those of the pooled patients."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, strategies as st

from medomicslab_nb.errors import DataError
from medomicslab_nb.evaluation.calibration import kaplan_meier
from medomicslab_nb.evaluation.endpoints import Endpoint
from medomicslab_nb.federated.patients import SitePatients
from medomicslab_nb.federated.tasks.kaplan_meier import COLUMNS, survival_curve, times_step
from tests.federated.tasks.conftest import drive

SITES = st.lists(st.lists(st.tuples(st.integers(1, 12), st.booleans()), min_size=6, max_size=25), min_size=1,
                 max_size=3)


def site(time, event, entry=None) -> SitePatients:
    """Patients of whom nothing but follow-up is known."""
    index = pd.Index([f"p{i}" for i in range(len(time))])
    endpoint = Endpoint("death", np.asarray(event, dtype=bool), index, np.asarray(time, dtype=float), entry=entry)
    return SitePatients(pd.DataFrame(index=index), (), endpoint, np.zeros(len(time), dtype=bool))


def simulated(seed=0, sizes=(80, 45, 60)) -> dict[str, SitePatients]:
    """Sites whose survival differs, with censoring; times in months and never whole."""
    rng = np.random.default_rng(seed)
    found = {}
    for number, n in enumerate(sizes):
        death, end = rng.exponential(30 + 15 * number, n), rng.uniform(5, 70, n)
        found["abc"[number]] = site(np.minimum(death, end), death <= end)
    return found


def pooled(sites) -> tuple[np.ndarray, np.ndarray]:
    return (np.concatenate([one.endpoint.event for one in sites.values()]),
            np.concatenate([one.endpoint.time for one in sites.values()]))


def at(times, values, when):
    """Values of a step function that is 1 before the first time."""
    return np.concatenate([[1.0], values])[np.searchsorted(times, when + 1e-9, side="right")]


def test_whole_times_with_a_bin_each_give_the_pooled_curve():
    sites = {name: site(np.ceil(one.endpoint.time), one.endpoint.event) for name, one in simulated().items()}
    found = drive(survival_curve(bins=70, horizon=70.0), sites)
    assert list(found.columns) == COLUMNS and list(found["site"].unique()) == ["all", "a", "b", "c"]
    for name, members in [("all", sites), *((name, {name: one}) for name, one in sites.items())]:
        rows = found[found["site"] == name]
        event, time = pooled(members)
        times, survival, limits = kaplan_meier(event, time)
        when = rows["time"].to_numpy()
        assert when.tolist() == list(range(int(time.max()) + 1))
        np.testing.assert_allclose(rows["survival"], at(times, survival, when), atol=1e-12)
        open_below, open_above = rows["survival"] - rows["least"], rows["most"] - rows["survival"]
        np.testing.assert_allclose(rows["lower"] + open_below, at(times, limits[0], when), atol=1e-12)
        np.testing.assert_allclose(rows["upper"] - open_above, at(times, limits[1], when), atol=1e-12)
        assert open_below.max() < 0.02 and open_above.max() < 0.02
        np.testing.assert_array_equal(rows["at_risk"], [(time > t).sum() if t < 70 else (time == t).sum()
                                                        for t in when])


def test_times_within_bins_stay_within_the_stated_limits():
    sites = simulated()
    found = drive(survival_curve(bins=20), sites, minimum=5)
    times, survival, _ = kaplan_meier(*pooled(sites))
    rows = found[found["site"] == "all"]
    exact = at(times, survival, rows["time"].to_numpy())
    assert (rows["least"] <= exact + 1e-12).all() and (exact <= rows["most"] + 1e-12).all()
    assert np.abs(rows["survival"] - exact).max() < 0.04
    assert (rows["at_risk"][:-1] >= 5 - 1e-9).all()  # before each of the times
    assert (rows["lower"] <= rows["least"])[rows["survival"] < 1].all()
    assert (rows["upper"] >= rows["most"])[rows["survival"] < 1].all()


def test_nothing_is_open_where_all_the_others_are_followed_to_the_end():
    patients = site([5.0] * 10 + [40.0] * 30, [True] * 10 + [False] * 30)
    found = drive(survival_curve(bins=4, horizon=40.0), {"a": patients})
    end = found[found["site"] == "all"].iloc[-1]
    assert end[["survival", "least", "most", "at_risk"]].tolist() == [0.75, 0.75, 0.75, 30]


@pytest.mark.parametrize("events_at_the_end", [False, True])
def test_many_who_are_followed_to_one_time_are_not_spread_over_the_time_before(events_at_the_end):
    rng = np.random.default_rng(9)
    sites = {}
    for number, name in enumerate("abc"):
        death, end = rng.exponential(40 + 20 * number, 150), rng.uniform(20, 200, 150)
        time = np.ceil(np.minimum(np.minimum(death, end), 60))
        sites[name] = site(time, (death <= end) & ((time < 60) | events_at_the_end))
    found = drive(survival_curve(bins=60, horizon=60.0), sites, minimum=5)
    for name, members in [("all", sites), *((name, {name: one}) for name, one in sites.items())]:
        times, survival, _ = kaplan_meier(*pooled(members))
        rows = found[found["site"] == name]
        assert np.abs(rows["survival"] - at(times, survival, rows["time"].to_numpy())).max() < 0.01


def _may_leave(one: SitePatients, minimum: int) -> bool:
    """Whether a site has enough events and enough others at all."""
    events = int(one.endpoint.event.sum())
    return all(count == 0 or count >= minimum for count in (events, len(one) - events))


@given(SITES, st.integers(1, 4), st.integers(1, 9), st.sampled_from([None, 12.0, 40.0]))
def test_limits_hold_whatever_the_times(times, minimum, bins, horizon):
    sites = {f"s{number}": site([t for t, _ in one], [e for _, e in one]) for number, one in enumerate(times)}
    assume(all(_may_leave(one, minimum) for one in sites.values()))
    found = drive(survival_curve(bins, horizon), sites, minimum)
    for name, members in [("all", sites), *((name, {name: one}) for name, one in sites.items())]:
        rows = found[found["site"] == name]
        known, survival, _ = kaplan_meier(*pooled(members))
        exact = at(known, survival, rows["time"].to_numpy())
        assert (rows["least"] <= exact + 1e-9).all() and (exact <= rows["most"] + 1e-9).all()
        assert (rows["least"] <= rows["survival"] + 1e-9).all() and (rows["survival"] <= rows["most"] + 1e-9).all()


@given(SITES, st.integers(2, 6), st.integers(1, 30))
def test_no_small_bin_leaves(times, minimum, bins):
    for one in times:
        patients = site([t for t, _ in one], [e for _, e in one])
        release = times_step(patients, {"part": "all", "edges": np.linspace(0, 9, bins + 1)}, minimum)
        released = np.concatenate([release.values["events"], release.values["censored"]])
        assert released.sum() == len(patients)
        small = [count for count in released if 0 < count < minimum]
        totals = [release.values["events"].sum(), release.values["censored"].sum()]
        # Where all together are too few, the count is shown to the site's policy, which refuses it.
        assert set(small) <= set(totals) and set(small) <= set(release.cells)


def test_length_of_follow_up_leaves_as_sums_only():
    patients = simulated()["a"]
    release = times_step(patients, {"part": "all"}, 5)
    assert set(release.values) == {"patients", "time", "squares"} and release.cells == (80,)
    assert release.values["time"] == pytest.approx(patients.endpoint.time.sum())


def test_late_entry_is_refused():
    patients = site([5.0, 6.0], [True, False], entry=np.array([0.0, 1.0]))
    with pytest.raises(DataError, match="under observation from the start"):
        times_step(patients, {"part": "all"}, 1)


def test_nobody_followed():
    with pytest.raises(DataError, match="no patient was followed"):
        drive(survival_curve(10), {"a": site([0.0] * 5, [True] * 5)})
