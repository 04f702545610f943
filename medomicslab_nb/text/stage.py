"""The text stage: from the study's notes to facts, to one row a patient, and to predictors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from medomicslab_nb.errors import DataError, SettingsError
from medomicslab_nb.evaluation.dates import index_dates
from medomicslab_nb.parallel import map_cases, require_all
from medomicslab_nb.stages import StageResult
from medomicslab_nb.text.attributes import attributes, get_attribute
from medomicslab_nb.text.chunk import NOTES, Chunk, read_chunk
from medomicslab_nb.text.coverage import coverage
from medomicslab_nb.text.deidentified_notes import deidentified_notes, notice, read_key_of
from medomicslab_nb.text.facts import NoteKey
from medomicslab_nb.text.folding import fold
from medomicslab_nb.text.lexicon import Term, read_terms
from medomicslab_nb.text.notes import Notes, study_notes
from medomicslab_nb.text.patient_table import patient_facts, text_features
from medomicslab_nb.text.reviewed import with_decisions
from medomicslab_nb.text.rules.dates import AMBIGUOUS
from medomicslab_nb.text.settings import TextSettings

_DAY_FIRST = {"ask": None, "yes": True, "no": False}


def run(study: Any, settings: TextSettings, progress: Any) -> StageResult:
    """Read the notes.

    Returns
    -------
    StageResult
        Tables ``facts`` (one row a mention), ``patient_facts`` (one row a patient and attribute), ``text_features``
        (one row a patient: the block of predictors), ``attributes`` (counts, one row an attribute), ``notes_read``
        (one row a note), and where it is asked for ``notes_deidentified`` and ``replacements``.

    Raises
    ------
    DataError
        The table of notes cannot be used, or a window is asked for without index dates.
    SettingsError
        An attribute or own term that cannot be.
    """
    terms = _terms(study, settings)
    notes = study_notes(study, settings)
    facts, disputes = _facts(study, settings, notes, terms, progress)
    _check_policies(settings, {term.attribute for term in terms} | set(facts["attribute"]))
    counted, more = _in_window(study, settings, facts)
    patients = list(dict.fromkeys(notes.read["patient"]))
    per_patient = patient_facts(counted, patients, settings.policies)
    features = text_features(per_patient, minimum_patients=settings.minimum_patients,
                             id_column=study.id_column)
    named = {"patient": study.id_column}
    known = coverage(facts, per_patient)
    tables = {"text_features": features, "patient_facts": per_patient, "facts": facts, "attributes": known,
              "notes_read": _notes_read(notes, facts)}
    copies: tuple[str, ...] = ()
    if settings.deidentify:
        made = deidentified_notes(study, notes.read, read_key_of(study, settings.deidentify),
                                  month_first=settings.day_first == "no", progress=progress)
        copies = (notice(made["replacements"]),)
        tables |= made
    tables = {name: table.rename(columns=named) for name, table in tables.items()}
    return StageResult(tables, _metrics(notes, facts, known, features),
                       warnings=(*copies, *notes.warnings, *disputes, *more, *_unread_dates(facts)))


def _terms(study: Any, settings: TextSettings) -> tuple[Term, ...]:
    """The team's own terms, from the settings and from their list."""
    for name in settings.attributes:
        get_attribute(name)
    terms = [Term(attribute, attribute, text) for attribute, texts in settings.terms.items() for text in texts]
    if settings.term_list:
        terms += read_terms(Path(study.file(settings.term_list)))
    taken = sorted({term.attribute for term in terms} & set(attributes()) & set(settings.terms))
    if taken:
        raise SettingsError(f"own terms are called '{taken[0]}', which is an attribute of the catalogue", where="terms",
                            todo="Give them another name; a term list may add wordings to an attribute")
    _refuse_terms_never_found(terms)
    return tuple(terms)


def _refuse_terms_never_found(terms: Sequence[Term]) -> None:
    """Of two terms of one wording only the first is found; one without a letter or digit never is."""
    meanings: dict[tuple[str, str], tuple[str, str]] = {}
    for term in terms:
        words = fold(term.text).folded
        if not any(map(str.isalnum, words)):
            raise SettingsError(f"a term of '{term.attribute}' has no letter or digit", where="terms",
                                todo="Write it out, or take it out")
        meaning = term.attribute, term.value
        other = meanings.setdefault((words, term.language), meaning)
        if other != meaning:
            raise SettingsError(f"one wording is a term of '{other[0]}' and of '{term.attribute}'", where="terms",
                                todo="Keep it once: it can have one meaning")


def _check_policies(settings: TextSettings, own: set[str]) -> None:
    """A policy of an attribute that does not exist would change nothing, in silence."""
    for name in settings.policies:
        if name not in own:
            get_attribute(name)


def _facts(study: Any, settings: TextSettings, notes: Notes, terms: tuple[Term, ...],
           progress: Any) -> tuple[pd.DataFrame, tuple[str, ...]]:
    chunks = {f"notes {start + 1} to {start + len(chunk.keys)}": chunk
              for start, chunk in _chunks(notes.read, settings, terms)}
    results = map_cases(read_chunk, chunks, cache=study.cache("text"), jobs=settings.jobs, cluster=settings.cluster,
                        keys={name: chunk.cache_key() for name, chunk in chunks.items()}, progress=progress,
                        label="reading notes")
    found = require_all(results, "notes")
    facts = pd.concat([tables["facts"] for tables in found.values()], ignore_index=True)
    return with_decisions(study, notes.read, facts) if settings.annotations else (facts, ())


def _chunks(read: pd.DataFrame, settings: TextSettings, terms: tuple[Term, ...]) -> Iterator[tuple[int, Chunk]]:
    wanted = frozenset(settings.attributes) | (frozenset(term.attribute for term in terms) if settings.attributes
                                               else frozenset())
    for start in range(0, len(read), NOTES):
        rows = read.iloc[start:start + NOTES]
        keys = tuple(NoteKey(*row) for row in rows[["patient", "note", "date", "language"]].itertuples(index=False))
        yield start, Chunk(keys, tuple(rows["text"]), wanted, terms, _DAY_FIRST[settings.day_first])


def _in_window(study: Any, settings: TextSettings, facts: pd.DataFrame) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """The facts that may predict: of notes in the window, or up to the index date where there is one."""
    dates = index_dates(study)
    if dates is None:
        if settings.window is not None:
            raise DataError("the study has no index dates, from which the window counts", where="setting window",
                            todo="Name the column of index dates in the data dictionary, or leave the window out")
        return facts, ("The study has no index date: notes of any date count for the patient table, which must not "
                       "predict what some of them already tell.",)
    reference = facts["patient"].map(dates.dt.normalize())
    days = (pd.to_datetime(facts["date"].where(facts["date"] != "")) - reference).dt.days
    lower, upper = settings.window or (float("-inf"), 0.0)
    inside = days.between(lower, upper)
    undated = facts["date"] == ""
    if settings.window is None:
        inside |= undated
    outside = "after the index date" if settings.window is None else "outside of the window"
    counts = {f"stand in notes {outside} and do not predict": ~inside & days.notna(),
              "do not predict: the date of the note or the patient's index date is missing": ~inside & days.isna(),
              "stand in notes without a date and predict all the same: a window leaves them out": inside & undated}
    return facts[inside], tuple(f"{int(which.sum())} of {len(facts)} facts {words}."
                                for words, which in counts.items() if which.any())


def _unread_dates(facts: pd.DataFrame) -> tuple[str, ...]:
    count = int((facts["qualifier"] == AMBIGUOUS).sum())
    return (f"{count} dates may be day or month first and were not read: the setting 'day_first' says how.",) \
        if count else ()


def _notes_read(notes: Notes, facts: pd.DataFrame) -> pd.DataFrame:
    """One row a note: whether it was read, how long it is, how many facts stand in it."""
    counts = facts.groupby(["patient", "note"]).size().rename("facts")
    words = [len(text.split()) for text in notes.table["text"]]
    table = notes.table.assign(words=words).drop(columns="text")
    table = table.merge(counts.reset_index(), on=["patient", "note"], how="left")
    table["facts"] = table["facts"].where(table["status"] == "read", 0).fillna(0).astype("int64")
    return table


def _metrics(notes: Notes, facts: pd.DataFrame, known: pd.DataFrame, features: pd.DataFrame) -> Mapping[str, Any]:
    live = facts[facts["status"] != "rejected"]
    return {"notes": len(notes.table), "notes_read": len(notes.read), "patients": int(notes.read["patient"].nunique()),
            "facts": len(live), "facts_negated": int(live["context"].str.contains("negated").sum()),
            "facts_reviewed": int((facts["status"] != "suggested").sum()),
            "conflicts": int(known["conflicts"].sum()), "attributes": len(known),
            "predictors": features.shape[1] - 1}
