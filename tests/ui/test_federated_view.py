"""The view of the federated stage in a real JupyterLab: sites before a run and, one by one, while it is under way."""

from __future__ import annotations

from pathlib import Path

import pytest

from medomicslab_nb.study import Study
from tests.ui.conftest import FEDERATED, put_notebook
from tests.ui.test_accessibility import AXE, CHECK, CONTRAST, NOT_OURS

pytestmark = pytest.mark.ui
ROWS = ".mlab-rounds tbody tr"


def test_sites_before_during_and_after_a_run(open_notebook, study: Study, artefacts: Path) -> None:
    put_notebook("06_federated.ipynb", study.path.parent / "federated_live.ipynb", "my_study", {
        **FEDERATED, "outcome": "e.tdm", "time": "t.tdm", "algorithm": "network", "network": {"rounds": 200}})
    notebook = open_notebook("federated_live.ipynb")
    notebook.show_view()
    outline = notebook.view.locator(".medomicslab-outline")
    outline.get_by_text("Models to fit").wait_for()
    assert outline.locator("tbody tr").count() == 2
    outline.locator("summary").click()
    assert "weights of a network after training at the site" in outline.inner_text()
    notebook.set("site_column", "nowhere")
    outline.get_by_text("cannot be run").wait_for()
    notebook.set("site_column", "er")
    outline.get_by_text("Models to fit").wait_for()

    notebook.button("Run").click()
    notebook.wait_for_status("Running")
    notebook.page.locator(ROWS).nth(1).wait_for()
    shown = notebook.page.locator(".mlab-rounds")
    assert [row.locator("th").inner_text() for row in shown.locator("tbody tr").all()] == ["negative", "positive"]
    shown.locator("svg polyline").wait_for()
    assert "of 2 sites have answered" in shown.locator(".mlab-rounds-line").inner_text()
    shown.screenshot(path=artefacts / "rounds_running.png")
    notebook.page.add_script_tag(path=AXE)
    assert [one for one in notebook.page.evaluate(CHECK) if one["rule"] not in NOT_OURS] == []
    assert shown.evaluate(CONTRAST) == []
    notebook.button("Cancel").click()
    notebook.wait_for_status("Cancelled", timeout_s=30)
    assert notebook.page.locator(".mlab-rounds:visible").count() == 0
    assert notebook.our_complaints() == []
