"""Interpolation: IBSI's grid, exact on linear images, the same on a part as on the whole, left stays left."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, strategies as st

from medomicslab_nb.imaging.geometry import Geometry
from medomicslab_nb.imaging.resampling import Box, aligned_grid, resample_image, resample_mask, to_grid
from medomicslab_nb.imaging.volumes import Volume

COS, SIN = np.cos(0.3), np.sin(0.3)
OBLIQUE = (COS, -SIN, 0.0, SIN, COS, 0.0, 0.0, 0.0, 1.0)
GRID = Geometry((10, 20, 30), (1.0, 1.5, 3.0), (5.0, -7.0, 11.0), OBLIQUE)
MIRRORED = Geometry((10, 20, 30), (1.0, 1.5, 3.0), (5.0, -7.0, 11.0), (-1.0, 0, 0, 0, 1, 0, 0, 0, 1))


def ramp(geometry: Geometry, slope: tuple[float, float, float] = (2.0, -3.0, 0.5)) -> Volume:
    """An image that is linear in the patient's coordinates."""
    z, y, x = np.indices(geometry.shape)
    points = geometry.to_points(np.stack([x, y, z], axis=-1).reshape(-1, 3))
    return Volume((points @ slope + 100).reshape(geometry.shape).astype(np.float32), geometry, "HU")


def noise(geometry: Geometry = GRID) -> Volume:
    return Volume(np.random.default_rng(0).normal(0, 100, geometry.shape).astype(np.float32), geometry)


def test_grids_share_their_centre_and_the_new_one_is_large_enough() -> None:
    new = aligned_grid(GRID, (2.0, 2.0, 2.0))
    assert new.size == (5, 15, 45)
    assert new.spacing_mm == (2.0, 2.0, 2.0)
    assert np.allclose(new.corners().mean(axis=0), GRID.corners().mean(axis=0))


def test_the_first_voxel_lies_half_the_difference_of_the_extents_away() -> None:
    # 4 voxels of 3 mm: centres at 0, 3, 6, 9; 6 of 2 mm: the extents are equal, the first centre is at -0.5
    new = aligned_grid(Geometry((4, 4, 4), (3.0, 3.0, 3.0)), (2.0, 2.0, 2.0))
    assert new.size == (6, 6, 6)
    assert np.allclose(new.origin_mm, -0.5)


@pytest.mark.parametrize(("count", "old", "new", "expected"), [(100, 0.3, 1.0, 30), (101, 0.3, 1.0, 31), (10, 1, 3, 4),
                                                               (7, 0.1, 0.7, 1), (3, 0.7, 0.1, 21)])
def test_the_number_of_voxels_is_rounded_up_but_not_by_rounding_errors(count: int, old: float, new: float,
                                                                       expected: int) -> None:
    assert aligned_grid(Geometry((count, 1, 1), (old, 1, 1)), (new, None, None)).size == (expected, 1, 1)


def test_none_keeps_an_axis() -> None:
    image = noise()
    kept = resample_image(image, (None, None, None), order="spline")
    assert np.array_equal(kept.array, image.array)
    flat = resample_image(image, (2.0, 2.0, None))
    assert flat.geometry.spacing_mm == (2.0, 2.0, 3.0)
    assert flat.array.shape == (30, 15, 5)


@pytest.mark.parametrize("order", ["linear", "spline"])
@pytest.mark.parametrize("geometry", [GRID, MIRRORED], ids=["oblique", "mirrored"])
def test_a_linear_image_stays_linear(order: str, geometry: Geometry) -> None:
    new = resample_image(ramp(geometry), (0.7, 1.1, 2.0), order=order)
    inner = (slice(15, -15), slice(9, -9), slice(5, -5))  # near the edge, a spline reflects
    assert np.allclose(new.array[inner], ramp(new.geometry).array[inner], atol=2e-2 if order == "spline" else 1e-4)
    assert new.unit == "HU"


@pytest.mark.parametrize("order", ["linear", "spline"])
def test_simpleitk_gives_the_same_inside(order: str) -> None:
    image = noise()
    new = resample_image(image, (2.0, 2.0, 2.0), order=order)
    filled = sitk.Resample(image.to_image(), new.with_array(np.zeros(new.array.shape, np.float32)).to_image(),
                           sitk.Transform(), sitk.sitkLinear if order == "linear" else sitk.sitkBSpline)
    assert np.allclose(new.array, sitk.GetArrayFromImage(filled), atol=1e-3)


@pytest.mark.parametrize("order", ["linear", "spline"])
@given(data=st.data())
def test_a_part_has_the_values_of_the_whole(order: str, data: st.DataObject) -> None:
    image = noise(Geometry((40, 50, 60), (1.0, 1.5, 3.0)))
    spacing = (1.7, 1.0, 2.0)
    whole = resample_image(image, spacing, order=order)
    lower = tuple(data.draw(st.integers(0, n - 1)) for n in whole.geometry.size)
    size = tuple(data.draw(st.integers(1, n - low)) for n, low in zip(whole.geometry.size, lower, strict=True))
    part, expected = resample_image(image, spacing, order=order, box=Box(lower, size)), whole.crop(lower, size)
    assert part.geometry.same_as(expected.geometry)
    if order == "linear":
        assert np.array_equal(part.array, expected.array)
    else:
        assert np.allclose(part.array, expected.array, rtol=1e-6, atol=1e-5)


def test_a_voxel_of_which_half_lies_in_the_roi_belongs_to_it() -> None:
    geometry = Geometry((4, 1, 1), (1.0, 1.0, 1.0))
    mask = Volume(np.array([[[True, False, False, True]]]), geometry)
    # Two voxels of 2 mm, each in the middle between one inside and one outside: ties.
    assert resample_mask(mask, (2.0, None, None)).array.tolist() == [[[True, True]]]
    assert resample_mask(mask, (4.0, None, None)).array.tolist() == [[[False]]]


def test_masks_keep_their_volume_and_their_side() -> None:
    z, y, x = np.indices(MIRRORED.shape)
    mask = Volume((x < 4) & (y > 5) & (y < 15) & (z > 8) & (z < 22), MIRRORED)
    new = resample_mask(mask, (0.5, 0.5, 0.5))

    def centre(volume: Volume) -> np.ndarray:
        return volume.geometry.to_points(np.argwhere(volume.array)[:, ::-1]).mean(axis=0)

    assert new.array.sum() * new.geometry.voxel_mm3 == pytest.approx(mask.array.sum() * MIRRORED.voxel_mm3, rel=0.02)
    assert np.allclose(centre(new), centre(mask), atol=0.3)


def test_a_box_grows_to_the_edge_or_around_it() -> None:
    box = Box((3, 5, 0), (4, 4, 10))
    assert box.grown((2, 10, 1), (10, 12, 10)) == Box((1, 0, 0), (8, 12, 10))
    assert box.grown((2, 4, 0), (10, 12, 10), periodic=True) == Box((1, 0, 0), (8, 12, 10))
    assert box.grown((2, 3, 0), (10, 12, 10), periodic=True) == Box((1, 2, 0), (8, 10, 10))


def test_to_grid_moves_images_and_masks_and_knows_where_the_image_ends() -> None:
    other = Geometry((3, 3, 3), (1.0, 1.0, 1.0), tuple(GRID.to_points(np.array([[4.0, 9.0, 12.0]]))[0]))
    moved = to_grid(ramp(GRID), other)
    assert np.allclose(moved.array, ramp(other).array, atol=1e-3)
    away = Geometry((2, 2, 2), (1.0, 1.0, 1.0), (500.0, 0.0, 0.0))
    assert np.isnan(to_grid(ramp(GRID), away).array).all()
    assert (to_grid(ramp(GRID), away, outside=0.0).array == 0).all()
    mask = Volume(np.ones(GRID.shape, dtype=bool), GRID)
    assert to_grid(mask, other).array.all()
    assert not to_grid(mask, away).array.any()
