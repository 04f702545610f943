"""What a viewer shows of a volume: order, type, parts, preview, masks, windows, overlays, pictures."""

from __future__ import annotations

from io import BytesIO
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, strategies as st
from PIL import Image
from scipy.spatial.transform import Rotation

from medomicslab_nb.errors import DataError
from medomicslab_nb.imaging.display import (
    PART_BYTES,
    PREVIEW_BYTES,
    bounding_box,
    displayed,
    jpeg_of,
    matrix_of,
    packed,
    parts,
    plane_of,
    preview,
    voxels_of,
)
from medomicslab_nb.imaging.geometry import Geometry
from medomicslab_nb.imaging.orientation import Orientation, to_lps
from medomicslab_nb.imaging.overlay import laid_over
from medomicslab_nb.imaging.roi_values import roi_values
from medomicslab_nb.imaging.three_planes import MOST_BYTES, end_letters, middle, three_planes
from medomicslab_nb.imaging.volumes import Volume
from medomicslab_nb.imaging.windows import colours_of, windows_of

SIZE, SPACING = (10, 20, 30), (0.75, 1.5, 3.0)
SAGITTAL = (0.0, 0.0, -1.0, 1.0, 0.0, 0.0, 0.0, -1.0, 0.0)


@st.composite
def geometries(draw: st.DrawFn) -> Geometry:
    """Any rotation, and mirrored storage."""
    size = draw(st.tuples(*[st.integers(1, 7)] * 3))
    spacing = draw(st.tuples(*[st.floats(0.3, 6.0)] * 3))
    origin = draw(st.tuples(*[st.floats(-900, 900)] * 3))
    axes = Rotation.from_euler("xyz", draw(st.tuples(*[st.floats(-180, 180)] * 3)), degrees=True).as_matrix()
    axes = axes @ np.diag([draw(st.sampled_from([-1, 1])), 1, 1])
    return Geometry(size, spacing, origin, tuple(axes.reshape(-1).tolist()))


def volume(geometry: Geometry, dtype: str = "float32", **about: str) -> Volume:
    array = np.arange(np.prod(geometry.size)).reshape(geometry.shape).astype(dtype)
    return Volume(array, geometry, **about)


# -- order ---------------------------------------------------------------------------------------------------------


@given(geometries())
def test_every_voxel_keeps_its_place_and_the_way_back_is_exact(geometry: Geometry) -> None:
    turn = Orientation.of(geometry)
    given_, grid = volume(geometry), turn.grid(geometry)
    turned = turn.turned(given_.array)
    assert turned.shape == grid.shape
    assert np.shares_memory(turned, given_.array)
    assert np.array_equal(turn.back(turned), given_.array)
    number = given_.array.size // 2
    for array, where in ((given_.array, geometry), (turned, grid)):
        found = np.argwhere(array == number)[0][::-1]
        place = where.to_points(found[None])[0]
        assert np.allclose(place, geometry.to_points(np.argwhere(given_.array == number)[:, ::-1])[0], atol=1e-6)


@given(geometries())
def test_axes_run_nearest_to_left_back_and_head(geometry: Geometry) -> None:
    axes = Orientation.of(geometry).grid(geometry).axes
    assert (np.diag(axes) >= 0).all()
    others = [np.abs(axes[range(3), list(order)]).sum() for order in ((1, 2, 0), (2, 0, 1), (1, 0, 2), (0, 2, 1),
                                                                      (2, 1, 0))]
    assert np.abs(np.diag(axes)).sum() >= max(others) - 1e-9


def test_sagittal_series_becomes_axial() -> None:
    shown = displayed(volume(Geometry(SIZE, SPACING, (15.0, -40.0, 60.0), SAGITTAL)))
    assert shown.geometry.size == (30, 10, 20)
    assert shown.geometry.spacing_mm == (3.0, 0.75, 1.5)
    assert np.allclose(shown.geometry.axes, np.eye(3))
    assert np.allclose(matrix_of(shown.geometry)[:4], [3.0, 0, 0, 15.0 - 29 * 3.0])


# -- type and parts ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("values", "dtype"), [
    ([0, 255], "uint8"), ([-1024, 3000], "int16"), ([0, 60000], "uint16"), ([-1, 40000], "float32"),
    ([0.5, 2], "float32"), ([0, np.nan], "float32"), ([0, 70000], "float32")])
def test_smallest_type_that_loses_nothing(values: list[float], dtype: str) -> None:
    array = np.resize(np.array(values, dtype=np.float32), (4, 5, 6))
    shown = displayed(Volume(array, Geometry((6, 5, 4), SPACING)))
    assert shown.dtype == dtype
    assert (shown.low, shown.high) == (np.nanmin(values), np.nanmax(values))
    sent = np.concatenate([voxels_of(shown, part).ravel() for part in parts(shown)])
    assert np.array_equal(sent.astype(np.float32).reshape(array.shape), array, equal_nan=True)


@pytest.mark.parametrize("size", [(512, 512, 20), (64, 3000, 25), (2000, 1300, 2)])
def test_parts_follow_each_other_and_are_of_a_size_to_send(size: tuple[int, int, int]) -> None:
    geometry = Geometry(size, (1, 1, 1), direction=SAGITTAL)
    array = np.random.default_rng(0).integers(-1000, 1000, geometry.shape).astype(np.int16)
    shown = displayed(Volume(array, geometry))
    cut = parts(shown)
    assert cut[0].offset == 0 and cut[-1].offset + cut[-1].count == array.size
    assert all(one.offset + one.count == other.offset for one, other in pairwise(cut))
    assert max(part.count for part in cut) * 2 <= PART_BYTES
    sent = np.concatenate([voxels_of(shown, part).ravel() for part in cut])
    assert np.array_equal(sent, np.ascontiguousarray(shown.array).ravel())


@pytest.mark.parametrize("size", [(512, 512, 200), (2, 3, 4), (4096, 4096, 1)])
def test_preview_is_small_and_thins_the_finest_axis_first(size: tuple[int, int, int]) -> None:
    geometry = Geometry(size, (1.0, 1.0, 3.0))
    shown = displayed(Volume(np.zeros(geometry.shape, dtype=np.int16) - 1, geometry))
    sample, (x, y, z) = preview(shown)
    assert sample.nbytes <= PREVIEW_BYTES
    assert np.array_equal(sample, shown.array[::z, ::y, ::x])
    assert x >= z and abs(x - y) <= 1
    if size == (2, 3, 4):
        assert (x, y, z) == (1, 1, 1)


def test_mask_as_bits_in_its_box() -> None:
    mask = np.zeros((7, 11, 13), dtype=bool)
    mask[2:5, 3:9, 6:12] = np.random.default_rng(1).random((3, 6, 6)) > 0.3
    mask[2, 3, 6] = mask[4, 8, 11] = True
    box = bounding_box(mask)
    assert box == (6, 3, 2, 6, 6, 3)
    bits = np.unpackbits(packed(mask, box), count=6 * 6 * 3, bitorder="little").reshape(3, 6, 6)
    assert np.array_equal(bits, mask[2:5, 3:9, 6:12])
    assert bounding_box(np.zeros((2, 2, 2), dtype=bool)) == (0, 0, 0, 0, 0, 0)


@pytest.mark.parametrize(("axis", "shape"), [(2, (20, 10)), (1, (30, 10)), (0, (30, 20))])
def test_slice_as_jpeg(axis: int, shape: tuple[int, int]) -> None:
    shown = displayed(volume(Geometry(SIZE, SPACING)))
    plane = plane_of(shown, axis, 5)
    assert plane.shape == shape
    picture = np.asarray(Image.open(BytesIO(jpeg_of(plane, (0.0, 6000.0)))))
    assert picture.shape == shape
    assert np.abs(picture.astype(float) - plane / 6000 * 255).max() < 24
    with pytest.raises(DataError, match="no slice 99"):
        plane_of(shown, axis, 99)


# -- windows -------------------------------------------------------------------------------------------------------


def test_windows_fit_the_modality() -> None:
    ct = displayed(volume(Geometry(SIZE, SPACING), unit="HU"))
    assert [one.name for one in windows_of(ct, "CT")[:3]] == ["soft tissue", "lung", "bone"]
    pet = displayed(volume(Geometry(SIZE, SPACING), unit="SUVbw"))
    assert [(one.low, one.high) for one in windows_of(pet, "PT")] == [(0, 5), (0, 10), (0, 20), (0, 5999)]
    mr = windows_of(ct, "MR")
    assert mr[0].low == pytest.approx(np.percentile(ct.array, 1), rel=0.02, abs=2)
    assert all(one.high > one.low for shown in (ct, pet) for name in ("CT", "PT", "MR", "RTDOSE", "")
               for one in windows_of(shown, name))
    flat = displayed(Volume(np.full((3, 3, 3), np.nan, dtype=np.float32), Geometry((3, 3, 3), (1, 1, 1))))
    assert windows_of(flat, "MR")[0].high > windows_of(flat, "MR")[0].low
    assert colours_of("PT") == "inverse" and colours_of("PT", overlay=True) == "hot"


# -- ROI -----------------------------------------------------------------------------------------------------------


def test_values_of_a_roi_are_numpys() -> None:
    rng = np.random.default_rng(3)
    image, mask = rng.normal(40, 12, (8, 9, 10)).astype(np.float32), rng.random((8, 9, 10)) > 0.6
    image[0, 0, 0] = np.nan
    mask[0, 0, 0] = True
    found, inside = roi_values(image, mask), image[mask].astype(np.float64)
    inside = inside[np.isfinite(inside)]
    assert (found.voxels, found.missing) == (int(mask.sum()), 1)
    assert (found.mean, found.deviation) == (inside.mean(), inside.std())
    assert (found.minimum, found.maximum, found.median) == (inside.min(), inside.max(), np.median(inside))
    assert sum(found.counts) == len(inside)
    counts, edges = np.histogram(inside, bins=len(found.counts))
    assert found.counts == tuple(counts) and found.edges == tuple(edges)
    assert np.isnan(roi_values(image, np.zeros_like(mask)).mean)


# -- overlays ------------------------------------------------------------------------------------------------------


def test_parallel_overlay_keeps_its_voxels_however_it_is_stored() -> None:
    base = Orientation.of(Geometry(SIZE, SPACING)).grid(Geometry(SIZE, SPACING))
    pet = volume(Geometry((6, 5, 4), (4.0, 5.0, 6.0), (10.0, 20.0, 70.0), (-1, 0, 0, 0, -1, 0, 0, 0, 1)))
    over = laid_over(pet, base)
    assert np.array_equal(over.array, to_lps(pet).array)
    assert over.geometry.same_as(to_lps(pet).geometry)


@pytest.mark.parametrize("axis", ["x", "y", "z"])
def test_nearly_parallel_overlay_stays_within_the_limit_at_every_corner(axis: str) -> None:
    """It is turned about its centre, not about a corner: a tenth of the smallest spacing at most."""
    base = Geometry((512, 512, 40), (1.0, 1.0, 1.0))
    axes = Rotation.from_euler(axis, 0.015, degrees=True).as_matrix()
    own = Geometry((512, 512, 40), (1.0, 1.0, 1.0), (-255.0, -250.0, 30.0), tuple(axes.ravel().tolist()))
    array = np.broadcast_to(np.float32(0), own.shape)
    over = laid_over(Volume(array, own), base)
    assert over.array.shape == own.shape and np.allclose(over.geometry.axes, base.axes)
    assert np.linalg.norm(over.geometry.corners() - own.corners(), axis=1).max() <= 0.1


def test_turned_overlay_is_interpolated_where_it_lies() -> None:
    """A linear function of the place stays the same function."""
    base = Geometry((40, 40, 40), (2.0, 2.0, 2.0), (-40.0, -40.0, -40.0))
    axes = Rotation.from_euler("zx", [20, 10], degrees=True).as_matrix()
    grid = Geometry((20, 22, 16), (3.0, 4.0, 5.0), (-30.0, -40.0, -30.0), tuple(axes.reshape(-1).tolist()))
    k, j, i = np.indices(grid.shape)
    points = grid.to_points(np.stack([i.ravel(), j.ravel(), k.ravel()], axis=1))
    pet = Volume((points @ [1.0, 2.0, -3.0]).reshape(grid.shape).astype(np.float32), grid)
    over = laid_over(pet, base)
    assert np.allclose(over.geometry.axes, base.axes)
    assert over.geometry.spacing_mm == pytest.approx((3.0, 4.0, 5.0))
    known = np.argwhere(np.isfinite(over.array))[:, ::-1]
    places = over.geometry.to_points(known)
    own = grid.to_indices(places)
    between = ((own >= 0) & (own <= np.array(grid.size) - 1)).all(axis=1)  # further out the border is continued
    expected = places @ [1.0, 2.0, -3.0]
    assert np.abs(over.array[np.isfinite(over.array)] - expected)[between].max() < 0.01
    assert between.mean() > 0.7
    assert len(known) * over.geometry.voxel_mm3 > 0.7 * pet.array.size * grid.voxel_mm3


def test_bad_input_90_other_frame_of_reference_without_a_registration() -> None:
    pet = volume(Geometry((6, 5, 4), (4.0, 5.0, 6.0)), frame_of_reference="1.2.3")
    with pytest.raises(DataError, match="different frames of reference"):
        laid_over(pet, Geometry(SIZE, SPACING), "1.2.4")


# -- picture -------------------------------------------------------------------------------------------------------


def test_three_planes_have_one_scale_and_contours_where_they_belong() -> None:
    """A box of 30 x 40 x 48 mm in 120 x 160 x 96 mm, voxels 1 x 2 x 4 mm."""
    geometry = Geometry((120, 80, 24), (1.0, 2.0, 4.0))
    mask = np.zeros(geometry.shape, dtype=bool)
    mask[6:18, 20:40, 30:60] = True
    image = Volume(np.where(mask, 100, -100).astype(np.float32), geometry, "HU")
    content = three_planes(displayed(image), {"GTV": mask}, (-160.0, 240.0))
    assert len(content) <= MOST_BYTES
    picture = np.asarray(Image.open(BytesIO(content)).convert("RGB")).astype(int)
    scale = 260 / 160
    assert picture.shape[1] == pytest.approx((120 + 120 + 160) * scale + 8, abs=2)
    yellow = (picture[..., 0] > 200) & (picture[..., 2] < 80)
    for left, across, down, tall in ((0, (30, 60), (40, 80), 160), (120 * scale + 4, (30, 60), (24, 72), 96),
                                     (240 * scale + 8, (40, 80), (24, 72), 96)):
        part = yellow[:round(tall * scale), round(left):round(left + (160 if left > 300 else 120) * scale)]
        rows, columns = np.flatnonzero(part.any(axis=1)), np.flatnonzero(part.any(axis=0))
        assert (columns[0], columns[-1] + 1) == pytest.approx((across[0] * scale, across[1] * scale), abs=1.5)
        assert (rows[0], rows[-1] + 1) == pytest.approx((down[0] * scale, down[1] * scale), abs=1.5)


def test_noise_keeps_the_picture_within_its_limit() -> None:
    geometry = Geometry((300, 300, 300), (1, 1, 1))
    noise = np.random.default_rng(0).integers(-500, 500, geometry.shape).astype(np.int16)
    assert len(three_planes(displayed(Volume(noise, geometry)), {}, (-500.0, 500.0))) <= MOST_BYTES


def test_letters_name_the_ends_of_the_axes() -> None:
    assert end_letters(Geometry(SIZE, SPACING)) == (("R", "L"), ("A", "P"), ("F", "H"))
    axes = Rotation.from_euler("z", 45, degrees=True).as_matrix()
    assert [set(pair[1]) for pair in end_letters(Geometry(SIZE, SPACING, direction=tuple(axes.ravel())))] == [
        {"L", "P"}, {"R", "P"}, {"H"}]


def test_mask_of_another_grid_is_refused() -> None:
    with pytest.raises(DataError, match="different grids"):
        three_planes(displayed(volume(Geometry(SIZE, SPACING))), {"a": np.zeros((2, 2, 2), dtype=bool)}, (0, 1))
    assert middle(None, Geometry(SIZE, SPACING)) == (5, 10, 15)
