"""One volume out of the slices of a series, or the reason why they are none.

What passes here is a stack of parallel slices of one patient, one series and one frame of reference, of which no voxel
lies farther than 0.1 mm from its place on a regular grid. Libraries read most broken series in silence.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from medomicslab_nb.errors import DataError
from medomicslab_nb.imaging.dicom_headers import Header, uid_name
from medomicslab_nb.imaging.geometry import Geometry

TOLERANCE_MM = 0.1
"""How far a voxel may lie from its place on the regular grid; positions are often written with one decimal."""

_STEP_TOLERANCE = 0.1  # of the distance of the slices: thin slices need a tighter limit
_SAME_PLACE_MM = 0.01
_AGAIN = "Export the whole series again from the PACS"
_PLAIN = "Export the series with plain values (MONOCHROME2, HighBit one less than BitsStored)"
_CLASSES = {"1.2.840.10008.5.1.4.1.1.2": "CT", "1.2.840.10008.5.1.4.1.1.4": "MR",
            "1.2.840.10008.5.1.4.1.1.128": "PT"}
_MULTI_FRAME = {"1.2.840.10008.5.1.4.1.1.2.1", "1.2.840.10008.5.1.4.1.1.2.2", "1.2.840.10008.5.1.4.1.1.4.1",
                "1.2.840.10008.5.1.4.1.1.4.4", "1.2.840.10008.5.1.4.1.1.130", "1.2.840.10008.5.1.4.1.1.128.1"}
# Values of ImageType that say that pixels are no measured slice.
_NO_SLICE = {"LOCALIZER": "a localiser (scout)", "SCREEN SAVE": "a screen shot", "DOSE_INFO": "a dose report",
             "PROJECTION IMAGE": "a projection", "MIP": "a projection", "MINIP": "a projection",
             "MIN IP": "a projection"}


def order_slices(headers: Sequence[Header]) -> tuple[tuple[Header, ...], Geometry]:
    """The slices in the order of their places, and the grid that they make.

    Slices ascend along the cross product of the row and the column direction, so the grid is never mirrored. Where a
    voxel lies follows from ImagePositionPatient and ImageOrientationPatient only; PatientPosition does not matter.

    Parameters
    ----------
    headers : sequence of Header
        All slices of one series, in any order.

    Raises
    ------
    DataError
        The slices are not one regular volume; the message names a file, what is wrong with it, and what to do.
    """
    if not headers:
        raise DataError("no files were given", where="series", todo="Choose a series")
    headers = sorted(headers, key=lambda header: header.file.name)
    if len(headers) == 1:
        check_slice(headers[0])
        raise headers[0].error("a volume needs at least two slices, and this one is alone", _AGAIN)
    _identity(headers)
    _same(headers, "Modality", "another modality", "Import the modalities apart")
    for header in headers:
        check_slice(header)
    _same(headers, ("Rows", "Columns"), "another matrix size", _AGAIN)
    orientation, normal = _orientation(headers)
    spacing = _pixel_spacing(headers)
    places = np.array([_vector(header, "ImagePositionPatient", 3) for header in headers])
    order = np.argsort(places @ normal, kind="stable")
    ordered = tuple(headers[i] for i in order)
    places = places[order]
    _repeated(ordered, places @ normal)
    _sideways(ordered, places, normal)
    step = _step(ordered, places @ normal)
    rows, columns = int(headers[0].values["Rows"]), int(headers[0].values["Columns"])
    direction = np.column_stack([*orientation, normal]).ravel()
    geometry = Geometry((columns, rows, len(ordered)), (spacing[1], spacing[0], step), tuple(places[0].tolist()),
                        tuple(direction.tolist()))
    return ordered, geometry


def check_slice(header: Header) -> None:
    """Whether one file is a slice of CT, MR or PET with all its pixels.

    Raises
    ------
    DataError
        It is something else, or its pixels are cut off.
    """
    kind = header.text("SOPClassUID")
    if kind in _MULTI_FRAME or (header.number("NumberOfFrames") or 1) > 1:
        raise header.error("it holds many frames (an enhanced or multi-frame object), which is not supported",
                           "Export the series as classic CT, MR or PET, one file per slice")
    if kind not in _CLASSES:
        raise header.error(f"{uid_name(kind)} is no CT, MR or PET image", "Leave this series out")
    if header.text("Modality") != _CLASSES[kind]:
        # The modality decides on the unit: a PET that calls itself CT would be measured in HU.
        raise header.error(f"its modality '{header.text('Modality')}' contradicts what it is, {uid_name(kind)}", _AGAIN)
    for value in header.texts("ImageType"):
        if value.upper() in _NO_SLICE:
            raise header.error(f"it is {_NO_SLICE[value.upper()]}, not a slice", "Leave it out")
    if (header.number("SamplesPerPixel") or 1) != 1:
        raise header.error("it is a colour image", "Leave it out: colours are no measured values")
    if header.text("PhotometricInterpretation") == "MONOCHROME1":
        # Meant for the display only; SimpleITK turns the values themselves around.
        raise header.error("its grey values are stored for an inverted display (MONOCHROME1)", _PLAIN)
    stored, highest = header.number("BitsStored"), header.number("HighBit")
    if stored is not None and highest is not None and highest != stored - 1:
        raise header.error(f"its values do not begin at the lowest bit (HighBit {highest:g} of {stored:g} bits)",
                           _PLAIN)
    if header.pixels != "complete":
        found = "the file is cut off: pixels are missing" if header.pixels == "truncated" else "it holds no pixels"
        raise header.error(found, "Copy or export the file again")
    if not header.number("Rows") or not header.number("Columns"):
        raise header.error("it does not say how many rows and columns it has", _AGAIN)


def end_warnings(headers: Sequence[Header]) -> tuple[str, ...]:
    """Signs that slices are missing at an end, which the places of the others cannot show.

    Parameters
    ----------
    headers : sequence of Header
        Slices that :func:`order_slices` accepts.
    """
    found = []
    count = len(headers)
    for keyword in ("NumberOfSlices", "ImagesInAcquisition"):
        said = {_number_or_none(header, keyword) for header in headers} - {None}
        if len(said) == 1 and (expected := int(said.pop() or 0)) > count:
            found.append(f"{keyword} says {expected} slices, {count} are there: slices may be missing at an end")
    numbers = sorted(int(number) for header in headers
                     if (number := _number_or_none(header, "InstanceNumber")) is not None)
    if len(set(numbers)) == count and numbers[-1] - numbers[0] >= count:
        found.append(f"InstanceNumber runs from {numbers[0]} to {numbers[-1]}, {count} slices are there: "
                     "slices may be missing at an end")
    return tuple(found)


# -- identity ----------------------------------------------------------------------------------------------------


def _identity(headers: Sequence[Header]) -> None:
    _same(headers, "SeriesInstanceUID", "another series", "Import each series for itself")
    for keyword in ("PatientID", "PatientName", "PatientBirthDate", "PatientSex"):
        _same(headers, keyword, "another patient (different identity in the header)",
              "Take that slice out, and ask where it comes from")
    _same(headers, "StudyInstanceUID", "another study", _AGAIN)
    _same(headers, "FrameOfReferenceUID", "another frame of reference",
          "Slices of different frames of reference do not belong to one volume: export the series again")


def _same(headers: Sequence[Header], keywords: str | tuple[str, ...], what: str, todo: str) -> None:
    names = (keywords,) if isinstance(keywords, str) else keywords
    values = [tuple(header.text(name) for name in names) for header in headers]
    odd = _odd_one(values)
    if odd is not None:
        others = sum(value != values[odd] for value in values)
        raise headers[odd].error(f"it is of {what} than {others} of the {len(headers)} files", todo)


def _odd_one(values: Sequence[Any]) -> int | None:
    """Position of the first value that is not the commonest."""
    counts = Counter(values)
    if len(counts) < 2:
        return None
    commonest = counts.most_common(1)[0][0]
    return next(i for i, value in enumerate(values) if value != commonest)


# -- geometry ----------------------------------------------------------------------------------------------------


def _vector(header: Header, keyword: str, length: int) -> tuple[float, ...]:
    values = header.numbers(keyword)
    if len(values) != length:
        raise header.error(f"{keyword} is missing or incomplete: nothing says where the slice lies",
                           "Export the original series; copies and screen shots often lose it")
    return values


def _orientation(headers: Sequence[Header]) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray]:
    """Unit vectors along rows and columns, shared by all slices, and across them."""
    vectors = np.array([_vector(header, "ImageOrientationPatient", 6) for header in headers])
    reference = vectors[_commonest([tuple(row) for row in vectors.round(3)])]
    for header, vector in zip(headers, vectors, strict=True):
        turn = np.abs(vector - reference).reshape(2, 3)
        extent = _extent_mm(header)
        if np.linalg.norm(turn[0]) * extent[0] + np.linalg.norm(turn[1]) * extent[1] > TOLERANCE_MM:
            alike = int((np.abs(vectors - vector) < 1e-3).all(axis=1).sum())
            raise header.error(f"it is rotated: {alike} of {len(headers)} slices point in this direction, others not",
                               "Export each direction as a series of its own, or leave the rotated slice out")
    row, column = reference[:3], reference[3:]
    lengths = np.linalg.norm(row), np.linalg.norm(column)
    if max(abs(length - 1) for length in lengths) > 1e-3 or abs(row @ column) > 1e-3:
        raise headers[0].error("the directions of rows and columns are not at right angles", _AGAIN)
    row = row / lengths[0]
    column = column - (column @ row) * row
    column = column / np.linalg.norm(column)
    return (row, column), np.cross(row, column)


def _commonest(values: Sequence[Any]) -> int:
    return values.index(Counter(values).most_common(1)[0][0])


def _extent_mm(header: Header) -> tuple[float, float]:
    """Length of a row and of a column."""
    between_rows, between_columns = _vector(header, "PixelSpacing", 2)
    return between_columns * header.values["Columns"], between_rows * header.values["Rows"]


def _pixel_spacing(headers: Sequence[Header]) -> tuple[float, float]:
    """Distance of the rows (along y) and of the columns (along x), in this order, as PixelSpacing has them."""
    spacings = np.array([_vector(header, "PixelSpacing", 2) for header in headers])
    if spacings.min() <= 0:
        raise headers[int(np.argmin(spacings.min(axis=1)))].error("PixelSpacing is not positive", _AGAIN)
    reference = spacings[_commonest([tuple(row) for row in spacings.round(5)])]
    size = [headers[0].values["Rows"], headers[0].values["Columns"]]
    off = (np.abs(spacings - reference) * size).max(axis=1)
    if off.max() > TOLERANCE_MM:
        odd = int(np.argmax(off > TOLERANCE_MM))
        raise headers[odd].error(f"its PixelSpacing {_pair(spacings[odd])} mm differs from the others' "
                                 f"{_pair(reference)} mm", _AGAIN)
    return float(reference[0]), float(reference[1])


def _pair(values: np.ndarray) -> str:
    return f"{values[0]:g} x {values[1]:g}"


def _repeated(headers: Sequence[Header], along: np.ndarray) -> None:
    """Raise when a place occurs twice: a duplicate, or several volumes in one series."""
    same = np.diff(along) < _SAME_PLACE_MM
    if not same.any():
        return
    first = int(np.argmax(same))
    times = times_each(along)
    if times > 1:
        raise headers[first].error(
            f"every place occurs {times} times: a series of several volumes (time points, echoes, phases)",
            "Export each volume as a series of its own")
    raise headers[first + 1].error(f"it lies at the same place as {headers[first].file.name}",
                                   "Remove the duplicate slice, or export the series again")


def times_each(along: np.ndarray) -> int:
    """How often every one of at least two places occurs; 0 when some occur more often than others."""
    ordered = np.sort(along)
    starts = np.flatnonzero(np.diff(ordered, prepend=-np.inf) >= _SAME_PLACE_MM)
    counts = np.diff(starts, append=len(ordered))
    return int(counts[0]) if len(counts) > 1 and (counts == counts[0]).all() else 0


def _sideways(headers: Sequence[Header], places: np.ndarray, normal: np.ndarray) -> None:
    """Raise when slices are not straight above each other."""
    along = places @ normal
    aside = places - np.outer(along, normal)
    aside = aside - np.median(aside, axis=0)
    distance = np.linalg.norm(aside, axis=1)
    if distance.max() - distance.min() <= TOLERANCE_MM:
        return
    centred = along - along.mean()
    slope = centred @ aside / (centred @ centred)
    rest = np.linalg.norm(aside - aside.mean(axis=0) - np.outer(centred, slope), axis=1)
    if rest.max() <= TOLERANCE_MM:
        angle = np.degrees(np.arctan(np.linalg.norm(slope)))
        raise headers[0].error(f"the slices are sheared by {angle:.1f} degrees (gantry tilt)",
                               "Resample the series to a straight grid first, or export a reconstruction without tilt")
    raise headers[int(np.argmax(rest))].error(f"it is shifted sideways by {rest.max():.1f} mm", _AGAIN)


def _step(headers: Sequence[Header], along: np.ndarray) -> float:
    """The one distance between neighbouring slices, in mm."""
    gaps = np.diff(along)
    step = float(np.sort(gaps)[(len(gaps) - 1) // 2])
    limit = min(TOLERANCE_MM, _STEP_TOLERANCE * step)
    wide = np.flatnonzero(np.abs(gaps - step) > limit)
    if len(wide):
        first = int(wide[0])
        between = f"{headers[first].file.name} and {headers[first + 1].file.name}"
        missing = np.rint(gaps[wide] / step) - 1
        if (missing > 0).all() and (np.abs(gaps[wide] - (missing + 1) * step) <= limit).all():
            raise headers[first + 1].error(
                f"{int(missing.sum())} of {len(headers) + int(missing.sum())} slices are missing, the first between "
                f"{between} ({gaps[first]:g} mm, elsewhere {step:g} mm)", _AGAIN)
        raise headers[first + 1].error(
            f"the distance of the slices varies: {gaps[first]:g} mm between {between}, elsewhere {step:g} mm",
            "Export a reconstruction with a constant distance")
    mean = (along[-1] - along[0]) / (len(along) - 1)
    drift = np.abs(along - along[0] - mean * np.arange(len(along)))
    if drift.max() > limit:
        raise headers[int(np.argmax(drift))].error(
            f"the distance of the slices varies: it lies {drift.max():.2f} mm from its place on a regular grid",
            "Export a reconstruction with a constant distance")
    return round(float(mean), 9)


def _number_or_none(header: Header, keyword: str) -> float | None:
    return header.values.get(keyword)
