"""The mesh around a mask: what pyradiomics measures on it, without building it.

Arrays and spacings are ordered (z, y, x); masks are padded by one voxel.
"""

from __future__ import annotations

import functools

import numpy as np
from radiomics import cShape

_CORNERS = ((0, 0, 0), (0, 0, 1), (0, 1, 0), (0, 1, 1), (1, 0, 0), (1, 0, 1), (1, 1, 0), (1, 1, 1))


@functools.cache
def _cubes() -> list[np.ndarray]:
    """The 256 configurations of a cube of eight voxels, by code: voxel ``_CORNERS[bit]`` is bit ``bit``."""
    return [np.array([code >> bit & 1 for bit in range(8)], dtype=bool).reshape(2, 2, 2) for code in range(256)]


@functools.lru_cache(maxsize=64)
def _areas(spacing: tuple[float, float, float]) -> np.ndarray:
    """Surface area that each configuration adds to the mesh, from the library itself, shape (256,)."""
    return np.array([_mesh_of(cube, spacing)[0] for cube in _cubes()])


@functools.cache
def _volumes() -> tuple[np.ndarray, np.ndarray]:
    """Volume that each configuration adds to the mesh, from the library itself, in voxels.

    At index (0, 0, 0), shape (256,), and what is added to it for each step along an axis, shape (256, 3): the library
    sums tetrahedra that reach from the origin. For a closed mesh the origin does not matter.
    """
    volumes = np.array([_mesh_of(cube, (1.0, 1.0, 1.0))[1] for cube in _cubes()])
    steps = np.zeros((256, 3))
    for code, cube in enumerate(_cubes()):
        for axis in range(3):
            # The cube one step further; between it and the origin lies a cube that shares a face with it.
            empty = np.zeros_like(cube).take([0], axis=axis)
            both = np.concatenate([empty, cube], axis=axis)
            between = _code(both.take((0, 1), axis=axis))
            steps[code, axis] = _mesh_of(both, (1.0, 1.0, 1.0))[1] - volumes[between] - volumes[code]
    return volumes, steps


def _mesh_of(mask: np.ndarray, spacing: tuple[float, float, float]) -> tuple[float, float]:
    area, volume, _ = cShape.calculate_coefficients(mask, np.array(spacing))
    return area, volume


def _code(cube: np.ndarray) -> int:
    return int(np.packbits(cube.ravel(), bitorder="little")[0])


def area_and_volume(mask: np.ndarray, spacing: tuple[float, float, float]) -> tuple[float, float]:
    """Surface area (mm2) and volume (mm3) of the mesh of a mask that is padded by one voxel."""
    size = np.subtract(mask.shape, 1)
    codes = np.zeros(size, dtype=np.uint8)
    for bit, (z, y, x) in enumerate(_CORNERS):
        codes |= mask[z:z + size[0], y:y + size[1], x:x + size[2]].astype(np.uint8) << np.uint8(bit)
    surface = np.nonzero((codes > 0) & (codes < 255))
    found = codes[surface]
    counts = np.bincount(found, minlength=256)
    volumes, steps = _volumes()
    volume = counts @ volumes
    for axis, at in enumerate(surface):
        volume += np.bincount(found, weights=at, minlength=256) @ steps[:, axis]
    return float(counts @ _areas(spacing)), float(volume * np.prod(spacing))


def vertices(mask: np.ndarray) -> np.ndarray:
    """Vertices of the mesh, in half voxels: the middles between voxels inside and their neighbours outside, (n, 3)."""
    parts = []
    for axis in range(3):
        first = (slice(None),) * axis + (slice(None, -1),)
        second = (slice(None),) * axis + (slice(1, None),)
        at = np.argwhere(mask[first] != mask[second]) * 2
        at[:, axis] += 1
        parts.append(at)
    return np.concatenate(parts)


def eigenvalues(mask: np.ndarray, spacing: np.ndarray) -> np.ndarray:
    """Eigenvalues of the covariance of the voxels' positions, ascending (mm2); from counts along axes and planes."""
    counts = [mask.sum(axis=tuple(other for other in range(3) if other != axis)) for axis in range(3)]
    n = counts[0].sum()
    centred = [np.arange(len(count)) - (count @ np.arange(len(count))) / n for count in counts]
    covariance = np.empty((3, 3))
    for a in range(3):
        covariance[a, a] = counts[a] @ centred[a] ** 2
        for b in range(a + 1, 3):
            covariance[a, b] = covariance[b, a] = centred[a] @ mask.sum(axis=3 - a - b) @ centred[b]
    values = np.sort(np.linalg.eigvalsh(covariance * np.outer(spacing, spacing) / n))
    values[(values < 0) & (values > -1e-10)] = 0  # a flat ROI: rounding errors, as in the library
    return values
