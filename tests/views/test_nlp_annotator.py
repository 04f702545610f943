"""The annotator's Python side: what the browser may ask, what it gets, and what is shown where nobody looks."""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from medomicslab_nb.errors import MissingExtraError, StudyError
from medomicslab_nb.study import Study, create_study
from medomicslab_nb.text import annotations
from medomicslab_nb.text.annotation_desk import Desk, NoteText
from medomicslab_nb.text.annotations import open_annotations, read_annotations
from medomicslab_nb.views import nlp_annotator
from medomicslab_nb.views.nlp_annotator import NlpAnnotator, suggestions_of_rules
from medomicslab_nb.views.span_annotator import SpanAnnotator
from tests.text.test_annotation_desk import suggest

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
