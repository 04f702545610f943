"""Identifiers of a note: what each rule finds, put together, in offsets of the note as stored."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from medomicslab_nb.text.identifiers.candidate import Candidate
from medomicslab_nb.text.identifiers.cased import cased
from medomicslab_nb.text.identifiers.dates import find_dates
from medomicslab_nb.text.identifiers.eponyms import with_eponyms
from medomicslab_nb.text.identifiers.institutions import find_institutions
from medomicslab_nb.text.identifiers.known import KnownIdentifiers
from medomicslab_nb.text.identifiers.names import find_names
from medomicslab_nb.text.identifiers.numbers import find_numbers
from medomicslab_nb.text.identifiers.places import find_places
from medomicslab_nb.text.identifiers.tokens import tokenise
from medomicslab_nb.text.note import Note


@dataclass(frozen=True)
class Identifier:
    """Characters of a note that may tell who somebody is.

    Attributes
    ----------
    kind : str
        name, date, age (over 89), phone, email, url, ip, national_number, professional_number, number, account, plate,
        address, postcode, place or institution.
    start, end : int
        Code points of the note's text as stored.
    text : str
        ``note.text[start:end]``.
    rule : str
        What found it; "known" where the study told.
    """

    kind: str
    start: int
    end: int
    text: str
    rule: str


def find_identifiers(note: Note, known: KnownIdentifiers | None = None) -> list[Identifier]:
    """The identifiers of a note, in order, none overlapping another.

    An aid that needs review: identifiers are missed, and other words are taken for them.

    Parameters
    ----------
    note : Note
    known : KnownIdentifiers, optional
        Names, numbers and dates that the study holds of its patients; found misread, too.
    """
    text = cased(note)
    tokens = with_eponyms(tokenise(text))
    found = [*find_numbers(text), *find_dates(text), *find_places(text, tokens),
             *find_institutions(text, tokens), *find_names(tokens),
             *(known.find(text, tokens) if known else ())]
    return [_stored(note, candidate) for candidate in merged(found)]


def merged(candidates: Iterable[Candidate]) -> Iterator[Candidate]:
    """Candidates that overlap as one; its kind and rule are those of the longest, of what the study knows first."""
    group: list[Candidate] = []
    for candidate in sorted(candidates, key=lambda one: (one.start, -one.end)):
        if group and candidate.start >= max(one.end for one in group):
            yield _union(group)
            group = []
        group.append(candidate)
    if group:
        yield _union(group)


def _union(group: list[Candidate]) -> Candidate:
    best = max(group, key=lambda one: (one.rule == "known", one.end - one.start, one.kind not in ("number", "place")))
    return Candidate(best.kind, group[0].start, max(one.end for one in group), best.rule)


def _stored(note: Note, candidate: Candidate) -> Identifier:
    start, end = note.source(candidate.start, candidate.end)
    return Identifier(candidate.kind, start, end, note.text[start:end], candidate.rule)
