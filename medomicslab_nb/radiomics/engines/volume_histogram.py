"""Which discretisation the intensity-volume histogram has, the same for every engine that makes one."""

from __future__ import annotations

import numpy as np

from medomicslab_nb.radiomics.discretisation import Discretisation
from medomicslab_nb.radiomics.preprocessing import Prepared

BINS = 1000
"""Bins of intensities that are no whole numbers."""


def volume_histogram(prepared: Prepared) -> Discretisation | None:
    """What the preprocessing asks for; else None, every whole number a bin of its own, where intensities are whole.

    Other intensities (PET, normalised MR, filtered images) get bins of a thousandth of :func:`intensity_range`. What
    was asked for in HU or SUV does not apply to a filter's response.
    """
    asked = prepared.preprocessing.ivh if prepared.filter == "original" else None
    if asked is not None:
        return asked
    values = prepared.image.array[prepared.intensity]
    if np.array_equal(values, np.rint(values)):
        return None
    lower, upper = intensity_range(prepared)
    return Discretisation("fixed_bin_size", (upper - lower) / BINS)


def intensity_range(prepared: Prepared) -> tuple[float, float]:
    """The range that intensity fractions refer to: that of resegmentation, or, at an end that is open, the ROI's."""
    values = prepared.image.array[prepared.intensity]
    lower, upper = prepared.preprocessing.range or (-np.inf, np.inf)
    return (float(lower if np.isfinite(lower) else values.min()), float(upper if np.isfinite(upper) else values.max()))
