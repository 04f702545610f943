"""The facts of a study with what its annotators decided."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from medomicslab_nb.errors import StudyError
from medomicslab_nb.text.annotation_journal import read_journal
from medomicslab_nb.text.annotations import FOLDER, Annotations
from medomicslab_nb.text.decisions import decided
from medomicslab_nb.text.facts import Fact, NoteKey, fact_table
from medomicslab_nb.text.span import Span


def with_decisions(study: Any, notes: pd.DataFrame, facts: pd.DataFrame) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """The fact table in which decisions of annotators stand in place of what rules found; and what did not count.

    Parameters
    ----------
    study : TrackedStudy
        The journals are noted as read, and which there are: a run is stale when somebody has annotated since.
    notes : DataFrame
        Those that were read, with columns patient, note, date, language and text.
    facts : DataFrame
        The fact table, by rules alone.
    """
    works = _works(study.files(f"{FOLDER}/*.jsonl"))
    touched = {note for work in works.values() for note in work.notes}
    unread = _decided_elsewhere(works, touched - set(notes["note"]))
    if touched.isdisjoint(notes["note"]):
        return facts, _warnings(0, 0, unread)
    by_note = {name: _facts(rows) for name, rows in facts[facts["note"].isin(touched)].groupby(["patient", "note"])}
    texts = notes[notes["note"].isin(touched)].groupby("note")["text"].agg(list)
    outdated = sum(len(work.note(note, texts[note][0]).stale_beside(texts[note])) for work in works.values()
                   for note in work.notes if note in texts)
    rows, disputed = [], 0
    for key, text in _touched(notes, touched):
        spans: dict[str, list[Span]] = defaultdict(list)
        for name, work in works.items():
            spans[name] = work.note(key.note, text).spans
        merged, open_ones = decided(by_note.get((key.patient, key.note), []), spans)
        disputed += open_ones
        rows += [(key, fact) for fact in merged]
    table = pd.concat([facts[~facts["note"].isin(touched)], fact_table(rows)], ignore_index=True)
    places = pd.MultiIndex.from_frame(notes[["patient", "note"]]).get_indexer(
        pd.MultiIndex.from_frame(table[["patient", "note"]]))
    return table.iloc[places.argsort(kind="stable")].reset_index(drop=True), _warnings(disputed, outdated, unread)


def _works(journals: Sequence[Path]) -> dict[str, Annotations]:
    """Each annotator's work.

    Raises
    ------
    StudyError
        Two files are of one annotator: which of them counts is for the team to say.
    """
    works: dict[str, Annotations] = {}
    for name, actions in map(read_journal, journals):
        if name in works:
            raise StudyError("two files hold the work of one annotator", where=FOLDER,
                             todo="Move the copy out of the folder")
        if name:
            works[name] = Annotations(name, actions)
    return dict(sorted(works.items()))


def _decided_elsewhere(works: Mapping[str, Annotations], unread: Iterable[str]) -> int:
    """How many of the notes that are not read somebody has decided about."""
    return sum(any(work.note(note, "").stale for work in works.values()) for note in unread)


def _touched(notes: pd.DataFrame, touched: set[str]) -> list[tuple[NoteKey, str]]:
    own = notes[notes["note"].isin(touched)]
    return [(NoteKey(patient, note, date, language), text) for patient, note, date, language, text in
            own[["patient", "note", "date", "language", "text"]].itertuples(index=False, name=None)]


def _facts(rows: pd.DataFrame) -> list[Fact]:
    names = ("attribute", "start", "end", "text", "value", "unit", "qualifier", "context", "section", "rule",
             "rule_version")
    found = [Fact(*row) for row in rows[list(names)].itertuples(index=False, name=None)]
    return [replace(fact, context=tuple(filter(None, str(fact.context).split(";")))) for fact in found]


def _warnings(disputed: int, outdated: int, unread: int) -> tuple[str, ...]:
    words = []
    if disputed:
        words.append(f"{disputed} decisions of annotators are not shared by all who annotated the note and nobody has "
                     "adjudicated them: rules count there.")
    if outdated:
        words.append(f"{outdated} annotations belong to notes whose text has changed since: they do not count.")
    if unread:
        words.append(f"{unread} annotated notes are not among those that are read, or have another name there: what "
                     "was decided does not count.")
    return tuple(words)
