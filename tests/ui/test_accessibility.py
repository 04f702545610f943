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
# axe-core gives no verdict on contrast where elements lie over each other, as JupyterLab's do: text against the first
# background behind it that is not transparent. Disabled controls are exempt (WCAG 1.4.3).
CONTRAST = """root => {
  const rgba = text => (text.match(/[\\d.]+/g) || [0, 0, 0, 0]).map(Number);
  const over = (top, below) => { const a = top[3] ?? 1; return [0, 1, 2].map(i => top[i] * a + below[i] * (1 - a)); };
  const light = colour => { const [r, g, b] = colour.map(v => v / 255).map(
    v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4); return .2126 * r + .7152 * g + .0722 * b; };
  const behind = element => {
    const layers = [];
    for (let one = element; one; one = one.parentElement) {
      const colour = rgba(getComputedStyle(one).backgroundColor);
      if ((colour[3] ?? 1) > 0) layers.push(colour);
      if ((colour[3] ?? 1) === 1) break;
    }
    return layers.reverse().reduce((below, top) => over(top, below), [255, 255, 255]);
  };
  const found = [], walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.textContent.trim() || element.closest("svg, option, :disabled, script, style")) continue;
    if (!element.checkVisibility() || !element.getClientRects().length) continue;
    const back = behind(element), front = over(rgba(getComputedStyle(element).color), back);
    const [low, high] = [light(front), light(back)].sort((a, b) => a - b), ratio = (high + .05) / (low + .05);
    if (ratio < 4.5) found.push(`${ratio.toFixed(2)}: ${walker.currentNode.textContent.trim().slice(0, 60)} `
      + `(${front.map(Math.round)} on ${back.map(Math.round)}, ${element.className})`);
  }
  return [...new Set(found)];
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
    pale = notebook.view.locator(".jp-OutputArea-output").first.evaluate(CONTRAST)
    assert pale == []
    assert found == [], json.dumps(found[:8], indent=1)
