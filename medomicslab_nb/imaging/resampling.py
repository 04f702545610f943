"""Interpolation onto another grid, IBSI's way: both grids share their centre.

The new grid has ceil(n s / s') voxels along an axis of n voxels with spacing s; its first voxel lies half the
difference of the extents away from the old one (IBSI reference manual, "Interpolation"). Interpolation is separable,
and its weights come from whole indices on the full grid: a part of the grid has the very values of the full one.

Sizes, spacings and boxes are ordered (x, y, z), arrays (z, y, x). Beyond its outermost voxels, linear interpolation
continues an image with the nearest voxel's value, spline interpolation by reflection.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import SimpleITK as sitk

from medomicslab_nb.imaging.geometry import Geometry
from medomicslab_nb.imaging.volumes import Volume

Order = Literal["linear", "spline"]

PARTIAL_VOLUME = 0.5
"""Share of a voxel that must lie in the ROI, for the voxel to belong to it."""

_TIE = 1e-6  # shares this close to the threshold are ties: rounding errors must not decide them
_SETTLED = 32  # voxels after which the edge of a part no longer shows in its spline coefficients (0.27^32 < 1e-18)


@dataclass(frozen=True)
class Box:
    """A part of a grid: its first index and its size, both (x, y, z)."""

    lower: tuple[int, int, int]
    size: tuple[int, int, int]

    def grown(self, margin: Sequence[int], size: Sequence[int], *, periodic: bool = False) -> Box:
        """The box with a margin (x, y, z), as far as a grid of that size reaches.

        Parameters
        ----------
        periodic : bool
            The grid goes on at its other side: where the margin leaves it, that axis is taken as a whole.
        """
        lower, upper = np.subtract(self.lower, margin), np.add(self.lower, self.size) + margin
        outside = (lower < 0) | (upper > size) if periodic else np.zeros(3, dtype=bool)
        lower = np.where(outside, 0, np.maximum(lower, 0))
        upper = np.where(outside, size, np.minimum(upper, size))
        return Box(tuple(lower.tolist()), tuple((upper - lower).tolist()))


def aligned_grid(geometry: Geometry, spacing_mm: Sequence[float | None]) -> Geometry:
    """The grid of another spacing (x, y, z) with the same centre and directions; None keeps an axis as it is."""
    old_spacing = geometry.spacing_mm
    spacing = tuple(old if new is None else float(new) for old, new in zip(old_spacing, spacing_mm, strict=True))
    # Rounded first: 100 voxels of 0.3 mm are 30 of 1 mm, whatever floating point says.
    size = tuple(math.ceil(round(n * old / new, 6)) for n, old, new in
                 zip(geometry.size, old_spacing, spacing, strict=True))
    first = [_start(n, m, new / old) for n, m, old, new in
             zip(geometry.size, size, old_spacing, spacing, strict=True)]
    origin = tuple(geometry.to_points(np.array([first]))[0].tolist())
    return Geometry(size, spacing, origin, geometry.direction)


def resample_image(volume: Volume, spacing_mm: Sequence[float | None], *, order: Order = "linear",
                   box: Box | None = None) -> Volume:
    """An image on the aligned grid of another spacing.

    Parameters
    ----------
    spacing_mm : (x, y, z)
        None keeps an axis as it is, e.g. the slices for preprocessing in two dimensions.
    order : {"linear", "spline"}
        Spline is a cubic B-spline through the voxels; it overshoots at edges.
    box : Box, optional
        Only this part of the new grid, with the same values as there.

    Returns
    -------
    Volume
        float32.
    """
    grid = aligned_grid(volume.geometry, spacing_mm)
    array = _interpolated(volume.array, volume.geometry, grid, order, box).astype(np.float32)
    return Volume(array, _part(grid, box), volume.unit, volume.frame_of_reference)


def resample_mask(mask: Volume, spacing_mm: Sequence[float | None], *, box: Box | None = None) -> Volume:
    """A mask on the aligned grid: linear interpolation, then voxels of which at least half lies inside."""
    grid = aligned_grid(mask.geometry, spacing_mm)
    share = _interpolated(mask.array, mask.geometry, grid, "linear", box)
    return Volume(share >= PARTIAL_VOLUME - _TIE, _part(grid, box), mask.unit, mask.frame_of_reference)


def to_grid(volume: Volume, geometry: Geometry, *, order: Order = "linear", outside: float = np.nan) -> Volume:
    """A volume on any other grid, e.g. a PET on the grid of its CT.

    Parameters
    ----------
    volume : Volume
        A mask (bool) is interpolated linearly and cut at one half, whatever ``order`` says; it is False outside.
    outside : float
        Value of voxels that lie outside the volume's field of view.
    """
    is_mask = volume.array.dtype == bool
    linear = is_mask or order == "linear"
    image = Volume(volume.array.astype(np.float32), volume.geometry).to_image()
    reference = sitk.ResampleImageFilter()
    reference.SetSize(geometry.size)
    reference.SetOutputSpacing(geometry.spacing_mm)
    reference.SetOutputOrigin(geometry.origin_mm)
    reference.SetOutputDirection(geometry.direction)
    reference.SetInterpolator(sitk.sitkLinear if linear else sitk.sitkBSpline)
    reference.SetDefaultPixelValue(0.0 if is_mask else outside)
    array = sitk.GetArrayFromImage(reference.Execute(image))
    return Volume(array >= PARTIAL_VOLUME - _TIE if is_mask else array, geometry, volume.unit,
                  volume.frame_of_reference)


def _start(n: int, m: int, ratio: float) -> float:
    """Index, on the old axis of n voxels, of the first of m voxels that are ``ratio`` times as wide."""
    return ((n - 1) - (m - 1) * ratio) / 2


def _part(grid: Geometry, box: Box | None) -> Geometry:
    return grid if box is None else grid.crop(box.lower, box.size)


def _interpolated(array: np.ndarray, old: Geometry, new: Geometry, order: Order, box: Box | None) -> np.ndarray:
    """Values on the new grid, or on a part of it, float64; one axis after the other, always in the same order."""
    box = box or Box((0, 0, 0), new.size)
    for axis in range(3):
        array = _part_of_axis(array, 2 - axis, old, new, axis, order, box)
    for axis in range(3):
        array = _along(array, 2 - axis, old, new, axis, order, box)
    return np.asarray(array, dtype=np.float64)


def _part_of_axis(array: np.ndarray, at: int, old: Geometry, new: Geometry, axis: int, order: Order,
                  box: Box) -> np.ndarray:
    lower, upper = _needed(old, new, axis, order, box)
    return array[(slice(None),) * at + (slice(lower, upper),)]


def _along(array: np.ndarray, at: int, old: Geometry, new: Geometry, axis: int, order: Order, box: Box) -> np.ndarray:
    """Interpolation along one axis of an array that holds the old voxels from ``_needed`` on."""
    if old.spacing_mm[axis] == new.spacing_mm[axis]:
        return array
    if order == "spline":
        from scipy.ndimage import spline_filter1d

        array = spline_filter1d(array, order=3, axis=at, output=np.float64, mode="mirror")
    indices, weights = _taps(old, new, axis, order, box)
    lower, _ = _needed(old, new, axis, order, box)
    shape = [1, 1, 1]
    shape[at] = -1
    return sum(np.take(array, indices[:, tap] - lower, axis=at) * weights[:, tap].reshape(shape)
               for tap in range(indices.shape[1]))


def _needed(old: Geometry, new: Geometry, axis: int, order: Order, box: Box) -> tuple[int, int]:
    """Range of the old voxels along an axis that a part of the new grid depends on."""
    if old.spacing_mm[axis] == new.spacing_mm[axis]:
        return box.lower[axis], box.lower[axis] + box.size[axis]
    indices, _ = _taps(old, new, axis, order, box)
    margin = _SETTLED if order == "spline" else 0
    return max(0, int(indices.min()) - margin), min(old.size[axis], int(indices.max()) + margin + 1)


def _taps(old: Geometry, new: Geometry, axis: int, order: Order, box: Box) -> tuple[np.ndarray, np.ndarray]:
    """Old voxels that a new one is made of, and their weights; both of shape (n_new, n_taps)."""
    n, ratio = old.size[axis], new.spacing_mm[axis] / old.spacing_mm[axis]
    position = _start(n, new.size[axis], ratio) + np.arange(box.lower[axis], box.lower[axis] + box.size[axis]) * ratio
    if order == "linear":
        position = np.clip(position, 0, n - 1)
    below = np.floor(position).astype(int)
    t = position - below
    if order == "linear":
        return np.minimum(np.stack([below, below + 1], axis=1), n - 1), np.stack([1 - t, t], axis=1)
    weights = np.stack([(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3], axis=1) / 6
    return _mirrored(below[:, None] + np.arange(-1, 3), n), weights


def _mirrored(indices: np.ndarray, n: int) -> np.ndarray:
    """Indices reflected about the first and the last voxel."""
    if n == 1:
        return np.zeros_like(indices)
    folded = np.abs(indices) % (2 * (n - 1))
    return np.minimum(folded, 2 * (n - 1) - folded)
