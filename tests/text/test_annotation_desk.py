"""The desk: which notes are shown, what is suggested, what is done."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
import pytest

from medomicslab_nb.errors import DataError, StudyError
from medomicslab_nb.study import Study, create_study
from medomicslab_nb.text import annotations
from medomicslab_nb.text.annotation_desk import Desk, Filter, NoteText, as_span, notes_of
from medomicslab_nb.text.annotation_labels import label_groups, relation_kinds
from medomicslab_nb.text.annotations import open_annotations, read_annotations
from medomicslab_nb.text.attributes import attributes
from medomicslab_nb.text.note_search import pattern_of
from medomicslab_nb.text.span import ACCEPTED, Span

NOTES = [NoteText("A", "grade 2, métastase possible", language="fr"), NoteText("B", "rien", language="fr"),
         NoteText("C", "grade 3 and METASTASIS", language="en"), NoteText("D", "")]


@dataclass
class Found:
    attribute: str
    start: int
    end: int
    value: str
    context: tuple[str, ...] = ()
    unit: str = ""
    qualifier: str = ""
    rule: str = "test"
    rule_version: int = 3


def suggest(text: str, _: str) -> list[Found]:
    found = [Found("grade", match.start(), match.end(), match[1]) for match in re.finditer(r"grade (\d)", text)]
    return found + [Found("metastasis", match.start(), match.end(), "unspecified",
                          ("uncertain",) if "possible" in text else ())
                    for match in re.finditer(r"(?i)m[ée]tastas\w+", text)]


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    for opened in list(annotations._OPEN.values()):
        opened.close()


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return create_study(tmp_path / "study")


@pytest.fixture
def desk(study: Study) -> Desk:
    return Desk(open_annotations(study, "Anne"), NOTES, suggest)


def listed(desk: Desk, **wanted: object) -> str:
    return "".join(NOTES[place].note for place in desk.places(Filter(**wanted)))  # type: ignore[arg-type]


def test_opening_a_note_suggests_once(desk: Desk, study: Study) -> None:
    work = desk.open(0)
    assert [(span.text, span.status, span.rule, span.rule_version) for span in work.spans] == [
        ("grade 2", "suggested", "test", "3"), ("métastase", "suggested", "test", "3")]
    work.put(replace(work.spans[0], status=ACCEPTED))
    size = (study.path / "notes/annotations/anne.jsonl").stat().st_size
    assert [span.status for span in desk.open(0).spans] == ["accepted", "suggested"]
    assert (study.path / "notes/annotations/anne.jsonl").stat().st_size == size


def test_finished_note_keeps_the_suggestions_that_it_was_finished_with(study: Study) -> None:
    mine = open_annotations(study, "Anne")
    Desk(mine, NOTES, suggest).open(0).mark_done(True)
    later = Desk(mine, NOTES, lambda *_: [])
    assert len(later.open(0).spans) == 2
    assert len(Desk(read_annotations(study, "Zoe"), NOTES, suggest).open(0).spans) == 0, "who reads writes nothing"


def test_notes_are_found_by_words_language_and_what_is_left(desk: Desk) -> None:
    assert listed(desk) == "ABCD"
    assert listed(desk, words="metast") == "AC"
    assert listed(desk, words="MÉTAST") == "AC"
    assert listed(desk, words="grade  3") == "C"
    assert listed(desk, words="grade.") == ""
    assert listed(desk, language="fr") == "AB"
    desk.open(1).mark_done(True)
    desk.changed(1)
    assert listed(desk, open_only=True) == "ACD"


def test_notes_are_found_by_their_spans_once_they_were_looked_through(desk: Desk) -> None:
    assert listed(desk, attribute="grade") == ""
    assert desk.look(0) == 4
    ticks = iter(range(100))
    assert desk.look(2, clock=lambda: next(ticks)) == 3, "it stops in time, and goes on where it stopped"
    assert desk.look(60) == 0
    assert listed(desk, attribute="grade") == "AC"
    assert listed(desk, attribute="metastasis", context="uncertain") == "A"
    assert listed(desk, attribute="grade", context="uncertain") == "", "of one span and not of two"
    work = desk.open(2)
    work.put(replace(work.spans[0], status=ACCEPTED))
    desk.changed(2)
    assert listed(desk, status="accepted") == "C"
    assert listed(desk, attribute="metastasis", status="accepted") == ""


def test_next_uncertain_note_is_the_least_sure_one_that_is_not_finished(desk: Desk) -> None:
    assert desk.uncertain(3, range(4)) is None, "nothing was looked through"
    desk.look(60)
    assert desk.uncertain(3, range(4)) == 0
    assert desk.uncertain(0, range(4)) is None
    assert desk.uncertain(3, [1, 2]) is None
    ranked = Desk(desk.annotations, NOTES, suggest, doubt=lambda text, spans: len(spans) + ("METASTASIS" in text))
    ranked.look(60)
    assert (ranked.uncertain(0, range(4)), ranked.uncertain(2, range(4))) == (2, 0)
    ranked.open(2).mark_done(True)
    ranked.changed(2)
    assert ranked.uncertain(1, range(4)) == 0


def test_progress_counts_notes_and_answers(desk: Desk, study: Study) -> None:
    work = desk.open(0)
    work.put(replace(work.spans[0], status=ACCEPTED))
    desk.changed(0)
    desk.open(1).mark_done(True)
    desk.changed(1)
    desk.open(2)
    expected = {"notes": 4, "done": 1, "begun": 1, "answered": 1, "suggested": 3}
    assert desk.progress() == expected
    assert Desk(read_annotations(study, "Anne"), NOTES, suggest).progress() == expected


def test_stale_answers_are_of_earlier_texts_and_not_of_twins(study: Study) -> None:
    mine = open_annotations(study, "Anne")
    twins = [NoteText("A", "one"), NoteText("A", "two")]
    desk = Desk(mine, twins, lambda *_: [])
    desk.work(0).put(Span.of("one", "grade", 0, 3))
    assert desk.stale(1) == []
    changed = Desk(mine, [NoteText("A", "ones")], lambda *_: [])
    assert [span.text for span in changed.stale(0)] == ["one"]


def test_suggestion_outside_the_text_is_refused() -> None:
    with pytest.raises(DataError, match="lies outside"):
        as_span("ab", Found("grade", 1, 3, "x"))


def add_notes(study: Study, **columns: list[object]) -> None:
    frame = pd.DataFrame({"patient": [f"P{number}" for number in range(len(next(iter(columns.values()))))], **columns})
    study.add_table("notes", frame, level="visit", block="notes")


def test_57_the_same_note_twice_is_listed_once(study: Study) -> None:
    add_notes(study, note=["A", "A", "A"], text=["one", "one", "two"])
    assert notes_of(study) == [NoteText("A", "one"), NoteText("A", "two")]


def test_notes_have_dates_and_languages_where_the_table_has(study: Study) -> None:
    add_notes(study, note=["A", "B"], text=["one", None], date=[pd.Timestamp("2024-02-03"), None],
              language=["fr", None])
    assert notes_of(study) == [NoteText("A", "one", "2024-02-03", "fr"), NoteText("B", "", "", "")]


def test_table_without_texts_is_refused(study: Study) -> None:
    add_notes(study, note=["A"], texte=["x"])
    with pytest.raises(DataError, match="no column 'text'"):
        notes_of(study)
    assert notes_of(study, text="texte") == [NoteText("A", "x")]


def test_notes_without_names_are_numbered_as_the_stage_does(study: Study) -> None:
    add_notes(study, text=["one", "two"])
    assert [note.note for note in notes_of(study)] == ["P0-1", "P1-1"]


def test_study_without_notes_says_so(study: Study) -> None:
    with pytest.raises(StudyError, match="no table 'notes'"):
        notes_of(study)


def test_every_attribute_can_be_set_by_two_digits() -> None:
    groups = label_groups()
    names = [one.name for group in groups for one in group.attributes]
    assert sorted(names) == sorted(attributes())
    assert len(groups) <= 9
    assert all(len(group.attributes) <= 9 for group in groups)
    assert all(set(title) == {"en", "fr"} for title in [*(group.title for group in groups), *relation_kinds().values()])
    assert len(relation_kinds()) <= 9


@pytest.mark.parametrize(("words", "text", "found"), [
    ("metastase", "une Métastase", "Métastase"), ("été", "ete\u0301", "ete\u0301"), ("a  b", "xA\n b", "A\n b"),
    ("(2)", "grade (2)", "(2)"), ("nœud", "NŒUD", "NŒUD"), ("e", "🙂é", "é")])
def test_words_are_found_at_their_place(words: str, text: str, found: str) -> None:
    match = pattern_of(words).search(text)
    assert match[0] == found


def test_no_words_find_nothing() -> None:
    assert pattern_of(" \t") is None
