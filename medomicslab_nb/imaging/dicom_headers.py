"""Headers of DICOM files, read safely: whatever the file is, either plain values come back or a named error.

Values are converted once, at the door. A tag that cannot be read (invalid VR, text where a number belongs) is no error
until somebody asks for it.
"""

from __future__ import annotations

import datetime as dt
import math
import struct
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import pydicom
from pydicom import config
from pydicom.dataset import Dataset
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, ImplicitVRLittleEndian

from medomicslab_nb.errors import DataError
from medomicslab_nb.imaging.dicom_values import WANTED, parse_datetime, plain_values, references

_PIXELS = (0x7FE00008, 0x7FE00009, 0x7FE00010)
_UNDEFINED = 0xFFFFFFFF
_LINKS = ("RTSTRUCT", "SEG", "REG", "RTDOSE", "RTPLAN")


@dataclass(frozen=True)
class Header:
    """What the header of one DICOM file says, as plain values.

    Attributes
    ----------
    file : Path
    values : mapping
        Keyword to text, number, tuple of texts or tuple of numbers; tags that are missing or empty are absent.
    unreadable : frozenset of str
        Keywords of tags that are there and cannot be read.
    syntax : str
        UID of the transfer syntax.
    pixels : str
        ``complete``, ``truncated`` or ``absent``.
    series_references, frame_references : frozenset of str
        UIDs of the series and the frames of reference that contours, segmentations or registrations refer to.
    """

    file: Path
    values: Mapping[str, Any]
    unreadable: frozenset[str] = frozenset()
    syntax: str = ""
    pixels: str = "absent"
    series_references: frozenset[str] = field(default=frozenset())
    frame_references: frozenset[str] = field(default=frozenset())

    def text(self, keyword: str) -> str:
        """A text, empty when the tag is missing."""
        return str(self._value(keyword, ""))

    def number(self, keyword: str) -> float | None:
        """A number, None when the tag is missing."""
        value = self._value(keyword, None)
        return None if value is None else float(value)

    def texts(self, keyword: str) -> tuple[str, ...]:
        """The texts of a tag with several values."""
        return tuple(self._value(keyword, ()))

    def numbers(self, keyword: str) -> tuple[float, ...]:
        """The numbers of a tag with several values."""
        return tuple(self._value(keyword, ()))

    def moment(self, date: str, time: str) -> dt.datetime | None:
        """Date and time of two tags, None when either is missing or no date."""
        return parse_datetime(self.text(date) + self.text(time)) if self.text(date) and self.text(time) else None

    @property
    def date(self) -> dt.date | None:
        """The day of the acquisition, or else of the series, the content or the study."""
        for keyword in ("AcquisitionDate", "SeriesDate", "ContentDate", "StudyDate"):
            found = parse_datetime(self.text(keyword)) if keyword not in self.unreadable else None
            if found:
                return found.date()
        return None

    def error(self, found: str, todo: str) -> DataError:
        """An error about this file."""
        return DataError(found, where=f"file {self.file.name}", todo=todo)

    def _value(self, keyword: str, missing: Any) -> Any:
        if keyword in self.unreadable:
            raise self.error(f"the tag {keyword} cannot be read (invalid VR or value)", "Export the file again")
        return self.values.get(keyword, missing)


def read_header(path: Path, *, tags: Sequence[str | int] | None = None) -> Dataset:
    """The data set of a DICOM file without its pixels.

    Files without preamble and meta header are read when what follows is plainly DICOM.

    Parameters
    ----------
    path : Path
    tags : sequence of keywords or tag numbers
        Only these are kept, and SpecificCharacterSet; all when missing.

    Raises
    ------
    DataError
        The file is missing, empty, damaged or no DICOM object.
    """
    with _quiet(), _opened(path) as stream:
        return _read(stream, path, list(tags) if tags is not None else None)


def parse_header(path: Path) -> Header:
    """The plain values of a DICOM file's header, and whether its pixels are all there.

    Raises
    ------
    DataError
        As :func:`read_header`.
    """
    with _quiet():
        return parse_header_aloud(path)


def parse_header_aloud(path: Path) -> Header:
    """As :func:`parse_header`, for callers that silence pydicom's warnings themselves: threads share the filter."""
    with _opened(path) as stream:
        dataset = _read(stream, path, WANTED)
        syntax = str(dataset.file_meta.get("TransferSyntaxUID", ""))
        values, unreadable = plain_values(dataset)
        pixels = _pixels(stream, values, dataset.original_encoding, syntax)
    links = values.get("Modality") in _LINKS
    series, frames = references(dataset) if links else (frozenset(), frozenset())
    return Header(path, values, unreadable, syntax, pixels, series, frames)


def uid_name(uid: str) -> str:
    """What DICOM calls a class or a transfer syntax; never a UID itself, which may lead to a patient."""
    known = UID(uid, validation_mode=config.IGNORE)
    return known.name if known.name != uid else "an unknown object"


# -- reading -----------------------------------------------------------------------------------------------------


def _quiet() -> warnings.catch_warnings[Any]:
    # pydicom warns about every odd value; what matters here becomes an error of its own.
    return warnings.catch_warnings(action="ignore")


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise DataError(f"the file cannot be opened ({error.strerror})", where=f"file {path.name}",
                        todo="Check the path and its permissions") from None


def _read(stream: BinaryIO, path: Path, tags: list[Any] | None) -> Dataset:
    where = f"file {path.name}"
    start = stream.read(132)
    if not start:
        raise DataError("the file is empty (0 bytes)", where=where, todo="Export it again")
    if start[128:] != b"DICM" and not _plausible_start(start):
        raise DataError("the file is no DICOM file", where=where, todo="Leave it out, or export it as DICOM")
    stream.seek(0)
    try:
        dataset = pydicom.dcmread(stream, stop_before_pixels=True, force=True, specific_tags=tags)
        known = str(dataset.get("SOPClassUID", "")) or str(dataset.file_meta.get("MediaStorageSOPClassUID", ""))
    # pydicom meets damage with almost any exception, from EOFError to NotImplementedError and struct.error.
    except Exception as error:
        raise DataError(f"the DICOM header is damaged or cut off ({type(error).__name__})", where=where,
                        todo="Export the file again") from None
    if not known.startswith("1.2.840.10008.") and not UID(known, validation_mode=config.IGNORE).is_valid:
        raise DataError("the file is cut off, or no DICOM object (it does not say what it holds)", where=where,
                        todo="Leave it out, or export it again")
    return dataset


def _plausible_start(start: bytes) -> bool:
    """Whether a file without preamble begins with a tag of group 2 or 8 in either byte order."""
    return len(start) >= 8 and start[:2] in (b"\x02\x00", b"\x08\x00", b"\x00\x08", b"\x00\x02")


def _pixels(stream: BinaryIO, values: Mapping[str, Any], encoding: tuple[bool | None, bool | None],
            syntax: str) -> str:
    """Whether the pixel data that begin at the stream's position end before the file does."""
    if syntax == DeflatedExplicitVRLittleEndian:
        return "complete"
    implicit, little = encoding
    order = "<" if little else ">"
    head = stream.read(12)
    if len(head) < 12:
        return "absent"
    group, element = struct.unpack(order + "HH", head[:4])
    if group << 16 | element not in _PIXELS:
        return "absent"
    if implicit or syntax == ImplicitVRLittleEndian:
        length = struct.unpack(order + "I", head[4:8])[0]
        stream.seek(-4, 1)
    else:
        length = struct.unpack(order + "I", head[8:12])[0]
    begin = stream.tell()
    end = stream.seek(0, 2)
    if length == _UNDEFINED:
        return "complete" if _delimited(stream, begin, end) else "truncated"
    return "complete" if end - begin >= max(length, _expected_bytes(values)) else "truncated"


def _expected_bytes(values: Mapping[str, Any]) -> int:
    """Bytes that uncompressed pixels take; 0 where the header does not say."""
    counts = [values.get(keyword, 1) for keyword in ("SamplesPerPixel", "NumberOfFrames")]
    sizes = [values.get(keyword, 0) for keyword in ("Rows", "Columns", "BitsAllocated")]
    subsampled = values.get("PhotometricInterpretation", "").endswith("422")
    return int(math.prod(counts) * math.prod(sizes) // (12 if subsampled else 8))


def _delimited(stream: BinaryIO, begin: int, end: int) -> bool:
    """Whether encapsulated pixels run up to their delimiter: a walk over the fragments' lengths."""
    position = begin
    while position + 8 <= end:
        stream.seek(position)
        group, element, length = struct.unpack("<HHI", stream.read(8))
        if (group, element) == (0xFFFE, 0xE0DD):
            return True
        if (group, element) != (0xFFFE, 0xE000):
            return False
        position += 8 + length
    return False
