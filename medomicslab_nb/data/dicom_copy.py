"""A DICOM object without what identifies the patient: new data set from the old one, by the allow-list.

Values on which voxels, coordinates and SUV depend are copied byte by byte.
"""

from __future__ import annotations

import datetime as dt
import re
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import pydicom
from pydicom.datadict import dictionary_description, keyword_for_tag
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag, Tag
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from medomicslab_nb.data import dicom_profile as profile
from medomicslab_nb.data.dicom_names import DATE, Names, identifying_words, kind_of, values_of
from medomicslab_nb.data.text_dates import shift_text
from medomicslab_nb.errors import DataError
from medomicslab_nb.imaging.dicom_headers import read_header
from medomicslab_nb.pseudonyms import Key

_Element = DataElement | RawDataElement

_KEPT = {int(Tag(keyword)): keyword for keyword in profile.KEPT}
_TERMS = {keyword: frozenset(words.split()) for keyword, words in profile.TERMS.items()}
_CODES = frozenset(("CodeValue", "LongCodeValue", "CodingSchemeVersion"))  # eight digits are no date there
_TEXTS = frozenset("AE AS CS LO LT SH ST UC UR UT".split())
_BINARY = frozenset("AT FL FD SL SS SV UL US UV OB OD OF OL OV OW".split())
_NUMBER = re.compile(rb"[\d+\-.eE\\ \0]*")
_DATE_TIME = re.compile(r"(\d{8})((?:\d\d){0,3}(?:\.\d{1,6})?(?:[+-]\d{4})?)")
_TIME = re.compile(r"\d\d(:?\d\d(:?\d\d(\.\d{0,6})?)?)?")  # no longer: digits may be an identifier
_REMEMBERED_BYTES = 2048


class BurnedInText(DataError):
    """Pixels that may show who the patient is."""


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

    def add(self, other: Changes) -> None:
        self.audit.update(other.audit)
        self.flags |= other.flags


class Copier:
    """Makes de-identified copies of one patient's files.

    Parameters
    ----------
    key : Key
    words : iterable of str
        What identifies the patient in any of the files; each file's own header adds to it.
    """

    def __init__(self, key: Key, words: Iterable[str] = ()) -> None:
        self._key = key
        self._words = frozenset(words)
        self._for: tuple[object, ...] = ()

    def copy(self, path: Path) -> tuple[bytes, Changes]:
        """The copy of a file, in the original's transfer syntax, pixels unchanged.

        Raises
        ------
        DataError
            The object has no patient identifier, is of a kind that is not copied, or may show the patient's name in
            its pixels; or it is damaged.
        """
        with quiet():
            dataset = _read(path)
            try:
                _refuse(dataset)
                self._set_up(str(dataset.PatientID), self._words | identifying_words(dataset),
                             str(dataset.get("SpecificCharacterSet")))
                self._changes = Changes()
                copy = self._copied(dataset)
                self._identify(copy, dataset)
                return _written_file(copy, dataset), self._changes
            except (AttributeError, KeyError, NotImplementedError, OverflowError, TypeError, ValueError):
                raise DataError("the object is damaged: it cannot be copied without its identity",
                                where=f"file {path.name}", todo="Export it again") from None

    def _set_up(self, patient: str, words: frozenset[str], charset: str) -> None:
        if self._for == (patient, words, charset):
            return
        self._for = patient, words, charset
        self._pseudonym = self._key.pseudonym(patient)
        self._days = self._key.shift_days(patient)
        self._names = Names(words)
        # Most elements are the same in every slice.
        self._remembered: dict[object, tuple[_Element | None, Changes]] = {}

    def _copied(self, dataset: Dataset) -> Dataset:
        copy = Dataset(parent_encoding=dataset.original_character_set)
        # What is kept as it was read is then written as it was read; otherwise pydicom converts every number.
        copy.set_original_encoding(*dataset.original_encoding, dataset.original_character_set)
        for tag in sorted(dataset.keys()):
            element = self._kept(dataset, tag)
            if element is not None:
                copy[tag] = element
        return copy

    def _identify(self, copy: Dataset, dataset: Dataset) -> None:
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

    def _kept(self, dataset: Dataset, tag: BaseTag) -> _Element | None:
        """What the copy has in the element's place; None for nothing."""
        if tag.is_private:
            return self._private(dataset, tag)
        if int(tag) not in _KEPT:
            self._note(tag, "removed")
            return None
        raw = dataset.get_item(tag)
        small = isinstance(raw, RawDataElement) and isinstance(raw.value, bytes) and len(raw.value) < _REMEMBERED_BYTES
        key = (tag, raw.VR, raw.value) if small else None
        if key not in self._remembered or key is None:
            outer, self._changes = self._changes, Changes()
            element = self._changed(dataset, tag, raw)
            outer, self._changes = self._changes, outer
            if key is None:
                self._changes.add(outer)
                return element
            self._remembered[key] = element, outer
        element, changes = self._remembered[key]
        self._changes.add(changes)
        return element

    def _changed(self, dataset: Dataset, tag: BaseTag, raw: _Element) -> _Element | None:
        kind = kind_of(dataset, tag)
        if kind == "SQ":
            return DataElement(tag, "SQ", Sequence([self._copied(item) for item in dataset[tag].value or ()]))
        if kind in ("DS", "IS"):
            # As they are written; anything else in their place is left out.
            return raw if _NUMBER.fullmatch(_as_bytes(raw)) else self._malformed(tag)
        if kind in _TEXTS:
            return self._text(dataset[tag], raw)
        if kind in ("DA", "DT", "TM", "UI"):
            return self._value(dataset[tag], kind)
        return raw if kind and set(kind.split(" or ")) <= _BINARY else self._malformed(tag)

    def _text(self, element: DataElement, raw: _Element) -> _Element:
        old = [str(value) for value in values_of(element)]
        new = [self._clean(text, _KEPT[int(element.tag)]) for text in old]
        if new == old:
            return raw
        self._note(element.tag, "replaced")
        return DataElement(element.tag, element.VR, new if len(new) > 1 else new[0])

    def _clean(self, text: str, keyword: str) -> str:
        terms = _TERMS.get(keyword)
        if keyword == "SpecificCharacterSet" or (terms and set(text.split()) <= terms):
            return text
        clean = self._names.removed_from(text)
        if clean != text:
            self._changes.flags.add(("name in a text", f"{keyword} named the patient or another person"))
        return shift_text(clean, self._days, compact=keyword not in _CODES)

    def _value(self, element: DataElement, kind: str) -> _Element | None:
        """Dates, times and UIDs; a value that is none is left out."""
        change = {"DA": self._date, "DT": self._date_time, "TM": _time, "UI": self._key.uid}[kind]
        old = [str(value).strip(" \0") for value in values_of(element)]
        new = [change(value) if value else "" for value in old]
        if None in new:
            return self._malformed(element.tag)
        if new != old:
            self._note(element.tag, "new UID" if kind == "UI" else "shifted")
        return DataElement(element.tag, kind, new if len(new) > 1 else new[0] if new else "")

    def _date(self, text: str) -> str | None:
        match = DATE.fullmatch(text)
        try:
            date = dt.date(*map(int, match.groups())) if match else None
        except ValueError:
            date = None
        return f"{date + dt.timedelta(days=self._days):%Y%m%d}" if date else None

    def _date_time(self, text: str) -> str | None:
        match = _DATE_TIME.fullmatch(text)
        date = self._date(match[1]) if match else None
        return f"{date}{match[2]}" if match and date else None

    def _private(self, dataset: Dataset, tag: BaseTag) -> _Element | None:
        """What SUV depends on goes along; everything else that is private is left out (bad inputs 34 and 85)."""
        creator = _creator(dataset, tag)
        safe = profile.PRIVATE.get((tag.group, creator), {})
        if safe and tag.is_private_creator:
            return DataElement(tag, "LO", creator)
        if tag.element & 0xFF in safe and tag.element > 0xFF:
            return self._safe_private(dataset[tag], safe[tag.element & 0xFF])
        self._note(tag, "removed")
        if not tag.is_private_creator:
            self._changes.flags.add(("private elements", "the original had private elements; they were left out"))
        return None

    def _safe_private(self, element: DataElement, kind: str) -> _Element | None:
        text = _as_bytes(element).decode("ascii", "replace").strip(" \0")
        value = self._date_time(text) if kind == "DT" else text if _NUMBER.fullmatch(text.encode()) else None
        return self._malformed(element.tag) if value is None else DataElement(element.tag, kind, value)

    def _malformed(self, tag: BaseTag) -> None:
        self._note(tag, "removed")
        self._changes.flags.add(("malformed value", f"{keyword_for_tag(tag) or 'a private element'} held no value of "
                                "its kind and was left out"))

    def _note(self, tag: BaseTag, action: str) -> None:
        self._changes.audit[*_name_of(tag), action] += 1


@contextmanager
def quiet() -> Iterator[None]:
    """Without pydicom's complaints: vendors' files break rules for lengths and characters, and so do their copies."""
    with warnings.catch_warnings(action="ignore"), pydicom.config.disable_value_validation():
        yield


def _read(path: Path) -> FileDataset:
    try:
        return pydicom.dcmread(path, force=True)
    except Exception as error:
        read_header(path)  # whose errors say more
        raise DataError(f"the object is damaged ({type(error).__name__})", where=f"file {path.name}",
                        todo="Export it again") from None


def _refuse(dataset: Dataset) -> None:
    """Refuse objects that cannot be freed of what identifies the patient."""
    if not str(dataset.get("PatientID") or "").strip():
        raise DataError("it has no patient identifier", where="DICOM object", todo="Export it with the identifier")
    if str(dataset.get("Modality")) not in profile.MODALITIES:
        raise DataError("objects of this modality are not copied", where="DICOM object",
                        todo="Choose CT, MR or PET images, RTSTRUCT, SEG, RTDOSE and REG")
    if str(dataset.get("BurnedInAnnotation", "")).strip().upper() == "YES" or "ConversionType" in dataset:
        raise BurnedInText("it may show the patient's name in its pixels (burned-in text, screen shots)",
                           where="DICOM object", todo="Leave it out, or remove the text with another program first")


def _as_bytes(element: DataElement | RawDataElement) -> bytes:
    """A value of numbers as the text that stands, or would stand, in the file."""
    if isinstance(element.value, bytes):
        return element.value
    return "\\".join(str(getattr(value, "original_string", value)) for value in values_of(element)).encode()


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
    implicit, little = dataset.original_encoding
    explicit = ExplicitVRLittleEndian if little else ExplicitVRBigEndian
    meta.TransferSyntaxUID = getattr(dataset, "file_meta", {}).get("TransferSyntaxUID") or (
        ImplicitVRLittleEndian if implicit else explicit)
    copy.file_meta = meta
    stream = BytesIO()
    copy.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def _time(text: str) -> str | None:
    return text if _TIME.fullmatch(text) else None


