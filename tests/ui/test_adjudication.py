"""Adjudication in a real JupyterLab: every choice by keyboard alone, exact offsets, both themes, inert markup."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from playwright.sync_api import expect

from medomicslab_nb.study import Study, create_study
from medomicslab_nb.text.annotations import open_annotations, read_annotations
from medomicslab_nb.text.span import Span
from tests.ui.test_accessibility import AXE, CONTRAST

pytestmark = pytest.mark.ui

FRENCH = ("🙂🩺 Re\u0301sultat : tumeur pT2a N0 M0, grade 2 ou 3, taille 32 x 28 mm.\r\n\r\n"
          "Pas de me\u0301tastase osseuse. Mère : cancer du sein. Récidive possible.\n"
          "<img src=x onerror=\"window.hacked = 1\"><script>window.hacked = 1</script> & <b>gras</b>\n")
NOTES = {"N-1": FRENCH, "N-2": "Rien à signaler, stade IV.", "N-3": "Stage IV, grade 3.", "N-4": "grade 1"}
SAID = {
    "Anne": {"N-1": [("T2a", "t_category", "T2a"), ("grade 2", "grade", "2"), ("32 x 28 mm", "tumour_size", "32 x 28"),
                     ("me\u0301tastase osseuse", "metastasis", "bone"), ("cancer du sein", "site", "C50"),
                     ("Récidive", "recurrence", "recurrence")],
             "N-2": [("stade IV", "stage", "IV")], "N-3": [("Stage IV", "stage", "IV")], "N-4": []},
    "Ben": {"N-1": [("T2a", "t_category", "T2a"), ("2 ou 3", "grade", "3"), ("32 x 28 mm", "tumour_size", "32"),
                    ("me\u0301tastase osseuse", "metastasis", "bone", "negated"), ("N0", "n_category", "N0"),
                    ("Récidive possible", "recurrence", "recurrence", "uncertain")],
            "N-2": [("stade IV", "stage", "IV")], "N-3": [("Stage IV", "stage", "IV"), ("grade 3", "grade", "3")]},
}
CELL = """\
import os
os.environ['MEDOMICSLAB_LANG'] = 'LANGUAGE'
from medomicslab_nb.views.adjudication import Adjudicator
adjudicator = Adjudicator('STUDY')
adjudicator  # SHOW
"""
CHECK = """async () => (await axe.run({include: [".mlab-adjudication"]},
  {runOnly: {type: "tag", values: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}})).violations.flatMap(rule =>
  rule.nodes.map(node => [rule.id, node.html.slice(0, 200), node.failureSummary.slice(0, 200)]))"""


def span(text: str, words: str, attribute: str, value: str, *context: str) -> Span:
    start = text.index(words)
    return Span.of(text, attribute, start, start + len(words), value=value, context=context)


def annotated_study(path: Path) -> Study:
    """Both have finished the notes but the last one, which Anne alone has."""
    made = create_study(path)
    made.add_table("notes", pd.DataFrame({"patient": "PAT-1", "note": list(NOTES), "text": list(NOTES.values())}),
                   level="visit", block="notes")
    for name, notes in SAID.items():
        mine = open_annotations(made, name)
        for note, said in notes.items():
            if said:
                mine.note(note, NOTES[note]).put(*(span(NOTES[note], *each) for each in said))
            mine.note(note, NOTES[note]).mark_done(done=True)
        mine.close()
    return made


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("adjudicate")


@pytest.fixture(scope="module")
def adjudication_lab(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    from tests.ui.notebook_page import jupyter_lab

    with jupyter_lab(root, tmp_path_factory.mktemp("home")) as address:
        yield address


class Adjudicating:
    """A notebook with the adjudication of a study."""

    def __init__(self, browser: Any, lab: str, root: Path, study: Study, language: str = "en") -> None:
        from tests.ui.notebook_page import NotebookPage

        self.study, name = study, study.path.name
        source = CELL.replace("STUDY", name).replace("LANGUAGE", language)
        content = {"cells": [{"cell_type": "code", "id": "cell0", "metadata": {}, "execution_count": None,
                              "outputs": [], "source": source}],
                   "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
                   "nbformat": 4, "nbformat_minor": 5}
        (root / f"{name}.ipynb").write_text(json.dumps(content))
        self.notebook = NotebookPage(browser, lab, f"{name}.ipynb")
        self.page = self.notebook.page
        self.page.set_viewport_size({"width": 1500, "height": 1150})
        self.notebook.run_cells("# SHOW")
        self.widget = self.page.locator(".mlab-adjudication").last
        self.disputes = self.widget.locator(".mlab-adjudication-disputes li")
        self.disputes.first.wait_for()
        self.desk = self.widget.locator(".mlab-adjudication-desk")
        self.desk.scroll_into_view_if_needed()
        self.desk.focus()

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def saved(self) -> None:
        """Until everything is confirmed."""
        expect(self.widget.locator(".mlab-span-saved")).to_contain_text("saved")

    def chosen(self, *words: str) -> None:
        """Until these are what was chosen, dispute by dispute."""
        expect(self.disputes.locator("em")).to_have_text(list(words))

    def held(self, note: str) -> list[tuple[str, str, tuple[str, ...]]]:
        """What is on the disk."""
        holding = read_annotations(self.study, "adjudication").note(note, NOTES[note]).holding
        return [(each.text, each.value, each.context) for each in holding]


@pytest.fixture
def adjudicating(browser: object, adjudication_lab: str, root: Path, request: pytest.FixtureRequest
                 ) -> Iterator[Adjudicating]:
    language = getattr(request, "param", "en")
    made = Adjudicating(browser, adjudication_lab, root, annotated_study(root / request.function.__name__), language)
    yield made
    assert made.notebook.foreign() == []
    assert made.notebook.our_complaints() == []
    made.notebook.close()


def test_every_choice_by_keyboard_alone(adjudicating: Adjudicating, artefacts: Path) -> None:
    press, chosen, todo = adjudicating.press, adjudicating.chosen, "to decide"
    expect(adjudicating.disputes).to_have_count(6)
    expect(adjudicating.disputes.nth(0)).to_contain_text("says nothing here")

    # N0, of Ben alone, first; the next one comes by itself, and no key waits for the kernel.
    press("n", "ArrowLeft", "b", "ArrowRight")
    chosen("neither", "left", "both", "right", todo, todo)
    adjudicating.widget.screenshot(path=artefacts / "adjudication.png")
    press("z")
    chosen("neither", "left", "both", todo, todo, todo)
    press("y")
    chosen("neither", "left", "both", "right", todo, todo)

    # Back to the second with the arrows, and otherwise.
    press("ArrowUp", "ArrowUp", "ArrowUp", "ArrowRight")
    expect(adjudicating.disputes.nth(1).locator("em")).to_have_text("right")

    # The own answer for the last: a label, a value, a context and other bounds.
    press("ArrowLeft")
    expect(adjudicating.disputes.nth(4).locator("em")).to_have_text("left")
    press("o")
    form = adjudicating.widget.locator("form")
    expect(form.locator("q")).to_have_text("Récidive possible")
    form.get_by_label("End earlier").focus()
    press("Enter", "Enter")
    expect(form.locator("q")).to_have_text("Récidive possib")
    form.get_by_label("End later").press("Enter")
    form.get_by_label("value").focus()
    adjudicating.page.keyboard.type(" no")
    form.get_by_label("planned").press(" ")
    form.get_by_label("value").press("Enter")
    expect(adjudicating.disputes.nth(5).locator("em")).to_have_text("own answer")
    expect(adjudicating.widget.locator(".mlab-span-message")).to_contain_text("All is decided")
    assert adjudicating.held("N-1") == [
        ("T2a", "T2a", ()), ("2 ou 3", "3", ()), ("32 x 28 mm", "32", ()), ("32 x 28 mm", "32 x 28", ()),
        ("me\u0301tastase osseuse", "bone", ("negated",)), ("cancer du sein", "C50", ()),
        ("Récidive possibl", "recurrence no", ("planned",))]
    assert read_annotations(adjudicating.study, "adjudication").note("N-1", FRENCH).done

    # On to the next note with something to decide, and what nobody disputes.
    press("Shift+J")
    expect(adjudicating.disputes).to_have_count(1)
    press("1")
    chosen("neither")
    press("t")
    expect(adjudicating.widget.locator(".mlab-span-message")).to_contain_text("1 notes without a dispute")
    assert adjudicating.held("N-2") == [("stade IV", "IV", ())]
    expect(adjudicating.widget.locator(".mlab-bar .mlab-muted")).to_contain_text(
        "7 of 7 disputes decided, 3 of 3 notes adjudicated; 1 notes finished by one only")
    assert adjudicating.page.evaluate("window.hacked") is None


def test_the_agreement_stands_beside(adjudicating: Adjudicating) -> None:
    adjudicating.press("a")
    table = adjudicating.widget.locator(".mlab-adjudication-figures table")
    expect(table.locator("tbody tr").first).to_contain_text("all together")
    expect(table.locator("tbody tr", has_text="T category")).to_contain_text("1.00 (")


def test_both_texts_are_as_the_note_is_and_a_click_shows_the_dispute(adjudicating: Adjudicating) -> None:
    texts = adjudicating.widget.locator(".mlab-span-content")
    for side in range(2):
        drawn = texts.nth(side).locator(".mlab-span-block").evaluate_all("blocks => blocks.map(one => one.textContent)")
        assert "\n".join(drawn) == FRENCH.replace("\r\n", "\n")
    texts.nth(1).locator("[data-tag*='N0'], [data-tag*='N category']").first.click()
    expect(adjudicating.disputes.nth(0)).to_have_attribute("aria-selected", "true")
    assert adjudicating.page.evaluate("window.hacked") is None


def test_the_bounds_of_the_own_answer_by_mouse(adjudicating: Adjudicating) -> None:
    adjudicating.press("o")
    line = adjudicating.widget.locator(".mlab-span-block").first
    line.dblclick(position={"x": 60, "y": 14})
    words = adjudicating.widget.locator("form q").inner_text()
    assert words.strip()
    assert words in FRENCH
    adjudicating.widget.locator("form button[type=submit]").click()
    expect(adjudicating.disputes.first.locator("em")).to_have_text("own answer")
    adjudicating.saved()
    assert words in [held[0] for held in adjudicating.held("N-1")]


@pytest.mark.parametrize("adjudicating", ["fr"], indirect=True)
def test_it_is_accessible_in_both_themes_and_in_french(adjudicating: Adjudicating, artefacts: Path) -> None:
    page = adjudicating.page
    expect(adjudicating.widget.locator("[data-tool='own']")).to_contain_text("autre réponse")
    adjudicating.press("ArrowLeft", "a", "o")
    adjudicating.widget.locator(".mlab-adjudication-figures tbody tr").first.wait_for()
    page.add_script_tag(path=AXE)
    for theme in ("JupyterLab Light", "JupyterLab Dark"):
        adjudicating.notebook.theme(theme)
        adjudicating.widget.screenshot(path=artefacts / f"adjudication_{theme.split()[1].lower()}.png")
        assert page.evaluate(CHECK) == []
        assert adjudicating.widget.evaluate(CONTRAST) == []
