"""Sides of structures, lesions and procedures: left, right, bilateral.

Every word of side counts but in the turns of speech that ``laterality.yaml`` lists (right away, left the hospital, grand
droit). G and D, L and R count beside a word that has sides (sein G, lobe sup D) or in brackets after one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from medomicslab_nb.text.facts import Found
from medomicslab_nb.text.note import Note
from medomicslab_nb.text.rules.phrases import phrases

_LETTERS = {"g": "left", "l": "left", "d": "right", "r": "right"}


def find(note: Note) -> Iterator[Found]:
    """Words of side."""
    for match in note.search(_sides()):
        if not _says_otherwise(note, match):
            yield Found("laterality", match.start(), match.end(), str(match.lastgroup))
    for match in note.search(_letters()):
        letter = match["letter"]
        allowed = letter in ("gd" if note.language == "fr" else "lr")
        if allowed and note.text[slice(*note.source(match.start("letter"), match.end("letter")))].isupper():
            yield Found("laterality", match.start("letter"), match.end("letter"), _LETTERS[letter])


def _says_otherwise(note: Note, match: re.Match[str]) -> bool:
    """Whether the word of side is part of a turn of speech."""
    if match.lastgroup == "bilateral":
        return False
    before = note.folded[max(match.start() - 25, 0):match.start()]
    if _not_before().match(note.folded, match.end()) or _not_after().search(before):
        return True
    return match[0] in ("left", "right") and bool(_verb_after().search(before) and _verb_before().match(note.folded, match.end()))


@cache
def _sides() -> re.Pattern[str]:
    groups = "|".join(rf"(?P<{side}>{phrases('laterality', side)})" for side in ("bilateral", "left", "right"))
    return re.compile(rf"\b(?:{groups})\b")


@cache
def _letters() -> re.Pattern[str]:
    return re.compile(rf"\b{phrases('laterality', 'sided')}s?\b\.?\s?\(?(?P<letter>[gdlr])\b(?!['.-]\w)")


@cache
def _not_before() -> re.Pattern[str]:
    return re.compile(rf"[\s-]+{phrases('laterality', 'not_before')}\b")


@cache
def _verb_after() -> re.Pattern[str]:
    return re.compile(rf"\b{phrases('laterality', 'verb_after')}\s+$")


@cache
def _verb_before() -> re.Pattern[str]:
    return re.compile(rf"\s*(?:$|[.,;)]|{phrases('laterality', 'verb_before')}\b)")


@cache
def _not_after() -> re.Pattern[str]:
    return re.compile(rf"\b{phrases('laterality', 'not_after')}[\s-]+$")
