"""Texture matrices of a ROI: the counts of pyradiomics' C extension, from whole arrays and therefore faster.

Each function takes the place of the extension's one of the same name, with the same arguments and results; arrays are
ordered (z, y, x), grey levels are 1 to ``count`` inside the mask. Of distances other than one voxel, and of the
matrices that are not here, the extension keeps the work.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from radiomics import cMatrices

_ONE_WAY = 0  # each direction once, not its opposite too


def calculate_glrlm(image: np.ndarray, mask: np.ndarray, count: int, longest: int, force2D: bool = False,
                    force2Ddimension: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Runs by level, length and direction.

    Returns
    -------
    matrix : ndarray of float, shape (1, count, longest, directions)
    angles : ndarray of int, shape (directions, 3)
    """
    angles = cMatrices.generate_angles(np.array(image.shape), np.array([1]), _ONE_WAY, force2D, force2Ddimension)
    padded = _padded(image, mask)
    matrix = np.zeros((1, count, longest, len(angles)))
    for at, angle in enumerate(angles):
        # Voxels that follow each other along the direction lie one stride apart; the rim ends every line.
        stride = abs(int(angle @ [padded.shape[1] * padded.shape[2], padded.shape[2], 1]))
        flat = np.zeros(-(-padded.size // stride) * stride, dtype=padded.dtype)
        flat[:padded.size] = padded.ravel()
        lines = flat.reshape(-1, stride).T.ravel()
        ends = np.flatnonzero(lines[1:] != lines[:-1])
        levels, lengths = lines[ends].astype(np.intp), np.diff(ends, prepend=-1)
        inside = levels > 0
        if lengths[inside].max() == 1 and _all_alone(mask, angle):
            continue  # the library leaves out a direction in which no voxel has another one on its line
        cells = np.bincount((levels[inside] - 1) * longest + lengths[inside] - 1, minlength=count * longest)
        matrix[0, :, :, at] = cells.reshape(count, longest)
    return matrix, angles


def calculate_gldm(image: np.ndarray, mask: np.ndarray, distances: Sequence[int], count: int, alpha: int,
                   force2D: bool = False, force2Ddimension: int = 0) -> np.ndarray:
    """Voxels by level and by their number of neighbours whose level differs by at most ``alpha``.

    Returns
    -------
    ndarray of float, shape (1, count, 2 neighbours + 1)
        The extension makes twice the room that is needed.
    """
    if list(distances) != [1]:
        return cMatrices.calculate_gldm(image, mask, distances, count, alpha, force2D, force2Ddimension)
    angles = cMatrices.generate_angles(np.array(image.shape), np.array([1]), _ONE_WAY, force2D, force2Ddimension)
    padded = _padded(image, mask).astype(np.int32)
    alike = np.zeros(padded.shape, dtype=np.uint8)
    here = (slice(1, -1),) * 3
    for angle in angles:
        there = tuple(slice(1 + step, n - 1 + step) for step, n in zip(angle.tolist(), padded.shape, strict=True))
        a, b = padded[here], padded[there]
        near = (a == b) if alpha == 0 else (np.abs(a - b) <= alpha) & (b > 0)
        near &= mask
        alike[here] += near
        alike[there] += near
    columns = 4 * len(angles) + 1
    cells = (image[mask].astype(np.intp) - 1) * columns + alike[here][mask]
    return np.bincount(cells, minlength=count * columns).reshape(1, count, columns).astype(float)


def calculate_ngtdm(image: np.ndarray, mask: np.ndarray, distances: Sequence[int], count: int, force2D: bool = False,
                    force2Ddimension: int = 0) -> np.ndarray:
    """Voxels by level, their summed differences from the mean of their neighbours, and the level.

    Returns
    -------
    ndarray of float, shape (1, count, 3)
    """
    if list(distances) != [1]:
        return cMatrices.calculate_ngtdm(image, mask, distances, count, force2D, force2Ddimension)
    plane = force2Ddimension if force2D else None
    neighbours = _around(mask, plane)[mask]
    levels = image[mask].astype(np.intp)
    sums = _around(np.where(mask, image, 0), plane)[mask]
    differences = np.where(neighbours > 0, np.abs(levels - sums / np.maximum(neighbours, 1)), 0)
    matrix = np.zeros((1, count, 3))
    matrix[0, :, 0] = np.bincount(levels - 1, minlength=count)
    matrix[0, :, 1] = np.bincount(levels - 1, weights=differences, minlength=count)
    matrix[0, :, 2] = np.arange(1, count + 1)
    return matrix


def with_neighbours(mask: np.ndarray, plane: int | None = None) -> np.ndarray:
    """The voxels of a mask that touch another one, within slices across the axis ``plane``, or in all directions."""
    return mask & (_around(mask, plane) > 0)


def _padded(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Levels inside the mask, 0 outside and in a rim of one voxel."""
    levels = np.where(mask, image, 0)
    return np.pad(levels.astype(np.uint16 if levels.max() <= np.iinfo(np.uint16).max else np.int32), 1)


def _around(array: np.ndarray, plane: int | None) -> np.ndarray:
    """Sums over the 26 neighbours of each voxel, or over the 8 in its slice across the axis ``plane``."""
    sums = np.pad(array.astype(np.int64), 1)
    for axis in range(3):
        first, middle, last = (sums[(slice(None),) * axis + (part,)] for part in
                               (slice(None, -2), slice(1, -1), slice(2, None)))
        sums = middle if axis == plane else first + middle + last
    return sums - array


def _all_alone(mask: np.ndarray, angle: np.ndarray) -> bool:
    """Whether no line along a direction holds two voxels of the mask."""
    voxels = np.argwhere(mask)
    axis = int(np.flatnonzero(angle)[0])
    feet = voxels - voxels[:, [axis]] * (angle / angle[axis]).astype(int)
    return len(np.unique(feet, axis=0)) == len(voxels)
