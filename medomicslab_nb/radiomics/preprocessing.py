"""Preprocessing before any engine, once and the same for all: the chain of the IBSI reference manual.

Normalisation (MR only; not IBSI's), interpolation of image and ROI onto a grid aligned by centres, rounding,
resegmentation by range and by outliers, discretisation. Shape is measured on the *morphological* mask, as interpolated;
everything else on the *intensity* mask, what resegmentation leaves of it.

Only the surroundings of the ROI are interpolated; their values are those of the whole volume.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from medomicslab_nb.errors import DataError
from medomicslab_nb.imaging.geometry import Geometry
from medomicslab_nb.imaging.resampling import Box, Order, aligned_grid, resample_image, resample_mask
from medomicslab_nb.imaging.volumes import Volume
from medomicslab_nb.radiomics.discretisation import Discretisation, discretise
from medomicslab_nb.radiomics.settings import RadiomicsSettings

MARGIN_MM = 10.0
"""Surroundings of the ROI that are kept: local intensity features look 6.2 mm beyond its edge."""

_WHERE = "radiomics preprocessing"
_FBS_25 = Discretisation("fixed_bin_size", 25)
_FBN_32 = Discretisation("fixed_bin_number", 32)
_SOFT_TISSUE, _LUNG = (-500.0, 400.0), (-1000.0, 400.0)


@dataclass(frozen=True)
class Preprocessing:
    """A complete preprocessing.

    Attributes
    ----------
    dimension : {"2D", "3D"}
        Texture within slices, or across them.
    spacing_mm : (x, y, z) or None
        After interpolation; None: no interpolation, None for one axis: not along it.
    interpolation : {"linear", "spline"}
        Of the image; the ROI is interpolated linearly and cut at one half.
    rounded : bool
        Intensities are rounded to whole numbers, after interpolation, e.g. HU.
    range : (lower, upper) or None
        Resegmentation: intensities that stay, ends included.
    outliers : float or None
        Resegmentation: intensities within so many standard deviations of the mean of the ROI's voxels stay. With a
        range, both must hold; mean and deviation are those before it, as in IBSI's reference software.
    discretisation : Discretisation
        For texture and the intensity histogram.
    ivh : Discretisation or None
        For the intensity-volume histogram; None: none.
    normalised : float or None
        Intensities become (x - mean) / SD times this, over the whole image as it was given (pyradiomics'
        ``normalize``, ``normalizeScale``). It depends on how much of the body and of the air is in the image.
    """

    dimension: Literal["2D", "3D"] = "3D"
    spacing_mm: tuple[float | None, float | None, float | None] | None = None
    interpolation: Order = "linear"
    rounded: bool = False
    range: tuple[float, float] | None = None
    outliers: float | None = None
    discretisation: Discretisation = _FBN_32
    ivh: Discretisation | None = None
    normalised: float | None = None


@dataclass(frozen=True, eq=False)
class Prepared:
    """An image and its ROI, ready for an engine.

    Attributes
    ----------
    image : Volume
        After interpolation and rounding, float32; the ROI and its surroundings.
    morphological, intensity : ndarray of bool, shape of the image
        The ROI, and what resegmentation leaves of it.
    discretised : ndarray of int32, shape of the image
        Grey levels 1 to ``levels`` inside the intensity mask, 0 outside.
    bin_width, minimum : float
        Width of a bin and lower edge of the first one, in the image's unit.
    filter : str
        "original", or the name of the filtered image: engines measure shape on the original one only.
    """

    image: Volume
    morphological: np.ndarray
    intensity: np.ndarray
    discretised: np.ndarray
    levels: int
    bin_width: float
    minimum: float
    preprocessing: Preprocessing
    filter: str = "original"

    @property
    def is_constant(self) -> bool:
        """Whether all voxels of the intensity mask have the same intensity."""
        values = self.image.array[self.intensity]
        return bool((values == values[0]).all())

    def crop(self, box: Box) -> Prepared:
        """A part, which must hold the whole ROI."""
        (x, y, z), (nx, ny, nz) = box.lower, box.size
        part = np.s_[z:z + nz, y:y + ny, x:x + nx]
        return replace(self, image=self.image.crop(box.lower, box.size), morphological=self.morphological[part],
                       intensity=self.intensity[part], discretised=self.discretised[part])

    def filtered(self, array: np.ndarray, name: str) -> Prepared:
        """The same ROI on a filtered image of the same grid.

        The intensity mask stays the original image's. Fixed bins begin at the ROI's minimum: the lower end of a range
        in HU or SUV says nothing about a filter's response.

        Raises
        ------
        DataError
            The filter has no response in the ROI.
        """
        if not np.isfinite(array[self.intensity]).all():
            raise DataError(f"the filtered image {name} holds values in the ROI that are no numbers", where=_WHERE,
                            todo="The image ends near the ROI, or has voxels without a value: leave the filter out")
        image = self.image.with_array(array)
        settings = self.preprocessing
        return _discretised(image, self.morphological, self.intensity, replace(settings, range=None), name)


PRESETS: dict[str, Preprocessing] = {
    "ibsi-a": Preprocessing("2D", rounded=True, range=_SOFT_TISSUE, discretisation=_FBS_25),
    "ibsi-b": Preprocessing("2D", (2.0, 2.0, None), rounded=True, range=_SOFT_TISSUE, discretisation=_FBN_32),
    "ibsi-c": Preprocessing("3D", (2.0, 2.0, 2.0), rounded=True, range=_LUNG, discretisation=_FBS_25,
                            ivh=Discretisation("fixed_bin_size", 2.5)),
    "ibsi-d": Preprocessing("3D", (2.0, 2.0, 2.0), rounded=True, outliers=3.0, discretisation=_FBN_32),
    "ibsi-e": Preprocessing("3D", (2.0, 2.0, 2.0), "spline", rounded=True, range=_LUNG, outliers=3.0,
                            discretisation=_FBN_32, ivh=Discretisation("fixed_bin_number", 1000)),
    "pet-suv": Preprocessing("3D", (4.0, 4.0, 4.0), discretisation=Discretisation("fixed_bin_number", 64)),
    "ct-hu": Preprocessing("3D", (2.0, 2.0, 2.0), rounded=True, range=_LUNG, discretisation=_FBS_25),
    "mr-normalised": Preprocessing("3D", (2.0, 2.0, 2.0), outliers=3.0, normalised=100.0,
                                   discretisation=Discretisation("fixed_bin_size", 5)),
    "plain": Preprocessing("3D"),
}
"""Complete preprocessings by name; the first five are the configurations of the IBSI CT phantom."""

_AUTO = {"PT": "pet-suv", "CT": "ct-hu", "MR": "mr-normalised"}


def preprocessing_for(settings: RadiomicsSettings, modality: str = "") -> Preprocessing:
    """The preprocessing that settings ask for.

    Parameters
    ----------
    modality : str
        DICOM's word, e.g. PT, CT, MR; decides the preset when settings leave it to ``auto``. Any other: ``plain``.
    """
    name = _AUTO.get(modality.upper(), "plain") if settings.preset == "auto" else settings.preset
    preset = PRESETS[name]
    changes = {
        "spacing_mm": settings.spacing, "interpolation": settings.interpolation, "range": settings.range,
        "outliers": settings.outliers,
        "discretisation": _chosen_bins(settings),
    }
    return replace(preset, **{key: value for key, value in changes.items() if value is not None})


def _chosen_bins(settings: RadiomicsSettings) -> Discretisation | None:
    if settings.bin_width is not None:
        return Discretisation("fixed_bin_size", settings.bin_width)
    if settings.bin_count is not None:
        return Discretisation("fixed_bin_number", settings.bin_count)
    return None


def prepare(image: Volume, mask: Volume, preprocessing: Preprocessing, *, margin_mm: float = MARGIN_MM) -> Prepared:
    """Preprocess an image and its ROI for an engine.

    Parameters
    ----------
    image : Volume
    mask : Volume
        The ROI, bool, on the image's grid.
    margin_mm : float
        Surroundings of the ROI to keep; filters need more than features.

    Raises
    ------
    DataError
        Mask and image have different geometries, the ROI is empty, has a single voxel or holds no numbers, nothing is
        left of it after interpolation or resegmentation, or there would be too many grey levels.
    """
    check_pair(image, mask)
    part, roi = _interpolated(image, mask, preprocessing, margin_mm)
    _check_roi(part.array, roi)
    intensity = resegment(part.array, roi, preprocessing)
    return _discretised(part, roi, intensity, preprocessing, "original")


def check_pair(image: Volume, mask: Volume) -> None:
    """Raise DataError unless the mask lies on the image's grid and is not empty."""
    if not image.geometry.same_as(mask.geometry):
        raise DataError("the mask and the image have different grids", where=_WHERE,
                        todo="Resample the mask to the image's grid, or choose the image that it was drawn on")
    if not mask.array.any():
        raise DataError("the ROI is empty", where=_WHERE, todo="Check the contour, or leave the ROI out")


def resegment(array: np.ndarray, roi: np.ndarray, preprocessing: Preprocessing) -> np.ndarray:
    """The intensity mask: the ROI's voxels within the range and within the outlier limits.

    Raises
    ------
    DataError
        Fewer than two voxels are left.
    """
    mask = roi.copy()
    if preprocessing.range is not None:
        lower, upper = preprocessing.range
        mask &= (array >= lower) & (array <= upper)
        _check_left(array, roi, mask, f"the range from {lower:g} to {upper:g}")
    if preprocessing.outliers is not None:
        values = array[roi].astype(np.float64)
        reach = preprocessing.outliers * values.std()
        mask &= (array >= values.mean() - reach) & (array <= values.mean() + reach)
        _check_left(array, roi, mask, f"{preprocessing.outliers:g} standard deviations")
    return mask


def bounding_box(mask: np.ndarray, margin: Sequence[int] = (0, 0, 0)) -> Box:
    """The smallest box around a mask (z, y, x), with a margin (x, y, z) in voxels as far as the array reaches."""
    lower, upper = [], []
    for axis, extra in zip((2, 1, 0), margin, strict=True):
        others = tuple(other for other in range(3) if other != axis)
        inside = np.flatnonzero(mask.any(axis=others))
        lower.append(max(0, int(inside[0]) - extra))
        upper.append(min(mask.shape[axis], int(inside[-1]) + 1 + extra))
    return Box(tuple(lower), tuple(high - low for low, high in zip(lower, upper, strict=True)))


def _interpolated(image: Volume, mask: Volume, settings: Preprocessing,
                  margin_mm: float) -> tuple[Volume, np.ndarray]:
    image = image if settings.normalised is None else normalise(image, settings.normalised)
    spacing = settings.spacing_mm or (None, None, None)
    box = _box_on_grid(mask, aligned_grid(image.geometry, spacing), margin_mm)
    part = resample_image(image, spacing, order=settings.interpolation, box=box)
    roi = resample_mask(mask, spacing, box=box).array
    if settings.rounded:
        part = part.with_array(_rounded(part.array))
    return part, roi


def _rounded(array: np.ndarray) -> np.ndarray:
    """Nearest whole numbers; what rounding errors moved off a tie is a tie."""
    return np.rint(np.round(array.astype(np.float64), 4)).astype(np.float32)


def normalise(image: Volume, scale: float) -> Volume:
    """(x - mean) / SD times ``scale``, over the whole image, without voxels that have no value; float32.

    Raises
    ------
    DataError
        The image is constant.
    """
    values = image.array.astype(np.float64)
    known = values[np.isfinite(values)]
    deviation = known.std(ddof=1) if known.size > 1 else 0.0
    if not deviation > 0:
        raise DataError("the whole image has one intensity and cannot be normalised", where=_WHERE,
                        todo="Check the image, or choose a preset without normalisation")
    return image.with_array(((values - known.mean()) / deviation * scale).astype(np.float32))


def _box_on_grid(mask: Volume, grid: Geometry, margin_mm: float) -> Box:
    """Part of the new grid around the ROI: its voxels' outer edges, and the margin."""
    found = bounding_box(mask.array)
    last = np.add(found.lower, found.size) - 1
    ends = mask.geometry.to_points(np.array([np.subtract(found.lower, 0.5), last + 0.5]))
    first, past = grid.to_indices(ends)
    margin = margin_mm / np.asarray(grid.spacing_mm)
    lower = np.clip(np.floor(first - margin), 0, np.subtract(grid.size, 1)).astype(int)
    upper = np.clip(np.ceil(past + margin), 0, np.subtract(grid.size, 1)).astype(int)
    return Box(tuple(lower.tolist()), tuple((upper - lower + 1).tolist()))


def _check_roi(array: np.ndarray, roi: np.ndarray) -> None:
    count = int(roi.sum())
    if count == 0:
        raise DataError("the ROI is smaller than half a voxel after interpolation", where=_WHERE,
                        todo="Choose a smaller spacing, or leave the ROI out")
    if count == 1:
        raise DataError("the ROI has a single voxel, of which no texture or shape can be measured", where=_WHERE,
                        todo="Choose a smaller spacing, or leave the ROI out")
    if not np.isfinite(array[roi]).all():
        raise DataError("the image holds values in the ROI that are no numbers", where=_WHERE,
                        todo="Check that the image covers the whole ROI")


def _check_left(array: np.ndarray, roi: np.ndarray, mask: np.ndarray, limit: str) -> None:
    left = int(mask.sum())
    if left < 2:
        inside = array[roi]
        found = "no voxel" if left == 0 else "a single voxel"
        raise DataError(f"resegmentation by {limit} leaves {found} of the ROI, whose intensities lie between "
                        f"{inside.min():g} and {inside.max():g}", where=_WHERE,
                        todo="Check the image's unit and the range")


def _discretised(image: Volume, roi: np.ndarray, intensity: np.ndarray, settings: Preprocessing,
                 name: str) -> Prepared:
    lower = -np.inf if settings.range is None else settings.range[0]
    grey = discretise(image.array[intensity], settings.discretisation, lower)
    discretised = np.zeros(roi.shape, dtype=np.int32)
    discretised[intensity] = grey.levels
    return Prepared(image, roi, intensity, discretised, grey.count, grey.width, grey.origin, settings, name)
