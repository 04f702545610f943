"""De-identification: nothing that names a patient survives, and nothing that results depend on is lost."""

from __future__ import annotations

import datetime as dt
import shutil
import unicodedata
import warnings
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
import pydicom
import pytest
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items

from medomicslab_nb.data import dicom_profile as profile
from medomicslab_nb.data.deidentify import copy_dicom, deidentify_prepared, deidentify_table
from medomicslab_nb.data.dicom_copy import Copier
from medomicslab_nb.data.dicom_names import REDACTED, Names
from medomicslab_nb.data.importing import add_prepared, prepare_file
from medomicslab_nb.errors import DataError, ProtectionError
from medomicslab_nb.imaging.dicom_headers import parse_header
from medomicslab_nb.imaging.dose import load_dose
from medomicslab_nb.imaging.masks import list_rois, load_mask
from medomicslab_nb.imaging.registration import read_registration
from medomicslab_nb.imaging.series import load_series
from medomicslab_nb.progress import Progress
from medomicslab_nb.pseudonyms import Key, refuse_identified
from tests.imaging.contour_factory import (
    at_slice,
    frame_uid,
    write_dose,
    write_registration,
    write_rtstruct,
    write_segmentation,
)
from tests.imaging.dicom_factory import AXIAL, PATIENT_ID, corpus, save, slice_dataset, write_series

KEY = Key(b"k" * 32)
DAYS = KEY.shift_days(PATIENT_ID)
PSEUDONYM = KEY.pseudonym(PATIENT_ID)
RING = [[(1.5, 2.0), (8.0, 3.0), (8.25, 16.0), (2.0, 15.0)], [(3.0, 5.0), (6.0, 5.0), (6.0, 9.5), (3.0, 9.0)]]
"""A polygon with a hole, in pixels of the usual slice."""
SECRETS = ("Geheim", "Gisela", "SECRET-4711", "SECRET4711", "19500317", "1950-03-17", "17.03.1950", "ACC-998877",
           "Weissnicht", "Klinik am Wald", "Lindenstrasse", "MRN-0815", "20200102", "2020-01-02", "STUDY-77")
"""Names, identifiers, birth date, dates of examinations: in the originals, and nowhere in the copies."""


def plant(item: Dataset, z: int) -> None:
    """Put what identifies the patient into every element that can hold text, kept or not."""
    item.PatientBirthDate = "19500317"
    item.AccessionNumber, item.StudyID = "ACC-998877", "STUDY-77"
    item.ReferringPhysicianName, item.OperatorsName = "Weissnicht^Dr", ["Weissnicht^A", "Weissnicht^B"]
    item.InstitutionName, item.PatientAddress = "Klinik am Wald", "Lindenstrasse 3"
    item.OtherPatientIDsSequence = Items([tags(PatientID="MRN-0815", IssuerOfPatientID="Klinik am Wald")])
    item.StudyDescription = item.SeriesDescription = item.ProtocolName = "Thorax Geheim"
    item.ImageComments = "Frau Gisela Geheim, geb. 17.03.1950"
    item.RequestAttributesSequence = Items([tags(RequestedProcedureDescription="Gisela", ScheduledProcedureStepID="1")])
    block = item.private_block(0x0011, "ACME Geheim 1.1", create=True)
    block.add_new(0x01, "LO", "Geheim^Gisela")
    block.add_new(0x02, "UN", b"SECRET-4711")
    block.add_new(0x03, "SQ", Items([tags(PatientName="Geheim^Gisela")]))
    item.add_new(0x60000010, "US", 1)
    item.add_new(0x60004000, "LT", "overlay Geheim")
    item.ReferencedImageSequence = Items([tags(ReferencedSOPInstanceUID="1.2.3.4", PatientName="Geheim",
                                               CodeMeaning="Dr Weissnicht")])
    for keyword in sorted(profile.KEPT - set(profile.TERMS) - {"SpecificCharacterSet", "Modality"}):
        kind = dictionary_VR(tag_for_keyword(keyword))
        if kind in ("LO", "SH", "CS", "UC", "ST", "LT", "UT") and keyword not in item:
            setattr(item, keyword, "GEHEIM 2020-01-02" if kind != "CS" else "GEHEIM")
        elif kind in ("DA", "DT") and keyword not in item:
            setattr(item, keyword, "20200102" if kind == "DA" else "20200102101500.00")


def tags(**values) -> Dataset:
    item = Dataset()
    for keyword, value in values.items():
        setattr(item, keyword, value)
    return item


@pytest.fixture
def planted(tmp_path: Path) -> list[Path]:
    """A CT series that names its patient everywhere, in folders and files of that name, too."""
    with pydicom.config.disable_value_validation():
        return write_series(tmp_path / "Geheim_Gisela" / "1950-03-17", edit=plant, name="SECRET-4711_{:03d}.dcm")


def copied(folder: Path, *groups: list[Path], key: Key = KEY):
    """Copies of groups of files of the factory's patient, with the copies' paths by group."""
    done = copy_dicom({PATIENT_ID: groups}, folder, key, Progress(), jobs=1)
    return done, [sorted(one.iterdir()) for one in done.folders]


def leaks(folder: Path) -> set[tuple[str, str]]:
    """Secrets in the bytes, or in the names, of the files of a folder."""
    found = set()
    for path in folder.rglob("*"):
        content = path.read_bytes().lower() if path.is_file() else b""
        texts = (content, content.replace(b"\0", b""), path.relative_to(folder).as_posix().lower().encode())
        found |= {(path.name, secret) for secret in SECRETS for text in texts if secret.lower().encode() in text}
    return found


# -- what must not survive ---------------------------------------------------------------------------------------


def test_bad_input_85_nothing_that_names_the_patient_survives(planted, tmp_path):
    originals = tmp_path / "Geheim_Gisela"
    assert {secret for _, secret in leaks(originals)} >= set(SECRETS) - {"SECRET4711", "1950-03-17"}
    done, _ = copied(tmp_path / "copies", planted)
    assert leaks(tmp_path / "copies") == set()
    text = done.audit.to_csv() + done.flags.to_csv() + done.left_out.to_csv()
    assert not [secret for secret in SECRETS if secret.lower() in text.lower()]
    assert set(done.flags["flag"]) >= {"name in a text", "private elements"}
    assert set(done.flags["patient"]) == {PSEUDONYM}
    removed = set(done.audit.loc[done.audit["action"] == "removed", "name"])
    assert {"Patient's Birth Date", "Institution Name", "private", "Other Patient IDs Sequence"} <= removed


def test_bad_input_85_nothing_survives_in_contours_segmentations_doses_and_registrations(tmp_path):
    series = write_series(tmp_path / "ct")
    rois = [("GTV Geheim", at_slice(RING, 4, AXIAL)), ("SECRET-4711 17.03.1950", [])]

    def edit(item):
        plant(item, 0)
        item.StructureSetName = item.StructureSetLabel = "Geheim"
        item.StructureSetROISequence[0].ROIDescription = "Frau Geheim"
        item.ReviewerName = "Weissnicht"

    with pydicom.config.disable_value_validation():
        write_rtstruct(tmp_path / "rs.dcm", rois, edit=edit)
        write_segmentation(tmp_path / "seg.dcm", series, {"Tumor Gisela": block_mask()},
                           edit=lambda item: plant(item, 0))
        write_dose(tmp_path / "dose.dcm", np.ones((4, 5, 6)), AXIAL.crop((0, 0, 0), (6, 5, 4)))
        write_registration(tmp_path / "reg.dcm", "1.2.3", frame_uid(), np.eye(4))
    groups = [[tmp_path / name] for name in ("rs.dcm", "seg.dcm", "dose.dcm", "reg.dcm")]
    done, copies = copied(tmp_path / "copies", *groups)
    assert done.left_out.empty and len(copies) == 4
    assert leaks(tmp_path / "copies") == set()
    assert list_rois(copies[0][0])[0] == f"GTV {REDACTED}"


def test_no_file_of_another_kind_is_copied(tmp_path):
    report = slice_dataset(np.zeros((20, 10), np.uint16))
    report.Modality = "SR"
    shot = slice_dataset(np.zeros((20, 10), np.uint16))
    shot.ConversionType = "WSD"
    burned = slice_dataset(np.zeros((20, 10), np.uint16))
    burned.BurnedInAnnotation = "YES"
    paths = [save(item, tmp_path / f"{i}.dcm") for i, item in enumerate((report, shot, burned))]
    done, copies = copied(tmp_path / "copies", paths)
    assert copies == [] and not (tmp_path / "copies").exists()
    assert done.left_out.set_index("reason")["n"].to_dict() == {
        "it may show the patient's name in its pixels (burned-in text, screen shots)": 2,
        "objects of this modality are not copied": 1}
    assert done.flags[["flag", "n"]].to_numpy().tolist() == [["burned-in text", 2]]


def test_an_object_without_patient_identifier_is_not_copied(tmp_path):
    item = slice_dataset(np.zeros((20, 10), np.uint16), patient_id=" ")
    with pytest.raises(DataError, match="no patient identifier"):
        Copier(KEY).copy(save(item, tmp_path / "1.dcm"))


@pytest.mark.parametrize("name", ["Müller-Lüdenscheidt^Zoë", "Nguyễn^An", "O'Brien^Sean", "李^小龍"])
def test_names_are_found_whatever_their_case_and_accents(name):
    parts = [part for word in name.split("^") for part in word.split()]
    for part in parts:
        plain = "".join(letter for letter in unicodedata.normalize("NFKD", part) if not unicodedata.combining(letter))
        for text in (part, part.upper(), plain, f"GTV_{part}_1", f"({part.lower()})"):
            found = Names(parts).removed_from(text)
            assert part.lower() not in found.lower() and REDACTED in found, text


def test_short_names_are_found_as_words_only():
    names = Names(["Li", "Lang", "12", "4711"])
    assert names.removed_from("Li liver lung Lang Langerhans 12 x 4711") == (
        f"{REDACTED} liver lung {REDACTED} Langerhans 12 x {REDACTED}")
    assert Names([]).removed_from("anything") == "anything"


def test_text_where_numbers_and_dates_belong_is_left_out(tmp_path):
    def edit(item, z):
        item.add_new(0x00180050, "LO", "Geheim")  # SliceThickness
        item.add_new(0x00280010 + 0x1, "LO", "Gisela")  # an element next to Rows, of another kind
        item.StudyDate, item.SeriesTime = "Geheim", "Gisela"
        item.FrameOfReferenceUID = "1.2.Geheim"

    with pydicom.config.disable_value_validation():
        paths = write_series(tmp_path / "ct", edit=edit)
    copied(tmp_path / "copies", paths)
    assert leaks(tmp_path / "copies") == set()


def test_bad_input_85_halves_of_double_names_identifiers_in_times_and_behind_the_standards_root(tmp_path):
    def edit(item, z):
        item.PatientName = "Weissnicht-Geheim^O'Gisela"
        item.ConvolutionKernel, item.ScanOptions, item.BodyPartExamined = "Geheim", "OGISELA", "weissnicht"
        item.PatientID = "4711081512"
        item.StudyTime = item.ContentTime = "4711081512"
        item.FrameOfReferenceUID = "1.2.840.10008.1.4711081512"

    with pydicom.config.disable_value_validation():
        paths = write_series(tmp_path / "ct", edit=edit)
    copied(tmp_path / "copies", paths)
    text = b"".join(path.read_bytes() for path in (tmp_path / "copies").rglob("*.dcm")).lower()
    for secret in (b"geheim", b"gisela", b"weissnicht", b"4711081512"):
        assert secret not in text, secret


@pytest.mark.parametrize(("name", "modality"), [("Doe^Jane^^MR", "MR"), ("PT^Smith", "PT"), ("Axial^Ct", "CT")])
def test_a_name_that_is_a_term_of_dicom_costs_no_series(tmp_path, name, modality):
    paths = write_series(tmp_path / "series", modality=modality,
                         edit=lambda item, z: setattr(item, "PatientName", name))
    copied(tmp_path / "copies", paths)
    again = load_series(sorted((tmp_path / "copies").rglob("*.dcm")))
    assert np.array_equal(again.array, load_series(paths).array)
    assert again.unit == load_series(paths).unit


# -- what must survive -------------------------------------------------------------------------------------------


def block_mask() -> np.ndarray:
    mask = np.zeros(AXIAL.shape, dtype=bool)
    mask[3:7, 4:12, 2:6] = True
    return mask


@pytest.mark.parametrize("modality", ["CT", "MR", "PT"])
def test_voxels_geometry_and_suv_are_equal(tmp_path, modality):
    paths = write_series(tmp_path / "original", modality=modality)
    _, (copies,) = copied(tmp_path / "copies", paths)
    original, copy = load_series(paths), load_series(copies)
    assert np.array_equal(original.array, copy.array)
    assert original.geometry == copy.geometry
    assert (original.unit, copy.frame_of_reference) == (copy.unit, KEY.uid(original.frame_of_reference))


def test_suv_over_midnight_is_equal_and_so_are_all_intervals(tmp_path):
    times = {"SeriesDate": "20200301", "SeriesTime": "001500", "AcquisitionDate": "20200301",
             "AcquisitionTime": "001500"}

    def edit(item, z):
        injected = item.RadiopharmaceuticalInformationSequence[0]
        injected.RadiopharmaceuticalStartTime = "231500.00"
        injected.RadiopharmaceuticalStartDateTime = "20200229231500.00"

    paths = write_series(tmp_path / "original", modality="PT", pet=times, edit=edit)
    _, (copies,) = copied(tmp_path / "copies", paths)
    assert np.array_equal(load_series(paths).array, load_series(copies).array)
    before, after = parse_header(paths[0]), parse_header(copies[0])
    assert (after.date - before.date).days == DAYS
    injected = pydicom.dcmread(copies[0]).RadiopharmaceuticalInformationSequence[0].RadiopharmaceuticalStartDateTime
    moved = dt.date(2020, 2, 29) + dt.timedelta(days=DAYS)
    assert injected == f"{moved:%Y%m%d}231500.00"
    assert after.text("SeriesTime") == "001500"


def test_bad_input_34_the_vendors_private_factor_is_kept(tmp_path):
    def edit(item, z):
        item.private_block(0x7053, "Philips PET Private Group", create=True).add_new(0x00, "DS", "0.000379")
        item.private_block(0x0009, "GEMS_PETD_01", create=True).add_new(0x0D, "DT", "20200102110000.00")
        item.private_block(0x7053, "Geheim", create=True).add_new(0x00, "DS", "0.5")

    paths = write_series(tmp_path / "original", modality="PT", pet={"Units": "CNTS"}, edit=edit)
    _, (copies,) = copied(tmp_path / "copies", paths)
    copy = pydicom.dcmread(copies[0])
    assert copy.private_block(0x7053, "Philips PET Private Group")[0x00].value == "0.000379"
    moved = dt.date(2020, 1, 2) + dt.timedelta(days=DAYS)
    assert str(copy.private_block(0x0009, "GEMS_PETD_01")[0x0D].value) == f"{moved:%Y%m%d}110000.00"
    assert leaks(tmp_path / "copies") == set()
    assert np.array_equal(load_series(paths).array, load_series(copies).array)
    assert "Retain Safe Private Option" in str(copy.DeidentificationMethodCodeSequence)


def test_contours_masks_doses_and_registrations_still_refer(tmp_path):
    series = write_series(tmp_path / "ct")
    write_rtstruct(tmp_path / "rs.dcm", [("GTV é", at_slice(RING, 4, AXIAL))])
    write_segmentation(tmp_path / "seg.dcm", series, {"Tumour": block_mask()})
    write_dose(tmp_path / "dose.dcm", np.arange(120.0).reshape(4, 5, 6), AXIAL.crop((0, 0, 0), (6, 5, 4)))
    matrix = np.array([[0, -1, 0, 5], [1, 0, 0, -3], [0, 0, 1, 2.5], [0, 0, 0, 1]])
    write_registration(tmp_path / "reg.dcm", "1.2.3", frame_uid(), matrix)
    names = ("rs.dcm", "seg.dcm", "dose.dcm", "reg.dcm")
    _, (images, rtstruct, seg, dose, reg) = copied(tmp_path / "copies", series, *[[tmp_path / name] for name in names])
    before, after = load_series(series), load_series(images)
    for original, copy in ((tmp_path / "rs.dcm", rtstruct[0]), (tmp_path / "seg.dcm", seg[0])):
        assert list_rois(original) == list_rois(copy)
        label = list_rois(copy)[0]
        mask = load_mask(copy, label, after).array
        assert mask.any() and np.array_equal(load_mask(original, label, before).array, mask)
        assert parse_header(copy).series_references == {KEY.uid(uid) for uid in
                                                        parse_header(original).series_references}
    assert np.array_equal(load_dose(tmp_path / "dose.dcm").array, load_dose(dose[0]).array)
    assert np.allclose(read_registration(reg[0]).matrix(KEY.uid("1.2.3"), KEY.uid(frame_uid())), matrix)


def test_identifiers_of_studies_series_and_slices_stay_distinct_and_consistent(tmp_path):
    paths = write_series(tmp_path / "original")
    _, (copies,) = copied(tmp_path / "copies", paths)
    headers = [pydicom.dcmread(path, stop_before_pixels=True) for path in copies]
    assert len({header.SOPInstanceUID for header in headers}) == len(paths)
    assert {header.SeriesInstanceUID for header in headers} == {KEY.uid(pydicom.dcmread(paths[0]).SeriesInstanceUID)}
    assert {header.SOPClassUID for header in headers} == {"1.2.840.10008.5.1.4.1.1.2"}
    assert {(header.PatientID, str(header.PatientName), header.PatientIdentityRemoved) for header in headers} == {
        (PSEUDONYM, PSEUDONYM, "YES")}
    assert all(header.file_meta.MediaStorageSOPInstanceUID == header.SOPInstanceUID for header in headers)
    assert headers[0].LongitudinalTemporalInformationModified == "MODIFIED"


def test_compressed_implicit_and_bare_files_keep_their_pixels(tmp_path):
    rle = write_series(tmp_path / "rle", syntax=pydicom.uid.RLELossless)
    bare = write_series(tmp_path / "bare", meta=False, series=2)
    implicit = write_series(tmp_path / "implicit", series=3,
                            edit=lambda item, z: setattr(item.file_meta, "TransferSyntaxUID",
                                                         pydicom.uid.ImplicitVRLittleEndian))
    for paths in (rle, bare, implicit):
        _, (copies,) = copied(tmp_path / "copies", paths)
        assert np.array_equal(load_series(paths).array, load_series(copies).array)


def test_the_same_originals_give_the_same_copies_once(planted, tmp_path):
    target = tmp_path / "copies"
    first, _ = copied(target, planted)
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in target.rglob("*.dcm")}
    again, _ = copied(target, planted)
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in target.rglob("*.dcm")} == before
    assert first.folders == again.folders and first.audit.equals(again.audit)
    copied(tmp_path / "elsewhere", planted)
    other = {path.relative_to(tmp_path / "elsewhere"): path.read_bytes() for path in
             (tmp_path / "elsewhere").rglob("*.dcm")}
    assert other == {path.relative_to(target): content for path, (content, _) in before.items()}
    assert not list(target.rglob("*.part"))


def test_faces_are_flagged(tmp_path):
    head = write_series(tmp_path / "a", edit=lambda item, z: setattr(item, "BodyPartExamined", "HEAD"))
    leg = write_series(tmp_path / "b", series=2, edit=lambda item, z: setattr(item, "BodyPartExamined", "LEG"))
    whole = write_series(tmp_path / "c", series=3, geometry=type(AXIAL)(AXIAL.size, (1.5, 0.75, 40.0)))
    pet = write_series(tmp_path / "d", series=4, modality="PT")
    for paths, flagged in ((head, True), (leg, False), (whole, True), (pet, False)):
        done, _ = copied(tmp_path / "copies", paths)
        assert ("face" in set(done.flags["flag"])) == flagged


def test_a_damaged_file_is_left_out_and_the_others_go_on(tmp_path):
    paths = write_series(tmp_path / "original")
    paths[3].write_bytes(paths[3].read_bytes()[:200])
    done, (copies,) = copied(tmp_path / "copies", paths)
    assert len(copies) == len(paths) - 1 and done.left_out["n"].sum() == 1


def test_the_decoders_corpus_is_copied_with_equal_pixels_or_refused_by_name():
    """146 files by many makers, one object each; none crashes the copier, none leaks its patient."""
    copies = 0
    for path in sorted(file for folder in corpus() for file in folder.rglob("*.dcm") if file.is_file()):
        try:
            content, _ = Copier(KEY).copy(path)
        except DataError:
            continue
        with pydicom.config.disable_value_validation(), warnings.catch_warnings(action="ignore"):
            original, copy = pydicom.dcmread(path, force=True), pydicom.dcmread(BytesIO(content))
            assert original.get("PixelData") == copy.get("PixelData"), path.name
            identity = [str(original.get(keyword, "")) for keyword in ("PatientName", "PatientID", "SOPInstanceUID")]
        assert not [text for text in identity if len(text) > 4 and text.encode() in content], path.name
        copies += 1
    assert copies > 25


# -- tables ------------------------------------------------------------------------------------------------------


@pytest.fixture
def visits() -> pd.DataFrame:
    return pd.DataFrame({
        "patient": ["SECRET-4711", "SECRET-4711", "B-22"],
        "visit": pd.to_datetime(["2020-01-02", "2020-03-01", None]),
        "note": ["SECRET-4711 vue le 02/01/2020, opérée le 1er mars 2020", None, "2020-01-02"],
        "stage": pd.Categorical(["T1", "T2", "T1"]), "dose": [1.5, 2.0, 3.0], "relapse": [True, False, True],
        "patient_name": ["Geheim", "Geheim", "Other"]})


def test_tables_get_pseudonyms_and_one_shift_per_patient(visits):
    result = deidentify_table(visits, "patient", KEY)
    frame = result.frame
    assert frame["patient"].tolist() == [PSEUDONYM, PSEUDONYM, KEY.pseudonym("B-22")]
    assert (frame["visit"] - visits["visit"]).dt.days[:2].tolist() == [DAYS, DAYS]
    assert pd.isna(frame["visit"][2]) and frame["visit"].dtype == visits["visit"].dtype
    moved = dt.date(2020, 1, 2) + dt.timedelta(days=DAYS)
    assert frame["note"][0].startswith(f"{PSEUDONYM} vue le {moved:%d/%m/%Y}, opérée le ")
    assert frame["note"][2] == str(dt.date(2020, 1, 2) + dt.timedelta(days=KEY.shift_days("B-22")))
    assert pd.isna(frame["note"][1])
    pd.testing.assert_frame_equal(frame[["stage", "dose", "relapse"]], visits[["stage", "dose", "relapse"]])
    assert "patient_name" not in frame and "patient_name" in " ".join(result.notes)
    assert any("check: note" in note for note in result.notes)
    assert visits["patient"][0] == "SECRET-4711"  # the original is as it was


def test_dates_written_as_numbers_or_kept_as_objects_move_too(visits):
    frame = visits[["patient"]].assign(number=[20200102, 20200301, 20200102], text=["20200102", None, "20200301"],
                                       day=[dt.date(2020, 1, 2), None, dt.date(2020, 3, 1)], count=[20200102, 5, 7])
    moved = deidentify_table(frame, "patient", KEY).frame
    first, other = (dt.date(2020, 1, 2) + dt.timedelta(days=DAYS),
                    dt.date(2020, 3, 1) + dt.timedelta(days=KEY.shift_days("B-22")))
    assert moved["number"][0] == int(f"{first:%Y%m%d}") and moved["number"].dtype == frame["number"].dtype
    assert moved["text"].tolist()[::2] == [f"{first:%Y%m%d}", f"{other:%Y%m%d}"]
    assert moved["day"].tolist()[::2] == [first, other]
    assert moved["count"].tolist() == [20200102, 5, 7]


def test_genes_are_not_taken_for_names():
    frame = pd.DataFrame({"patient": ["P-1"], "gene_name": ["TP53"], "nominal": [1.0], "drug name": ["x"]})
    assert list(deidentify_table(frame, "patient", KEY).frame) == list(frame)


def test_a_table_without_identifiers_is_refused():
    with pytest.raises(DataError, match="identifiers is missing"):
        deidentify_table(pd.DataFrame({"a": [1]}), "patient", KEY)
    with pytest.raises(DataError, match="identifiers is missing"):
        deidentify_table(pd.DataFrame({"patient": ["a", None]}), "patient", KEY)


def test_a_file_goes_into_the_study_de_identified(study, write):
    path = write("clinical.csv", "patient_id,nom,seen,text\nSECRET-4711,Geheim,2020-01-02,le 02/01/2020\n"
                 "B-22,Other,2020-01-03,rien\n")
    prepared = deidentify_prepared(study, prepare_file(study, path), KEY)
    add_prepared(study, prepared)
    table = study.table("clinical")
    assert PSEUDONYM in table.index and "nom" not in table
    assert (table.loc[PSEUDONYM, "seen"] - pd.Timestamp("2020-01-02")).days == DAYS
    content = b"".join(path.read_bytes() for path in study.path.rglob("*") if path.is_file())
    assert b"SECRET-4711" not in content and b"Geheim" not in content and b"02/01/2020" not in content


def test_one_patient_never_becomes_two(study, write):
    first = write("a.csv", "patient,x\nSECRET-4711,1\n")
    add_prepared(study, deidentify_prepared(study, prepare_file(study, first), KEY))
    second = prepare_file(study, write("b.csv", "patient,y\nSECRET-4711,1\n"))
    with pytest.raises(DataError, match="pseudonyms come from another key"):
        deidentify_prepared(study, second, Key(b"o" * 32))
    with pytest.raises(ProtectionError, match="the study is de-identified"):
        refuse_identified(study.path, second.frame["patient"], study.identifiers())
    refuse_identified(study.path, [PSEUDONYM], study.identifiers())
    turned = prepare_file(study, write("c.csv", "gene,SECRET-4711\nTP53,1\n"), id_column="gene")
    with pytest.raises(ProtectionError, match="1 columns are named by patients"):
        deidentify_prepared(study, turned, KEY)


def test_identified_tables_are_not_mixed_with_pseudonyms(study, write):
    add_prepared(study, prepare_file(study, write("a.csv", "patient,x\nSECRET-4711,1\n")))
    with pytest.raises(DataError, match="1 of the patients are in the study already, under their own identifiers"):
        deidentify_prepared(study, prepare_file(study, write("b.csv", "patient,y\nSECRET-4711,1\n")), KEY)


def test_columns_that_look_like_identifiers_are_told():
    frame = pd.DataFrame({"patient": [f"P-{i:03d}" for i in range(20)], "record": range(20), "age": [50] * 20,
                          "size": np.linspace(0, 1, 20)})
    assert "check: record." in deidentify_table(frame, "patient", KEY).notes[-1]


def test_images_and_tables_of_a_patient_move_together(tmp_path, visits):
    paths = write_series(tmp_path / "original")
    _, (copies,) = copied(tmp_path / "copies", paths)
    day = pd.Timestamp(parse_header(copies[0]).date)
    assert day == deidentify_table(visits, "patient", KEY).frame["visit"][0]
    shutil.rmtree(tmp_path / "original")


@pytest.mark.realdata
def test_real_pet_and_contours_are_equal_after_de_identification(real_data, tmp_path):
    folder = real_data / "sts" / "dicom" / "STS_002" / "PET"
    images, contours = sorted((folder / "image").iterdir()), sorted((folder / "mask").iterdir())
    done = copy_dicom({"STS_002": [images, contours]}, tmp_path / "copies", KEY, Progress(), jobs=1)
    copies, rtstruct = (sorted(one.iterdir()) for one in done.folders)
    before, after = load_series(images), load_series(copies)
    assert np.array_equal(before.array, after.array) and before.geometry == after.geometry
    assert np.array_equal(load_mask(contours[0], "GTV_Mass_PET", before).array,
                          load_mask(rtstruct[0], "GTV_Mass_PET", after).array)
    assert not [path for path in (tmp_path / "copies").rglob("*.dcm") if b"STS_002" in path.read_bytes()]
