"""Recall and precision of identifiers on notes whose truth is known."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from medomicslab_nb.text.identifiers.finding import find_identifiers
from medomicslab_nb.text.note import Note
from tests.text.identifiers.generated_notes import GeneratedNote

_WORD = re.compile(r"\w+")


@dataclass
class Figures:
    """Counts over notes: an identifier is found if all its letters and digits are."""

    told: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    manners: Counter[str] = field(default_factory=Counter)
    manners_found: Counter[str] = field(default_factory=Counter)
    words_masked: int = 0
    words_masked_rightly: int = 0
    words_kept: int = 0
    kept_hit: int = 0

    @property
    def recall(self) -> float:
        return sum(self.found.values()) / sum(self.told.values())

    @property
    def precision(self) -> float:
        """Of the masked words the share that belongs to identifiers."""
        return self.words_masked_rightly / self.words_masked

    @property
    def others_masked(self) -> float:
        """Of the words that belong to no identifier the share that is masked."""
        wrong = self.words_masked - self.words_masked_rightly
        return wrong / (wrong + self.words_kept)


def measure(notes: Iterable[GeneratedNote]) -> Figures:
    """Find the identifiers of generated notes and count."""
    figures = Figures()
    for note in notes:
        masked = _covered(len(note.text), find_identifiers(Note(note.text, note.language)))
        told = _covered(len(note.text), note.identifiers)
        for place in note.identifiers:
            complete = all(masked[at] for at in range(place.start, place.end) if note.text[at].isalnum())
            figures.told[place.kind] += 1
            figures.found[place.kind] += complete
            figures.manners[note.manner] += 1
            figures.manners_found[note.manner] += complete
        figures.kept_hit += sum(any(masked[place.start:place.end]) for place in note.kept)
        for word in _WORD.finditer(note.text):
            figures.words_masked += masked[word.start()]
            figures.words_masked_rightly += masked[word.start()] and told[word.start()]
            figures.words_kept += not masked[word.start()] and not told[word.start()]
    return figures


def masked_share(texts: Iterable[str], language: str) -> float:
    """The share of the words of notes that is masked, whether rightly or not."""
    words = masked = 0
    for text in texts:
        covered = _covered(len(text), find_identifiers(Note(text, language)))
        for word in _WORD.finditer(text):
            words += 1
            masked += covered[word.start()]
    return masked / words


def _covered(length: int, spans: Iterable[object]) -> bytearray:
    covered = bytearray(length)
    for span in spans:
        covered[span.start:span.end] = b"\1" * (span.end - span.start)  # type: ignore[attr-defined]
    return covered
