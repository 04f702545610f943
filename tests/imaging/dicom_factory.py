"""Writes small DICOM series with pydicom: any geometry, per-slice slopes, and any fault by way of ``edit``.

``write_series(folder, stored, geometry=AXIAL, modality="CT")`` writes one file per slice. The array is (z, y, x), the
stored integers; what a reader must return is ``stored * slope + intercept``. Names and identifiers are recognisable,
so that a test can see them leak.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pydicom.data
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import (
    UID,
    CTImageStorage,
    ExplicitVRLittleEndian,
    MRImageStorage,
    PositronEmissionTomographyImageStorage,
    generate_uid,
)

from medomicslab_nb.imaging.geometry import Geometry

SIZE = (10, 20, 30)
"""Voxels (x, y, z) of the usual image: a swapped axis cannot pass."""
SPACING = (1.5, 0.75, 3.0)
"""mm (x, y, z): columns and rows at different distances."""
AXIAL = Geometry(SIZE, SPACING, (-12.0, -40.0, -100.0))
OBLIQUE = Geometry(SIZE, SPACING, (-12.0, -40.0, -100.0),
                   (0.8, -0.36, 0.48, 0.6, 0.48, -0.64, 0.0, 0.8, 0.6))
SAGITTAL = Geometry(SIZE, SPACING, (15.0, -40.0, 60.0), (0.0, 0.0, -1.0, 1.0, 0.0, 0.0, 0.0, -1.0, 0.0))

PATIENT_ID = "SECRET-4711"
PATIENT_NAME = "Geheim^Gisela"
CLASSES = {"CT": CTImageStorage, "MR": MRImageStorage, "PT": PositronEmissionTomographyImageStorage}

Edit = Callable[[Dataset, int], Any]


def uid(*parts: object) -> UID:
    """A UID that depends on ``parts`` only."""
    return generate_uid(entropy_srcs=[str(part) for part in parts])


def stored_values(size: Sequence[int] = SIZE, *, signed: bool = False, seed: int = 0) -> np.ndarray:
    """Random stored integers, shape (z, y, x), int16 or uint16."""
    low, high = (-1000, 3000) if signed else (0, 4000)
    draw = np.random.default_rng(seed).integers(low, high, tuple(size)[::-1])
    return draw.astype(np.int16 if signed else np.uint16)


def write_series(folder: Path, stored: np.ndarray | None = None, *, geometry: Geometry = AXIAL, modality: str = "CT",
                 slopes: Sequence[float] | None = None, intercept: float | None = None, series: object = 1,
                 study: object = 1, frame: object = 1, patient_id: str = PATIENT_ID, edit: Edit | None = None,
                 name: str = "{:03d}.dcm", order: Sequence[int] | None = None, syntax: UID | None = None,
                 meta: bool = True, pet: dict[str, Any] | None = None) -> list[Path]:
    """Write one file per slice; returns the paths in the order of the slices.

    Parameters
    ----------
    stored : ndarray, shape (z, y, x)
        Integers of at most 16 bits; random ones of the geometry's size when missing.
    slopes, intercept
        RescaleSlope of each slice and the intercept; defaults 1 and -1024 for CT, varying and 0 for PT, none for MR.
    series, study, frame
        Anything: equal values give equal UIDs.
    edit : callable
        ``edit(dataset, z)`` before the file is written; returning False leaves the slice out.
    order : sequence of int
        File number of each slice; by default, the slice's own.
    syntax : UID
        Transfer syntax to compress to.
    meta : bool
        Whether the file has its preamble and meta header.
    pet : dict
        Tags of the PET series that differ from the usual ones (see ``pet_tags``).
    """
    stored = stored_values(geometry.size) if stored is None else stored
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for z in range(len(stored)):
        item = slice_dataset(stored[z], z, geometry=geometry, modality=modality, series=series, study=study,
                             frame=frame, patient_id=patient_id)
        _rescale(item, modality, None if slopes is None else slopes[z], intercept, z)
        if modality == "PT":
            set_tags(item, pet_tags() | (pet or {}))
        if edit is not None and edit(item, z) is False:
            continue
        if syntax is not None:
            item.compress(syntax, generate_instance_uid=False)
        path = folder / name.format((order[z] if order is not None else z) + 1)
        save(item, path, meta=meta)
        paths.append(path)
    return paths


def slice_dataset(pixels: np.ndarray, z: int = 0, *, geometry: Geometry = AXIAL, modality: str = "CT",
                  series: object = 1, study: object = 1, frame: object = 1,
                  patient_id: str = PATIENT_ID) -> FileDataset:
    """One slice with identity, geometry and pixels, not yet written."""
    item = _identity(modality, z, series, study, frame, patient_id)
    axes = geometry.axes
    item.ImageOrientationPatient = [_ds(value) for value in (*axes[:, 0], *axes[:, 1])]
    item.ImagePositionPatient = [_ds(value) for value in geometry.to_points([[0, 0, z]])[0]]
    item.PixelSpacing = [_ds(geometry.spacing_mm[1]), _ds(geometry.spacing_mm[0])]  # rows first
    item.SliceThickness = _ds(geometry.spacing_mm[2])
    item.Rows, item.Columns = pixels.shape
    item.SamplesPerPixel = 1
    item.PhotometricInterpretation = "MONOCHROME2"
    item.BitsAllocated = item.BitsStored = 16
    item.HighBit = 15
    item.PixelRepresentation = int(np.issubdtype(pixels.dtype, np.signedinteger))
    item.PixelData = np.ascontiguousarray(pixels).astype("<i2" if item.PixelRepresentation else "<u2").tobytes()
    item["PixelData"].VR = "OW"
    return item


def pet_tags(units: str = "BQML") -> dict[str, Any]:
    """Tags of a PET slice: 70 kg, 1.75 m, 370 MBq of F-18 injected at 10:00, series at 11:00."""
    return {"Units": units, "DecayCorrection": "START", "CorrectedImage": ["DECY", "ATTN", "SCAT", "NORM"],
            "SeriesDate": "20200102", "SeriesTime": "110000.00", "AcquisitionDate": "20200102",
            "AcquisitionTime": "110000.00", "FrameReferenceTime": 0.0, "ActualFrameDuration": 120000,
            "PatientWeight": 70.0, "PatientSize": 1.75, "PatientSex": "F",
            "RadiopharmaceuticalInformationSequence": Items([radiopharmaceutical()])}


def radiopharmaceutical(**tags: Any) -> Dataset:
    """The usual injection, with tags changed (None removes one)."""
    item = Dataset()
    usual = {"Radiopharmaceutical": "Fluorodeoxyglucose", "RadiopharmaceuticalStartTime": "100000.00",
             "RadionuclideTotalDose": 370e6, "RadionuclideHalfLife": 6586.2}
    return set_tags(item, usual | tags)


def set_tags(item: Dataset, tags: dict[str, Any]) -> Dataset:
    """Set each tag; None removes it."""
    for keyword, value in tags.items():
        if value is not None:
            setattr(item, keyword, value)
        elif keyword in item:
            delattr(item, keyword)
    return item


def save(item: Dataset, path: Path, *, meta: bool = True) -> Path:
    """Write a data set, with or without preamble and meta header."""
    if meta:
        item.save_as(path, enforce_file_format=True)
    else:
        bare = Dataset()
        bare.update({element.tag: element for element in item})
        bare.save_as(path, implicit_vr=False, little_endian=True)
    return path


def corpus() -> list[Path]:
    """Folders of the files that pydicom and pydicom-data bring along; looked up directly, for pydicom's own search
    asks the network for more."""
    import data_store

    return [Path(data_store.__file__).parent / "data",
            *(Path(pydicom.data.__file__).parent / name for name in ("test_files", "charset_files"))]


def _identity(modality: str, z: int, series: object, study: object, frame: object, patient_id: str) -> FileDataset:
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = CLASSES[modality]
    meta.MediaStorageSOPInstanceUID = uid("slice", patient_id, series, z)
    item = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
    return set_tags(item, {
        "SpecificCharacterSet": "ISO_IR 192", "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
        "SOPClassUID": CLASSES[modality], "SOPInstanceUID": meta.MediaStorageSOPInstanceUID,
        "StudyInstanceUID": uid("study", patient_id, study),
        "SeriesInstanceUID": uid("series", patient_id, study, series),
        "FrameOfReferenceUID": uid("frame", patient_id, frame), "StudyDate": "20200102", "SeriesDate": "20200102",
        "Modality": modality, "Manufacturer": "ACME", "ManufacturerModelName": "Scanner 1",
        "SeriesDescription": f"{modality} series", "PatientName": PATIENT_NAME, "PatientID": patient_id,
        "PatientPosition": "HFS", "InstanceNumber": z + 1, "SeriesNumber": 1})


def _rescale(item: Dataset, modality: str, slope: float | None, intercept: float | None, z: int) -> None:
    usual = {"CT": 1.0, "PT": 0.5 + 0.37 * z}.get(modality)
    slope = usual if slope is None else slope
    if slope is None:
        return
    item.RescaleSlope = _ds(slope)
    item.RescaleIntercept = _ds((-1024.0 if modality == "CT" else 0.0) if intercept is None else intercept)
    if modality == "CT":
        item.RescaleType, item.KVP, item.ConvolutionKernel = "HU", 120, "B30f"


def _ds(value: float) -> str:
    """A decimal string of at most 16 characters."""
    text = f"{value:.12g}"
    return text if len(text) <= 16 else f"{value:.8e}"
