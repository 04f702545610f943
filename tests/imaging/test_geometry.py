"""Grids in the patient's coordinates, on anisotropic and oblique ones so that no swapped axis passes."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, strategies as st
from scipy.spatial.transform import Rotation

from medomicslab_nb.errors import DataError
from medomicslab_nb.imaging.geometry import Geometry

ANGLES = st.tuples(*[st.floats(-180, 180)] * 3)


def oblique(angles: tuple[float, float, float]) -> Geometry:
    axes = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    return Geometry((10, 20, 30), (0.7, 1.1, 3.3), (-11.0, 25.0, 40.0), tuple(axes.ravel()))


@given(ANGLES)
def test_points_agree_with_simpleitk_and_return(angles: tuple[float, float, float]) -> None:
    geometry = oblique(angles)
    image = sitk.Image(geometry.size, sitk.sitkUInt8)
    image.SetSpacing(geometry.spacing_mm)
    image.SetOrigin(geometry.origin_mm)
    image.SetDirection(geometry.direction)
    indices = np.array([[0, 0, 0], [9, 0, 0], [0, 19, 0], [0, 0, 29], [3, 5, 7]])
    points = geometry.to_points(indices)
    expected = [image.TransformIndexToPhysicalPoint(tuple(map(int, index))) for index in indices]
    assert np.allclose(points, expected, atol=1e-9)
    assert np.allclose(geometry.to_indices(points), indices, atol=1e-9)
    assert Geometry.of_image(image).same_as(geometry)


def test_shape_is_the_reverse_of_size_and_volume_is_of_a_voxel() -> None:
    geometry = oblique((0, 0, 0))
    assert geometry.shape == (30, 20, 10)
    assert geometry.voxel_mm3 == pytest.approx(0.7 * 1.1 * 3.3)


def test_mirrored_storage_is_a_geometry_of_its_own() -> None:
    plain = Geometry((10, 20, 30), (1, 2, 3))
    mirrored = Geometry((10, 20, 30), (1, 2, 3), (9, 0, 0), (-1, 0, 0, 0, 1, 0, 0, 0, 1))
    assert not plain.same_as(mirrored)
    assert np.allclose(mirrored.to_points(np.array([[9, 0, 0]])), plain.to_points(np.array([[0, 0, 0]])))


def test_same_grid_looks_at_the_far_corner() -> None:
    """A spacing that is off by a little is off by much at the other end."""
    one, other = Geometry((10, 20, 300), (1, 2, 3)), Geometry((10, 20, 300), (1, 2, 3.0001))
    assert not one.same_as(other)
    assert one.same_as(Geometry((10, 20, 300), (1, 2, 3.000001)))


@given(ANGLES, st.tuples(*[st.integers(-3, 5)] * 3))
def test_crop_keeps_every_voxel_where_it_was(angles: tuple[float, float, float], lower: tuple[int, int, int]) -> None:
    geometry = oblique(angles)
    part = geometry.crop(lower, (2, 3, 4))
    assert np.allclose(part.to_points(np.array([[1, 2, 3]])), geometry.to_points(np.add([[1, 2, 3]], lower)))


def test_stored_and_read_again() -> None:
    geometry = oblique((10, 20, 30))
    assert Geometry.from_dict(geometry.to_dict()) == geometry


@pytest.mark.parametrize("spacing", [(0, 1, 1), (1, -1, 1), (1, float("nan"), 1)])
def test_impossible_spacing_is_refused(spacing: tuple[float, float, float]) -> None:
    with pytest.raises(DataError, match="not positive, or is no number"):
        Geometry((10, 20, 30), spacing)


def test_bad_input_08_axes_that_are_not_at_right_angles_are_refused() -> None:
    sheared = (1, 0, 0, 0, 1, np.sin(0.2), 0, 0, np.cos(0.2))
    with pytest.raises(DataError, match="not at right angles"):
        Geometry((10, 20, 30), (1, 2, 3), (0, 0, 0), sheared)
