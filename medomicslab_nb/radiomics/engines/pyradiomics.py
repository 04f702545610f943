"""The engine pyradiomics: matrices and formulas of the library, on our preprocessing.

Its feature classes get the grey levels as they are (their own binning is replaced by the identity). Textures in two
dimensions are merged over slices for each direction (IBSI's 2.5D, direction-merged); pyradiomics has no others.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import SimpleITK as sitk

from medomicslab_nb.imaging.resampling import Box
from medomicslab_nb.imaging.volumes import Volume
from medomicslab_nb.radiomics.engines import FEATURE_COLUMNS
from medomicslab_nb.radiomics.nomenclature import features_of
from medomicslab_nb.radiomics.preprocessing import Prepared, bounding_box

_SKEWNESS, _KURTOSIS = "KE2A", "IPH6"
_AXIS_LENGTHS = ("TDIC", "P9VJ", "7J51")
_DIRECTIONAL = ("glcm", "glrlm")
_WITHOUT = ("morphology", "statistics", "intensity_histogram")


def measure(prepared: Prepared) -> pd.DataFrame:
    """Features of a prepared ROI, with the columns :data:`~medomicslab_nb.radiomics.engines.FEATURE_COLUMNS`.

    Shape is left out for filtered images. A constant ROI has one grey level; where a definition then divides by zero,
    the value is the one that the IBSI manual sets (skewness and kurtosis 0, correlation 1, coarseness 10^6).
    """
    values = dict(_values(prepared))
    tones = dict(_tones_of_neighbours(prepared))
    two_d = prepared.preprocessing.dimension == "2D"
    rows = []
    for own, feature in features_of("pyradiomics").items():
        if own in values:
            ibsi_value, deviation = _as_ibsi(feature.ibsi_code, values[own], prepared)
            if own in tones and tones[own] != values[own]:
                ibsi_value, deviation = tones[own], "voxels without a neighbour count: IBSI leaves them out"
            aggregation = aggregation_of(feature.family, two_d=two_d)
            rows.append((feature.family, feature.feature, feature.ibsi_code, aggregation, values[own], ibsi_value,
                         deviation))
    return pd.DataFrame(rows, columns=list(FEATURE_COLUMNS))


def aggregation_of(family: str, *, two_d: bool) -> str:
    """IBSI's words for how pyradiomics aggregates the matrices of a family."""
    if family in _WITHOUT:
        return ""
    if family in _DIRECTIONAL:
        return "2.5D, direction-merged" if two_d else "3D, averaged"
    return "2.5D" if two_d else "3D"


def cropped(array: np.ndarray, box: Box, spacing_mm: tuple[float, float, float]) -> sitk.Image:
    """A part of an array (z, y, x) as an image with the spacing only."""
    (x, y, z), (nx, ny, nz) = box.lower, box.size
    part = array[z:z + nz, y:y + ny, x:x + nx]
    image = sitk.GetImageFromArray(part.astype(np.uint8) if part.dtype == bool else part)
    image.SetSpacing(spacing_mm)
    return image


def _values(prepared: Prepared) -> Iterator[tuple[str, float]]:
    """Values by "class_Feature", the library's own names."""
    from medomicslab_nb.radiomics.fast_pyradiomics import TEXTURE, measure_class

    image = prepared.image
    box = bounding_box(prepared.intensity)
    pixels, mask = (cropped(array, box, image.geometry.spacing_mm) for array in (image.array, prepared.intensity))
    settings = _settings(prepared, prepared.intensity, box)
    for name in ("firstorder", *TEXTURE):
        for feature, value in measure_class(name, pixels, mask, None, settings).items():
            yield f"{name}_{feature}", value
    if prepared.filter == "original":
        box = bounding_box(prepared.morphological)
        mask = cropped(prepared.morphological, box, image.geometry.spacing_mm)
        for feature, value in measure_class("shape", mask, mask, None, {}).items():
            yield f"shape_{feature}", value


def _tones_of_neighbours(prepared: Prepared) -> Iterator[tuple[str, float]]:
    """The NGTDM's features without voxels that touch no other, where there are such voxels."""
    from medomicslab_nb.radiomics.fast_pyradiomics import measure_class
    from medomicslab_nb.radiomics.texture_counts import with_neighbours

    plane = 0 if prepared.preprocessing.dimension == "2D" else None
    touching = with_neighbours(prepared.intensity, plane)
    if touching.sum() in (0, prepared.intensity.sum()):
        return
    box = bounding_box(touching)
    mask = cropped(touching, box, prepared.image.geometry.spacing_mm)
    for feature, value in measure_class("ngtdm", mask, mask, None, _settings(prepared, touching, box)).items():
        yield f"ngtdm_{feature}", value


def _settings(prepared: Prepared, mask: np.ndarray, box: Box) -> dict[str, Any]:
    """The library's settings for a mask (z, y, x) and its box: ready grey levels, and in which dimensions."""
    from medomicslab_nb.radiomics.fast_pyradiomics import Levels

    geometry = prepared.image.geometry
    inside = Volume(mask, geometry).crop(box.lower, box.size).array
    grey = Volume(prepared.discretised, geometry).crop(box.lower, box.size).array
    return {"levels": Levels.of(grey.astype(int), inside), "force2D": prepared.preprocessing.dimension == "2D"}


def _as_ibsi(code: str, value: float, prepared: Prepared) -> tuple[float, str]:
    """A value as IBSI defines it, and how the library's definition differs."""
    if np.isnan(value):
        return np.nan, "not defined for this ROI"
    if not code:
        return np.nan, "not a feature of IBSI"
    if code in (_SKEWNESS, _KURTOSIS) and prepared.is_constant:
        return 0.0, "the ROI is constant: IBSI's is 0"
    if code == _KURTOSIS:
        return value - 3, "not excess kurtosis: IBSI subtracts 3"
    if code in _AXIS_LENGTHS:
        n = int(prepared.morphological.sum())
        return value * np.sqrt(n / (n - 1)), "covariance of the voxels' positions divided by n: IBSI divides by n - 1"
    return value, ""
