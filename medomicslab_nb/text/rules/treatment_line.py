"""Lines of treatment: "première ligne", "2nd-line", L3; adjuvant and neoadjuvant are line 0, named in the qualifier.

L2 and 2L count in capitals, in a sentence that names a treatment and nothing of a vertebra. "After 3 lines" is a
count, no line.

No annotated corpus: the gold and the challenge set leave lines out. Tested on sentences of its own
(``test_treatment_line.py``).

Limits: salvage, maintenance and consolidation have no number; a line is not joined to its treatment.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from medomicslab_nb.text.facts import Found
from medomicslab_nb.text.note import Note
from medomicslab_nb.text.rules.phrases import alternation, listed, phrases, word_lists
from medomicslab_nb.text.rules.terms import named

_LINES = "treatment_lines"
_NEAR = 40  # characters before and after a line in which words say of what it is one
_ADJUVANT = re.compile(r"\b(?P<neo>neo[\s-]*)?adjuvant(?:e?s?|ly)\b")
_SHORT = re.compile(r"\b(?:l(?P<after>[1-7])|(?P<before>[1-7])l)\b")


def find(note: Note) -> Iterator[Found]:
    """The lines of treatment that a note numbers or names."""
    if note.has("adjuvant"):
        yield from _adjuvant(note)
    if note.has("lign", "line"):
        yield from _numbered(note)
    yield from _short(note)


def _adjuvant(note: Note) -> Iterator[Found]:
    for match in note.search(_ADJUVANT):
        if not _is_other(note, match.start(), match.end()):
            yield Found("treatment_line", *match.span(), "0", qualifier="neoadjuvant" if match["neo"] else "adjuvant")


def _numbered(note: Note) -> Iterator[Found]:
    """Ordinals before the word for line, or a number after it: 1re et 2e lignes, ligne 2."""
    for match in note.search(_pattern()):
        if _is_other(note, match.start(), match.end()):
            continue
        if match["after"]:
            yield Found("treatment_line", *match.span(), _values("cardinals")[match["after"]])
            continue
        ordinals = list(_ordinals().finditer(note.folded, match.start(), match.end("before")))
        for each in ordinals:
            end = match.end() if each is ordinals[-1] else each.end()
            yield Found("treatment_line", each.start(), end, _values("ordinals")[each[0]])


def _short(note: Note) -> Iterator[Found]:
    """L2 and 2L, in a sentence that names a treatment and no vertebra."""
    for match in note.search(_SHORT):
        start, end = note.sentence_at(match.start())
        if (any(start <= hit.start < end and hit.term.attribute == "treatment" for hit in named(note))
                and not _words("vertebra").search(note.folded, start, end)
                and "L" in note.text[slice(*note.source(*match.span()))]):
            yield Found("treatment_line", *match.span(), match["after"] or match["before"])


def _is_other(note: Note, start: int, end: int) -> bool:
    """Whether words beside a line say that it is none of cancer treatment."""
    first, last = note.sentence_at(start)
    return bool(_words("other").search(note.folded, max(first, start - _NEAR), min(last, end + _NEAR)))


@cache
def _pattern() -> re.Pattern[str]:
    ordinal, line = alternation(_values("ordinals")), phrases(_LINES, "noun")
    joined = alternation(word_lists(_LINES)["joined"])
    return re.compile(rf"\b(?:(?P<before>{ordinal}(?:\s*{joined}\s*(?:(?:en|de|in)\s+)?{ordinal})*)[\s-]*{line}"
                      rf"|{line}[\s-]*(?:n[°o]?\s*)?(?P<after>{alternation(_values('cardinals'))}))\b(?!['.,]?\d|\s?%)")


@cache
def _ordinals() -> re.Pattern[str]:
    return re.compile(rf"\b{alternation(_values('ordinals'))}\b")


@cache
def _words(name: str) -> re.Pattern[str]:
    return re.compile(rf"\b{alternation(listed(_LINES, name))}\b")


@cache
def _values(name: str) -> dict[str, str]:
    """The line that each word says."""
    return {str(word): value for value, words in word_lists(_LINES)[name].items() for word in words}
