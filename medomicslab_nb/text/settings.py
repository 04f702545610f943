"""Settings of the text stage."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, field_validator

from medomicslab_nb.settings import Advanced, Execution, Settings, StudyPath, Unit

Policy = Literal["last", "first", "max", "min", "any"]


class TextSettings(Settings):
    """What is read from clinical notes, and how it becomes one row a patient."""

    stage: ClassVar[str] = "text"

    notes: str = "notes"
    """Table of the notes: one row a note, with a column of texts and the patient's identifier."""
    text: Annotated[str, Advanced()] = "text"
    """Column of that table that holds the texts."""
    note: Annotated[str, Advanced()] = "note"
    """Column that names each note; where there is none, notes are numbered within each patient."""
    language: Literal["auto", "fr", "en"] = "auto"
    """Language of the notes; auto: each note's own, by its words."""
    attributes: tuple[str, ...] = ()
    """What is read; empty: everything that the catalogue of attributes lists."""
    terms: Annotated[dict[str, tuple[str, ...]], Advanced()] = {}
    """Own terms by the name of what they say, e.g. {emboli: [embolies vasculaires, LVI]}; they are found in both
    languages, whatever the case, accents and plural."""
    term_list: Annotated[str, StudyPath(), Advanced()] = ""
    """CSV file with more of them: columns attribute, value and text, and optionally language and qualifier."""
    day_first: Annotated[Literal["ask", "yes", "no"], Advanced()] = "ask"
    """How 03/04/2021 is read in an English note; ask: such a date is not read, and counted. French is day first."""
    policies: Annotated[dict[str, Policy], Advanced()] = {}
    """How the mentions of a patient become one value, by attribute; otherwise as the catalogue says."""
    window: Annotated[tuple[float, float] | None, Unit("days"), Advanced()] = None
    """Notes that count for the patient table, in days from the index date; empty: up to the index date where there is
    one, otherwise all."""
    minimum_patients: Annotated[int, Field(ge=1), Advanced()] = 5
    """Patients of whom something must be known for it to become a predictor."""
    annotations: bool = True
    """Use what annotators of the study decided, in place of what rules found at the same place."""
    deidentify: Annotated[str, StudyPath(), Advanced()] = ""
    """Key file outside of the study (medomicslab key), with which copies of the notes are made whose identifiers are
    replaced: an aid, which a person must review; empty: no copies."""
    jobs: Annotated[int, Field(ge=0), Execution(), Advanced()] = 0
    """Processes at once; 0: one per core."""
    cluster: Annotated[str, Execution(), Advanced()] = ""
    """Address of a Dask scheduler, e.g. tcp://127.0.0.1:8786; empty: this machine."""

    @field_validator("window")
    @classmethod
    def _ordered(cls, value: tuple[float, float] | None) -> tuple[float, float] | None:
        if value is not None and value[0] > value[1]:
            raise ValueError("the window must begin before it ends")
        return value
