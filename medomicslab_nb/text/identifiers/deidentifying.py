"""A note with its identifiers replaced, and where each stood: an aid that needs review, never an anonymous note."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from medomicslab_nb.errors import DataError
from medomicslab_nb.text.folding import fold
from medomicslab_nb.text.identifiers.finding import Identifier, find_identifiers
from medomicslab_nb.text.identifiers.known import KnownIdentifiers
from medomicslab_nb.text.identifiers.lexicons import cues
from medomicslab_nb.text.identifiers.misreading import skeleton
from medomicslab_nb.text.identifiers.names import gender_of_title
from medomicslab_nb.text.identifiers.surrogates import PatientSurrogates, gender_of, is_first_name
from medomicslab_nb.text.note import Note

NOTICE = ("Identifiers were looked for by rules and replaced. Some are missed: every note needs review before it is "
          "shared, and it stays personal data.")

_PART = re.compile(r"[^\W\d_]{2,}")
_WORD_BEFORE = re.compile(r"([^\W\d_]+)[.:\s]*$")
_FAR_BEFORE = 24


@dataclass(frozen=True)
class Replaced:
    """One identifier and what stands in its place; start and end in the old text, new_start and new_end in the new."""

    kind: str
    rule: str
    start: int
    end: int
    old: str
    new_start: int
    new_end: int
    new: str


@dataclass(frozen=True)
class Deidentified:
    """A note with surrogates.

    Attributes
    ----------
    text : str
    replaced : tuple of Replaced
        In order; for review only, since it holds what was replaced.
    notice : str
        What must be said wherever the text is shown or shared.
    """

    text: str
    replaced: tuple[Replaced, ...]
    notice: str = NOTICE

    @cached_property
    def _starts(self) -> list[int]:
        return [one.start for one in self.replaced]

    def place(self, offset: int) -> int:
        """Where a place of the old text is in the new one; inside a replaced stretch, where the replacement begins."""
        before = bisect_right(self._starts, offset) - 1
        if before < 0:
            return offset
        one = self.replaced[before]
        return one.new_start if offset < one.end else one.new_end + offset - one.end

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Where a stretch of the old text is in the new one, with the whole of what was replaced at its ends.

        A fact whose own characters were replaced (a date) points at the replacement: its text has to be read anew.
        """
        last = bisect_right(self._starts, end - 1) - 1
        inside = last >= 0 and self.replaced[last].start < end < self.replaced[last].end
        return self.place(start), self.replaced[last].new_end if inside else self.place(end)


def deidentify(text: str, language: str, surrogates: PatientSurrogates, known: KnownIdentifiers | None = None,
               identifiers: Iterable[Identifier] | None = None) -> Deidentified:
    """Replace the identifiers of a note by surrogates.

    Parameters
    ----------
    text : str
    language : str
        fr or en.
    surrogates : PatientSurrogates
        Of the note's patient.
    known : KnownIdentifiers, optional
        What the study holds of its patients.
    identifiers : iterable of Identifier, optional
        Those that a reviewer settled on, instead of those that rules find.

    Raises
    ------
    DataError
        An identifier of the reviewer's lies outside the text, or overlaps another.
    """
    found = find_identifiers(Note(text, language), known) if identifiers is None else _checked(text, identifiers)
    genders = _first_names(text, found)
    pieces: list[str] = []
    replaced: list[Replaced] = []
    last = new_at = 0
    for one in found:
        new = surrogates.replacement(one.kind, one.text, genders)
        new_start = new_at + one.start - last
        pieces += [text[last:one.start], new]
        last, new_at = one.end, new_start + len(new)
        replaced.append(Replaced(one.kind, one.rule, one.start, one.end, one.text, new_start, new_at, new))
    return Deidentified("".join([*pieces, text[last:]]), tuple(replaced))


def _checked(text: str, identifiers: Iterable[Identifier]) -> list[Identifier]:
    found = sorted(identifiers, key=lambda one: one.start)
    ends = [0, *(one.end for one in found)]
    if any(not ends[at] <= one.start < one.end <= len(text) or text[one.start:one.end] != one.text
           for at, one in enumerate(found)):
        raise DataError("an identifier lies outside the note, overlaps another or holds other text",
                        where="de-identification", todo="Open the note again and review it as it is now")
    return found


def _first_names(text: str, found: Sequence[Identifier]) -> dict[str, str]:
    """The parts of names (skeletons) that are first names, and the gender that the list or a title tells."""
    names = [one for one in found if one.kind == "name"]
    told: dict[str, str] = {}
    for one in names:
        title = _WORD_BEFORE.search(text[max(0, one.start - _FAR_BEFORE):one.start])
        gender = gender_of_title([fold(title[1]).folded]) if title else ""
        told |= {_form(part): gender for part in _PART.findall(one.text) if gender}
    genders: dict[str, str] = {}
    for one in names:
        by_title = next((told[_form(part)] for part in _PART.findall(one.text) if _form(part) in told), "")
        for part in _first_parts(one.text):
            genders[_form(part)] = gender_of(part) or genders.get(_form(part)) or by_title
    return genders


def _form(part: str) -> str:
    return skeleton(fold(part).folded)


def _first_parts(name: str) -> list[str]:
    """The first names in a name: those of the list, else what is not in capitals beside capitals, else what leads."""
    parts = [part for part in _PART.findall(name) if fold(part).folded not in cues()["particles"]]
    listed = [part for part in parts if is_first_name(part)]
    small = [part for part in parts if not part.isupper()]
    if listed or len(parts) < 2:
        return listed
    if len(small) < len(parts):
        return small
    return parts[1:] if "," in name else parts[:1]
