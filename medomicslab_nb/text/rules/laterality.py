"""Sides of structures, lesions and procedures: left, right, bilateral.

Every word of side counts but in the turns of speech that ``laterality.yaml`` lists (right away, left the hospital,
grand droit). G and D, L and R count beside a word that has sides (sein G, lobe sup D) or in brackets after one.

Measured on E3C layer 3 (gold by simulated annotators; the blind half, F1 of values, n mentions):
French 1.00 (141), English 0.98 (177). Both counts beside what has sides ("both breasts"), deux does not.
Limits: left as a verb before an unlisted word; sides of people other than the patient.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from medomicslab_nb.text.facts import Found
from medomicslab_nb.text.folding import fold
from medomicslab_nb.text.note import Note, stem
from medomicslab_nb.text.rules.phrases import listed, phrases

_LETTER = re.compile(r"[gdlr](?![\w'-]|\.\w)(?<![^\s(].)")
_LETTERS = {"g": "left", "l": "left", "d": "right", "r": "right"}


def find(note: Note) -> Iterator[Found]:
    """Words of side."""
    yield from _words(note)
    if note.has("deux ", "chaque cote", "both", "either side"):
        for match in note.search(_both()):
            yield Found("laterality", match.start(), match.end(), "bilateral")
    for match in note.search(_LETTER):
        if match[0] in ("gd" if note.language == "fr" else "lr") and _is_side(note, match):
            yield Found("laterality", match.start(), match.end(), _LETTERS[match[0]])


def _words(note: Note) -> Iterator[Found]:
    words, sides = note.words, _sides()
    for number, word in enumerate(words.stems):
        side = sides.get(word)
        if side and not _says_otherwise(note, words.starts[number], words.ends[number], side):
            yield Found("laterality", words.starts[number], words.ends[number], side)


def _is_side(note: Note, match: re.Match[str]) -> bool:
    """Whether a letter is a capital beside a word that has sides."""
    return (note.text[slice(*note.source(match.start(), match.end()))].isupper()
            and _sided().search(note.folded, max(match.start() - 25, 0), match.start()) is not None)


def _says_otherwise(note: Note, start: int, end: int, side: str) -> bool:
    """Whether the word of side is part of a turn of speech."""
    if side == "bilateral":
        return False
    before = note.folded[max(start - 25, 0):start]
    if _not_before().match(note.folded, end) or _not_after().search(before):
        return True
    return note.folded[start:end] in ("left", "right") and bool(_verb_after().search(before)
                                                                and _verb_before().match(note.folded, end))


@cache
def _sides() -> dict[str, str]:
    """The words of side, as stems."""
    return {stem(fold(word).folded): side for side in ("bilateral", "left", "right")
            for word in listed("laterality", side)}


@cache
def _sided() -> re.Pattern[str]:
    return re.compile(rf"\b{phrases('laterality', 'sided')}s?\b\.?\s?\(?(?:[gdlr]\s?(?:et|and|ou|or|/|\+)\s?)?$")


@cache
def _both() -> re.Pattern[str]:
    """Both of what has sides: both breasts, des deux cotes."""
    paired = phrases("laterality", "paired")
    return re.compile(rf"\b(?:both(?: \w+)? {paired}|either side|(?:les|des) deux cotes|de chaque cote)\b")


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
