"""Which rows of the image table are measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import medomicslab_nb as ml
from medomicslab_nb.errors import DataError
from medomicslab_nb.inputs import TrackedStudy
from medomicslab_nb.radiomics.cohort import case_names, choose
from medomicslab_nb.radiomics.settings import RadiomicsSettings
from medomicslab_nb.tables import IMAGES, Column

ROW = {"patient": "P-1", "date": "2020-01-01", "modality": "PT", "image": "a", "image_sha256": "0", "mask": "m",
       "mask_sha256": "0", "label": "1", "lesion": "1", "roi": "GTV", "problem": ""}


def study_with(path: Path, *rows: dict[str, Any], index_date: str = "") -> TrackedStudy:
    study = ml.create_study(path)
    frame = pd.DataFrame([ROW | row for row in rows])
    frame["date"] = pd.to_datetime(frame["date"])
    study.add_table("images", frame, block=IMAGES, level="lesion", date_column="date")
    if index_date:
        clinical = pd.DataFrame({"patient": sorted(set(frame["patient"])), "surgery": pd.Timestamp(index_date)})
        study.add_table("clinical", clinical, columns={"surgery": Column(role="index_date", type="date")})
    return TrackedStudy(study.path)


def chosen(study: TrackedStudy, **settings: Any) -> pd.DataFrame:
    return choose(study, RadiomicsSettings.parse(settings)).rows


def test_rois_by_pattern_without_case_or_accents(tmp_path: Path) -> None:
    study = study_with(tmp_path / "s", {"roi": "GTV_1"}, {"roi": "gtv nœud"}, {"roi": "Tumeur rénale"},
                       {"roi": "Heart"})
    assert list(chosen(study, rois=["GTV*"])["roi"]) == ["GTV_1", "gtv nœud"]
    assert list(chosen(study, rois=["tumeur renale"])["roi"]) == ["Tumeur rénale"]
    with pytest.raises(DataError, match=r"no ROI fits PTV.*There are: GTV_1, Heart"):
        chosen(study, rois=["PTV"])


def test_modalities(tmp_path: Path) -> None:
    study = study_with(tmp_path / "s", {}, {"modality": "CT", "image": "b"})
    assert list(chosen(study, modalities=["ct"])["modality"]) == ["CT"]
    with pytest.raises(DataError, match=r"no image is of modality MR.*There are: CT, PT"):
        chosen(study, modalities=["MR"])


def test_first_date_without_index_date_and_last_before_it_with_one(tmp_path: Path) -> None:
    rows = [{"date": f"2020-0{month}-01", "image": str(month)} for month in (3, 1, 2)]
    first = choose(study_with(tmp_path / "first", *rows), RadiomicsSettings())
    assert list(first.rows["image"]) == ["1"]
    assert "1 patients have images of several dates: the first was measured." in first.warnings
    last = choose(study_with(tmp_path / "last", *rows, index_date="2020-02-15"), RadiomicsSettings())
    assert list(last.rows["image"]) == ["2"]
    assert last.warnings[0] == "1 images are dated after their patient's index date and were left out."


def test_broken_images_are_failures_with_their_reason_and_the_others_stay(tmp_path: Path) -> None:
    study = study_with(tmp_path / "s", {}, {"patient": "P-2", "mask": "", "problem": "a slice is missing"})
    found = choose(study, RadiomicsSettings())
    assert list(found.rows["patient"]) == ["P-1"]
    assert found.failures[["patient", "reason"]].values.tolist() == [["P-2", "a slice is missing"]]


def test_patients_without_such_a_roi_are_counted(tmp_path: Path) -> None:
    study = study_with(tmp_path / "s", {}, {"patient": "P-2", "roi": "Heart"})
    assert choose(study, RadiomicsSettings(rois=("GTV",))).warnings == (
        "1 of 2 patients have no ROI of that name and were left out.",)


def test_no_images_says_what_to_type(tmp_path: Path) -> None:
    study = TrackedStudy(ml.create_study(tmp_path / "s").path)
    with pytest.raises(DataError, match=r"there is no table 'images'.*medomicslab add DIR FOLDER"):
        choose(study, RadiomicsSettings())


def test_a_table_without_checksums_is_no_table_of_images(tmp_path: Path) -> None:
    study = ml.create_study(tmp_path / "s")
    study.add_table("images", pd.DataFrame([{"patient": "P-1", "image": "a"}]))
    with pytest.raises(DataError, match="lacks the columns image_sha256"):
        choose(TrackedStudy(study.path), RadiomicsSettings())


def test_only_images_and_the_columns_of_index_dates_are_inputs(tmp_path: Path) -> None:
    """Another clinical value does not make features stale."""
    study = study_with(tmp_path / "s", {})
    choose(study, RadiomicsSettings())
    assert set(study.inputs) == {"images", "index dates"}


def test_names_of_cases_do_not_depend_on_other_rows(tmp_path: Path) -> None:
    rows = chosen(study_with(tmp_path / "s", {}, {"patient": "P-2", "lesion": "2"}))
    assert case_names(rows.iloc[1:]) == case_names(rows)[1:]


def test_contours_of_one_modality_serve_for_the_others_on_request(tmp_path: Path) -> None:
    study = study_with(tmp_path / "s", {"modality": "CT", "image": "ct", "image_sha256": "c", "mask": "rs"},
                       {"modality": "CT", "image": "ct", "image_sha256": "c", "mask": "rs", "roi": "GTVn",
                        "lesion": "2"},
                       {"image": "pet", "mask": "", "label": "", "roi": "", "mask_sha256": ""})
    assert set(chosen(study)["modality"]) == {"CT"}
    rows = chosen(study, modalities=["PT"], grid="CT")
    assert rows[["image", "mask", "roi", "grid", "grid_sha256"]].values.tolist() == [
        ["pet", "rs", "GTV", "ct", "c"], ["pet", "rs", "GTVn", "ct", "c"]]
    with pytest.raises(DataError, match="no ROI is drawn on an image of modality MR"):
        chosen(study, grid="MR")


def test_a_patient_without_index_date_keeps_the_first_image(tmp_path: Path) -> None:
    rows = [{"date": f"2020-0{month}-01", "image": str(month)} for month in (3, 1, 2)]
    study = study_with(tmp_path / "s", *rows, {"patient": "P-2"}, index_date="2020-02-15")
    frame = study.table("clinical").reset_index()
    frame.loc[frame["patient"] == "P-1", "surgery"] = pd.NaT
    study.add_table("clinical", frame, columns={"surgery": Column(role="index_date", type="date")})
    found = chosen(TrackedStudy(study.path))
    assert list(found.loc[found["patient"] == "P-1", "image"]) == ["1"]


def test_two_images_of_one_modality_and_date_are_refused_early(tmp_path: Path) -> None:
    rows = [{"modality": "MR", "image": "t1", "roi": "GTV_T1"}, {"modality": "MR", "image": "t2", "roi": "GTV_T2"}]
    study = study_with(tmp_path / "s", *rows)
    with pytest.raises(DataError, match=r"1 patients have several images of modality MR.*there are: GTV_T1, GTV_T2"):
        chosen(study)
    assert list(chosen(study, rois=["*T2"])["image"]) == ["t2"]


def test_a_repeated_scan_stays_beside_the_first_reading_whatever_its_date(tmp_path: Path) -> None:
    study = study_with(tmp_path / "s", {}, {"image": "b", "date": "2020-01-08", "repeat": "retest"},
                       {"image": "c", "date": "2020-06-01"}, {"image": "c", "date": "2020-06-01", "repeat": "reader 2",
                                                              "mask": "n"}, index_date="2020-03-01")
    assert chosen(study)[["image", "repeat"]].values.tolist() == [["a", ""], ["b", "retest"]]
    frame = study.table("clinical").reset_index().assign(surgery=pd.Timestamp("2020-12-01"))
    study.add_table("clinical", frame, columns={"surgery": Column(role="index_date", type="date")})
    rows = chosen(TrackedStudy(study.path))
    assert rows[["image", "repeat"]].values.tolist() == [["b", "retest"], ["c", ""], ["c", "reader 2"]]


def test_two_repeats_of_one_name_on_different_images_are_refused(tmp_path: Path) -> None:
    study = study_with(tmp_path / "s", {}, {"image": "b", "repeat": "again"}, {"image": "c", "repeat": "again"})
    with pytest.raises(DataError, match="1 patients have several images of modality PT"):
        chosen(study)


def test_images_whose_content_no_checksum_tells_are_failures(tmp_path: Path) -> None:
    study = study_with(tmp_path / "s", {}, {"patient": "P-2", "image_sha256": ""})
    found = choose(study, RadiomicsSettings())
    assert list(found.rows["patient"]) == ["P-1"] and list(found.failures["patient"]) == ["P-2"]
    assert "no checksum" in found.failures["reason"].iloc[0]


def test_on_a_grid_second_readings_stay_such_and_patients_without_contours_are_counted(tmp_path: Path) -> None:
    ct = {"modality": "CT", "image": "ct", "image_sha256": "c"}
    pet = {"image": "pet", "mask": "", "label": "", "roi": "", "mask_sha256": "", "lesion": ""}
    study = study_with(tmp_path / "s", ct | {"mask": "rs"}, ct | {"mask": "rs2", "repeat": "reader 2"}, pet,
                       pet | {"patient": "P-2"}, ct | {"patient": "P-3", "problem": "tilted"}, pet | {"patient": "P-3"})
    found = choose(study, RadiomicsSettings(modalities=("PT",), grid="CT"))
    assert found.rows[["patient", "mask", "repeat"]].values.tolist() == [["P-1", "rs", ""], ["P-1", "rs2", "reader 2"]]
    assert found.warnings == ("2 of 3 patients have no ROI of that name and were left out.",)
