"""What stands in a note in place of an identifier: of the same kind and form, always the same for the same patient.

Names become other names of the language, numbers other numbers of the same form, dates move by the patient's whole
days, ages over 89 become 90. Computed from a key (HMAC-SHA256); without it nobody can tell what stood there.
"""

from __future__ import annotations

import csv
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Protocol

from medomicslab_nb.text.folding import fold
from medomicslab_nb.text.identifiers.dates import OLDEST_AGE, shifted
from medomicslab_nb.text.identifiers.lexicons import FOLDER, cues, first_names, surnames
from medomicslab_nb.text.identifiers.misreading import skeleton

_PART = re.compile(r"[^\W_]+")
_UNREAD_DATE = "[date]"
_COUNTRY = re.compile(r"\+ ?\d{1,2}")


class ShiftingKey(Protocol):
    """A key as tables and images are de-identified with, so that all dates of a patient move by the same days."""

    @property
    def secret(self) -> bytes:
        """What everything is computed from."""

    def shift_days(self, patient: str) -> int:
        """Days to add to every date of the patient."""


@dataclass(frozen=True)
class Surrogates:
    """Surrogates from a key.

    Attributes
    ----------
    key : ShiftingKey
    month_first : bool
        Whether 03/04/2021 is the fourth of March.
    """

    key: ShiftingKey = field(repr=False)
    month_first: bool = False

    def of(self, patient: str, language: str) -> PatientSurrogates:
        """Those of one patient, in the language of a note."""
        return PatientSurrogates(self.key.secret, patient.strip(), language, self.key.shift_days(patient),
                                 self.month_first)


@dataclass(frozen=True)
class PatientSurrogates:
    """Surrogates for the notes of one patient."""

    secret: bytes = field(repr=False)
    patient: str = field(repr=False)
    language: str
    days: int = field(repr=False)
    month_first: bool = False

    def replacement(self, kind: str, text: str, genders: Mapping[str, str] | None = None) -> str:
        """What stands for an identifier.

        Parameters
        ----------
        kind : str
            As in :class:`Identifier`.
        text : str
        genders : mapping, optional
            m, f or "" for the parts of names (their skeletons) that are first names, where the note tells.
        """
        if kind == "date":
            moved = shifted(text, self.days, self.language, month_first=self.month_first)
            return _UNREAD_DATE if moved is None else moved
        if kind == "age":
            return str(OLDEST_AGE + 1)
        if kind == "email":
            return f"{self._pick('last', '', text, 'email').lower()}@example.org"
        if kind == "url":
            return "www.example.org"
        if kind == "ip":
            return f"192.0.2.{self._number('ip', text) % 254 + 1}"
        if kind == "name":
            return _PART.sub(lambda match: self._name(match[0], genders or {}), text)
        if kind == "place":
            return _like(self._choice(_places(self.language), "place", skeleton(fold(text).folded)), text)
        if kind in ("address", "institution"):
            return _PART.sub(lambda match: self._kept_or_name(match[0]), text)
        country = _COUNTRY.match(text) if kind == "phone" else None
        kept = country[0] if country else ""
        return kept + self._same_form(kind, text[len(kept):])

    def _name(self, part: str, genders: Mapping[str, str]) -> str:
        """Another name for a part of one; particles stay, an initial becomes another."""
        word = fold(part).folded
        if word in cues()["particles"] and len(word) > 1:
            return part
        form = skeleton(word)
        if len(part) == 1:
            return self._same_form("initial", part)
        if form in genders:
            return _like(self._pick("first", genders[form], form), part)
        return _like(self._pick("last", "", form), part)

    def _kept_or_name(self, part: str) -> str:
        """A word that says what kind of street or institution stays; numbers and names change."""
        word = fold(part).folded
        if any(character.isdigit() for character in part):
            return self._same_form("address", part)
        kept = word in _kinds_of_places() or len(part) < 2
        return part if kept else _like(self._pick("last", "", skeleton(word)), part)

    def _pick(self, part: str, gender: str, *what: str) -> str:
        """A name that is not the one it stands for."""
        names = _names(self.language, part, gender)
        at = self._number(part, *what) % len(names)
        return names[at - 1] if skeleton(fold(names[at]).folded) in what else names[at]

    def _choice(self, names: Sequence[str], *what: str) -> str:
        return names[self._number(*what) % len(names)]

    def _same_form(self, kind: str, text: str) -> str:
        """Digits for digits and letters for letters; a zero in front stays one."""
        digest = self._digest(kind, "".join(c for c in text if c.isalnum()).lower())
        made = []
        for at, character in enumerate(text):
            number = digest[at % len(digest)] + at // len(digest)
            if character.isdigit():
                leading = not any(c.isdigit() for c in text[:at])
                made.append("0" if character == "0" and leading else str(number % 9 + 1 if leading else number % 10))
            elif character.isalpha():
                letter = chr(ord("a") + number % 26)
                made.append(letter.upper() if character.isupper() else letter)
            else:
                made.append(character)
        return "".join(made)

    def _number(self, *what: str) -> int:
        return int.from_bytes(self._digest(*what)[:8])

    def _digest(self, *what: str) -> bytes:
        return hmac.new(self.secret, "\0".join(("note", self.patient, *what)).encode(), hashlib.sha256).digest()


def is_first_name(part: str) -> bool:
    """Whether a part of a name is a first name by the lists."""
    word = fold(part).folded
    return word in first_names() and word not in surnames()


def gender_of(part: str) -> str:
    """M or f where the list of first names tells; else empty."""
    gender = first_names().get(fold(part).folded, "")
    return gender if len(gender) == 1 else ""


def _like(name: str, written: str) -> str:
    """In the letters in which another is written."""
    if written.isupper() and len(written) > 1:
        return name.upper()
    return name.lower() if written.islower() else name


@cache
def _names(language: str, part: str, gender: str) -> tuple[str, ...]:
    with (FOLDER / "surrogates.csv").open(encoding="utf-8", newline="") as file:
        return tuple(row["name"] for row in csv.DictReader(file) if row["language"] == language and row["part"] == part
                     and gender in ("", row["gender"]))


@cache
def _places(language: str) -> tuple[str, ...]:
    with (FOLDER / "surrogate_places.csv").open(encoding="utf-8", newline="") as file:
        return tuple(row["name"] for row in csv.DictReader(file) if row["language"] == language)


@cache
def _kinds_of_places() -> frozenset[str]:
    lists = cues()["places"]
    names = ("streets", "unsure_streets", "house", "english_streets", "directions", "joining", "institutions", "units",
             "of_institutions", "english_institutions", "ends")
    return frozenset(word for name in names for word in lists[name]) | frozenset(
        [*cues()["particles"], *cues()["titles"]["open"]])
