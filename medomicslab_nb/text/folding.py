"""Folded text: lower case without accents, in plain punctuation, with the way back to the characters it came from.

Rules read the folded text, so that "Métastases", "METASTASES" and "me\\u0301tastases" are one; facts point into the
note as it is stored. Folding may lengthen (œ to oe) and shorten (a combining accent, a soft hyphen), so offsets are
mapped, never assumed equal.
"""

from __future__ import annotations

import unicodedata
from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate

# Characters that stand for plain ones, beside those that Unicode itself takes apart into a letter and its accents.
_PLAIN = {character: plain for plain, characters in {
    "'": "\u2018\u2019\u201a\u201b\u02bc\xb4`\u2032",
    '"': "\u201c\u201d\u201e\xab\xbb\u2033",
    "-": "\u2010\u2011\u2012\u2013\u2014\u2015\u2212",
    "x": "\xd7\u2715",
    "oe": "\u0153",
    "ae": "\xe6",
    "ss": "\xdf",
    "\u03bc": "\xb5",
    "ff": "\ufb00",
    "fi": "\ufb01",
    "fl": "\ufb02",
    "ffi": "\ufb03",
    "ffl": "\ufb04",
    ".": "\u2026",
    "\u2264": "\u2a7d",
    "\u2265": "\u2a7e",
    "<": "\uff1c\u02c2\u2039",
    ">": "\uff1e\u02c3\u203a",
    "=": "\uff1d",
    "i": "\u0131",
    " ": "\t",
    "\n": "\v\f\x85\u2028\u2029",
}.items() for character in characters}


class _Table(dict[int, str]):
    """What each code point becomes, worked out when it is first met."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        plain = _PLAIN.get(character) or _PLAIN.get(character.lower())
        if plain is None:
            plain = _letter(character)
        self[code] = plain
        return plain


def _letter(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Zs":
        return " "
    if category in ("Mn", "Cf") or character == "\r":
        return ""
    lower = character.lower()
    base = unicodedata.normalize("NFD", lower)
    kept = "".join(part for part in base if unicodedata.category(part) != "Mn")
    return kept or lower


_TABLE = _Table()


@dataclass(frozen=True)
class Folded:
    """A text and what it becomes."""

    text: str
    folded: str
    ends: tuple[int, ...] | None
    """Where what each character of the text became ends in ``folded``; None where each became one character."""

    def source(self, start: int, end: int) -> tuple[int, int]:
        """The stretch of ``text`` that became ``folded[start:end]``, with the accents that belong to its last letter.

        A stretch that begins or ends inside what one character became (the e of œ) takes the whole character.
        """
        if self.ends is None or start >= end:
            return (start, end) if self.ends is None else (self._at(start), self._at(start))
        first, last = self._at(start), self._at(end - 1) + 1
        while last < len(self.ends) and self.ends[last] == self.ends[last - 1] and _joins(self.text[last]):
            last += 1
        return first, last

    def place(self, offset: int) -> int:
        """Where the character at ``offset`` of ``text`` stands in ``folded``."""
        if self.ends is None:
            return offset
        return self.ends[offset - 1] if offset else 0

    def _at(self, place: int) -> int:
        assert self.ends is not None
        return min(bisect_right(self.ends, place), len(self.ends))


def _joins(character: str) -> bool:
    return unicodedata.category(character) == "Mn"


def fold(text: str) -> Folded:
    """Fold a text."""
    folded = text.translate(_TABLE)
    if len(folded) == len(text) and all(map(_keeps_length, set(text))):
        return Folded(text, folded, None)
    return Folded(text, folded, tuple(accumulate(map(len, map(_TABLE.__getitem__, map(ord, text))))))


def _keeps_length(character: str) -> bool:
    return len(_TABLE[ord(character)]) == 1
