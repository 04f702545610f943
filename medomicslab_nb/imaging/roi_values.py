"""What the voxels of an ROI hold: a histogram, and numbers with their definitions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_BINS = (8, 64)  # at least, at most


@dataclass(frozen=True)
class RoiValues:
    """Values of the voxels whose mask is true; those that are no finite number are counted and left out.

    Attributes
    ----------
    voxels, missing : int
        All voxels of the ROI, and those without a value.
    mean, deviation, minimum, median, maximum : float
        numpy's, in float64; the standard deviation divides by n. NaN for an ROI without values.
    p10, p90 : float
        Percentiles, interpolated linearly between values.
    edges : tuple of float
        n + 1 edges of the histogram's bins, of equal width from the minimum to the maximum. A bin holds its lower edge,
        the last one its upper edge, too.
    counts : tuple of int
    """

    voxels: int
    missing: int
    mean: float
    deviation: float
    minimum: float
    p10: float
    median: float
    p90: float
    maximum: float
    edges: tuple[float, ...]
    counts: tuple[int, ...]


def roi_values(image: np.ndarray, mask: np.ndarray) -> RoiValues:
    """The values of an ROI; both arrays of one shape, the mask bool."""
    inside = image[mask].astype(np.float64)
    known = inside[np.isfinite(inside)]
    if not known.size:
        none = float("nan")
        return RoiValues(inside.size, inside.size, none, none, none, none, none, none, none, (), ())
    bins = int(np.clip(np.sqrt(known.size), *_BINS))
    counts, edges = np.histogram(known, bins=bins)
    p10, median, p90 = (float(value) for value in np.percentile(known, (10, 50, 90)))
    return RoiValues(inside.size, inside.size - known.size, float(known.mean()), float(known.std()),
                     float(known.min()), p10, median, p90, float(known.max()),
                     tuple(edges.tolist()), tuple(counts.tolist()))
