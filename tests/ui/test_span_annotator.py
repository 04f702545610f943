"""The annotator in a real JupyterLab: every action by keyboard alone, exact offsets, speed, and nothing lost."""

from __future__ import annotations

import json
import os
import re
import signal
import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from playwright.sync_api import expect

from medomicslab_nb.study import Study, create_study, open_study
from medomicslab_nb.text.annotations import read_annotations
from medomicslab_nb.text.note_work import NoteWork

pytestmark = pytest.mark.ui

FRENCH = """\
🙂🩺 Compte rendu : Hémopathie exclue, re\u0301cepteurs E\u0301R positifs.\r
\r
Conclusion : tumeur pT2a N0 M0, grade 2, taille 32 x 28 mm. Pas de métastase osseuse.
Mère : cancer du sein. Récidive possible.
<img src=x onerror="window.hacked = 1"><script>window.hacked = 1</script> & <b>gras</b>
"""
ENGLISH = "Lung adenocarcinoma of the right upper lobe, stage IIIA. Former smoker, 35 pack-years. Probable liver metastasis."
NOTES = {"N-1": (FRENCH, "fr", "2024-03-01"), "N-2": (ENGLISH, "en", "2024-03-08"), "N-3": ("Rien à signaler.", "fr", ""),
         "N-4": ("", "fr", ""), "N-5": ("Second look: stage IV.", "en", "2024-05-01")}
RULES = [("t_category", r"(?<=p)T\d\w?", ""), ("n_category", r"N[0-3]", ""), ("m_category", r"M[01]", ""),
         ("grade", r"grade (\d)", ""), ("tumour_size", r"\d+ x \d+(?= mm)", ""),
         ("metastasis", r"(?i)m[ée]tastas[ei]s?", ""), ("recurrence", r"Récidive", "uncertain"), ("stage", r"stage (\w+)", ""),
         ("laterality", r"right", ""), ("pack_years", r"(\d+) pack-years", ""), ("histology", r"adenocarcinoma", ""),
         ("site", r"Lung adenocarcinoma", ""), ("er", r"E\u0301R positifs", "")]
CELL = """\
import medomicslab_nb as ml
from medomicslab_nb.views.nlp_annotator import NlpAnnotator
from tests.ui.test_span_annotator import suggest
annotator = NlpAnnotator('STUDY', 'Anne', suggest=suggest)
annotator  # SHOW
"""
AFTER_PAINT = """() => {
  window.painted = [];
  document.addEventListener('keydown', (event) => requestAnimationFrame(() => {
    const channel = new MessageChannel();
    channel.port1.onmessage = () => window.painted.push(performance.now() - event.timeStamp);
    channel.port2.postMessage(0);
  }), true);
}"""


@dataclass
class Fact:
    """What a rule finds; the text stage's facts have the same attributes."""

    attribute: str
    start: int
    end: int
    value: str
    context: tuple[str, ...]
    unit: str = ""
    qualifier: str = ""
    rule: str = "test"
    rule_version: str = "1"


def suggest(text: str, _language: str) -> list[Fact]:
    """A few rules that are enough to annotate with."""
    return [Fact(name, match.start(), match.end(), match[match.lastindex or 0], tuple(filter(None, [context])))
            for name, pattern, context in RULES for match in re.finditer(pattern, text)]


def long_text(words: int) -> str:
    """A note of that many words with an annotation in about every twenty."""
    sentence = ("Le patient est revu ce jour pour une tumeur pT2a N0 de grade 2 avec un examen sans particularité notable "
                "et un bilan sanguin normal. ")
    count = words // len(sentence.split()) + 1
    return "".join(sentence + ("\n" if place % 3 == 2 else "") for place in range(count))


def notes_study(path: Path, notes: dict[str, tuple[str, str, str]]) -> Study:
    made = create_study(path)
    rows = [{"patient": f"PAT-{number}", "note": name, "text": text, "language": language, "date": date}
            for number, (name, (text, language, date)) in enumerate(notes.items())]
    made.add_table("notes", pd.DataFrame(rows), level="visit", block="notes")
    return made


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("annotate")


@pytest.fixture(scope="module")
def notes_lab(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    from tests.ui.notebook_page import jupyter_lab

    with jupyter_lab(root, tmp_path_factory.mktemp("home")) as address:
        yield address


class Annotating:
    """A notebook with the annotator of a study."""

    def __init__(self, browser: Any, lab: str, root: Path, study: Study) -> None:
        from tests.ui.notebook_page import NotebookPage

        self.study, name = study, study.path.name
        sources = [CELL.replace("STUDY", name), "import os; print('PID', os.getpid())"]
        content = {"cells": [{"cell_type": "code", "id": f"cell{place}", "metadata": {}, "execution_count": None,
                              "outputs": [], "source": source} for place, source in enumerate(sources)],
                   "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
                   "nbformat": 4, "nbformat_minor": 5}
        (root / f"{name}.ipynb").write_text(json.dumps(content))
        self.notebook = NotebookPage(browser, lab, f"{name}.ipynb")
        self.page = self.notebook.page
        self.page.set_viewport_size({"width": 1500, "height": 1100})
        self.show()

    def show(self) -> None:
        self.notebook.run_cells("# SHOW")
        self.widget.locator(".mlab-span-block").first.wait_for()
        expect(self.widget.locator(".mlab-span-note").first).not_to_be_empty()
        self.text.scroll_into_view_if_needed()

    @property
    def widget(self) -> Any:
        return self.page.locator(".mlab-annotator").last

    @property
    def text(self) -> Any:
        return self.widget.locator(".mlab-span-text")

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def saved(self) -> None:
        """Until everything is confirmed."""
        expect(self.widget.locator(".mlab-span-saved")).to_contain_text("Saved")

    def work(self, note: str) -> NoteWork:
        """What is on the disk."""
        text = str(self.study.table("notes").set_index("note").loc[note, "text"])
        return read_annotations(open_study(self.study.path), "Anne").note(note, text)

    def open_note(self, name: str) -> None:
        self.widget.locator(".mlab-span-note", has_text=name).click()
        self.at_note(name)

    def at_note(self, name: str) -> None:
        expect(self.widget.locator(".mlab-span-heading")).to_contain_text(name)
        expect(self.text).to_be_focused()

    def select(self, words: str) -> None:
        """By the keyboard: the caret to the words, then character by character of what one sees."""
        from medomicslab_nb.text.note_search import pattern_of

        assert pattern_of(words) is not None
        self.press("Control+Home")
        text = self.work(self.note).text
        before, found, _ = text.partition(words)
        assert found
        steps = len(graphemes(before))
        for _ in range(steps):
            self.page.keyboard.press("ArrowRight")
        for _ in range(len(graphemes(words))):
            self.page.keyboard.press("Shift+ArrowRight")

    @property
    def note(self) -> str:
        return str(self.widget.locator(".mlab-span-heading").inner_text()).split(" · ", maxsplit=1)[0]


def graphemes(text: str) -> list[str]:
    """Characters as people see them: CRLF is one step, an accent belongs to its letter."""
    return re.findall(r"\r\n|.[\u0300-\u036f\ufe0f]*", text, re.DOTALL)


@pytest.fixture
def annotating(browser: object, notes_lab: str, root: Path, request: pytest.FixtureRequest) -> Iterator[Annotating]:
    name = re.sub(r"\W", "_", request.node.name)[:40]
    made = Annotating(browser, notes_lab, root, notes_study(root / name, getattr(request, "param", NOTES)))
    yield made
    assert made.notebook.foreign() == []
    assert made.notebook.our_complaints() == []
    made.notebook.close()


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_screenshots(theme: str, annotating: Annotating, artefacts: Path) -> None:
    page, kind = annotating.page, theme.split()[-1].lower()
    annotating.notebook.theme(theme)
    annotating.text.focus()
    annotating.press("s", "a", "a", "r", "k", "k", "n")
    annotating.saved()
    annotating.widget.screenshot(path=artefacts / f"annotator_{kind}.png")
    annotating.press("1")
    annotating.widget.screenshot(path=artefacts / f"annotator_{kind}_labels.png")
    annotating.press("Escape", "Enter")
    page.keyboard.type("ca")
    annotating.widget.screenshot(path=artefacts / f"annotator_{kind}_find.png")
    annotating.press("Escape", "?")
    page.wait_for_timeout(200)
    page.screenshot(path=artefacts / f"annotator_{kind}_help.png")
    annotating.press("Escape")
    page.set_viewport_size({"width": 900, "height": 1400})
    page.wait_for_timeout(400)
    annotating.widget.screenshot(path=artefacts / f"annotator_{kind}_narrow.png")
