"""Where a rule has to look: patterns that begin with one of many names are costly, and most sentences hold none.

Names are looked up among the note's words in order, made once a note for all rules.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from functools import cache, lru_cache

from medomicslab_nb.text.note import Note, stem

_BEYOND = 40  # characters past a sentence that are looked at too: "Performance status:" is a line of its own

Stretch = tuple[int, int]


def stretches(note: Note, names: Sequence[str], capitals: Sequence[str] = ()) -> list[Stretch]:
    """Sentences that hold a word which begins with one of ``names``, or is one of ``capitals`` in capital letters.

    Digits may follow a name at once (ECOG1); names may be of several words.
    """
    places = [at for name in names for at in beginning_with(note, name)]
    places += [at for name in capitals for at in _in_capitals(note, name)]
    joined: list[Stretch] = []
    for start, end in sorted({note.sentence_at(at) for at in places}):
        end = min(end + _BEYOND, len(note.folded))
        if joined and start <= joined[-1][1]:
            start, end = joined.pop()[0], end
        joined.append((start, end))
    return joined


def search(note: Note, pattern: re.Pattern[str], within: Sequence[Stretch]) -> Iterator[re.Match[str]]:
    """The matches of a pattern in stretches of the folded note."""
    for start, end in within:
        yield from pattern.finditer(note.folded, start, end)


def beginning_with(note: Note, name: str) -> Iterable[int]:
    """Where words begin with a name; of one of less than four letters the word goes on with digits at most."""
    return _standing(note, name) if _has_word(note, name) else ()


def _standing(note: Note, name: str) -> Iterator[int]:
    at = note.folded.find(name)
    while at >= 0:
        end = at + len(name)
        whole = len(name) > 3 or not note.folded[end:end + 1].isalpha()
        if whole and not note.folded[at - 1:at].isalnum():
            yield at
        at = note.folded.find(name, end)


def _has_word(note: Note, name: str) -> bool:
    """Whether a word begins with the first word of a name: a quick look, for most names stand in no note."""
    words, first = _words(note), _first(name)
    place = bisect_left(words, first)
    if place == len(words) or not words[place].startswith(first):
        return False
    return len(name) > 3 or not words[place][len(first):len(first) + 1].isalpha()  # digits come before letters


@cache
def _first(name: str) -> str:
    """The first word of a name, as words are looked up by."""
    return name if name.isalpha() else stem(re.split(r"[ .'-]", name, maxsplit=1)[0])


def _in_capitals(note: Note, name: str) -> Iterator[int]:
    for at in beginning_with(note, name):
        start, end = note.source(at, at + len(name))
        if note.text[start:end].isupper():
            yield at


@lru_cache(maxsize=1)
def _words(note: Note) -> list[str]:
    """The different words of a note, without plural marks, in order."""
    return sorted(set(note.words.stems))
