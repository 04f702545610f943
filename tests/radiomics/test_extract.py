"""From an image and a ROI to a table: filters, presets, parameter files, and what does not change the result."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from medomicslab_nb.errors import DataError, SettingsError
from medomicslab_nb.imaging.geometry import Geometry
from medomicslab_nb.imaging.volumes import Volume, read_labels, read_volume
from medomicslab_nb.radiomics.engines import FEATURE_COLUMNS
from medomicslab_nb.radiomics.extract import extract

GRID = Geometry((60, 70, 50), (1.0, 1.5, 3.0), (5.0, -7.0, 11.0))


def image() -> Volume:
    array = np.random.default_rng(0).normal(0, 60, GRID.shape).round()
    array[:, :, :8] = -1000
    return Volume(array.astype(np.float32), GRID, "HU")


def ball(centre: tuple[float, float, float] = (24.0, 34.0, 31.0)) -> Volume:
    z, y, x = np.indices(GRID.shape)
    away = ((x - centre[2]) / 8) ** 2 + ((y - centre[1]) / 7) ** 2 + ((z - centre[0]) / 4) ** 2
    return Volume(away <= 1, GRID)


def test_the_table_has_one_row_for_every_feature_of_every_image() -> None:
    table = extract(image(), ball(), {"filters": ["original", "log", "wavelet", "mean"], "log_sigma": [1.0, 2.0]}, "CT")
    assert list(table.columns) == ["filter", *FEATURE_COLUMNS]
    assert not table.duplicated(["filter", "family", "feature", "aggregation"]).any()
    counts = table.groupby("filter", sort=False).size()
    assert counts.iloc[0] == 107
    assert (counts.iloc[1:] == 93).all()
    assert len(counts) == 1 + 2 + 8 + 1
    assert table["value"].notna().all()


def test_without_the_original_image() -> None:
    table = extract(image(), ball(), {"filters": ["mean"]}, "CT")
    assert set(table["filter"]) == {"mean-5"}


# Not a spline with a filter: it would look so near to the edge of the smaller image that the spline's end shows.
@pytest.mark.parametrize(("preset", "filters"), [
    ("ibsi-e", ["original"]), *((preset, [name]) for preset in ("ibsi-c", "plain")
                                for name in ("original", "log", "wavelet"))])
def test_cropping_the_image_around_the_roi_changes_nothing(preset: str, filters: list[str]) -> None:
    settings = {"filters": filters, "preset": preset, "log_sigma": [1.0]}
    mask = ball()
    # An even number of voxels on both sides keeps the grids' centres together.
    lower, size = (10, 12, 6), (40, 46, 38)
    whole = extract(image(), mask, settings)
    part = extract(image().crop(lower, size), mask.crop(lower, size), settings)
    limit = 1e-4 if filters == ["log"] else 1e-6
    assert np.allclose(whole["value"], part["value"], rtol=limit, atol=1e-9, equal_nan=True)


def test_a_roi_at_the_edge_is_filtered_as_on_the_whole_image() -> None:
    import pywt

    mask = ball((24.0, 34.0, 40.0))
    table = extract(image(), mask, {"filters": ["wavelet"], "preset": "plain"})
    response = pywt.swtn(image().array, "coif1", level=1, start_level=0, axes=(2, 1, 0))[0]["add"]
    found = table[(table["filter"] == "wavelet-LHH") & (table["feature"] == "intensity_variance")]
    assert float(found["value"].iloc[0]) == pytest.approx(response[mask.array].var(dtype=float), rel=1e-6)


def test_settings_are_checked_and_modalities_choose_presets() -> None:
    with pytest.raises(SettingsError, match="bin_width"):
        extract(image(), ball(), {"binwidth": 3})
    by_modality = extract(image(), ball(), {}, "CT")
    named = extract(image(), ball(), {"preset": "ct-hu"}, "MR")
    pd.testing.assert_frame_equal(by_modality, named)


def test_the_same_bytes_each_time() -> None:
    settings = {"filters": ["original", "wavelet"], "bin_count": 16}
    pd.testing.assert_frame_equal(extract(image(), ball(), settings), extract(image(), ball(), settings),
                                  check_exact=True)


def test_a_parameter_file_brings_everything(tmp_path: Path) -> None:
    path = tmp_path / "parameters.yaml"
    path.write_text("imageType:\n  Original: {}\nfeatureClass:\n  firstorder: [Mean, Kurtosis]\n")
    table = extract(image(), ball(), {"parameter_file": str(path)}, "CT").set_index("feature")
    inside = image().array[ball().array].astype(float)
    assert table.loc["mean_intensity", "value"] == pytest.approx(inside.mean())
    assert list(table["filter"]) == ["original", "original"]


def test_bad_input_35_36_37_38_through_the_door() -> None:
    other = replace(ball(), geometry=replace(GRID, origin_mm=(0.0, 0.0, 0.0)))
    with pytest.raises(DataError, match="different grids"):
        extract(image(), other)
    with pytest.raises(DataError, match="leaves no voxel"):
        extract(image(), ball(), {"range": [5000, 6000]})
    single = np.zeros(GRID.shape, dtype=bool)
    single[20, 30, 30] = True
    with pytest.raises(DataError, match="single voxel"):
        extract(image(), Volume(single, GRID))
    flat = extract(image().with_array(np.full(GRID.shape, 3.3, np.float32)), ball(), {"filters": ["original", "log"]})
    assert flat.loc[flat["filter"] == "original", "value"].notna().all()


@pytest.mark.realdata
@pytest.mark.parametrize(("modality", "short"), [("PET", "PT"), ("CT", "CT"), ("MR_T1", "MR")])
def test_a_sarcoma_in_every_modality(real_data: Path, modality: str, short: str) -> None:
    folder = real_data / "sts" / "nifti" / "STS_002"
    labels = read_labels(folder / f"{modality}_mask.nii.gz")
    table = extract(read_volume(folder / f"{modality}_image.nii.gz"), labels.with_array(labels.array > 0), {}, short)
    assert len(table) == 107
    assert table["value"].notna().all()
    volume = table.set_index("feature").loc["volume_voxel_counting", "value"]
    assert volume == pytest.approx(labels.array.astype(bool).sum() * labels.geometry.voxel_mm3, rel=0.05)


@pytest.mark.parametrize("name", ["log", "mean"])
def test_a_filter_that_meets_voxels_without_a_value_is_an_error_not_a_table(name: str) -> None:
    """Such voxels lie outside the field of view of an image on another one's grid."""
    array = image().array.copy()
    array[:, :, :18] = np.nan
    with pytest.raises(DataError, match=r"the filtered image .* holds values in the ROI that are no numbers"):
        extract(image().with_array(array), ball(), {"preset": "plain", "filters": ["original", name]})


def test_normalisation_leaves_voxels_without_a_value_out() -> None:
    known = image().crop((10, 0, 0), (50, 70, 50))
    mask = ball().crop((10, 0, 0), (50, 70, 50))
    array = image().array.copy()
    array[:, :, :10] = np.nan
    plain = {"preset": "mr-normalised", "spacing": GRID.spacing_mm}
    pd.testing.assert_frame_equal(extract(image().with_array(array), ball(), plain, "MR"),
                                  extract(known, mask, plain, "MR"), rtol=1e-6)


@pytest.mark.parametrize("settings", [{"filters": []}, {"filters": ["mean", "mean"]}, {"log_sigma": [3, 3]},
                                      {"log_sigma": []}])
def test_filters_that_are_none_or_named_twice_are_refused(settings: dict[str, list[object]]) -> None:
    with pytest.raises(SettingsError, match="at least one, and none twice"):
        extract(image(), ball(), settings)
