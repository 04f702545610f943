"""Which discretisation the intensity-volume histogram has."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from medomicslab_nb.imaging.geometry import Geometry
from medomicslab_nb.imaging.volumes import Volume
from medomicslab_nb.radiomics.discretisation import Discretisation
from medomicslab_nb.radiomics.engines.volume_histogram import intensity_range, volume_histogram
from medomicslab_nb.radiomics.preprocessing import Prepared, Preprocessing, prepare

GRID = Geometry((10, 20, 30), (1.0, 1.5, 3.0))


def prepared(values: np.ndarray, settings: Preprocessing) -> Prepared:
    mask = np.zeros(GRID.shape, dtype=bool)
    mask[10:14, 5:10, 2:8] = True
    return prepare(Volume(values.astype(np.float32), GRID), Volume(mask, GRID), settings)


def noise() -> np.ndarray:
    return np.random.default_rng(0).normal(50, 20, GRID.shape)


def test_whole_numbers_are_bins_of_their_own():
    assert volume_histogram(prepared(noise().round(), Preprocessing())) is None
    assert volume_histogram(prepared(noise(), Preprocessing(rounded=True))) is None


def test_what_is_asked_for():
    asked = Discretisation("fixed_bin_size", 2.5)
    assert volume_histogram(prepared(noise(), Preprocessing(rounded=True, ivh=asked))) == asked


def test_other_intensities_get_a_thousandth_of_their_range():
    ready = prepared(noise(), Preprocessing())
    inside = ready.image.array[ready.intensity]
    chosen = volume_histogram(ready)
    assert chosen.method == "fixed_bin_size"
    assert chosen.size == pytest.approx(float(np.ptp(inside)) / 1000)


def test_range_of_resegmentation_counts_where_it_is_closed():
    ready = prepared(noise(), Preprocessing(range=(-10.0, np.inf)))
    lower, upper = intensity_range(ready)
    assert lower == -10 and upper == ready.image.array[ready.intensity].max()
    assert volume_histogram(ready).size == pytest.approx((upper + 10) / 1000)


def test_what_was_asked_for_in_hu_does_not_apply_to_a_filtered_image():
    asked = Discretisation("fixed_bin_size", 2.5)
    ready = prepared(noise(), Preprocessing(rounded=True, range=(-500.0, 400.0), ivh=asked))
    filtered = ready.filtered(ready.image.array / 7, "mean")
    assert volume_histogram(filtered).size == pytest.approx(np.ptp(intensity_range(filtered)) / 1000)
    assert volume_histogram(replace(ready, filter="original")) == asked
