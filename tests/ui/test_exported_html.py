"""Executed notebooks without their kernel: exported and opened offline, reopened in JupyterLab, by plain nbconvert."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbconvert import HTMLExporter

from medomicslab_nb.notebook import run_notebook
from medomicslab_nb.report.notebook_html import export_notebook
from medomicslab_nb.stages import STAGES
from medomicslab_nb.study import Study
from tests.report.test_notebook_html import HOSTILE, figure_output, html_output, notebook_of, write
from tests.ui.conftest import FEDERATED, MODELS

pytestmark = pytest.mark.ui
PLOTLY = "application/vnd.plotly.v1+json"
SETTINGS: dict[str, dict[str, Any]] = {"data": {}, "radiomics": {"preset": "plain"}, "models": MODELS,
                                       "text": {}, "federated": FEDERATED, "pipeline": {"data": {}, "models": MODELS}}
FIGURES = {"data": 2, "radiomics": 1, "models": 4, "text": 1, "federated": 4, "pipeline": 0}


@pytest.fixture(scope="module", params=list(SETTINGS))
def executed(request: pytest.FixtureRequest, study: Study) -> tuple[str, Path]:
    """A stage and its notebook, as ``medomicslab run`` leaves it."""
    assert set(SETTINGS) == set(STAGES), "a new stage is tested too"
    return request.param, run_notebook(request.param, study, SETTINGS[request.param]).path / "notebook.ipynb"


def outputs_of(notebook: Path) -> list[dict[str, Any]]:
    """The data of every output, by kind."""
    content = json.loads(notebook.read_text(encoding="utf-8"))
    return [output["data"] for cell in content["cells"] for output in cell.get("outputs", ()) if "data" in output]


@contextmanager
def opened(browser: Any, path: Path) -> Iterator[tuple[Any, list[str], list[str]]]:
    """The page in a browser without a network, what it says and what it asks for."""
    context = browser.new_context(viewport={"width": 1100, "height": 900})
    context.set_offline(True)
    page = context.new_page()
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("dialog", lambda dialog: said.append(dialog.message))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())
    page.wait_for_timeout(700)
    yield page, said, [url for url in asked if not url.startswith("data:")]
    context.close()


def test_notebook_is_small_and_holds_no_widget(executed: tuple[str, Path]) -> None:
    stage, notebook = executed
    assert notebook.stat().st_size <= 2_000_000
    assert "widgets" not in json.loads(notebook.read_text(encoding="utf-8"))["metadata"]
    assert not [kind for data in outputs_of(notebook) for kind in data if "widget" in kind]
    assert sum(PLOTLY in data for data in outputs_of(notebook)) >= FIGURES[stage]


def test_exported_page_draws_every_figure_offline(executed: tuple[str, Path], browser: Any, artefacts: Path) -> None:
    stage, notebook = executed
    page_file, checked = export_notebook(notebook)
    assert checked
    figures = sum(PLOTLY in data for data in outputs_of(notebook))
    with opened(browser, page_file) as (page, said, asked):
        assert page.locator(".figure").count() == figures
        assert page.locator(".figure.js-plotly-plot:has(.main-svg)").count() == figures
        assert page.locator("table").count() > 0
        assert page.locator("a[href='report.html']").count() > 0
        page.screenshot(path=artefacts / f"exported_{stage}.png", full_page=True)
        assert said == []
        assert asked == [page_file.as_uri()]
        page.locator("a[href='report.html']").first.click()
    text = re.sub(r"<script.*?</script>", "", page_file.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert re.findall(r"https?://|require\.js|mathjax|jquery", text, flags=re.IGNORECASE) == []


def test_plain_nbconvert_shows_the_numbers_of_every_figure(executed: tuple[str, Path]) -> None:
    _, notebook = executed
    page = HTMLExporter().from_filename(str(notebook))[0]
    for data in outputs_of(notebook):
        if PLOTLY in data:
            twin = "".join(data["text/html"])
            assert "<td" in twin
            assert twin in page


def test_reopened_in_jupyterlab_figures_show_without_running(executed: tuple[str, Path], study: Study, open_notebook,
                                                             artefacts: Path) -> None:
    stage, notebook = executed
    figures = sum(PLOTLY in data for data in outputs_of(notebook))
    opened = open_notebook(notebook.relative_to(study.path.parent).as_posix())
    opened.page.wait_for_timeout(1000)
    assert opened.figures() == figures
    assert opened.page.locator(".jp-OutputArea table").count() > 0
    if figures:
        opened.page.locator(".jp-OutputArea .js-plotly-plot").first.scroll_into_view_if_needed()
    opened.page.screenshot(path=artefacts / f"reopened_{stage}.png")
    assert opened.foreign() == []
    assert opened.our_complaints() == []


def test_bad_input_88_hostile_output_does_nothing_in_the_browser(browser: Any, tmp_path: Path) -> None:
    cells = [nbformat.v4.new_markdown_cell(f"# Title\n\n{HOSTILE}")]
    path = write(tmp_path / "a.ipynb", notebook_of(html_output(HOSTILE), figure_output("<img src=x onerror=alert(1)>"),
                                                   cells=cells))
    page_file = export_notebook(path)[0]
    with opened(browser, page_file) as (page, said, asked):
        page.locator("a", has_text="a").first.click()
        page.wait_for_timeout(300)
        assert page.title() == "Title"
        assert page.locator(".figure .main-svg").count() > 0
        assert said == []
        assert asked == [page_file.as_uri()]


def test_printed_page_holds_the_figures(browser: Any, tmp_path: Path) -> None:
    page_file = export_notebook(write(tmp_path / "a.ipynb", notebook_of(figure_output(), source="print(1)")))[0]
    with opened(browser, page_file) as (page, said, _):
        printed = page.pdf(print_background=True)
        assert len(printed) > 8_000
        assert said == []
