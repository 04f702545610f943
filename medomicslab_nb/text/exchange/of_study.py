"""Annotations out of a study, and into it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from medomicslab_nb.text.annotation_desk import NoteText
from medomicslab_nb.text.annotations import Annotations
from medomicslab_nb.text.exchange.annotated_note import AnnotatedNote, steady_id
from medomicslab_nb.text.exchange.refusing import refused
from medomicslab_nb.text.note_work import NoteWork, sha256_of_text
from medomicslab_nb.text.span import SUGGESTED


def annotated_notes(annotations: Annotations, notes: Iterable[NoteText]) -> list[AnnotatedNote]:
    """An annotator's answers on the notes that they have worked on; suggestions without an answer are left out."""
    return [_exported(annotations, note) for note in notes if annotations.note(note.note, note.text).begun]


def take_in(annotations: Annotations, read: Iterable[AnnotatedNote], notes: Sequence[NoteText]) -> int:
    """Put imported annotations into an annotator's journal, on the study's notes; the number of new spans.

    Everything is checked before the first is stored. An answer of the annotator that has the identifier of an imported
    span, or says the same of the same characters, stays as it is, so that importing the same file again adds nothing,
    in any form. Each note is one act, which can be undone.

    Raises
    ------
    DataError
        The study has not all of the notes, or has them with other texts.
    StudyError
        It cannot be stored.
    """
    placed = [_placed(each, notes) for each in read]
    return sum(_take(annotations.note(each.note, each.text or ""), each) for each in placed)


def _exported(annotations: Annotations, note: NoteText) -> AnnotatedNote:
    work = annotations.note(note.note, note.text)
    spans = [span for span in work.spans if span.status != SUGGESTED]
    kept = {span.id for span in spans}
    relations = [each for each in work.relations if {each.source, each.target} <= kept]
    return AnnotatedNote.of(note.note, note.text, spans, relations, done=work.done,
                            annotator=annotations.annotator, language=note.language)


def _placed(read: AnnotatedNote, notes: Sequence[NoteText]) -> AnnotatedNote:
    """On the text of the study; where one identifier has several texts, on the one that was annotated."""
    texts = [note.text for note in notes if note.note == read.note]
    if not texts:
        raise refused("a note is not in this study")
    same = [text for text in texts if sha256_of_text(text) == read.sha256]
    return read.with_text((same or texts)[0])


def _take(work: NoteWork, read: AnnotatedNote) -> int:
    answered = [span for span in work.spans if span.status != SUGGESTED]
    known = {steady_id(span): span.id for span in answered} | {span.id: span.id for span in answered}
    # Some forms do not hold identifiers: a span that says the same of the same characters is the one that is there.
    there = {span.id: known.get(span.id) or known.get(steady_id(span)) for span in read.spans}
    new = [replace(span, time="") for span in read.spans if not there[span.id]]
    if new:
        work.put(*new)
    for each in read.relations:
        work.relate(each.kind, there[each.source] or each.source, there[each.target] or each.target)
    if read.done:
        work.mark_done(done=True)
    return len(new)
