"""The surface of a mask as triangles, for drawing: surface nets.

Each cube of eight neighbouring voxel centres that are not all inside or all outside has one vertex, in the middle of
the crossings of its edges; each pair of neighbours of which one is inside has two triangles between the four cubes
around it. Volume and area of such a surface are near to, but not those of radiomics' mesh
(:mod:`medomicslab_nb.radiomics.mesh`): nothing is measured on it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medomicslab_nb.errors import DataError
from medomicslab_nb.imaging.display import bounding_box
from medomicslab_nb.imaging.resampling import resample_mask
from medomicslab_nb.imaging.volumes import Volume

MOST_TRIANGLES = 40_000

_COARSER = 1.5
_CORNERS = np.array([(z, y, x) for z in (0, 1) for y in (0, 1) for x in (0, 1)])
_EDGES = [(a, b) for a in range(8) for b in range(a + 1, 8) if np.abs(_CORNERS[a] - _CORNERS[b]).sum() == 1]


@dataclass(frozen=True, eq=False)
class Surface:
    """A closed surface.

    Attributes
    ----------
    vertices : ndarray, shape (n, 3)
        mm, LPS.
    triangles : ndarray of int, shape (m, 3)
        Places of vertices; seen from outside they run counter-clockwise.
    spacing_mm : (x, y, z)
        Of the mask from which it was made: coarser than the given one where that had too many triangles.
    """

    vertices: np.ndarray
    triangles: np.ndarray
    spacing_mm: tuple[float, float, float]


def surface_of(mask: Volume, most: int = MOST_TRIANGLES) -> Surface:
    """The surface of a mask; a coarser mask is taken as long as it has more triangles than ``most``.

    Raises
    ------
    DataError
        The mask is empty.
    """
    x, y, z, *size = bounding_box(mask.array)
    if not size[0]:
        raise DataError("the ROI is empty", where="surface", todo="Choose another one")
    part = mask.crop((x, y, z), (size[0], size[1], size[2]))
    while True:
        surface = _nets(part)
        if len(surface.triangles) <= most:
            return surface
        part = resample_mask(part, [_COARSER * step for step in part.geometry.spacing_mm])


def _nets(mask: Volume) -> Surface:
    inside = np.pad(mask.array.astype(bool), 1)
    places, number = _vertices(inside)
    triangles = np.concatenate([_triangles(inside, number, axis) for axis in range(3)])
    if np.linalg.det(mask.geometry.axes) < 0:
        triangles = triangles[:, ::-1]
    vertices = mask.geometry.to_points(places[:, ::-1] - 1)  # the padding
    return Surface(vertices, triangles, mask.geometry.spacing_mm)


def _vertices(inside: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Vertices (n, 3) in voxels (z, y, x), and the number of each cube's vertex."""
    size = np.subtract(inside.shape, 1)
    corners = [inside[z:z + size[0], y:y + size[1], x:x + size[2]] for z, y, x in _CORNERS]
    total = sum(corner.astype(np.uint8) for corner in corners)
    mixed = (total > 0) & (total < 8)
    cubes = np.argwhere(mixed)
    values = np.stack([corner[mixed] for corner in corners], axis=1)
    sums, crossings = np.zeros((len(cubes), 3)), np.zeros((len(cubes), 1))
    for a, b in _EDGES:
        crossed = (values[:, a] != values[:, b])[:, None]
        sums += crossed * (_CORNERS[a] + _CORNERS[b]) / 2
        crossings += crossed
    number = np.full(size, -1)
    number[mixed] = np.arange(len(cubes))
    return cubes + sums / crossings, number


def _triangles(inside: np.ndarray, number: np.ndarray, axis: int) -> np.ndarray:
    """Triangles (m, 3) between the cubes around each pair of neighbours along an axis that differ."""
    lower = inside[(slice(None),) * axis + (slice(None, -1),)]
    upper = inside[(slice(None),) * axis + (slice(1, None),)]
    pairs = np.argwhere(lower != upper)
    outward = lower[tuple(pairs.T)]  # the outside is further along the axis
    first, second = ((axis + 1) % 3, (axis + 2) % 3)
    ring = []
    for step in ((0, 0), (1, 0), (1, 1), (0, 1)):
        cube = pairs.copy()
        cube[:, first] -= step[0]
        cube[:, second] -= step[1]
        ring.append(number[tuple(cube.T)])
    a, b, c, d = ring
    # Axes (z, y, x) are a left-handed order of (x, y, z).
    quads = np.where(outward[:, None], np.stack([a, d, c, b], axis=1), np.stack([a, b, c, d], axis=1))
    return np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
