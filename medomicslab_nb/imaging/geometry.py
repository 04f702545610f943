"""Where voxels lie: the geometry of a volume, in the patient's coordinates.

Coordinates are millimetres in LPS (x to the patient's left, y to the back, z to the head), as DICOM and SimpleITK have
them. Indices and points are ordered (x, y, z); arrays are ordered (z, y, x).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import SimpleITK as sitk

from medomicslab_nb.errors import DataError

Triple = tuple[float, float, float]

TOLERANCE_MM = 1e-3
"""Two grids whose corner voxels lie closer than this are the same grid."""

_UNIT = 1e-4  # how far direction cosines may be from an orthonormal set


@dataclass(frozen=True)
class Geometry:
    """A regular grid of voxels.

    Attributes
    ----------
    size : (x, y, z)
        Voxels along each axis.
    spacing_mm : (x, y, z)
    origin_mm : (x, y, z)
        Centre of the first voxel, LPS.
    direction : nine numbers, row by row
        Column i is the unit vector along index axis i, LPS; the determinant may be -1 (mirrored storage).

    Raises
    ------
    DataError
        Sizes or spacings are not positive, or the direction cosines are not orthonormal.
    """

    size: tuple[int, int, int]
    spacing_mm: Triple
    origin_mm: Triple = (0.0, 0.0, 0.0)
    direction: tuple[float, ...] = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)

    def __post_init__(self) -> None:
        numbers = (*self.spacing_mm, *self.origin_mm, *self.direction)
        if len(self.size) != 3 or not np.isfinite(numbers).all() or min(self.size) < 1 or min(self.spacing_mm) <= 0:
            raise DataError("the grid's size or spacing is not positive, or is no number", where="geometry",
                            todo="Export the image again")
        axes = self.axes
        if not np.allclose(axes.T @ axes, np.eye(3), atol=_UNIT):
            raise DataError("the axes of the grid are not at right angles (sheared, or a tilted gantry)",
                            where="geometry", todo="Resample the image to a regular grid first")

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of the array: (z, y, x)."""
        return self.size[2], self.size[1], self.size[0]

    @property
    def axes(self) -> np.ndarray:
        """Direction cosines, shape (3, 3); column i is index axis i."""
        return np.asarray(self.direction, dtype=float).reshape(3, 3)

    @property
    def voxel_mm3(self) -> float:
        """Volume of a voxel."""
        return float(np.prod(self.spacing_mm))

    def to_points(self, indices: np.ndarray) -> np.ndarray:
        """Points (n, 3) in mm of continuous indices (n, 3), both (x, y, z)."""
        return np.asarray(self.origin_mm) + (np.asarray(indices, dtype=float) * self.spacing_mm) @ self.axes.T

    def to_indices(self, points: np.ndarray) -> np.ndarray:
        """Continuous indices (n, 3) of points (n, 3) in mm, both (x, y, z)."""
        offset = np.asarray(points, dtype=float) - self.origin_mm
        return offset @ np.linalg.inv(self.axes).T / self.spacing_mm

    def corners(self) -> np.ndarray:
        """Centres of the eight corner voxels, shape (8, 3), mm."""
        ends = np.array(np.meshgrid(*[(0, n - 1) for n in self.size], indexing="ij")).reshape(3, -1).T
        return self.to_points(ends)

    def same_as(self, other: Geometry, tolerance_mm: float = TOLERANCE_MM) -> bool:
        """Whether both are the same grid: equal sizes, corner voxels within the tolerance."""
        return self.size == other.size and bool(np.abs(self.corners() - other.corners()).max() <= tolerance_mm)

    def crop(self, lower: Sequence[int], size: Sequence[int]) -> Geometry:
        """The part that begins at index ``lower`` (x, y, z), which may be negative, with ``size`` voxels."""
        origin = self.to_points(np.asarray([lower]))[0]
        return Geometry(_integers(size), self.spacing_mm, _triple(origin), self.direction)

    def to_dict(self) -> dict[str, Any]:
        """As JSON types."""
        return {"size": list(self.size), "spacing_mm": list(self.spacing_mm), "origin_mm": list(self.origin_mm),
                "direction": list(self.direction)}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Geometry:
        return cls(_integers(content["size"]), _triple(content["spacing_mm"]), _triple(content["origin_mm"]),
                   tuple(float(value) for value in content["direction"]))

    @classmethod
    def of_image(cls, image: sitk.Image) -> Geometry:
        """The geometry of a SimpleITK image of three dimensions."""
        return cls(_integers(image.GetSize()), _triple(image.GetSpacing()), _triple(image.GetOrigin()),
                   tuple(image.GetDirection()))


def _integers(values: Sequence[int]) -> tuple[int, int, int]:
    x, y, z = (int(value) for value in values)
    return x, y, z


def _triple(values: Sequence[float] | np.ndarray) -> Triple:
    x, y, z = (float(value) for value in values)
    return x, y, z
