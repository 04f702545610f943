"""DICOM RT Structure Sets: names, numbers and contours of ROIs. Points are (x, y, z) in mm, LPS."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset

from medomicslab_nb.errors import DataError
from medomicslab_nb.imaging.dicom_objects import dicom_object
from medomicslab_nb.imaging.roi_names import find_roi, numbered

SOP_CLASS = "1.2.840.10008.5.1.4.1.1.481.3"

_CLOSED = ("CLOSED_PLANAR", "CLOSEDPLANAR_XOR")
"""Closed polygons. Both are filled even-odd over a slice, which is what XOR asks for."""


@dataclass(frozen=True, eq=False)
class Roi:
    """One ROI of a structure set.

    Attributes
    ----------
    number : int
    name : str
        As written in the file, accents included; it may occur twice.
    contours : tuple of ndarray, shape (n, 3)
        Closed polygons, mm, LPS; empty when there is a problem.
    frame_of_reference : str
        UID of the coordinates' frame.
    problem : str
        Why its contours cannot be used, in one sentence; empty when they can.
    """

    number: int
    name: str
    contours: tuple[np.ndarray, ...]
    frame_of_reference: str
    problem: str = ""


@dataclass(frozen=True, eq=False)
class StructureSet:
    """ROIs of one file, the frame of reference that it declares, and the series that they were drawn on."""

    frame_of_reference: str
    series_uids: tuple[str, ...]
    rois: tuple[Roi, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """A name for each ROI, in the order of ``rois``; names that occur twice carry the ROI's number."""
        return numbered([roi.name for roi in self.rois], [roi.number for roi in self.rois])

    def roi(self, name: str, where: str) -> Roi:
        """The ROI of that name, with contours.

        Raises
        ------
        DataError
            There is no such ROI, there are several, or its contours cannot be used.
        """
        found = self.rois[self.names.index(find_roi(self.names, name, where))]
        if found.problem:
            raise DataError(f"ROI '{name or found.name}': {found.problem}", where=where,
                            todo="Redraw it with closed contours, or leave it out")
        return found


def read_rtstruct(path: Path) -> StructureSet:
    """The structure set of a file; ROIs with faulty contours are listed with their problem.

    Raises
    ------
    DataError
        The file is missing, damaged or no RT Structure Set.
    """
    with dicom_object(path, (SOP_CLASS,), "RT Structure Set") as header:
        structures = _structure_set(header, f"file {path.name}")
        if not structures.rois:
            raise DataError("the RT Structure Set has no ROI, or is cut off", where=f"file {path.name}",
                            todo="Export it again")
        return structures


def _structure_set(header: Dataset, where: str) -> StructureSet:
    frames = {str(item.FrameOfReferenceUID): item for item in _items(header, "ReferencedFrameOfReferenceSequence")}
    series = [str(item.SeriesInstanceUID) for frame in frames.values()
              for study in _items(frame, "RTReferencedStudySequence")
              for item in _items(study, "RTReferencedSeriesSequence")]
    declared = next(iter(frames), str(header.get("FrameOfReferenceUID", "")))
    drawn = [(int(item.ReferencedROINumber), item) for item in _items(header, "ROIContourSequence")]
    numbers = [int(item.ROINumber) for item in _items(header, "StructureSetROISequence")]
    contours = dict(drawn)
    if len(contours) < len(drawn) or len(set(numbers)) < len(numbers):
        raise DataError("two of its ROIs have the same number: which contours belong to which cannot be told",
                        where=where, todo="Export it again")
    rois = [_roi(item, contours.get(int(item.ROINumber)), list(frames), declared)
            for item in _items(header, "StructureSetROISequence")]
    return StructureSet(declared, tuple(series), tuple(rois))


def _items(dataset: Dataset, keyword: str) -> Sequence[Dataset]:
    return dataset.get(keyword) or ()


def _roi(item: Dataset, drawn: Dataset | None, frames: list[str], declared: str) -> Roi:
    frame = str(item.get("ReferencedFrameOfReferenceUID") or declared)
    # Some exports give the ROI a frame that the file does not declare; with a single one declared, that one is meant.
    if frame not in frames and len(frames) == 1:
        frame = frames[0]
    number, name = int(item.ROINumber), _name(item)
    try:
        contours = tuple(_contours(drawn))
    except DataError as error:
        return Roi(number, name, (), frame, error.found)
    return Roi(number, name, contours, frame)


def _name(item: Dataset) -> str:
    """The name; UTF-8 that the file does not declare is read as what it is, not as Latin-1."""
    name = str(item.get("ROIName") or "")
    try:
        return name.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return name


def _contours(drawn: Dataset | None) -> Iterator[np.ndarray]:
    items = [] if drawn is None else _items(drawn, "ContourSequence")
    if not items:
        raise DataError("it has no contour (empty ROI)")
    for item in items:
        kind = str(item.get("ContourGeometricType") or "of no type")
        if kind not in _CLOSED:
            raise DataError(f"a contour is {kind}, which surrounds no area")
        if np.any(np.asarray(item.get("ContourOffsetVector") or 0, dtype=float)):
            raise DataError("a contour has an offset (ContourOffsetVector), which the standard gave up")
        yield _points(item)


def _points(item: Dataset) -> np.ndarray:
    """The points of a contour, shape (n, 3)."""
    values = _numbers(item)
    declared = item.get("NumberOfContourPoints")
    if len(values) % 3 or not np.isfinite(values).all() or (declared is not None and int(declared) * 3 != len(values)):
        raise DataError("a contour is damaged: its points are not complete")
    if len(values) < 9:
        raise DataError("a contour has fewer than three points")
    return values.reshape(-1, 3)


def _numbers(item: Dataset) -> np.ndarray:
    """ContourData from its bytes, where it was not looked at before: twenty times faster than through pydicom."""
    if "ContourData" not in item:
        return np.empty(0)
    element = item.get_item("ContourData")
    try:
        if isinstance(element, RawDataElement) and isinstance(element.value, bytes):
            return np.array(element.value.decode("ascii").strip(" \0").split("\\"), dtype=float)
        return np.array(item.ContourData, dtype=float).reshape(-1)
    except (TypeError, ValueError):
        raise DataError("a contour is damaged: its points are no numbers") from None
