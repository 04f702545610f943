"""Small tables in a note: a line of names with a line of values under it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from medomicslab_nb.text.note import Note

_CELL = re.compile(r"(?:(?!  |\t|\||\n).)+")
_ROWS = 3  # lines of values under one line of names
_WIDTH = 30  # characters of a name


@dataclass(frozen=True)
class Cell:
    """A value and the name above it, in folded offsets."""

    name_start: int
    name_end: int
    start: int
    end: int


def cells(note: Note) -> Iterator[Cell]:
    """The cells of a note's tables whose columns stand apart by a tab, two spaces or a bar."""
    if "\n" not in note.text or not ("\t" in note.text or "  " in note.text or "|" in note.text):
        return
    header: list[tuple[int, int]] = []
    rows = 0
    for row in _lines(note.text):
        if header and len(row) == len(header) and rows < _ROWS and _values(note.text, row) > _values(note.text, header):
            rows += 1
            for (name_start, name_end), (start, end) in zip(header, row, strict=True):
                yield Cell(note.place(name_start), note.place(name_end), note.place(start), note.place(end))
        else:
            header, rows = (row if len(row) > 1 and all(end - start <= _WIDTH for start, end in row) else []), 0


def _lines(text: str) -> Iterator[list[tuple[int, int]]]:
    at = 0
    for line in text.split("\n"):
        found = ((match.start(), match.end(), match[0]) for match in _CELL.finditer(line))
        yield [(at + start + len(cell) - len(cell.lstrip()), at + end - len(cell) + len(cell.rstrip()))
               for start, end, cell in found if cell.strip()]
        at += len(line) + 1


def _values(text: str, row: list[tuple[int, int]]) -> int:
    """Number of cells that begin like a value."""
    return sum(bool(re.match(r"[<>≤≥+\-\d]", text[start:end])) for start, end in row)
