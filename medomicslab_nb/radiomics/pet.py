"""PET metrics with stated definitions, on the voxels of the PET as it was acquired: no interpolation, no rounding.

====================  =============================================================================================
SUVmax, SUVmean       highest and mean SUV of the ROI's voxels
SUVpeak               mean SUV of the voxels whose centre lies within 6.204 mm of a centre voxel (a sphere of 1 cm3);
                      a voxel counts wholly or not at all. The sphere may reach beyond the ROI, but not beyond the
                      image, whose missing voxels are left out of the mean. *Global*: the highest of all spheres whose
                      centre lies in the ROI. *Local*: the sphere about the ROI's hottest voxel (the highest, where
                      several voxels are equally hot). Both are IBSI's intensity peaks (0F91, VJGA) [1]_.
MTV, TLG at 41 %      volume of the ROI's voxels with SUV >= 0.41 SUVmax, and that volume times their mean SUV [2]_
MTV, TLG at SUV 4.0   the same for SUV >= 4.0; zero where no voxel is as hot
Dmax                  largest distance between the centroids of two lesions, 0 for a single lesion [3]_
====================  =============================================================================================

Centroids are those of the whole ROIs, every voxel weighing the same. TLG has the unit of SUV times mL.

References
----------
.. [1] Zwanenburg A et al. The Image Biomarker Standardization Initiative. Radiology 2020;295:328-338.
.. [2] Boellaard R et al. FDG PET/CT: EANM procedure guidelines for tumour imaging: version 2.0. Eur J Nucl Med Mol
   Imaging 2015;42:328-354.
.. [3] Cottereau AS et al. 18F-FDG PET dissemination features in diffuse large B-cell lymphoma are predictive of
   outcome. J Nucl Med 2020;61:40-45.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from medomicslab_nb.errors import DataError
from medomicslab_nb.imaging.volumes import Volume

FRACTION = 0.41
"""Share of SUVmax from which on a voxel belongs to the metabolic tumour volume."""
THRESHOLD = 4.0
"""SUV from which on a voxel belongs to the metabolic tumour volume."""
PEAK_RADIUS_MM = float((3000 / (4 * np.pi)) ** (1 / 3))
"""Radius of a sphere of 1 cm3, 6.2035 mm."""

_WHERE = "PET metrics"


def pet_metrics(image: Volume, mask: Volume) -> dict[str, float]:
    """Metrics of one lesion.

    Parameters
    ----------
    image : Volume
        PET in SUV, on its own grid.
    mask : Volume
        The lesion, bool, on the same grid.

    Returns
    -------
    dict
        ``suv_max``, ``suv_mean``, ``suv_peak_global``, ``suv_peak_local``, ``volume_ml``, ``mtv_41_ml``, ``tlg_41``,
        ``mtv_4_ml``, ``tlg_4``, and the centroid ``centroid_x_mm``, ``centroid_y_mm``, ``centroid_z_mm`` (LPS), from
        which Dmax comes. A lesion without a positive SUV has a metabolic volume of 0.

    Raises
    ------
    DataError
        The image is not in SUV; mask and image have different grids; the mask is empty; a value in it is no number.
    """
    _check(image, mask)
    inside = image.array[mask.array].astype(np.float64)
    voxel_ml = image.geometry.voxel_mm3 / 1000
    peak_global, peak_local = suv_peaks(image, mask)
    metrics = {"suv_max": inside.max(), "suv_mean": inside.mean(), "suv_peak_global": peak_global,
               "suv_peak_local": peak_local, "volume_ml": len(inside) * voxel_ml}
    for name, threshold in (("41", FRACTION * inside.max()), ("4", THRESHOLD)):
        hot = inside[inside >= threshold] if inside.max() > 0 else inside[:0]
        metrics |= {f"mtv_{name}_ml": len(hot) * voxel_ml, f"tlg_{name}": hot.sum() * voxel_ml}
    centroid = zip(("centroid_x_mm", "centroid_y_mm", "centroid_z_mm"), centroid_mm(mask), strict=True)
    return {name: float(value) for name, value in (*metrics.items(), *centroid)}


def suv_peaks(image: Volume, mask: Volume) -> tuple[float, float]:
    """Global and local SUVpeak; any unit, of voxels as they are.

    Raises
    ------
    DataError
        A voxel that a sphere needs is no number.
    """
    centres = np.argwhere(mask.array)  # shape (n, 3), z y x
    means = _sphere_means(image, centres.min(axis=0), centres.max(axis=0) + 1)
    offset = centres - centres.min(axis=0)
    at_centres = means[tuple(offset.T)]
    if not np.isfinite(at_centres).all():
        raise DataError("the PET holds values near the ROI that are no numbers", where=_WHERE,
                        todo="Check that the image covers the ROI and 6.2 mm around it")
    inside = image.array[mask.array]
    return float(at_centres.max()), float(at_centres[inside == inside.max()].max())


def centroid_mm(mask: Volume) -> np.ndarray:
    """Centroid of a mask, shape (3,), x y z in mm, LPS.

    Raises
    ------
    DataError
        The mask is empty.
    """
    indices = np.argwhere(mask.array)
    if not len(indices):
        raise DataError("the mask of a lesion is empty", where=_WHERE,
                        todo="Check the contour, or leave the lesion out")
    return mask.geometry.to_points(indices.mean(axis=0)[None, ::-1])[0]


def dmax_mm(masks: Sequence[Volume]) -> float:
    """The largest distance between the centroids of two lesions, mm; 0 for one lesion.

    The masks may lie on different grids of one frame of reference.

    Raises
    ------
    DataError
        There is no mask, one is empty, or their frames of reference differ.
    """
    if not masks:
        raise DataError("there is no lesion", where=_WHERE, todo="Give at least one mask")
    if len({mask.frame_of_reference for mask in masks} - {""}) > 1:
        raise DataError("the lesions have different frames of reference", where=_WHERE,
                        todo="Bring them to one image with its DICOM registration first")
    return spread_mm(np.array([centroid_mm(mask) for mask in masks]))


def spread_mm(points: np.ndarray) -> float:
    """The largest distance between two of the points (n, 3), mm; 0 for a single point."""
    differences = points[:, None] - points[None]
    return float(np.sqrt((differences**2).sum(axis=-1)).max())


def _check(image: Volume, mask: Volume) -> None:
    if not image.unit.startswith("SUV"):
        raise DataError(f"the image is in {image.unit or 'an unknown unit'}, not in SUV", where=_WHERE,
                        todo="Import the PET from DICOM, or name its unit in the image list")
    if not image.geometry.same_as(mask.geometry):
        raise DataError("the mask and the PET have different grids", where=_WHERE,
                        todo="Resample the mask to the PET's grid, or choose the image that it was drawn on")
    if not mask.array.any():
        raise DataError("the ROI is empty", where=_WHERE, todo="Check the contour, or leave the ROI out")
    if not np.isfinite(image.array[mask.array]).all():
        raise DataError("the PET holds values in the ROI that are no numbers", where=_WHERE,
                        todo="Check that the image covers the whole ROI")


def _sphere_means(image: Volume, lower: np.ndarray, upper: np.ndarray) -> np.ndarray:
    """Means over the sphere about every voxel of the box from ``lower`` to ``upper`` (z y x, end excluded)."""
    offsets = _sphere(image)
    reach = offsets.max(axis=0)
    first, last = np.maximum(lower - reach, 0), np.minimum(upper + reach, image.array.shape)
    part = image.array[tuple(slice(a, b) for a, b in zip(first, last, strict=True))].astype(np.float64)
    missing = np.stack([reach - (lower - first), reach - (last - upper)], axis=1)
    padded, known = np.pad(part, missing), np.pad(np.ones_like(part), missing)
    size = upper - lower
    total, count = np.zeros(size), np.zeros(size)
    for offset in offsets + reach:
        window = tuple(slice(start, start + length) for start, length in zip(offset, size, strict=True))
        total += padded[window]
        count += known[window]
    return total / count


def _sphere(image: Volume) -> np.ndarray:
    """Offsets (n, 3), z y x, of the voxels whose centre lies in the sphere about a voxel's centre."""
    spacing = np.array(image.geometry.spacing_mm[::-1])
    reach = np.floor(PEAK_RADIUS_MM / spacing).astype(int)
    grid = np.stack(np.meshgrid(*[np.arange(-n, n + 1) for n in reach], indexing="ij"), axis=-1).reshape(-1, 3)
    return grid[((grid * spacing) ** 2).sum(axis=1) <= PEAK_RADIUS_MM**2 * (1 + 1e-9)]
