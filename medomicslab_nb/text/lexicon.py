"""Lexicons: terms in a CSV file, found in a note word by word.

Between the words of a term may stand spaces, hyphens, apostrophes or a line's end, so that "non-Hodgkin",
"non Hodgkin" and "non\\nHodgkin" are one term; nothing else may. Plural marks are taken off on both sides.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from medomicslab_nb.errors import DataError
from medomicslab_nb.text.folding import fold
from medomicslab_nb.text.note import Note, stem

FOLDER = Path(__file__).with_name("lexicons")
_BETWEEN = re.compile(r"[\s'\-/.]{0,3}")
_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True)
class Term:
    """One row of a lexicon."""

    attribute: str
    value: str
    text: str
    language: str = ""
    """The language whose notes it is looked for in; empty: every language."""
    qualifier: str = ""


@dataclass(frozen=True)
class Hit:
    """A term found, in folded offsets."""

    term: Term
    start: int
    end: int


class Lexicon:
    """Terms by their first word.

    Where terms overlap the longest wins, and of equal ones the first in the file.
    """

    def __init__(self, terms: Iterable[Term]) -> None:
        self._by_first: dict[str, list[tuple[tuple[str, ...], Term]]] = {}
        for term in terms:
            words = tuple(stem(word) for word in _WORD.findall(fold(term.text).folded))
            if words:
                self._by_first.setdefault(words[0], []).append((words, term))
        for found in self._by_first.values():
            found.sort(key=lambda entry: -len(entry[0]))

    def find(self, note: Note) -> Iterator[Hit]:
        """The terms of a note, none overlapping another, in order."""
        words, at = note.words, 0
        while at < len(words.stems):
            hit = self._at(note, at)
            if hit is None:
                at += 1
            else:
                term, length = hit
                yield Hit(term, words.starts[at], words.ends[at + length - 1])
                at += length

    def _at(self, note: Note, at: int) -> tuple[Term, int] | None:
        stems = note.words.stems
        for terms, term in self._by_first.get(stems[at], ()):
            length = len(terms)
            if ((length == 1 or tuple(stems[at:at + length]) == terms) and term.language in ("", note.language)
                    and _joined(note, at, length)):
                return term, length
        return None


def _joined(note: Note, at: int, length: int) -> bool:
    """Whether only what may stand between the words of a term does."""
    words = note.words
    return all(_BETWEEN.fullmatch(note.folded, words.ends[i], words.starts[i + 1])
               for i in range(at, at + length - 1))


def read_terms(path: Path) -> list[Term]:
    """The terms of a CSV file with the columns attribute, value, text, and optionally language and qualifier.

    Lines that begin with # are remarks.

    Raises
    ------
    DataError
        The file lacks a column, or a row lacks a value.
    """
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
    names = {"attribute", "value", "text"}
    if rows and not names <= set(rows[0]):
        raise DataError("the term list lacks a column", where=path.name, todo=f"It needs {', '.join(sorted(names))}")
    return [_term(row, number, path) for number, row in enumerate(rows, start=1)]


def _term(row: dict[str, str], number: int, path: Path) -> Term:
    if not all((row[name] or "").strip() for name in ("attribute", "value", "text")):
        raise DataError("a term has no attribute, value or text", where=f"{path.name}, row {number}",
                        todo="Fill it in, or take the row out")
    return Term(row["attribute"].strip(), row["value"].strip(), row["text"].strip(),
                (row.get("language") or "").strip(), (row.get("qualifier") or "").strip())


@cache
def lexicon(name: str) -> Lexicon:
    """The lexicon ``lexicons/NAME.csv`` of the package."""
    return Lexicon(read_terms(FOLDER / f"{name}.csv"))
