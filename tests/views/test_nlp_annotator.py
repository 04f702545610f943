"""The annotator's Python side: what the browser may ask, what it gets, and what is shown where nobody looks."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from medomicslab_nb.errors import DataError, MissingExtraError, SettingsError, StudyError
from medomicslab_nb.study import Study, create_study
from medomicslab_nb.text import annotations, suggestions
from medomicslab_nb.text.annotation_desk import Desk, NoteText
from medomicslab_nb.text.annotations import open_annotations, read_annotations
from medomicslab_nb.text.span import Span
from medomicslab_nb.views import nlp_annotator
from medomicslab_nb.views.annotate_tool import AnnotateTool
from medomicslab_nb.views.identifier_review import IdentifierReview
from medomicslab_nb.views.nlp_annotator import NlpAnnotator, suggestions_of_rules
from medomicslab_nb.views.span_annotator import SpanAnnotator
from medomicslab_nb.views.train_suggestions import TrainSuggestions
from tests.text.test_annotation_desk import Found, suggest

TEXT = "🙂 grade 2, métastase possible"
NOTES = [NoteText("SECRET-1", TEXT, "2024-01-01", "fr"), NoteText("SECRET-2", "grade 3", "", "en"),
         NoteText("SECRET-3", "")]
NEW = "0123456789abcdef"


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    for opened in list(annotations._OPEN.values()):
        opened.close()


@pytest.fixture
def study(tmp_path: Path) -> Study:
    made = create_study(tmp_path / "study")
    made.add_table("notes", pd.DataFrame({
        "patient": ["P1", "P2", "P3"], "note": [one.note for one in NOTES], "text": [one.text for one in NOTES],
        "language": [one.language for one in NOTES]}), level="visit", block="notes")
    return made


class Browser:
    """Asks as a tab does."""

    def __init__(self, widget: SpanAnnotator, *, loaded: bool = True) -> None:
        self.widget, self.sent = widget, []
        assert not loaded or widget._loaded.wait(60)
        widget.send = self.sent.append  # type: ignore[method-assign]

    def ask(self, name: str, **values: Any) -> Any:
        self.widget._answers._worker.submit(lambda: None).result()
        self.widget._handle_custom_msg({"ask": name, "token": "tab", "number": 1, **values}, [])
        self.widget._answers._worker.submit(lambda: None).result()
        return self.sent[-1].get("answer") or self.sent[-1]

    def act(self, do: str, place: int = 0, **values: Any) -> Any:
        return self.ask("act", place=place, do=do, **values)


@pytest.fixture
def browser(study: Study) -> Iterator[Browser]:
    mine = open_annotations(study, "Anne")
    yield Browser(SpanAnnotator(Desk(mine, NOTES, suggest)))
    mine.close()


def test_note_comes_with_suggestions_and_places_of_words(browser: Browser) -> None:
    sent = browser.ask("open", place=0, words="METASTASE")
    assert (sent["text"], sent["note"], sent["fault"], sent["stale"]) == (TEXT, "SECRET-1", "", [])
    assert [TEXT[span["start"]:span["end"]] for span in sent["spans"]] == ["grade 2", "métastase"]
    assert [TEXT[start:end] for start, end in sent["hits"]] == ["métastase"]


def test_every_act_is_stored_and_answered_with_what_changed(browser: Browser, study: Study) -> None:
    first, second = browser.ask("open", place=0)["spans"]
    answer = browser.act("put", spans=[{**first, "status": "accepted"}])
    assert list(answer["spans"]) == [first["id"]]
    assert answer["spans"][first["id"]]["status"] == "accepted"
    assert re.fullmatch(r"\d\d:\d\d:\d\d", answer["saved"])
    assert (answer["undo"], answer["redo"]) == (True, False)
    assert (answer["row"]["answered"], answer["progress"]["answered"]) == (1, 1)
    browser.act("put", spans=[{"id": NEW, "attribute": "stage", "start": 0, "end": 1, "status": "added", "value": "I"}])
    link = browser.act("relate", kind="of", source=NEW, target=second["id"])["relations"]
    assert [one["source"] for one in link.values()] == [NEW]
    assert browser.act("unrelate", id=next(iter(link)))["relations"] == dict.fromkeys(link)
    assert browser.act("remove", ids=[NEW])["spans"] == {NEW: None}
    assert browser.act("undo")["spans"][NEW]["value"] == "I"
    assert browser.act("redo")["spans"] == {NEW: None}
    assert browser.act("done", value=True)["row"]["done"]
    stored = read_annotations(study, "Anne").note("SECRET-1", TEXT)
    assert (stored.done, [span.status for span in stored.spans]) == (True, ["accepted", "suggested"])
    assert browser.widget.acted["place"] == 0


def test_browser_cannot_change_what_rules_said_or_store_nonsense(browser: Browser) -> None:
    first = browser.ask("open", place=0)["spans"][0]
    changed = browser.act("put", spans=[{**first, "rule": "mine", "status": "edited"}])["spans"][first["id"]]
    assert changed["rule"] == "test"
    for bad in ({"start": -1}, {"end": 10_000}, {"status": "perhaps"}, {"attribute": ""}, {"id": "../x"},
                {"context": ["never"]}):
        assert "fault" in browser.act("put", spans=[{**first, **bad}]), bad
    assert "fault" in browser.act("unknown")
    assert len(browser.ask("open", place=0)["spans"]) == 2


def test_85_neither_notes_nor_identifiers_are_in_the_widgets_state(browser: Browser) -> None:
    browser.ask("open", place=0)
    browser.act("done", value=True)
    state = str(browser.widget.get_state())
    assert "SECRET" not in state
    assert "métastase possible" not in state
    assert "SECRET" not in repr(browser.widget)


def test_list_keeps_its_notes_until_it_is_asked_for_anew(browser: Browser) -> None:
    def names(**more: Any) -> list[str]:
        return [row["note"] for row in browser.ask("list", open_only=True, **more)["rows"]]

    assert names() == ["SECRET-1", "SECRET-2", "SECRET-3"]
    browser.ask("open", place=1)
    browser.act("done", place=1, value=True)
    assert names() == ["SECRET-1", "SECRET-2", "SECRET-3"], "no note vanishes under one's hands"
    assert names(anew=True) == ["SECRET-1", "SECRET-3"]
    assert [row["note"] for row in browser.ask("list", start=1, count=1)["rows"]] == ["SECRET-2"]


def test_steps_go_through_what_is_listed(browser: Browser) -> None:
    def step(place: int, **more: Any) -> int | None:
        return browser.ask("step", place=place, **more)["place"]

    assert (step(0), step(2), step(2, by=-1), step(0, by=-1)) == (1, None, 1, None)
    browser.act("done", place=1, value=True)
    assert step(0, to_open=True) == 2
    assert step(2, to_open=True) == 0, "what was left out before comes last"
    assert step(0, language="en") == 1


def test_uncertain_note_is_found(browser: Browser) -> None:
    assert browser.ask("uncertain", place=2) == {"place": 0, "unknown": 0}


def test_rules_that_fail_leave_the_note_without_suggestions(study: Study) -> None:
    def broken(text: str, _: str) -> list[Any]:
        raise ValueError(text)

    browser = Browser(SpanAnnotator(Desk(open_annotations(study, "Anne"), NOTES, broken)))
    sent = browser.ask("open", place=0)
    assert sent["text"] == TEXT
    assert "no suggestions" in sent["fault"]
    assert "grade" not in sent["fault"], "a note's words stay out of messages"
    span = {"id": NEW, "attribute": "stage", "start": 0, "end": 1, "status": "added"}
    assert list(browser.act("put", spans=[span])["spans"]) == [NEW]


def test_newer_annotator_of_the_same_name_goes_on(browser: Browser, study: Study) -> None:
    open_annotations(study, "Anne").close()
    assert "not open for writing here" in browser.act("done", value=True)["fault"]


def test_note_is_shown_while_what_suggests_is_being_loaded(study: Study) -> None:
    may_end = threading.Event()

    def slow(text: str, language: str) -> list[Any]:
        may_end.wait(60)
        return list(suggest(text, language))

    widget = SpanAnnotator(Desk(open_annotations(study, "Anne"), NOTES, slow))
    browser = Browser(widget, loaded=False)
    assert browser.ask("open", place=0)["spans"] == []
    assert not widget.ready
    may_end.set()
    assert widget._loaded.wait(60)
    assert len(browser.ask("open", place=0)["spans"]) == 2


# -- where nobody looks -----------------------------------------------------------------------------------------------


def test_headless_it_is_a_table_of_everybodys_progress(study: Study) -> None:
    mine = open_annotations(study, "Anne")
    mine.note(NOTES[0].note, TEXT).mark_done(True)
    mine.close()
    shown = NlpAnnotator(study, "Bob")
    assert shown.widget is None
    bundle = shown._repr_mimebundle_()
    assert "Anne" in bundle["text/plain"]
    assert "SECRET" not in bundle["text/html"]
    assert shown.progress() == [{"annotator": "Anne", "notes": 3, "done": 1, "begun": 0, "answered": 0, "suggested": 0}]
    assert not list((study.path / "notes/annotations").glob("bob*")), "looking writes nothing"


def test_interactive_it_holds_the_name_until_it_is_closed(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nlp_annotator, "interactive", lambda: True)
    shown = NlpAnnotator(study.path, "Anne", suggest=suggest)
    assert isinstance(shown.widget, SpanAnnotator)
    assert shown.widget.desk.annotations.writable
    assert "Anne" not in repr(shown)
    shown.close()
    assert shown.widget is None
    with pytest.raises(StudyError, match="cannot be the name"):
        NlpAnnotator(study, "../x")


def test_default_name_is_the_users_as_far_as_it_can_be(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    for user, expected in (("anne", "anne"), ("DOMAIN\\anne", "DOMAINanne"), ("..", "annotator")):
        monkeypatch.setattr(nlp_annotator.getpass, "getuser", lambda user=user: user)
        assert NlpAnnotator(study).annotator == expected

    def nobody() -> str:
        raise KeyError("uid")

    monkeypatch.setattr(nlp_annotator.getpass, "getuser", nobody)
    assert NlpAnnotator(study).annotator == "annotator"


def test_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "medomicslab_nb.text.pipeline", None)
    with pytest.raises(MissingExtraError, match="suggestions for notes needs the extra 'text'"):
        suggestions_of_rules("grade 2", "")


def test_rules_of_the_text_stage_suggest_spans_of_the_note() -> None:
    text = "🙂 Tumeur pT2a N0, e\u0301valuée grade 2."
    found = list(suggestions_of_rules(text, "fr"))
    assert found
    assert all(text[one.start:one.end] == one.text for one in found)


# -- the model in the loop --------------------------------------------------------------------------------------------

DRUGS = ("tamoxifène", "létrozole", "docétaxel", "paclitaxel", "trastuzumab")


def drug_notes(count: int) -> dict[str, str]:
    return {f"SECRET-{number}": f"Note {number}. Elle a reçu du {DRUGS[number % 5]}, "
            f"puis du {DRUGS[(number + 1) % 5]}, et enfin du {DRUGS[(number + 2) % 5]}." for number in range(count)}


@pytest.fixture
def drugs(tmp_path: Path) -> Study:
    """Anne has finished the notes but the last two; Ben has none."""
    made, notes = create_study(tmp_path / "drugs"), drug_notes(14)
    made.add_table("notes", pd.DataFrame({"patient": "SECRETPATIENT", "note": list(notes), "text": list(notes.values()),
                                          "language": "fr"}), level="visit", block="notes")
    anne = open_annotations(made, "Anne")
    for name, text in list(notes.items())[:12]:
        anne.note(name, text).put(*(Span.of(text, "treatment", place.start(), place.end(), value="drug")
                                    for place in re.finditer("|".join(DRUGS), text)))
        anne.note(name, text).mark_done(True)
    anne.close()
    return made


def no_rules(_text: str, _language: str) -> list[Any]:
    return []


@pytest.fixture
def looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nlp_annotator, "interactive", lambda: True)


def suggested(annotator: NlpAnnotator, place: int) -> list[tuple[str, str]]:
    assert annotator.widget is not None
    return [(span.text, span.rule) for span in annotator.widget.desk.open(place).spans if span.status == "suggested"]


@pytest.mark.usefixtures("looked_at")
def test_trained_model_suggests_behind_the_rules_and_is_found_again(drugs: Study) -> None:
    text = drug_notes(14)["SECRET-13"]

    def rules(note: str, _language: str) -> list[Any]:
        word = DRUGS[13 % 5]
        return [Found("histology", note.index(word), note.index(word) + len(word), "x", ())] if word in note else []

    shown = NlpAnnotator(drugs, "Anne", suggest=rules)
    assert shown.widget is not None
    assert shown.widget._loaded.wait(60)
    assert suggested(shown, 13) == [(DRUGS[3], "test")]
    assert shown.reports() == []
    before = shown.widget.desk
    tool = TrainSuggestions(shown, lambda words: words)
    tool.button.click()
    tool.background.join(300)
    said = tool._status.value
    assert "12 finished notes with 36 spans" in said
    assert re.search(r"On 3 notes left out: exact F1 0\.\d\d|exact F1 1\.00", said), said
    assert "SECRET" not in said
    assert shown.widget.desk is not before, "notes that were looked through get other suggestions"
    assert shown.widget.ready
    found = suggested(shown, 13)
    assert found[0] == (DRUGS[3], "test"), "rules stay first"
    assert {rule for _, rule in found[1:]} == {"model"}
    assert not any(word == DRUGS[3] for word, _ in found[1:])
    assert all(word in text for word, _ in found)
    shown.close()

    again = NlpAnnotator(drugs, "Anne", suggest=rules)
    assert suggested(again, 13) == found
    assert "12 finished notes with 36 spans" in TrainSuggestions(again, str)._status.value
    again.close()


@pytest.mark.usefixtures("looked_at")
def test_next_uncertain_is_what_the_model_doubts(drugs: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = NlpAnnotator(drugs, "Anne", suggest=no_rules)
    assert shown.widget is not None
    assert shown.widget._loaded.wait(60)
    assert Browser(shown.widget).ask("uncertain", place=0)["place"] is None
    monkeypatch.setattr(suggestions, "stored_model", lambda study, language: None)
    loop = suggestions.ModelInTheLoop(drugs, shown.widget.desk.annotations, (), no_rules)
    monkeypatch.setattr(loop, "train", lambda progress: [])
    monkeypatch.setattr(loop, "doubt", lambda text, spans: 2.0 if "13." in text else 0.5)
    shown._source.__dict__["_loop"] = loop
    shown.train()
    assert Browser(shown.widget).ask("uncertain", place=0)["place"] == 13


@pytest.mark.usefixtures("looked_at")
def test_too_little_is_told_with_what_is_missing_and_a_cancel_leaves_all_as_it_was(
        drugs: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    ben = NlpAnnotator(drugs, "Ben", suggest=no_rules)
    tool = TrainSuggestions(ben, str)
    tool.button.click()
    tool.background.join(60)
    assert "0 notes are finished. At least 10 finished notes of one language with 30 spans" in tool._status.value
    assert not tool.button.disabled
    monkeypatch.setenv("MEDOMICSLAB_LANG", "fr")
    tool.button.click()
    tool.background.join(60)
    assert "Il faut au moins 10 comptes rendus terminés" in tool._status.value
    monkeypatch.setenv("MEDOMICSLAB_LANG", "en")
    monkeypatch.setattr(ben, "train", lambda progress: [progress.check() for _ in iter(int, 1)])
    tool.button.click()
    assert "<progress" in tool._status.value
    assert tool.cancel_button.layout.display == ""
    tool.cancel_button.click()
    tool.background.join(60)
    assert "cancelled" in tool._status.value
    assert tool.cancel_button.layout.display == "none"
    ben.close()


def test_training_without_a_widget_and_none_from_identifiers(drugs: Study) -> None:
    with pytest.raises(DataError, match="0 finished notes"):
        NlpAnnotator(drugs, "Ben").train()
    with pytest.raises(DataError, match="no model learns from identifiers"):
        IdentifierReview(drugs, "Anne").train()


def test_without_a_model_nothing_of_it_is_loaded(drugs: Study) -> None:
    program = ("import sys; from medomicslab_nb.views import nlp_annotator; nlp_annotator.interactive = lambda: True\n"
               f"shown = nlp_annotator.NlpAnnotator({str(drugs.path)!r}, 'Anne')\n"
               "assert shown.widget._loaded.wait(60); shown.widget.desk.open(13)\n"
               "shown.widget.desk.uncertain(0, [13])\n"
               "assert shown.reports() == []; print('medomicslab_nb.text.span_model' in sys.modules)")
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "False"


# -- files ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["anne.jsonl", "anne.spacy", "anne.zip", "anne.csv"])
def test_annotations_go_out_and_come_in_with_another_name(drugs: Study, name: str) -> None:
    written = NlpAnnotator(drugs, "Anne").export(name)
    assert written == drugs.path / "notes/exchange" / name
    assert NlpAnnotator(drugs, "Anne").take_in(name) == 0, "what it came from has it already"
    ben = NlpAnnotator(drugs, "Ben")
    assert ben.take_in(name) == 36
    assert ben.take_in(name) == 0, "the same file twice adds nothing"
    text = drug_notes(1)["SECRET-0"]
    taken = read_annotations(drugs, "Ben").note("SECRET-0", text)
    assert [span.text for span in taken.holding] == [DRUGS[0], DRUGS[1], DRUGS[2]]


def test_nothing_is_overwritten_and_no_journal_is_put_among_the_others(drugs: Study, tmp_path: Path) -> None:
    anne = NlpAnnotator(drugs, "Anne")
    first = anne.export("anne.jsonl").read_bytes()
    with pytest.raises(DataError, match="already"):
        anne.export("anne.jsonl")
    assert (drugs.path / "notes/exchange/anne.jsonl").read_bytes() == first
    for place in ("../annotations/carl.jsonl", "../../carl.jsonl"):
        with pytest.raises(DataError, match="the study's own files"):
            anne.export(place)
    assert anne.export(tmp_path / "out.csv").is_file()
    with pytest.raises(SettingsError, match="does not tell its form"):
        anne.export("anne.docx")
    with pytest.raises(DataError, match="no file of this name"):
        anne.take_in("nobody.jsonl")


def test_damaged_file_changes_nothing_and_its_words_are_not_repeated(drugs: Study) -> None:
    written = NlpAnnotator(drugs, "Anne").export("anne.jsonl")
    lines = written.read_text().replace("tamoxif", "SECRETDRUG", 1)
    (written.parent / "bad.jsonl").write_text(lines)
    with pytest.raises(DataError) as caught:
        NlpAnnotator(drugs, "Ben").take_in("bad.jsonl")
    assert "SECRET" not in str(caught.value)
    assert read_annotations(drugs, "Ben").notes == []


@pytest.mark.usefixtures("looked_at")
def test_row_of_files_tells_outcome_and_fault(drugs: Study) -> None:
    tool = AnnotateTool(drugs, "notes")
    tool.name.value = "Anne"
    tool.buttons["annotate_notes"].click()
    row = tool.exchange
    assert row is not None

    def press(button: Any) -> str:
        button.click()
        row.background.join(60)
        return str(row._status.value)

    assert "Name the file first" in press(row.export_button)
    row.name.value, row.form.value = "mine", "brat"
    assert "Written: mine.zip" in press(row.export_button)
    assert row.name.options == ("mine.zip",)
    assert "medomicslab-fault" in press(row.export_button)
    row.name.value = "none"
    assert "there is no file of this name" in press(row.import_button)
    row.name.value, row.form.value = "mine", "jsonl"
    assert "Written: mine.jsonl" in press(row.export_button)
    assert "New annotations: 0" in press(row.import_button)
    tool.close_button.click()
    assert tool.exchange is None
    tool.name.value = "Ben"
    tool.buttons["annotate_notes"].click()
    row = tool.exchange
    assert row is not None
    row.name.value, row.form.value = "mine", "brat"
    assert "New annotations: 36" in press(row.import_button)
    assert tool._opened.widget.desk.progress()["answered"] == 36
    tool.close_button.click()
    tool.buttons["annotate_identifiers"].click()
    assert tool.exchange is not None
    assert tool.training is None, "no model learns from identifiers"
    tool.close_button.click()
