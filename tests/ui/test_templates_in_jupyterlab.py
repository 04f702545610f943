"""Every template in a real JupyterLab: Run All, same tables as a script, nothing leaves the machine."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import medomicslab_nb as ml
from medomicslab_nb.record import RunRecord
from medomicslab_nb.stages import STAGES
from medomicslab_nb.study import Study
from tests.ui.conftest import MODELS

pytestmark = pytest.mark.ui
TEMPLATES = {stage.name: stage.template for stage in STAGES.values()}
FIGURES = {"data": 2, "radiomics": 1, "models": 4, "pipeline": 0}


@pytest.fixture
def open_notebook(browser: object, lab: str) -> Iterator[object]:
    from tests.ui.notebook_page import NotebookPage

    opened = []

    def open_one(name: str) -> NotebookPage:
        opened.append(NotebookPage(browser, lab, name))
        return opened[-1]

    yield open_one
    for page in opened:
        page.close()


def newest(study: Study, stage: str) -> RunRecord:
    return [record for record in study.runs if record.stage == stage][-1]


@pytest.mark.parametrize("stage", TEMPLATES)
def test_run_all(stage: str, open_notebook, study: Study, artefacts: Path) -> None:
    notebook = open_notebook(TEMPLATES[stage])
    notebook.run_all()
    record = newest(study, stage)
    assert record.status == "completed"
    assert (record.path / "report.html").exists()
    assert notebook.figures() >= FIGURES[stage]
    notebook.page.screenshot(path=artefacts / f"jupyterlab_{stage}.png")
    assert notebook.foreign() == []
    assert notebook.our_complaints() == []
    # Byte parity of the form in the browser and a script, which computes everything anew.
    shutil.rmtree(study.path / "cache", ignore_errors=True)
    assert ml.run(stage, study, record.settings, sinks=[]).table_hashes == record.table_hashes


def test_button_reload_cancel(open_notebook, study: Study, artefacts: Path) -> None:
    notebook = open_notebook(TEMPLATES["models"])
    notebook.run_cells("study =", "import medomicslab_nb", "ml.view(")
    notebook.wait_for_status("Ready.")

    notebook.set("folds", "1")
    notebook.wait_for_status("Correct the settings")
    assert "greater than or equal to 2" in notebook.field("folds").locator(".medomicslab-fault").inner_text()
    assert notebook.button("Run").is_disabled()

    notebook.set("folds", "5")
    notebook.set("repeats", "50")
    notebook.wait_for_status("Ready.")
    assert "default: 2" in notebook.field("repeats").inner_text()
    notebook.button("Run").click()
    notebook.wait_for_status("Running")
    notebook.view.locator(".widget-hprogress").first.wait_for()
    notebook.page.screenshot(path=artefacts / "jupyterlab_running.png")
    record = newest(study, "models")
    assert record.status == "running"
    assert record.settings["repeats"] == 50

    # The page is reloaded and the cells run again: the view finds the run and can cancel it.
    notebook.page.reload()
    notebook.wait_for_kernel()
    notebook.run_cells("study =", "import medomicslab_nb", "ml.view(")
    notebook.wait_for_status("Running")
    notebook.button("Cancel").click()
    notebook.wait_for_status("Cancelled", timeout_s=30)
    assert record.status == "cancelled"

    notebook.set("repeats", "1")
    notebook.set("folds", "3")
    notebook.button("Run").click()
    notebook.wait_for_status("Completed")
    notebook.view.locator(".js-plotly-plot").first.wait_for()
    notebook.view.scroll_into_view_if_needed()
    notebook.page.screenshot(path=artefacts / "jupyterlab_button.png")
    done = newest(study, "models")
    assert (done.status, done.settings["folds"]) == ("completed", 3)
    assert notebook.foreign() == []
    assert notebook.our_complaints() == []


def test_reports_open_offline_with_every_figure(browser, study: Study, artefacts: Path) -> None:
    for stage in ("data", "models"):
        record = ml.run(stage, study, {} if stage == "data" else {**MODELS, "explain": True}, sinks=[])
        record.report()
        context = browser.new_context(viewport={"width": 1100, "height": 900})
        context.set_offline(True)
        page = context.new_page()
        complaints, requested = [], []
        page.on("console", lambda message, kept=complaints: kept.append(message.text))
        page.on("pageerror", lambda error, kept=complaints: kept.append(str(error)))
        page.on("request", lambda request, kept=requested: kept.append(request.url))
        page.goto((record.path / "report.html").as_uri())
        page.wait_for_selector(".figure .main-svg")
        page.wait_for_timeout(500)
        figures = page.locator(".figure")
        assert figures.count() >= 4
        assert all(figures.nth(place).locator(".main-svg").count() for place in range(figures.count()))
        page.screenshot(path=artefacts / f"report_{stage}.png", full_page=True)
        assert complaints == []
        assert len(requested) == 1
        context.close()
