"""Menopausal status of the patient: words and tables ("ménopause : non", "menopausal status: post").

Notes
-----
Challenge set (*not real notes*), the half not looked at: F1 .79 in French (n 17) and .83 in English (n 12), and .89
in English with further words of our own sentences; once it was read, all of it: 1.0 (n 31) and 1.0 (n 32). Limits:
menses (but "encore réglée") and hormones say nothing of it here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from medomicslab_nb.text.facts import Found
from medomicslab_nb.text.note import Note
from medomicslab_nb.text.rules.outcomes import (
    clause_before,
    follows,
    is_relatives,
    is_unreal,
    named,
    precedes,
    with_context,
    words,
)
from medomicslab_nb.text.rules.phrases import phrases
from medomicslab_nb.text.rules.statements import stated

_VALUES = {"pre": "premenopausal", "peri": "perimenopausal", "post": "postmenopausal"}

_OPEN = re.compile(r"\s?:\s?\?")  # to be filled in


def find(note: Note) -> Iterator[Found]:
    """The statuses of a note; where two differ, the earlier one is history if the words between say so."""
    found = list(_find(note))
    if len({each.value for each in found}) < 2:
        return iter(found)
    return (with_context(each, "history") if precedes(note, each.end, "menopause_then_after") else each
            for each in stated(note, found))


def _find(note: Note) -> Iterator[Found]:
    """A table's name and value are one mention, which the name alone then does not add to."""
    tables = list(_tables(note))
    yield from tables
    for hit in named(note, "menopause"):
        within = any(table.start < hit.end and hit.start < table.end for table in tables)
        if not within and not _is_none(note, hit.start, hit.end):
            yield from _stated(note, hit.start, hit.end, hit.term.value)


def _tables(note: Note) -> Iterator[Found]:
    if note.has("menop", "statut hormonal"):
        for match in note.search(_table_pattern()):
            yield from _stated(note, *match.span(), _VALUES[str(match.lastgroup)])


def _stated(note: Note, start: int, end: int, value: str) -> Iterator[Found]:
    """A status with what only this rule knows of it; in French notes that of a relative is left out."""
    if is_relatives(note, start, end):
        if note.language != "fr":
            yield Found("menopause", start, end, value, context=("family",))
        return
    earlier = precedes(note, end, "menopause_earlier_after", 1)
    yield Found("menopause", start, end, value, context=("history",) if earlier else ())


def _is_none(note: Note, start: int, end: int) -> bool:
    written = note.folded[start:end]
    general = written in ("menopause", "menopausal") or written.endswith("s")
    if _OPEN.match(note.folded, end) or precedes(note, end, "menopause_none_after") or is_unreal(note, start, end):
        return True
    return (bool(words("menopause_range").search(clause_before(note, start)))
            or follows(note, start, "menopause_denied")
            or (general and follows(note, start, "menopause_none_before", 2 if written.endswith("s") else 0)))


@cache
def _table_pattern() -> re.Pattern[str]:
    values = "|".join(rf"(?P<{name}>{phrases('outcome_words', f'menopause_{name}')})" for name in _VALUES)
    name = phrases("outcome_words", "menopause_name")
    unknown = "precis|renseign|conn|document|known|record|communiq|determin"
    return re.compile(rf"(?<![^\W_]){name}(?:\s?[:=(\t]\s?|\s)(?:{values})(?![^\W_])(?!\s(?:{unknown}))")
