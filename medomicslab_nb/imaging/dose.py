"""Dose distributions (RTDOSE) in Gy, and dose-volume metrics of ROIs. Arrays are (z, y, x)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from medomicslab_nb.errors import DataError
from medomicslab_nb.imaging.dicom_objects import dicom_object
from medomicslab_nb.imaging.geometry import Geometry
from medomicslab_nb.imaging.registration import common_grid
from medomicslab_nb.imaging.volumes import Volume

SOP_CLASS = "1.2.840.10008.5.1.4.1.1.481.2"

_OFFSET_TOLERANCE = 0.01  # of the distance of two planes
_AGAIN = "Export the dose again"


def load_dose(path: Path) -> Volume:
    """A dose distribution, with planes at equal distances.

    Returns
    -------
    Volume
        float32, unit Gy.

    Raises
    ------
    DataError
        The file is missing, damaged or no RT Dose; its dose is relative, an error map, or in planes at unequal
        distances.
    """
    where = f"file {path.name}"
    with dicom_object(path, (SOP_CLASS,), "RT Dose") as header:
        _check_kind(header, where)
        geometry = _geometry(header, where)
        dose = _stored_values(path) * float(header.DoseGridScaling)
        frame = str(header.get("FrameOfReferenceUID", ""))
        return Volume(dose.astype(np.float32).reshape(geometry.shape), geometry, "Gy", frame)


def dose_summation(path: Path) -> str:
    """What the dose is the sum of: DoseSummationType, e.g. ``PLAN`` or ``BEAM``; a beam's dose is not the patient's."""
    with dicom_object(path, (SOP_CLASS,), "RT Dose") as header:
        return str(header.get("DoseSummationType", ""))


def dose_on(dose: Volume, image: Volume, *, registration: Path | None = None) -> Volume:
    """A dose on the grid of an image, by linear interpolation; NaN outside the dose's grid.

    Raises
    ------
    DataError
        Different frames of reference without a registration; the two do not overlap.
    """
    return common_grid(dose, image, registration)


def dvh_metrics(dose: Volume, mask: Volume, *, dx: Sequence[float] = (2, 50, 95, 98),
                vx: Sequence[float] = (5, 10, 20, 30)) -> dict[str, float]:
    """Metrics of the dose-volume histogram of an ROI, from its voxels without bins.

    Parameters
    ----------
    dose : Volume
        Gy, on the mask's grid.
    mask : Volume
        bool.
    dx : sequence of float
        Parts of the volume, in %.
    vx : sequence of float
        Doses, in Gy.

    Returns
    -------
    dict
        ``Dmean``, ``Dmin``, ``Dmax`` in Gy; ``D95`` the highest dose that at least 95 % of the voxels receive, in Gy
        (so D2 is the near-maximum, D98 the near-minimum dose); ``V20`` the part of the volume that receives at least
        20 Gy, in %, and ``V20_cm3`` the same in cm3; ``volume_cm3``.

    Raises
    ------
    DataError
        Different grids, an empty mask, or voxels of the ROI outside the dose's grid.
    ValueError
        A part outside 0 to 100 % (0 excluded).

    Notes
    -----
    Each voxel counts as a whole, with the dose at its centre. Where the dose changes by g Gy per mm, a D is off by at
    most g times a voxel's diagonal; in spheres of 25 mm radius it was less than half of that.
    """
    if not all(0 < part <= 100 for part in dx):
        raise ValueError("dx holds parts of the volume, above 0 and up to 100 %")
    received = np.sort(_received(dose, mask))[::-1]
    n, voxel_cm3 = len(received), mask.geometry.voxel_mm3 / 1000
    metrics = {"volume_cm3": n * voxel_cm3, "Dmean": float(received.mean()), "Dmin": float(received[-1]),
               "Dmax": float(received[0])}
    for part in dx:
        metrics[f"D{part:g}"] = float(received[_rank(part, n)])
    for level in vx:
        reached = int(np.count_nonzero(received >= level))
        metrics[f"V{level:g}"], metrics[f"V{level:g}_cm3"] = 100 * reached / n, reached * voxel_cm3
    return metrics


def _rank(part: float, n: int) -> int:
    """Place of the last voxel that is needed to make up the part, most dose first."""
    return max(0, int(np.ceil(round(part * n / 100, 6))) - 1)


def _received(dose: Volume, mask: Volume) -> np.ndarray:
    if not dose.geometry.same_as(mask.geometry):
        raise DataError("the dose and the mask have different grids", where="dose and mask",
                        todo="Bring the dose on the image's grid first (dose_on)")
    received = dose.array[mask.array].astype(np.float64)
    if not len(received):
        raise DataError("the ROI is empty", where="dose and mask", todo="Leave it out")
    if outside := int(np.isnan(received).sum()):
        raise DataError(f"{outside} of the ROI's {len(received)} voxels lie outside the dose's grid",
                        where="dose and mask", todo="Export the dose on a grid that covers the ROI")
    return received


def _stored_values(path: Path) -> np.ndarray:
    dataset = dcmread(path, force=True)
    if "TransferSyntaxUID" not in dataset.file_meta:  # no meta header (bad input 20)
        implicit, _ = dataset.original_encoding
        dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian
    return dataset.pixel_array


def _check_kind(header: Dataset, where: str) -> None:
    if (unit := header.get("DoseUnits")) != "GY":
        raise DataError(f"the dose is not in Gy (DoseUnits: {unit or 'missing'})", where=where,
                        todo="Export the absolute dose")
    if not 0 < float(header.DoseGridScaling) < float("inf"):
        raise DataError("DoseGridScaling is not positive: the dose would be zero everywhere", where=where, todo=_AGAIN)
    if header.get("DoseType") == "ERROR":
        raise DataError("it holds the error of a dose, not a dose", where=where, todo="Choose the physical dose")


def _geometry(header: Dataset, where: str) -> Geometry:
    row, column = np.array(header.ImageOrientationPatient, dtype=float).reshape(2, 3)
    normal = np.cross(row, column)
    first = np.array(header.ImagePositionPatient, dtype=float)
    offsets = _offsets(header, first, normal, where)
    height, width = (float(value) for value in header.PixelSpacing)  # distance of rows first
    step = (offsets[-1] - offsets[0]) / (len(offsets) - 1)
    axes = np.stack([row, column, normal * np.sign(step)], axis=1)
    x, y, z = (first + normal * offsets[0]).tolist()
    return Geometry((int(header.Columns), int(header.Rows), len(offsets)), (width, height, abs(step)), (x, y, z),
                    tuple(axes.reshape(-1).tolist()))


def _offsets(header: Dataset, first: np.ndarray, normal: np.ndarray, where: str) -> np.ndarray:
    """Distance of each plane from the first one's position, along the normal of the planes, shape (n,), mm."""
    offsets = np.array(header.GridFrameOffsetVector, dtype=float).reshape(-1)
    if len(offsets) != int(header.NumberOfFrames) or len(offsets) < 2:
        raise DataError("the dose does not say where its planes lie, or has one only", where=where, todo=_AGAIN)
    steps = np.diff(offsets)
    if steps[0] == 0 or np.abs(steps - steps.mean()).max() > _OFFSET_TOLERANCE * abs(steps.mean()):
        raise DataError("the planes of the dose lie at unequal distances", where=where,
                        todo="Export the dose on a regular grid")
    if offsets[0] == 0:
        return offsets
    # Otherwise they are z coordinates, which only axial planes have.
    if abs(abs(normal[2]) - 1) > _OFFSET_TOLERANCE or abs(offsets[0] - first[2]) > _OFFSET_TOLERANCE * abs(steps[0]):
        raise DataError("the planes of the dose are given neither from the first one on nor as z coordinates",
                        where=where, todo=_AGAIN)
    return (offsets - first[2]) * np.sign(normal[2])
