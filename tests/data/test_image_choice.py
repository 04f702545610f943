"""A choice of series and ROIs: exactly what was chosen comes into the study."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset

import medomicslab_nb as ml
from medomicslab_nb.data.image_choice import Choice, choose, rois_of
from medomicslab_nb.data.image_scan import ImageScan, scan_folder, thumbnail
from medomicslab_nb.data.images import import_dicom
from medomicslab_nb.errors import DataError
from medomicslab_nb.progress import Progress
from medomicslab_nb.pseudonyms import Key
from tests.data.test_images import SMALL, contours, ct, roi
from tests.imaging.contour_factory import frame_uid, write_dose
from tests.imaging.dicom_factory import AXIAL, uid, write_series

KEY = Key(b"k" * 32)


@pytest.fixture
def export(tmp_path: Path) -> Path:
    """Two patients with CT and PET; two ROIs on each CT, one on each PET, a dose for the first patient."""
    folder = tmp_path / "export"
    for patient in ("PAT-1", "PAT-2"):
        root = folder / patient
        ct(root / "ct", patient)
        write_series(root / "pet", patient_id=patient, modality="PT", series="pet")
        contours(root / "rs1" / "a.dcm", roi("GTV"), roi("Lung", SMALL), patient=patient)
        contours(root / "rs2" / "b.dcm", roi("GTV"), patient=patient, series="pet")
    return folder


def place(found: ImageScan, patient: str, modality: str) -> int:
    return next(i for i, one in enumerate(found.series) if (one.patient_id, one.modality) == (patient, modality))


def scanned(folder: Path) -> ImageScan:
    return scan_folder(folder, Progress(), jobs=1)


@pytest.mark.parametrize("key", [None, KEY])
def test_one_series_with_one_of_its_rois(export: Path, tmp_path: Path, key: Key | None) -> None:
    found = scanned(export)
    number = place(found, "PAT-2", "CT")
    labels = [one.labels[i] for one, i in rois_of(found, found.series[number])]
    assert sorted(labels) == ["GTV", "Lung"]
    study = ml.create_study(tmp_path / "study")
    report = import_dicom(study, export, choice=choose(found, {number: {labels.index("Lung")}}), deidentify=key, jobs=1)
    images = study.table("images")
    assert list(images.index) == ["PAT-2" if key is None else KEY.pseudonym("PAT-2")]
    assert list(images["modality"] + images["roi"]) == ["CTLung"]
    assert (report.patients, report.series, report.rois) == (1, 1, 1)


@pytest.mark.parametrize("key", [None, KEY])
@pytest.mark.parametrize(("on_ct", "on_pet", "expected"), [
    ({"GTV"}, set(), {"CT GTV", "PT "}), ({"GTV"}, {"GTV", "Lung"}, {"CT GTV", "PT GTV", "PT Lung"}),
    ({"GTV"}, {"Lung"}, {"CT GTV", "PT Lung"})])
def test_roi_of_a_file_drawn_on_two_series_is_imported_where_it_was_chosen_only(
        tmp_path: Path, key: Key | None, on_ct: set[str], on_pet: set[str], expected: set[str]) -> None:
    folder = tmp_path / "export"
    ct(folder / "ct", "PAT-1")
    write_series(folder / "pet", patient_id="PAT-1", modality="PT", series="pet")

    def on_both(item: Dataset) -> None:
        named = item.ReferencedFrameOfReferenceSequence[0].RTReferencedStudySequence[0].RTReferencedSeriesSequence
        named.append(deepcopy(named[0]))
        named[1].SeriesInstanceUID = uid("series", "PAT-1", 1, "pet")

    contours(folder / "rs.dcm", roi("GTV"), roi("Lung", SMALL), edit=on_both)
    found = scanned(folder)
    chosen = {}
    for modality, wanted in (("CT", on_ct), ("PT", on_pet)):
        number = place(found, "PAT-1", modality)
        labels = [one.labels[i] for one, i in rois_of(found, found.series[number])]
        assert sorted(labels) == ["GTV", "Lung"]
        chosen[number] = {i for i, label in enumerate(labels) if label in wanted}
    study = ml.create_study(tmp_path / "study")
    import_dicom(study, folder, choice=choose(found, chosen), deidentify=key, jobs=1)
    images = study.table("images")
    assert sorted(images["modality"] + " " + images["roi"]) == sorted(expected)


def test_series_without_any_roi(export: Path, tmp_path: Path) -> None:
    found = scanned(export)
    study = ml.create_study(tmp_path / "study")
    chosen = {place(found, "PAT-1", "PT"): (), place(found, "PAT-2", "PT"): {0}}
    import_dicom(study, export, choice=choose(found, chosen), jobs=1)
    assert list(study.table("images")["roi"]) == ["", "GTV"]


@pytest.mark.parametrize(("doses", "modalities"), [((), {"CT"}), ((0,), {"CT", "RTDOSE"})])
def test_dose_only_when_it_is_chosen(export: Path, tmp_path: Path, doses: tuple[int, ...],
                                     modalities: set[str]) -> None:
    write_dose(export / "PAT-1" / "dose.dcm", np.ones(AXIAL.shape), AXIAL, frame=frame_uid(1, "PAT-1"),
               edit=lambda item: setattr(item, "PatientID", "PAT-1"))
    found = scanned(export)
    assert len(found.doses) == 1
    study = ml.create_study(tmp_path / "study")
    import_dicom(study, export, choice=choose(found, {place(found, "PAT-1", "CT"): {0}}, doses), jobs=1)
    assert set(study.table("images")["modality"]) == modalities


def test_empty_choice_stores_nothing(export: Path, tmp_path: Path) -> None:
    study = ml.create_study(tmp_path / "study")
    with pytest.raises(DataError, match="there are no CT, MR or PET images"):
        import_dicom(study, export, choice=Choice(), jobs=1)
    assert not study.tables


def test_thumbnail_reads_the_middle_of_a_series_only(export: Path) -> None:
    found = scanned(export)
    one = found.series[place(found, "PAT-1", "CT")]
    for file in (*one.files[:6], *one.files[-4:]):
        if file not in one.files[len(one.files) // 2 - 1:len(one.files) // 2 + 2]:
            file.write_bytes(b"")
    assert thumbnail(one).startswith(b"\x89PNG")
