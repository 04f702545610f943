"""A DICOM object without what identifies the patient: new data set from the old one, by the allow-list.

Values on which voxels, coordinates and SUV depend are copied byte by byte.
"""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import pydicom
from pydicom.datadict import dictionary_description, dictionary_VR, keyword_for_tag
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag, Tag
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from medomicslab_nb.data import dicom_profile as profile
from medomicslab_nb.data.pseudonyms import Key
from medomicslab_nb.data.text_dates import shift_text
from medomicslab_nb.errors import DataError
from medomicslab_nb.imaging.dicom_headers import read_header

REDACTED = "REDACTED"
"""Stands where a text named the patient; short enough for every element, and a legal code string."""

_KEPT = {int(Tag(keyword)): keyword for keyword in profile.KEPT}
_TERMS = {keyword: frozenset(words.split()) for keyword, words in profile.TERMS.items()}
_CODES = frozenset(("CodeValue", "LongCodeValue", "CodingSchemeVersion"))  # eight digits are no date there
_TEXTS = frozenset("AE AS CS LO LT SH ST UC UR UT".split())
_BINARY = frozenset("AT FL FD SL SS SV UL US UV OB OD OF OL OV OW".split())
_NUMBER = re.compile(rb"[\d+\-.eE\\ \0]*")
_DATE = re.compile(r"(\d{4})[.-]?(\d\d)[.-]?(\d\d)")
_DATE_TIME = re.compile(r"(\d{8})((?:\d\d){0,3}(?:\.\d{1,6})?(?:[+-]\d{4})?)")
_TIME = re.compile(r"[\d:.]*")
_SUBSTRING = 5  # letters from which a name is looked for inside of words, too


@dataclass
class Changes:
    """What was done to an object, without any value.

    Attributes
    ----------
    audit : Counter
        How often each (tag, name, action) occurred; actions are removed, replaced, new UID and shifted.
    flags : set of (flag, finding)
        What a person should look at.
    """

    audit: Counter[tuple[str, ...]] = field(default_factory=Counter)
    flags: set[tuple[str, str]] = field(default_factory=set)


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


def identifying_words(path: Path) -> set[str]:
    """Words of a file that identify somebody: names by part, identifiers as a whole, the birth date as written.

    Raises
    ------
    DataError
        The file is damaged.
    """
    with _quiet():
        return _words(read_header(path))


def _words(dataset: Dataset) -> set[str]:
    found: set[str] = set()
    for element in _identifying(dataset):
        for value in _values(element):
            text = str(value)
            found |= set(re.split(r"[\^=\s,;]+", text)) if element.VR == "PN" else {text, re.sub(r"\W", "", text)}
    birth = _DATE.fullmatch(str(dataset.get("PatientBirthDate") or ""))
    return found | (set(_written(*birth.groups())) if birth else set())


def copy_without_identity(dataset: FileDataset, key: Key, words: Iterable[str] = ()) -> tuple[bytes, Changes]:
    """The file of a de-identified copy.

    Parameters
    ----------
    dataset : FileDataset
        As read from a file, pixels included.
    key : Key
    words : iterable of str
        Further words that identify the patient, from other files.

    Returns
    -------
    bytes
        A DICOM file in the original's transfer syntax, pixels unchanged.
    Changes

    Raises
    ------
    DataError
        The object has no patient identifier, is of a kind that is not copied, or shows the patient's name in its
        pixels; or it is damaged.
    """
    with _quiet():
        try:
            _refuse(dataset)
            copier = _Copier(key, str(dataset.PatientID), Names(_words(dataset) | set(words)))
            copy = copier.copied(dataset)
            copier.identify(copy, dataset)
            return _written_file(copy, dataset), copier.changes
        except (AttributeError, KeyError, NotImplementedError, OverflowError, TypeError, ValueError):
            raise DataError("the object is damaged: it cannot be copied without its identity", where="DICOM object",
                            todo="Export it again") from None


@contextmanager
def _quiet() -> Iterator[None]:
    # Vendors' files break rules for lengths and characters; the copy is as good as the original.
    with warnings.catch_warnings(action="ignore"), pydicom.config.disable_value_validation():
        yield


class _Copier:
    """Copies data sets at every depth and notes what it does."""

    def __init__(self, key: Key, patient: str, names: Names) -> None:
        self.changes = Changes()
        self._key = key
        self._pseudonym = key.pseudonym(patient)
        self._days = key.shift_days(patient)
        self._names = names

    def copied(self, dataset: Dataset) -> Dataset:
        copy = Dataset()
        for tag in sorted(dataset.keys()):
            if tag.is_private:
                self._private(dataset, tag, copy)
            elif int(tag) in _KEPT:
                self._kept(dataset, tag, copy)
            else:
                self._note(tag, "removed")
        return copy

    def identify(self, copy: Dataset, dataset: Dataset) -> None:
        """Give the copy its new identity, and say in it what was done."""
        for keyword in profile.EMPTY:
            setattr(copy, keyword, "")
        for keyword, value in profile.REPLACED.items():
            if keyword in dataset:
                setattr(copy, keyword, value)
        copy.PatientName = copy.PatientID = self._pseudonym
        copy.PatientIdentityRemoved = "YES"
        copy.DeidentificationMethod = profile.METHOD
        codes = [*profile.METHOD_CODES, *([profile.SAFE_PRIVATE_CODE] if _has_private(copy) else [])]
        copy.DeidentificationMethodCodeSequence = Sequence([_code(*code) for code in codes])
        copy.LongitudinalTemporalInformationModified = "MODIFIED"

    def _kept(self, dataset: Dataset, tag: BaseTag, copy: Dataset) -> None:
        keyword, kind = _KEPT[int(tag)], _kind(dataset, tag)
        if kind == "SQ":
            copy.add_new(tag, "SQ", Sequence([self.copied(item) for item in dataset[tag].value or ()]))
        elif kind in ("DS", "IS"):
            self._number(dataset, tag, copy)
        elif kind in _TEXTS:
            self._text(dataset[tag], keyword, copy)
        elif kind in ("DA", "DT", "TM", "UI"):
            self._changed(dataset[tag], kind, copy)
        elif set(kind.split(" or ")) <= _BINARY:
            copy[tag] = dataset.get_item(tag)
        else:
            self._malformed(tag)

    def _number(self, dataset: Dataset, tag: BaseTag, copy: Dataset) -> None:
        """Numbers written as text, as they are written; anything else in their place is left out."""
        element = dataset.get_item(tag)
        if _NUMBER.fullmatch(_as_bytes(element)):
            copy[tag] = element
        else:
            self._malformed(tag)

    def _text(self, element: DataElement, keyword: str, copy: Dataset) -> None:
        values = [self._clean(str(value), keyword) for value in _values(element)]
        if values != [str(value) for value in _values(element)]:
            self._note(element.tag, "replaced")
        copy.add_new(element.tag, element.VR, values if len(values) > 1 else values[0] if values else "")

    def _clean(self, text: str, keyword: str) -> str:
        terms = _TERMS.get(keyword)
        if keyword == "SpecificCharacterSet" or (terms and set(text.split()) <= terms):
            return text
        clean = self._names.removed_from(text)
        if clean != text:
            self.changes.flags.add(("name in a text", f"{keyword} named the patient or another person"))
        return clean if keyword in _CODES else shift_text(clean, self._days, compact=True)

    def _changed(self, element: DataElement, kind: str, copy: Dataset) -> None:
        """Dates, times and UIDs; a value that is none is left out."""
        change = {"DA": self._date, "DT": self._date_time, "TM": _time, "UI": self._key.uid}[kind]
        old = [str(value).strip(" \0") for value in _values(element)]
        new = [change(value) if value else "" for value in old]
        if None in new:
            self._malformed(element.tag)
            return
        if new != old:
            self._note(element.tag, "new UID" if kind == "UI" else "shifted")
        copy.add_new(element.tag, kind, new if len(new) > 1 else new[0] if new else "")

    def _date(self, text: str) -> str | None:
        match = _DATE.fullmatch(text)
        try:
            date = dt.date(*map(int, match.groups())) if match else None
        except ValueError:
            date = None
        return f"{date + dt.timedelta(days=self._days):%Y%m%d}" if date else None

    def _date_time(self, text: str) -> str | None:
        match = _DATE_TIME.fullmatch(text)
        date = self._date(match[1]) if match else None
        return f"{date}{match[2]}" if match and date else None

    def _private(self, dataset: Dataset, tag: BaseTag, copy: Dataset) -> None:
        """What SUV depends on goes along; everything else that is private is left out (bad inputs 34 and 85)."""
        creator = _creator(dataset, tag)
        safe = profile.PRIVATE.get((tag.group, creator), {})
        if safe and tag.is_private_creator:
            copy.add_new(tag, "LO", creator)
        elif tag.element & 0xFF in safe and tag.element > 0xFF:
            self._safe_private(dataset[tag], safe[tag.element & 0xFF], copy)
        else:
            self._note(tag, "removed")
            if not tag.is_private_creator:
                self.changes.flags.add(("private elements", "the original had private elements; they were left out"))

    def _safe_private(self, element: DataElement, kind: str, copy: Dataset) -> None:
        text = _as_bytes(element).decode("ascii", "replace").strip(" \0")
        value = self._date_time(text) if kind == "DT" else text if _NUMBER.fullmatch(text.encode()) else None
        if value is None:
            self._malformed(element.tag)
        else:
            copy.add_new(element.tag, kind, value)

    def _malformed(self, tag: BaseTag) -> None:
        self._note(tag, "removed")
        self.changes.flags.add(("malformed value", f"{keyword_for_tag(tag) or 'a private element'} held no value of "
                                "its kind and was left out"))

    def _note(self, tag: BaseTag, action: str) -> None:
        self.changes.audit[*_name_of(tag), action] += 1


def _refuse(dataset: Dataset) -> None:
    """Refuse objects that cannot be freed of what identifies the patient."""
    if not str(dataset.get("PatientID") or "").strip():
        raise DataError("it has no patient identifier", where="DICOM object", todo="Export it with the identifier")
    if str(dataset.get("Modality")) not in profile.MODALITIES:
        raise DataError("objects of this modality are not copied", where="DICOM object",
                        todo="Choose CT, MR or PET images, RTSTRUCT, SEG, RTDOSE and REG")
    if str(dataset.get("BurnedInAnnotation", "")).strip().upper() == "YES" or "ConversionType" in dataset:
        raise DataError("it may show the patient's name in its pixels (burned-in text, screen shots)",
                        where="DICOM object", todo="Leave it out, or remove the text with another program first")


def _identifying(dataset: Dataset) -> Iterator[DataElement]:
    for tag in dataset.keys():  # noqa: SIM118 (a data set iterates over elements)
        keyword = keyword_for_tag(tag)
        if keyword in profile.IDENTIFYING:
            yield dataset[tag]
        elif keyword not in profile.KEPT and not tag.is_private and _kind(dataset, tag) == "SQ":
            for item in dataset[tag].value or ():
                yield from _identifying(item)


def _kind(dataset: Dataset, tag: BaseTag) -> str:
    """Value representation of an element; empty when nobody knows it, or the file contradicts the standard."""
    given = dataset.get_item(tag).VR
    try:
        usual = dictionary_VR(tag)
    except KeyError:
        return ""
    if given in (None, "UN"):
        return usual
    return given if given in usual else ""


def _values(element: DataElement) -> list[Any]:
    value = element.value
    if value is None or value == "":
        return []
    return list(value) if isinstance(value, (MultiValue, list, tuple)) else [value]


def _as_bytes(element: DataElement | RawDataElement) -> bytes:
    """A value of numbers as the text that stands, or would stand, in the file."""
    if isinstance(element.value, bytes):
        return element.value
    return "\\".join(str(getattr(value, "original_string", value)) for value in _values(element)).encode()


def _creator(dataset: Dataset, tag: BaseTag) -> str:
    """Who reserved the block of a private element, or which creator it names."""
    block = tag if tag.is_private_creator else Tag(tag.group, tag.element >> 8)
    return str(dataset[block].value).strip() if block in dataset else ""


def _has_private(dataset: Dataset) -> bool:
    return any(tag.is_private for tag in dataset.keys())  # noqa: SIM118 (a data set iterates over elements)


def _name_of(tag: BaseTag) -> tuple[str, str]:
    """Tag and name of an element; the names of private ones may be anything and are not repeated."""
    text = f"({tag.group:04X},{tag.element:04X})"
    if tag.is_private:
        return text, "private"
    try:
        return text, dictionary_description(tag)
    except KeyError:
        return text, "unknown"


def _code(value: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "DCM", meaning
    return item


def _written_file(copy: Dataset, dataset: FileDataset) -> bytes:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = copy.SOPClassUID, copy.SOPInstanceUID
    implicit, _ = dataset.original_encoding
    meta.TransferSyntaxUID = getattr(dataset, "file_meta", {}).get("TransferSyntaxUID") or (
        ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian)
    copy.file_meta = meta
    stream = BytesIO()
    copy.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def _time(text: str) -> str | None:
    return text if _TIME.fullmatch(text) else None


def _written(year: str, month: str, day: str) -> list[str]:
    """Ways in which a date is written."""
    parts = (f"{day}{{0}}{month}{{0}}{year}", f"{month}{{0}}{day}{{0}}{year}", f"{year}{{0}}{month}{{0}}{day}")
    return [part.format(separator) for part in parts for separator in ("", "-", "/", ".", "_", " ")]


def _plain(text: str) -> str:
    """Lower case without accents, of the same length."""
    return "".join((unicodedata.normalize("NFKD", letter)[0].lower() or letter)[0] for letter in text)


def _is_telling(word: str) -> bool:
    """Whether a word tells who somebody is: not initials, and not a number of three digits."""
    return len(word) > 1 and not (word.isdigit() and len(word) < 4) and any(letter.isalnum() for letter in word)
