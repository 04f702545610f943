"""The text of a note as its rules of identifiers read it: folded, but with its capitals, in the same offsets."""

from __future__ import annotations

from medomicslab_nb.text.folding import fold
from medomicslab_nb.text.note import Note


class _Table(dict[int, str]):
    def __missing__(self, code: int) -> str:
        character = chr(code)
        folded = fold(character).folded
        capital = folded.upper()
        self[code] = capital if character.isupper() and len(capital) == len(folded) else folded
        return self[code]


_TABLE = _Table()


def cased(note: Note) -> str:
    """``note.folded`` with the capitals of ``note.text``; character by character in the same place."""
    return note.text.translate(_TABLE)
