"""pyradiomics' parameter files: the extractor's own values, its baselines, and named errors."""

from __future__ import annotations

import ast
import json
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from medomicslab_nb.errors import DataError
from medomicslab_nb.imaging.geometry import Geometry
from medomicslab_nb.imaging.volumes import Volume, read_labels, read_volume
from medomicslab_nb.radiomics.engines import FEATURE_COLUMNS
from medomicslab_nb.radiomics.parameter_file import (
    DEVIATION,
    measure_as_pyradiomics,
    parse_parameters,
    pyradiomics_values,
    read_parameter_file,
)

GRID = Geometry((40, 50, 30), (1.0, 1.5, 3.0), (5.0, -7.0, 11.0))
CLASSES = ("shape", "firstorder", "glcm", "gldm", "glrlm", "glszm", "ngtdm")
ALL = dict.fromkeys(CLASSES)
ONE = {"firstorder": None, "glcm": None}

PARAMETERS: dict[str, dict[str, Any]] = {
    "plain": {"featureClass": ALL},
    "resampled": {"setting": {"resampledPixelSpacing": [2, 2, 2], "binWidth": 10}, "featureClass": ALL},
    "resampled linearly": {"setting": {"resampledPixelSpacing": [1.3, 0, 2], "interpolator": "sitkLinear"}},
    "normalised": {"setting": {"normalize": True, "normalizeScale": 100, "removeOutliers": 2, "binWidth": 5,
                               "voxelArrayShift": 300}},
    "in two dimensions": {"setting": {"force2D": True, "force2Ddimension": 1}, "featureClass": ALL},
    "weighted": {"setting": {"weightingNorm": "manhattan"}},
    "resegmented": {"setting": {"resegmentRange": [-1, 2], "resegmentMode": "sigma"}, "featureClass": ALL},
    "resegmented by one end": {"setting": {"resegmentRange": [0.2], "resegmentMode": "relative"}},
    "resegmented shape": {"setting": {"resegmentRange": [-40, 90], "resegmentShape": True, "preCrop": True,
                                      "padDistance": 2}, "featureClass": ALL},
    "distances": {"setting": {"distances": [1, 2], "symmetricalGLCM": False, "gldm_a": 1, "binCount": 12}},
    "wavelet": {"imageType": {"Wavelet": {"wavelet": "db2", "level": 2, "binWidth": 20}}, "featureClass": ONE},
    "wavelet in two dimensions": {"setting": {"force2D": True}, "imageType": {"Wavelet": {}}, "featureClass": ONE},
    "wavelet, resampled": {"setting": {"resampledPixelSpacing": [2, 2, 2], "padDistance": 8},
                           "imageType": {"Wavelet": {}, "Original": {}}, "featureClass": ONE},
    "laplacian": {"imageType": {"LoG": {"sigma": [1.5, 3.0]}}, "featureClass": ONE},
    "other filters": {"imageType": {"Square": {}, "SquareRoot": {}, "Logarithm": {}, "Exponential": {}, "Gradient": {}},
                      "featureClass": ONE},
    "single features": {"featureClass": {"shape": ["VoxelVolume", "Compactness1"], "glcm": ["MCC"], "firstorder": []}},
    "another label": {"setting": {"label": 3}, "featureClass": ONE},
}


def noise(kind: str = "int16") -> Volume:
    _, y, x = np.indices(GRID.shape)
    array = np.random.default_rng(0).normal(0, 60, GRID.shape) + 4 * x - 2 * y
    array[:, :6] = -1000
    return Volume(array.round().astype(np.float32), GRID, "HU", pixel_type=kind)


def labels() -> Volume:
    z, y, x = np.indices(GRID.shape)
    array = np.zeros(GRID.shape, dtype=np.int32)
    array[((z - 14) / 6) ** 2 + ((y - 26) / 10) ** 2 + ((x - 20) / 12) ** 2 <= 1] = 1
    array[2:6, 10:20, 5:20] = 3
    return Volume(array, GRID)


def plain(image: Volume, mask: Volume, content: dict[str, Any]) -> dict[str, float]:
    """What a script after pyradiomics' documentation gets."""
    import radiomics
    from radiomics.featureextractor import RadiomicsFeatureExtractor

    radiomics.setVerbosity(60)
    stored = image.with_array(image.array.astype(image.pixel_type or np.float32))
    with warnings.catch_warnings():  # pykwalify loads code the old way; numpy remarks on empty means
        warnings.simplefilter("ignore")
        extractor = RadiomicsFeatureExtractor(content)
        extractor.settings["additionalInfo"] = False
        return {name: float(value) for name, value in extractor.execute(stored.to_image(), mask.to_image()).items()}


@pytest.mark.parametrize("name", list(PARAMETERS))
def test_values_are_the_extractors(name: str) -> None:
    content = {"featureClass": {"firstorder": None, "glcm": None, "glrlm": None}, **PARAMETERS[name]}
    theirs = plain(noise(), labels(), content)
    ours = pyradiomics_values(noise(), labels(), parse_parameters(content))
    assert list(ours) == list(theirs)
    limit = 1e-4 if name == "laplacian" else 1e-9
    for feature, value in theirs.items():
        assert ours[feature] == pytest.approx(value, rel=limit, abs=1e-12, nan_ok=True), feature


@pytest.mark.parametrize("kind", ["", "float32", "int16"])
def test_interpolated_values_are_rounded_to_the_type_of_the_file(kind: str) -> None:
    content = {"setting": {"resampledPixelSpacing": [2, 2, 2]}, "featureClass": {"firstorder": ["Median", "Energy"]}}
    theirs = plain(noise(kind), labels(), content)
    assert pyradiomics_values(noise(kind), labels(), parse_parameters(content)) == pytest.approx(theirs)
    assert (theirs["original_firstorder_Median"] % 0.5 == 0) == (kind == "int16")


def test_voxels_that_the_type_of_the_file_cannot_hold_keep_their_values() -> None:
    content = {"featureClass": {"firstorder": ["Mean"]}}
    shifted = replace(noise(), array=noise().array + np.float32(0.25))
    found = pyradiomics_values(shifted, labels(), parse_parameters(content))
    assert found["original_firstorder_Mean"] == pytest.approx(shifted.array[labels().array == 1].mean(dtype=float))


def test_a_roi_near_the_edge_sees_the_other_side_of_the_image_through_a_wavelet() -> None:
    content = {"imageType": {"Wavelet": {}}, "featureClass": ONE}
    edge = np.zeros(GRID.shape, dtype=np.int32)
    edge[0:7, 0:9, 30:40] = 1
    theirs = plain(noise(), Volume(edge, GRID), content)
    ours = pyradiomics_values(noise(), Volume(edge, GRID), parse_parameters(content))
    assert ours == pytest.approx(theirs, rel=1e-6)


def test_a_mask_needs_no_label() -> None:
    parameters = parse_parameters({"setting": {"label": 7}, "featureClass": {"shape": ["VoxelVolume"]}})
    mask = labels().with_array(labels().array == 3)
    assert pyradiomics_values(noise(), mask, parameters) == {
        "original_shape_VoxelVolume": pytest.approx(mask.array.sum() * GRID.voxel_mm3)}


def test_the_table_says_that_it_is_not_ibsis() -> None:
    parameters = parse_parameters({"imageType": {"Original": {}, "Wavelet": {}}, "featureClass": ALL,
                                   "setting": {"weightingNorm": "no_weighting"}})
    table = measure_as_pyradiomics(noise(), labels(), parameters)
    assert list(table.columns) == ["filter", *FEATURE_COLUMNS]
    assert len(table) == 107 + 8 * 93
    assert not table.duplicated(["filter", "family", "feature", "aggregation"]).any()
    assert table["ibsi_value"].isna().all()
    assert set(table["deviation"]) == {DEVIATION}
    assert set(table["aggregation"]) == {"", "3D, merged", "3D"}


def test_deprecated_features_and_those_of_two_dimensions_have_names_too() -> None:
    single = labels().with_array(np.where(np.arange(30)[:, None, None] == 14, labels().array, 0))
    parameters = parse_parameters({"setting": {"force2D": True}, "featureClass": {
        "shape2D": None, "shape": ["Compactness1"]}})
    table = measure_as_pyradiomics(noise(), single, parameters)
    assert "compactness1" in set(table["feature"])
    assert "perimeter_surface_ratio" in set(table.loc[table["family"] == "morphology_2d", "feature"])
    assert not table.duplicated(["filter", "family", "feature"]).any()


# --- Files ------------------------------------------------------------------------------------------------------------


def test_yaml_and_json_are_read_alike(tmp_path: Path) -> None:
    content = {"imageType": {"Original": {}}, "setting": {"binWidth": 12, "label": 1}}
    (tmp_path / "p.yaml").write_text("imageType:\n  Original: {}\nsetting:\n  binWidth: 12\n  label: 1\n")
    (tmp_path / "p.json").write_text(json.dumps(content))
    for name in ("p.yaml", "p.json"):
        parameters = read_parameter_file(tmp_path / name)
        assert parameters.settings["binWidth"] == 12
        assert parameters.image_types == {"Original": {}}
        assert parameters.settings["padDistance"] == 5, "completed with the library's defaults"


@pytest.mark.parametrize(("text", "found"), [
    ("setting:\n  binwidth: 5\n", "binwidth"), ("setings:\n  binWidth: 5\n", "setings"),
    ("imageType:\n  Wavelt: {}\n", "Wavelt"), ("featureClass:\n  glcm: [Idmx]\n", "Idmx"),
    ("setting:\n  binWidth: -5\n", "-5"), ("setting:\n  weightingNorm: cubic\n", "cubic"),
    ("- a\n- b\n", "no parameters"), ("setting: [\n", "cannot be read"), ("", "no parameters")])
def test_unknown_names_and_wrong_values_are_named(tmp_path: Path, text: str, found: str,
                                                  capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(DataError, match=found) as error:
        read_parameter_file(tmp_path / "mine.yaml")
    assert "file mine.yaml" in str(error.value)
    assert str(tmp_path) not in str(error.value)
    assert capfd.readouterr() == ("", "")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"file none\.yaml: the parameter file cannot be read"):
        read_parameter_file(tmp_path / "none.yaml")


# --- Faults -----------------------------------------------------------------------------------------------------------


def only(part: tuple[slice, ...]) -> Volume:
    array = np.zeros(GRID.shape, dtype=np.int32)
    array[part] = 1
    return Volume(array, GRID)


@pytest.mark.parametrize(("setting", "mask", "found"), [
    ({}, only(np.s_[0:0]), "the ROI is empty"),
    ({"label": 9}, labels(), "the ROI is empty"),
    ({}, replace(labels(), geometry=replace(GRID, origin_mm=(0.0, 0.0, 0.0))), "different grids"),
    ({"resegmentRange": [5000, 6000]}, labels(), "leaves too little"),
    ({}, only(np.s_[10:11, 20:21, 20:21]), "single voxel"),
    ({}, only(np.s_[10:11, 20:21, 20:25]), "extends over 1 dimensions, minimumROIDimensions asks for 2"),
    ({"minimumROISize": 100}, only(np.s_[10:12, 20:22, 20:22]), "8 voxels, minimumROISize asks for more than 100")],
    ids=["24", "label", "35", "36", "37", "line", "size"])
def test_bad_input_24_35_36_37_are_named(setting: dict[str, Any], mask: Volume, found: str) -> None:
    with pytest.raises(DataError, match=found):
        pyradiomics_values(noise(), mask, parse_parameters({"setting": setting, "featureClass": ALL}))


def test_bad_input_38_constant_roi() -> None:
    flat = noise().with_array(np.full(GRID.shape, 7.0, np.float32))
    content = {"featureClass": ALL}
    ours = pyradiomics_values(flat, labels(), parse_parameters(content))
    assert ours == pytest.approx(plain(flat, labels(), content), rel=1e-9, abs=1e-12, nan_ok=True)


def test_a_filter_that_makes_no_image_is_an_error_and_not_a_gap(capfd: pytest.CaptureFixture[str]) -> None:
    small = Geometry((3, 20, 30), (1.0, 1.5, 3.0))
    image = Volume(np.random.default_rng(0).normal(0, 60, small.shape).astype(np.float32), small)
    mask = Volume(np.ones(small.shape, dtype=bool), small)
    with pytest.raises(DataError, match="no image of the type LoG"):
        pyradiomics_values(image, mask, parse_parameters({"imageType": {"LoG": {"sigma": [1.0]}}}))
    assert capfd.readouterr() == ("", "")


def test_shape_in_two_dimensions_needs_a_single_slice() -> None:
    with pytest.raises(DataError, match="single slice"):
        pyradiomics_values(noise(), labels(), parse_parameters({"setting": {"force2D": True}}))


# --- The library's baselines ------------------------------------------------------------------------------------------


def baselines(folder: Path, case: str) -> pd.DataFrame:
    """One row for every value of the library's baseline tables for a case."""
    rows = []
    for path in sorted(folder.glob("baseline_*.csv")):
        table = pd.read_csv(path, index_col=0, dtype=str, keep_default_na=False)
        for column in (name for name in table.columns if name.split("_")[0] == case):
            setting = table.loc["diagnostics_Configuration_Settings", column]
            box = "diagnostics_Mask-corrected_BoundingBox"
            slices = table.loc[box, column] if box in table.index else ""
            rows += [(column, path.stem.split("_")[1], setting, slices, name, float(value))
                     for name, value in table[column].items() if name.startswith("original_")]
    return pd.DataFrame(rows, columns=["column", "kind", "setting", "box", "name", "expected"])


@pytest.mark.realdata
@pytest.mark.parametrize("case", ["brain1", "brain2", "breast1", "lung1", "lung2"])
def test_baselines_of_pyradiomics(real_data: Path, case: str) -> None:
    folder = real_data / "pyradiomics_cases"
    image, mask = read_volume(folder / f"{case}_image.nrrd"), read_labels(folder / f"{case}_label.nrrd")
    rows = baselines(folder, case)
    assert rows.groupby(["column", "kind"]).ngroups >= 40
    for (setting, box), group in rows.groupby(["setting", "box"]):
        known = {name: value for name, value in ast.literal_eval(setting).items() if value is not None}
        content = {"setting": known, "featureClass": dict.fromkeys(sorted(set(group["kind"])))}
        found = pyradiomics_values(image, _slice_of(mask, box) if box else mask, parse_parameters(content))
        for row in group.itertuples():
            # The library of today gives 0.09 % less for the mesh of brain1 than its baseline; its own limit is 3 %.
            limit = {("brain1", "shape"): 1e-3}.get((row.column, row.kind), 1e-8)
            assert found[row.name] == pytest.approx(row.expected, rel=limit, abs=1e-12), (row.column, row.name)


def _slice_of(mask: Volume, box: str) -> Volume:
    """The single slice that the library's two-dimensional labels are."""
    z = ast.literal_eval(box)[2]
    return mask.with_array(np.where(np.arange(mask.array.shape[0])[:, None, None] == z, mask.array, 0))


def test_image_without_numbers_in_the_roi_and_too_many_levels_are_named() -> None:
    rng = np.random.default_rng(0)
    image = Volume(rng.normal(size=GRID.shape).astype(np.float32), GRID)
    mask = Volume(np.zeros(GRID.shape, dtype=bool), GRID)
    mask.array[10:20, 15:30, 10:25] = True
    narrow = parse_parameters({"setting": {"binWidth": 1e-9}, "featureClass": {"glcm": None}})
    with pytest.raises(DataError, match=r"grey levels.*wider binWidth"):
        pyradiomics_values(image, mask, narrow)
    image.array[15, 20, 15] = np.nan
    with pytest.raises(DataError, match="no numbers"):
        pyradiomics_values(image, mask, parse_parameters({"featureClass": {"firstorder": None}}))
