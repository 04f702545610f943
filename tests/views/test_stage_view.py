"""A stage's view: static where nobody looks, live in a notebook, same settings and same run either way."""

from __future__ import annotations

import time
from collections.abc import Callable

import pandas as pd
import pytest

import medomicslab_nb as ml
from medomicslab_nb.errors import SettingsError
from medomicslab_nb.progress import Event
from medomicslab_nb.study import Study
from medomicslab_nb.tables import Column
from medomicslab_nb.views import stage_view
from medomicslab_nb.views.progress import NotebookBar
from medomicslab_nb.views.record_view import mimebundle
from medomicslab_nb.views.run_browser import RunBrowser
from tests.report.samples import HOSTILE, IDS, data_tables, finished_run, models_tables


@pytest.fixture
def live(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if a person looked at the notebook."""
    monkeypatch.setattr(stage_view, "interactive", lambda: True)


def wait_until(condition: Callable[[], bool], timeout_s: float = 20) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_headless_view_is_a_table_without_widgets(study: Study) -> None:
    view = ml.view("models", study, {"outcome": "dmfs", "folds": 3})
    assert view.panel is None
    bundle = view._repr_mimebundle_()
    assert set(bundle) == {"text/html", "text/plain"}
    assert "<td" in bundle["text/html"]
    assert "dmfs" in bundle["text/plain"]
    assert not any(patient in text for patient in IDS for text in bundle.values())


@pytest.mark.parametrize(("language", "words"), [
    ("en", ["time to event", "two classes", "a number", "to be set: ", "52 / 60", "8 patients lack at least one "]),
    ("fr", ["délai jusqu", "deux classes", "un nombre", "à préciser : ", "52 / 60", "8 patients n"])])
def test_models_view_says_kinds_of_endpoints_and_who_has_which_block(
        study: Study, monkeypatch: pytest.MonkeyPatch, language: str, words: list[str]) -> None:
    monkeypatch.setenv("MEDOMICSLAB_LANG", language)
    study.update_columns("clinical", {"age": Column(role="outcome", unit="years")})
    more = pd.DataFrame({"patient": IDS, "relapse": [0, 1] * 30, "ended": ["tumour", "other", ""] * 20, "until": 3.0})
    study.add_table("more", more, columns={
        "patient": Column(role="identifier", type="text"), "relapse": Column(role="outcome", type="boolean"),
        "ended": Column(role="cause", type="category", endpoint="cs"), "until": Column(role="time", endpoint="cs")})
    shown = ml.view("models", study)._repr_mimebundle_()["text/html"]
    assert [part for part in words if part not in shown] == []
    assert not any(patient in shown for patient in IDS)


def test_models_result_says_what_came_out(study: Study) -> None:
    record = finished_run(study, "models", models_tables(), {"outcome": "dmfs"}, warnings=[
        "Adding genes to clinical changed the C-index by +0.080.", f"{IDS[2]} is odd"])
    bundles = ml.view("models", study, {"outcome": "dmfs"}).result(record)
    texts = [bundle["text/plain"] for bundle in bundles]
    assert "Adding genes to clinical changed the C-index by +0.080." in texts
    drawn = [text for bundle, text in zip(bundles, texts, strict=True) if len(bundle) == 3]
    assert drawn == ["Performance", "What each block adds", "Calibration", "Decision curve", "Centres and subgroups"]
    assert not any(patient in str(bundles) for patient in IDS)


def test_59_unknown_setting_is_refused_by_the_view(study: Study) -> None:
    with pytest.raises(SettingsError, match="did you mean 'folds'"):
        ml.view("models", study, {"outcome": "dmfs", "foldz": 3})


def test_required_setting_is_refused_by_the_run_not_by_the_view(study: Study) -> None:
    view = ml.view("models", study)
    with pytest.raises(SettingsError, match="'outcome' is required"):
        view.run()


@pytest.mark.parametrize("settings", [{"outcome": "dmfs"}, '{"outcome": "dmfs"}', "outcome: dmfs"])
def test_settings_arrive_as_mapping_json_or_yaml(study: Study, settings: object) -> None:
    assert ml.view("data", study, settings).settings.outcome == "dmfs"


@pytest.mark.usefixtures("live")
@pytest.mark.parametrize("stage", ["data", "models", "pipeline"])
def test_live_view_gives_the_same_settings_as_the_headless_one(study: Study, stage: str) -> None:
    given = {"outcome": "dmfs"} if stage != "pipeline" else {"models": {"outcome": "dmfs", "folds": 3}}
    view = ml.view(stage, study, given)
    assert view.panel is not None
    assert view.settings == type(view.settings).parse(given)
    bundle = view._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert "dmfs" in bundle["text/html"], "what is left in a saved notebook that is opened without its kernel"


@pytest.mark.usefixtures("live")
def test_run_button_waits_for_valid_settings(study: Study) -> None:
    panel = ml.view("models", study).panel
    assert panel.run_button.disabled
    panel.form.value = {"outcome": "dmfs"}
    assert not panel.run_button.disabled


@pytest.mark.usefixtures("live")
def test_started_run_is_followed_to_its_end(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    record = finished_run(study, "data", data_tables(), status="running", finished=None)
    monkeypatch.setattr("medomicslab_nb.runner.start", lambda *_: record)
    panel = ml.view("data", study).panel  # finds the run that is under way
    assert panel.busy
    assert "found" not in panel.status.value
    record.progress_sink(Event("checking tables", 1, 4, 1.0))
    wait_until(lambda: "checking tables: 1/4" in panel.progress._bar._label.value)
    finished = finished_run(study, "data", data_tables())
    record.update(status="completed", finished=finished.finished)
    wait_until(lambda: not panel.busy and bool(panel.output.outputs))
    assert "Completed" in panel.status.value
    kinds = [output["data"].keys() for output in panel.output.outputs]
    assert any("application/vnd.plotly.v1+json" in kind for kind in kinds)


@pytest.mark.usefixtures("live")
def test_newly_made_view_says_that_it_found_a_run(study: Study) -> None:
    record = finished_run(study, "data", {}, status="running", finished=None)
    view = ml.view("data", study)
    assert view.record.id == record.id
    assert "was under way" in view.panel.status.value
    assert ml.view("models", study).record is None
    view.cancel()
    assert record.cancel_requested()
    record.update(status="cancelled", finished=record.started)
    wait_until(lambda: "Cancelled" in view.panel.status.value)


@pytest.mark.usefixtures("live")
def test_newly_made_view_offers_the_result_of_the_last_run(study: Study) -> None:
    assert ml.view("data", study).panel.show_button.layout.display == "none"
    finished_run(study, "data", data_tables())
    panel = ml.view("data", study).panel
    assert "Last run (20" in panel.status.value
    assert "Completed in" in panel.status.value
    assert not panel.output.outputs
    assert not panel.busy
    panel.show_button.click()
    assert panel.output.outputs
    assert panel.show_button.layout.display == "none"


@pytest.mark.usefixtures("live")
def test_newly_made_view_says_how_the_last_run_failed(study: Study) -> None:
    finished_run(study, "data", {}, status="failed", error="no such <table>")
    panel = ml.view("data", study).panel
    assert "no such &lt;table&gt;" in panel.status.value
    assert panel.show_button.layout.display == "none"


@pytest.mark.usefixtures("live")
def test_view_hears_of_valid_settings_only(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    heard = []
    monkeypatch.setattr(stage_view.StageView, "on_settings", lambda _, settings: heard.append(settings.outcome))
    view = ml.view("data", study, {"outcome": "dmfs"})
    view.panel.form.value = {"outcome": "age"}
    assert heard[-2:] == ["dmfs", "age"]
    view.panel._busy(busy=True)
    view.panel.form.value = {"outcome": "grade"}
    view.panel.show_end(finished_run(study, "data", data_tables()))
    assert heard[-1] == "grade", "what was changed during a run"


@pytest.mark.usefixtures("live")
def test_refused_start_is_told_in_the_view(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise SettingsError("no such endpoint <b>")

    monkeypatch.setattr("medomicslab_nb.runner.start", refuse)
    panel = ml.view("data", study).panel
    panel.run_button.click()
    assert "no such endpoint &lt;b&gt;" in panel.status.value
    assert not panel.run_button.disabled


def test_record_shows_itself_without_identifiers(study: Study) -> None:
    record = finished_run(study, "models", models_tables(HOSTILE), {"outcome": "dmfs"}, warnings=[f"{IDS[3]} is odd"])
    bundle = mimebundle(record)
    assert "C-index" in bundle["text/html"]
    assert "0.680" in bundle["text/plain"]
    assert IDS[3] not in str(bundle)
    assert "<img" not in bundle["text/html"]
    assert "report.html" not in bundle["text/html"]
    record.report()
    assert "report.html" in record._repr_mimebundle_()["text/html"]


def test_run_browser_lists_runs_newest_first_with_stale_marks(study: Study) -> None:
    assert "No runs" in RunBrowser(study)._repr_mimebundle_()["text/plain"]
    changed = {"name": "clinical", "ref": "tables/x.yaml", "sha256": "0" * 64}
    finished_run(study, "data", data_tables(), inputs=[changed])
    finished_run(study, "models", {}, {"outcome": "dmfs"}, status="failed")
    rows = RunBrowser(study).rows()
    assert [(row[0], row[3], row[4]) for row in rows] == [("models", "failed", ""),
                                                          ("data", "completed", "stale: clinical changed")]


def test_bar_is_plain_lines_where_nobody_looks(capsys: pytest.CaptureFixture[str]) -> None:
    bar = NotebookBar()
    bar(Event("reading", 3, 3, 2.5, finished=True))
    assert "reading: 3/3, 2 s done" in capsys.readouterr().out
