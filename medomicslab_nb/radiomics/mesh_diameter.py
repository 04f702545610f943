"""The largest distances between the vertices of a mesh, over all and within planes."""

from __future__ import annotations

import numpy as np
from scipy.spatial import ConvexHull, QhullError

_FEW = 64  # points of which all pairs are compared faster than their hull is found
_BLOCK = 64  # points that are compared with all others at once


def largest_distances(points: np.ndarray, spacing: tuple[float, float, float]) -> tuple[float, float, float, float]:
    """Largest distance between two points with the same z, the same y, the same x, and between any two.

    Parameters
    ----------
    points : ndarray of int, shape (n, 3)
        Positions (z, y, x) in half voxels.
    spacing : (z, y, x)
        Of the voxels, mm.

    Returns
    -------
    tuple of four floats
        mm; 0 where no two points share a plane.
    """
    steps = np.asarray(spacing)
    slices = [_hull(plane) for plane in _planes(points, 0)]
    corners = np.concatenate(slices)  # a corner of the hull is one of its slice's too
    y, x = (_largest(_planes(points, axis), steps) for axis in (1, 2))
    return _largest(slices, steps), y, x, _largest([corners], steps)


def _planes(points: np.ndarray, axis: int) -> list[np.ndarray]:
    """Points grouped by their position along an axis."""
    order = np.argsort(points[:, axis], kind="stable")
    return np.split(points[order], np.flatnonzero(np.diff(points[order, axis])) + 1)


def _largest(groups: list[np.ndarray], steps: np.ndarray) -> float:
    """The largest distance within any of the groups."""
    largest = 0.0  # squared
    # No two points are farther apart than the corners of the box around them: the largest boxes come first.
    boxes = np.array([((np.ptp(points, axis=0) / 2 * steps) ** 2).sum() for points in groups])
    for at in np.argsort(-boxes):
        if boxes[at] <= largest:
            break
        corners = _hull(groups[at]) / 2 * steps
        for start in range(0, len(corners), _BLOCK):
            apart = corners[start:start + _BLOCK, None] - corners[None, start:]
            largest = max(largest, float((apart**2).sum(axis=2).max()))
    return float(np.sqrt(largest))


def _hull(points: np.ndarray) -> np.ndarray:
    """Those of the points that may be corners of their hull."""
    if len(points) <= _FEW:
        return points
    moving = points[:, np.ptp(points, axis=0) > 0]
    try:
        return points[ConvexHull(moving).vertices]
    except (QhullError, ValueError):  # all on one line
        return points
