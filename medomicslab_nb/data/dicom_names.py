"""Words that identify a patient in a DICOM header, and texts without them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Any

from pydicom.datadict import dictionary_VR, keyword_for_tag
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.tag import BaseTag

from medomicslab_nb.data import dicom_profile as profile

REDACTED = "REDACTED"
"""Stands where a text named the patient; short enough for every element, and a legal code string."""

DATE = re.compile(r"(\d{4})[.-]?(\d\d)[.-]?(\d\d)")
"""A DICOM date, also as old files have it."""

_SUBSTRING = 5  # letters from which a name is looked for inside of words, too


class Names:
    """Words that identify a patient, found in texts whatever their case and accents."""

    def __init__(self, words: Iterable[str]) -> None:
        plain = {_plain(word.strip()) for word in words}
        known = sorted((word for word in plain if _is_telling(word)), key=len, reverse=True)
        parts = [re.escape(word) if len(word) >= _SUBSTRING else rf"(?<![^\W_]){re.escape(word)}(?![^\W_])"
                 for word in known]
        self._pattern = re.compile("|".join(parts)) if parts else None

    def removed_from(self, text: str) -> str:
        """``text`` with each of the words replaced by ``REDACTED``."""
        if self._pattern is None:
            return text
        for match in reversed(list(self._pattern.finditer(_plain(text)))):
            text = text[:match.start()] + REDACTED + text[match.end():]
        return text


def identifying_words(dataset: Dataset) -> set[str]:
    """Words of a data set that identify somebody: names by part, identifiers as a whole, the birth date as written."""
    found: set[str] = set()
    for element in _identifying(dataset):
        for value in values_of(element):
            text = str(value)
            found |= _parts_of(text) if element.VR == "PN" else {text, re.sub(r"\W", "", text)}
    birth = DATE.fullmatch(str(dataset.get("PatientBirthDate") or ""))
    return found | (set(_written(*birth.groups())) if birth else set())


def _parts_of(name: str) -> set[str]:
    """A person's names one by one; each half of a double name, too, and those with an apostrophe also without it."""
    words = set(re.split(r"[\^=\s,;]+", name))
    return words | {half for word in words for half in (*re.split(r"[\W_]+", word), re.sub(r"[\W_]", "", word))}


def kind_of(dataset: Dataset, tag: BaseTag) -> str:
    """Value representation of an element; empty when nobody knows it, or the file contradicts the standard."""
    given = dataset.get_item(tag).VR
    try:
        usual = dictionary_VR(tag)
    except KeyError:
        return ""
    if given in (None, "UN"):
        return usual
    return given if given in usual else ""


def values_of(element: DataElement) -> list[Any]:
    """The values of an element, however many there are."""
    value = element.value
    if value is None or value == "":
        return []
    return list(value) if isinstance(value, (MultiValue, list, tuple)) else [value]


def _identifying(dataset: Dataset) -> Iterator[DataElement]:
    for tag in dataset.keys():  # noqa: SIM118 (a data set iterates over elements)
        keyword = keyword_for_tag(tag)
        if keyword in profile.IDENTIFYING:
            yield dataset[tag]
        elif keyword not in profile.KEPT and not tag.is_private and kind_of(dataset, tag) == "SQ":
            for item in dataset[tag].value or ():
                yield from _identifying(item)


def _written(year: str, month: str, day: str) -> list[str]:
    """Ways in which a date is written."""
    parts = (f"{day}{{0}}{month}{{0}}{year}", f"{month}{{0}}{day}{{0}}{year}", f"{year}{{0}}{month}{{0}}{day}")
    return [part.format(separator) for part in parts for separator in ("", "-", "/", ".", "_", " ")]


def _plain(text: str) -> str:
    """Lower case without accents, of the same length."""
    return "".join((unicodedata.normalize("NFKD", letter)[0].lower() or letter)[0] for letter in text)


def _is_telling(word: str) -> bool:
    """Whether a word tells who somebody is: not initials (but a Chinese character), not a number of three digits."""
    initial = len(word) == 1 and word.isascii()
    return not initial and not (word.isdigit() and len(word) < 4) and any(letter.isalnum() for letter in word)
