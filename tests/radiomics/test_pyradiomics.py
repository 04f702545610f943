"""The engine pyradiomics: IBSI's reference values, the library's own values, degenerate ROIs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk
from hypothesis import given, settings as profile, strategies as st
from hypothesis.extra.numpy import arrays

from medomicslab_nb.errors import MissingExtraError, SettingsError
from medomicslab_nb.imaging.geometry import Geometry
from medomicslab_nb.imaging.volumes import Volume
from medomicslab_nb.radiomics.discretisation import Discretisation
from medomicslab_nb.radiomics.engines import ENGINES, FEATURE_COLUMNS, get_engine
from medomicslab_nb.radiomics.engines.pyradiomics import measure
from medomicslab_nb.radiomics.mesh_diameter import largest_distances
from medomicslab_nb.radiomics.preprocessing import PRESETS, Preprocessing, prepare

GRID = Geometry((40, 50, 30), (1.0, 1.5, 3.0), (5.0, -7.0, 11.0))
SETTINGS: list[Mapping[str, Any]] = [
    {}, {"binCount": 8}, {"binWidth": 7.5, "voxelArrayShift": 100}, {"force2D": True}, {"weightingNorm": "euclidean"},
    {"symmetricalGLCM": False}, {"distances": [1, 2], "gldm_a": 1}, {"force2D": True, "force2Ddimension": 2},
    {"weightingNorm": "infinity"}]


def blob(seed: int = 0) -> np.ndarray:
    """A ragged ROI with a hole and a separate part."""
    z, y, x = np.indices(GRID.shape)
    mask = ((z - 14) / 6) ** 2 + ((y - 24) / 12) ** 2 + ((x - 20) / 14) ** 2 <= 1
    mask &= np.random.default_rng(seed).random(GRID.shape) < 0.97
    mask[14, 24, 20] = False
    mask[2:4, 3:5, 3:6] = True
    return mask


def noise(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 60, GRID.shape).round().astype(np.float32)


def as_image(array: np.ndarray) -> sitk.Image:
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(GRID.spacing_mm)
    return image


def table_of(array: np.ndarray, mask: np.ndarray, settings: Preprocessing = PRESETS["plain"]) -> pd.DataFrame:
    return measure(prepare(Volume(array, GRID), Volume(mask, GRID), settings))


def value_of(table: pd.DataFrame, family: str, feature: str, column: str = "value") -> float:
    return float(table.set_index(["family", "feature"]).loc[(family, feature), column])


# --- The library's classes, faster ------------------------------------------------------------------------------------


def both(array: np.ndarray, mask: np.ndarray, settings: Mapping[str, Any]) -> Iterator[tuple[str, float, float]]:
    """Every feature by the library's class and by ours, on the same image."""
    from radiomics import getFeatureClasses

    from medomicslab_nb.radiomics.fast_pyradiomics import CLASSES, bin_image, measure_class

    image, region = as_image(array), as_image(mask.astype(np.uint8))
    own = {**settings, "levels": bin_image(array, mask, settings)}
    for name in sorted(set(CLASSES) - {"shape2D"}):
        theirs = getFeatureClasses()[name](image, region, **settings).execute()
        ours = measure_class(name, image, region, None, own)
        assert set(theirs) == set(ours)
        for feature, value in theirs.items():
            yield f"{name}_{feature}", float(value), ours[feature]


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_values_are_the_librarys(settings: Mapping[str, Any]) -> None:
    for name, theirs, ours in both(noise(), blob(), settings):
        assert ours == pytest.approx(theirs, rel=1e-9, abs=1e-12, nan_ok=True), name


@profile(max_examples=25)
@given(data=st.data())
def test_shape_is_the_librarys_for_any_mask(data: st.DataObject) -> None:
    from radiomics import shape

    from medomicslab_nb.radiomics.fast_pyradiomics import measure_class

    size = data.draw(st.tuples(*[st.integers(2, 6)] * 3))
    mask = data.draw(arrays(np.uint8, size, elements=st.integers(0, 1)).filter(lambda found: found.sum() > 1))
    image = sitk.GetImageFromArray(mask)
    image.SetSpacing(data.draw(st.tuples(*[st.floats(0.3, 6)] * 3)))
    theirs = shape.RadiomicsShape(image, image).execute()
    for feature, value in measure_class("shape", image, image, None, {}).items():
        assert value == pytest.approx(float(theirs[feature]), rel=1e-9, abs=1e-6, nan_ok=True), feature


@profile(max_examples=25)
@given(points=arrays(np.int64, st.tuples(st.integers(1, 200), st.just(3)), elements=st.integers(0, 9)),
       spacing=st.tuples(*[st.floats(0.3, 6)] * 3))
def test_largest_distances_are_those_of_all_pairs(points: np.ndarray, spacing: tuple[float, float, float]) -> None:
    at = points / 2 * spacing
    squared = ((at[:, None] - at[None]) ** 2).sum(axis=2)
    alike = [points[:, None, axis] == points[None, :, axis] for axis in range(3)]
    expected = [np.sqrt(np.where(same, squared, 0).max()) for same in (*alike, True)]
    assert largest_distances(points, spacing) == pytest.approx(expected)


@profile(max_examples=60)
@given(data=st.data())
def test_counts_are_those_of_the_librarys_extension(data: st.DataObject) -> None:
    from radiomics import cMatrices

    from medomicslab_nb.radiomics import texture_counts

    size = data.draw(st.tuples(*[st.integers(1, 6)] * 3).filter(lambda n: sum(m > 1 for m in n) > 1))
    levels = data.draw(arrays(np.int64, size, elements=st.integers(0, 4)).filter(lambda found: found.any()))
    mask, count = levels > 0, int(levels.max())
    flat = data.draw(st.tuples(st.booleans(), st.integers(0, 2)))
    alpha, distances = data.draw(st.integers(0, 1)), np.array(data.draw(st.sampled_from([[1], [1, 2]])))
    for name, arguments in (("calculate_glrlm", (count, max(size))), ("calculate_gldm", (distances, count, alpha)),
                            ("calculate_ngtdm", (distances, count))):
        theirs = getattr(cMatrices, name)(levels, mask, *arguments, *flat)
        ours = getattr(texture_counts, name)(levels, mask, *arguments, *flat)
        for one, other in zip(*(found if isinstance(found, tuple) else (found,) for found in (theirs, ours)),
                              strict=True):
            assert np.allclose(one, other, rtol=1e-12, atol=1e-12), name


# --- The engine -------------------------------------------------------------------------------------------------------


def test_the_table_has_the_columns_of_every_engine() -> None:
    table = table_of(noise(), blob())
    assert tuple(table.columns) == FEATURE_COLUMNS
    assert len(table) == 107
    assert not table.duplicated(["family", "feature", "aggregation"]).any()
    assert table["value"].notna().all()
    assert set(table["aggregation"]) == {"", "3D, averaged", "3D"}
    assert (table["ibsi_value"].isna() == (table["deviation"] == "not a feature of IBSI")).all()


def test_in_two_dimensions_matrices_are_merged_over_slices() -> None:
    table = table_of(noise(), blob(), Preprocessing(dimension="2D"))
    assert set(table["aggregation"]) == {"", "2.5D, direction-merged", "2.5D"}


def test_deviations_have_ibsis_value_beside_the_librarys() -> None:
    table = table_of(noise(), blob())
    array, mask = noise(), blob()
    values = array[mask].astype(float)
    excess = ((values - values.mean()) ** 4).mean() / values.var() ** 2 - 3
    assert value_of(table, "statistics", "excess_intensity_kurtosis") == pytest.approx(excess + 3)
    assert value_of(table, "statistics", "excess_intensity_kurtosis", "ibsi_value") == pytest.approx(excess)
    points = np.argwhere(mask) * GRID.spacing_mm[::-1]
    lengths = 4 * np.sqrt(np.linalg.eigvalsh(np.cov(points.T)))
    for name, length in zip(("least", "minor", "major"), lengths, strict=True):
        assert value_of(table, "morphology", f"{name}_axis_length", "ibsi_value") == pytest.approx(length)
    other = table[(table["ibsi_value"] != table["value"]) & table["ibsi_value"].notna()]
    assert len(other) == 4
    assert (other["deviation"] != "").all()


def test_voxels_without_a_neighbour_are_left_out_of_ibsis_ngtdm() -> None:
    # Two levels side by side, and a voxel that touches none: by hand, with alone = 1 voxel of level 4 left out,
    # n = (1, 1), s = (1, 1) for levels 1 and 2: contrast = 2 * 1/4 * 1 / (2 * 1) * 2 / 2 = 1/4
    array, mask = np.zeros(GRID.shape, np.float32), np.zeros(GRID.shape, dtype=bool)
    for at, level in (((5, 5, 5), 1), ((5, 5, 6), 2), ((20, 20, 20), 4)):
        array[at], mask[at] = level, True
    table = table_of(array, mask, Preprocessing(discretisation=Discretisation("fixed_bin_size", 1)))
    assert value_of(table, "ngtdm", "contrast", "ibsi_value") == pytest.approx(0.25)
    assert value_of(table, "ngtdm", "contrast") != pytest.approx(0.25)
    assert table.loc[table["family"] == "ngtdm", "deviation"].str.contains("without a neighbour").all()


def test_shape_comes_from_the_morphological_mask() -> None:
    whole = table_of(noise(), blob())
    cut = table_of(noise(), blob(), Preprocessing(range=(0.0, 1000.0)))
    shape = whole["family"] == "morphology"
    assert whole.loc[shape, "value"].tolist() == cut.loc[shape, "value"].tolist()
    assert value_of(cut, "statistics", "minimum_intensity") >= 0 > value_of(whole, "statistics", "minimum_intensity")


def test_a_filtered_image_has_no_shape() -> None:
    prepared = prepare(Volume(noise(), GRID), Volume(blob(), GRID), PRESETS["plain"])
    table = measure(prepared.filtered(prepared.image.array**2, "squared"))
    assert "morphology" not in set(table["family"])
    assert len(table) == 93


@pytest.mark.parametrize("level", [0.1, 40.0])
@pytest.mark.parametrize("preset", ["plain", "ibsi-c"])
def test_bad_input_38_constant_roi_has_ibsis_values(level: float, preset: str) -> None:
    table = table_of(np.full(GRID.shape, level, np.float32), blob(), PRESETS[preset])
    assert table["value"].notna().all()
    expected = {("statistics", "intensity_skewness"): 0, ("statistics", "excess_intensity_kurtosis"): 0,
                ("intensity_histogram", "discretised_intensity_entropy"): 0, ("glcm", "correlation"): 1,
                ("intensity_histogram", "discretised_intensity_uniformity"): 1, ("glcm", "joint_maximum"): 1,
                ("glcm", "joint_entropy"): 0, ("ngtdm", "coarseness"): 1e6, ("ngtdm", "busyness"): 0,
                ("ngtdm", "contrast"): 0, ("ngtdm", "strength"): 0, ("ngtdm", "complexity"): 0}
    for (family, feature), value in expected.items():
        assert value_of(table, family, feature, "ibsi_value") == pytest.approx(value, abs=1e-9), feature


def test_bad_input_37_two_voxels_are_measured_and_what_is_not_defined_says_so() -> None:
    mask = np.zeros(GRID.shape, dtype=bool)
    mask[10, 20, 20] = mask[20, 30, 30] = True  # no neighbours: there is no co-occurrence
    table = table_of(noise(), mask)
    undefined = table[table["value"].isna()]
    assert set(undefined["family"]) == {"glcm", "statistics"}  # and nothing lies between the outer percentiles
    assert (undefined["deviation"] == "not defined for this ROI").all()
    assert value_of(table, "morphology", "volume_voxel_counting") == pytest.approx(2 * GRID.voxel_mm3)


def test_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    table_of(noise(), blob())
    assert capfd.readouterr() == ("", "")


# --- The registry -----------------------------------------------------------------------------------------------------


def test_engines_are_found_by_name_and_know_their_versions() -> None:
    engine = get_engine("pyradiomics")
    assert engine.load() is measure
    assert engine.versions()["pyradiomics-bhklab"].startswith("3.")
    with pytest.raises(SettingsError, match="Did you mean 'pyradiomics'"):
        get_engine("pyradiomic")


@pytest.mark.parametrize("name", list(ENGINES))
def test_a_missing_engine_names_the_command_or_the_python(name: str) -> None:
    try:
        get_engine(name)
    except MissingExtraError as error:
        assert name in str(error)
        assert f'pip install "medomicslab_nb[{ENGINES[name].extra}]"' in str(error)


def test_a_newer_python_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("medomicslab_nb.radiomics.engines.importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr("medomicslab_nb.radiomics.engines.sys.version_info", (3, 11, 7))
    with pytest.raises(MissingExtraError, match=r"needs Python 3\.12 or newer; this is 3\.11"):
        get_engine("pictologics")
    with pytest.raises(MissingExtraError, match=r"needs the extra 'ibsi'.*pip install"):
        get_engine("mirp")


# --- Real data --------------------------------------------------------------------------------------------------------

DIGITAL = Preprocessing(discretisation=Discretisation("fixed_bin_size", 1))


@pytest.mark.realdata
@pytest.mark.parametrize(("name", "settings", "as_library"), [
    ("digital_phantom", DIGITAL, 99), ("ct_config_A", PRESETS["ibsi-a"], 101), ("ct_config_C", PRESETS["ibsi-c"], 101),
    ("ct_config_D", PRESETS["ibsi-d"], 101)])
def test_ibsi_reference_values(real_data: Path, name: str, settings: Preprocessing, as_library: int) -> None:
    from benchmarks import ibsi

    reference = ibsi.read_reference(real_data / "ibsi" / "ibsi1_reference_values.csv")
    image, mask = ibsi.read_phantom(real_data / "ibsi" / ("digital_phantom" if "digital" in name else "ct_phantom"))
    measured = measure(prepare(image, mask, settings))
    rows = reference[reference["dataset"] == name].merge(measured, on=["family", "feature", "aggregation"])
    assert len(rows) == 102
    wrong = rows[(rows["ibsi_value"] - rows["reference"]).abs() > rows["tolerance"] * (1 + 1e-9)]
    assert wrong.empty, wrong[["feature", "ibsi_value", "reference", "tolerance"]].to_string()
    assert ((rows["value"] - rows["reference"]).abs() <= rows["tolerance"] * (1 + 1e-9)).sum() == as_library

