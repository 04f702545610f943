"""DICOM exports and lists of volumes into the study."""

from __future__ import annotations

import shutil
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import medomicslab_nb as ml
from medomicslab_nb.data.adding import add_images, holds_images
from medomicslab_nb.data.image_scan import scan_folder, thumbnail
from medomicslab_nb.data.image_table import IMAGE_COLUMNS
from medomicslab_nb.data.images import import_dicom, import_image_list
from medomicslab_nb.errors import DataError, ProtectionError
from medomicslab_nb.imaging.geometry import Geometry
from medomicslab_nb.imaging.loading import load_case
from medomicslab_nb.imaging.volumes import Volume, write_volume
from medomicslab_nb.progress import Progress
from medomicslab_nb.pseudonyms import Key
from tests.imaging import dicom_factory
from tests.imaging.contour_factory import (
    at_slice,
    frame_uid,
    write_dose,
    write_registration,
    write_rtstruct,
    write_segmentation,
)
from tests.imaging.dicom_factory import AXIAL, save, slice_dataset, write_series

KEY = Key(b"k" * 32)
SQUARE = [[(1.5, 2.0), (8.0, 2.0), (8.0, 15.0), (1.5, 15.0)]]
SMALL = [[(2.0, 3.0), (5.0, 3.0), (5.0, 6.0), (2.0, 6.0)]]


def roi(name: str, polygons=SQUARE, k: float = 4, geometry: Geometry = AXIAL):
    return name, at_slice(polygons, k, geometry)


def contours(path: Path, *rois, patient: str = "PAT-1", study: object = 1, series: object = 1, frame: object = 1,
             names_series: bool = True, edit=None) -> Path:
    """An RTSTRUCT on a series of the factory."""
    def edited(item):
        item.PatientID = patient
        item.SOPInstanceUID = item.file_meta.MediaStorageSOPInstanceUID = dicom_factory.uid("rs", str(path))
        item.SeriesInstanceUID = dicom_factory.uid("rs-series", str(path))
        referenced = item.ReferencedFrameOfReferenceSequence[0].RTReferencedStudySequence[0]
        if names_series:
            referenced.RTReferencedSeriesSequence[0].SeriesInstanceUID = dicom_factory.uid("series", patient, study,
                                                                                          series)
        else:
            del referenced.RTReferencedSeriesSequence
        if edit is not None:
            edit(item)

    path.parent.mkdir(parents=True, exist_ok=True)
    return write_rtstruct(path, list(rois) or [roi("GTV")], frame=frame_uid(frame, patient), edit=edited)


def ct(folder: Path, patient: str = "PAT-1", **how) -> list[Path]:
    return write_series(folder, patient_id=patient, **how)


@pytest.fixture
def export(tmp_path: Path) -> Path:
    """Two patients as a PACS exports them: CT and PET, contours on both, nested, with other files between."""
    folder = tmp_path / "export"
    for patient in ("PAT-1", "PAT-2"):
        root = folder / "DICOM" / f"0000{patient[-1]}" / "ST000"
        ct(root / "SE0", patient, name="IM{:05d}")
        write_series(root / "SE1", patient_id=patient, modality="PT", series="pet", name="IM{:05d}")
        contours(root / "RS0" / "IM0", roi("GTV primary"), roi("Lung", SMALL), patient=patient)
        contours(root / "RS1" / "IM0", roi("GTV pet"), patient=patient, series="pet")
    (folder / "DICOMDIR").write_bytes(b"")
    (folder / "README.txt").write_text("Viewer: start.exe")
    return folder


def images_of(study: ml.Study) -> pd.DataFrame:
    return study.table("images").reset_index()


# -- DICOM -------------------------------------------------------------------------------------------------------


def test_an_export_becomes_a_table_of_images(study, export):
    report = import_dicom(study, export)
    frame = images_of(study)
    assert list(frame) == list(IMAGE_COLUMNS)
    assert (report.patients, report.series, report.rois, report.problems) == (2, 4, 6, {})
    assert report.rejected == {"the file is empty (0 bytes)": 1, "the file is no DICOM file": 1}
    first = frame[frame["patient"] == "PAT-1"]
    assert first[["modality", "lesion", "roi", "label", "unit"]].to_numpy().tolist() == [
        ["CT", "1", "GTV primary", "GTV primary", "HU"], ["CT", "2", "Lung", "Lung", "HU"],
        ["PT", "1", "GTV pet", "GTV pet", "SUVbw"]]
    assert set(frame["date"]) == {pd.Timestamp("2020-01-02")}
    assert set(frame["size"]) == {"10 20 30"} and set(frame["spacing_mm"]) == {"1.5 0.75 3"}
    assert frame["frame"].nunique() == 2 and not frame["frame"].str.contains(".", regex=False).any()
    for row in frame.to_dict("records"):
        image, mask = load_case(study.path, row)
        assert image.unit == row["unit"] and mask.array.any()
    assert study.info("images").column("roi").role == "ignore"
    assert study.identifiers() == {"PAT-1", "PAT-2"}


def test_the_protocol_is_kept(study, export):
    import_dicom(study, export)
    protocol = study.table("protocol").reset_index()
    assert len(protocol) == 4 and set(protocol["image"]) == set(images_of(study)["image"])
    assert set(protocol.loc[protocol["modality"] == "CT", "kernel"]) == {"B30f"}
    assert set(protocol.loc[protocol["modality"] == "PT", "tracer"]) == {"Fluorodeoxyglucose"}
    assert protocol["slice_thickness_mm"].tolist() == [3.0] * 4


def test_modalities_and_rois_are_chosen_by_name_and_pattern(study, export):
    report = import_dicom(study, export, modalities=["ct"], rois=["gtv*"])
    assert (report.series, report.rois) == (2, 2)
    assert set(images_of(study)["roi"]) == {"GTV primary"}
    with pytest.raises(DataError, match=r"no image of modality MR.*There are: CT, PT"):
        import_dicom(study, export, modalities=["MRI"])
    import_dicom(study, export, modalities=["PET"])
    assert set(images_of(study)["modality"]) == {"CT", "PT"}


def test_importing_again_changes_nothing_and_loses_nothing(study, export):
    import_dicom(study, export)
    before = {path.name: path.read_bytes() for path in (study.path / "tables").iterdir()}
    import_dicom(study, export)
    import_dicom(study, export / "DICOM" / "00001")
    import_dicom(study, export, rois=["GTV*"], modalities=["CT"])
    assert {path.name: path.read_bytes() for path in (study.path / "tables").iterdir()} == before


def test_a_second_export_adds_to_the_first(study, export, tmp_path):
    import_dicom(study, export, rois=["Lung"])
    assert images_of(study)["lesion"].tolist() == ["1", "", "1", ""]  # PET without ROI of that name
    import_dicom(study, export)
    frame = images_of(study)
    assert len(frame) == 6
    assert set(frame.loc[frame["roi"] == "Lung", "lesion"]) == {"1"}  # a number that was given stays
    assert set(frame.loc[frame["roi"] == "GTV primary", "lesion"]) == {"2"}
    ct(tmp_path / "third", "PAT-3")
    import_dicom(study, tmp_path / "third")
    assert images_of(study)["patient"].value_counts().to_dict() == {"PAT-1": 3, "PAT-2": 3, "PAT-3": 1}


def test_contours_that_come_later_find_their_image(study, tmp_path):
    ct(tmp_path / "ct")
    import_dicom(study, tmp_path / "ct")
    contours(tmp_path / "later" / "rs.dcm")
    report = import_dicom(study, tmp_path / "later")
    assert (report.rois, report.rejected) == (1, {})
    frame = images_of(study)
    assert len(frame) == 1 and load_case(study.path, frame.iloc[0].to_dict())[1].array.any()
    import_dicom(study, tmp_path / "ct")  # without the contours: they stay
    assert images_of(study).equals(frame)


def test_the_same_series_from_elsewhere_is_the_same_image(study, tmp_path):
    ct(tmp_path / "a")
    contours(tmp_path / "a" / "rs.dcm")
    import_dicom(study, tmp_path / "a")
    before = images_of(study)
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    import_dicom(study, tmp_path / "b", rois=["none*"])
    after = images_of(study)
    assert len(after) == 1 and after["content"].equals(before["content"])
    assert not after["image"].equals(before["image"])


def test_a_broken_series_gets_a_row_with_the_reason_and_others_go_on(study, tmp_path):
    files = ct(tmp_path / "x" / "1", "PAT-1")
    files[10].unlink()
    ct(tmp_path / "x" / "2", "PAT-2")
    report = import_dicom(study, tmp_path / "x")
    assert (report.patients, sum(report.problems.values())) == (1, 1)
    frame = images_of(study).set_index("patient")
    assert "1 of 30 slices are missing" in frame.loc["PAT-1", "problem"]
    assert (frame.loc["PAT-1", "image"], frame.loc["PAT-2", "problem"]) == ("", "")
    shutil.rmtree(tmp_path / "x" / "1")
    ct(tmp_path / "x" / "1", "PAT-1")
    import_dicom(study, tmp_path / "x")
    assert set(images_of(study)["problem"]) == {""}
    next((tmp_path / "x" / "1").iterdir()).unlink()
    next((tmp_path / "x" / "1").glob("01*")).unlink()
    import_dicom(study, tmp_path / "x")  # what was good stays in the table; loading it names the file
    frame = images_of(study).set_index("patient")
    assert frame.loc["PAT-1", "image"] != ""


def test_scouts_and_reports_beside_images_are_no_problems(study, tmp_path):
    ct(tmp_path / "x" / "ct")
    ct(tmp_path / "x" / "scout", series="scout", edit=lambda item, z: z < 2 and setattr(
        item, "ImageType", ["ORIGINAL", "PRIMARY", "LOCALIZER"]) is None)
    shot = slice_dataset(np.zeros((20, 10), np.uint16), patient_id="PAT-1", series="shot")
    shot.SOPClassUID = shot.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    shot.Modality = "OT"
    save(shot, tmp_path / "x" / "shot.dcm")
    report = import_dicom(study, tmp_path / "x")
    assert (report.series, report.problems) == (1, {}) and "2 series were left out" in report.notes[0]


def test_the_scan_lists_what_there_is_with_thumbnails(export):
    scan = scan_folder(export, Progress())
    table = scan.table
    assert table[["patient", "study", "modality", "files"]].to_numpy().tolist() == [
        ["PAT-1", 1, "CT", 30], ["PAT-1", 1, "PT", 30], ["PAT-2", 2, "CT", 30], ["PAT-2", 2, "PT", 30]]
    assert table["rois"][0] == "GTV primary, Lung" and set(table["problem"]) == {""}
    assert scan.rejected["file"].tolist() == ["DICOMDIR", "README.txt"]
    assert thumbnail(scan.series[0]).startswith(b"\x89PNG")


def test_a_folder_without_images_is_a_named_error(study, tmp_path):
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").write_text("hello")
    with pytest.raises(DataError, match=r"notes: there are no CT, MR or PET images in it; most files \(1\)"):
        import_dicom(study, tmp_path / "notes")
    with pytest.raises(DataError, match="no CT, MR or PET images"):
        add_images(study, zipped(tmp_path / "notes", tmp_path / "notes.zip"))
    assert not list(study.path.glob("images/unpacked/*"))
    with pytest.raises(DataError, match="no such folder"):
        import_dicom(study, tmp_path / "nowhere")
    assert study.tables == {}


# -- DICOM: faults -----------------------------------------------------------------------------------------------


def test_bad_input_15_two_series_in_one_folder(study, tmp_path):
    ct(tmp_path / "x", name="a{:03d}")
    ct(tmp_path / "x", series=2, name="b{:03d}")
    report = import_dicom(study, tmp_path / "x")
    assert report.series == 2 and images_of(study)["series"].nunique() == 2


def test_bad_input_16_a_slice_of_another_patient(study, tmp_path):
    ct(tmp_path / "x", edit=lambda item, z: setattr(item, "PatientID", "PAT-9" if z == 7 else "PAT-1"))
    report = import_dicom(study, tmp_path / "x")
    assert report.series == 0
    frame = images_of(study)
    assert "another patient" in frame["problem"][0] and frame["patient"].tolist() == ["PAT-1"]
    assert "PAT-" not in frame["problem"][0]


def test_bad_input_16_contours_of_another_patient_are_refused(study, tmp_path):
    ct(tmp_path / "x")
    contours(tmp_path / "x" / "rs.dcm", edit=lambda item: setattr(item, "PatientID", "PAT-2"))
    report = import_dicom(study, tmp_path / "x")
    assert report.rejected == {"the contours are of another patient than the image that they refer to": 1}
    assert images_of(study)[["patient", "mask"]].to_numpy().tolist() == [["PAT-1", ""]]


def test_bad_input_22_90_other_frame_of_reference_only_with_a_registration(study, tmp_path):
    ct(tmp_path / "x" / "ct")
    contours(tmp_path / "x" / "rs.dcm", frame="mr")
    import_dicom(study, tmp_path / "x")
    assert "different frames of reference, and no registration" in images_of(study)["problem"][0]
    write_registration(tmp_path / "x" / "reg.dcm", frame_uid("mr", "PAT-1"), frame_uid(1, "PAT-1"), np.eye(4),
                       edit=lambda item: setattr(item, "PatientID", "PAT-1"))
    import_dicom(study, tmp_path / "x")
    row = images_of(study).iloc[0].to_dict()
    assert row["problem"] == "" and row["registration"].endswith("reg.dcm") and len(row["registration_sha256"]) == 64
    assert load_case(study.path, row)[1].array.any()


def test_bad_input_90_a_registration_brings_contours_to_an_image_that_has_none(study, tmp_path):
    ct(tmp_path / "x" / "ct")
    contours(tmp_path / "x" / "rs.dcm")
    write_series(tmp_path / "x" / "mr", modality="MR", series="mr", frame="mr", patient_id="PAT-1")
    import_dicom(study, tmp_path / "x")
    frame = images_of(study).set_index("modality")
    assert (frame.loc["MR", "mask"], frame.loc["MR", "problem"]) == ("", "")
    for name in ("reg.dcm", "again.dcm"):
        write_registration(tmp_path / "x" / name, frame_uid(1, "PAT-1"), frame_uid("mr", "PAT-1"), np.eye(4),
                           edit=lambda item: setattr(item, "PatientID", "PAT-1"))
        import_dicom(study, tmp_path / "x")
        row = images_of(study).set_index("modality").loc["MR"]
        if name == "reg.dcm":
            assert load_case(study.path, row.to_dict() | {"modality": "MR"})[1].array.any()
            assert row["problem"] == "" and row["lesion"] == "1"


def test_contours_that_name_no_series_belong_to_the_only_one_of_their_frame(study, tmp_path):
    ct(tmp_path / "x" / "ct")
    contours(tmp_path / "x" / "rs.dcm", names_series=False)
    assert import_dicom(study, tmp_path / "x").rois == 1
    write_series(tmp_path / "y" / "pet", modality="PT", series="pet", patient_id="PAT-1")
    shutil.copytree(tmp_path / "x", tmp_path / "y" / "x")
    report = import_dicom(ml.create_study(tmp_path / "other"), tmp_path / "y")
    assert report.rois == 0 and "2 series share their frame of reference" in next(iter(report.rejected))


@pytest.mark.parametrize("names", [("GTV", "GTV"), ("Tumeur é", "tumeur E"), ("", "GTV")])
def test_bad_input_29_double_and_accented_names(study, tmp_path, names):
    ct(tmp_path / "x")
    contours(tmp_path / "x" / "rs.dcm", roi(names[0]), roi(names[1], SMALL))
    report = import_dicom(study, tmp_path / "x")
    frame = images_of(study)
    assert report.rois == 2 and frame["lesion"].tolist() == ["1", "2"] and frame["label"].nunique() == 2
    sizes = [load_case(study.path, row)[1].array.sum() for row in frame.to_dict("records")]
    assert sizes[0] > sizes[1] > 0
    if names == ("GTV", "GTV"):
        assert frame["roi"].tolist() == ["GTV", "GTV"]


def test_bad_input_29_a_name_that_fits_several_rois_is_told(study, tmp_path):
    ct(tmp_path / "x")
    contours(tmp_path / "x" / "rs.dcm", roi("GTV"), roi("GTV", SMALL))
    report = import_dicom(study, tmp_path / "x", rois=["GTV"])
    assert report.rois == 0 and "2 ROIs fit the name 'GTV'" in next(iter(report.problems))
    assert import_dicom(study, tmp_path / "x", rois=["GTV*"]).rois == 2


def test_bad_input_30_roi_outside_the_image(study, tmp_path):
    ct(tmp_path / "x")
    contours(tmp_path / "x" / "rs.dcm", roi("GTV", [[(50.0, 50.0), (60.0, 50.0), (60.0, 60.0)]]))
    import_dicom(study, tmp_path / "x")
    with pytest.raises(DataError, match="outside the image"):
        load_case(study.path, images_of(study).iloc[0].to_dict())


def test_rois_without_a_contour_are_told_and_others_go_on(study, tmp_path):
    ct(tmp_path / "x")
    contours(tmp_path / "x" / "rs.dcm", ("empty", []), roi("GTV"))
    report = import_dicom(study, tmp_path / "x")
    assert report.rois == 1
    assert images_of(study).set_index("roi")["problem"].to_dict() == {
        "empty": "it has no contour (empty ROI)", "GTV": ""}


def test_bad_input_85_no_name_of_a_patient_in_what_is_told(study, tmp_path):
    files = ct(tmp_path / "DUPONT_Jean", "SECRET-4711", name="DUPONT_Jean_{:03d}.dcm")
    files[3].write_bytes(files[3].read_bytes()[:-50])
    shutil.copy(files[5], files[5].with_name("DUPONT_Jean_copy.dcm"))
    shutil.copy(files[6], files[6].with_name("DUPONT_Jean_other.dcm"))
    contours(tmp_path / "DUPONT_Jean" / "rs.dcm", patient="SECRET-4711", edit=lambda item: setattr(
        item, "PatientID", "SECRET-4712"))
    report = import_dicom(study, tmp_path / "DUPONT_Jean")
    told = f"{report} {images_of(study)['problem'].tolist()} {study.info('images').source}"
    assert "cut off" in told
    assert "DUPONT" not in told and "SECRET" not in told


def test_bad_input_86_links_out_of_the_folder_are_not_followed(study, tmp_path):
    ct(tmp_path / "elsewhere", "PAT-2")
    ct(tmp_path / "x")
    (tmp_path / "x" / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "x" / "file.dcm").symlink_to(next((tmp_path / "elsewhere").iterdir()))
    report = import_dicom(study, tmp_path / "x")
    assert report.patients == 1
    assert report.rejected == {"a symbolic link that leads out of the folder is not followed": 2}


@pytest.mark.parametrize("position", ["HFS", "HFP", "FFS"])
def test_bad_input_89_patient_positions_keep_their_sides(study, tmp_path, position):
    ct(tmp_path / "x", edit=lambda item, z: setattr(item, "PatientPosition", position))
    contours(tmp_path / "x" / "rs.dcm")
    import_dicom(study, tmp_path / "x")
    _, mask = load_case(study.path, images_of(study).iloc[0].to_dict())
    assert mask.array[4, 5, 3] and mask.array.sum() == mask.array[4].sum()


def test_dicom_seg_belongs_to_its_series(study, tmp_path):
    files = ct(tmp_path / "x", "SECRET-4711")
    truth = np.zeros(AXIAL.shape, bool)
    truth[3:7, 4:12, 2:6] = True
    write_segmentation(tmp_path / "x" / "seg.dcm", files, {"Tumour": truth})
    assert import_dicom(study, tmp_path / "x").rois == 1
    assert np.array_equal(load_case(study.path, images_of(study).iloc[0].to_dict())[1].array, truth)


def test_a_dose_gets_a_row_for_each_roi(study, tmp_path):
    ct(tmp_path / "x")
    contours(tmp_path / "x" / "rs.dcm", roi("PTV"), roi("Lung", SMALL))
    wide = AXIAL.crop((-2, -2, -2), (16, 26, 36))
    for name, summation in (("plan.dcm", "PLAN"), ("beam.dcm", "BEAM")):
        def edit(item, name=name, summation=summation):
            item.PatientID, item.DoseSummationType = "PAT-1", summation
            item.SOPInstanceUID = item.file_meta.MediaStorageSOPInstanceUID = dicom_factory.uid(name)
        write_dose(tmp_path / "x" / name, np.full(wide.shape, 60.0), wide, frame=frame_uid(1, "PAT-1"), edit=edit)
    import_dicom(study, tmp_path / "x")
    doses = images_of(study)[lambda frame: frame["modality"] == "RTDOSE"]
    good = doses[doses["problem"] == ""]
    assert good["roi"].tolist() == ["PTV", "Lung"] and good["lesion"].tolist() == ["1", "2"]
    assert doses.loc[doses["problem"] != "", "problem"].str.contains("part of the treatment").all()
    dose, mask = load_case(study.path, good.iloc[0].to_dict())
    assert dose.unit == "Gy" and np.allclose(dose.array[mask.array], 60, atol=1e-3)


# -- archives ----------------------------------------------------------------------------------------------------


def zipped(folder: Path, path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, file.relative_to(folder))
    return path


def test_an_archive_is_added_like_its_folder(study, export, tmp_path):
    path = zipped(export, tmp_path / "export.zip")
    assert holds_images(path)
    report = add_images(study, path)
    assert (report.patients, report.rois) == (2, 6)
    path.unlink()
    assert all(load_case(study.path, row)[1].array.any() for row in images_of(study).to_dict("records"))
    assert not Path(images_of(study)["mask"][0]).is_absolute()


def test_an_archive_is_de_identified_without_its_originals_in_the_study(study, export, tmp_path):
    report = add_images(study, zipped(export, tmp_path / "export.zip"), deidentify=KEY)
    assert (report.patients, report.rois) == (2, 6)
    assert not [path for path in study.path.rglob("*") if path.is_file() and b"PAT-1" in path.read_bytes()]
    assert not (study.path / "images" / "unpacked").exists()


def test_bad_input_81_82_an_archive_that_is_refused_leaves_nothing(study, tmp_path):
    path = tmp_path / "export.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("../../outside.dcm", b"x")
    for key in (None, KEY):
        with pytest.raises(DataError, match=r"archive export\.zip: entry 1 would be written outside"):
            add_images(study, path, deidentify=key)
    assert study.tables == {} and not (tmp_path / "outside.dcm").exists()
    assert not [path for path in (study.path / "images").rglob("*") if path.is_file()]


# -- de-identified -----------------------------------------------------------------------------------------------


def test_a_de_identified_import_measures_the_same(study, export, tmp_path):
    import_dicom(study, export)
    other = ml.create_study(tmp_path / "shared")
    report = import_dicom(other, export, deidentify=KEY)
    before, after = images_of(study), images_of(other)
    assert len(after) == len(before) and report.rois == 6
    for patient, part in before.groupby("patient"):
        rows = after[after["patient"] == KEY.pseudonym(patient)].to_dict("records")
        for old, new in zip(part.to_dict("records"), rows, strict=True):
            (image, mask), (image_copy, mask_copy) = load_case(study.path, old), load_case(other.path, new)
            assert np.array_equal(image.array, image_copy.array) and np.array_equal(mask.array, mask_copy.array)
            assert (new["date"] - old["date"]).days == KEY.shift_days(patient)
            assert not Path(new["image"]).is_absolute() and not Path(new["mask"]).is_absolute()
    secrets = (b"PAT-1", b"PAT-2", b"Geheim", str(export).encode())
    assert not [path for path in other.path.rglob("*") if path.is_file()
                and any(secret in path.read_bytes() for secret in secrets)]
    tables = {path.name for path in (other.path / "tables").iterdir()}
    import_dicom(other, export, deidentify=KEY)
    assert {path.name for path in (other.path / "tables").iterdir()} == tables


def test_a_de_identified_study_takes_no_originals_and_no_other_key(study, export):
    import_dicom(study, export, modalities=["CT"], deidentify=KEY)
    tables = study.tables
    with pytest.raises(ProtectionError, match="the study is de-identified"):
        import_dicom(study, export)
    with pytest.raises(DataError, match="another key"):
        import_dicom(study, export, deidentify=Key(b"o" * 32))
    assert study.tables == tables


def test_two_imports_at_once_both_count(study, tmp_path):
    for patient in ("PAT-1", "PAT-2", "PAT-3"):
        ct(tmp_path / patient, patient)
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda patient: import_dicom(study, tmp_path / patient, jobs=1), ("PAT-1", "PAT-2", "PAT-3")))
    assert images_of(study)["patient"].tolist() == ["PAT-1", "PAT-2", "PAT-3"]


def test_contours_of_a_modality_that_is_not_wanted_are_not_copied(study, export):
    report = import_dicom(study, export, modalities=["PT"], deidentify=KEY)
    assert (report.series, report.rois) == (2, 2)
    assert set(images_of(study)["roi"]) == {"GTV pet"}


def test_a_broken_series_is_told_when_it_is_de_identified_too(study, tmp_path):
    files = ct(tmp_path / "x")
    files[10].unlink()
    import_dicom(study, tmp_path / "x", deidentify=KEY)
    assert "slices are missing" in images_of(study)["problem"][0]


# -- lists of volumes --------------------------------------------------------------------------------------------


def volume(path: Path, geometry: Geometry = AXIAL, labels: tuple[int, ...] = ()) -> Path:
    array = np.random.default_rng(1).normal(size=geometry.shape).astype(np.float32)
    if labels:
        array = np.zeros(geometry.shape, np.float32)
        for i, label in enumerate(labels):
            array[2 + 4 * i:5 + 4 * i, 3:9, 2:6] = label
    path.parent.mkdir(parents=True, exist_ok=True)
    write_volume(Volume(array, geometry), path)
    return path


@pytest.fixture
def volumes(tmp_path: Path) -> Path:
    """A folder of volumes with a list."""
    folder = tmp_path / "cohort"
    for patient in ("007", "008"):
        volume(folder / patient / "pet.nii.gz")
        volume(folder / patient / "mask.nii.gz", labels=(1, 3))
    (folder / "list.csv").write_text(
        "patient,modality,image,mask,label,roi,date,lesion,unit\n"
        "007,PET,007/pet.nii.gz,007/mask.nii.gz,1,Tumour,2020-01-02,1,SUVbw\n"
        "007,PET,007/pet.nii.gz,007/mask.nii.gz,3,Node,2020-01-02,2,SUVbw\n"
        "008,PET,008/pet.nii.gz,008/mask.nii.gz,,,,,SUVbw\n")
    return folder


def test_a_list_becomes_a_table_of_images(study, volumes):
    assert holds_images(volumes / "list.csv")
    report = import_image_list(study, volumes / "list.csv")
    assert (report.patients, report.series, report.rois, report.notes) == (2, 2, 4, ())
    frame = images_of(study)
    assert frame[["patient", "modality", "lesion", "roi", "label", "unit"]].to_numpy().tolist() == [
        ["007", "PT", "1", "Tumour", "1", "SUVbw"], ["007", "PT", "2", "Node", "3", "SUVbw"],
        ["008", "PT", "1", "label 1", "1", "SUVbw"], ["008", "PT", "2", "label 3", "3", "SUVbw"]]
    assert frame["date"].isna().tolist() == [False, False, True, True]
    for row in frame.to_dict("records"):
        image, mask = load_case(study.path, row)
        assert image.unit == "SUVbw" and mask.array.sum() == 3 * 6 * 4
    import_image_list(study, volumes / "list.csv", rois=["Tumour"])
    assert images_of(study).equals(frame)


def test_a_folder_of_volumes_in_both_layouts(study, tmp_path):
    volume(tmp_path / "x" / "P-01" / "MR_T1" / "image" / "a.nii.gz")
    volume(tmp_path / "x" / "P-01" / "MR_T1" / "mask" / "tumour.nii.gz", labels=(1,))
    volume(tmp_path / "x" / "P-01" / "MR_T1" / "mask" / "node.nii.gz", labels=(1,))
    volume(tmp_path / "x" / "P-02" / "CT_image.nrrd")
    volume(tmp_path / "x" / "P-02" / "CT_mask.nrrd", labels=(1,))
    report = add_images(study, tmp_path / "x")
    assert (report.patients, report.rois) == (2, 3)
    assert images_of(study)[["patient", "modality", "roi", "unit"]].to_numpy().tolist() == [
        ["P-01", "MR", "node", ""], ["P-01", "MR", "tumour", ""], ["P-02", "CT", "mask", "HU"]]
    with pytest.raises(DataError, match="more than one image"):
        volume(tmp_path / "x" / "P-01" / "MR_T1" / "image" / "b.nii.gz")
        import_image_list(study, tmp_path / "x")


def test_a_pet_volume_without_a_unit_is_told(study, tmp_path):
    volume(tmp_path / "x" / "P-01" / "PET_image.nii.gz")
    volume(tmp_path / "x" / "P-01" / "PET_mask.nii.gz", labels=(1,))
    assert "1 PET volumes say no unit" in import_image_list(study, tmp_path / "x").notes[0]


def test_bad_input_35_mask_and_image_of_different_geometry(study, volumes):
    shifted = Geometry(AXIAL.size, AXIAL.spacing_mm, (0.3, 0.0, 0.0))
    volume(volumes / "008" / "mask.nii.gz", shifted, labels=(1,))
    report = import_image_list(study, volumes / "list.csv")
    assert report.rois == 2 and "different grids" in next(iter(report.problems))
    row = images_of(study).set_index("patient").loc["008"]
    with pytest.raises(DataError, match="different grids"):
        load_case(study.path, row.to_dict())


def test_bad_input_35_missing_and_damaged_files_are_told_by_row(study, volumes):
    (volumes / "007" / "pet.nii.gz").write_bytes(b"no image")
    (volumes / "008" / "mask.nii.gz").unlink()
    report = import_image_list(study, volumes / "list.csv")
    assert report.rois == 0 and len(report.problems) == 2
    assert any("damaged" in text for text in report.problems)
    assert any("the mask file is missing" in text for text in report.problems)
    with pytest.raises(DataError):
        import_image_list(study, volumes / "nolist.csv")


@pytest.mark.parametrize(("content", "found"), [
    ("patient,modality,image\nA,CT,a.nii\n", "lacks the column mask"),
    ("patient,modality,image,mask\nA,,a.nii,b.nii\n", "1 rows name no modality or no image; the first is row 2"),
    ("patient,modality,image,mask\nA,CT,a.nii,b.nii\nA,CT,a.nii,b.nii\n", "1 rows repeat another row; the first is "
                                                                          "row 3"),
    ("patient,modality,image,mask,date\nA,CT,a.nii,b.nii,soon\n", "'date' holds no dates"),
])
def test_a_list_that_cannot_be_used(study, write, content, found):
    with pytest.raises(DataError, match=rf"file list\.csv: .*{found}"):
        import_image_list(study, write("list.csv", content))
    assert study.tables == {}


def test_bad_input_89_mirrored_and_ras_volumes_keep_their_sides(study, tmp_path):
    """The same lesion on the patient's left, stored in LPS, in RAS, and with a negative determinant."""
    left = []
    for i, axes in enumerate(((1, 1, 1), (-1, -1, 1), (-1, 1, 1))):
        direction = tuple(np.diag(axes).astype(float).ravel())
        first = [coordinate if axis > 0 else coordinate + (size - 1) * spacing for axis, coordinate, size, spacing in
                 zip(axes, AXIAL.origin_mm, AXIAL.size, AXIAL.spacing_mm, strict=True)]
        geometry = Geometry(AXIAL.size, AXIAL.spacing_mm, tuple(first), direction)
        flips = tuple(slice(None, None, axis) for axis in axes[::-1])
        truth = np.zeros(AXIAL.shape, np.float32)
        truth[3:9, 4:9, 7:9] = 1  # high x: the patient's left in LPS
        write_to = tmp_path / "x" / f"P-{i}"
        write_to.mkdir(parents=True)
        write_volume(Volume(truth[flips] * 100, geometry), write_to / "CT_image.nrrd")
        write_volume(Volume(truth, AXIAL), write_to / "CT_mask.nrrd")
    import_image_list(study, tmp_path / "x")
    for row in images_of(study).to_dict("records"):
        image, mask = load_case(study.path, row)
        assert np.array_equal(image.array == 100, mask.array)
        points = image.geometry.to_points(np.argwhere(mask.array)[:, ::-1])
        left.append(points[:, 0].min())
    assert len(set(np.round(left, 6))) == 1


def test_volumes_are_de_identified(study, volumes):
    report = import_image_list(study, volumes / "list.csv", deidentify=KEY)
    frame = images_of(study)
    assert report.rois == 4 and set(frame["patient"]) == {KEY.pseudonym("007"), KEY.pseudonym("008")}
    assert (frame["date"].dropna() == pd.Timestamp("2020-01-02") + pd.Timedelta(days=KEY.shift_days("007"))).all()
    for row in frame.to_dict("records"):
        assert load_case(study.path, row)[1].array.sum() == 3 * 6 * 4
        assert not Path(row["image"]).is_absolute()
    assert not [path for path in study.path.rglob("*") if path.is_file() and str(volumes).encode() in path.read_bytes()]


def test_a_damaged_volume_is_told_when_it_is_de_identified_too(study, volumes):
    (volumes / "bad.nii.gz").write_text("no image")
    (volumes / "list.csv").write_text("patient,modality,image,mask,label,roi\n"
                                      "PAT-007,CT,007/pet.nii.gz,007/mask.nii.gz,1,pat-007_GTV 2020-01-02\n"
                                      "PAT-009,CT,bad.nii.gz,,,\n")
    report = import_image_list(study, volumes / "list.csv", deidentify=KEY)
    frame = images_of(study)
    assert report.series == 1 and any("damaged" in reason for reason in report.problems)
    assert frame["patient"].isin([KEY.pseudonym("PAT-007"), KEY.pseudonym("PAT-009")]).all()
    assert not [name for name in frame["roi"] if "007" in name or "2020" in name]


# -- real data ---------------------------------------------------------------------------------------------------


@pytest.mark.realdata
def test_real_cohort_from_dicom_and_from_volumes_none_lost(real_data, tmp_path):
    dicom, nifti = (ml.create_study(tmp_path / name) for name in ("dicom", "nifti"))
    for study, folder in ((dicom, "dicom"), (nifti, "nifti")):
        report = add_images(study, real_data / "sts" / folder)
        assert (report.patients, report.series, report.rois, report.problems) == (51, 71, 71, {})
    one, other = (images_of(study).sort_values(["patient", "modality"]) for study in (dicom, nifti))
    assert one["patient"].tolist() == other["patient"].tolist()
    for old, new in list(zip(one.to_dict("records"), other.to_dict("records"), strict=True))[:4]:
        assert np.array_equal(load_case(dicom.path, old)[1].array, load_case(nifti.path, new)[1].array)
