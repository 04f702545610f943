"""Masks put on an image's grid: voxel for voxel by where they lie, never by how they are stored."""

from __future__ import annotations

import numpy as np

from medomicslab_nb.errors import DataError
from medomicslab_nb.imaging.geometry import TOLERANCE_MM, Geometry
from medomicslab_nb.imaging.volumes import Volume

GRID_TOLERANCE = 0.01
"""How far voxels of a mask may lie beside those of the image, as a part of the smallest spacing."""

_OTHER_GRID = "Export the mask on the grid of this image, or resample one of the two first"


def on_grid(mask: Volume, geometry: Geometry, *, whole: bool) -> np.ndarray:
    """A mask on the image's grid, whose voxels must coincide with its own; storage may be turned or mirrored.

    Parameters
    ----------
    mask : Volume
    geometry : Geometry
        Of the image.
    whole : bool
        Whether the mask must cover the image exactly. Otherwise it may cover a part (as DICOM SEG leaves empty slices
        out), or reach beyond it where it is empty.

    Returns
    -------
    ndarray of bool, shape (z, y, x)

    Raises
    ------
    DataError
        The grids differ; voxels of the ROI lie outside the image.
    """
    lower, turned = _turned(mask, geometry)
    if whole and (any(lower) or turned.shape != geometry.shape):
        raise DataError(f"the mask covers {_by(turned.shape[::-1])} voxels, the image {_by(geometry.size)}, or they "
                        "begin at different places", where="mask and image", todo=_OTHER_GRID)
    return into_grid(turned, lower, geometry)


def into_grid(box: np.ndarray, lower: tuple[int, int, int], geometry: Geometry) -> np.ndarray:
    """A box of voxels (z, y, x) that begins at index ``lower`` (x, y, z), in its grid.

    Raises
    ------
    DataError
        Voxels of the ROI lie outside the grid.
    """
    size = box.shape[::-1]
    begin = [min(max(0, -low), n) for low, n in zip(lower, size, strict=True)]
    end = [max(min(n, whole - low), start)
           for low, n, whole, start in zip(lower, size, geometry.size, begin, strict=True)]
    part = box[begin[2]:end[2], begin[1]:end[1], begin[0]:end[0]]
    inside, voxels = np.count_nonzero(part), np.count_nonzero(box)
    if inside < voxels:
        raise outside_image(voxels - inside, voxels)
    mask = np.zeros(geometry.shape, dtype=bool)
    x, y, z = (low + start for low, start in zip(lower, begin, strict=True))
    if part.size:
        mask[z:z + part.shape[0], y:y + part.shape[1], x:x + part.shape[2]] = part
    return mask


def outside_image(outside: int, voxels: int) -> DataError:
    """The error for an ROI of which so many voxels lie outside the image."""
    found = "the ROI lies outside the image" if outside == voxels else (
        f"{outside} of the ROI's {voxels} voxels lie outside the image")
    return DataError(found, where="ROI", todo="Use the series on which it was drawn, with its whole field of view")


def _turned(mask: Volume, geometry: Geometry) -> tuple[tuple[int, int, int], np.ndarray]:
    """First index (x, y, z) in the image's grid, and the voxels stored in the image's way."""
    steps, origin = _steps(mask.geometry, geometry)
    axes = np.abs(steps).argmax(axis=1)  # the mask's axis that runs along each of the image's
    signs = steps[range(3), axes]
    array = mask.array.transpose([2 - axes[2 - axis] for axis in range(3)])
    lower = np.where(signs < 0, origin - (np.asarray(mask.geometry.size)[axes] - 1), origin)
    flips = tuple(slice(None, None, -1 if signs[2 - axis] < 0 else 1) for axis in range(3))
    x, y, z = (int(value) for value in lower)
    return (x, y, z), array[flips]


def _steps(mask: Geometry, image: Geometry) -> tuple[np.ndarray, np.ndarray]:
    """The image's index step (column i) for a step along the mask's axis i, and the mask's first index; whole numbers.

    Raises
    ------
    DataError
        The voxels of the two do not coincide.
    """
    ends = image.to_indices(mask.to_points(np.vstack([np.zeros(3), np.eye(3)])))
    origin, steps = np.rint(ends[0]), np.rint(ends[1:] - ends[0]).T
    if not np.array_equal(np.abs(steps) @ np.abs(steps).T, np.eye(3)):
        raise _differ(f"spacing {_by(mask.spacing_mm)} mm and {_by(image.spacing_mm)} mm, or turned axes")
    corners = np.rint(mask.to_indices(mask.corners()))
    error_mm = np.abs(image.to_points(corners @ steps.T + origin) - mask.corners()).max()
    if error_mm > max(TOLERANCE_MM, GRID_TOLERANCE * min(image.spacing_mm)):
        raise _differ(f"voxels lie up to {error_mm:.3g} mm beside each other")
    return steps, origin


def _differ(how: str) -> DataError:
    return DataError(f"the mask and the image have different grids: {how}", where="mask and image", todo=_OTHER_GRID)


def _by(values: tuple[float, ...]) -> str:
    return " x ".join(f"{value:g}" for value in values)
