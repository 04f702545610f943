"""Feature maps: each local value is the feature of the voxels around, and what has no local value says so."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
import SimpleITK as sitk
from PIL import Image
from scipy.ndimage import uniform_filter

from medomicslab_nb.errors import Cancelled, DataError
from medomicslab_nb.imaging.geometry import Geometry
from medomicslab_nb.imaging.volumes import Volume, read_labels, read_volume
from medomicslab_nb.progress import Event, Progress
from medomicslab_nb.radiomics import feature_map as module
from medomicslab_nb.radiomics.engines.pyradiomics import measure
from medomicslab_nb.radiomics.extract import extract, prepared_images
from medomicslab_nb.radiomics.fast_pyradiomics import Levels, measure_class
from medomicslab_nb.radiomics.feature_map import feature_map, feature_map_picture, parse_feature
from medomicslab_nb.radiomics.preprocessing import Prepared, bounding_box, preprocessing_for
from medomicslab_nb.radiomics.settings import RadiomicsSettings
from medomicslab_nb.radiomics.wide import column_names

GRID = Geometry((16, 18, 12), (1.0, 1.5, 3.0), (5.0, -7.0, 11.0))
PLAIN = {"preset": "plain", "bin_count": 8}


def case(seed: int = 0) -> tuple[Volume, Volume]:
    """A ragged ROI in noise."""
    rng = np.random.default_rng(seed)
    z, y, x = np.indices(GRID.shape)
    mask = ((z - 5) / 4) ** 2 + ((y - 8) / 6) ** 2 + ((x - 8) / 6) ** 2 <= 1
    return Volume(rng.normal(50, 20, GRID.shape).round().astype(np.float32), GRID), Volume(mask, GRID)


def around(prepared: Prepared, voxel: np.ndarray, radius: int) -> np.ndarray:
    """The part of the intensity mask within a cube, or a square in two dimensions."""
    reach = np.array([0 if prepared.preprocessing.dimension == "2D" else radius, radius, radius])
    cube = np.zeros_like(prepared.intensity)
    low, high = np.maximum(voxel - reach, 0), voxel + reach + 1
    cube[low[0]:high[0], low[1]:high[1], low[2]:high[2]] = True
    return cube & prepared.intensity


def measured_around(prepared: Prepared, own: str, voxel: np.ndarray, radius: int) -> float:
    """A feature of the neighbourhood as an ROI of its own, with the grey levels of the whole ROI."""
    family, _, feature = own.partition("_")
    part = around(prepared, voxel, radius)
    levels = Levels(np.where(part, prepared.discretised, 0).astype(int),
                    np.unique(prepared.discretised[prepared.intensity]), prepared.levels)
    images = []
    for array in (prepared.image.array.astype(float), part.astype(np.uint8)):
        image = sitk.GetImageFromArray(array)
        image.SetSpacing(prepared.image.geometry.spacing_mm)
        images.append(image)
    settings = {"levels": levels, "force2D": prepared.preprocessing.dimension == "2D"}
    return measure_class(family, *images, [feature], settings)[feature]


@pytest.mark.parametrize("feature", [
    "statistics_mean_intensity", "statistics_intensity_variance", "statistics_90th_intensity_percentile",
    "statistics_intensity_interquartile_range", "statistics_intensity_skewness",
    "intensity_histogram_discretised_intensity_entropy", "glcm_joint_entropy_3d_avg", "glcm_contrast_3d_avg",
    "glcm_correlation_3d_avg", "glrlm_run_entropy_3d_avg", "glszm_zone_size_entropy_3d",
    "ngldm_dependence_count_entropy_3d", "ngldm_low_grey_level_count_emphasis_3d", "ngtdm_contrast_3d"])
@pytest.mark.parametrize("radius", [1, 2])
def test_a_local_value_is_the_feature_of_the_voxels_around(feature, radius):
    image, mask = case()
    name = f"CT_original_{feature}"
    local = sitk.GetArrayFromImage(feature_map(image, mask, name, PLAIN, radius))
    settings = RadiomicsSettings.parse(PLAIN)
    prepared = next(prepared_images(image, mask, settings, preprocessing_for(settings, "CT")))
    prepared = prepared.crop(bounding_box(prepared.intensity))
    assert np.array_equal(np.isfinite(local), prepared.intensity)
    voxels = np.argwhere(prepared.intensity)
    for voxel in voxels[np.linspace(0, len(voxels) - 1, 12).astype(int)]:
        expected = measured_around(prepared, parse_feature(name).own, voxel, radius)
        assert local[tuple(voxel)] == pytest.approx(expected, rel=1e-5, abs=1e-6)


def test_the_map_of_the_mean_is_a_moving_average():
    image, mask = case()
    everywhere = Volume(np.ones(GRID.shape, dtype=bool), GRID)
    local = sitk.GetArrayFromImage(feature_map(image, everywhere, "CT_original_statistics_mean_intensity", PLAIN, 1))
    expected = uniform_filter(image.array.astype(float), 3)
    inner = (slice(1, -1),) * 3
    assert local[inner] == pytest.approx(expected[inner], abs=1e-4)
    inside = sitk.GetArrayFromImage(feature_map(image, mask, "CT_original_statistics_mean_intensity", PLAIN, 1))
    weights = uniform_filter(mask.array.astype(float), 3, mode="constant")
    masked = uniform_filter(np.where(mask.array, image.array.astype(float), 0), 3, mode="constant")
    assert inside[np.isfinite(inside)] == pytest.approx(masked[mask.array] / weights[mask.array], abs=1e-4)


def test_a_cube_that_holds_the_whole_roi_gives_the_feature_itself():
    image, _ = case()
    mask = np.zeros(GRID.shape, dtype=bool)
    mask[4:7, 6:9, 5:8] = True
    settings = RadiomicsSettings.parse(PLAIN)
    table = extract(image, Volume(mask, GRID), settings, "CT").assign(modality="CT")
    values = dict(zip(column_names(table), table["ibsi_value"].fillna(table["value"]), strict=True))
    for name in ("CT_original_statistics_excess_intensity_kurtosis", "CT_original_statistics_mean_intensity",
                 "CT_original_glcm_joint_entropy_3d_avg", "CT_original_glszm_zone_percentage_3d",
                 "CT_original_ngtdm_coarseness_3d", "CT_original_glcm_maximal_correlation_coefficient_3d_avg"):
        local = sitk.GetArrayFromImage(feature_map(image, Volume(mask, GRID), name, settings, 2))
        assert local[1, 1, 1] == pytest.approx(values[name], rel=1e-5), name


def test_every_feature_of_the_engine_is_parsed_or_refused():
    image, mask = case()
    settings = RadiomicsSettings.parse({**PLAIN, "filters": ("original", "wavelet")})
    prepared = next(prepared_images(image, mask, settings, preprocessing_for(settings, "CT")))
    table = measure(prepared).assign(modality="PT", filter="wavelet-LLH")
    refused = 0
    for name, family, feature in zip(column_names(table), table["family"], table["feature"], strict=True):
        if family == "morphology":
            refused += 1
            with pytest.raises(DataError, match="as a whole"):
                parse_feature(name)
        else:
            found = parse_feature(name)
            assert (found.modality, found.filter, found.family, found.feature) == ("PT", "wavelet-LLH", family, feature)
    assert refused > 10


def test_within_slices_the_neighbourhood_is_a_square():
    image, mask = case()
    settings = {"preset": "ibsi-a"}
    name = "CT_original_statistics_mean_intensity"
    local = sitk.GetArrayFromImage(feature_map(image, mask, name, settings, 1))
    parsed = RadiomicsSettings.parse(settings)
    prepared = next(prepared_images(image, mask, parsed, preprocessing_for(parsed, "CT")))
    prepared = prepared.crop(bounding_box(prepared.intensity))
    for voxel in np.argwhere(prepared.intensity)[::97]:
        part = around(prepared, voxel, 1)
        assert local[tuple(voxel)] == pytest.approx(prepared.image.array[part].mean(), rel=1e-6)
    texture = feature_map(image, mask, "CT_original_glcm_joint_entropy_2_5d_direction_merged", settings, 1)
    assert np.isfinite(sitk.GetArrayFromImage(texture)).any()
    with pytest.raises(DataError, match="measured in 3D"):
        feature_map(image, mask, "CT_original_glcm_joint_entropy_3d_avg", settings, 1)


def test_a_filtered_image_gives_its_own_map():
    image, mask = case()
    settings = {**PLAIN, "filters": ("original", "mean")}
    name = "CT_mean-5_statistics_maximum_intensity"
    local = sitk.GetArrayFromImage(feature_map(image, mask, name, settings, 1))
    original = sitk.GetArrayFromImage(feature_map(image, mask, name.replace("mean-5", "original"), settings, 1))
    assert np.nanmax(local) < np.nanmax(original)
    with pytest.raises(DataError, match="no filtered image 'mean-7'"):
        feature_map(image, mask, "CT_mean-7_statistics_maximum_intensity", settings, 1)
    with pytest.raises(DataError, match="no filtered image 'sobel'"):
        feature_map(image, mask, "CT_sobel_statistics_maximum_intensity", settings, 1)


@pytest.mark.parametrize(("name", "message"), [
    ("CT_original_morphology_sphericity", "as a whole"),
    ("PT_original_local_intensity_local_intensity_peak", "as a whole"),
    ("PT_original_gldzm_zone_percentage_3d", "as a whole"),
    ("CT_original_glcm_joint_entropy_3d_merged", "not computed by pyradiomics"),
    ("CT_original_statistics_intensity_based_coefficient_of_variation", "not computed by pyradiomics"),
    ("age", "no radiomics feature"), ("", "no radiomics feature")])
def test_what_has_no_local_value_is_named(name, message):
    with pytest.raises(DataError, match=message):
        parse_feature(name)


def test_a_table_s_name_in_front_is_passed_over():
    assert parse_feature("pet: PT_original_glcm_joint_entropy_3d_avg").own == "glcm_JointEntropy"
    assert parse_feature("original_glcm_joint_entropy_3d_avg").modality == ""


def test_size_and_radius_have_limits(monkeypatch):
    image, mask = case()
    name = "CT_original_statistics_mean_intensity"
    with pytest.raises(DataError, match="radius of 9"):
        feature_map(image, mask, name, PLAIN, 9)
    monkeypatch.setattr(module, "MOST_VOXELS", 100)
    with pytest.raises(DataError, match="at most 100") as error:
        feature_map(image, mask, name, PLAIN, 1)
    assert "larger spacing" in str(error.value)


def test_progress_counts_voxels_and_a_cancel_is_noticed(monkeypatch):
    monkeypatch.setattr(module, "_BATCH_CELLS", 20_000)
    image, mask = case()
    events: list[Event] = []
    feature_map(image, mask, "CT_original_glcm_contrast_3d_avg", PLAIN, 1, progress=Progress([events.append]))
    assert events[-1].finished
    assert events[-1].done == events[-1].total == mask.array.sum()
    assert len(events) > 5
    with pytest.raises(Cancelled):
        feature_map(image, mask, "CT_original_glcm_contrast_3d_avg", PLAIN, 1,
                    progress=Progress([events.append], cancelled=lambda: len(events) > 12))


def test_batches_change_nothing(monkeypatch):
    image, mask = case()
    name = "CT_original_glcm_joint_entropy_3d_avg"
    whole = sitk.GetArrayFromImage(feature_map(image, mask, name, PLAIN, 1))
    monkeypatch.setattr(module, "_BATCH_CELLS", 10_000)
    assert sitk.GetArrayFromImage(feature_map(image, mask, name, PLAIN, 1)) == pytest.approx(whole, nan_ok=True)


def test_the_map_lies_where_the_roi_lies_and_can_be_written(tmp_path):
    image, mask = case()
    local = feature_map(image, mask, "CT_original_statistics_mean_intensity", PLAIN, 1)
    for name in ("map.nii.gz", "map.nrrd"):
        sitk.WriteImage(local, str(tmp_path / name))
        again = sitk.ReadImage(str(tmp_path / name))
        roi = sitk.GetArrayFromImage(sitk.Resample(mask.to_image(), again, sitk.Transform(), sitk.sitkNearestNeighbor))
        found = sitk.GetArrayFromImage(again)
        assert np.array_equal(np.isfinite(found) & (found != 0), roi == 1)  # ITK reads a NIfTI's NaN as 0


def test_the_picture_shows_the_map_in_colour_with_its_scale():
    image, mask = case()
    local = feature_map(image, mask, "CT_original_statistics_mean_intensity", PLAIN, 1)
    picture = np.asarray(Image.open(BytesIO(feature_map_picture(image, local, "mean intensity"))))
    assert picture.shape[2] == 3
    coloured = np.ptp(picture.astype(int), axis=2) > 20
    assert 0.1 < coloured[:, :200].mean() < 0.9
    assert coloured[:, -70:].any()
    with pytest.raises(DataError, match="no value"):
        feature_map_picture(image, sitk.Image(local) * float("nan"))


@pytest.mark.realdata
def test_a_tumour_has_a_map(real_data):
    folder = real_data / "pyradiomics_cases"
    labels = read_labels(folder / "lung2_label.nrrd")
    image, mask = read_volume(folder / "lung2_image.nrrd", "HU"), labels.with_array(labels.array > 0)
    settings = {"spacing": (4.0, 4.0, 4.0)}
    local = feature_map(image, mask, "CT_original_glcm_joint_entropy_3d_avg", settings, 1)
    values = sitk.GetArrayFromImage(local)
    assert 500 < np.isfinite(values).sum() < 2000
    assert 0 <= np.nanmin(values) < np.nanmax(values) < 12
    assert len(feature_map_picture(image, local)) < 40_000
