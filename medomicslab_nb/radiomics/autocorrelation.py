"""Moran's I and Geary's C over all pairs of voxels, as IBSI defines them.

The sums over pairs are convolutions with the inverse distance, done by fast Fourier transform on a grid of twice the
ROI's box: seconds where loops over pairs take hours.
"""

from __future__ import annotations

import numpy as np

from medomicslab_nb.imaging.geometry import Triple

MOST_POINTS = 50_000_000
"""Points of the Fourier grid up to which it is used: beyond, it would take more than 2 GB."""


def moran_geary(array: np.ndarray, mask: np.ndarray, spacing_mm: Triple) -> tuple[float, float]:
    """Moran's I (N365) and Geary's C (NPT7).

    Each pair of voxels weighs the inverse of the distance between their centres.

    Parameters
    ----------
    array, mask : ndarray, shape (z, y, x)
        Intensities, and the voxels that count; a tight box around these is the fastest.
    spacing_mm : (x, y, z)

    Returns
    -------
    tuple of float
        NaN both, where there are fewer than two voxels, one intensity, or more than :data:`MOST_POINTS` points.
    """
    from scipy import fft

    shape = tuple(fft.next_fast_len(2 * n - 1, real=True) for n in array.shape)
    n = int(mask.sum())
    deviations = np.where(mask, array.astype(np.float64) - array[mask].mean(dtype=np.float64), 0)
    squares = float((deviations**2).sum())
    if n < 2 or not squares > 0 or np.prod(shape, dtype=float) > MOST_POINTS:
        return np.nan, np.nan
    kernel = fft.rfftn(_inverse_distance(shape, spacing_mm))

    def around(values: np.ndarray) -> np.ndarray:
        found = fft.irfftn(fft.rfftn(values, shape) * kernel, shape)
        return found[tuple(slice(size) for size in array.shape)]

    weights = around(mask.astype(np.float64))
    total = float(weights[mask].sum())
    products = float((deviations * around(deviations)).sum())
    differences = 2 * (float((deviations**2 * weights).sum()) - products)
    return n * products / (total * squares), (n - 1) * differences / (2 * total * squares)


def _inverse_distance(shape: tuple[int, ...], spacing_mm: Triple) -> np.ndarray:
    """1 / distance from index 0 on a periodic grid, mm^-1; 0 at distance 0."""
    steps = [np.minimum(np.arange(size), size - np.arange(size)) * edge
             for size, edge in zip(shape, spacing_mm[::-1], strict=True)]
    squared = steps[0][:, None, None] ** 2 + steps[1][:, None] ** 2 + steps[2] ** 2
    squared[0, 0, 0] = np.inf
    return 1 / np.sqrt(squared)
