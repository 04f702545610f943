"""The model builder in a real JupyterLab: live summary, folds from any process, linked plots, runs compared."""

from __future__ import annotations

from pathlib import Path

import pytest

from medomicslab_nb.study import Study
from tests.ui.test_accessibility import CONTRAST

pytestmark = pytest.mark.ui
DONE = ".mlab-folds td.mlab-fold-done"


@pytest.fixture
def builder(open_notebook):
    """The models' view, ready."""
    notebook = open_notebook("03_models.ipynb")
    notebook.show_view()
    notebook.wait_for_status("")
    yield notebook
    assert notebook.foreign() == []
    assert notebook.our_complaints() == []


def wait_for_plots(notebook, number: int) -> None:
    notebook.page.wait_for_function("n => document.querySelectorAll('.mlab-linked .js-plotly-plot').length === n",
                                    arg=number)


def pictures(notebook, artefacts: Path, name: str) -> None:
    """The linked plots in both themes, every text legible."""
    for theme in ("Light", "Dark"):
        notebook.theme(f"JupyterLab {theme}")
        notebook.page.wait_for_timeout(500)
        shown = notebook.page.locator(".mlab-linked")
        shown.scroll_into_view_if_needed()
        shown.screenshot(path=artefacts / f"{name}_{theme.lower()}.png")
        assert shown.evaluate(CONTRAST) == []


def test_summary_folds_and_survival_plots(builder, study: Study, artefacts: Path) -> None:
    summary = builder.view.locator(".medomicslab-outline")
    summary.filter(has_text="dmfs: time to event, 198 patients, 51 events").wait_for()
    builder.set("outcome", "nothing")
    summary.filter(has_text="there is no endpoint or column").wait_for()
    builder.set("outcome", "dmfs")
    builder.set("repeats", "12")
    summary.filter(has_text="held out 24 time(s)").wait_for()

    builder.button("Run").click()
    builder.wait_for_status("Running")
    builder.page.wait_for_function(f"document.querySelectorAll('{DONE}').length >= 6")
    builder.page.locator(".mlab-folds").screenshot(path=artefacts / "folds_running.png")
    # The page is reloaded: the run is another process, and all its folds are there again.
    before = builder.page.locator(DONE).count()
    builder.page.reload()
    builder.wait_for_kernel()
    builder.show_view()
    builder.page.wait_for_function(f"n => document.querySelectorAll('{DONE}').length >= n", arg=before)
    assert "so far" in builder.view.locator(".mlab-folds-line").inner_text()
    builder.wait_for_status("Completed")
    assert builder.page.locator(".mlab-folds:visible").count() == 0

    wait_for_plots(builder, 3)
    builder.page.get_by_role("button", name="high risk").click()
    line = builder.page.locator(".mlab-linked tbody tr", has_text="low risk")
    assert "mlab-linked-faint" in line.get_attribute("class")
    pictures(builder, artefacts, "linked_survival")
    record = [one for one in study.runs if one.stage == "models"][-1]
    rows = record.table("risk_groups").query("blocks == 'clinical + genes'")
    assert f"{rows['n'].iloc[0]}\t{rows['events'].iloc[0]}" in line.inner_text()


def test_threshold_moves_everything_and_runs_are_compared(builder, artefacts: Path) -> None:
    builder.set("outcome", "er")
    builder.view.locator(".medomicslab-outline", has_text="er: two classes").wait_for()
    builder.button("Run").click()
    builder.wait_for_status("Completed")
    wait_for_plots(builder, 4)
    page = builder.page
    slider, output = page.locator(".mlab-linked input[type=range]"), page.locator(".mlab-linked output")
    counts = page.locator(".mlab-linked-tables table").first
    said = output.inner_text(), counts.inner_text()
    slider.focus()
    for _ in range(15):
        slider.press("ArrowLeft")
    page.wait_for_function("was => document.querySelector('.mlab-linked output').textContent !== was", arg=said[0])
    assert counts.inner_text() != said[1]
    assert "jp-mod-selected" in builder.view.get_attribute("class")  # no key reached the notebook
    at = float(output.inner_text())
    cut = "plot => document.querySelectorAll('.mlab-linked-plot')[plot].layout.shapes[0].x0"
    page.wait_for_function("at => document.querySelectorAll('.mlab-linked-plot')[1].layout.shapes[0].x0 === at", arg=at)
    assert [page.evaluate(cut, plot) for plot in (1, 2, 3)] == [at] * 3

    # A click on the histogram chooses the risk there; the set of blocks drives all plots.
    page.locator(".mlab-linked-plot").nth(1).scroll_into_view_if_needed()
    bar = page.locator(".mlab-linked-plot").nth(1).locator(".points .point path").last.bounding_box()
    page.mouse.click(bar["x"] + bar["width"] / 2, bar["y"] + bar["height"] / 2)
    page.wait_for_function("was => Number(document.querySelector('.mlab-linked output').textContent) > was", arg=at)
    status = page.locator(".mlab-linked-status")
    before = status.inner_text()
    page.get_by_label("Set of blocks").select_option("clinical")
    page.wait_for_function("was => document.querySelector('.mlab-linked-status').textContent !== was", arg=before)
    pictures(builder, artefacts, "linked_binary")

    compared = builder.view.locator(".jupyter-widget-Collapse-header, .jupyter-widgets.widget-accordion button",
                                    has_text="Compare runs")
    compared.first.click()
    builder.view.locator("svg[role=img]").first.wait_for()
    builder.view.locator(".widget-accordion").screenshot(path=artefacts / "compare_runs.png")
