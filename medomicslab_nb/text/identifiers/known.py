"""The identifiers that a study holds of its own patients, found in notes also misread and with other marks between."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from medomicslab_nb.text.folding import fold
from medomicslab_nb.text.identifiers.candidate import Candidate
from medomicslab_nb.text.identifiers.misreading import as_digits, near, skeleton
from medomicslab_nb.text.identifiers.tokens import Token, is_ordinary

_SHORTEST_NAME = 3
_SHORTEST_NEAR = 6
_SHORTEST_NUMBER = 4
_MOST_TOKENS = 3
_NUMBER = re.compile(r"(?<![^\W_])(?:[A-Za-z]{1,6}[ ./-]{0,2})?[\dOolI|S](?:[ ./-]{0,2}[\dA-Za-z|]){2,24}(?![^\W_])")


@dataclass(frozen=True)
class KnownIdentifiers:
    """What a study knows of one patient, or of all its patients.

    Attributes
    ----------
    names : frozenset of str
        First names, surnames, or both together.
    numbers : frozenset of str
        Numbers, also with letters.
    dates : frozenset of datetime.date
        Dates of birth.
    """

    names: frozenset[str] = frozenset()
    numbers: frozenset[str] = frozenset()
    dates: frozenset[dt.date] = frozenset()

    @classmethod
    def of(cls, identifiers: Iterable[str], dates: Iterable[dt.date] = ()) -> KnownIdentifiers:
        """From values as tables hold them: what has a digit is a number, the rest is a name."""
        texts = {text.strip() for text in identifiers}
        numbers = frozenset(text for text in texts if any(character.isdigit() for character in text))
        return cls(frozenset(texts - numbers - {""}), numbers, frozenset(dates))

    def find(self, text: str, tokens: Sequence[Token]) -> Iterator[Candidate]:
        """Where they stand in a folded text with its capitals."""
        yield from self._find_names(tokens)
        yield from self._find_numbers(text)

    @cached_property
    def _name_skeletons(self) -> dict[str, str]:
        """Skeleton and word of every part of every name, and of whole names."""
        found: dict[str, str] = {}
        for name in self.names:
            words = re.findall(r"[^\W_]+", fold(name).folded)
            for word in (*words, "".join(words)):
                if len(word) >= _SHORTEST_NAME:
                    found[skeleton(word)] = word
        return found

    @cached_property
    def _by_length(self) -> dict[int, list[str]]:
        found: dict[int, list[str]] = {}
        for form, word in self._name_skeletons.items():
            if len(word) >= _SHORTEST_NEAR:
                found.setdefault(len(form), []).append(form)
        return found

    def _find_names(self, tokens: Sequence[Token]) -> Iterator[Candidate]:
        """Names over one to three tokens: a space or hyphen may have come between or been lost."""
        if not self._name_skeletons:
            return
        for at in range(len(tokens)):
            for number in range(1, _MOST_TOKENS + 1):
                group = tokens[at:at + number]
                if len(group) < number or not all(token.text[0].isalpha() or token.letter in "z-'" for token in group):
                    break
                if self._is_name("".join(token.word for token in group if token.letter not in "-'"), group):
                    yield Candidate("name", group[0].start, group[-1].end, "known")

    def _is_name(self, word: str, group: Sequence[Token]) -> bool:
        form = skeleton(word)
        whole = self._name_skeletons.get(form)
        if whole is not None:
            # A word of the language, such as "petit", is the name only with a capital that is not the sentence's.
            return not is_ordinary(word) or group[0].letter in "VWGTE" or len(group) > 1
        if len(group) > 1 or is_ordinary(word) or len(word) < _SHORTEST_NEAR:
            return False
        return any(near(form, other) for length in (len(form) - 1, len(form), len(form) + 1)
                   for other in self._by_length.get(length, ()) if other[:1] == form[:1] or other[1:2] == form[1:2])

    @cached_property
    def _number_forms(self) -> frozenset[str]:
        forms = {_plain(number) for number in self.numbers}
        for date in self.dates:
            forms |= {f"{date:%d%m%Y}", f"{date:%Y%m%d}", f"{date:%m%d%Y}", f"{date:%d%m%y}", f"{date:%y%m%d}"}
        return frozenset(form for form in forms if len(form) >= _SHORTEST_NUMBER)

    def _find_numbers(self, text: str) -> Iterator[Candidate]:
        """Numbers with other marks between their characters, with letters for digits, or as a part of a longer one."""
        if not self._number_forms:
            return
        for match in _NUMBER.finditer(text):
            plain = _plain(match[0])
            places = [match.start() + at for at, character in enumerate(match[0]) if _counts(character)]
            for form in self._number_forms:
                at = plain.find(form)
                if at >= 0:
                    yield Candidate("number", places[at], places[at + len(form) - 1] + 1, "known")


def _plain(number: str) -> str:
    """Without marks and leading letters' case, what is read for a digit as a digit."""
    return as_digits("".join(filter(_counts, number))).lower()


def _counts(character: str) -> bool:
    return character.isalnum() or character == "|"
