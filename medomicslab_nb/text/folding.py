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
_PLAIN = {
    "‘": "'", "’": "'", "‚": "'", "‛": "'", "ʼ": "'", "´": "'", "`": "'", "′": "'", "“": '"', "”": '"', "„": '"',
    "«": '"', "»": '"', "″": '"', "‐": "-", "‑": "-", "‒": "-", "–": "-", "—": "-", "―": "-", "−": "-", "×": "x",
    "✕": "x", "œ": "oe", "æ": "ae", "ß": "ss", "µ": "μ", "ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl",
    "…": ".", "⩽": "≤", "⩾": "≥", "＜": "<", "＞": ">", "˂": "<", "˃": ">", "‹": "<", "›": ">", "＝": "=",
    "ı": "i", "\t": " ", "\v": "\n", "\f": "\n", "\x85": "\n", "\u2028": "\n", "\u2029": "\n",
}


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
    return Folded(text, folded, tuple(accumulate(len(_TABLE[ord(character)]) for character in text)))


def _keeps_length(character: str) -> bool:
    return len(_TABLE[ord(character)]) == 1
