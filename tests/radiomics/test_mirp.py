"""The engine MIRP: IBSI's reference values, every aggregation, our preprocessing kept. Needs the extra ``ibsi``."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from medomicslab_nb.radiomics.discretisation import Discretisation
from medomicslab_nb.radiomics.engines.mirp import _image, _mask, measure
from medomicslab_nb.radiomics.nomenclature import nomenclature
from medomicslab_nb.radiomics.preprocessing import Preprocessing
from tests.radiomics.engine_cases import against_reference, anisotropic_roi, check_table, phantom, roi_of, value_of

pytest.importorskip("mirp")

DIRECTIONAL = {"2D, averaged", "2D, slice-merged", "2.5D, direction-merged", "2.5D, merged", "3D, averaged",
               "3D, merged"}


@pytest.fixture(scope="module")
def box() -> pd.DataFrame:
    """The box of noise, measured once: MIRP takes seconds for any ROI."""
    return measure(anisotropic_roi())


@pytest.mark.realdata
@pytest.mark.parametrize(("data_set", "matched", "covered"), [
    ("digital_phantom", 482, 482),
    pytest.param("ct_config_A", 346, 346, marks=pytest.mark.slow),
    pytest.param("ct_config_C", 209, 209, marks=pytest.mark.slow),
    pytest.param("ct_config_D", 210, 210, marks=pytest.mark.slow),
])
def test_ibsi_reference(real_data, data_set, matched, covered):
    table = measure(phantom(real_data, data_set))
    check_table(table)
    assert against_reference(real_data, data_set, table) == (matched, covered, [])


@pytest.mark.realdata
def test_axes_are_not_swapped(real_data):
    # The same phantom with its axes exchanged has the same 3D features; by slice it does not.
    from dataclasses import replace

    ready = phantom(real_data, "digital_phantom")
    image = ready.image
    geometry = replace(image.geometry, size=image.geometry.size[::-1], spacing_mm=image.geometry.spacing_mm[::-1])
    turned = replace(ready, image=type(image)(image.array.transpose(2, 1, 0), geometry),
                     **{name: getattr(ready, name).transpose(2, 1, 0)
                        for name in ("morphological", "intensity", "discretised")})
    one, two = measure(ready), measure(turned)
    whole = one["aggregation"].isin(["", "3D", "3D, averaged", "3D, merged"])
    assert np.allclose(one.loc[whole, "value"], two.loc[whole, "value"], rtol=1e-6)
    assert not np.allclose(one.loc[~whole, "value"], two.loc[~whole, "value"], rtol=1e-6)


def test_every_aggregation_in_three_dimensions_and_only_slices_in_two(box):
    three, two = box, measure(anisotropic_roi(Preprocessing("2D")))
    for table in (three, two):
        check_table(table)
    assert set(three.loc[three["family"] == "glcm", "aggregation"]) == DIRECTIONAL
    assert set(three.loc[three["family"] == "gldzm", "aggregation"]) == {"2D", "2.5D", "3D"}
    assert set(two["aggregation"]) == {words for words in three["aggregation"] if not words.startswith("3D")}
    by_slice = three[~three["aggregation"].str.startswith("3D")].reset_index(drop=True)
    assert np.allclose(by_slice["value"], two["value"], equal_nan=True)


def test_every_name_of_the_nomenclature_is_measured(box):
    offered = nomenclature().query("mirp != ''")
    assert set(zip(offered["family"], offered["feature"], strict=True)) == set(
        zip(box["family"], box["feature"], strict=True))


def test_anisotropic_voxels(box):
    # A box of 4 x 6 x 8 voxels of 1 x 1.5 x 3 mm.
    assert value_of(box, "volume_voxel_counting") == pytest.approx(4 * 9 * 24)
    assert value_of(box, "maximum_3d_diameter") == pytest.approx(np.sqrt(4**2 + 9**2 + 24**2), rel=0.1)
    variance = [(n**2 - 1) / 12 * edge**2 * n**3 / (n**3 - 1) for n, edge in ((8, 3.0), (6, 1.5), (4, 1.0))]
    lengths = [value_of(box, f"{name}_axis_length") for name in ("major", "minor", "least")]
    assert lengths == pytest.approx(4 * np.sqrt(variance), rel=0.01)


@pytest.mark.parametrize("settings", [
    Preprocessing(discretisation=Discretisation("fixed_bin_number", 16)),
    Preprocessing(discretisation=Discretisation("fixed_bin_size", 7.0), range=(10.0, 80.0)),
    Preprocessing(discretisation=Discretisation("fixed_bin_size", 7.0), range=(10.0, 80.0), rounded=True),
])
def test_grey_levels_are_those_that_mirp_would_make(settings):
    from mirp._image_processing.discretise_image import discretise_image

    ready = anisotropic_roi(settings)
    image, mask = _image(ready.image.array, ready), _mask(ready)
    image.calibrated_units = True
    bins = settings.discretisation
    own, _ = discretise_image(image, mask, bins.method, bin_width=bins.size, bin_number=int(bins.size))
    inside = ready.intensity
    assert np.array_equal(own.get_voxel_grid()[inside], ready.discretised[inside])


def test_resegmentation_counts_for_intensity_and_not_for_shape(box):
    part = measure(anisotropic_roi(Preprocessing(range=(40.0, 60.0))))
    for feature in ("volume_mesh", "volume_voxel_counting", "least_axis_length"):
        assert value_of(part, feature) == value_of(box, feature)
    assert value_of(part, "minimum_intensity") >= 40 and value_of(part, "maximum_intensity") <= 60


def test_measuring_twice_gives_the_same(box):
    assert measure(anisotropic_roi()).equals(box)


def test_large_rois_have_morans_i_of_all_pairs():
    ready = roi_of((slice(2, 16), slice(4, 18), slice(5, 15)))
    table = measure(ready)
    row = table[table["feature"] == "morans_i_index"].iloc[0]
    assert "random samples" in row["deviation"]
    # Noise: over all pairs Moran's I is near -1 / (n - 1); samples of 100 voxels have -1 / 99.
    assert row["ibsi_value"] == pytest.approx(-1 / ready.intensity.sum(), abs=3e-3)
    assert row["value"] == pytest.approx(-1 / 99, abs=8e-3)
    check_table(table)


def test_small_rois_have_morans_i_of_all_pairs(box):
    from medomicslab_nb.radiomics.autocorrelation import moran_geary

    ready = anisotropic_roi()
    found = [value_of(box, name) for name in ("morans_i_index", "gearys_c_measure")]
    assert found == pytest.approx(moran_geary(ready.image.array, ready.intensity, ready.image.geometry.spacing_mm))


def test_filtered_images_have_no_shape(box):
    ready = anisotropic_roi()
    filtered = measure(ready.filtered(ready.image.array * 0.5 - 3, "mean"))
    check_table(filtered)
    assert "morphology" not in set(filtered["family"])
    assert value_of(filtered, "mean_intensity") == pytest.approx(value_of(box, "mean_intensity") / 2 - 3)


def test_volume_histogram_of_continuous_intensities(box):
    ready = anisotropic_roi()
    values = ready.image.array[ready.intensity].astype(float)
    # A tenth of the range above the minimum, and the intensity that a tenth of the volume exceeds.
    threshold = values.min() + 0.1 * np.ptp(values)
    assert value_of(box, "volume_at_intensity_fraction_10") == pytest.approx((values >= threshold).mean(), abs=0.02)
    assert value_of(box, "intensity_at_volume_fraction_10") == pytest.approx(np.quantile(values, 0.9), rel=0.02)


@pytest.mark.parametrize("voxels", [(slice(5, 6), slice(4, 5), slice(3, 5)), (slice(5, 6), slice(4, 9), slice(3, 8)),
                                    (slice(5, 9), slice(4, 5), slice(3, 4))], ids=["two", "plane", "line"])
def test_tiny_rois_have_named_gaps(voxels):
    check_table(measure(roi_of(voxels)))


@pytest.mark.parametrize("value", [7.0, 7.3])
def test_constant_roi_has_named_gaps(value):
    table = measure(anisotropic_roi(values=np.full((18, 24, 20), value)))
    check_table(table)
    assert value_of(table, "intensity_variance") == pytest.approx(0, abs=1e-9)
    assert np.isnan(value_of(table, "volume_at_intensity_fraction_10"))
