"""Where a rule has to look: patterns that begin with one of many names are costly, and most sentences hold none."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from medomicslab_nb.text.note import Note

_BEYOND = 40  # characters past a sentence that are looked at too: "Performance status:" is a line of its own

Stretch = tuple[int, int]


def stretches(note: Note, names: Sequence[str], capitals: Sequence[str] = ()) -> list[Stretch]:
    """Sentences that hold one of the folded names, or one of ``capitals`` written as a word of its own in capitals."""
    found = sorted({note.sentence_at(at) for at in _places(note, names, capitals)})
    joined: list[Stretch] = []
    for start, end in found:
        end = min(end + _BEYOND, len(note.folded))
        if joined and start <= joined[-1][1]:
            start, end = joined.pop()[0], end
        joined.append((start, end))
    return joined


def search(note: Note, pattern: re.Pattern[str], within: Sequence[Stretch]) -> Iterator[re.Match[str]]:
    """The matches of a pattern in stretches of the folded note."""
    for start, end in within:
        yield from pattern.finditer(note.folded, start, end)


def _places(note: Note, names: Sequence[str], capitals: Sequence[str]) -> Iterator[int]:
    for name in names:
        yield from _occurrences(note.folded, name)
    for name in capitals:
        for at in _occurrences(note.folded, name):
            if not note.folded[at - 1:at].isalnum() and not note.folded[at + len(name):at + len(name) + 1].isalpha():
                start, end = note.source(at, at + len(name))
                if note.text[start:end].isupper():
                    yield at


def _occurrences(folded: str, name: str) -> Iterator[int]:
    at = folded.find(name)
    while at >= 0:
        yield at
        at = folded.find(name, at + len(name))
