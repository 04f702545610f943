"""Decisions of annotators in the fact table of a study, where notes of several patients have one name."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import medomicslab_nb as ml
from medomicslab_nb.errors import StudyError
from medomicslab_nb.inputs import TrackedStudy
from medomicslab_nb.text.annotations import open_annotations
from medomicslab_nb.text.facts import COLUMNS, Fact, NoteKey, fact_table
from medomicslab_nb.text.reviewed import with_decisions
from medomicslab_nb.text.span import Span

TEXT = {("P-1", "1"): "grade 1", ("P-1", "2"): "grade 2", ("P-2", "2"): "grade 3", ("P-2", "1"): "grade 4"}
NOTES = pd.DataFrame([(*key, "", "fr", text) for key, text in TEXT.items()],
                     columns=["patient", "note", "date", "language", "text"])
FACTS = fact_table((NoteKey(*key, "", "fr"), Fact("grade", 0, 7, text, text[-1])) for key, text in TEXT.items())


def annotated(folder: Path, text: str) -> TrackedStudy:
    """A study of which one annotator has decided about a note called 1."""
    study = ml.create_study(folder / "study")
    mine = open_annotations(study, "Anne")
    mine.note("1", text).put(Span.of(text, "grade", 0, len(text), value="9"))
    mine.close()
    return TrackedStudy(study.path)


def test_notes_keep_their_order_where_two_patients_have_notes_of_one_name(tmp_path: Path) -> None:
    facts, warnings = with_decisions(annotated(tmp_path, "grade 1"), NOTES, FACTS)
    assert list(facts[["patient", "note"]].itertuples(index=False, name=None)) == list(TEXT)
    assert facts["value"].tolist() == ["9", "2", "3", "4"]
    assert list(facts.columns) == list(COLUMNS) and (facts.dtypes == FACTS.dtypes).all()
    assert warnings == (), "a note of another patient is no earlier text of this one"


def test_decisions_on_an_earlier_text_are_told(tmp_path: Path) -> None:
    facts, warnings = with_decisions(annotated(tmp_path, "grade 1 (earlier text)"), NOTES, FACTS)
    assert facts["value"].tolist() == ["1", "2", "3", "4"]
    assert [warning[:13] for warning in warnings] == ["1 annotations"]


@pytest.mark.parametrize("read", [NOTES[NOTES["note"] == "2"], NOTES.assign(note="3")])
def test_decisions_on_notes_that_are_not_read_are_told(tmp_path: Path, read: pd.DataFrame) -> None:
    _, warnings = with_decisions(annotated(tmp_path, "grade 1"), read, FACTS[FACTS["note"] == "2"])
    assert [warning[:17] for warning in warnings] == ["1 annotated notes"]


def test_a_copy_of_a_journal_is_no_second_annotator(tmp_path: Path) -> None:
    study = annotated(tmp_path, "grade 1")
    folder = study.path / "notes" / "annotations"
    (folder / "copy.jsonl").write_bytes((folder / "anne.jsonl").read_bytes())
    with pytest.raises(StudyError, match="two files hold the work of one annotator"):
        with_decisions(study, NOTES, FACTS)
