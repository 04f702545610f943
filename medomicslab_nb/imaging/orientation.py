"""How a grid is turned so that its axes run nearest to the patient's left, back and head (LPS): permuted and mirrored.

Nothing is interpolated, and the way back is exact. Axes are ordered (x, y, z), arrays (z, y, x).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations

import numpy as np

from medomicslab_nb.imaging.geometry import Geometry
from medomicslab_nb.imaging.volumes import Volume


@dataclass(frozen=True)
class Orientation:
    """A permutation and mirroring of axes.

    Attributes
    ----------
    axes : (x, y, z)
        The stored axis that becomes each axis of the turned grid.
    flips : (x, y, z)
        Whether it then runs the other way.
    """

    axes: tuple[int, int, int]
    flips: tuple[bool, bool, bool]

    @classmethod
    def of(cls, geometry: Geometry) -> Orientation:
        """The one that brings a grid nearest to LPS: the sum of its axes' cosines with L, P and S is largest."""
        cosines = geometry.axes
        x, y, z = max(permutations(range(3)), key=lambda axes: np.abs(cosines[range(3), list(axes)]).sum())
        first, second, third = (bool(value < 0) for value in cosines[range(3), [x, y, z]])
        return cls((x, y, z), (first, second, third))

    def turned(self, array: np.ndarray) -> np.ndarray:
        """A view of a stored array (z, y, x) in the turned order; nothing is copied."""
        return array.transpose([2 - self.axes[2 - place] for place in range(3)])[self._mirrored()]

    def back(self, array: np.ndarray) -> np.ndarray:
        """A view of a turned array in the stored order: the inverse of :meth:`turned`."""
        return array[self._mirrored()].transpose([2 - self.axes.index(2 - place) for place in range(3)])

    def grid(self, geometry: Geometry) -> Geometry:
        """The stored grid's voxels, in the turned order."""
        axes, flips = list(self.axes), np.asarray(self.flips)
        size = np.asarray(geometry.size)[axes]
        corner = np.zeros(3)
        corner[axes] = np.where(flips, size - 1, 0)
        x, y, z = geometry.to_points(corner[None])[0].tolist()
        direction = geometry.axes[:, axes] * np.where(flips, -1.0, 1.0)
        nx, ny, nz = size.tolist()
        sx, sy, sz = (geometry.spacing_mm[axis] for axis in axes)
        return Geometry((nx, ny, nz), (sx, sy, sz), (x, y, z), tuple(direction.reshape(-1).tolist()))

    def _mirrored(self) -> tuple[slice, ...]:
        return tuple(slice(None, None, -1 if flip else 1) for flip in reversed(self.flips))


def to_lps(volume: Volume) -> Volume:
    """The same voxels in the order nearest to LPS; the array is a view."""
    turn = Orientation.of(volume.geometry)
    return Volume(turn.turned(volume.array), turn.grid(volume.geometry), volume.unit, volume.frame_of_reference,
                  volume.pixel_type)
