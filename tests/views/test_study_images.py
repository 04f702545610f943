"""Images and ROIs of a study as they are looked through: files that changed are refused, patients are not named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import medomicslab_nb as ml
from medomicslab_nb.data.image_table import stored
from medomicslab_nb.data.images import import_dicom, import_image_list
from medomicslab_nb.errors import DataError
from medomicslab_nb.imaging.geometry import Geometry
from medomicslab_nb.imaging.loading import resolve
from medomicslab_nb.imaging.volumes import Volume, read_labels, write_volume
from medomicslab_nb.study import Study
from medomicslab_nb.views.study_images import StudyImage, images_of
from medomicslab_nb.views.study_viewer import open_viewer
from tests.data.test_images import contours, roi
from tests.imaging.contour_factory import frame_uid, write_registration
from tests.imaging.dicom_factory import write_series

GRID = Geometry((6, 7, 5), (1.0, 1.0, 2.0))


def one_ct(folder: Path) -> Study:
    """One CT without a date, with one ROI whose name holds the patient's identifier."""
    given = folder / "given"
    given.mkdir()
    write_volume(Volume(np.zeros(GRID.shape, dtype=np.float32), GRID), given / "a.nii.gz")
    write_volume(Volume(np.random.default_rng(0).random(GRID.shape) > 0.5, GRID), given / "b.nii.gz")
    pd.DataFrame({"patient": ["PAT-0001"], "modality": ["CT"], "image": ["a.nii.gz"], "mask": ["b.nii.gz"],
                  "roi": ["node of PAT-0001"], "date": [None]}).to_csv(given / "list.csv", index=False)
    made = ml.create_study(folder / "study")
    import_image_list(made, given / "list.csv")
    return made


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return one_ct(tmp_path)


def only(study: Study) -> StudyImage:
    [image] = images_of(study)["PAT-0001"]
    return image


def test_mask_that_was_overwritten_after_the_import_is_not_shown(study: Study) -> None:
    image = only(study)
    path = resolve(study.path, image.rois[0]["mask"])
    mask = read_labels(path)
    assert list(image.masks(image.load())[0]) == ["node of PAT-0001"]
    write_volume(mask.with_array(~mask.array.astype(bool)), path)
    shown, faults = image.masks(image.load())
    assert not shown
    assert len(faults) == 1 and "changed since it was added" in faults[0]
    viewer = open_viewer(image)
    assert not viewer.rois and "changed since it was added" in viewer.fault
    viewer.close()


def test_registration_that_was_overwritten_after_the_import_is_not_used(tmp_path: Path) -> None:
    export = tmp_path / "export"
    write_series(export / "ct", patient_id="PAT-1")
    contours(export / "rs.dcm", roi("GTV"), frame="other")
    registration = write_registration(export / "reg.dcm", frame_uid("other", "PAT-1"), frame_uid(1, "PAT-1"), np.eye(4),
                                      edit=lambda item: setattr(item, "PatientID", "PAT-1"))
    study = ml.create_study(tmp_path / "study")
    import_dicom(study, export, jobs=1)
    [image] = images_of(study)["PAT-1"]
    assert image.rois[0]["registration"]
    assert list(image.masks(image.load())[0]) == ["GTV"]
    registration.write_bytes(registration.read_bytes() + b"\0")
    shown, faults = image.masks(image.load())
    assert not shown and "changed since it was added" in faults[0]


def test_what_a_viewer_says_of_a_roi_names_no_patient(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise DataError("the ROI is empty", where="file b.nii.gz, ROI 'node of PAT-0001'")

    monkeypatch.setattr(StudyImage, "mask", refused)
    viewer = open_viewer(only(study))
    assert "the ROI is empty" in viewer.fault and "PAT-0001" not in viewer.fault
    viewer.close()


def test_image_without_a_date(study: Study) -> None:
    assert (only(study).label, only(study).day) == ("CT", "")
    assert stored(study, "images")["date"].isna().all()


def test_fusion_by_a_registration_that_was_overwritten_is_refused(tmp_path: Path) -> None:
    export = tmp_path / "export"
    write_series(export / "ct", patient_id="PAT-1")
    write_series(export / "pet", patient_id="PAT-1", modality="PT", series="pet", frame="other")
    contours(export / "rs.dcm", roi("GTV"), frame="other")
    registration = write_registration(export / "reg.dcm", frame_uid("other", "PAT-1"), frame_uid(1, "PAT-1"), np.eye(4),
                                      edit=lambda item: setattr(item, "PatientID", "PAT-1"))
    study = ml.create_study(tmp_path / "study")
    import_dicom(study, export, jobs=1)
    ct, pet = images_of(study)["PAT-1"]
    viewer = open_viewer(ct, pet)
    assert [one["modality"] for one in viewer.images] == ["CT", "PT"]
    viewer.close()
    registration.write_bytes(registration.read_bytes() + b"\0")
    with pytest.raises(DataError, match="changed since it was added"):
        open_viewer(ct, pet)
