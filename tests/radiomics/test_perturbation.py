"""Perturbations: what they do to volume, position and noise; the same each time; right on anisotropic grids."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings as profile, strategies as st

from medomicslab_nb.errors import DataError
from medomicslab_nb.imaging.geometry import Geometry
from medomicslab_nb.imaging.volumes import Volume
from medomicslab_nb.radiomics.perturbation import Perturbed, apply, draw, noise_sd
from medomicslab_nb.radiomics.settings import RadiomicsSettings

KINDS = ("growth", "shrink", "contour", "translation", "rotation", "noise")
GRID = Geometry((40, 50, 30), (1.0, 1.5, 3.0), (5.0, -7.0, 11.0))


def volume(array: np.ndarray, geometry: Geometry = GRID) -> Volume:
    return Volume(array, geometry, "HU")


def noise_image(sd: float = 10.0, geometry: Geometry = GRID) -> Volume:
    rng = np.random.default_rng(0)
    return volume((40 + sd * rng.standard_normal(geometry.shape)).astype(np.float32), geometry)


def ball(geometry: Geometry = GRID, radius_mm: float = 14.0,
         centre: tuple[float, float, float] | None = None) -> Volume:
    """A ball in the middle, or about an index (x, y, z)."""
    z, y, x = np.indices(geometry.shape)
    points = geometry.to_points(np.stack([x, y, z], axis=-1).reshape(-1, 3))
    middle = np.array([centre or [(n - 1) / 2 for n in geometry.size]])
    inside = np.linalg.norm(points - geometry.to_points(middle), axis=1) <= radius_mm
    return volume(inside.reshape(geometry.shape), geometry)


def asked(*kinds: str, **options: object) -> RadiomicsSettings:
    return RadiomicsSettings(perturbations=kinds, **options)


def same(one: tuple[Volume, Volume], two: tuple[Volume, Volume]) -> bool:
    return all(np.array_equal(a.array, b.array) and a.geometry == b.geometry for a, b in zip(one, two, strict=True))


# -- drawing -----------------------------------------------------------------------------------------------------


def test_draws_are_counted_and_repeat():
    settings = asked(*KINDS, perturbation_count=3)
    drawn = draw(settings, ["hash", "GTV"])
    assert [one.kind for one in drawn] == [kind for kind in KINDS for _ in range(3)]
    assert drawn == draw(settings, ["hash", "GTV"])
    assert len({str(one) for one in drawn}) == 18


def test_draws_differ_between_cases_and_seeds():
    settings = asked("translation")
    first = draw(settings, ["hash", "GTV"])
    assert first != draw(settings, ["hash", "GTV2"])
    assert first != draw(settings, ["hashG", "TV"])
    assert first != draw(asked("translation", seed=1), ["hash", "GTV"])


def test_another_kind_or_another_draw_leaves_the_others_as_they_are():
    alone = draw(asked("rotation", perturbation_count=2), ["case"])
    among = draw(asked("noise", "rotation", "growth", perturbation_count=4), ["case"])
    assert alone == tuple(one for one in among if one.kind == "rotation")[:2]


def test_draws_keep_their_ranges():
    for one in draw(asked(*KINDS, perturbation_count=100), ["case"]):
        if one.kind in ("growth", "shrink"):
            assert 0.04 <= one.amounts[0] <= 0.28
        elif one.kind == "rotation":
            assert abs(one.amounts[0]) <= 13
        elif one.kind == "translation":
            assert len(one.amounts) == 3 and all(0 <= value <= 1 for value in one.amounts)


def test_texts_describe_the_perturbation():
    assert str(Perturbed("growth", 1, (0.1234,))) == "growth 1: volume +12.34%"
    assert str(Perturbed("shrink", 2, (0.05,))) == "shrink 2: volume -5.00%"
    assert str(Perturbed("translation", 1, (0.25, 0.5, 0.125))) == "translation 1: 0.250 0.500 0.125 voxels"
    assert str(Perturbed("rotation", 3, (-7.25,))) == "rotation 3: -7.25 degrees"
    assert str(Perturbed("noise", 1, seed=7)) == "noise 1: seed 7"


@pytest.mark.parametrize("kind", KINDS)
def test_applying_is_deterministic_and_changes_no_input(kind):
    image, mask = noise_image(), ball()
    before = image.array.copy(), mask.array.copy()
    one = draw(asked(kind), ["case"])[0]
    assert same(apply(image, mask, one), apply(image, mask, one))
    assert not same(apply(image, mask, one), (image, mask))
    assert np.array_equal(image.array, before[0]) and np.array_equal(mask.array, before[1])


@pytest.mark.parametrize("kind", KINDS)
def test_types_and_units_stay(kind):
    image, mask = apply(noise_image(), ball(), draw(asked(kind), ["case"])[0])
    assert image.array.dtype == np.float32 and mask.array.dtype == bool
    assert image.unit == "HU" and image.geometry == mask.geometry


# -- contours ----------------------------------------------------------------------------------------------------


@profile(max_examples=25)
@given(st.floats(0.04, 0.28), st.floats(4, 14), st.tuples(*[st.floats(0.7, 4)] * 3))
def test_growth_and_shrinkage_are_exact_and_nested(fraction, radius, spacing):
    grid = Geometry(tuple(int(40 / edge) + 4 for edge in spacing), spacing)
    mask = ball(grid, radius)
    image, before = volume(np.zeros(grid.shape, np.float32), grid), int(mask.array.sum())
    grown = apply(image, mask, Perturbed("growth", 1, (fraction,)))[1].array
    assert grown.sum() == before + max(1, round(before * fraction))
    assert grown[mask.array].all()
    if before > 1:
        shrunk = apply(image, mask, Perturbed("shrink", 1, (fraction,)))[1].array
        assert shrunk.sum() == before - max(1, round(before * fraction))
        assert mask.array[shrunk].all()


def test_growth_goes_by_distance_in_mm():
    # A slab of 5 slices, 3 mm thick, in 1 mm pixels: the rim within a slice is nearer than the next slice.
    array = np.zeros(GRID.shape, dtype=bool)
    array[10:15, 15:35, 10:30] = True
    grown = apply(noise_image(), volume(array), Perturbed("growth", 1, (0.15,)))[1].array
    assert grown[9].sum() == grown[15].sum() == 0
    assert grown[10:15].sum() == round(array.sum() * 1.15)


def test_growth_of_a_ball_stays_a_ball():
    grid = Geometry((60, 60, 60), (1.0, 1.0, 1.0))
    grown = apply(noise_image(geometry=grid), ball(grid, 20), Perturbed("growth", 1, (0.2,)))[1]
    radius = 20 * 1.2 ** (1 / 3)
    differing = (grown.array ^ ball(grid, radius).array).sum()
    assert differing / grown.array.sum() < 0.03


def test_shrinking_to_nothing_is_named():
    mask = np.zeros(GRID.shape, dtype=bool)
    mask[5, 6, 7] = True
    with pytest.raises(DataError, match="nothing is left"):
        apply(noise_image(), volume(mask), Perturbed("shrink", 1, (0.1,)))


def test_growing_without_room_is_named():
    with pytest.raises(DataError, match="no room"):
        apply(noise_image(), volume(np.ones(GRID.shape, dtype=bool)), Perturbed("growth", 1, (0.1,)))


def test_empty_mask_is_named():
    with pytest.raises(DataError, match="empty"):
        apply(noise_image(), volume(np.zeros(GRID.shape, dtype=bool)), Perturbed("noise", 1))


def test_random_contours_scatter_about_the_contour():
    grid = Geometry((70, 70, 24), (1.0, 1.0, 3.0))
    mask = ball(grid, 25)
    found = [apply(noise_image(geometry=grid), mask, Perturbed("contour", 1, seed=seed))[1].array for seed in range(12)]
    volumes = np.array([array.sum() for array in found]) / mask.array.sum()
    assert abs(volumes.mean() - 1) < 0.02
    assert 0 < volumes.std() < 0.05
    dice = [2 * (array & mask.array).sum() / (array.sum() + mask.array.sum()) for array in found]
    assert all(0.93 < value < 0.995 for value in dice)
    # Inside by 4 mm and outside by 4 mm nothing changes: that is more than five standard deviations (0.72 mm).
    assert all(array[ball(grid, 21).array].all() and not array[~ball(grid, 29).array].any() for array in found)


def test_random_displacement_has_its_standard_deviation():
    # A slab whose faces lie in x: the displacement of its face, seen along x, in steps of 0.1 mm.
    grid = Geometry((120, 80, 80), (0.1, 1.0, 1.0))
    mask = np.zeros(grid.shape, dtype=bool)
    mask[:, :, 30:90] = True
    spread = 0.5 * 0.1 ** (1 / 3)
    widths = []
    for seed in range(4):
        array = apply(noise_image(geometry=grid), volume(mask, grid), Perturbed("contour", 1, seed=seed))[1].array
        widths.append((array[10:-10, 10:-10, 60:].sum(axis=-1) - 30) * 0.1)
    assert np.std(widths) == pytest.approx(spread, rel=0.15)


# -- positions ---------------------------------------------------------------------------------------------------


def test_translation_by_whole_voxels_is_a_shift():
    image, mask = noise_image(), ball(centre=(18.0, 25.0, 14.0))
    moved, roi = apply(image, mask, Perturbed("translation", 1, (3.0, 2.0, 1.0)))
    assert np.array_equal(roi.array[1:, 2:, 3:], mask.array[:-1, :-2, :-3])
    around = np.s_[6:-6, 8:-8, 8:-8]
    expected = np.roll(image.array, (1, 2, 3), axis=(0, 1, 2))
    assert np.allclose(moved.array[around], expected[around], atol=1e-4)


def test_translation_moves_the_roi_with_the_image():
    # A smooth ramp: where the ROI goes, its mean goes too.
    z, y, x = np.indices(GRID.shape).astype(np.float32)
    image, mask = volume(2 * x + 3 * y + 5 * z), ball()
    moved, roi = apply(image, mask, Perturbed("translation", 1, (0.5, 0.25, 0.75)))
    centre, new = (np.argwhere(array).mean(axis=0) for array in (mask.array, roi.array))
    expected = image.array[mask.array].mean() + (new - centre - [0.75, 0.25, 0.5]) @ [5, 3, 2]
    assert moved.array[roi.array].mean() == pytest.approx(expected, abs=0.05)
    assert new - centre == pytest.approx([0.75, 0.25, 0.5], abs=0.25)  # in whole voxels


def test_rotation_turns_in_mm_about_the_centroid():
    # A bar along x, 1 x 1.5 mm pixels: turned by 90 degrees it lies along y and has the same length in mm.
    array = np.zeros(GRID.shape, dtype=bool)
    array[14:17, 24:27, 8:32] = True  # 24 x 4.5 x 9 mm
    turned = apply(noise_image(), volume(array), Perturbed("rotation", 1, (90.0,)))[1]
    found = np.argwhere(turned.array)
    assert np.ptp(found, axis=0)[1] * 1.5 == pytest.approx(24, abs=2.5)
    assert np.ptp(found, axis=0)[2] + 1 == pytest.approx(4.5, abs=1)
    assert found.mean(axis=0) == pytest.approx(np.argwhere(array).mean(axis=0), abs=0.6)


def test_rotation_carries_values_along():
    _, y, x = np.indices(GRID.shape).astype(np.float32)
    image, mask = volume(x.copy()), ball(radius_mm=10)  # rises by 1 per mm along x
    turned, roi = apply(image, mask, Perturbed("rotation", 1, (30.0,)))
    design = np.stack([x[roi.array], 1.5 * y[roi.array], np.ones(roi.array.sum())], axis=1)
    slope = np.linalg.lstsq(design, turned.array[roi.array].astype(float), rcond=None)[0]
    # From x to y: what rose along x now rises along x cos 30 + y sin 30.
    assert slope[:2] == pytest.approx([np.cos(np.pi / 6), np.sin(np.pi / 6)], abs=1e-3)


def test_moving_out_of_the_image_widens_the_grid():
    mask = np.zeros(GRID.shape, dtype=bool)
    mask[27:30, 40:50, 30:40] = True
    image, roi = apply(noise_image(), volume(mask), Perturbed("translation", 1, (2.0, 0.5, 1.0)))
    assert image.geometry.size == (42, 51, 31)
    assert image.geometry.origin_mm == GRID.origin_mm
    assert roi.array.sum() == pytest.approx(mask.sum(), rel=0.15)
    turned, roi = apply(noise_image(), volume(mask), Perturbed("rotation", 1, (13.0,)))
    assert roi.array.sum() == pytest.approx(mask.sum(), rel=0.05)
    # Old voxels lie where they lay.
    assert turned.geometry.to_indices(np.array([GRID.origin_mm]))[0] == pytest.approx(
        np.subtract(turned.geometry.size, GRID.size) * 0, abs=1e-9)


def test_rotation_at_the_first_corner_widens_the_grid_backwards():
    mask = np.zeros(GRID.shape, dtype=bool)
    mask[4:7, 0:12, 0:12] = True
    turned, roi = apply(noise_image(), volume(mask), Perturbed("rotation", 1, (13.0,)))
    before = np.rint(turned.geometry.to_indices(np.array([GRID.origin_mm]))[0]).astype(int)
    assert before[0] > 0 and before[1] > 0 and before[2] == 0
    points = turned.geometry.to_points(np.argwhere(roi.array)[:, ::-1]).mean(axis=0)
    assert points == pytest.approx(GRID.to_points(np.argwhere(mask)[:, ::-1]).mean(axis=0), abs=0.5)


def test_single_slice_is_not_moved_across():
    grid = Geometry((40, 50, 1), (1.0, 1.5, 3.0))
    mask = np.zeros(grid.shape, dtype=bool)
    mask[0, 20:30, 15:25] = True
    image, roi = apply(noise_image(geometry=grid), volume(mask, grid), Perturbed("translation", 1, (1.0, 0.0, 0.5)))
    assert image.geometry == grid
    assert np.array_equal(roi.array[0, :, 1:], mask[0, :, :-1])


def test_values_stay_within_the_images_range():
    array = np.zeros(GRID.shape, np.float32)
    array[ball().array] = 10  # a step, at which splines overshoot
    moved, _ = apply(volume(array), ball(), Perturbed("translation", 1, (0.5, 0.5, 0.5)))
    assert moved.array.min() == 0 and moved.array.max() == 10


# -- noise -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sd", [0.05, 10.0])
def test_noise_is_as_strong_as_that_of_the_image(sd):
    image, mask = noise_image(sd), ball()
    assert noise_sd(image, mask) == pytest.approx(sd, rel=0.05)
    noisy, roi = apply(image, mask, Perturbed("noise", 1, seed=3))
    added = noisy.array - image.array
    assert added.std() == pytest.approx(sd, rel=0.05)
    assert abs(added.mean()) < 0.02 * sd
    assert roi is mask


def test_noise_is_estimated_near_the_roi():
    grid = Geometry((120, 120, 12), (1.0, 1.0, 3.0))
    image, mask = noise_image(geometry=grid), ball(grid, 10, (30.0, 30.0, 6.0))
    image.array[:, 75:] = image.array[:, :, 75:] = -1000  # most of it is air
    assert noise_sd(image, mask) == pytest.approx(10, rel=0.05)


def test_image_without_noise_is_named():
    with pytest.raises(DataError, match="no noise"):
        apply(volume(np.ones(GRID.shape, np.float32)), ball(), Perturbed("noise", 1))


def test_noise_estimate_is_mirps():
    pytest.importorskip("mirp")
    from mirp._images.generic_image import GenericImage

    image = noise_image()
    theirs = GenericImage(image_data=image.array.astype(float), image_spacing=(3.0, 1.5, 1.0)).estimate_noise("chang")
    assert noise_sd(image, volume(np.ones(GRID.shape, dtype=bool))) == pytest.approx(theirs)
