"""The model builder: what a run would do, said while the form changes; runs side by side; hooks of the stage view."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

import medomicslab_nb as ml
from medomicslab_nb.models.outline import outline
from medomicslab_nb.models.settings import ModelsSettings
from medomicslab_nb.models.study_patients import seal_patients
from medomicslab_nb.settings import Settings
from medomicslab_nb.study import Study
from medomicslab_nb.tables import Column
from medomicslab_nb.views import stage_view
from medomicslab_nb.views.compare_runs import RunComparison, comparison_html, forest_row
from medomicslab_nb.views.live_summary import LiveSummary
from medomicslab_nb.views.model_builder import ModelBuilder
from tests.report.samples import HOSTILE, IDS, data_tables, finished_run, models_tables
from tests.views.test_linked_plots import a_run


def wait_until(condition: Callable[[], bool], timeout_s: float = 20) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def parsed(**values: Any) -> ModelsSettings:
    return ModelsSettings.parse({"outcome": "dmfs", **values})


def files(study: Study) -> set[str]:
    return {str(path) for path in study.path.rglob("*") if path.is_file()}


def test_outline_counts_what_a_run_does(study: Study) -> None:
    found = outline(study, parsed())
    assert (found.endpoint.kind, len(found.endpoint)) == ("survival", 60)
    assert [(block.name, block.predictors, block.patients) for block in found.blocks] == [
        ("clinical", 2, 60), ("genes", 5, 52)]
    assert found.learners == ("default: ridge + forest", "ridge", "forest")
    # Two stacked blocks, three learners, ten folds, each with five inner folds and once on all its patients.
    assert (found.sets, found.folds, found.fits) == (3, 10, 10 * 3 * 2 * 6)
    assert outline(study, parsed(fusion="early")).fits == 10 * 3 * 3 * 6
    assert outline(study, parsed(compare=False, ablation=False, repeats=1, subsamples=4)).fits == (5 + 4) * 2 * 6
    assert found.size.parameters == 7


def test_outline_writes_nothing_and_opens_no_seal(study: Study) -> None:
    seal_patients(study, "dmfs", share=0.25, seed=1)
    before = files(study)
    found = outline(study, parsed(validation="sealed", reason="x"))
    assert (len(found.endpoint), found.folds) == (45, 1)
    assert files(study) == before


@pytest.mark.parametrize(("language", "words"), [
    ("en", ["dmfs: time to event, 60 patients", "events per predictor", "criteria of Riley"]),
    ("fr", ["dmfs : délai", "événements par prédicteur", "critères de Riley"])])
def test_summary_in_words(study: Study, monkeypatch: pytest.MonkeyPatch, language: str, words: list[str]) -> None:
    monkeypatch.setenv("MEDOMICSLAB_LANG", language)
    view = ml.view("models", study, {"outcome": "dmfs"})
    assert isinstance(view, ModelBuilder)
    said = view.summary(parsed())
    assert [word for word in words if word not in said] == []


@pytest.mark.parametrize(("values", "words"), [
    ({"outcome": "nothing"}, "no endpoint or column"), ({"folds": 20, "outcome": "rare"}, "cannot be run"),
    ({"validation": "leave one centre out"}, "no column of role centre"),
    ({"outcome": "rare", "learner": "svm", "blocks": {"x": ["nowhere"]}}, "nowhere")])
def test_summary_says_why_settings_cannot_be_run(study: Study, values: dict[str, Any], words: str) -> None:
    study.add_table("more", pd.DataFrame({"patient": IDS, "rare": [1] * 3 + [0] * 57}), columns={
        "patient": Column(role="identifier", type="text"), "rare": Column(role="outcome", type="boolean")})
    view = ml.view("models", study, {"outcome": "dmfs"})
    assert isinstance(view, ModelBuilder)
    said = view.summary(parsed(**values))
    assert words in said
    assert not any(patient in said for patient in IDS)


def test_the_last_settings_win_however_long_the_others_take() -> None:
    def describe(settings: Any) -> str:
        time.sleep(0.5 if settings.folds == 2 else 0.0)
        return str(settings.folds)

    shown = LiveSummary(describe)
    shown.update(parsed(folds=2))
    time.sleep(0.45)  # it has begun
    shown.update(parsed(folds=3))
    shown.update(parsed(folds=4))
    wait_until(lambda: shown.widget.value == "4")
    time.sleep(0.6)
    assert shown.widget.value == "4"


def test_comparison_shows_every_completed_run_with_its_interval(study: Study) -> None:
    assert comparison_html(study) == ""
    for folds, estimate in ((5, 0.6), (3, 0.7)):
        finished_run(study, "models", models_tables(), {"outcome": "dmfs", "folds": folds}, metrics={
            "metric": "c_index", "estimate": estimate, "lower": estimate - 0.1, "upper": estimate + 0.1, "n": 60,
            "events": 30, "blocks": HOSTILE, "default": IDS[4]})
    finished_run(study, "data", data_tables())
    shown = comparison_html(study)
    assert "C-index 0.700 (0.600 to 0.800)" in shown
    assert shown.index("C-index 0.700") < shown.index("C-index 0.600")
    assert "folds=3" in shown
    assert "<script" not in shown
    assert IDS[4] not in shown
    # One scale: the smallest limit is at the left end, the largest at the right one.
    ends = [float(end) for end in re.findall(r'x[12]="([\d.]+)"', shown)]
    assert (min(ends), max(ends)) == (8.0, 152.0)
    assert "Runs so far" in ml.view("models", study, {"outcome": "dmfs"})._repr_mimebundle_()["text/html"]


def test_forest_row_without_numbers_is_empty() -> None:
    nothing = {"estimate": float("nan"), "lower": float("nan"), "upper": float("nan"), "metric": "auc"}
    assert forest_row(nothing, (0, 1)) == ""
    assert "<line" not in forest_row({**nothing, "estimate": 0.5}, (0, 1))


def test_two_runs_are_chosen_and_compared(study: Study) -> None:
    comparison = RunComparison(study)
    assert comparison.widget.layout.display == "none"
    for folds in (5, 3):
        finished_run(study, "models", models_tables(), {"outcome": "dmfs", "folds": folds}, metrics={
            "metric": "c_index", "estimate": 0.6})
    comparison.refresh()
    assert comparison.widget.layout.display == ""
    assert comparison.first.value != comparison.second.value
    assert ">folds<" in comparison._pair.value
    comparison.first.value = comparison.second.value
    assert comparison._pair.value == "Choose two different runs."


def test_result_has_linked_plots_only_where_somebody_looks(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    record = a_run(study, survival=True)
    view = ml.view("models", study, {"outcome": "dmfs"})
    widget = "application/vnd.jupyter.widget-view+json"
    assert not any(widget in bundle for bundle in view.result(record))
    monkeypatch.setattr(stage_view, "interactive", lambda: True)
    live = ml.view("models", study, {"outcome": "dmfs"})
    assert sum(widget in bundle for bundle in live.result(record)) == 1


def test_live_view_says_what_the_settings_mean(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage_view, "interactive", lambda: True)
    view = ml.view("models", study, {"outcome": "dmfs"})
    assert isinstance(view, ModelBuilder)
    assert view._below is not None
    wait_until(lambda: "360 fits" in view._below.summary.widget.value)
    settings: Settings = parsed(repeats=4)
    view.on_settings(settings)
    wait_until(lambda: "720 fits" in view._below.summary.widget.value)
