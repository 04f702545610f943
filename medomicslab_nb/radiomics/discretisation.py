"""Discretisation of intensities into grey levels 1, 2, ..., as IBSI defines it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from medomicslab_nb.errors import DataError

MAX_LEVELS = 1024
"""More grey levels than this make texture matrices of gigabytes that are almost empty."""


@dataclass(frozen=True)
class Discretisation:
    """How intensities become grey levels.

    Attributes
    ----------
    method : {"fixed_bin_size", "fixed_bin_number"}
        Fixed bin size: level = floor((x - origin) / size) + 1, with the lower end of the resegmentation range as the
        origin, or the ROI's minimum where there is no range. Fixed bin number: size bins between the ROI's minimum and
        maximum; the maximum belongs to the last bin.
    size : float
        Width of a bin in the image's unit, or number of bins.
    """

    method: Literal["fixed_bin_size", "fixed_bin_number"]
    size: float


@dataclass(frozen=True)
class GreyLevels:
    """Grey levels of the voxels in an ROI.

    Attributes
    ----------
    levels : ndarray of int32, shape (n_voxels,)
        1 to ``count``.
    count : int
        The highest level.
    width, origin : float
        Width of a bin and lower edge of the first one, in the image's unit.
    """

    levels: np.ndarray
    count: int
    width: float
    origin: float


def discretise(values: np.ndarray, discretisation: Discretisation, lower: float = -np.inf) -> GreyLevels:
    """Grey levels of the intensities in an ROI.

    Parameters
    ----------
    values : ndarray, shape (n_voxels,)
        At least one; a constant ROI has one level.
    lower : float
        Lower end of the resegmentation range; -inf: none.

    Raises
    ------
    DataError
        There would be more than :data:`MAX_LEVELS` levels.
    """
    values = np.asarray(values, dtype=np.float64)
    minimum, maximum = float(values.min()), float(values.max())
    if discretisation.method == "fixed_bin_number":
        return _fixed_number(values, minimum, maximum, int(discretisation.size))
    origin = lower if np.isfinite(lower) else minimum
    width = float(discretisation.size)
    if (maximum - origin) / width >= MAX_LEVELS:
        raise DataError(f"bins of {width:g} make {(maximum - origin) / width:.0f} grey levels of intensities from "
                        f"{minimum:g} to {maximum:g}; at most {MAX_LEVELS} are possible", where="discretisation",
                        todo="Choose a larger bin width, or a fixed number of bins")
    levels = np.floor((values - origin) / width).astype(np.int32) + 1
    return GreyLevels(levels, int(levels.max()), width, origin)


def _fixed_number(values: np.ndarray, minimum: float, maximum: float, count: int) -> GreyLevels:
    if maximum == minimum:
        return GreyLevels(np.ones(len(values), dtype=np.int32), 1, 0.0, minimum)
    levels = np.floor(count * (values - minimum) / (maximum - minimum)).astype(np.int32) + 1
    return GreyLevels(np.minimum(levels, count), count, (maximum - minimum) / count, minimum)
