"""Which notes of a study are read, and what is said of the others."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import medomicslab_nb as ml
from medomicslab_nb.errors import DataError, StudyError
from medomicslab_nb.tables import Column
from medomicslab_nb.text.notes import study_notes
from medomicslab_nb.text.settings import TextSettings

FRENCH = "La patiente présente une tumeur du sein gauche, sans adénopathie à l'examen clinique."
ENGLISH = "The patient has a tumour of the left breast, without any palpable lymph nodes on examination."
GERMAN = "Die Patientin hat einen Tumor der linken Brust ohne tastbare Lymphknoten und wurde gestern operiert."


def study_of(folder: Path, rows: list[tuple[str | None, str, str | None]], **columns: list[str]) -> ml.Study:
    """A study with notes given as patient, date, text."""
    study = ml.create_study(folder / "study")
    frame = pd.DataFrame({"patient": [row[0] for row in rows], "date": pd.to_datetime([row[1] for row in rows]),
                          "text": [row[2] for row in rows], **columns})
    study.add_table("notes", frame, block="notes", level="visit", date_column="date",
                    columns={"date": Column(role="date", type="date"), "text": Column(role="ignore", type="text")})
    return study


def read(folder: Path, *rows: tuple[str | None, str, str | None], settings: TextSettings | None = None,
         **columns: list[str]) -> tuple[list[str], list[str], str]:
    """Status and language of each note, and the warnings as one text."""
    notes = study_notes(study_of(folder, list(rows), **columns), settings or TextSettings())
    return notes.table["status"].tolist(), notes.table["language"].tolist(), " ".join(notes.warnings)


def test_each_note_in_its_own_language(tmp_path: Path) -> None:
    status, language, warnings = read(tmp_path, ("P-1001", "2020-01-01", FRENCH), ("P-1002", "2020-01-01", ENGLISH))
    assert (status, language, warnings) == (["read", "read"], ["fr", "en"], "")


def test_bad_input_53_empty_note(tmp_path: Path) -> None:
    status, _, warnings = read(tmp_path, ("P-1001", "2020-01-01", " \n\t "), ("P-1001", "2020-01-01", None),
                               ("P-1002", "2020-01-01", FRENCH))
    assert status == ["empty", "empty", "read"] and "2 of 3 notes are empty" in warnings


def test_bad_input_55_another_language(tmp_path: Path) -> None:
    status, _, warnings = read(tmp_path, ("P-1001", "2020-01-01", GERMAN), ("P-1002", "2020-01-01", FRENCH))
    assert status == ["neither French nor English", "read"] and "1 of 2 notes are in neither" in warnings


def test_bad_input_55_the_row_says_the_wrong_language(tmp_path: Path) -> None:
    _, language, warnings = read(tmp_path, ("P-1001", "2020-01-01", FRENCH), ("P-1002", "2020-01-01", ENGLISH),
                                 language=["en", "en"])
    assert language == ["fr", "en"] and "1 of 2 notes are in another language than their row says" in warnings


def test_bad_input_55_mixed_note_goes_by_its_row(tmp_path: Path) -> None:
    mixed = f"{FRENCH} {ENGLISH} {FRENCH} {ENGLISH}"
    _, language, _ = read(tmp_path, ("P-1001", "2020-01-01", mixed), language=["en"])
    assert language == ["en"]


def test_a_few_words_go_by_their_row(tmp_path: Path) -> None:
    status, language, _ = read(tmp_path, ("P-1001", "2020-01-01", "ECOG 1, T2N0M0"), ("P-1002", "2020-01-01", FRENCH),
                               language=["en", "fr"])
    assert status == ["read", "read"] and language == ["en", "fr"]


def test_settings_name_the_language(tmp_path: Path) -> None:
    _, language, _ = read(tmp_path, ("P-1001", "2020-01-01", ENGLISH), settings=TextSettings(language="fr"))
    assert language == ["fr"]


def test_bad_input_57_same_note_twice(tmp_path: Path) -> None:
    status, _, warnings = read(tmp_path, ("P-1001", "2020-01-01", FRENCH), ("P-1001", "2020-01-01", FRENCH + " \r\n"),
                               ("P-1001", "2020-02-01", FRENCH))
    assert status == ["read", "the same note again", "read"] and "1 of 3 notes stand there twice" in warnings


def test_bad_input_57_same_text_of_two_patients_is_read_and_told(tmp_path: Path) -> None:
    status, _, warnings = read(tmp_path, ("P-1001", "2020-01-01", FRENCH), ("P-1002", "2020-01-01", FRENCH))
    assert status == ["read", "read"] and "1 texts stand there for several patients" in warnings


def test_bad_input_58_note_without_patient(tmp_path: Path) -> None:
    status, _, warnings = read(tmp_path, (" ", "2020-01-01", FRENCH), ("P-1002", "2020-01-01", ENGLISH))
    assert status == ["no patient", "read"] and "1 of 2 notes name no patient" in warnings


def test_bad_input_58_note_without_any_identifier_is_refused_at_the_door(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="1 identifiers are missing"):
        study_of(tmp_path, [(None, "2020-01-01", FRENCH), ("P-1002", "2020-01-01", ENGLISH)])


def test_nothing_to_read_is_an_error_that_counts(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="none of 2 notes can be read: 1 empty, 1 neither French nor English"):
        read(tmp_path, ("P-1001", "2020-01-01", ""), ("P-1001", "2020-01-02", GERMAN))


def test_one_name_for_two_notes_is_refused_without_naming_the_patient(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="1 times several notes of one patient have the same name") as caught:
        read(tmp_path, ("P-1001", "2020-01-01", FRENCH), ("P-1001", "2020-01-02", ENGLISH), note=["a", "a"])
    assert "P-1001" not in str(caught.value)


def test_bad_input_57_same_note_twice_under_one_name(tmp_path: Path) -> None:
    status, _, _ = read(tmp_path, ("P-1001", "2020-01-01", FRENCH), ("P-1001", "2020-01-01", FRENCH + " \n"),
                        note=["a", "a"])
    assert status == ["read", "the same note again"]


def test_one_name_for_one_text_of_two_days_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="1 times several notes of one patient have the same name"):
        read(tmp_path, ("P-1001", "2020-01-01", FRENCH), ("P-1001", "2020-01-02", FRENCH), note=["a", "a"])


def test_unnamed_notes_are_numbered_within_the_patient(tmp_path: Path) -> None:
    study = study_of(tmp_path, [("P-1001", "2020-01-01", FRENCH), ("P-1002", "2020-01-01", FRENCH),
                                ("P-1001", "2020-01-02", ENGLISH)])
    assert study_notes(study, TextSettings()).table["note"].tolist() == ["P-1001-1", "P-1002-1", "P-1001-2"]


@pytest.mark.parametrize(("name", "column"), [("text", "texte"), ("text", "Text")])
def test_missing_column_is_named(tmp_path: Path, name: str, column: str) -> None:
    study = study_of(tmp_path, [("P-1001", "2020-01-01", FRENCH)])
    with pytest.raises(DataError, match=f"there is no column '{column}'"):
        study_notes(study, TextSettings(**{name: column}))  # type: ignore[arg-type]


def test_undated_notes_are_told(tmp_path: Path) -> None:
    study = ml.create_study(tmp_path / "study")
    study.add_table("notes", pd.DataFrame({"patient": ["P-1001"], "text": [FRENCH]}), block="notes", level="visit")
    notes = study_notes(study, TextSettings())
    assert notes.table["date"].tolist() == [""] and "1 of 1 notes have no date" in " ".join(notes.warnings)
