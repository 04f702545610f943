"""Writes the images of the synthetic cohort as a PACS would export them, and as NIfTI with the same voxels.

::

    dicom/SYN-0001/CT/IM001.dcm ...      nifti/SYN-0001/CT_image.nii.gz  CT_mask.nii.gz
    dicom/SYN-0001/PT/IM001.dcm ...      nifti/SYN-0001/PT_image.nii.gz  PT_mask.nii.gz
    dicom/SYN-0001/CT_contours.dcm  PT_contours.dcm

PET is stored as activity concentration (BQML) with its own rescale slope in every slice; hospital gamma's scanner
corrects decay to the injection, the others to the start of the scan. UIDs are made of the seed, under 2.25: the same
cohort is the same bytes.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import (
    CTImageStorage,
    ExplicitVRLittleEndian,
    PositronEmissionTomographyImageStorage,
    RTStructureSetStorage,
)
from pydicom.valuerep import format_number_as_ds

from medomicslab_nb.data.synthetic import Cohort, generator
from medomicslab_nb.data.synthetic_images import SIZES, Modality, Scene, contours, grid, mask, scan, scene_of
from medomicslab_nb.imaging.geometry import Geometry
from medomicslab_nb.imaging.volumes import Volume, write_volume
from medomicslab_nb.progress import Progress

ROI = "GTVp"
"""Name of the tumour in every structure set."""

MODALITIES: tuple[Modality, ...] = ("CT", "PT")

_HALF_LIFE_S = 6586.2
_AXIAL = [1, 0, 0, 0, 1, 0]
_STORAGE = {"CT": CTImageStorage, "PT": PositronEmissionTomographyImageStorage}
_ADDITIVE = 1024  # stored CT value minus HU
_HIGHEST = 32767


@dataclass(frozen=True)
class Visit:
    """What the headers say of the patient and the day of the scans.

    Attributes
    ----------
    dose_bq : float
        Injected activity, at ``injection``.
    start : datetime
        Of the PET acquisition.
    """

    patient: str
    sex: str
    age: int
    weight_kg: float
    height_m: float
    dose_bq: float
    injection: dt.datetime
    start: dt.datetime

    def activity_per_suv(self, decay_correction: str) -> float:
        """Activity concentration (Bq/mL) of an SUV (body weight, 1 g/mL) of 1, as the scanner stores it."""
        waited = (self.start - self.injection).total_seconds() if decay_correction == "START" else 0.0
        return self.dose_bq * 2 ** (-waited / _HALF_LIFE_S) / (1000 * self.weight_kg)


def write_images(cohort: Cohort, folder: Path, progress: Progress | None = None, *,
                 sizes: Mapping[Modality, tuple[int, int, int]] | None = None) -> None:
    """Write the images and contours of every patient to ``folder``, see the module.

    Parameters
    ----------
    sizes : mapping, optional
        Voxels (x, y, z) of ``CT`` and ``PT``.
    """
    with (progress or Progress()).task("synthetic images", total=len(cohort.clinical)) as step:
        for number in range(len(cohort.clinical)):
            scene = scene_of(cohort, number)
            visit = _visit(cohort, number)
            for modality in MODALITIES:
                _write_scan(scene, visit, modality, folder, (sizes or SIZES)[modality])
            step()


def _visit(cohort: Cohort, number: int) -> Visit:
    clinical = cohort.clinical.iloc[number]
    rng = generator(cohort.seed, "visit", number)
    injection = clinical["imaging_date"].to_pydatetime() + dt.timedelta(seconds=int(rng.integers(8 * 3600, 15 * 3600)))
    return Visit(str(clinical.name), clinical["sex"], int(clinical["age"]), float(clinical["weight_kg"]),
                 float(clinical["height_m"]), float(np.rint(3.5e6 * clinical["weight_kg"] * rng.uniform(0.9, 1.1))),
                 injection, injection + dt.timedelta(seconds=int(rng.integers(55 * 60, 75 * 60))))


def _write_scan(scene: Scene, visit: Visit, modality: Modality, folder: Path,
                size: tuple[int, int, int]) -> None:
    dicom, nifti = folder / "dicom" / scene.patient, folder / "nifti" / scene.patient
    (dicom / modality).mkdir(parents=True, exist_ok=True)
    nifti.mkdir(parents=True, exist_ok=True)
    geometry = grid(scene, modality, size)
    stored, slopes = _stored(scan(scene, modality, geometry), visit, scene)
    outlines = contours(scene, geometry)
    _write_series(scene, visit, modality, geometry, stored, slopes, dicom / modality)
    _structure_set(scene, visit, modality, geometry, outlines).save_as(dicom / f"{modality}_contours.dcm",
                                                                       enforce_file_format=True)
    write_volume(_as_read(stored, slopes, visit, scene, modality, geometry), nifti / f"{modality}_image.nii.gz")
    write_volume(mask(scene, geometry), nifti / f"{modality}_mask.nii.gz")


def _stored(image: Volume, visit: Visit, scene: Scene) -> tuple[np.ndarray, list[str]]:
    """Stored values (z, y, x), uint16, and the rescale slope of every slice as DICOM writes it."""
    if image.unit == "HU":
        return (image.array + _ADDITIVE).astype(np.uint16), ["1"] * len(image.array)
    activity = image.array.astype(float) * visit.activity_per_suv(scene.scanner.decay_correction)
    slopes = [format_number_as_ds(max(float(plane.max()), 1.0) / _HIGHEST) for plane in activity]
    values = activity / np.array([float(slope) for slope in slopes])[:, None, None]
    return np.rint(values).clip(0, _HIGHEST).astype(np.uint16), slopes


def _as_read(stored: np.ndarray, slopes: Sequence[str], visit: Visit, scene: Scene, modality: Modality,
             geometry: Geometry) -> Volume:
    """What a reader makes of the stored values: HU, or SUV by body weight."""
    if modality == "CT":
        return Volume(stored.astype(np.float32) - _ADDITIVE, geometry, "HU")
    factor = 1 / visit.activity_per_suv(scene.scanner.decay_correction)
    values = stored * np.array([float(slope) for slope in slopes])[:, None, None] * factor
    return Volume(values.astype(np.float32), geometry, "SUVbw")


def _write_series(scene: Scene, visit: Visit, modality: Modality, geometry: Geometry, stored: np.ndarray,
                  slopes: Sequence[str], folder: Path) -> None:
    item = _object(scene, visit, modality, _STORAGE[modality])
    _image_tags(item, scene, modality, geometry)
    if modality == "PT":
        _pet_tags(item, visit, scene, len(stored))
    for k, plane in enumerate(stored):
        uid = _instance_uid(scene, modality, k)
        item.SOPInstanceUID = item.file_meta.MediaStorageSOPInstanceUID = uid
        item.InstanceNumber = k + 1
        item.ImagePositionPatient = _decimals([*geometry.origin_mm[:2], _height(geometry, k)])
        item.SliceLocation = item.ImagePositionPatient[2]
        item.RescaleSlope = slopes[k]
        if modality == "PT":
            item.ImageIndex = k + 1
        item.PixelData = np.ascontiguousarray(plane).tobytes()
        item.save_as(folder / f"IM{k + 1:03d}.dcm", enforce_file_format=True)


def _object(scene: Scene, visit: Visit, modality: str, storage: str) -> Dataset:
    """What every object of a patient has."""
    item = Dataset()
    item.file_meta = FileMetaDataset()
    item.file_meta.MediaStorageSOPClassUID = storage
    item.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    # Our own, so that the bytes do not depend on the version of the library.
    item.file_meta.ImplementationClassUID = _uid("implementation")
    item.file_meta.ImplementationVersionName = "SYNTHETIC_1"
    item.SpecificCharacterSet = "ISO_IR 192"
    item.SOPClassUID = storage
    day, time = f"{visit.start:%Y%m%d}", f"{visit.start:%H%M%S}"
    item.StudyDate = item.SeriesDate = item.AcquisitionDate = item.ContentDate = day
    item.StudyTime = item.SeriesTime = item.AcquisitionTime = item.ContentTime = time
    item.AccessionNumber = ""
    item.Modality = modality
    item.Manufacturer, item.ManufacturerModelName = scene.scanner.manufacturer, scene.scanner.model
    item.InstitutionName = f"Hospital {scene.hospital}"
    item.ReferringPhysicianName = ""
    item.StudyDescription = "PET/CT neck (synthetic)"
    item.PatientName = item.PatientID = scene.patient
    item.PatientBirthDate = ""
    item.PatientSex = visit.sex[0].upper()
    item.PatientAge = f"{visit.age:03d}Y"
    item.PatientSize, item.PatientWeight = f"{visit.height_m:.2f}", f"{visit.weight_kg:g}"
    item.PatientIdentityRemoved, item.DeidentificationMethod = "YES", "Synthetic: no person"
    item.StudyInstanceUID = _uid(scene.seed, scene.number, "study")
    item.StudyID = "1"
    item.FrameOfReferenceUID = _frame_uid(scene)
    item.PositionReferenceIndicator = ""
    return item


def _image_tags(item: Dataset, scene: Scene, modality: Modality, geometry: Geometry) -> None:
    plane, _, slices = geometry.spacing_mm
    item.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"] if modality == "CT" else ["ORIGINAL", "PRIMARY"]
    item.SeriesDescription = "CT neck" if modality == "CT" else "FDG PET neck"
    item.SeriesInstanceUID, item.SeriesNumber = _series_uid(scene, modality), 1 if modality == "CT" else 2
    item.AcquisitionNumber = 1
    item.BodyPartExamined, item.PatientPosition = "NECK", "HFS"
    item.ImageOrientationPatient, item.PixelSpacing = _AXIAL, _decimals([plane, plane])
    item.SliceThickness = f"{slices:g}"
    item.SamplesPerPixel, item.PhotometricInterpretation = 1, "MONOCHROME2"
    item.Columns, item.Rows = geometry.size[:2]
    item.BitsAllocated, item.BitsStored, item.HighBit, item.PixelRepresentation = 16, 16, 15, 0
    item.RescaleIntercept = "0"
    if modality == "CT":
        item.RescaleIntercept, item.RescaleType = str(-_ADDITIVE), "HU"
        item.KVP, item.ConvolutionKernel = "120", scene.scanner.ct_kernel


def _pet_tags(item: Dataset, visit: Visit, scene: Scene, slices: int) -> None:
    item.Units, item.CountsSource, item.SeriesType = "BQML", "EMISSION", ["STATIC", "IMAGE"]
    item.DecayCorrection = scene.scanner.decay_correction
    item.CorrectedImage = ["DECY", "ATTN", "SCAT", "DTIM", "NORM"]
    item.AttenuationCorrectionMethod, item.ReconstructionMethod = "measured", "OSEM"
    item.CollimatorType, item.NumberOfSlices = "NONE", slices
    item.ActualFrameDuration, item.FrameReferenceTime = "180000", "0"
    item.RescaleType = ""
    injected = Dataset()
    injected.Radiopharmaceutical = "FDG"
    injected.RadiopharmaceuticalStartTime = f"{visit.injection:%H%M%S}"
    injected.RadiopharmaceuticalStartDateTime = f"{visit.injection:%Y%m%d%H%M%S}"
    injected.RadionuclideTotalDose, injected.RadionuclideHalfLife = f"{visit.dose_bq:.0f}", str(_HALF_LIFE_S)
    injected.RadionuclidePositronFraction = "0.967"
    injected.RadionuclideCodeSequence = Items([_code("C-111A1", "^18^Fluorine")])
    injected.RadiopharmaceuticalCodeSequence = Items([_code("C-B1031", "Fluorodeoxyglucose F^18^")])
    item.RadiopharmaceuticalInformationSequence = Items([injected])


def _code(value: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "SRT", meaning
    return item


def _structure_set(scene: Scene, visit: Visit, modality: Modality, geometry: Geometry,
                   outlines: Sequence[np.ndarray]) -> Dataset:
    item = _object(scene, visit, "RTSTRUCT", RTStructureSetStorage)
    item.SOPInstanceUID = item.file_meta.MediaStorageSOPInstanceUID = _uid(scene.seed, scene.number, modality, "set")
    item.SeriesInstanceUID = _uid(scene.seed, scene.number, modality, "set series")
    item.SeriesNumber, item.InstanceNumber = (11 if modality == "CT" else 12), 1
    item.SeriesDescription = f"Contours on {modality}"
    item.StructureSetLabel, item.StructureSetDate = f"{modality} contours", f"{visit.start:%Y%m%d}"
    item.StructureSetTime = f"{visit.start:%H%M%S}"
    item.ReferencedFrameOfReferenceSequence = Items([_referenced_frame(scene, modality, geometry)])
    item.StructureSetROISequence = Items([_tags(ROINumber=1, ReferencedFrameOfReferenceUID=_frame_uid(scene),
                                                ROIName=ROI, ROIGenerationAlgorithm="MANUAL")])
    item.ROIContourSequence = Items([_tags(
        ROIDisplayColor=[255, 0, 0], ReferencedROINumber=1,
        ContourSequence=Items([_contour(scene, modality, geometry, points) for points in outlines]))])
    item.RTROIObservationsSequence = Items([_tags(ObservationNumber=1, ReferencedROINumber=1,
                                                  RTROIInterpretedType="GTV", ROIInterpreter="")])
    return item


def _referenced_frame(scene: Scene, modality: Modality, geometry: Geometry) -> Dataset:
    images = Items([_reference(scene, modality, k) for k in range(geometry.size[2])])
    series = _tags(SeriesInstanceUID=_series_uid(scene, modality), ContourImageSequence=images)
    study = _tags(ReferencedSOPClassUID="1.2.840.10008.3.1.2.3.1",
                  ReferencedSOPInstanceUID=_uid(scene.seed, scene.number, "study"),
                  RTReferencedSeriesSequence=Items([series]))
    return _tags(FrameOfReferenceUID=_frame_uid(scene), RTReferencedStudySequence=Items([study]))


def _contour(scene: Scene, modality: Modality, geometry: Geometry, points: np.ndarray) -> Dataset:
    k = int(np.rint((points[0, 2] - geometry.origin_mm[2]) / geometry.spacing_mm[2]))
    return _tags(ContourImageSequence=Items([_reference(scene, modality, k)]), ContourGeometricType="CLOSED_PLANAR",
                 NumberOfContourPoints=len(points), ContourData=_decimals(points.ravel()))


def _reference(scene: Scene, modality: Modality, k: int) -> Dataset:
    return _tags(ReferencedSOPClassUID=_STORAGE[modality],
                 ReferencedSOPInstanceUID=_instance_uid(scene, modality, k))


def _tags(**values: Any) -> Dataset:
    item = Dataset()
    for keyword, value in values.items():
        setattr(item, keyword, value)
    return item


def _height(geometry: Geometry, k: int) -> float:
    return round(geometry.origin_mm[2] + k * geometry.spacing_mm[2], 4)


def _decimals(values: Sequence[float] | np.ndarray) -> list[str]:
    """Numbers as text of at most 16 characters, which DICOM allows."""
    return [f"{value:.4f}".rstrip("0").rstrip(".") for value in values]


def _instance_uid(scene: Scene, modality: str, k: int) -> str:
    return _uid(scene.seed, scene.number, modality, k)


def _series_uid(scene: Scene, modality: str) -> str:
    return _uid(scene.seed, scene.number, modality, "series")


def _frame_uid(scene: Scene) -> str:
    return _uid(scene.seed, scene.number, "frame")


def _uid(*parts: object) -> str:
    """A UID under 2.25, always the same for the same parts."""
    digest = hashlib.sha256("/".join(map(str, ("medomicslab_nb synthetic", *parts))).encode()).digest()
    return f"2.25.{int.from_bytes(digest[:16], 'big')}"
