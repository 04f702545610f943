"""The run browser: rows, one run, two runs, and what its buttons do; no patient reaches the browser."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, strategies as st

from medomicslab_nb.files import read_document, write_json
from medomicslab_nb.report.settings_difference import ABSENT, Difference, flattened, settings_difference
from medomicslab_nb.runner import run
from medomicslab_nb.study import Study
from medomicslab_nb.views import run_browser
from medomicslab_nb.views.run_browser import RunBrowser, RunPanel
from medomicslab_nb.views.run_rows import metric_rows, one_run, paired, run_row, two_runs
from tests.report.samples import IDS, data_tables, finished_run, models_tables

QUICK = {"outcome": "dmfs", "learner": "ridge", "folds": 2, "repeats": 1, "inner_folds": 2, "compare": False,
         "explain": False, "jobs": 1}
VALUES = st.recursive(st.none() | st.booleans() | st.integers(-3, 3) | st.text(max_size=3),
                      lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=2), inner))
SETTINGS = st.dictionaries(st.text("abc", min_size=1, max_size=2), VALUES, max_size=4)


def wait_until(condition: Callable[[], bool], timeout_s: float = 60) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_settings_differ_group_by_group() -> None:
    one = {"folds": 5, "compare": True, "blocks": ["a"], "preparation": {"impute": "median", "select": {"k": 5}}}
    other = {"folds": 5.0, "compare": 1, "blocks": ["a", "b"], "preparation": {"impute": "mean", "select": {"k": 5}},
             "new": None}
    assert settings_difference(one, other) == [
        Difference("compare", True, 1), Difference("blocks", ["a"], ["a", "b"]),
        Difference("preparation.impute", "median", "mean"), Difference("new", ABSENT, None)]


@given(SETTINGS, SETTINGS)
def test_settings_difference_is_symmetric_and_empty_only_for_the_same(one: dict[str, Any],
                                                                      other: dict[str, Any]) -> None:
    assert settings_difference(one, one) == []
    there, back = settings_difference(one, other), settings_difference(other, one)
    assert sorted((row.name, repr(row.one), repr(row.other)) for row in there) == sorted(
        (row.name, repr(row.other), repr(row.one)) for row in back)
    if json.dumps(one, sort_keys=True) != json.dumps(other, sort_keys=True):
        assert there or one == other


def test_flattened_leaves_lists_out() -> None:
    assert flattened({"a": 1, "b": {"c": {"d": "x"}, "e": [1]}}) == {"a": 1, "b.c.d": "x"}


def test_rows_are_newest_first_with_stale_marks_and_no_patient(study: Study) -> None:
    changed = {"name": "clinical", "ref": "tables/x.yaml", "sha256": "0" * 64}
    finished_run(study, "data", data_tables(), inputs=[changed])
    finished_run(study, "models", {}, {"outcome": "dmfs"}, status="failed", error=f"{IDS[3]} is odd")
    panel = RunPanel(study)
    rows = panel.table.runs
    assert [(row["stage"], row["status"], row["stale"]) for row in rows] == [
        ("models", "failed", ""), ("data", "completed", "stale: clinical")]
    panel.table.chosen = [rows[0]["id"]]
    wait_until(lambda: panel.table.detail.get("id") == rows[0]["id"])
    assert "is odd" in panel.table.detail["error"]
    assert panel.table.detail["can"] == {"cancel": False, "replay": False, "verify": False, "report": True,
                                         "open": False}
    state = json.dumps(panel.table.get_state(), default=str)
    assert not any(patient in state for patient in IDS)


def test_rows_of_ended_runs_are_kept_while_polling(study: Study) -> None:
    record = finished_run(study, "data", data_tables())
    before = run_row(record)
    assert run_row(record, before) is before
    assert run_row(record, {**before, "status": "running"}) == before


def test_two_runs_side_by_side_in_the_order_of_time(study: Study) -> None:
    first = finished_run(study, "models", models_tables(), {"outcome": "dmfs"}, metrics={
        "metric": "auc", "estimate": 0.61234, "by_blocks": {"clinical": 0.6}})
    second = finished_run(study, "models", models_tables(), {"outcome": "dmfs", "folds": 3}, metrics={
        "metric": "auc", "estimate": 0.7, "by_blocks": {"clinical": 0.65, IDS[0]: 0.1}})
    shown = two_runs(second, first)
    assert shown["ids"] == [first.id, second.id]
    assert shown["settings"] == [["folds", "5", "3"]]
    assert metric_rows(first, second)[:3] == [["metric", "AUC", "AUC"], ["estimate", "0.612", "0.700"],
                                              ["by_blocks.clinical", "0.600", "0.650"]]
    assert IDS[0] not in json.dumps(shown)
    assert "cannot be tested" in shown["paired"][0]
    assert paired(first, finished_run(study, "data", data_tables())) == []


def test_headless_makes_no_widget(study: Study) -> None:
    browser = RunBrowser(study.path)
    assert browser.panel is None
    assert set(browser._repr_mimebundle_()) == {"text/html", "text/plain"}


@pytest.fixture
def panel(study: Study, monkeypatch: pytest.MonkeyPatch) -> RunPanel:
    """A panel over one real run, as if a person looked at it."""
    monkeypatch.setattr(run_browser, "interactive", lambda: True)
    run("models", study, QUICK, sinks=[])
    made = RunBrowser(study).panel
    assert made is not None
    return made


def test_buttons_report_open_verify_replay(panel: RunPanel, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[tuple[Any, Any]] = []
    monkeypatch.setattr(panel.table, "send", lambda content, buffers=None: sent.append((content, buffers)))
    record = panel.study.runs[-1]
    panel.table.chosen = [record.id]
    wait_until(lambda: panel.table.detail.get("id") == record.id)
    assert panel.link.outputs == ()

    panel._receive(None, {"kind": "report", "run": record.id}, [])
    wait_until(lambda: panel.table.detail["can"]["open"])
    wait_until(lambda: len(panel.link.outputs) == 1)
    assert "report.html" in panel.link.outputs[0]["data"]["text/html"]
    panel._receive(None, {"kind": "open", "run": record.id, "token": "t"}, [])
    wait_until(lambda: bool(sent))
    (content, buffers), = sent
    assert content["token"] == "t"
    assert gzip.decompress(buffers[0]) == (record.path / "report.html").read_bytes()

    panel._receive(None, {"kind": "verify", "run": record.id}, [])
    wait_until(lambda: panel.table.note.startswith("Verified"))
    assert {check["equal"] for check in panel.table.detail["checks"]} == {True}

    panel._receive(None, {"kind": "replay", "run": record.id}, [])
    wait_until(lambda: panel.table.note.startswith("Replayed"), 120)
    assert panel.table.note == f"Replayed: all {len(record.tables)} tables have the same bytes."
    again = panel.study.runs[-1]
    assert panel.table.chosen == [again.id]
    wait_until(lambda: panel.table.detail.get("id") == again.id)
    assert panel.table.detail["replays"] == f"repeats {record.id}"
    assert [row["status"] for row in panel.table.runs] == ["completed", "completed"]

    # A table that came out otherwise is said, and stands first.
    content = read_document(again.path / "run.json", "run")
    content["tables"]["folds"]["sha256"] = "0" * 64
    write_json(again.path / "run.json", content)
    assert one_run(again)["checks"][0] == {"what": "table folds", "equal": False, "found": "differs"}


def test_a_replay_that_fails_says_why(panel: RunPanel) -> None:
    record = panel.study.runs[-1]
    record.update(settings={**record.settings, "outcome": "nothing"})
    panel._receive(None, {"kind": "replay", "run": record.id}, [])
    wait_until(lambda: "did not end well" in panel.table.note, 120)
    assert "nothing" in panel.table.note


def test_a_run_under_way_is_followed_and_cancelled(study: Study) -> None:
    from medomicslab_nb.runner import start

    record = start("models", study, {**QUICK, "repeats": 50})
    panel = RunPanel(study)
    assert panel.table.runs[0]["status"] == "running"
    panel.table.chosen = [record.id]
    wait_until(lambda: panel.table.detail.get("can", {}).get("cancel") is True)
    wait_until(lambda: "nested" in panel.table.runs[0]["part"])
    panel._receive(None, {"kind": "cancel", "run": record.id}, [])
    wait_until(lambda: panel.table.runs[0]["status"] == "cancelled")
    wait_until(lambda: panel.table.detail["can"]["cancel"] is False)
    # Nothing runs any more: nothing is polled.
    wait_until(lambda: panel._polls is None)


def test_unknown_runs_and_actions_do_nothing(study: Study) -> None:
    panel = RunPanel(study)
    panel._receive(None, {"kind": "cancel", "run": "../other"}, [])
    panel._receive(None, {"kind": "nothing"}, [])
    assert panel.table.note == ""
