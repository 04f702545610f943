"""Plain values out of a data set of DICOM: the tags that images, SUV and their links depend on.

Text is decoded and numbers are parsed here, once. It is three times as fast as pydicom's own conversion, whose result
the tests compare; text that is no ASCII goes through pydicom.
"""

from __future__ import annotations

import datetime as dt
import math
import re
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from pydicom.charset import convert_encodings
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import RawDataElement, convert_raw_data_element
from pydicom.dataset import Dataset
from pydicom.tag import Tag

_TEXT = (
    "SOPClassUID SOPInstanceUID StudyInstanceUID SeriesInstanceUID FrameOfReferenceUID PatientID PatientName "
    "PatientBirthDate PatientSex Modality StudyDate SeriesDate SeriesTime AcquisitionDate AcquisitionTime ContentDate "
    "SeriesDescription Manufacturer ManufacturerModelName SoftwareVersions ConvolutionKernel "
    "ScanningSequence SequenceName ContrastBolusAgent PatientPosition PhotometricInterpretation "
    "RescaleType Units DecayCorrection SUVType TimezoneOffsetFromUTC").split()
_NUMBERS = (
    "InstanceNumber Rows Columns SamplesPerPixel NumberOfFrames BitsAllocated BitsStored HighBit "
    "RescaleSlope RescaleIntercept "
    "SliceThickness KVP XRayTubeCurrent EchoTime RepetitionTime InversionTime FlipAngle "
    "MagneticFieldStrength AcquisitionNumber TemporalPositionIdentifier TriggerTime DiffusionBValue "
    "ImagesInAcquisition NumberOfSlices PatientWeight PatientSize ActualFrameDuration FrameReferenceTime").split()
_LISTS = "ImageType CorrectedImage".split()
_SINGLE = "RescaleSlope RescaleIntercept PatientWeight PatientSize RadionuclideTotalDose RadionuclideHalfLife".split()
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
WANTED = [Tag(tag) for tag in (*TAGS, "SpecificCharacterSet", *_PRIVATE_TAGS)]  # type: ignore[arg-type]
"""All tags to read from a file."""

_ESCAPE = b"\x1b"  # begins a change of the character set within a text
_TEXT_VRS = (None, "UN", "AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UI", "UR",
             "UT")


def plain_values(dataset: Dataset) -> tuple[dict[str, Any], frozenset[str]]:
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
        # No such block is a KeyError, a damaged one anything. Where the value is needed, SUV says that it is missing.
        except Exception:  # noqa: S112
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
    if any("_" in part for part in parts):  # a number to Python, none to DICOM
        raise ValueError("underscore")
    values = tuple(float(part) for part in parts)
    if not all(math.isfinite(value) for value in values):
        raise ValueError("not finite")
    return values


def _number(raw: Any, dataset: Dataset) -> float | None:
    values = _vector(raw, dataset)
    return values[0] if values else None


def _single(raw: Any, dataset: Dataset) -> float | None:
    """One number, where a second one would be another value of every voxel."""
    values = _vector(raw, dataset)
    if values and len(values) > 1:
        raise ValueError("several values")
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
    if keyword in _SINGLE:
        return _single
    return _number if keyword in (*_NUMBERS, *_INJECTION_NUMBERS) else _text


_CONVERTERS = {int(tag_for_keyword(keyword) or 0): (keyword, _converter(keyword))
               for keyword in (*_TEXT, *_NUMBERS, *_LISTS, *_VECTORS)}
_INJECTION_CONVERTERS = {int(tag_for_keyword(keyword) or 0): (keyword, _converter(keyword))
                         for keyword in (*_INJECTION_TEXT, *_INJECTION_NUMBERS)}


def references(dataset: Dataset) -> tuple[frozenset[str], frozenset[str]]:
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


def parse_datetime(text: str) -> dt.datetime | None:
    """A DICOM date and time, e.g. ``20200102110000.00``; an offset from UTC is dropped, as for all times here."""
    found = _DATE_TIME.fullmatch(text.strip())
    if not found:
        return None
    year, month, day, hour, minute, second = (int(part or 0) for part in found.groups()[:6])
    try:
        whole = dt.datetime(year, month, day, hour, minute, min(second, 59))  # noqa: DTZ001 - DICOM's are local times
    except ValueError:
        return None
    return whole + dt.timedelta(seconds=float(found.group(7) or 0))
