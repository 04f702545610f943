"""The run browser in a real JupyterLab: filters, one run, two runs, report in place and by its link, replay, cancel."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import medomicslab_nb as ml
from medomicslab_nb.runner import start
from medomicslab_nb.study import Study
from tests.ui.conftest import MODELS
from tests.ui.test_accessibility import CONTRAST

pytestmark = pytest.mark.ui


@pytest.fixture(scope="module")
def runs(study: Study) -> list[str]:
    """Two models runs and a failed one; ids, oldest first."""
    first = ml.run("models", study, MODELS, sinks=[])
    second = ml.run("models", study, {**MODELS, "seed": 1, "ablation": False}, sinks=[])
    bad = start("models", study, {**MODELS, "outcome": "nothing"})
    assert bad.wait(60) == "failed"
    return [first.id, second.id, bad.id]


@pytest.fixture
def browser_page(open_notebook, study: Study, runs: list[str]):
    """A notebook with the run browser shown."""
    cell = {"cell_type": "code", "id": "runs", "metadata": {}, "outputs": [], "execution_count": None,
            "source": "import medomicslab_nb as ml\nml.runs('my_study')"}
    content = {"cells": [cell], "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3"}},
               "nbformat": 4, "nbformat_minor": 5}
    (study.path.parent / "runs.ipynb").write_text(json.dumps(content), encoding="utf-8")
    notebook = open_notebook("runs.ipynb")
    notebook.run_cells("ml.runs")
    notebook.page.locator(".mlab-runs tbody tr").first.wait_for()
    yield notebook
    assert notebook.foreign() == []
    assert notebook.our_complaints() == []


def tick(notebook, run: str) -> None:
    notebook.page.locator(f".mlab-runs tr[data-run='{run}'] input").click()


def picture(notebook, artefacts: Path, name: str) -> None:
    for theme in ("Dark", "Light"):
        notebook.theme(f"JupyterLab {theme}")
        shown = notebook.page.locator(".mlab-runs")
        notebook.page.wait_for_timeout(300)
        shown.screenshot(path=artefacts / f"{name}_{theme.lower()}.png")
        assert shown.evaluate(CONTRAST) == []


def test_filters_one_run_and_two(browser_page, runs: list[str], artefacts: Path) -> None:
    page = browser_page.page
    page.get_by_label("Status", exact=True).select_option("failed")
    assert page.locator(f".mlab-runs tr[data-run='{runs[2]}']").count() == 1
    assert page.locator(f".mlab-runs tr[data-run='{runs[0]}']").count() == 0
    tick(browser_page, runs[2])
    page.locator(".mlab-runs-detail .mlab-fault", has_text="nothing").wait_for()
    page.get_by_label("Status", exact=True).select_option("")
    tick(browser_page, runs[2])
    tick(browser_page, runs[0])
    page.locator(".mlab-runs-detail h4", has_text="completed").wait_for()
    detail = page.locator(".mlab-runs-detail")
    assert "inner_folds" in detail.inner_text()
    picture(browser_page, artefacts, "runs_one")
    tick(browser_page, runs[1])
    page.locator(".mlab-runs-detail h4", has_text="side by side").wait_for()
    words = detail.inner_text()
    assert "seed\t0\t1" in words
    assert "estimate\t" in words
    picture(browser_page, artefacts, "runs_two")


def test_report_in_place_and_by_its_link(browser_page, study: Study, runs: list[str], artefacts: Path) -> None:
    page = browser_page.page
    tick(browser_page, runs[0])
    page.get_by_role("button", name="Write the report").click()
    page.get_by_role("button", name="Show the report here").click()
    frame = page.frame_locator(".mlab-runs iframe")
    frame.locator("h1").first.wait_for()
    frame.locator(".js-plotly-plot").first.wait_for()
    page.locator(".mlab-runs iframe").scroll_into_view_if_needed()
    page.screenshot(path=artefacts / "runs_report.png")
    page.get_by_role("button", name="Close the report").click()
    assert page.locator(".mlab-runs iframe").count() == 0
    # The link is JupyterLab's own: it opens the file in a tab, where JupyterLab lets no script run before "Trust HTML".
    page.locator(".jp-OutputArea-output a", has_text="Open the report").click()
    page.frame_locator(".jp-HTMLViewer iframe").locator("h1").first.wait_for()
    browser_page.complaints[:] = [one for one in browser_page.complaints if "frame is sandboxed" not in one]


def test_verify_replay_and_cancel(browser_page, study: Study, runs: list[str], artefacts: Path) -> None:
    page = browser_page.page
    tick(browser_page, runs[1])
    page.get_by_role("button", name="Verify").click()
    page.locator(".mlab-runs-note", has_text="Verified").wait_for()
    page.get_by_role("button", name="Replay").click()
    page.locator(".mlab-runs-note", has_text="have the same bytes").wait_for(timeout=120_000)
    page.locator(".mlab-runs-detail", has_text=f"repeats {runs[1]}").wait_for()
    page.locator(".mlab-runs").screenshot(path=artefacts / "runs_replayed.png")
    assert study.runs[-1].table_hashes == study.run(runs[1]).table_hashes

    # A run that another process starts appears with "Refresh", is followed, and can be cancelled here.
    record = start("models", study, {**MODELS, "repeats": 50})
    page.get_by_role("button", name="Refresh", exact=True).click()
    line = page.locator(f".mlab-runs tr[data-run='{record.id}']")
    line.get_by_text("running").wait_for()
    line.get_by_text("nested cross-validation").wait_for()
    chosen = page.locator(".mlab-runs tbody input:checked")
    chosen.click()
    tick(browser_page, record.id)
    page.get_by_role("button", name="Cancel the run").click()
    line.get_by_text("cancelled").wait_for()
    assert record.wait(10) == "cancelled"
