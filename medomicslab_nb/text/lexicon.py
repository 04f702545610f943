"""Lexicons: terms in a CSV file, found in a note word by word, all those of a lexicon in one pass.

Between the words of a term may stand spaces, hyphens, apostrophes or a line's end, so that "non-Hodgkin",
"non Hodgkin" and "non\\nHodgkin" are one term; and words that only link ("carcinome de type canalaire"). Marks of the
plural and the endings that French and English words share (-ome and -oma, -aire and -ary, -ie and -y) are one on both
sides. Which words link, which endings and which words are one is in ``lexicons/words.yaml``.
"""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from itertools import permutations
from pathlib import Path
from typing import Any

import yaml

from medomicslab_nb.errors import DataError
from medomicslab_nb.text.folding import fold
from medomicslab_nb.text.note import Note, stem
from medomicslab_nb.text.word_table import WordTable

FOLDER = Path(__file__).with_name("lexicons")
_BETWEEN = re.compile(r"[\s'\-/]{0,3}|\.")
_WORD = re.compile(r"[^\W_]+")
_LINKS = 4  # words passed over between two words of a term, at most
_AROUND = 15  # characters before and after an abbreviation that tell whether all is in capitals
_SHORT = 5  # letters up to which a word keeps its ending
_REST = 4  # letters that a compound word has after its beginning, at least
_PERMUTED = 4  # words up to which a term is found in any order


@dataclass(frozen=True)
class Term:
    """One wording of a row of a lexicon."""

    attribute: str
    value: str
    text: str
    language: str = ""
    """The language whose notes it is looked for in; empty: every language."""
    qualifier: str = ""
    as_written: bool = False
    """Whether it is found only in the letters that the row has: ALL, which is no "all"."""
    any_order: bool = False
    """Whether its words are found in any order: "invasive ductal" and "ductal invasive"."""


@dataclass(frozen=True)
class Hit:
    """A term found, in folded offsets."""

    term: Term
    start: int
    end: int


@dataclass
class _Node:
    """What may follow the words read so far, and the terms that end with them."""

    following: dict[str, _Node] = field(default_factory=dict)
    terms: list[Term] = field(default_factory=list)


class Lexicon:
    """Terms, as a tree of their words.

    Where terms overlap the one that begins first wins, then the longest, and of equal ones the first in the file.

    Parameters
    ----------
    passing : bool, optional
        Whether words of degree, grade and organ may stand within a term too (``passed_over`` in ``words.yaml``).
    """

    def __init__(self, terms: Iterable[Term], *, passing: bool = False) -> None:
        self._first: dict[str, _Node] = {}
        self._links = _words("linking") | (_words("passed_over") if passing else frozenset())
        for term in terms:
            for keys in _orders(term):
                self._add(keys, term)

    def _add(self, keys: tuple[str, ...], term: Term) -> None:
        node, following = None, self._first
        for each in keys:
            node = following.setdefault(each, _Node())
            following = node.following
        if node is not None:
            node.terms.append(term)

    def find(self, note: Note) -> Iterator[Hit]:
        """The terms of a note, none overlapping another, in order."""
        words, keys, done = note.words, _keys(note), 0
        places = _places(note)
        # Most words of a note begin no term: only where one does is looked at.
        for at in sorted(at for each in self._first.keys() & places.keys() for at in places[each]):
            node = self._first[keys[at]]
            following = keys[at + 1] if at + 1 < len(keys) else ""
            if at >= done and (node.terms or following in node.following or following in self._links):
                hit = self._longest(note, keys, at)
                if hit is not None:
                    term, last = hit
                    yield Hit(term, words.starts[at], words.ends[last])
                    done = last + 1

    def _longest(self, note: Note, keys: list[str], at: int) -> tuple[Term, int] | None:
        """The longest term that begins with a word, and the number of its last word."""
        node, last, found = self._first[keys[at]], at, None
        while True:
            term = next((term for term in node.terms if _is_written(term, note, at, last)), None)
            if term is not None:
                found = term, last
            following = self._next(node, note, keys, last) if node.following else None
            if following is None:
                return found
            node, last = node.following[keys[following]], following

    def _next(self, node: _Node, note: Note, keys: list[str], last: int) -> int | None:
        """The next word that goes on with a term."""
        words = note.words
        for at in range(last + 1, min(last + 2 + _LINKS, len(keys))):
            if not _BETWEEN.fullmatch(note.folded, words.ends[at - 1], words.starts[at]):
                return None
            if keys[at] in node.following:
                return at
            if keys[at] not in self._links:
                return None
        return None


@lru_cache(maxsize=1)
def _places(note: Note) -> dict[str, list[int]]:
    """Where each key stands, as numbers of words."""
    places: defaultdict[str, list[int]] = defaultdict(list)
    for at, each in enumerate(_keys(note)):
        places[each].append(at)
    return dict(places)


@lru_cache(maxsize=1)
def _keys(note: Note) -> list[str]:
    """What each word of a note is looked up by; those of the note that was read last are kept for further lexicons."""
    return _KEYS.of(note.words.stems)


def _is_written(term: Term, note: Note, first: int, last: int) -> bool:
    """Whether a term is one of the note's language, and in its letters where they matter."""
    if term.language not in ("", note.language):
        return False
    if not term.as_written:
        return True
    start, end = note.source(note.words.starts[first], note.words.ends[last])
    around = note.text[max(start - _AROUND, 0):start] + note.text[end:end + _AROUND]
    if around.isupper() and term.text in _yaml()["words_too"]:
        return False
    return note.text[start:end] in (term.text, f"{term.text}s")


def _orders(term: Term) -> Iterator[tuple[str, ...]]:
    """The words of a term as they are looked for, in each order and spelling in which they may stand."""
    every = _WORD.findall(fold(term.text).folded)
    words = [word for word in every if key(stem(word)) not in _words("linking")]
    if not any(len(word) > 1 for word in words):
        words = every
    orders: Iterable[Sequence[str]] = [words]
    if term.any_order and 1 < len(words) <= _PERMUTED and "non" not in words:
        orders = permutations(words)
    spellings = (spelling for order in orders for spelling in _spellings(order))
    yield from dict.fromkeys(tuple(key(stem(word)) for word in spelling) for spelling in spellings)


def _spellings(words: Sequence[str]) -> Iterator[list[str]]:
    """A term with each of its compound words in one and in two: neuroendocrine, neuro endocrine."""
    if not words:
        yield []
        return
    taken: list[tuple[list[str], int]] = [([words[0]], 1)]
    if len(words) > 1 and words[0] in _beginnings():
        taken.append(([words[0] + words[1]], 2))
    elif parts := _parts(words[0]):
        taken.append((parts, 1))
    for first, count in taken:
        yield from ([*first, *rest] for rest in _spellings(words[count:]))


@lru_cache(maxsize=10_000)
def _parts(word: str) -> list[str]:
    """The two words that a compound may be written as; none for others."""
    beginning = next((each for each in _beginnings() if word.startswith(each)), word)
    return [beginning, word[len(beginning):]] if len(word) - len(beginning) >= _REST else []


def key(word: str) -> str:
    """What a folded word without its plural is looked up by: without the ending that languages differ in.

    >>> key("lymphome") == key("lymphoma"), key("mastectomie") == key("mastectomy"), key("sereuse") == key("serou")
    (True, True, True)
    """
    plain = _same().get(word, word).replace("ae", "e").replace("oe", "e")
    if len(plain) > _SHORT:
        for ending, common in _endings():
            if plain.endswith(ending):
                return plain[:-len(ending)] + common
    return plain


_KEYS = WordTable(key)


@cache
def _endings() -> list[tuple[str, str]]:
    return [(ending, common) for common, *endings in _yaml()["endings"] for ending in endings]


@cache
def _beginnings() -> tuple[str, ...]:
    """The beginnings of compound words, the longest first."""
    return tuple(sorted(_yaml()["beginnings"], key=lambda each: -len(each)))


@cache
def _same() -> dict[str, str]:
    return {word: common for common, *words in _yaml()["same"] for word in words}


@cache
def _words(name: str) -> frozenset[str]:
    return frozenset(key(stem(word)) for word in _yaml()[name])


@cache
def _yaml() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((FOLDER / "words.yaml").read_text(encoding="utf-8"))
    return found


def read_terms(path: Path, *, any_order: bool = False) -> list[Term]:
    """The terms of a CSV file with the columns attribute, value, text, and optionally language and qualifier.

    Wordings of one row stand between | signs; one that begins with = is found only in these letters (=ALL). Lines that
    begin with # are remarks.

    Raises
    ------
    DataError
        The file is not in UTF-8 or lacks a column, or a row lacks a value.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise DataError("the term list is not in UTF-8", where=path.name,
                        todo="Save it as CSV UTF-8 (in a spreadsheet: Save as, CSV UTF-8)") from None
    rows = list(csv.DictReader(line for line in lines if not line.startswith("#")))
    names = {"attribute", "value", "text"}
    if rows and not names <= set(rows[0]):
        raise DataError("the term list lacks a column", where=path.name, todo=f"It needs {', '.join(sorted(names))}")
    return [term for number, row in enumerate(rows, start=1) for term in _terms(row, number, path, any_order)]


def _terms(row: dict[str, str], number: int, path: Path, any_order: bool) -> Iterator[Term]:
    if not all((row[name] or "").strip() for name in ("attribute", "value", "text")):
        raise DataError("a term has no attribute, value or text", where=f"{path.name}, row {number}",
                        todo="Fill it in, or take the row out")
    for wording in row["text"].split("|"):
        text = wording.strip()
        yield Term(row["attribute"].strip(), row["value"].strip(), text.removeprefix("="),
                   (row.get("language") or "").strip(), (row.get("qualifier") or "").strip(),
                   as_written=text.startswith("="), any_order=any_order)


@cache
def lexicon(name: str) -> Lexicon:
    """The lexicon ``lexicons/NAME.csv`` of the package."""
    return Lexicon(read_terms(FOLDER / f"{name}.csv"))
