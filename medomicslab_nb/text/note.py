"""A note as rules see it: folded text, words, sentences, sections, all in offsets of the folded text."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from medomicslab_nb.text.folding import fold
from medomicslab_nb.text.sections import Section, find_sections
from medomicslab_nb.text.sentences import split_sentences
from medomicslab_nb.text.word_table import WordTable

_WORD = re.compile(r"[^\W_]+")


def stem(word: str) -> str:
    """A folded word without the mark of the plural, in both languages: what lexicons are looked up by."""
    return word[:-1] if len(word) > 3 and word[-1] in "sx" and word[-2] != "s" else word


_STEMS = WordTable(stem)


@dataclass(frozen=True)
class Words:
    """The words of a note: stems and where each begins and ends, in parallel lists."""

    stems: list[str]
    starts: list[int]
    ends: list[int]


class Note:
    """One note, read once by all rules.

    Offsets are those of ``folded`` everywhere but in ``text``; :meth:`source` gives the stretch of ``text``.

    Parameters
    ----------
    day_first : bool, optional
        How 03/04/2021 is read in an English note; None: not at all. French is always day first.
    """

    def __init__(self, text: str, language: str, *, day_first: bool | None = None) -> None:
        self.text = text
        self.language = language
        self.day_first = True if language == "fr" else day_first
        self._fold = fold(text)
        self.folded = self._fold.folded

    @cached_property
    def words(self) -> Words:
        spans = [match.span() for match in _WORD.finditer(self.folded)]
        return Words(_STEMS.of(_WORD.findall(self.folded)), [start for start, _ in spans],
                     [end for _, end in spans])

    @cached_property
    def sections(self) -> list[Section]:
        return find_sections(self.folded, self.language)

    @cached_property
    def sentences(self) -> list[tuple[int, int]]:
        """Where sentences begin and end; together they cover the note, a heading is a sentence of its own."""
        return [(self.place(start), self.place(end)) for start, end in split_sentences(self.text)]

    @cached_property
    def _sentence_starts(self) -> list[int]:
        return [start for start, _ in self.sentences]

    @cached_property
    def _section_starts(self) -> list[int]:
        return [section.start for section in self.sections]

    def sentence_at(self, offset: int) -> tuple[int, int]:
        """Begin and end of the sentence in which a character stands."""
        if not self.sentences:
            return 0, 0
        return self.sentences[max(bisect_right(self._sentence_starts, offset) - 1, 0)]

    def section_at(self, offset: int) -> str:
        """Name of the section in which a character stands; empty before the first heading."""
        place = bisect_right(self._section_starts, offset) - 1
        return self.sections[place].name if place >= 0 else ""

    def words_between(self, start: int, end: int) -> range:
        """Numbers of the words that begin in ``folded[start:end]``."""
        return range(bisect_left(self.words.starts, start), bisect_left(self.words.starts, end))

    def has(self, *parts: str) -> bool:
        """Whether one of the folded stretches stands anywhere: a quick look before a costly pattern."""
        return any(map(self.folded.__contains__, parts))

    def search(self, pattern: re.Pattern[str]) -> Iterator[re.Match[str]]:
        """Every match of a pattern in the folded text."""
        return pattern.finditer(self.folded)

    def source(self, start: int, end: int) -> tuple[int, int]:
        """The stretch of ``text`` that stands behind ``folded[start:end]``."""
        return self._fold.source(start, end)

    def place(self, offset: int) -> int:
        """Where a character of ``text`` stands in ``folded``."""
        return self._fold.place(offset)
