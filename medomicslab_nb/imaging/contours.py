"""From contours to voxels: a voxel belongs to an ROI when its centre lies inside the contours.

Rules, the same for every image:

- Contours are polygons in planes parallel to the image's slices, in any patient orientation. A plane may lie up to a
  tenth of the slice distance beside the slice that it belongs to.
- Inside is even-odd, over all contours of a slice together (their exclusive or): holes, islands in holes, keyholes
  and separate parts come out right. Of a contour that crosses itself, what it runs around twice is outside.
- A pixel centre that lies on a contour counts at the lower ends of a row and of a column, and not at the upper ends
  (half-open): neighbouring ROIs with a common border share no voxel and leave none out.
- Points are rounded to a millionth of a pixel first, so that this does not hang on the last digits of a division.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from medomicslab_nb.errors import DataError
from medomicslab_nb.imaging.geometry import Geometry
from medomicslab_nb.imaging.placement import into_grid, outside_image

PLANE_TOLERANCE = 0.1
"""How far a contour may lie beside its slice, as a part of the slice distance."""

_DECIMALS = 6  # of a pixel, for points
_SAME_SHAPE = 0.05  # of a pixel: exported again, a contour comes with other digits and other points
_STRIPES = 3  # slices from one contour to the next, as a rule, where they were drawn on thicker slices
_CROSSING_DECIMALS = 9  # of a pixel, for crossings of edges with rows
_ROI = "contours"


def rasterize(contours: Sequence[np.ndarray], geometry: Geometry) -> np.ndarray:
    """Voxels whose centres lie inside the contours.

    Parameters
    ----------
    contours : sequence of ndarray, shape (n, 3)
        Closed polygons, in mm, LPS; the last point is joined to the first. The order of points does not matter.
    geometry : Geometry

    Returns
    -------
    ndarray of bool, shape (z, y, x)
        Without any voxel, when the contours surround no voxel's centre.

    Raises
    ------
    DataError
        No contour; fewer than three points; a contour that is not parallel to the slices, that lies between them,
        beyond the first or last one, or (with any voxel) outside the image; the same contour twice; contours only on
        every second slice, or on fewer.
    """
    slices, polygons = _in_slices(contours, geometry)
    _check_twice(slices, polygons)
    _check_gaps(np.unique(slices))
    lower, upper = _box(polygons, geometry)
    first = int(slices.min())
    filled = np.zeros((int(slices.max()) - first + 1, upper[1] - lower[1], upper[0] - lower[0]), dtype=bool)
    _fill(filled, slices - first, [polygon - lower for polygon in polygons])
    return into_grid(filled, (int(lower[0]), int(lower[1]), first), geometry)


def _in_slices(contours: Sequence[np.ndarray], geometry: Geometry) -> tuple[np.ndarray, list[np.ndarray]]:
    """The slice of each contour, shape (n,), and its points (m, 2) as continuous indices (x, y)."""
    if not len(contours):
        raise DataError("the ROI has no contour", where=_ROI, todo="Draw it, or leave it out")
    if min(len(points) for points in contours) < 3:
        raise DataError("a contour has fewer than three points", where=_ROI, todo="Delete or redraw it")
    lengths = [len(points) for points in contours]
    points = np.concatenate(contours)
    if not np.isfinite(points).all():
        raise DataError("a contour has points that are no numbers", where=_ROI, todo="Export the contours again")
    indices = geometry.to_indices(points)
    starts = np.cumsum([0, *lengths[:-1]])
    lowest, highest = np.minimum.reduceat(indices[:, 2], starts), np.maximum.reduceat(indices[:, 2], starts)
    slices = np.rint((lowest + highest) / 2).astype(int)
    _check_planes(slices, lowest, highest, geometry)
    return slices, np.split(np.round(indices[:, :2], _DECIMALS), starts[1:])


def _check_planes(slices: np.ndarray, lowest: np.ndarray, highest: np.ndarray, geometry: Geometry) -> None:
    if (tilted := highest - lowest > 2 * PLANE_TOLERANCE).any():
        raise DataError(f"{_contours(tilted)} not parallel to the slices of the image", where=_ROI,
                        todo="Use the series on which they were drawn, or export them on the slices of this one")
    beyond = (slices < 0) | (slices >= geometry.size[2])
    if beyond.all():
        raise DataError("the ROI lies outside the image: beyond its first or last slice", where=_ROI,
                        todo="Use the series on which it was drawn")
    if beyond.any():
        raise DataError(f"{_contours(beyond)} beyond the first or last slice of the image", where=_ROI,
                        todo="Slices at an end of the series are missing: export it again, complete")
    between = np.maximum(highest - slices, slices - lowest) > PLANE_TOLERANCE
    if between.any():
        raise DataError(f"{_contours(between)} between the slices of the image", where=_ROI,
                        todo="Use the series on which they were drawn, or bring the image on its grid first")


def _contours(chosen: np.ndarray) -> str:
    n = int(chosen.sum())
    return "1 contour lies" if n == 1 else f"{n} contours lie"


def _check_twice(slices: np.ndarray, polygons: list[np.ndarray]) -> None:
    """Two equal contours would cancel each other out, whichever points they are made of."""
    shapes: dict[int, list[np.ndarray]] = defaultdict(list)
    for k, points in zip(slices.tolist(), polygons, strict=True):
        shape = _shape(points)
        if any(np.abs(shape - other).max() <= _SAME_SHAPE for other in shapes[k]):
            raise DataError("a slice has the same contour twice", where=_ROI, todo="Delete one of the two")
        shapes[k].append(shape)


def _shape(points: np.ndarray) -> np.ndarray:
    """Box, centre of gravity and root of the area, shape (7,), in pixels; equal for equal outlines."""
    lower, upper = points.min(axis=0), points.max(axis=0)
    middle = (lower + upper) / 2
    here = points - middle
    after = np.roll(here, -1, axis=0)
    twice = here[:, 0] * after[:, 1] - after[:, 0] * here[:, 1]
    area = twice.sum() / 2
    centre = twice @ (here + after) / (6 * area) if abs(area) > _SAME_SHAPE else np.zeros(2)
    return np.array([*lower, *upper, *(middle + centre), np.sqrt(abs(area))])


def _check_gaps(slices: np.ndarray) -> None:
    """Contours on every second slice make stripes, not a lesion; parts with a gap between them are fine."""
    steps = np.diff(slices)
    if len(steps) < 2 or steps.min() < 2:
        return
    todo = "Interpolate the contours, or use the series on which they were drawn"
    if not (steps % steps.min()).any():
        raise DataError(f"only every {steps.min()}th slice has a contour" if steps.min() > 3 else
                        f"only every {('second', 'third')[steps.min() - 2]} slice has a contour", where=_ROI, todo=todo)
    if np.median(steps) <= _STRIPES:
        raise DataError("only every second or third slice has a contour", where=_ROI, todo=todo)


def _box(polygons: list[np.ndarray], geometry: Geometry) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper (exclusive) column and row that hold all polygons."""
    points = np.concatenate(polygons)
    size = np.asarray(geometry.size[:2])
    lower, upper = np.ceil(points.min(axis=0)), np.floor(points.max(axis=0)) + 1
    # A wrong unit or frame would otherwise ask for a mask of any size.
    if (lower < -size).any() or (upper > 2 * size).any():
        raise outside_image(1, 1)
    return lower.astype(int), np.maximum(upper, lower).astype(int)


def _fill(filled: np.ndarray, slices: np.ndarray, polygons: list[np.ndarray]) -> None:
    """Scanlines, all edges at once: each crossing of an edge with a row turns in and out from there to the right."""
    edges = np.concatenate([np.hstack([points, np.roll(points, -1, axis=0)]) for points in polygons])
    of_edge = np.repeat(slices, [len(points) for points in polygons])
    edges = np.where((edges[:, 1] <= edges[:, 3])[:, None], edges, edges[:, [2, 3, 0, 1]])  # upwards
    first = np.ceil(edges[:, 1]).astype(int)
    count = np.ceil(edges[:, 3]).astype(int) - first  # rows with y0 <= row < y1
    edge = np.repeat(np.arange(len(edges)), count)
    row = np.arange(len(edge)) - np.repeat(np.cumsum(count) - count, count) + first[edge]
    x0, y0, x1, y1 = edges[edge].T
    column = np.ceil(np.round(x0 + (row - y0) * (x1 - x0) / (y1 - y0), _CROSSING_DECIMALS)).astype(int)
    inside = column < filled.shape[2]
    np.logical_xor.at(filled, (of_edge[edge][inside], row[inside], column[inside]), True)  # noqa: FBT003 (a ufunc)
    np.logical_xor.accumulate(filled, axis=2, out=filled)
