"""Lines of treatment: "première ligne", "2nd-line", L3; adjuvant and neoadjuvant are line 0, named in the qualifier."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from medomicslab_nb.text.facts import Found
from medomicslab_nb.text.note import Note
from medomicslab_nb.text.rules.phrases import alternation, listed, phrases, word_lists
from medomicslab_nb.text.rules.terms import named

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
        yield Found("treatment_line", *match.span(), "0", qualifier="neoadjuvant" if match["neo"] else "adjuvant")


def _numbered(note: Note) -> Iterator[Found]:
    """An ordinal and the word for line, in either order."""
    for match in note.search(_pattern()):
        around = note.folded[max(match.start() - 40, 0):match.end() + 40]
        if not _other("other").search(around):
            yield Found("treatment_line", *match.span(), _number(match["before"] or match["after"]))


def _short(note: Note) -> Iterator[Found]:
    """L2 and 2L, in a sentence that names a treatment and no vertebra."""
    for match in note.search(_SHORT):
        start, end = note.sentence_at(match.start())
        if (any(start <= hit.start < end and hit.term.attribute == "treatment" for hit in named(note))
                and not _other("vertebra").search(note.folded, start, end)
                and "L" in note.text[slice(*note.source(*match.span()))]):
            yield Found("treatment_line", *match.span(), match["after"] or match["before"])


@cache
def _pattern() -> re.Pattern[str]:
    number = alternation(each for words in _numbers().values() for each in words)
    line = phrases("treatment_lines", "noun")
    return re.compile(rf"\b(?:(?P<before>{number})[\s-]*{line}|{line}[\s-]*(?:n[°o]?\s*)?(?P<after>{number}))\b")


@cache
def _other(name: str) -> re.Pattern[str]:
    return re.compile(rf"\b{alternation(listed('treatment_lines', name))}\b")


@cache
def _numbers() -> dict[str, list[str]]:
    return {value: [each.strip() for each in words.split(",")]
            for value, words in word_lists("treatment_lines")["numbers"].items()}


def _number(written: str) -> str:
    return next(value for value, words in _numbers().items() if written in words)
