"""Primary sites: the organ that a mention of a cancer or tumour names as its origin, as ICD-O topography."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from medomicslab_nb.text.facts import Found
from medomicslab_nb.text.lexicon import Hit, lexicon
from medomicslab_nb.text.note import Note
from medomicslab_nb.text.rules.phrases import word_lists
from medomicslab_nb.text.rules.terms import named

_WORDS = re.compile(r"[^\W_]+|[^\w\s'-]")
_MOST = 8  # words between a tumour and its organ


def find(note: Note) -> Iterator[Found]:
    """Organs beside a cancer or tumour, and those that are joined to them by "and"."""
    hits = list(lexicon("sites").find(note))
    tumours = [(hit.start, hit.end) for hit in hits if hit.term.attribute == "tumour"]
    tumours += [(hit.start, hit.end) for hit in named(note) if _is_tumour(hit)]
    last: Hit | None = None
    for organ in hits:
        if organ.term.attribute == "site" and (_is_origin(note, organ, tumours) or _goes_on(note, last, organ)):
            last = organ
            yield Found("site", organ.start, organ.end, organ.term.value)


def _is_tumour(hit: Hit) -> bool:
    return hit.term.attribute == "histology" and not hit.term.value.endswith("/0")


def _is_origin(note: Note, organ: Hit, tumours: list[tuple[int, int]]) -> bool:
    return any(_before(note, organ, start, end) or _after(note, organ, end) for start, end in tumours)


def _before(note: Note, organ: Hit, start: int, end: int) -> bool:
    """Whether the organ stands before or within the name of a tumour: breast cancer."""
    if start <= organ.start < end:
        return True
    return organ.end <= start and _only(note, organ.end, start, "before")


def _after(note: Note, organ: Hit, end: int) -> bool:
    """Whether the organ follows a tumour: cancer du sein, cancer bronchique."""
    return end <= organ.start and _only(note, end, organ.start, "after")


def _goes_on(note: Note, last: Hit | None, organ: Hit) -> bool:
    """Whether an organ is joined to one that is an origin: cancer du sein et de l'ovaire."""
    return last is not None and last.end < organ.start and _only(note, last.end, organ.start, "joined")


def _only(note: Note, start: int, end: int, name: str) -> bool:
    """Whether nothing but words of a list stands in a stretch."""
    if end - start > 80 or "\n\n" in note.folded[start:end]:
        return False
    words = _WORDS.findall(note.folded, start, end)
    return len(words) <= _MOST and all(word in _allowed(name) for word in words)


@cache
def _allowed(name: str) -> frozenset[str]:
    return frozenset(str(word) for word in word_lists("site_words")[name])
