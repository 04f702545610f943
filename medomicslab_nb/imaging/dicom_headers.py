"""Headers of DICOM files, read safely: whatever the file is, either plain values come back or a named error.

Values are converted once, at the door. A tag that cannot be read (invalid VR, text where a number belongs) is no error
until somebody asks for it.
"""

from __future__ import annotations

import datetime as dt
import math
import re
import struct
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

import pydicom
from pydicom.charset import convert_encodings
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import RawDataElement, convert_raw_data_element
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, ImplicitVRLittleEndian

from medomicslab_nb.errors import DataError

_TEXT = (
    "SOPClassUID SOPInstanceUID StudyInstanceUID SeriesInstanceUID FrameOfReferenceUID PatientID PatientName "
    "PatientBirthDate PatientSex Modality StudyDate SeriesDate SeriesTime AcquisitionDate AcquisitionTime ContentDate "
    "StudyDescription SeriesDescription Manufacturer ManufacturerModelName SoftwareVersions ConvolutionKernel "
    "ScanningSequence SequenceName ProtocolName ContrastBolusAgent PatientPosition PhotometricInterpretation "
    "RescaleType Units DecayCorrection SUVType BurnedInAnnotation").split()
_NUMBERS = (
    "InstanceNumber Rows Columns SamplesPerPixel NumberOfFrames BitsAllocated RescaleSlope RescaleIntercept "
    "SliceThickness SpacingBetweenSlices KVP XRayTubeCurrent EchoTime RepetitionTime InversionTime FlipAngle "
    "MagneticFieldStrength AcquisitionNumber TemporalPositionIdentifier TriggerTime DiffusionBValue "
    "ImagesInAcquisition NumberOfSlices PatientWeight PatientSize ActualFrameDuration FrameReferenceTime "
    "GantryDetectorTilt").split()
_LISTS = "ImageType CorrectedImage SeriesType".split()
_VECTORS = "ImagePositionPatient ImageOrientationPatient PixelSpacing".split()
_INJECTION_TEXT = "Radiopharmaceutical RadiopharmaceuticalStartTime RadiopharmaceuticalStartDateTime".split()
_INJECTION_NUMBERS = "RadionuclideTotalDose RadionuclideHalfLife".split()
_INJECTION = "RadiopharmaceuticalInformationSequence"
_REFERENCES = ("ReferencedFrameOfReferenceSequence", "ReferencedSeriesSequence", "RegistrationSequence")
_PRIVATE = {(0x0009, "GEMS_PETD_01", 0x0D): "GEScanDateTime",
            (0x7053, "Philips PET Private Group", 0x00): "PhilipsSUVFactor",
            (0x7053, "Philips PET Private Group", 0x09): "PhilipsActivityFactor"}
TAGS: tuple[str, ...] = (*_TEXT, *_NUMBERS, *_LISTS, *_VECTORS, _INJECTION, *_REFERENCES)
"""Keywords of the public tags that images, SUV and their links depend on."""

# Vendors' blocks are reserved at 0x10 to 0x13 in practice; a fourth vendor in one group was never seen.
_PRIVATE_TAGS = [group << 16 | element for group, offsets in ((0x0009, (0x0D,)), (0x7053, (0x00, 0x09)))
                 for block in range(0x10, 0x14) for element in (block, *(block << 8 | low for low in offsets))]
_WANTED = [Tag(tag) for tag in (*TAGS, "SpecificCharacterSet", *_PRIVATE_TAGS)]
_ESCAPE = b"\x1b"  # begins a change of the character set within a text
_TEXT_VRS = (None, "UN", "AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UI", "UR",
             "UT")
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
        return _moment(self.text(date) + self.text(time)) if self.text(date) and self.text(time) else None

    @property
    def date(self) -> dt.date | None:
        """The day of the acquisition, or else of the series, the content or the study."""
        for keyword in ("AcquisitionDate", "SeriesDate", "ContentDate", "StudyDate"):
            found = _moment(self.text(keyword)) if keyword not in self.unreadable else None
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
        dataset = _read(stream, path, _WANTED)
        syntax = str(dataset.file_meta.get("TransferSyntaxUID", ""))
        values, unreadable = _values(dataset)
        pixels = _pixels(stream, values, dataset.original_encoding, syntax)
    links = values.get("Modality") in _LINKS
    series, frames = _references(dataset) if links else (frozenset(), frozenset())
    return Header(path, values, unreadable, syntax, pixels, series, frames)


def parse_datetime(text: str) -> dt.datetime | None:
    """A DICOM date and time, e.g. ``20200102110000.00``; an offset from UTC is dropped, as for all times here."""
    return _moment(text)


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
    if not known.startswith("1.2.840.10008.") and not UID(known).is_valid:
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


# -- values ------------------------------------------------------------------------------------------------------


def _values(dataset: Dataset) -> tuple[dict[str, Any], frozenset[str]]:
    """The wanted tags as plain values, and the keywords of those that cannot be converted."""
    values: dict[str, Any] = {}
    unreadable = set()
    # One after the other: what only PET has is looked for when the modality is known.
    for keyword, convert, raw in chain(_image_items(dataset), _pet_items(dataset, values)):
        try:
            value = convert(raw, dataset)
            if value is not None:
                values[keyword] = value
        # pydicom meets an invalid VR or value with many exceptions, our own conversion with ValueError or struct.error.
        except Exception:
            unreadable.add(keyword)
    return values, frozenset(unreadable)


def _image_items(dataset: Dataset) -> Iterator[tuple[str, Callable[[Any, Dataset], Any], Any]]:
    for tag, raw in dataset.items():
        if tag in _CONVERTERS:
            yield *_CONVERTERS[tag], raw


def _pet_items(dataset: Dataset, values: Mapping[str, Any]) -> Iterator[tuple[str, Callable[[Any, Dataset], Any], Any]]:
    if values.get("Modality") != "PT":
        return
    for (group, creator, offset), name in _PRIVATE.items():
        try:
            tag = dataset.private_block(group, creator).get_tag(offset)
        except KeyError:
            continue
        if tag in dataset:
            yield name, _text, dataset.get_item(tag)
    # A damaged sequence fails here as a whole; without injection SUV asks and says so.
    injections = _items(dataset, _INJECTION)
    if injections:
        yield "Injections", lambda raw, _: len(raw), injections
        for tag, raw in injections[0].items():
            if tag in _INJECTION_CONVERTERS:
                yield *_INJECTION_CONVERTERS[tag], raw


def _texts(raw: Any, dataset: Dataset) -> tuple[str, ...] | None:
    """The parts of a text element: plain ASCII directly, which is three times as fast; other text through pydicom."""
    if isinstance(raw, RawDataElement) and raw.VR not in _TEXT_VRS:
        raise ValueError(f"VR {raw.VR}")
    content = raw.value
    if isinstance(content, bytes) and content.isascii() and _ESCAPE not in content:
        text = content.decode("ascii").strip(" \0")
        return tuple(part.strip() for part in text.split("\\")) if text else None
    if isinstance(content, bytes):
        codes = dataset.get("SpecificCharacterSet") or "ISO_IR 6"
        content = convert_raw_data_element(raw, encoding=convert_encodings(codes)).value
    return None if content is None else tuple(str(part).strip() for part in _several(content)) or None


def _several(content: Any) -> Sequence[Any]:
    return content if isinstance(content, Sequence) and not isinstance(content, str) else [content]


def _text(raw: Any, dataset: Dataset) -> str | None:
    parts = _texts(raw, dataset)
    return "\\".join(parts) if parts else None


def _vector(raw: Any, dataset: Dataset) -> tuple[float, ...] | None:
    parts = _texts(raw, dataset)
    if parts is None:
        return None
    values = tuple(float(part) for part in parts)
    if not all(math.isfinite(value) for value in values):
        raise ValueError("not finite")
    return values


def _number(raw: Any, dataset: Dataset) -> float | None:
    values = _vector(raw, dataset)
    return values[0] if values else None


def _binary(letter: str, vr: str) -> Callable[[Any, Dataset], float | None]:
    size = struct.calcsize(letter)

    def convert(raw: Any, _: Dataset) -> float | None:
        if raw.VR not in (None, "UN", vr):
            raise ValueError(f"VR {raw.VR}")
        if raw.value in (None, b"", ""):
            return None
        if not isinstance(raw, RawDataElement):
            return float(raw.value)
        return float(struct.unpack(("<" if raw.is_little_endian else ">") + letter, raw.value[:size])[0])

    return convert


def _converter(keyword: str) -> Callable[[Any, Dataset], Any]:
    binary = {"US": "H", "FD": "d"}
    vr = dictionary_VR(tag_for_keyword(keyword) or 0)
    if vr in binary:
        return _binary(binary[vr], vr)
    if keyword in _LISTS:
        return _texts
    if keyword in _VECTORS:
        return _vector
    return _number if keyword in (*_NUMBERS, *_INJECTION_NUMBERS) else _text


_CONVERTERS = {int(tag_for_keyword(keyword) or 0): (keyword, _converter(keyword))
               for keyword in (*_TEXT, *_NUMBERS, *_LISTS, *_VECTORS)}
_INJECTION_CONVERTERS = {int(tag_for_keyword(keyword) or 0): (keyword, _converter(keyword))
                         for keyword in (*_INJECTION_TEXT, *_INJECTION_NUMBERS)}


def _references(dataset: Dataset) -> tuple[frozenset[str], frozenset[str]]:
    """UIDs of series and of frames of reference anywhere below the tags that refer to others."""
    series: set[str] = set()
    frames: set[str] = set()
    stack = [item for keyword in _REFERENCES for item in _items(dataset, keyword)]
    while stack:
        item = stack.pop()
        series.add(str(item.get("SeriesInstanceUID", "")))
        frames.add(str(item.get("FrameOfReferenceUID", "")))
        for keyword in ("RTReferencedStudySequence", "RTReferencedSeriesSequence"):
            stack += _items(item, keyword)
    return frozenset(series - {""}), frozenset(frames - {""})


def _items(dataset: Dataset, keyword: str) -> list[Dataset]:
    try:
        return list(dataset.get(keyword) or ())
    except Exception:
        return []


_DATE_TIME = re.compile(r"(\d{4})[.-]?(\d\d)[.-]?(\d\d)(?:(\d\d):?(\d\d)?:?(\d\d)?(\.\d{1,6})?)?\s*(?:[+-]\d{4})?")


def _moment(text: str) -> dt.datetime | None:
    found = _DATE_TIME.fullmatch(text.strip())
    if not found:
        return None
    year, month, day, hour, minute, second = (int(part or 0) for part in found.groups()[:6])
    try:
        whole = dt.datetime(year, month, day, hour, minute, min(second, 59))  # noqa: DTZ001 - DICOM's are local times
    except ValueError:
        return None
    return whole + dt.timedelta(seconds=float(found.group(7) or 0))
