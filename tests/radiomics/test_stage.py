"""The radiomics stage on a study with images: tables, failures, cache, cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk

import medomicslab_nb as ml
from medomicslab_nb.data.images import import_dicom
from medomicslab_nb.errors import DataError, MissingExtraError, RunError
from medomicslab_nb.files import sha256_of
from medomicslab_nb.imaging.loading import load_case
from medomicslab_nb.progress import Progress
from medomicslab_nb.radiomics.extract import extract
from medomicslab_nb.report.evidence import gallery
from medomicslab_nb.runner import verify
from tests.image_study import add_images
from tests.imaging.contour_factory import at_slice, write_dose, write_rtstruct
from tests.imaging.dicom_factory import AXIAL, write_series

PATIENTS = ["PAT-0001", "PAT-0002", "PAT-0003"]
PLAIN = {"preset": "plain", "jobs": 1}


@pytest.fixture
def study(tmp_path: Path) -> ml.Study:
    made = ml.create_study(tmp_path / "study")
    add_images(made, PATIENTS)
    return made


def run(study: ml.Study, **settings: Any) -> Any:
    return ml.run("radiomics", study, PLAIN | settings, sinks=[])


def edit_images(study: ml.Study, change: Any) -> None:
    """Store the table of images again, changed."""
    info, frame = study.info("images"), study.table("images").reset_index()
    study.add_table("images", change(frame), block=info.block, level=info.level, date_column=info.date_column,
                    columns=info.columns)


def on_one_image(frame: pd.DataFrame, **columns: Any) -> pd.DataFrame:
    """All masks on the first patient's image."""
    of_first = {name: frame[name].iloc[0] for name in ("date", "image", "image_sha256")}
    return frame.assign(patient=PATIENTS[0], **of_first, **columns)


def test_the_wide_table_holds_what_extract_gives_for_each_case(study: ml.Study) -> None:
    done = run(study)
    wide = done.table("features").set_index("patient")
    assert list(wide.index) == PATIENTS and done.metrics["failures"] == 0
    for row in study.table("images").reset_index().to_dict("records"):
        image, mask = load_case(study.path, row)
        features = extract(image, mask, {"preset": "plain"}, "PT")
        entropy = features[(features["family"] == "glcm") & (features["feature"] == "joint_entropy")]
        assert wide.loc[row["patient"], "PT_original_glcm_joint_entropy_3d_avg"] == entropy["ibsi_value"].iloc[0]
    long = done.table("features_long")
    assert {"patient", "date", "modality", "lesion", "roi", "filter", "family", "feature", "ibsi_code", "aggregation",
            "value", "ibsi_value", "deviation"} == set(long.columns)


def test_the_engine_and_its_version_are_in_the_record(study: ml.Study) -> None:
    done = run(study)
    assert done.table("engine")["engine"].tolist() == ["pyradiomics"]
    assert done.table("engine")["version"].iloc[0]
    assert done.metrics["engine"] == "pyradiomics"


def test_pet_gets_its_own_table_and_ct_does_not(study: ml.Study, tmp_path: Path) -> None:
    assert list(run(study).table("pet")["patient"]) == PATIENTS
    other = ml.create_study(tmp_path / "ct")
    add_images(other, PATIENTS[:1], modality="MR")
    assert "pet" not in run(other).tables


def test_bad_input_71_an_image_that_changed_is_a_failure_and_the_others_are_measured(study: ml.Study) -> None:
    before = run(study)
    path = study.path / "images" / "1.nii.gz"
    image = sitk.ReadImage(str(path))
    sitk.WriteImage(image + 1, str(path))
    (changed,) = [item for item in verify(before) if not item.equal]
    assert changed.what == "files of input images" and changed.found.startswith("1 of 6")
    done = run(study, bin_count=16)
    assert list(done.table("features")["patient"]) == [PATIENTS[0], PATIENTS[2]]
    failures = done.table("failures")
    assert failures["patient"].tolist() == [PATIENTS[1]] and "1.nii.gz" in failures["reason"].iloc[0]
    assert done.warnings[0].startswith("1 of 3 ROIs were not measured")


def test_all_failing_is_an_error_with_the_first_reason(study: ml.Study) -> None:
    with pytest.raises(DataError, match=r"none of 3 ROIs could be measured; the first: .*range"):
        run(study, range=[900, 1000])


def test_several_lesions_become_one_row(study: ml.Study) -> None:
    edit_images(study, lambda frame: on_one_image(frame, lesion=["1", "2", "3"]))
    lesions = run(study).table("lesions").set_index("lesion")["volume_ml"]
    assert len(lesions) == 3
    volume = "PT_original_morphology_volume_voxel_counting"
    largest, total = run(study).table("features"), run(study, lesions="sum").table("features")
    assert len(largest) == len(total) == 1
    assert largest[volume].iloc[0] / 1000 == pytest.approx(lesions.max())
    assert total[volume].iloc[0] / 1000 == pytest.approx(lesions.sum())


def test_an_image_on_the_grid_of_another_is_measured_in_its_contours(study: ml.Study, tmp_path: Path) -> None:
    """The same image, stored in another direction and cut, gives the same features on the grid of the first."""
    path = study.path / "images" / "0.nii.gz"
    turned = study.path / "images" / "turned.nii.gz"
    sitk.WriteImage(sitk.Flip(sitk.ReadImage(str(path)), (True, False, True))[1:, :, :-1], str(turned))

    def with_second(frame: pd.DataFrame) -> pd.DataFrame:
        first = frame.iloc[[0]]
        second = first.assign(modality="MR", image="images/turned.nii.gz", image_sha256=sha256_of(turned), mask="",
                              label="", roi="", mask_sha256="")
        return pd.concat([first, second], ignore_index=True)

    edit_images(study, with_second)
    done = run(study, grid="PT")
    assert done.table("failures")["reason"].tolist() == []
    wide = done.table("features").iloc[0]
    name = "original_glcm_joint_entropy_3d_avg"
    assert wide[f"PT_{name}"] == pytest.approx(wide[f"MR_{name}"], rel=1e-4)


def test_second_readers_go_to_the_perturbed_values_not_to_the_features(study: ml.Study) -> None:
    edit_images(study, lambda frame: frame.assign(patient=[PATIENTS[0], PATIENTS[0], PATIENTS[2]],
                                                  date=frame["date"].iloc[0], repeat=["", "reader 2", ""]))
    done = run(study)
    assert list(done.table("features")["patient"]) == [PATIENTS[0], PATIENTS[2]]
    assert done.table("perturbed")[["patient", "perturbation"]].values.tolist() == [[PATIENTS[0], "reader 2"]]


def test_second_readings_are_not_perturbed_and_have_pictures_of_their_own(study: ml.Study) -> None:
    edit_images(study, lambda frame: frame.assign(
        patient=[PATIENTS[0], PATIENTS[0], PATIENTS[2]], date=frame["date"].iloc[0], repeat=["", "reader 2", ""],
        image=[frame["image"][0]] * 2 + [frame["image"][2]],
        image_sha256=[frame["image_sha256"][0]] * 2 + [frame["image_sha256"][2]]))
    done = run(study, perturbations=["growth"], perturbation_count=1)
    perturbed = done.table("perturbed")
    assert perturbed["patient"].tolist() == [PATIENTS[0], PATIENTS[0], PATIENTS[2]]
    assert done.table("lesions")["repeat"].tolist() == ["", "reader 2", ""] and len(gallery(done)) == 3
    assert not any("perturbed ROIs" in text for text in done.warnings)


def test_a_unit_that_was_corrected_is_not_read_from_the_cache(study: ml.Study) -> None:
    assert len(run(study).table("pet")) == 3
    edit_images(study, lambda frame: frame.assign(unit=["BQML", "", "SUVbw"]))
    done = run(study)
    assert done.table("pet")["patient"].tolist() == [PATIENTS[2]]
    assert any("different units (BQML, SUVbw, none)" in text for text in done.warnings)
    assert any(text.startswith("2 ROIs lie on PET images that are not in SUV") for text in done.warnings)


def test_another_suv_than_that_of_the_file_is_refused(study: ml.Study) -> None:
    with pytest.raises(DataError, match="the image is in SUVbw, SUVlbm was asked for"):
        run(study, suv="lbm")


def test_what_stands_for_a_patient_is_said_where_it_may_surprise(study: ml.Study) -> None:
    edit_images(study, lambda frame: on_one_image(frame, lesion=["1", "2", "3"], roi=["GTV", "Heart", "Lung"],
                                                  mask=[*frame["mask"][:2], "images/gone.nii.gz"]))
    texts = run(study).warnings
    assert any("1 patients have ROIs of several names" in text for text in texts)
    assert any("Of 1 patients some ROIs were measured and others not" in text for text in texts)
    assert not any("several names" in text for text in run(study, rois=["*"]).warnings)


def test_perturbed_values_are_per_patient_in_the_columns_of_the_features(study: ml.Study) -> None:
    done = run(study, perturbations=["growth", "noise"], perturbation_count=2)
    perturbed, features = done.table("perturbed"), done.table("features")
    assert set(features.columns) - {"PT_lesion_count"} <= set(perturbed.columns)
    assert perturbed.groupby("patient")["perturbation"].nunique().tolist() == [4, 4, 4]


def test_killed_and_started_again_it_computes_only_what_is_missing(study: ml.Study) -> None:
    run(study)
    stored = {path: path.stat().st_mtime_ns for path in (study.path / "cache").rglob("*.zip")}
    gone = sorted(stored)[0]
    gone.unlink()
    again = run(study)
    assert again.table_hashes == study.runs[0].table_hashes
    now = {path: path.stat().st_mtime_ns for path in (study.path / "cache").rglob("*.zip")}
    assert set(now) == set(stored) and {path for path in now if now[path] != stored[path]} == {gone}


def test_a_changed_parameter_file_makes_the_run_stale(study: ml.Study) -> None:
    path = study.path / "params.yaml"
    path.write_text("setting: {binWidth: 0.5}\nfeatureClass: {firstorder: [Mean]}\n")
    done = run(study, preset="auto", parameter_file="params.yaml")
    assert done.stale == ()
    path.write_text("setting: {binWidth: 0.25}\nfeatureClass: {firstorder: [Mean]}\n")
    assert done.stale == ("file params.yaml",)


def test_an_engine_that_is_missing_names_the_command(study: ml.Study) -> None:
    with pytest.raises((MissingExtraError, RunError), match=r'pip install "medomicslab_nb\[fast\]"'):
        run(study, engine="pictologics")


@pytest.mark.slow
def test_on_a_cluster_the_bytes_are_the_same(study: ml.Study) -> None:
    distributed = pytest.importorskip("distributed")
    here = run(study)
    (study.path / "cache").rename(study.path / "old-cache")
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None,
                                  host="127.0.0.1") as cluster:
        there = run(study, cluster=cluster.scheduler_address)
    assert here.table_hashes == there.table_hashes


def test_a_dose_is_measured_in_the_contours_of_its_image(tmp_path: Path) -> None:
    """60 Gy everywhere, from DICOM to the table of dose-volume metrics."""
    write_series(tmp_path / "export" / "ct")
    square = [(1.5, 2.0), (5.0, 2.0), (5.0, 6.0), (1.5, 6.0)]
    contours = [*at_slice([square], 1, AXIAL), *at_slice([square], 2, AXIAL)]
    write_rtstruct(tmp_path / "export" / "rs.dcm", [("GTV", contours)])
    write_dose(tmp_path / "export" / "rd.dcm", np.full(AXIAL.shape, 60.0), AXIAL)
    study = ml.create_study(tmp_path / "study")
    import_dicom(study, tmp_path / "export", progress=Progress())
    done = run(study, modalities=["RTDOSE"])
    dose = done.table("dose")
    assert dose["roi"].tolist() == ["GTV"] and done.metrics["features"] == 0
    assert dose[["Dmean", "Dmax", "D95"]].iloc[0].tolist() == pytest.approx([60, 60, 60], abs=1e-3)
    assert done.report().path.exists()
