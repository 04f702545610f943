"""An image over another one: as it is where their axes are parallel, otherwise interpolated onto such a grid."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from medomicslab_nb.imaging.geometry import Geometry
from medomicslab_nb.imaging.orientation import to_lps
from medomicslab_nb.imaging.registration import in_frame
from medomicslab_nb.imaging.resampling import to_grid
from medomicslab_nb.imaging.volumes import Volume

_PARALLEL = 0.1
"""How far, as a part of the smallest spacing, an overlay's corners may lie beside those of a parallel grid."""


def laid_over(volume: Volume, base: Geometry, frame_of_reference: str = "",
              registration: Path | None = None) -> Volume:
    """An image in LPS order whose axes are parallel to those of another one.

    Parameters
    ----------
    volume : Volume
    base : Geometry
        The other image's grid, in LPS order.
    frame_of_reference : str
        Of the other image.
    registration : Path, optional
        DICOM REG between the two, needed where their frames of reference are known and differ.

    Returns
    -------
    Volume
        Its own voxels where they are parallel; otherwise linearly interpolated with its own spacing, NaN outside its
        field of view.

    Raises
    ------
    DataError
        Different frames of reference without a registration (bad input 90).
    """
    moved = to_lps(in_frame(volume, frame_of_reference, registration))
    if _beside_mm(moved.geometry, base) <= _PARALLEL * min(base.spacing_mm):
        return replace(moved, geometry=_parallel(moved.geometry, base))
    return to_grid(moved, _covering(moved.geometry, base))


def _beside_mm(own: Geometry, base: Geometry) -> float:
    """How far the grid's corners move, about its centre, when it gets the other one's directions."""
    half = np.asarray(own.size) * own.spacing_mm / 2
    return float(np.linalg.norm((np.abs(own.axes - base.axes)) @ half))


def _parallel(own: Geometry, base: Geometry) -> Geometry:
    """The grid with the other one's directions, turned about its centre."""
    half = (np.asarray(own.size) - 1) / 2
    x, y, z = (own.to_points(half[None])[0] - base.axes @ (half * own.spacing_mm)).tolist()
    return replace(own, origin_mm=(x, y, z), direction=base.direction)


def _covering(own: Geometry, base: Geometry) -> Geometry:
    """The smallest grid with the base's directions, and the spacing nearest to its own, that covers a volume."""
    nearest = np.abs(base.axes.T @ own.axes).argmax(axis=1)
    spacing = np.asarray(own.spacing_mm)[nearest]
    along = own.corners() @ base.axes
    low, high = along.min(axis=0), along.max(axis=0)
    size = np.ceil((high - low) / spacing - 1e-6).astype(int) + 1
    x, y, z = (base.axes @ low).tolist()
    (nx, ny, nz), (sx, sy, sz) = size.tolist(), spacing.tolist()
    return Geometry((nx, ny, nz), (sx, sy, sz), (x, y, z), base.direction)
