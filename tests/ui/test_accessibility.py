"""Every view in light and dark: contrast AA, labels, names of buttons, roles (axe-core's rules for WCAG 2 A and AA)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from medomicslab_nb.stages import STAGES

pytestmark = pytest.mark.ui
AXE = Path(__file__).parents[1] / "widgets" / "node_modules" / "axe-core" / "axe.min.js"
# Settings of the run: everything inside the view's output, nothing of JupyterLab around it.
CHECK = """async () => {
  const found = await axe.run({include: [".jp-CodeCell:has(.medomicslab-status) .jp-OutputArea-output"]},
    {runOnly: {type: "tag", values: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}});
  return found.violations.flatMap(rule => rule.nodes.map(node => ({
    rule: rule.id, html: node.html.slice(0, 300), why: node.failureSummary.slice(0, 300)})));
}"""
# ipywidgets' own markup, which a view cannot change: a progress bar has no name.
NOT_OURS = {"aria-progressbar-name"}


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
@pytest.mark.parametrize("stage", STAGES)
def test_view_is_accessible(stage: str, theme: str, open_notebook, artefacts: Path) -> None:
    notebook = open_notebook(STAGES[stage].template)
    notebook.theme(theme)
    notebook.show_view()
    for fold in notebook.view.locator("details:not([open]) > summary").all():
        if fold.is_visible():
            fold.click()
    notebook.page.add_script_tag(path=AXE)
    found = [one for one in notebook.page.evaluate(CHECK) if one["rule"] not in NOT_OURS]
    notebook.view.screenshot(path=artefacts / f"view_{stage}_{theme.split()[1].lower()}.png")
    assert found == [], json.dumps(found[:8], indent=1)
