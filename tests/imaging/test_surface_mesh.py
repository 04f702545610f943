"""The surface of a mask: closed, outward, at the right millimetre, and not too large."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from medomicslab_nb.errors import DataError
from medomicslab_nb.imaging.geometry import Geometry
from medomicslab_nb.imaging.surface_mesh import Surface, surface_of
from medomicslab_nb.imaging.volumes import Volume

TURN = Rotation.from_euler("xyz", [20, -35, 50], degrees=True).as_matrix()


def ball(axes: np.ndarray, spacing=(0.8, 1.2, 2.0), radius_mm: float = 12.0) -> Volume:
    """A ball around the middle of a grid with these axes."""
    size = tuple(round(40 / step) for step in spacing)
    geometry = Geometry(size, spacing, (10.0, -30.0, 55.0), tuple(axes.ravel().tolist()))
    k, j, i = np.indices(geometry.shape)
    points = geometry.to_points(np.stack([i.ravel(), j.ravel(), k.ravel()], axis=1))
    inside = np.linalg.norm(points - geometry.corners().mean(axis=0), axis=1) < radius_mm
    return Volume(inside.reshape(geometry.shape), geometry)


def volume_ml(surface: Surface) -> float:
    """Signed volume, positive where triangles run counter-clockwise seen from outside."""
    a, b, c = (surface.vertices[surface.triangles[:, place]] - surface.vertices.mean(axis=0) for place in range(3))
    return float(np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6000)


@pytest.mark.parametrize("axes", [np.eye(3), TURN, np.diag([-1.0, 1.0, 1.0]), TURN @ np.diag([1, -1, 1])],
                         ids=["plain", "oblique", "mirrored", "both"])
def test_ball_is_closed_and_lies_where_it_is(axes: np.ndarray) -> None:
    mask = ball(axes)
    surface = surface_of(mask)
    edges = np.sort(np.concatenate([surface.triangles[:, pair] for pair in ([0, 1], [1, 2], [2, 0])]), axis=1)
    assert (np.unique(edges, axis=0, return_counts=True)[1] == 2).all()
    assert volume_ml(surface) == pytest.approx(mask.array.sum() * mask.geometry.voxel_mm3 / 1000, rel=0.03)
    centre = mask.geometry.corners().mean(axis=0)
    distances = np.linalg.norm(surface.vertices - centre, axis=1)
    assert distances.mean() == pytest.approx(12.0, abs=0.25)
    assert distances.max() < 13.5 and distances.min() > 10.5


def test_many_triangles_make_a_coarser_surface() -> None:
    fine = surface_of(ball(np.eye(3)))
    coarse = surface_of(ball(np.eye(3)), most=600)
    assert len(coarse.triangles) <= 600 < len(fine.triangles)
    assert coarse.spacing_mm > fine.spacing_mm
    assert volume_ml(coarse) == pytest.approx(volume_ml(fine), rel=0.15)


def test_single_voxel_has_a_surface_and_nothing_has_none() -> None:
    mask = np.zeros((3, 3, 3), dtype=bool)
    geometry = Geometry((3, 3, 3), (1, 1, 1))
    with pytest.raises(DataError, match="empty"):
        surface_of(Volume(mask, geometry))
    mask[2, 2, 2] = True
    assert len(surface_of(Volume(mask, geometry)).triangles) == 12
