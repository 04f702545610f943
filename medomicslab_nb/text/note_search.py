"""Finding words in notes, whatever their case and accents, at their exact place."""

from __future__ import annotations

import re
import unicodedata

_MARKS = "[\u0300-\u036f]*"
_ACCENTED = "àâäáãåçèéêëìíîïñòóôöõùúûüýÿ"
_VARIANTS: dict[str, str] = {}
for _letter in _ACCENTED:
    _plain = unicodedata.normalize("NFD", _letter)[0]
    _VARIANTS[_plain] = _VARIANTS.get(_plain, _plain) + _letter


def pattern_of(words: str) -> re.Pattern[str] | None:
    """A pattern for what was typed, with any accents and any space between words; None where nothing was.

    It is for the note itself and not for a folded copy: offsets need no translation.
    """
    plain = "".join(char for char in unicodedata.normalize("NFD", words) if not unicodedata.combining(char))
    parts = [_of_word(word) for word in plain.split()]
    return re.compile(r"\s+".join(parts), re.IGNORECASE) if parts else None


def _of_word(word: str) -> str:
    return "".join((f"[{_VARIANTS[char.lower()]}]" if char.lower() in _VARIANTS else re.escape(char)) + _MARKS
                   for char in word)
