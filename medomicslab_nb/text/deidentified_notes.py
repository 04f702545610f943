"""Copies of a study's notes in which identifiers are replaced: an aid, which a person must review."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from medomicslab_nb.errors import DataError
from medomicslab_nb.pseudonyms import Key, is_bound, read_key
from medomicslab_nb.text.annotations import IDENTIFIERS, Annotations, annotators, read_annotations
from medomicslab_nb.text.identifiers.deidentifying import NOTICE, Deidentified, deidentify
from medomicslab_nb.text.identifiers.finding import find_identifiers
from medomicslab_nb.text.identifiers.known import KnownIdentifiers
from medomicslab_nb.text.identifiers.review import settled
from medomicslab_nb.text.identifiers.surrogates import Surrogates
from medomicslab_nb.text.note import Note


@dataclass(frozen=True)
class _Unmoved:
    """A key whose dates stay: a study with pseudonyms had them moved when its notes were added."""

    key: Key

    @property
    def secret(self) -> bytes:
        return self.key.secret

    def shift_days(self, _patient: str) -> int:
        return 0


def deidentified_notes(study: Any, notes: pd.DataFrame, key: Key, *, month_first: bool,
                       progress: Any) -> dict[str, pd.DataFrame]:
    """De-identified copies.

    Parameters
    ----------
    study : Study
        Its patients' identifiers are looked for in every note, whoever's it is.
    notes : DataFrame
        Those that were read: patient, note, date, language, text.
    month_first : bool
        Whether 03/04/2021 is the fourth of March in an English note; French is day first.
    key : Key
        From which surrogates and the days that dates move are computed; of a study with pseudonyms, dates moved when
        its tables were added and stay here.

    Returns
    -------
    dict
        ``notes_deidentified`` (patient, note, date, language, text; the patient under the pseudonym that the key gives,
        notes numbered within the patient) and ``replacements`` (patient, note, kind, rule, start, end, new_start,
        new_end: where something was replaced, never what; for those who review, with the study's own names).
    """
    bound = is_bound(study.path)
    moved = _Unmoved(key) if bound else key
    surrogates = {"fr": Surrogates(moved), "en": Surrogates(moved, month_first)}
    known = KnownIdentifiers.of(study.identifiers())
    reviews = _reviews(study)
    numbers: Counter[str] = Counter()
    copies, replacements = [], []
    columns = notes[["patient", "note", "date", "language", "text"]]
    with progress.task("de-identifying notes", total=len(columns)) as step:
        for patient, note, date, language, text in columns.itertuples(index=False, name=None):
            of_patient = surrogates[language].of(patient, language)
            found = find_identifiers(Note(text, language), known)
            spans = [span for review in reviews for span in review.note(note, text).spans]
            made = deidentify(text, language, of_patient, known, settled(text, found, spans))
            pseudonym = patient if bound else key.pseudonym(patient)
            numbers[pseudonym] += 1
            name = f"{pseudonym}-{numbers[pseudonym]}"  # a note's own name may be a number of the hospital's
            copies.append((pseudonym, name, of_patient.replacement("date", date) if date else "", language, made.text))
            replacements += [(patient, note, *place) for place in _places(made)]
            step()
    names = ["patient", "note", "kind", "rule", "start", "end", "new_start", "new_end"]
    whole = dict.fromkeys(names[4:], "int64")
    return {"notes_deidentified": pd.DataFrame(copies, columns=["patient", "note", "date", "language", "text"],
                                               dtype="str"),
            "replacements": pd.DataFrame(replacements, columns=names).astype(
                {name: whole.get(name, "str") for name in names})}


def _reviews(study: Any) -> list[Annotations]:
    """What every reviewer decided; the journals are noted as read."""
    for path in sorted((study.path / IDENTIFIERS).glob("*.jsonl")):
        study.file(str(path.relative_to(study.path)))
    return [read_annotations(study, name, IDENTIFIERS) for name in annotators(study, IDENTIFIERS)]


def _places(made: Deidentified) -> list[tuple[str, str, int, int, int, int]]:
    return [(one.kind, one.rule, one.start, one.end, one.new_start, one.new_end) for one in made.replaced]


def notice(replacements: pd.DataFrame) -> str:
    """What must be said beside the copies."""
    kinds = ", ".join(f"{count} {kind}" for kind, count in replacements["kind"].value_counts().sort_index().items())
    return f"{NOTICE} Replaced: {kinds or 'nothing'}."


def read_key_of(study: Any, path: str) -> Key:
    """The key in a file that the settings name.

    Raises
    ------
    DataError
        There is no such file, or it is no key.
    ProtectionError
        It lies inside a study.
    """
    full = study.path / Path(path).expanduser()
    if not full.is_file():
        raise DataError("the key file is missing", where="setting deidentify",
                        todo="Make one with: medomicslab key PATH, outside of the study")
    return read_key(full)
