"""Two people in one notebook (jupyter-collaboration): both see the view, the run and its result."""

from __future__ import annotations

from pathlib import Path

import pytest

from medomicslab_nb.study import Study
from tests.ui.conftest import MODELS, put_notebook

pytestmark = pytest.mark.ui


def test_two_tabs_follow_one_run(browser, study: Study, tmp_path: Path, artefacts: Path) -> None:
    from tests.ui.notebook_page import NotebookPage, jupyter_lab

    put_notebook("03_models.ipynb", study.path.parent / "shared.ipynb", "my_study", {**MODELS, "repeats": 10})
    with jupyter_lab(study.path.parent, tmp_path, collaboration=True) as address:
        first = NotebookPage(browser, address, "shared.ipynb")
        first.show_view()
        second = NotebookPage(browser, address, "shared.ipynb")
        second.view.locator(".medomicslab-status").wait_for()
        first.set("folds", "4")
        second.view.locator("[data-field='folds']", has_text="default").wait_for()
        first.button("Run").click()
        second.wait_for_status("Running")
        first.close()
        second.wait_for_status("Completed")
        second.view.locator(".js-plotly-plot").first.wait_for()
        second.page.screenshot(path=artefacts / "jupyterlab_collaboration.png")
        assert [record.settings["folds"] for record in study.runs if record.stage == "models"][-1] == 4
        assert [*first.foreign(), *second.foreign()] == []
        assert second.our_complaints() == []
        second.close()
