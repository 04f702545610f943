"""Contours to voxels: against a truth computed pixel by pixel in exact fractions, and what is refused."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, strategies as st

from medomicslab_nb.errors import DataError
from medomicslab_nb.imaging.contours import PLANE_TOLERANCE, rasterize
from medomicslab_nb.imaging.geometry import Geometry
from tests.imaging.contour_factory import GRID, SHAPES, Polygon, at_slice, inside, outlines
from tests.imaging.dicom_factory import AXIAL, OBLIQUE, SAGITTAL

PIXELS = {"isotropic": (0.9765625, 0.9765625, 3.0), "anisotropic": (1.5, 0.7, 3.0)}
ORIENTATIONS = {"axial": AXIAL, "oblique": OBLIQUE, "sagittal": SAGITTAL}
QUARTERS = st.integers(-8, 100).map(lambda value: value / 4)
POLYGONS = st.lists(st.tuples(QUARTERS.filter(lambda x: -0.4 < x < GRID[0] - 0.6),
                              QUARTERS.filter(lambda y: -0.4 < y < GRID[1] - 0.6)), min_size=3, max_size=12)


def grid(orientation: str = "axial", pixels: str = "anisotropic") -> Geometry:
    return replace(ORIENTATIONS[orientation], size=GRID, spacing_mm=PIXELS[pixels])


def filled(polygons: list[Polygon], geometry: Geometry | None = None, k: float = 2) -> np.ndarray:
    geometry = geometry or grid()
    return rasterize(at_slice(polygons, k, geometry), geometry)


def refused(contours: list[np.ndarray], geometry: Geometry | None = None) -> str:
    with pytest.raises(DataError) as error:
        rasterize(contours, geometry or grid())
    return str(error.value)


@pytest.mark.parametrize("pixels", PIXELS)
@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("shape", SHAPES)
def test_every_voxel_is_right(shape: str, orientation: str, pixels: str) -> None:
    geometry = grid(orientation, pixels)
    contours = [points for k in (1, 2, 3) for points in at_slice(SHAPES[shape], k, geometry)]
    truth = np.zeros(geometry.shape, dtype=bool)
    truth[1:4] = inside(SHAPES[shape], GRID[:2])
    assert 4 <= truth[2].sum() < GRID[0] * GRID[1]
    assert np.array_equal(rasterize(contours, geometry), truth)


def test_the_truth_is_true() -> None:
    """The exact truth itself, against masks that can be written down."""
    box = np.zeros((GRID[1], GRID[0]), dtype=bool)
    box[3:15, 3:18] = True  # edges at 2.5 and 15 (out), 3 (in) and 17.5
    hole = box.copy()
    hole[5:11, 6:14] = False
    island = hole.copy()
    island[7:9, 8:11] = True
    x, y = np.meshgrid(np.arange(GRID[0]), np.arange(GRID[1]))
    truths = {"hole": hole, "keyhole": hole, "island in a hole": island,
              "circle of 1.6 pixels": (x - 10.25) ** 2 + (y - 8.125) ** 2 <= 1.59**2}
    for shape, truth in truths.items():
        assert np.array_equal(inside(SHAPES[shape], GRID[:2]), truth), shape


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_a_mask_comes_back_from_its_own_outlines(orientation: str) -> None:
    geometry = grid(orientation)
    mask = np.random.default_rng(0).random(geometry.shape) < 0.6
    contours = [points for k in range(GRID[2]) for points in at_slice(outlines(mask[k]), k, geometry)]
    assert np.array_equal(rasterize(contours, geometry), mask)


@given(st.lists(POLYGONS, min_size=1, max_size=3, unique_by=lambda polygon: tuple(sorted(polygon))))
def test_any_polygons_agree_with_the_truth(polygons: list[Polygon]) -> None:
    assert np.array_equal(filled(polygons, grid("oblique"))[2], inside(polygons, GRID[:2]))


@given(POLYGONS, st.integers(0, 11))
def test_direction_and_start_of_a_contour_do_not_matter(polygon: list[tuple[float, float]], start: int) -> None:
    turned = polygon[start % len(polygon):] + polygon[:start % len(polygon)]
    expected = filled([polygon])
    assert np.array_equal(filled([turned]), expected)
    assert np.array_equal(filled([polygon[::-1]]), expected)
    assert np.array_equal(filled([[*polygon, polygon[0]]]), expected)  # closed by repetition of its first point


@given(POLYGONS, st.integers(-3, 3), st.integers(-3, 3))
def test_moved_by_whole_voxels_the_mask_moves_with_it(polygon: list[tuple[float, float]], dx: int, dy: int) -> None:
    wide = replace(grid(), size=(GRID[0] + 6, GRID[1] + 6, GRID[2]))
    here = filled([[(x + 3, y + 3) for x, y in polygon]], wide)
    there = filled([[(x + 3 + dx, y + 3 + dy) for x, y in polygon]], wide, 3)
    assert np.array_equal(there, np.roll(here, (1, dy, dx), axis=(0, 1, 2)))


@given(st.integers(8, 80).map(lambda value: value / 4))
def test_neighbours_share_no_voxel_and_leave_none_out(cut: float) -> None:
    """Two halves of a box, with their common border on pixel centres or between them."""
    parts = [filled([[(2, 2), (cut, 2), (cut, 15), (2, 15)]]), filled([[(cut, 2), (20, 2), (20, 15), (cut, 15)]])] \
        if 2 < cut < 20 else [filled([[(2, 2), (20, 2), (20, 15), (2, 15)]])]
    assert np.array_equal(np.sum(parts, axis=0), filled([[(2, 2), (20, 2), (20, 15), (2, 15)]]))


def test_area_of_a_circle_is_right_on_anisotropic_pixels() -> None:
    """Gauss' circle problem: the error is far below the circumference times the diagonal of a pixel (2 % here)."""
    geometry = Geometry((300, 500, 3), (0.9, 0.5, 3.0))
    angles = np.linspace(0, 2 * np.pi, 720, endpoint=False)
    circle = np.column_stack([130 + 80 * np.cos(angles), 120 + 80 * np.sin(angles), np.full(720, 3.0)])
    assert rasterize([circle], geometry).sum() * 0.45 == pytest.approx(np.pi * 80**2, rel=1e-3)


def test_a_contour_around_no_pixel_centre_gives_an_empty_mask() -> None:
    assert not filled([[(3.2, 3.2), (3.8, 3.2), (3.5, 3.8)]]).any()


def test_fifty_slices_take_a_fifth_of_a_second_at_most() -> None:
    geometry = Geometry((512, 512, 60), (0.8, 0.9, 2.5))
    angles = np.linspace(0, 2 * np.pi, 200, endpoint=False)
    contours = [np.column_stack([200 + 60 * np.cos(angles), 220 + 60 * np.sin(angles), np.full(200, 2.5 * k)])
                for k in range(50)]
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        rasterize(contours, geometry)
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 0.2


def test_bad_input_02_contours_beyond_the_end_slices() -> None:
    contours = [points for k in (3, 4, 5, 6) for points in at_slice(SHAPES["convex"], k, grid())]
    message = refused(contours)
    assert "2 contours lie beyond the first or last slice" in message
    assert "Slices at an end of the series are missing" in message


def test_bad_input_18_row_and_column_spacing_are_not_swapped() -> None:
    """A box of 9 x 7 mm on pixels of 1.5 x 0.7 mm has 6 columns and 10 rows."""
    corners = np.array([[0.75, 0.35, 3.0], [9.75, 0.35, 3.0], [9.75, 7.35, 3.0], [0.75, 7.35, 3.0]])
    mask = rasterize([corners], Geometry(GRID, (1.5, 0.7, 3.0)))
    assert mask.any(axis=(0, 1)).sum() == 6
    assert mask.any(axis=(0, 2)).sum() == 10


@pytest.mark.parametrize("offset", [0.09, -0.09])
def test_bad_input_23_contour_nearly_in_a_slice_belongs_to_it(offset: float) -> None:
    assert abs(offset) < PLANE_TOLERANCE
    assert np.array_equal(filled(SHAPES["convex"], k=2 + offset), filled(SHAPES["convex"]))


@pytest.mark.parametrize("offset", [0.11, 0.5, -0.3])
def test_bad_input_23_contour_between_slices_refused(offset: float) -> None:
    assert "between the slices" in refused(at_slice(SHAPES["convex"], 2 + offset, grid()))


def test_bad_input_23_contours_of_thicker_slices_refused() -> None:
    """Drawn on slices twice as thick, they would make stripes."""
    contours = [points for k in (0, 2, 4) for points in at_slice(SHAPES["convex"], k, grid())]
    assert "only every second slice has a contour" in refused(contours)


def test_bad_input_23_contours_of_thicker_slices_at_other_distances_refused() -> None:
    """Slices of 5 mm drawn on slices of 2 mm: two or three from one contour to the next."""
    geometry = replace(grid(), size=(*GRID[:2], 12))
    contours = [points for k in (0, 2, 5, 7, 10) for points in at_slice(SHAPES["convex"], k, geometry)]
    assert "only every second or third slice has a contour" in refused(contours, geometry)


def test_the_same_contour_with_other_points_or_digits_refused() -> None:
    """As exports of two systems have it; filled even-odd, both would vanish."""
    polygon = SHAPES["convex"][0]
    middle = tuple((np.array(polygon[0]) + polygon[1]) / 2)
    for again in ([*polygon, polygon[0]], [polygon[0], middle, *polygon[1:]], [(x + 0.01, y) for x, y in polygon]):
        assert "the same contour twice" in refused(at_slice([polygon, again], 2, grid()))


def test_parts_with_a_gap_between_them_are_fine() -> None:
    for slices in ([0, 1, 4], [0, 2], [0, 2, 3]):
        contours = [points for k in slices for points in at_slice(SHAPES["convex"], k, grid())]
        assert np.flatnonzero(rasterize(contours, grid()).any(axis=(1, 2))).tolist() == slices


def test_contours_drawn_across_the_slices_refused() -> None:
    """Drawn on sagittal planes of an axial series."""
    corners = np.array([[4, 3, 0], [4, 12, 0], [4, 12, 3], [4, 3, 3]])
    assert "not parallel to the slices" in refused([grid().to_points(corners)])


def test_bad_input_26_fewer_than_three_points() -> None:
    assert "fewer than three points" in refused(at_slice([SHAPES["convex"][0][:2]], 2, grid()))


def test_bad_input_27_what_a_contour_runs_around_twice_is_outside() -> None:
    figure_of_eight = [(3, 3), (15, 12), (15, 3), (3, 12)]
    twice = [(2, 2), (14, 2), (14, 12), (5, 12), (5, 5), (18, 5), (18, 9), (2, 9)]
    for polygon in (figure_of_eight, twice):
        assert np.array_equal(filled([polygon])[2], inside([polygon], GRID[:2]))
    mask = filled([twice])[2]
    assert mask[3, 8]
    assert not mask[7, 8]  # inside both loops
    assert mask[7, 16]


def test_bad_input_28_keyhole_equals_its_hole() -> None:
    assert np.array_equal(filled(SHAPES["keyhole"]), filled(SHAPES["hole"]))


def test_bad_input_30_outside_the_image() -> None:
    far = [(x + 1000, y) for x, y in SHAPES["convex"][0]]
    beside = [(x + GRID[0], y) for x, y in SHAPES["convex"][0]]
    for contours in (at_slice([far], 2, grid()), at_slice([beside], 2, grid()),
                     at_slice(SHAPES["convex"], 40, grid())):
        assert "the ROI lies outside the image" in refused(contours)


def test_bad_input_30_partly_outside_the_image() -> None:
    polygon = [(20, 3), (26, 3), (26, 6), (20, 6)]
    assert "6 of the ROI's 18 voxels lie outside the image" in refused(at_slice([polygon], 2, grid()))


def test_a_contour_may_run_along_the_outermost_pixels() -> None:
    border = [(-0.5, -0.5), (GRID[0] - 0.5, -0.5), (GRID[0] - 0.5, GRID[1] - 0.5), (-0.5, GRID[1] - 0.5)]
    assert filled([border])[2].all()


def test_the_same_contour_twice_does_not_vanish() -> None:
    polygon = list(SHAPES["convex"][0])
    assert "the same contour twice" in refused(at_slice([polygon, polygon[2:] + polygon[:2]], 2, grid()))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_points_that_are_no_numbers_refused(value: float) -> None:
    contour = at_slice(SHAPES["convex"], 2, grid())[0]
    contour[1, 0] = value
    assert "no numbers" in refused([contour])


def test_no_contour_refused() -> None:
    assert "no contour" in refused([])
