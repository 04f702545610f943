"""Which of several results of one test is the earlier one: "primary of 2009: ER 90 %; biopsy of the relapse: ER 0 %".

The clause of the earlier result names a year or the first tumour or reading, that of the later one a later year or what
came after (``results.yaml``: first, later). Other words of time are those of ``statements.py``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache

from medomicslab_nb.text.facts import Found
from medomicslab_nb.text.note import Note
from medomicslab_nb.text.rules.phrases import phrases

_REACH = 250  # characters from an earlier result to the one that replaced it
_YEAR = re.compile(r"(?<![\d.,])(?:19|20)\d\d(?![\d%])")
_CLAUSE = re.compile(r"[;.\n]\s|;")


def in_order(note: Note, mentions: Iterable[Found]) -> Iterator[Found]:
    """The mentions, with history for those that a later one of the same test replaced."""
    found = list(mentions)
    for mention in found:
        later = [other for other in found if other.attribute == mention.attribute
                 and 0 < other.start - mention.end < _REACH]
        replaced = not mention.context and any(_is_earlier(_clause(note, mention), _clause(note, other))
                                               for other in later)
        yield replace(mention, context=("history",)) if replaced else mention


def _clause(note: Note, mention: Found) -> str:
    """What stands before a mention since the last sign or the last other result, and the mention itself."""
    begin = note.sentence_at(mention.start)[0]
    before = _CLAUSE.split(note.folded[max(begin, mention.start - 100):mention.start])[-1]
    after = _CLAUSE.split(note.folded[mention.end:mention.end + 45].partition(",")[0])[0]
    return before + note.folded[mention.start:mention.end] + after


def _is_earlier(one: str, other: str) -> bool:
    years, others = _YEAR.findall(one), _YEAR.findall(other)
    if years and others:
        return bool(years[-1] < others[-1])
    first = bool(years) or _words("first").search(one) is not None
    return first and _words("later").search(other) is not None


@cache
def _words(name: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![^\W_]){phrases('results', name)}(?![^\W_])")
