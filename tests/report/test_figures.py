"""What the figures show is what the tables say."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from medomicslab_nb.report import data_figures, model_figures, wording
from medomicslab_nb.report.style import COLOURS, plain
from tests.report.samples import HOSTILE, data_tables, models_tables


def test_linkage_has_a_bar_per_combination_and_totals_per_table() -> None:
    drawn = data_figures.linkage(data_tables()["linkage"])
    assert list(drawn.data[0].y) == [52, 8]
    assert list(drawn.layout.yaxis2.ticktext) == ["clinical (60)", "genes (52)"]


def test_missingness_is_in_percent_and_absent_when_nothing_is_missing() -> None:
    dictionary = data_tables()["dictionary"]
    assert max(data_figures.missingness(dictionary).data[0].x) == 35
    assert data_figures.missingness(dictionary.assign(missing=0)) is None


def test_flow_names_what_each_step_excluded() -> None:
    texts = [note.text for note in data_figures.flow(data_tables()["flow"]).layout.annotations]
    assert "excluded: <b>3</b>" in texts
    assert sum("excluded" in text for text in texts) == 1


def test_performance_marks_the_default_and_shows_fold_means_only() -> None:
    drawn = model_figures.performance(models_tables()["performance"])
    assert [trace.marker.symbol for trace in drawn.data] == ["diamond", "circle-open", "circle-open"] * 3
    assert drawn.data[0].x == (0.6,)
    assert drawn.data[0].error_x.array[0] == pytest.approx(0.1)


@pytest.mark.parametrize(("time", "expected"), [(0, 30), (100, 20), (101, 10), (500, 10), (501, 0)])
def test_at_risk_counts_those_still_observed(time: float, expected: int) -> None:
    curve = pd.DataFrame({"time": [0.0, 100.0, 500.0], "at_risk": [30, 20, 10]})
    assert model_figures.at_risk(curve, time) == expected


@pytest.mark.parametrize(("largest", "expected"), [(9108, [0, 2000, 4000, 6000, 8000]), (1, [0, .2, .4, .6, .8, 1]),
                                                   (0, [0, 1])])
def test_ticks_are_round(largest: float, expected: list[float]) -> None:
    assert model_figures.nice_ticks(largest) == pytest.approx(expected)


def test_swarm_is_deterministic_and_stays_in_its_row() -> None:
    values = np.random.default_rng(0).normal(size=500)
    offsets = model_figures._spread(values)
    assert np.abs(offsets).max() <= 0.36
    assert (offsets == model_figures._spread(values)).all()
    assert model_figures._spread(np.zeros(3)).tolist() == pytest.approx([0, 0.24, -0.24])


def test_88_names_are_escaped_for_plotly() -> None:
    assert "<" not in plain(HOSTILE)
    tables = models_tables(HOSTILE)
    for _, drawn in model_figures.explanation(tables["importance"], tables["shap"]):
        assert "<a" not in drawn.to_json()


def test_missing_bounds_and_constant_values_are_drawn() -> None:
    table = models_tables()["kaplan_meier"]
    assert len(model_figures.kaplan_meier(table.assign(lower=np.nan, upper=np.nan))) == 3
    assert set(model_figures._ranks(pd.Series([1.0, 1.0]))) == {0.5}
    assert model_figures._ranks(pd.Series(["b", "a"])) == [1.0, 0.0]


def test_colours_are_distinct() -> None:
    assert len(set(COLOURS)) == len(COLOURS)


@pytest.mark.parametrize(("value", "expected"), [(None, ""), (float("nan"), ""), (0.6789, "0.679"), (3.0, "3"),
                                                 (True, "yes"), (1e-5, "1e-05"), (12345.6, "12346"), ("a", "a"),
                                                 (pd.NA, ""), (np.int64(4), "4"), (float("inf"), "∞")])
def test_numbers_are_printed(value: object, expected: str) -> None:
    assert wording.number(value) == expected
