"""What the figures show is what the tables say."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from medomicslab_nb.report import (
    data_figures,
    explanation_figures,
    model_figures,
    nomogram_figure,
    survival_figures,
    wording,
)
from medomicslab_nb.report.figures import pictures
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
    assert survival_figures.at_risk(curve, time) == expected


@pytest.mark.parametrize(("largest", "expected"), [(9108, [0, 2000, 4000, 6000, 8000]), (1, [0, .2, .4, .6, .8, 1]),
                                                   (0, [0, 1])])
def test_ticks_are_round(largest: float, expected: list[float]) -> None:
    assert survival_figures.nice_ticks(largest) == pytest.approx(expected)


def test_swarm_is_deterministic_and_stays_in_its_row() -> None:
    values = np.random.default_rng(0).normal(size=500)
    offsets = explanation_figures._spread(values)
    assert np.abs(offsets).max() <= 0.36
    assert (offsets == explanation_figures._spread(values)).all()
    assert explanation_figures._spread(np.zeros(3)).tolist() == pytest.approx([0, 0.24, -0.24])


def test_88_names_are_escaped_for_plotly() -> None:
    assert "<" not in plain(HOSTILE)
    for survival in (True, False):
        found = pictures(models_tables(HOSTILE, survival=survival), HOSTILE, HOSTILE)
        assert len(found) >= 9
        for picture in found:
            assert "<a" not in picture.figure.to_json()
            assert "<img" not in picture.figure.to_json()


def test_long_names_keep_their_end() -> None:
    assert plain("original_glcm_Contrast_3", 12) == "origi…rast_3"
    assert plain("short", 12) == "short"


def test_missing_bounds_and_constant_values_are_drawn() -> None:
    table = models_tables()["kaplan_meier"]
    assert len(survival_figures.kaplan_meier(table.assign(lower=np.nan, upper=np.nan))) == 3
    assert set(explanation_figures._ranks(pd.Series([1.0, 1.0]))) == {0.5}
    assert explanation_figures._ranks(pd.Series(["b", "a"])) == [1.0, 0.0]


def test_decision_curve_draws_treating_all_once_and_has_its_numbers_in_rows() -> None:
    table = models_tables()["decision"]
    drawn = model_figures.decision(table)
    assert [trace.name for trace in drawn.data if trace.showlegend is None] == [
        "clinical", "genes", "clinical + genes", "treat all", "treat none"]
    assert drawn.layout.xaxis.range == pytest.approx((0, 0.35))  # nothing happens above the last threshold of 0.3
    numbers = model_figures.decision_numbers(table)
    assert len(numbers) == 9
    assert numbers.iloc[1][["threshold", "net_benefit", "treat_all"]].tolist() == pytest.approx([0.2, 0.3, 0.2])


def test_cumulative_incidence_begins_at_zero() -> None:
    table = pd.DataFrame({"blocks": "all", "group": "low risk", "time": [5.0, 9.0], "incidence": [0.1, 0.2],
                          "lower": [0.0, 0.1], "upper": [0.3, 0.4], "at_risk": [10, 6], "events": 1})
    ((_, drawn),) = survival_figures.cumulative_incidence(table)
    curve = next(trace for trace in drawn.data if trace.name == "low risk")
    assert list(curve.x) == [0.0, 5.0, 9.0]
    assert list(curve.y) == [0.0, 0.1, 0.2]


def test_nomogram_labels_never_cover_each_other() -> None:
    found = nomogram_figure.arranged([0.0, 0.5, 1.0, 50.0], ["first", "second", "third", "last"])
    assert found == [(0.0, "first", "above"), (0.5, "second", "below"), (50.0, "last", "above")]


def test_nomogram_reads_risks_off_the_table_and_leaves_out_what_weighs_nothing() -> None:
    tables = models_tables(survival=False)
    points = pd.concat([tables["nomogram_points"], pd.DataFrame({
        "feature": "G1", "block": "genes", "value": [0.0, 1.0], "category": "", "contribution": [0.0, 0.001],
        "n": 60, "points": [0.0, 0.1]})])
    assert nomogram_figure.drawn_features(points) == ["age", "grade"]
    drawn = nomogram_figure.nomogram(points, tables["nomogram_risk"], "probability")
    assert list(drawn.layout.yaxis.ticktext) == ["points", "age", "grade", "total points", "probability"]
    risks = {note.text: note.x for note in drawn.layout.annotations if note.text.endswith("%")}
    assert risks["50%"] == pytest.approx(50)
    assert risks["30%"] == pytest.approx(10)
    assert "missing" not in [note.text for note in drawn.layout.annotations]  # nobody lacks a grade


def test_partial_dependence_leaves_out_what_the_model_does_not_use() -> None:
    table = models_tables()["partial_dependence"]
    flat = table[table["feature"] == "age"].assign(feature="G1", mean=0.3)
    kept = explanation_figures.with_effect(pd.concat([table, flat]))
    assert kept["feature"].unique().tolist() == ["age", "grade"]
    drawn = explanation_figures.partial_dependence(kept, "risk")
    assert [note.text for note in drawn.layout.annotations] == ["age", "grade"]
    assert explanation_figures.partial_dependence(kept.iloc[:0], "risk") is None


def test_mean_sizes_are_means_of_absolute_values_with_limits_around_them() -> None:
    draw = np.random.default_rng(0).normal(size=(50, 2))
    shap = pd.DataFrame({"row": np.tile(np.arange(50), 2), "feature": np.repeat(["a", "b"], 50), "block": "clinical",
                         "shap": np.concatenate([draw[:, 0], 3 * draw[:, 1]])})
    table = explanation_figures.mean_sizes(shap)
    assert table["feature"].tolist() == ["b", "a"]
    assert table["mean_abs_shap"].tolist() == pytest.approx(np.abs(draw * [1, 3]).mean(axis=0)[::-1])
    assert ((table["lower"] < table["mean_abs_shap"]) & (table["mean_abs_shap"] < table["upper"])).all()


@pytest.mark.parametrize("metric", [
    "auc", "auc_ovr", "c_index", "r2", "auprc", "brier", "rmse", "mae", "accuracy", "balanced_accuracy", "uno_c",
    "auc_at_horizon", "brier_at_horizon", "integrated_brier", "calibration_slope", "calibration_intercept",
    "observed_over_expected"])
def test_every_measure_has_a_printed_name(metric: str) -> None:
    assert metric in wording._METRICS
    assert "_" not in wording.metric_name(metric)


def test_colours_are_distinct() -> None:
    assert len(set(COLOURS)) == len(COLOURS)


@pytest.mark.parametrize(("value", "expected"), [(None, ""), (float("nan"), ""), (0.6789, "0.679"), (3.0, "3"),
                                                 (True, "yes"), (1e-5, "1e-05"), (12345.6, "12346"), ("a", "a"),
                                                 (pd.NA, ""), (np.int64(4), "4"), (float("inf"), "∞")])
def test_numbers_are_printed(value: object, expected: str) -> None:
    assert wording.number(value) == expected
