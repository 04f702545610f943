"""The view of the text stage in a real JupyterLab: annotator, training, files, review of identifiers, adjudication."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from playwright.sync_api import expect

from medomicslab_nb.pseudonyms import new_key
from medomicslab_nb.study import Study, create_study
from medomicslab_nb.tables import Column
from medomicslab_nb.text.annotation_desk import notes_of
from medomicslab_nb.text.annotations import IDENTIFIERS, open_annotations, read_annotations
from medomicslab_nb.text.identifiers.finding import find_identifiers
from medomicslab_nb.text.note import Note
from medomicslab_nb.text.span import Span
from tests.ui.conftest import put_notebook
from tests.ui.test_accessibility import AXE, CONTRAST

pytestmark = pytest.mark.ui

NAME = "quennevat"
"""A family name in lower case, in a place where rules do not look for one."""
FRENCH = """\
CENTRE DE SÉNOLOGIE - RÉUNION DE CONCERTATION PLURIDISCIPLINAIRE

Motif : avis sur un traitement adjuvant, que quennevat attend après la lecture des lames.

Antécédents : hypertension artérielle, diabète de type 2. Tabagisme sevré, 15 PA. Mère : cancer du sein à 62 ans.

Histoire de la maladie : patiente ménopausée, OMS 1. Nodule du sein gauche découvert au dépistage.

Anatomopathologie : carcinome canalaire infiltrant du sein gauche, grade SBR II, de 24 x 18 mm.
Récepteurs aux œstrogènes 90 %, récepteurs à la progestérone 40 %, HER2 négatif (score 1+), Ki-67 : 22 %.
pT2 N1a M0. Un ganglion métastatique sur 12.

Scanner thoraco-abdomino-pelvien : pas de métastase hépatique ni pulmonaire. Nodule surrénalien, métastase possible.

Proposition : chimiothérapie adjuvante par 3 FEC 100 puis 3 docétaxel, radiothérapie 50 Gy, puis létrozole 5 ans.
"""
ENGLISH = """\
ONCOLOGY CLINIC LETTER

Reason for visit: follow-up after right upper lobectomy.

History: former smoker, 35 pack-years. COPD. No family history of lung cancer.

Pathology: adenocarcinoma of the right upper lobe, 32 x 28 mm, pT2a N0 M0, stage IB. PD-L1 60 %, EGFR wild type.

Findings: no evidence of recurrence. Possible liver metastasis on CT, MRI planned. ECOG 1.
"""
NOTES = [("P-1001", "RCP-2024-017", "2024-03-12", FRENCH, "fr"),
         ("P-1002", "CLIN-2024-031", "2024-04-02", ENGLISH, "en"),
         ("P-1003", "CR-2024-044", "2024-05-06", "Contrôle à 6 mois : pas de récidive. OMS 0.", "fr")]
DRUGS = ("tamoxifène", "létrozole", "docétaxel", "paclitaxel", "trastuzumab")
CHECK = """async () => (await axe.run({include: [".jp-OutputArea .widget-vbox"]},
  {runOnly: {type: "tag", values: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}})).violations.flatMap(rule =>
  rule.nodes.map(node => [rule.id, node.html.slice(0, 200), node.failureSummary.slice(0, 200)]))"""


def text_study(path: Path, rows: list[tuple[str, str, str, str, str]]) -> Study:
    made = create_study(path)
    made.add_table("clinical", pd.DataFrame({"patient": sorted({row[0] for row in rows})}).assign(age=60), columns={
        "patient": Column(role="identifier", type="text")})
    frame = pd.DataFrame(rows, columns=["patient", "note", "date", "text", "language"])
    made.add_table("notes", frame.assign(date=pd.to_datetime(frame["date"])), level="visit", block="notes",
                   date_column="date", columns={name: Column(role="ignore", type="text")
                                                for name in ("note", "text", "language")})
    return made


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("text_view")


@pytest.fixture(scope="module")
def text_lab(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    from tests.ui.notebook_page import jupyter_lab

    with jupyter_lab(root, tmp_path_factory.mktemp("home")) as address:
        yield address


class TextView:
    """The notebook of the text stage on a study of its own."""

    def __init__(self, browser: Any, lab: str, root: Path, study: Study, settings: dict[str, Any],
                 language: str) -> None:
        from tests.ui.notebook_page import NotebookPage

        self.study, name = study, study.path.name
        target = root / f"{name}.ipynb"
        put_notebook("05_text.ipynb", target, name, settings)
        if language != "en":
            target.write_text(target.read_text("utf-8").replace(
                '"import medomicslab_nb as ml', f'"import os; os.environ[\'MEDOMICSLAB_LANG\'] = \'{language}\'\\n", '
                '"import medomicslab_nb as ml'), "utf-8")
        self.notebook = NotebookPage(browser, lab, target.name)
        self.page = self.notebook.page
        self.page.set_viewport_size({"width": 1500, "height": 1250})
        self.notebook.show_view()

    def press(self, label: str) -> None:
        self.notebook.button(label).click()

    def open(self, label: str, annotator: str = "") -> Any:
        """Open a tool; the box that holds it."""
        if annotator:
            self.notebook.view.get_by_label(re.compile("Annotat")).first.fill(annotator)
            self.page.keyboard.press("Tab")
        self.press(label)
        return self.annotator

    @property
    def annotator(self) -> Any:
        return self.notebook.view.locator(".mlab-annotator").last

    def ready(self) -> None:
        self.page.locator(".mlab-annotator[data-ready]").last.wait_for()
        self.annotator.scroll_into_view_if_needed()

    def saved(self, word: str = "Saved") -> None:
        expect(self.annotator.locator(".mlab-span-saved")).to_contain_text(word)

    def says(self, words: str | re.Pattern[str], timeout_s: float = 60) -> None:
        expect(self.notebook.view.locator("[role=status]", has_text=words).last).to_be_visible(timeout=timeout_s * 1000)


@pytest.fixture
def text_view(browser: object, text_lab: str, root: Path, request: pytest.FixtureRequest) -> Iterator[Any]:
    made: list[TextView] = []

    def open_one(rows: list[Any], settings: dict[str, Any] | None = None, language: str = "en",
                 before: Any = None) -> TextView:
        study = text_study(root / re.sub(r"\W", "_", request.node.name), rows)
        if before:
            before(study)
        made.append(TextView(browser, text_lab, root, study, settings or {}, language))
        return made[-1]

    yield open_one
    for shown in made:
        assert shown.notebook.foreign() == []
        assert shown.notebook.our_complaints() == []
        shown.notebook.close()


def work_of(study: Study, annotator: str, place: int, folder: str = "notes/annotations") -> list[Span]:
    note = notes_of(study)[place]
    return list(read_annotations(study, annotator, folder).note(note.note, note.text).spans)


def test_annotator_opens_from_the_view_takes_a_key_and_closes(text_view: Any, artefacts: Path) -> None:
    shown = text_view(NOTES)
    shown.open("Annotate the notes", "Anne")
    shown.ready()
    shown.annotator.locator(".mlab-span-text").focus()
    for key in ("s", "a"):
        shown.page.keyboard.press(key)
    shown.saved()
    accepted = [span for span in work_of(shown.study, "Anne", 0) if span.status == "accepted"]
    assert len(accepted) == 1
    for key in ("a", "a", "a", "a", "r"):
        shown.page.keyboard.press(key)
    expect(shown.annotator).to_contain_text("6 spans answered")
    shown.saved()
    shown.notebook.view.screenshot(path=artefacts / "text_view_annotator.png")
    shown.annotator.screenshot(path=artefacts / "annotator.png")
    shown.press("Close")
    expect(shown.notebook.view.locator(".mlab-annotator")).to_have_count(0)
    expect(shown.notebook.button("Annotate the notes")).to_be_visible()
    open_annotations(shown.study, "Anne").close()  # nobody holds it


def test_name_that_is_marked_is_missing_in_the_copy(text_view: Any, tmp_path: Path, artefacts: Path) -> None:
    known = [one.text for one in find_identifiers(Note(FRENCH, "fr"), None)]
    assert not any(NAME in one for one in known), "only a person finds it"
    shown = text_view(NOTES, {"deidentify": str(new_key(tmp_path / "key"))})
    shown.open("Review identifiers", "Anne")
    shown.ready()
    expect(shown.notebook.button("Train suggestions")).to_have_count(0)
    mark(shown, NAME)
    shown.annotator.screenshot(path=artefacts / "text_view_identifiers.png")
    shown.saved()
    marked = [span for span in work_of(shown.study, "Anne", 0, IDENTIFIERS) if span.status == "added"]
    assert [(span.text, span.attribute) for span in marked] == [(NAME, "name")]
    shown.press("Close")
    shown.press("Run")
    shown.notebook.wait_for_status("Completed")
    record = [one for one in shown.study.runs if one.stage == "text"][-1]
    copy = " ".join(record.table("notes_deidentified")["text"])
    assert NAME in FRENCH
    assert NAME not in copy.lower()
    assert "pT2 N1a M0" in copy
    assert "review" in set(record.table("replacements")["rule"])


def mark(shown: TextView, words: str) -> None:
    """By the mouse: a double click on the word; then the label by typing."""
    spot = shown.annotator.locator(".mlab-span-text").evaluate("""(root, words) => {
      const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
      for (let node = walker.nextNode(); node; node = walker.nextNode()) {
        const at = node.data.indexOf(words);
        if (at < 0) continue;
        const range = document.createRange();
        range.setStart(node, at);
        range.setEnd(node, at + words.length);
        const box = range.getBoundingClientRect();
        return [box.left + box.width / 2, box.top + box.height / 2];
      }
    }""", words)
    shown.page.mouse.dblclick(*spot)
    shown.page.keyboard.press("Enter")
    shown.page.keyboard.type("name")
    shown.page.keyboard.press("Enter")


def finish(study: Study, annotator: str, value: str) -> None:
    mine = open_annotations(study, annotator)
    note = notes_of(study)[0]
    start = note.text.index("grade SBR II")
    mine.note(note.note, note.text).put(Span.of(note.text, "grade", start, start + 12, value=value))
    mine.note(note.note, note.text).mark_done(done=True)
    mine.close()


def test_adjudication_of_two_annotators_opens_from_the_view(text_view: Any, artefacts: Path) -> None:
    def two(study: Study) -> None:
        finish(study, "Anne", "2")
        finish(study, "Ben", "3")

    shown = text_view(NOTES, before=two)
    shown.press("Adjudicate two annotators")
    desk = shown.notebook.view.locator(".mlab-adjudication").last
    desk.locator(".mlab-adjudication-disputes li").first.wait_for()
    desk.scroll_into_view_if_needed()
    desk.locator(".mlab-adjudication-desk").focus()
    shown.page.keyboard.press("ArrowLeft")
    expect(desk.locator(".mlab-adjudication-disputes li em").first).to_have_text("left")
    shown.notebook.view.screenshot(path=artefacts / "text_view_adjudication.png")
    expect(desk.locator(".mlab-span-saved")).to_contain_text("saved")
    assert [span.value for span in work_of(shown.study, "adjudication", 0) if span.status != "rejected"] == ["2"]
    shown.press("Close")
    expect(shown.notebook.view.locator(".mlab-adjudication")).to_have_count(0)


def test_adjudication_with_one_annotator_says_what_it_needs(text_view: Any) -> None:
    shown = text_view(NOTES, before=lambda study: finish(study, "Anne", "2"))
    shown.press("Adjudicate two annotators")
    expect(shown.notebook.view.locator(".medomicslab-fault").first).to_contain_text("two different annotators")


def drug_rows(count: int) -> list[tuple[str, str, str, str, str]]:
    return [(f"P-{number}", f"N-{number:02d}", "2024-01-05", f"Visite {number}. Elle a reçu du {DRUGS[number % 5]}, "
             f"puis du {DRUGS[(number + 1) % 5]}, et enfin du {DRUGS[(number + 2) % 5]}.", "fr")
            for number in range(count)]


def annotate_drugs(study: Study) -> None:
    """The first twelve are finished, with a label that no rule gives to these words."""
    mine = open_annotations(study, "Anne")
    for note in notes_of(study)[:12]:
        spans = [Span.of(note.text, "response", found.start(), found.end(), value="x")
                 for found in re.finditer(r"(Visite|reçu|enfin)", note.text)]
        mine.note(note.note, note.text).put(*spans)
        mine.note(note.note, note.text).mark_done(done=True)
    mine.close()


def test_model_is_trained_beside_the_open_annotator_and_files_go_out(text_view: Any, artefacts: Path) -> None:
    shown = text_view(drug_rows(14), before=annotate_drugs)
    shown.open("Annotate the notes", "Anne")
    shown.ready()
    shown.press("Train suggestions")
    expect(shown.notebook.view.locator("progress[aria-label='Train suggestions']")).to_be_visible()
    shown.says("12 finished notes with 36 spans", 240)
    shown.notebook.view.screenshot(path=artefacts / "text_view_trained.png")
    shown.says(re.compile(r"exact F1 \d\.\d\d"))
    expect(shown.annotator.locator(".mlab-span-heading")).to_contain_text("N-12")
    shown.annotator.locator("[data-tag*='response']").first.wait_for()
    assert {span.rule for span in work_of(shown.study, "Anne", 12) if span.attribute == "response"} == {"model"}
    shown.notebook.view.get_by_role("combobox", name="File", exact=True).fill("anne")
    shown.page.keyboard.press("Tab")
    shown.press("Export")
    shown.says("Written: anne.jsonl")
    shown.notebook.view.screenshot(path=artefacts / "text_view_trained.png")
    assert (shown.study.path / "notes/exchange/anne.jsonl").is_file()
    shown.press("Export")
    shown.says("there is a file of this name already")
    shown.press("Import")
    shown.says("New annotations: 0")


def test_rows_beside_the_annotator_are_accessible_in_both_themes_and_in_french(text_view: Any, artefacts: Path) -> None:
    shown = text_view(NOTES, language="fr")
    shown.open("Annoter les comptes rendus", "Anne")
    shown.ready()
    shown.press("Apprendre à suggérer")
    shown.says("Trop peu pour apprendre : 0 comptes rendus")
    shown.press("Exporter")
    shown.says("Nommez d'abord le fichier")
    shown.page.add_script_tag(path=AXE)
    for theme in ("JupyterLab Light", "JupyterLab Dark"):
        shown.notebook.theme(theme)
        shown.notebook.view.screenshot(path=artefacts / f"text_view_{theme.split()[1].lower()}.png")
        assert shown.page.evaluate(CHECK) == []
        assert shown.annotator.evaluate(CONTRAST) == []
