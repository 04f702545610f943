"""Several lesions of a patient become one row."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest

from medomicslab_nb.errors import DataError
from medomicslab_nb.radiomics.lesions import COUNT, aggregate, aggregate_pet


def long(lesions: dict[tuple[str, str], tuple[float, float]], modality: str = "PT") -> pd.DataFrame:
    """Volume and entropy of lesions, by patient and lesion."""
    rows = [{"patient": patient, "date": pd.Timestamp("2020-05-01"), "modality": modality, "lesion": lesion,
             "roi": f"GTV {lesion}", "filter": "original", "family": family, "feature": feature, "ibsi_code": code,
             "aggregation": words, "value": value, "ibsi_value": value, "deviation": "",
             "column": f"{modality}_original_{family}_{feature}", "wide": value}
            for (patient, lesion), values in lesions.items()
            for family, feature, code, words, value in (
                ("morphology", "volume_mesh", "RNU0", "", values[0]),
                ("glcm", "joint_entropy", "TU9B", "3D, averaged", values[1]))]
    return pd.DataFrame(rows)


def found(frame: pd.DataFrame, patient: str, feature: str, column: str = "value") -> float:
    rows = frame[(frame["patient"] == patient) & (frame["feature"] == feature)]
    assert len(rows) == 1
    return rows[column].iloc[0]


THREE = {("P1", "1"): (10.0, 1.0), ("P1", "2"): (30.0, 2.0), ("P1", "3"): (20.0, 6.0), ("P2", "1"): (5.0, 4.0)}


@pytest.mark.parametrize(("how", "volume", "entropy"),
                         [("largest", 30, 2), ("sum", 60, 9), ("max", 30, 6), ("mean", 20, 3)])
def test_lesions_become_one_row(how, volume, entropy):
    patients = aggregate(long(THREE), how)
    for column in ("value", "ibsi_value", "wide"):
        assert found(patients, "P1", "volume_mesh", column) == volume
        assert found(patients, "P1", "joint_entropy", column) == entropy
        assert found(patients, "P2", "volume_mesh", column) == 5
    assert found(patients, "P1", COUNT) == 3
    assert found(patients, "P2", COUNT, "wide") == 1
    assert found(patients, "P1", COUNT, "column") == "PT_lesion_count"
    assert not {"lesion", "roi"} & set(patients.columns)
    assert list(dict.fromkeys(patients["patient"])) == ["P1", "P2"]
    assert list(patients["feature"]) == ["volume_mesh", "joint_entropy", COUNT] * 2


def test_result_does_not_depend_on_the_order_of_rows():
    shuffled = long(THREE).sample(frac=1, random_state=3)
    for how in ("largest", "sum", "max", "mean"):
        one, two = (aggregate(frame, how).sort_values(["patient", "feature"], ignore_index=True)["value"]
                    for frame in (long(THREE), shuffled))
        assert np.allclose(one, two)


def test_modalities_stay_apart():
    both = pd.concat([long(THREE), long({("P1", "1"): (70.0, 7.0)}, "CT")], ignore_index=True)
    patients = aggregate(both, "sum")
    assert found(patients[patients["modality"] == "CT"], "P1", "volume_mesh") == 70
    assert found(patients[patients["modality"] == "PT"], "P1", "volume_mesh") == 60
    assert found(patients[patients["modality"] == "CT"], "P1", COUNT) == 1


def test_equally_large_lesions_the_lowest_number_is_kept():
    frame = long({("P1", "10"): (30.0, 1.0), ("P1", "9"): (30.0, 2.0)})
    assert found(aggregate(frame, "largest"), "P1", "joint_entropy") == 2


def test_voxel_volume_where_there_is_no_mesh_volume():
    frame = long({("P1", "1"): (10.0, 1.0), ("P1", "2"): (30.0, 2.0)})
    voxel = frame[frame["feature"] == "volume_mesh"].assign(feature="volume_voxel_counting", ibsi_code="YEKZ")
    frame.loc[frame["feature"] == "volume_mesh", ["value", "ibsi_value"]] = np.nan
    assert found(aggregate(pd.concat([frame, voxel]), "largest"), "P1", "joint_entropy") == 2


def test_volumes_of_filtered_images_do_not_count():
    frame = long({("P1", "1"): (10.0, 1.0), ("P1", "2"): (30.0, 2.0)})
    with pytest.raises(DataError, match="2 lesions have no volume"):
        aggregate(frame.assign(filter="wavelet-LLH"), "largest")


@pytest.mark.parametrize("how", ["sum", "max", "mean"])
def test_feature_missing_in_one_lesion_is_missing(how):
    frame = long({("P1", "1"): (10.0, np.nan), ("P1", "2"): (30.0, 2.0)})
    patients = aggregate(frame, how)
    assert np.isnan(found(patients, "P1", "joint_entropy"))
    assert not np.isnan(found(patients, "P1", "volume_mesh"))


def test_one_lesion_on_two_images_is_refused_without_naming_the_patient():
    twice = pd.concat([long(THREE), long({("P1", "1"): (11.0, 1.0)})], ignore_index=True)
    with pytest.raises(DataError, match="more than one image") as error:
        aggregate(twice, "sum")
    assert "1 lesions" in str(error.value) and "P1" not in str(error.value)


def test_a_thousand_patients_take_seconds():
    features = pd.DataFrame({"filter": "original", "family": "morphology", "feature": [f"f{i}" for i in range(300)],
                             "ibsi_code": ["RNU0", *[""] * 299], "aggregation": ""})
    frame = pd.concat([features] * 2000, ignore_index=True)
    frame["patient"] = np.repeat([f"P{i}" for i in range(1000)], 600)
    frame["lesion"] = np.tile(np.repeat(["1", "2"], 300), 1000)
    frame["value"] = frame["ibsi_value"] = np.random.default_rng(0).random(len(frame))
    started = time.process_time()
    patients = aggregate(frame, "mean")
    assert time.process_time() - started < 10
    assert len(patients) == 1000 * 301
    expected = frame.groupby(["patient", "feature"])["value"].mean()
    values = patients[patients["feature"] != COUNT].set_index(["patient", "feature"])["value"]
    assert np.allclose(values.sort_index(), expected.sort_index())


def test_pet_metrics_of_a_patient():
    lesions = pd.DataFrame({
        "patient": ["P1", "P1", "P2"], "date": pd.Timestamp("2020-05-01"), "lesion": ["1", "2", "1"],
        "suv_max": [8.0, 12.0, 3.0], "suv_mean": [4.0, 7.0, 2.0], "suv_peak_global": [7.0, 6.5, 2.5],
        "suv_peak_local": [6.0, 5.0, 2.0], "volume_ml": [10.0, 5.0, 1.0], "mtv_41_ml": [6.0, 2.0, 1.0],
        "tlg_41": [30.0, 18.0, 2.0], "mtv_4_ml": [5.0, 4.0, 0.0], "tlg_4": [28.0, 30.0, 0.0],
        "centroid_x_mm": [0.0, 30.0, 1.0], "centroid_y_mm": [0.0, 40.0, 2.0], "centroid_z_mm": [0.0, 120.0, 3.0]})
    first, second = aggregate_pet(lesions).to_dict("records")
    assert first["patient"] == "P1" and first["lesion_count"] == 2
    assert (first["suv_max"], first["suv_peak_global"], first["suv_peak_local"]) == (12, 7, 5)
    assert first["suv_mean"] == pytest.approx((4 * 10 + 7 * 5) / 15)
    assert (first["volume_ml"], first["mtv_41_ml"], first["tlg_41"]) == (15, 8, 48)
    assert (first["mtv_4_ml"], first["tlg_4"]) == (9, 58)
    assert first["dmax_mm"] == pytest.approx(130)
    assert second["dmax_mm"] == 0 and second["lesion_count"] == 1
    assert "centroid_x_mm" not in first
