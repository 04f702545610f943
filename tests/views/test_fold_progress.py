"""The grid of folds: filled from the run's folder, by whichever process writes there."""

from __future__ import annotations

import json

import pytest

from medomicslab_nb.progress import Progress
from medomicslab_nb.record import RunRecord
from medomicslab_nb.runner import run
from medomicslab_nb.study import Study
from medomicslab_nb.views.fold_progress import FoldProgress, clock, grid, remaining_s
from tests.report.samples import IDS


@pytest.fixture
def record(study: Study) -> RunRecord:
    return RunRecord.create(study.path / "runs", "models", "0" * 64, {
        "settings": {"validation": "cross-validation", "folds": 3, "repeats": 2}})


def told(repeat: int, fold: int, **values: float | None) -> dict[str, object]:
    return {"repeat": repeat, "fold": fold, "metric": "auc", "values": values}


def test_grid_before_the_first_fold_and_after_some() -> None:
    empty = grid([], 2, 3)
    assert [row["set"] for row in empty["rows"]] == ["all blocks"] * 2
    assert {cell["state"] for row in empty["rows"] for cell in row["cells"]} == {"waiting"}
    assert empty["caption"] == ""
    filled = grid([told(0, 1, clinical=0.7, genes=0.6), told(0, 0, clinical=0.6, genes=None),
                   {"repeat": 1, "fold": 2, "metric": "auc", "failed": True}], 2, 3)
    assert [(row["set"], row["repeat"], row["mean"]) for row in filled["rows"]] == [
        ("clinical", "1", "0.650"), ("clinical", "2", ""), ("genes", "1", "0.600"), ("genes", "2", "")]
    assert [[cell["text"] for cell in row["cells"]] for row in filled["rows"]] == [
        ["0.600", "0.700", ""], ["", "", "!"], ["✓", "0.600", ""], ["", "", "!"]]
    assert "AUC" in filled["caption"]


def test_of_many_sets_and_repeats_only_all_blocks_are_drawn() -> None:
    many = grid([told(0, 0, clinical=0.6, genes=0.5, both=0.7)], 20, 5)
    assert {row["set"] for row in many["rows"]} == {"both"}


def test_follows_the_folder_from_any_process_and_over_half_written_lines(record: RunRecord) -> None:
    shown = FoldProgress()
    assert shown.widget.state == {}
    shown.show(record)
    assert shown.widget.state["line"].startswith("reading the data")
    with Progress([record.progress_sink]).task("nested cross-validation", total=6) as step:
        step(detail=told(0, 0, clinical=0.6))
        # Another object over the same folder sees the fold too, and half a line harms nobody.
        path = record.path / "progress.jsonl"
        with path.open("a") as stream:
            stream.write('{"task": "nes')
        late = FoldProgress()
        late.show(record)
        shown.show(record)
        assert late.widget.state["rows"] == shown.widget.state["rows"]
        with path.open("a") as stream:
            stream.write("\n")
        step(detail=told(1, 2, clinical=0.8))
        shown.show(record)
    assert [cell["text"] for row in shown.widget.state["rows"] for cell in row["cells"]] == [
        "0.600", "", "", "", "", "0.800"]
    assert "2 of 6" in shown.widget.state["line"]
    shown.hide()
    assert shown.widget.state == {}


def test_a_file_of_an_older_version_opens(record: RunRecord) -> None:
    event = {"task": "nested cross-validation", "done": 3, "total": 6, "elapsed_s": 30.0, "finished": False}
    (record.path / "progress.jsonl").write_text(json.dumps(event) + "\n")
    shown = FoldProgress()
    shown.show(record)
    assert "3 of 6" in shown.widget.state["line"]
    assert "about" in shown.widget.state["line"]


@pytest.mark.parametrize(("event", "since", "left"), [
    ({"done": 2, "total": 6, "elapsed_s": 20.0}, 5.0, 35.0), ({"done": 0, "total": 6, "elapsed_s": 0.0}, 5.0, None),
    ({"done": 6, "total": 6, "elapsed_s": 60.0, "finished": True}, 0.0, None),
    ({"done": 5, "total": 6, "elapsed_s": 50.0}, 99.0, 0.0), ({}, 0.0, None)])
def test_remaining_time(event: dict[str, object], since: float, left: float | None) -> None:
    assert remaining_s(event, since) == left


def test_clock() -> None:
    assert [clock(seconds) for seconds in (-1, 45.4, 125, 11400)] == ["0 s", "45 s", "2 min 05 s", "3 h 10 min"]


def test_a_models_run_tells_every_fold_and_no_patient(study: Study) -> None:
    record = run("models", study, {"outcome": "dmfs", "learner": "ridge", "folds": 2, "repeats": 1, "inner_folds": 2,
                                   "compare": False, "explain": False, "jobs": 1}, sinks=[])
    content = (record.path / "progress.jsonl").read_text()
    details = [event["detail"] for event in map(json.loads, content.splitlines()) if event["detail"]]
    assert [(one["repeat"], one["fold"]) for one in details] == [(0, 0), (0, 1)]
    assert set(details[0]["values"]) == {"clinical", "genes", "clinical + genes"}
    folds = record.table("folds")
    own = folds[(folds["metric"] == "c_index") & (folds["blocks"] == "genes")].set_index("fold")["value"]
    assert [one["values"]["genes"] for one in details] == own.tolist()
    assert not any(patient in content for patient in IDS)
