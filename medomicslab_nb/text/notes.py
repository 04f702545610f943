"""The notes of a study: which are read, in which language, and which are not, and why."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import numpy as np
import pandas as pd

from medomicslab_nb.errors import DataError
from medomicslab_nb.text.language import detect_language
from medomicslab_nb.text.settings import TextSettings

READ, EMPTY, REPEATED, NO_PATIENT, OTHER_LANGUAGE = ("read", "empty", "the same note again", "no patient",
                                                     "neither French nor English")
COLUMNS = ("patient", "note", "date", "language", "text", "status")


@dataclass(frozen=True)
class Notes:
    """Every row of the table of notes.

    Attributes
    ----------
    table : DataFrame
        :data:`COLUMNS`, in the order of the table; date as YYYY-MM-DD or empty; status is :data:`READ` or why not.
    warnings : tuple of str
    """

    table: pd.DataFrame
    warnings: tuple[str, ...]

    @property
    def read(self) -> pd.DataFrame:
        """Those that are read."""
        return self.table[self.table["status"] == READ]


def study_notes(study: Any, settings: TextSettings) -> Notes:
    """The notes that the settings name, each with its status.

    A note that stands there twice for one patient (same text, same date) is read once. A text that stands there for
    several patients is read for each of them, and counted in the warnings: it may be a copy, or filed wrongly.

    Raises
    ------
    DataError
        The table lacks the column of texts or the patient's identifier, two notes of a patient have one name, or none
        can be read.
    """
    where = f"table {settings.notes}"
    table = plain_notes(study, settings.notes, text=settings.text, note=settings.note)
    _refuse_one_name(table, where)
    table["status"] = _status(table)
    languages = [_language(text, declared, settings.language) if status == READ else declared
                 for text, declared, status in zip(table["text"], table["language"], table["status"], strict=True)]
    corrected = sum(bool(declared) and declared in ("fr", "en") and found not in ("", declared)
                    for declared, found in zip(table["language"], languages, strict=True))
    table["language"] = languages
    table.loc[(table["language"] == "") & (table["status"] == READ), "status"] = OTHER_LANGUAGE
    if not (table["status"] == READ).any():
        raise DataError(f"none of {len(table)} notes can be read: " + ", ".join(
            f"{count} {status}" for status, count in Counter(table["status"]).items()), where=where,
            todo="Check the table and its columns")
    return Notes(table[list(COLUMNS)], _warnings(table, corrected))


def plain_notes(study: Any, name: str, *, text: str = "text", note: str = "note") -> pd.DataFrame:
    """Every note of a table as text in the columns patient, text, note, date and language; a missing value is empty.

    Notes without a name are numbered within their patient, the same way for the stage and for annotators.

    Raises
    ------
    DataError
        The table lacks the column of texts or the patient's identifier.
    """
    frame, where = study.table(name), f"table {name}"
    if frame.index.name != study.id_column:
        raise DataError(f"the table has no column '{study.id_column}'", where=where,
                        todo="Add the notes with the patient's identifier in a column of that name")
    if text not in frame.columns:
        raise DataError(f"there is no column '{text}'", where=where,
                        todo=f"Name the column of texts in the setting 'text'; there are: {', '.join(frame.columns)}")
    return _plain(frame, study.info(name).date_column, text, note)


def _plain(frame: pd.DataFrame, date_column: str | None, text: str, note: str) -> pd.DataFrame:
    own = pd.Series(frame.index, dtype=object)
    table = pd.DataFrame({"patient": own.map(lambda value: "" if pd.isna(value) else str(value).strip())})
    table["text"] = _text_of(frame, text)
    table["note"] = _text_of(frame, note) if note in frame.columns else ""
    numbers = (table.groupby("patient").cumcount() + 1).astype(str)
    table["note"] = table["note"].where(table["note"] != "", table["patient"] + "-" + numbers)
    column = date_column or ("date" if "date" in frame.columns else None)
    table["date"] = _dates(frame[column]) if column is not None else ""
    declared = _text_of(frame, "language") if "language" in frame.columns else pd.Series("", index=table.index)
    table["language"] = declared.str.lower().str[:2]
    return table.astype("str")


def _text_of(frame: pd.DataFrame, name: str) -> pd.Series:
    values = frame[name].reset_index(drop=True).astype(object)
    return values.map(lambda value: "" if pd.isna(value) else str(value)).astype("str")


def _dates(values: pd.Series) -> pd.Series:
    """Days as YYYY-MM-DD; text is taken when it is written so, anything else is unknown rather than guessed."""
    if pd.api.types.is_datetime64_any_dtype(values):
        found = values
    else:
        found = pd.to_datetime(values.astype("str").str[:10], format="%Y-%m-%d", errors="coerce")
    days: pd.Series = found.dt.strftime("%Y-%m-%d").fillna("").reset_index(drop=True).astype("str")
    return days


def _refuse_one_name(table: pd.DataFrame, where: str) -> None:
    """Notes of one patient with one name and different texts or dates cannot be told apart afterwards."""
    notes = table.assign(text=table["text"].str.strip())[["patient", "note", "date", "text"]].drop_duplicates()
    several = int((notes[notes["patient"] != ""].groupby(["patient", "note"]).size() > 1).sum())
    if several:
        raise DataError(f"{several} times several notes of one patient have the same name", where=where,
                        todo="Give each note a name of its own in the column of the setting 'note'")


def _status(table: pd.DataFrame) -> np.ndarray:
    text = table["text"].str.strip()
    again = table.assign(text=text).duplicated(["patient", "date", "text"])
    return np.select([table["patient"] == "", text == "", again], [NO_PATIENT, EMPTY, REPEATED], READ)


def _language(text: str, declared: str, wanted: str) -> str:
    """The language in which a note is read: that of the settings, else what its words say, else what is declared."""
    if wanted != "auto":
        return wanted
    found = detect_language(text)
    if found.code:
        return found.code if not found.mixed or declared not in ("fr", "en") else declared
    return declared if declared in ("fr", "en") and len(text.split()) < 30 else ""


def _warnings(table: pd.DataFrame, corrected: int) -> tuple[str, ...]:
    counts = Counter(table["status"])
    words = []
    reasons = {NO_PATIENT: "name no patient", EMPTY: "are empty", REPEATED: "stand there twice and are read once",
               OTHER_LANGUAGE: "are in neither French nor English, or too short to tell (the setting 'language' reads "
                               "all of them in one)"}
    words += [f"{counts[status]} of {len(table)} notes {reason}."
              for status, reason in reasons.items() if counts[status]]
    if corrected:
        words.append(f"{corrected} of {len(table)} notes are in another language than their row says; "
                     "their words count.")
    read = table[table["status"] == READ]
    shared = read.groupby(read["text"].map(lambda text: sha256(text.encode()).hexdigest()))["patient"].nunique()
    if (shared > 1).any():
        words.append(f"{int((shared > 1).sum())} texts stand there for several patients: a copy, or filed wrongly.")
    undated = int((read["date"] == "").sum())
    if undated:
        words.append(f"{undated} of {len(read)} notes have no date: they count as earlier than the dated ones.")
    return tuple(words)
