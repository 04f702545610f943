"""Preprocessing: each step by hand, a part as the whole, IBSI's configurations, and the faults 35 to 38."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, strategies as st

from medomicslab_nb.errors import DataError
from medomicslab_nb.imaging.geometry import Geometry
from medomicslab_nb.imaging.resampling import Box, resample_image, resample_mask
from medomicslab_nb.imaging.volumes import Volume, read_labels, read_volume
from medomicslab_nb.radiomics.discretisation import MAX_LEVELS, Discretisation, discretise
from medomicslab_nb.radiomics.preprocessing import (
    PRESETS,
    Preprocessing,
    bounding_box,
    normalise,
    prepare,
    preprocessing_for,
    resegment,
)
from medomicslab_nb.radiomics.settings import RadiomicsSettings

GRID = Geometry((40, 50, 30), (1.0, 1.5, 3.0), (5.0, -7.0, 11.0))
WIDTH, NUMBER = "fixed_bin_size", "fixed_bin_number"


def image(geometry: Geometry = GRID) -> Volume:
    return Volume(np.random.default_rng(0).normal(0, 100, geometry.shape).round().astype(np.float32), geometry, "HU")


def box_mask(geometry: Geometry = GRID, part: tuple[slice, ...] = np.s_[10:20, 15:35, 12:30]) -> Volume:
    array = np.zeros(geometry.shape, dtype=bool)
    array[part] = True
    return Volume(array, geometry)


# --- Discretisation ---------------------------------------------------------------------------------------------------


def test_fixed_bin_size_begins_at_the_lower_end_of_the_range_or_at_the_minimum() -> None:
    values = np.array([-490.0, -476.0, -475.0, 0.0, 400.0])
    found = discretise(values, Discretisation(WIDTH, 25), -500.0)
    assert found.levels.tolist() == [1, 1, 2, 21, 37]
    assert (found.count, found.width, found.origin) == (37, 25.0, -500.0)
    assert discretise(values, Discretisation(WIDTH, 25)).levels.tolist() == [1, 1, 1, 20, 36]


def test_fixed_bin_number_puts_the_maximum_into_the_last_bin() -> None:
    found = discretise(np.array([0.0, 0.9, 1.0, 3.9, 4.0]), Discretisation(NUMBER, 4))
    assert found.levels.tolist() == [1, 1, 2, 4, 4]
    assert (found.count, found.width, found.origin) == (4, 1.0, 0.0)


@given(values=st.lists(st.floats(-1e4, 1e4, width=32), min_size=1, max_size=30), bins=st.integers(2, 64))
def test_levels_lie_between_1_and_their_count(values: list[float], bins: int) -> None:
    for method, size in ((NUMBER, bins), (WIDTH, 50.0)):
        found = discretise(np.array(values), Discretisation(method, size))
        assert found.levels.min() >= 1
        assert found.levels.max() <= found.count
        order = np.argsort(values, kind="stable")
        assert (np.diff(found.levels[order]) >= 0).all()


def test_too_many_levels_are_refused() -> None:
    with pytest.raises(DataError, match=rf"make 20000 grey levels .* at most {MAX_LEVELS}.*larger bin width"):
        discretise(np.array([0.0, 2000.0]), Discretisation(WIDTH, 0.1))


# --- The chain --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", list(PRESETS))
def test_the_surroundings_of_the_roi_are_enough(name: str) -> None:
    preset, mask = PRESETS[name], box_mask()
    near, whole = prepare(image(), mask, preset), prepare(image(), mask, preset, margin_mm=np.inf)
    assert near.image.array.size < whole.image.array.size
    lower = tuple(np.rint(whole.image.geometry.to_indices(np.array([near.image.geometry.origin_mm]))[0]).astype(int))
    cut = whole.crop(Box(lower, near.image.geometry.size))
    assert np.allclose(cut.image.array, near.image.array, rtol=1e-6, atol=1e-5)
    assert np.array_equal(cut.morphological, near.morphological)
    assert near.morphological.sum() == whole.morphological.sum()
    assert np.array_equal(cut.discretised, near.discretised)
    assert (near.levels, near.bin_width, near.minimum) == (whole.levels, whole.bin_width, whole.minimum)


def test_steps_in_their_order() -> None:
    settings = Preprocessing(spacing_mm=(2.0, 2.0, 2.0), rounded=True, range=(-50.0, 60.0),
                             discretisation=Discretisation(WIDTH, 10))
    prepared = prepare(image(), box_mask(), settings, margin_mm=np.inf)
    expected = np.rint(resample_image(image(), (2.0, 2.0, 2.0)).array)
    assert np.array_equal(prepared.image.array, expected)
    roi = resample_mask(box_mask(), (2.0, 2.0, 2.0)).array
    assert np.array_equal(prepared.morphological, roi)
    assert np.array_equal(prepared.intensity, roi & (expected >= -50) & (expected <= 60))
    inside = prepared.intensity
    assert np.array_equal(prepared.discretised[inside], np.floor((expected[inside] + 50) / 10) + 1)
    assert (prepared.discretised[~inside] == 0).all()


def test_ties_are_rounded_alike_everywhere() -> None:
    # Averages of two whole numbers are ties; rounding errors of the position must not decide them.
    geometry = Geometry((64, 4, 4), (0.1, 1.0, 1.0), (0.3, 0.0, 0.0))
    pairs = Volume(np.broadcast_to(np.arange(64) % 2, geometry.shape).astype(np.float32), geometry)
    prepared = prepare(pairs, box_mask(geometry, np.s_[:, :, 8:56]),
                       Preprocessing(spacing_mm=(0.2, None, None), rounded=True))
    assert np.unique(prepared.image.array).tolist() == [0.0]


def test_range_and_outliers_must_both_hold() -> None:
    values = np.array([[[-1000.0, 0.0, 1.0, 2.0, 3.0, 4.0, 500.0]]])
    roi = np.ones(values.shape, dtype=bool)
    both = Preprocessing(range=(-100.0, 400.0), outliers=1.0)
    reach = values.std()
    assert resegment(values, roi, both)[0, 0].tolist() == [
        -100 <= v <= 400 and abs(v - values.mean()) <= reach for v in values[0, 0]]
    assert resegment(values, roi, Preprocessing(range=(0.0, 4.0))).sum() == 5, "ends of the range belong to it"


def test_normalisation_uses_the_whole_image() -> None:
    scaled = normalise(image(), 100.0).array
    assert scaled.mean() == pytest.approx(0, abs=1e-3)
    assert scaled.std(ddof=1) == pytest.approx(100, rel=1e-6)
    with pytest.raises(DataError, match="one intensity"):
        normalise(image().with_array(np.full(GRID.shape, 7.0, np.float32)), 100.0)


def test_two_dimensions_keep_the_slices() -> None:
    prepared = prepare(image(), box_mask(), PRESETS["ibsi-b"])
    assert prepared.image.geometry.spacing_mm == (2.0, 2.0, 3.0)
    assert prepared.morphological.any(axis=(1, 2)).sum() == 10


def test_a_filtered_image_keeps_the_roi_and_begins_its_bins_at_the_minimum() -> None:
    prepared = prepare(image(), box_mask(), PRESETS["ibsi-c"])
    response = prepared.filtered(prepared.image.array * 2 + 5000, "doubled")
    assert response.filter == "doubled"
    assert np.array_equal(response.intensity, prepared.intensity)
    assert response.minimum == response.image.array[response.intensity].min()
    assert response.discretised[response.intensity].min() == 1


# --- Presets ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("modality", "preset"), [("PT", "pet-suv"), ("ct", "ct-hu"), ("MR", "mr-normalised"),
                                                  ("US", "plain"), ("", "plain")])
def test_auto_follows_the_modality(modality: str, preset: str) -> None:
    assert preprocessing_for(RadiomicsSettings(), modality) == PRESETS[preset]


def test_a_field_overrules_the_preset() -> None:
    settings = RadiomicsSettings(preset="ibsi-e", spacing=(1.0, 1.0, 3.0), interpolation="linear", range=(-10.0, 5.0),
                                 outliers=2.0, bin_width=4.0)
    expected = replace(PRESETS["ibsi-e"], spacing_mm=(1.0, 1.0, 3.0), interpolation="linear", range=(-10.0, 5.0),
                       outliers=2.0, discretisation=Discretisation(WIDTH, 4.0))
    assert preprocessing_for(settings, "CT") == expected
    assert preprocessing_for(RadiomicsSettings(preset="ct-hu", bin_count=7)).discretisation == Discretisation(NUMBER, 7)


# --- Faults -----------------------------------------------------------------------------------------------------------


def test_bad_input_24_empty_roi() -> None:
    with pytest.raises(DataError, match="the ROI is empty"):
        prepare(image(), box_mask(part=np.s_[0:0]), PRESETS["plain"])


@pytest.mark.parametrize("geometry", [replace(GRID, spacing_mm=(1.5, 1.0, 3.0)), replace(GRID, origin_mm=(5.5, -7, 11)),
                                      replace(GRID, direction=(-1.0, 0, 0, 0, -1, 0, 0, 0, 1))])
def test_bad_input_35_mask_of_another_geometry(geometry: Geometry) -> None:
    with pytest.raises(DataError, match="different grids"):
        prepare(image(), box_mask(geometry), PRESETS["plain"])


def test_bad_input_36_mask_empty_after_resegmentation() -> None:
    with pytest.raises(DataError, match=r"range from 5000 to 6000 leaves no voxel of the ROI.*Check the image's unit"):
        prepare(image(), box_mask(), Preprocessing(range=(5000.0, 6000.0)))


def test_bad_input_36_one_voxel_after_resegmentation() -> None:
    single = image().array.copy()
    single[12, 20, 20] = 5500
    with pytest.raises(DataError, match="leaves a single voxel"):
        prepare(image().with_array(single), box_mask(), Preprocessing(range=(5000.0, 6000.0)))


def test_bad_input_37_single_voxel_roi() -> None:
    with pytest.raises(DataError, match="single voxel"):
        prepare(image(), box_mask(part=np.s_[12:13, 20:21, 20:21]), PRESETS["plain"])


def test_bad_input_37_roi_lost_by_interpolation() -> None:
    with pytest.raises(DataError, match="smaller than half a voxel"):
        prepare(image(), box_mask(part=np.s_[12:13, 20:21, 20:22]), Preprocessing(spacing_mm=(20.0, 20.0, 20.0)))


def test_bad_input_38_constant_roi() -> None:
    flat = image().with_array(np.full(GRID.shape, 0.1, np.float32))
    for preset in ("plain", "ibsi-c", "ibsi-d", "pet-suv"):
        prepared = prepare(flat, box_mask(), PRESETS[preset])
        assert prepared.is_constant
        assert len(np.unique(prepared.discretised[prepared.intensity])) == 1
        assert np.array_equal(prepared.intensity, prepared.morphological)


def test_values_that_are_no_numbers_in_the_roi_are_refused() -> None:
    holed = image().array.copy()
    holed[15, 20, 20] = np.nan
    with pytest.raises(DataError, match="no numbers"):
        prepare(image().with_array(holed), box_mask(), PRESETS["plain"])


@given(data=st.data())
def test_the_bounding_box_is_the_smallest(data: st.DataObject) -> None:
    part = tuple(slice(low := data.draw(st.integers(0, n - 1)), data.draw(st.integers(low + 1, n)))
                 for n in GRID.shape)
    box = bounding_box(box_mask(part=part).array)
    assert box.lower == tuple(at.start for at in part[::-1])
    assert box.size == tuple(at.stop - at.start for at in part[::-1])


# MIRP 2.7 with its own preprocessing has the same morphological masks, and the same mean and energy in B, C and E.
@pytest.mark.realdata
@pytest.mark.parametrize(("name", "roi", "intensity"), [("ibsi-a", 125256, 114596), ("ibsi-b", 29842, 27359),
                                                        ("ibsi-c", 45985, 45981), ("ibsi-d", 45985, 44465),
                                                        ("ibsi-e", 45985, 44484)])
def test_voxels_of_the_ct_phantom(real_data: Path, name: str, roi: int, intensity: int) -> None:
    folder = real_data / "ibsi" / "ct_phantom"
    labels = read_labels(folder / "mask.nii.gz")
    prepared = prepare(read_volume(folder / "image.nii.gz"), labels.with_array(labels.array > 0), PRESETS[name])
    assert (prepared.morphological.sum(), prepared.intensity.sum()) == (roi, intensity)
