"""Subgroups: their numbers, and that what is hidden cannot be computed from what is shown."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

from medomicslab_nb.errors import DataError
from medomicslab_nb.evaluation.delong import external_auc_interval
from medomicslab_nb.evaluation.endpoints import Endpoint
from medomicslab_nb.evaluation.intervals import bootstrap_c_index
from medomicslab_nb.evaluation.metrics import auc_ovr, r2
from medomicslab_nb.evaluation.subgroups import subgroup_performance


def study(counts: dict[str, tuple[int, int]]):
    """Patients of each group with and without the event, scores and groups."""
    groups = np.repeat(list(counts), [sum(pair) for pair in counts.values()])
    event = np.concatenate([np.arange(sum(pair)) < pair[0] for pair in counts.values()]).astype(bool)
    patients = pd.Index([f"P{i:03d}" for i in range(len(event))], name="patient")
    score = np.random.default_rng(0).normal(size=len(event)) + event
    return Endpoint("y", event, patients), score, pd.Series(groups, index=patients, name="centre")


def test_groups_have_their_own_numbers():
    endpoint, score, groups = study({"east": (20, 30), "west": (10, 40)})
    table = subgroup_performance(endpoint, score, groups.sample(frac=1, random_state=1))
    assert table[["group", "n", "events"]].to_numpy().tolist() == [["east", 50, 20], ["west", 50, 10]]
    expected = external_auc_interval(endpoint.event[:50], score[:50])
    assert table.loc[0, ["estimate", "lower", "upper"]].tolist() == [expected.estimate, expected.lower, expected.upper]
    assert (table["note"] == "").all()


def test_a_small_group_and_the_next_are_hidden():
    endpoint, score, groups = study({"a": (2, 1), "b": (20, 30), "c": (9, 9), "d": (40, 40)})
    table = subgroup_performance(endpoint, score, groups).set_index("group")
    assert table["n"].isna().to_dict() == {"a": True, "b": False, "c": True, "d": False}
    assert table.loc[["a", "c"], ["events", "estimate", "lower", "upper"]].isna().all(axis=None)
    assert "fewer than 5 patients" in table.loc["a", "note"]
    assert "by difference" in table.loc["c", "note"]
    assert np.isfinite(table.loc[["b", "d"], "estimate"].astype(float)).all()


def test_few_events_hide_events_and_performance_but_not_n():
    endpoint, score, groups = study({"a": (2, 30), "b": (20, 30), "c": (9, 9)})
    table = subgroup_performance(endpoint, score, groups).set_index("group")
    assert table["n"].tolist() == [32, 50, 18]
    assert table["events"].isna().tolist() == [True, False, True]
    assert "with, or without, the event" in table.loc["a", "note"]


def test_groups_of_one_do_not_add_up_to_a_small_cell():
    endpoint, score, groups = study({"a": (1, 0), "b": (0, 1), "c": (10, 10), "d": (20, 20)})
    table = subgroup_performance(endpoint, score, groups).set_index("group")
    assert table["n"].isna().tolist() == [True, True, True, False]


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), min_size=1, max_size=6))
def test_differences_from_the_totals_tell_no_small_cell(counts):
    cells = {f"g{i}": pair for i, pair in enumerate(counts) if sum(pair)}
    if not cells:
        return
    endpoint, score, groups = study(cells)
    table = subgroup_performance(endpoint, score, groups, draws=10)
    total = np.array([endpoint.events, len(endpoint) - endpoint.events])
    shown_n = table["n"].dropna()
    missing_n = len(endpoint) - int(shown_n.sum())
    shown = table.dropna(subset=["n", "events"])
    rest = total - [int(shown["events"].sum()), int((shown["n"] - shown["events"]).sum())]
    for cell in (*shown_n, *shown["events"], *(shown["n"] - shown["events"])):
        assert cell == 0 or cell >= 5
    everything_hidden = shown.empty
    assert everything_hidden or all(cell == 0 or cell >= 5 for cell in rest)
    assert len(shown_n) == 0 or missing_n == 0 or missing_n >= 5
    assert everything_hidden or len(table) - len(shown) != 1
    assert table.loc[table["events"].isna(), "estimate"].isna().all()


def test_patients_without_a_group_are_one():
    endpoint, score, groups = study({"a": (20, 20), "b": (20, 20)})
    table = subgroup_performance(endpoint, score, groups[:60])
    assert table["group"].tolist() == ["a", "b", "unknown"]
    assert table["n"].tolist() == [40, 20, 20]
    with pytest.raises(DataError, match="repeat a patient"):
        subgroup_performance(endpoint, score, pd.concat([groups, groups[:1]]))


def test_other_kinds_of_outcome():
    rng = np.random.default_rng(1)
    _, score, groups = study({"a": (20, 20), "b": (20, 20)})
    patients, time, event = groups.index, rng.exponential(size=80), rng.random(80) < 0.5
    survival = subgroup_performance(Endpoint("os", event, patients, time), score, groups, draws=50)
    expected = bootstrap_c_index(event[:40], time[:40], score[:40], draws=50)
    assert survival.loc[0, ["estimate", "lower"]].tolist() == [expected.estimate, expected.lower]
    number = subgroup_performance(Endpoint("size", time, patients), score, groups, draws=50)
    assert number["estimate"][0] == pytest.approx(r2(time[:40], score[:40]))
    assert number["events"].isna().all()
    codes, rows = np.tile([0, 1, 2, 0], 20), rng.normal(size=(80, 3))
    several = subgroup_performance(Endpoint("type", codes, patients, classes=("x", "y", "z")), rows, groups, draws=50)
    assert several["estimate"][1] == pytest.approx(auc_ovr(codes[40:], rows[40:]))
    repeats = subgroup_performance(Endpoint("y", event, patients), np.column_stack([score, score]), groups, draws=50)
    assert "bootstrap" in repeats["interval"][0]


def test_bad_input_48_a_group_of_one_class():
    endpoint, score, groups = study({"a": (0, 20), "b": (20, 20)})
    row = subgroup_performance(endpoint, score, groups).iloc[0]
    assert (row["n"], row["events"]) == (20, 0)
    assert np.isnan(row["estimate"])
    assert "not defined" in row["note"]
