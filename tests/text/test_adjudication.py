"""Deciding between two annotators: what was chosen is what counts, and is there again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from medomicslab_nb.errors import DataError
from medomicslab_nb.study import Study, create_study
from medomicslab_nb.text.adjudication import OPEN, Adjudication
from medomicslab_nb.text.annotation_desk import NoteText
from medomicslab_nb.text.annotations import Annotations, open_annotations, read_annotations
from medomicslab_nb.text.attributes import CONTEXTS
from medomicslab_nb.text.decisions import ADJUDICATION
from medomicslab_nb.text.disputes import settle
from medomicslab_nb.text.span import ACCEPTED, REJECTED, Span

TEXT = "🙂 e\u0301: pT2N0, grade 2 ou 3, pas de métastase."
NOTES = [NoteText("N1", TEXT), NoteText("N2", "Rien."), NoteText("N3", "grade 3"), NoteText("N4", "grade 1")]


def span(words: str, attribute: str, value: str = "", text: str = TEXT, *context: str) -> Span:
    start = text.index(words)
    assert set(context) <= set(CONTEXTS)
    return Span.of(text, attribute, start, start + len(words), value=value, context=context)


LEFT = [span("T2", "t_category", "T2"), span("grade 2", "grade", "2"), span("métastase", "metastasis", "unspecified"),
        span("N0", "n_category", "N0")]
RIGHT = [span("pT2", "t_category", "T2"), span("grade 2 ou 3", "grade", "3"),
         span("métastase", "metastasis", "unspecified", TEXT, "negated")]


@pytest.fixture
def study(tmp_path: Path) -> Iterator[Study]:
    """Both have finished N1 to N3, the left one alone N4."""
    made = create_study(tmp_path / "study")
    opened = [open_annotations(made, name) for name in ("Anne", "Ben")]
    for one, spans in zip(opened, (LEFT, RIGHT), strict=True):
        one.note("N1", TEXT).put(*spans)
        one.note("N3", "grade 3").put(span("grade 3", "grade", "3", "grade 3"))
        for note in NOTES[:3]:
            one.note(note.note, note.text).mark_done(done=True)
    opened[0].note("N4", "grade 1").mark_done(done=True)
    yield made
    for one in (*opened, *DECIDING):
        one.close()
    DECIDING.clear()


DECIDING: list[Annotations] = []


def adjudication(study: Study) -> Adjudication:
    DECIDING.append(open_annotations(study, ADJUDICATION))
    return Adjudication(NOTES, read_annotations(study, "Anne"), read_annotations(study, "Ben"), DECIDING[-1])


def held(study: Study, note: NoteText = NOTES[0]) -> list[tuple[str, str, tuple[str, ...]]]:
    """What the journal on the disk says."""
    work = read_annotations(study, ADJUDICATION).note(note.note, note.text)
    return [(each.text, each.value, each.context) for each in work.holding]


def test_what_both_say_is_settled_and_the_rest_is_in_dispute() -> None:
    agreed, disputes = settle(LEFT, RIGHT)
    assert [each.text for each in agreed] == ["T2"]  # the left one's begin and end
    assert [(each.left and each.left.text, each.right and each.right.text) for each in disputes] == [
        ("N0", None), ("grade 2", "grade 2 ou 3"), ("métastase", "métastase")]


def test_only_notes_that_both_have_finished_are_compared(study: Study) -> None:
    found = adjudication(study)
    assert (found.places, found.waiting) == ([0, 1, 2], 1)
    assert found.progress() == {"notes": 3, "waiting": 1, "done": 0, "disputes": 3, "decided": 0}


def test_each_choice_is_what_counts_and_is_known_again(study: Study) -> None:
    found = adjudication(study)
    found.decide(0, 0, "neither")
    found.decide(0, 1, "right")
    assert not found.work(0).done
    found.decide(0, 2, "right")
    assert held(study) == [("T2", "T2", ()), ("grade 2 ou 3", "3", ()), ("métastase", "unspecified", ("negated",))]
    again = adjudication(study)
    assert again.chosen(0) == ["neither", "right", "right"]
    assert again.work(0).done
    assert again.progress()["decided"] == 3


def test_both_and_the_own_answer(study: Study) -> None:
    found = adjudication(study)
    found.decide(0, 1, "both")
    found.decide(0, 2, "own", span("pas de métastase", "metastasis", "other", TEXT, "negated"))
    assert held(study) == [("T2", "T2", ()), ("grade 2 ou 3", "3", ()), ("grade 2", "2", ()),
                           ("pas de métastase", "other", ("negated",))]
    assert found.chosen(0) == [OPEN, "both", "own"]
    found.decide(0, 2, "own", span("métastase", "metastasis", "bone"))
    assert held(study)[-1] == ("métastase", "bone", ())
    found.decide(0, 2, "left")
    assert held(study)[-1] == ("métastase", "unspecified", ())
    assert found.chosen(0)[2] == "left"


def test_the_side_that_says_nothing_can_be_chosen(study: Study) -> None:
    found = adjudication(study)
    found.decide(0, 0, "right")
    assert found.chosen(0)[0] == "neither"
    found.decide(0, 0, "both")
    assert found.chosen(0)[0] == "left"


def test_a_decision_is_undone_as_one_act(study: Study) -> None:
    found = adjudication(study)
    for number in range(3):
        found.decide(0, number, "left")
    work = found.work(0)
    assert work.undo()
    assert (found.chosen(0), work.done) == (["left", "left", OPEN], False)
    work.undo()
    work.undo()
    assert (found.chosen(0), work.begun, held(study)) == ([OPEN] * 3, False, [])
    for _ in range(3):
        work.redo()
    assert (found.chosen(0), work.done) == (["left"] * 3, True)


def test_what_nobody_disputes_is_taken_over_once(study: Study) -> None:
    found = adjudication(study)
    assert found.take_undisputed() == 2
    assert held(study, NOTES[2]) == [("grade 3", "3", ())]
    assert [found.work(place).done for place in found.places] == [False, True, True]
    assert found.take_undisputed() == 0


def test_a_span_that_was_changed_since_is_open_again(study: Study) -> None:
    found = adjudication(study)
    for number in range(3):
        found.decide(0, number, "left")
    anne = open_annotations(study, "Anne")
    work = anne.note("N1", TEXT)
    grade = next(each for each in work.spans if each.attribute == "grade")
    t2 = next(each for each in work.spans if each.attribute == "t_category")
    work.put(replace(grade, value="1"), replace(t2, status=REJECTED))
    anne.close()
    again = adjudication(study)
    assert [(each.sides[0].text, chosen) for each, chosen in
            zip(again.compared(0).disputes, again.chosen(0), strict=True)] == [
        ("pT2", OPEN), ("N0", "left"), ("grade 2", OPEN), ("métastase", "left")]
    again.decide(0, 2, "left")
    again.decide(0, 0, "left")  # where the left one says nothing
    assert held(study) == [("N0", "N0", ()), ("grade 2", "1", ()), ("métastase", "unspecified", ())]


def test_agreement_is_of_the_finished_notes(study: Study) -> None:
    together = adjudication(study).agreement(draws=10)[0]
    assert (together.notes, together.first, together.second, together.overlapping, together.exact) == (3, 5, 4, 4, 2)


@pytest.mark.parametrize("number, choice, own", [(3, "left", False), (-1, "left", False), (0, "maybe", False),
                                                 (0, "own", False), (0, "left", True)])
def test_what_cannot_be_decided_changes_nothing(study: Study, number: int, choice: str, own: bool) -> None:
    found = adjudication(study)
    with pytest.raises(DataError, match="no such dispute or choice"):
        found.decide(0, number, choice, LEFT[0] if own else None)
    assert not found.work(0).begun


def test_statuses_are_those_that_the_stage_reads(study: Study) -> None:
    found = adjudication(study)
    found.decide(0, 1, "left")
    statuses = {each.text: each.status for each in found.work(0).spans}
    assert statuses == {"T2": ACCEPTED, "grade 2": ACCEPTED, "grade 2 ou 3": REJECTED}
