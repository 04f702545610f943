"""Writes RT Structure Sets, DICOM SEG, RT Doses and registrations with pydicom and highdicom, faults included.

``SHAPES`` are the seven shapes on which rasterisers fail, as polygons in pixels (x, y): exact in binary, with vertices
and edges on pixel centres, where the rule for borders decides.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from medomicslab_nb.imaging.geometry import Geometry
from tests.imaging import dicom_factory
from tests.imaging.dicom_factory import PATIENT_ID

GRID = (24, 20, 5)
"""Voxels (x, y, z) that hold the shapes."""

Polygon = Sequence[tuple[float, float]]

_BOX = [(3.0, 2.5), (17.5, 2.5), (17.5, 15.0), (3.0, 15.0)]
_HOLE = [(6.0, 5.0), (13.25, 5.0), (13.25, 11.0), (6.0, 11.0)]
SHAPES: dict[str, list[Polygon]] = {
    "convex": [[(4.0, 3.0), (15.25, 2.125), (20.0, 9.0), (13.5, 16.75), (5.0, 14.0)]],
    "concave": [[(3.0, 3.0), (18.0, 3.0), (18.0, 15.5), (12.0, 15.5), (12.0, 7.25), (8.125, 7.25), (8.125, 15.5),
                 (3.0, 15.5)]],
    "hole": [_BOX, _HOLE],
    "keyhole": [[(3.0, 2.5), (17.5, 2.5), (17.5, 15.0), (3.0, 15.0), (3.0, 8.0), (6.0, 8.0), (6.0, 11.0), (13.25, 11.0),
                 (13.25, 5.0), (6.0, 5.0), (6.0, 8.0), (3.0, 8.0)]],
    "two parts": [[(2.5, 3.0), (8.0, 3.0), (6.0, 12.0)], [(11.0, 6.0), (20.5, 4.0), (19.0, 14.875), (12.0, 13.0)]],
    "island in a hole": [_BOX, _HOLE, [(8.0, 6.5), (11.0, 6.5), (11.0, 9.0), (8.0, 9.0)]],
    "circle of 1.6 pixels": [[(10.25 + 1.6 * np.cos(angle), 8.125 + 1.6 * np.sin(angle))
                              for angle in np.linspace(0, 2 * np.pi, 48, endpoint=False)]],
}


def inside(polygons: Sequence[Polygon], size: tuple[int, int]) -> np.ndarray:
    """The truth, one pixel and one edge after the other in exact fractions: shape (y, x).

    A pixel is inside when the edges that cross its row at it or left of it are odd in number; an edge crosses the rows
    from its upper end on to before its lower end.
    """
    width, height = size
    exact = [[(Fraction(round(x * 10**6), 10**6), Fraction(round(y * 10**6), 10**6)) for x, y in polygon]
             for polygon in polygons]
    edges = [sorted(edge, key=lambda point: point[1]) for points in exact
             for edge in zip(points, points[1:] + points[:1], strict=True)]
    mask = np.zeros((height, width), dtype=bool)
    for y in range(height):
        crossings = [x0 + (y - y0) * (x1 - x0) / (y1 - y0) for (x0, y0), (x1, y1) in edges if y0 <= y < y1]
        for x in range(width):
            mask[y, x] = sum(crossing <= x for crossing in crossings) % 2
    return mask


def at_slice(polygons: Sequence[Polygon], k: float, geometry: Geometry) -> list[np.ndarray]:
    """Contours in mm, each of shape (n, 3), of polygons in pixels (x, y) on slice k."""
    return [geometry.to_points(np.column_stack([np.asarray(polygon, dtype=float), np.full(len(polygon), float(k))]))
            for polygon in polygons]


def outlines(mask: np.ndarray) -> list[Polygon]:
    """Contours along the borders of the pixels of a mask (y, x); holes and parts become contours of their own."""
    steps: dict[tuple[float, float], list[tuple[float, float]]] = {}
    wide = np.pad(mask, 1)
    for y, x in np.argwhere(mask):
        corners = [(x - 0.5, y - 0.5), (x + 0.5, y - 0.5), (x + 0.5, y + 0.5), (x - 0.5, y + 0.5)]
        neighbours = [wide[y, x + 1], wide[y + 1, x + 2], wide[y + 2, x + 1], wide[y + 1, x]]
        for i, neighbour in enumerate(neighbours):
            if not neighbour:
                steps.setdefault(corners[i], []).append(corners[(i + 1) % 4])
    found = []
    while steps:
        start = point = next(iter(steps))
        polygon = []
        while not polygon or point != start:
            polygon.append(point)
            point, ends = steps[point].pop(), steps[point]
            if not ends:
                del steps[polygon[-1]]
        found.append(polygon)
    return found


def frame_uid(frame: object = 1, patient_id: str = PATIENT_ID) -> str:
    """As ``write_series(frame=...)`` of the DICOM factory gives it."""
    return dicom_factory.uid("frame", patient_id, frame)


def write_rtstruct(path: Path, rois: Sequence[tuple[str, Sequence[np.ndarray]]], *, frame: str | None = None,
                   kind: str = "CLOSED_PLANAR", charset: str | None = "ISO_IR 192", images: Sequence[Path] = (),
                   edit: Callable[[Dataset], Any] | None = None) -> Path:
    """An RT Structure Set with ROIs (name, contours), numbered from 1; ``edit(dataset)`` before it is written.

    Each contour refers to the nearest of the ``images``, when there are any.
    """
    frame = frame_uid() if frame is None else frame
    item = _dataset("1.2.840.10008.5.1.4.1.1.481.3", "RTSTRUCT", frame)
    if charset is None:
        del item.SpecificCharacterSet
    else:
        item.SpecificCharacterSet = charset
    item.StructureSetLabel = "ROIS"
    series = _tags(SeriesInstanceUID=dicom_factory.uid("series", PATIENT_ID, 1, 1))
    item.ReferencedFrameOfReferenceSequence = Items([_tags(
        FrameOfReferenceUID=frame, RTReferencedStudySequence=Items([_tags(
            ReferencedSOPClassUID="1.2.840.10008.3.1.2.3.1", ReferencedSOPInstanceUID=item.StudyInstanceUID,
            RTReferencedSeriesSequence=Items([series]))]))])
    item.StructureSetROISequence = Items([
        _tags(ROINumber=number, ReferencedFrameOfReferenceUID=frame, ROIName=name, ROIGenerationAlgorithm="MANUAL")
        for number, (name, _) in enumerate(rois, start=1)])
    item.ROIContourSequence = Items([
        _tags(ReferencedROINumber=number, ContourSequence=Items([contour_item(points, kind) for points in contours]))
        for number, (_, contours) in enumerate(rois, start=1)])
    if images:
        _refer(item, [dcmread(image, stop_before_pixels=True) for image in images])
    if edit is not None:
        edit(item)
    item.save_as(path, enforce_file_format=True)
    return path


def _refer(item: Dataset, images: Sequence[Dataset]) -> None:
    """References of the structure set and of each contour to the images that they were drawn on."""
    references = [_tags(ReferencedSOPClassUID=image.SOPClassUID, ReferencedSOPInstanceUID=image.SOPInstanceUID)
                  for image in images]
    study = item.ReferencedFrameOfReferenceSequence[0].RTReferencedStudySequence[0]
    study.RTReferencedSeriesSequence[0].ContourImageSequence = Items(references)
    rows, columns = np.array(images[0].ImageOrientationPatient, dtype=float).reshape(2, 3)
    positions = np.array([image.ImagePositionPatient for image in images], dtype=float) @ np.cross(rows, columns)
    for roi in item.ROIContourSequence:
        for contour in roi.ContourSequence:
            position = np.array(contour.ContourData[:3], dtype=float) @ np.cross(rows, columns)
            contour.ContourImageSequence = Items([references[np.abs(positions - position).argmin()]])


def contour_item(points: np.ndarray, kind: str = "CLOSED_PLANAR") -> Dataset:
    """An item of ContourSequence."""
    return _tags(ContourGeometricType=kind, NumberOfContourPoints=len(points),
                 ContourData=[_decimal(value) for value in np.asarray(points).reshape(-1)])


def write_segmentation(path: Path, series: Sequence[Path], masks: dict[str, np.ndarray], kind: str = "BINARY",
                       edit: Callable[[Dataset], Any] | None = None) -> Path:
    """A DICOM SEG of masks (z, y, x), in the order of the series' files; written by highdicom."""
    from highdicom import seg
    from pydicom.sr.codedict import codes

    images = [dcmread(name) for name in series]
    needed = ("PatientBirthDate PatientSex StudyTime StudyID AccessionNumber ReferringPhysicianName "
              "PositionReferenceIndicator").split()
    for image in images:
        dicom_factory.set_tags(image, dict.fromkeys(needed, ""))
    described = [seg.SegmentDescription(number, name, codes.SCT.Neoplasm, codes.SCT.Neoplasm,
                                        seg.SegmentAlgorithmTypeValues.MANUAL)
                 for number, name in enumerate(masks, start=1)]
    pixels = np.stack(list(masks.values()), axis=-1)
    with warnings.catch_warnings(action="ignore"):
        item = seg.Segmentation(images, pixels.astype(float if kind == "FRACTIONAL" else np.uint8), kind, described,
                                generate_uid(), 9, generate_uid(), 1, "ACME", "Writer", "1", "1")
        if edit is not None:
            edit(item)
        item.save_as(path)
    return path


def write_dose(path: Path, dose_gy: np.ndarray, geometry: Geometry, *, frame: str | None = None,
               edit: Callable[[Dataset], Any] | None = None) -> Path:
    """An RT Dose of 32 bits, with planes given from the first one on."""
    item = _dataset("1.2.840.10008.5.1.4.1.1.481.2", "RTDOSE", frame_uid() if frame is None else frame)
    scaling = float(dose_gy.max()) / 2**31 or 1.0
    dicom_factory.set_tags(item, {
        "DoseUnits": "GY", "DoseType": "PHYSICAL", "DoseSummationType": "PLAN", "DoseGridScaling": _decimal(scaling),
        "Rows": geometry.size[1], "Columns": geometry.size[0], "NumberOfFrames": geometry.size[2],
        "FrameIncrementPointer": 0x3004000C, "SamplesPerPixel": 1, "PhotometricInterpretation": "MONOCHROME2",
        "BitsAllocated": 32, "BitsStored": 32, "HighBit": 31, "PixelRepresentation": 0,
        "PixelSpacing": [_decimal(geometry.spacing_mm[1]), _decimal(geometry.spacing_mm[0])],
        "ImageOrientationPatient": [_decimal(value) for value in (*geometry.axes[:, 0], *geometry.axes[:, 1])],
        "ImagePositionPatient": [_decimal(value) for value in geometry.origin_mm],
        "GridFrameOffsetVector": [_decimal(k * geometry.spacing_mm[2]) for k in range(geometry.size[2])]})
    item.PixelData = np.rint(dose_gy / float(_decimal(scaling))).astype("<u4").tobytes()
    item["PixelData"].VR = "OW"
    if edit is not None:
        edit(item)
    item.save_as(path, enforce_file_format=True)
    return path


def write_registration(path: Path, source: str, target: str, *matrices: np.ndarray,
                       edit: Callable[[Dataset], Any] | None = None) -> Path:
    """A Spatial Registration from frame ``source`` to the registered frame ``target``."""
    item = _dataset("1.2.840.10008.5.1.4.1.1.66.1", "REG", target)
    steps = Items([_tags(FrameOfReferenceTransformationMatrixType="RIGID", FrameOfReferenceTransformationMatrix=[
        _decimal(value) for value in matrix.reshape(-1)]) for matrix in matrices])
    item.RegistrationSequence = Items([
        _tags(FrameOfReferenceUID=frame,
              MatrixRegistrationSequence=Items([_tags(MatrixSequence=sequence)]))
        for frame, sequence in ((target, Items([_tags(FrameOfReferenceTransformationMatrixType="RIGID",
                                                      FrameOfReferenceTransformationMatrix=np.eye(4).ravel().tolist())])),
                                (source, steps))])
    if edit is not None:
        edit(item)
    item.save_as(path, enforce_file_format=True)
    return path


def _dataset(sop_class: str, modality: str, frame: str) -> FileDataset:
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = sop_class
    meta.MediaStorageSOPInstanceUID = generate_uid()
    item = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
    return dicom_factory.set_tags(item, {
        "SpecificCharacterSet": "ISO_IR 192", "SOPClassUID": sop_class,
        "SOPInstanceUID": meta.MediaStorageSOPInstanceUID, "Modality": modality, "PatientID": PATIENT_ID,
        "PatientName": "Geheim^Gisela", "StudyInstanceUID": dicom_factory.uid("study", PATIENT_ID, 1),
        "SeriesInstanceUID": generate_uid(), "FrameOfReferenceUID": frame, "StudyDate": "20200102"})


def _tags(**tags: Any) -> Dataset:
    return dicom_factory.set_tags(Dataset(), tags)


def _decimal(value: float) -> str:
    """A decimal string of at most 16 characters."""
    text = f"{value:.12g}"
    return text if len(text) <= 16 else f"{value:.8e}"
