"""The desk of one annotator: the study's notes, which of them are shown, what rules suggest, what is done.

It holds no widget: a notebook's view, a test and a script use it alike.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from medomicslab_nb.study import Study
from medomicslab_nb.text.annotations import Annotations
from medomicslab_nb.text.note_search import pattern_of
from medomicslab_nb.text.note_work import NoteWork
from medomicslab_nb.text.notes import plain_notes
from medomicslab_nb.text.span import SUGGESTED, Span

TABLE = "notes"

Suggest = Callable[[str, str], Iterable[Any]]
"""What rules or a model find in a text of a language: objects with the attributes of a span, e.g. facts."""
Doubt = Callable[[str, Sequence[Span]], float]
"""How unsure the suggestions of a note's text are that have no answer yet; 0: nothing to decide."""


@dataclass(frozen=True)
class NoteText:
    """A note as it stands in the study."""

    note: str
    text: str
    date: str = ""
    language: str = ""


@dataclass(frozen=True)
class Filter:
    """Which notes are listed; what is empty does not matter. Words are found in any case and with any accents."""

    words: str = ""
    attribute: str = ""
    status: str = ""
    context: str = ""
    language: str = ""
    open_only: bool = False

    @cached_property
    def of_spans(self) -> bool:
        """Whether it looks at what is said of a note."""
        return bool(self.attribute or self.status or self.context)

    def fits(self, span: Span) -> bool:
        """Whether a span is one of those that are looked for."""
        return (self.attribute in ("", span.attribute) and self.status in ("", span.status)
                and (not self.context or self.context in span.context))


def said_uncertain(_: str, spans: Sequence[Span]) -> float:
    """How many suggestions the note itself calls uncertain: what there is to go by without a model."""
    return sum("uncertain" in span.context for span in spans)


@dataclass(frozen=True)
class Standing:
    """How far a note is."""

    done: bool = False
    begun: bool = False
    answered: int = 0
    suggested: int = 0


class Desk:
    """Notes, an annotator's work on them, and suggestions.

    Parameters
    ----------
    annotations : Annotations
        Open for writing, or only read.
    notes : sequence of NoteText
    suggest : callable
        See :data:`Suggest`; it is asked when a note is opened or looked through.
    doubt : callable
        See :data:`Doubt`.
    """

    def __init__(self, annotations: Annotations, notes: Sequence[NoteText], suggest: Suggest,
                 doubt: Doubt = said_uncertain) -> None:
        self.annotations, self.notes = annotations, notes
        self._suggest, self._doubt = suggest, doubt
        self._works: dict[int, NoteWork] = {}
        self._standing: dict[int, Standing] = {}
        self._looked: dict[int, list[Span]] = {}
        known = set(annotations.notes)
        for place, note in enumerate(notes):
            if note.note in known:
                self.changed(place)

    def work(self, place: int) -> NoteWork:
        """The annotator's work on the note of that number."""
        if place not in self._works:
            note = self.notes[place]
            self._works[place] = self.annotations.note(note.note, note.text)
        return self._works[place]

    def open(self, place: int) -> NoteWork:
        """The work on a note, with what is suggested for it now.

        A finished note keeps the suggestions that it was finished with.
        """
        work = self.work(place)
        if not work.done and self.annotations.writable:
            work.suggest(self.suggestions(place))
        self.changed(place)
        return work

    def rehearse(self) -> None:
        """Have something suggested and drop it: whatever suggests may load much when it is first asked."""
        for _ in self._suggest(_REHEARSAL, ""):
            break

    def changed(self, place: int) -> Standing:
        """To be called after an act on a note; how far it is now."""
        work = self.work(place)
        spans = work.spans
        waiting = sum(span.status == SUGGESTED for span in spans)
        self._standing[place] = Standing(work.done, work.begun, len(spans) - waiting, waiting)
        return self._standing[place]

    def standing(self, place: int) -> Standing:
        """How far a note is."""
        return self._standing.get(place, _UNTOUCHED)

    def stale(self, place: int) -> list[Span]:
        """Answers to earlier texts of a note; another note of the same identifier is no earlier text."""
        work = self.work(place)
        return work.stale_beside(self._texts[work.note])

    def look(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> int:
        """Look through notes that were never opened, for about that long; how many are still unknown."""
        until = clock() + seconds
        for place in self._unknown():
            if clock() >= until:
                break
            self._looked[place] = self.suggestions(place)
        return len(self._unknown())

    def places(self, wanted: Filter) -> list[int]:
        """Numbers of the notes that fit, in the order of the table.

        Of notes that were neither opened nor looked through it is not known what is said of them: see :meth:`look`.
        """
        pattern = pattern_of(wanted.words)
        return [place for place, note in enumerate(self.notes)
                if wanted.language in ("", note.language)
                and (pattern is None or pattern.search(note.text))
                and not (wanted.open_only and self.standing(place).done)
                and (not wanted.of_spans or any(wanted.fits(span) for span in self._spans(place)))]

    def uncertain(self, after: int, places: Sequence[int]) -> int | None:
        """Among those notes, the one that is not finished and whose suggestions are least sure; None if there is none.

        Of equal notes the next one is taken. Only notes that were opened or looked through count.
        """
        scores = {place: self._doubt(self.notes[place].text, self._waiting(place)) for place in places
                  if place != after and not self.standing(place).done}
        best = max(scores.values(), default=0)
        if best <= 0:
            return None
        return min((place for place, score in scores.items() if score == best),
                   key=lambda place: (place <= after, place))

    def progress(self) -> dict[str, int]:
        """Notes: all, finished, begun; spans: answered, still suggested in notes that were opened."""
        all_of = self._standing.values()
        return {"notes": len(self.notes), "done": sum(each.done for each in all_of),
                "begun": sum(each.begun and not each.done for each in all_of),
                "answered": sum(each.answered for each in all_of), "suggested": sum(each.suggested for each in all_of)}

    def languages(self) -> list[str]:
        """Languages that the notes' table names."""
        return sorted({note.language for note in self.notes} - {""})

    def suggestions(self, place: int) -> list[Span]:
        """What is suggested for a note now."""
        note = self.notes[place]
        return [as_span(note.text, found) for found in self._suggest(note.text, note.language)]

    @cached_property
    def _texts(self) -> Mapping[str, list[str]]:
        found: dict[str, list[str]] = {}
        for note in self.notes:
            found.setdefault(note.note, []).append(note.text)
        return found

    def _unknown(self) -> list[int]:
        return [place for place in range(len(self.notes)) if place not in self._looked and place not in self._standing]

    def _spans(self, place: int) -> list[Span]:
        return self.work(place).spans if place in self._standing else self._looked.get(place, [])

    def _waiting(self, place: int) -> list[Span]:
        return [span for span in self._spans(place) if span.status == SUGGESTED]


_UNTOUCHED = Standing()
_REHEARSAL = "Tumeur du sein, grade 2. Breast tumour, grade 2."


def as_span(text: str, found: Any) -> Span:
    """A suggestion as a span of the text, nobody's answer yet.

    Raises
    ------
    DataError
        It lies outside the text.
    """
    return Span.of(text, str(found.attribute), int(found.start), int(found.end), value=str(found.value),
                   unit=str(found.unit), qualifier=str(found.qualifier), context=found.context,
                   rule=str(found.rule) or "rule", rule_version=str(found.rule_version), status=SUGGESTED)


def notes_of(study: Study, table: str = TABLE, *, text: str = "text", note: str = "note") -> list[NoteText]:
    """The notes of a study, in the order of their table; the very same note twice is listed once.

    Notes without a name are numbered within their patient, as the text stage does.

    Raises
    ------
    StudyError
        There is no such table.
    DataError
        It has no column of texts.
    """
    plain = plain_notes(study, table, text=text, note=note)[["note", "text", "date", "language"]]
    return list(dict.fromkeys(NoteText(*values) for values in plain.itertuples(index=False, name=None)))
