"""The picker of series: what a scan shows, pictures on demand, exactly what was chosen is added, nothing is stored."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

import medomicslab_nb as ml
from medomicslab_nb.errors import DataError
from medomicslab_nb.imaging.volumes import write_volume
from medomicslab_nb.pseudonyms import new_key, read_key
from medomicslab_nb.study import Study
from medomicslab_nb.views.scan_picker import ScanPicker
from tests.data.test_images import SMALL, contours, ct, roi
from tests.image_study import lesion, texture
from tests.imaging.dicom_factory import write_series
from tests.views.talking import Talk, until

PATIENTS = ("PAT-4711", "PAT-4712")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("written") / "export"
    for patient in PATIENTS:
        ct(folder / patient / "ct", patient)
        write_series(folder / patient / "pet", patient_id=patient, modality="PT", series="pet")
        contours(folder / patient / "rs" / "a.dcm", roi("GTV"), roi("Lung", SMALL), patient=patient)
    (folder / "README.txt").write_text("no image")
    return folder


@pytest.fixture
def export(written: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    return Path(shutil.copytree(written, tmp_path / "export"))


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return ml.create_study(tmp_path / "study")


@pytest.fixture
def added() -> list[str]:
    return []


@pytest.fixture
def talk(study: Study, added: list[str]) -> Talk:
    return Talk(ScanPicker(study, lambda: added.append("added")))


def scanned(talk: Talk, source: Path) -> list[dict]:
    talk.widget.scan(source)
    talk.widget.wait()
    assert talk.widget.state["state"] == "done", talk.ask("told")
    return talk.ask("cards")["cards"]


def key_of(cards: list[dict], patient: str, modality: str) -> str:
    return next(card["key"] for card in cards if (card["patient"], card["modality"]) == (patient, modality))


def add(talk: Talk, **values: object) -> dict:
    assert talk.ask("add", **values) == {"started": True}
    talk.widget.wait()
    return talk.ask("told")


def files_of(study: Study) -> set[Path]:
    return {path for path in study.path.rglob("*") if path.is_file()}


def test_cards_say_what_a_series_is(talk: Talk, export: Path) -> None:
    cards = scanned(talk, export)
    assert [(card["patient"], card["modality"]) for card in cards] == [
        (patient, modality) for patient in PATIENTS for modality in ("CT", "PT")]
    first = cards[0]
    assert (first["date"], first["files"], first["size"]) == ("2020-01-02", 30, "15 x 15 x 90 mm")
    assert first["rois"] == [{"name": "GTV", "problem": ""}, {"name": "Lung", "problem": ""}]
    assert first["usable"]
    assert talk.widget.found == {"patients": 2, "series": 4, "modalities": {"CT": 2, "PT": 2}, "rois": 4, "cards": 4}
    assert "Left out (1): the file is no DICOM file" in talk.ask("cards")["left_out"]


def test_no_patient_stands_in_synced_state_and_nothing_is_stored(talk: Talk, export: Path, study: Study) -> None:
    before = files_of(study)
    scanned(talk, export)
    state = str(talk.widget.get_state())
    assert not any(patient in state for patient in PATIENTS)
    assert str(export) not in state
    assert files_of(study) == before


def test_exactly_what_was_chosen_is_added(talk: Talk, export: Path, study: Study, added: list[str]) -> None:
    cards = scanned(talk, export)
    told = add(talk, chosen={key_of(cards, PATIENTS[1], "CT"): [1], key_of(cards, PATIENTS[0], "PT"): []})
    images = study.table("images")
    assert list(zip(images.index, images["modality"], images["roi"], strict=True)) == [
        (PATIENTS[0], "PT", ""), (PATIENTS[1], "CT", "Lung")]
    assert told["fault"] == ""
    assert told["report"][0] == "Added: 2 patients, 2 images, 1 ROIs."
    assert added == ["added"]


@pytest.mark.parametrize("chosen", [{}, {"s99": []}, {"x1": [0]}])
def test_choice_of_nothing_is_refused(talk: Talk, export: Path, chosen: dict) -> None:
    scanned(talk, export)
    assert "nothing was chosen" in talk.fault("add", chosen=chosen)


def test_pattern_chooses_as_the_import_does(talk: Talk, export: Path) -> None:
    cards = scanned(talk, export)
    assert talk.ask("match", pattern="gtv*") == {"rois": {key_of(cards, patient, "CT"): [0] for patient in PATIENTS}}
    assert "no ROI fits Kidney" in talk.fault("match", pattern="Kidney")
    assert talk.ask("match", pattern=" , ") == {"rois": {}}


def test_pictures_come_to_the_tab_that_asked(talk: Talk, export: Path) -> None:
    keys = [card["key"] for card in scanned(talk, export)]
    talk.ask("pictures", keys=[*keys[:2], "d0", "nonsense"])
    pictures = until(lambda: (found := [(content, buffers) for content, buffers in talk.sent if "picture" in content])
                     and len(found) == 2 and found)
    assert {content["picture"] for content, _ in pictures} == set(keys[:2])
    assert all(content["token"] == talk.token and buffers[0].startswith(b"\x89PNG") for content, buffers in pictures)


def test_series_that_cannot_be_drawn_has_no_picture_and_others_do(talk: Talk, export: Path) -> None:
    cards = scanned(talk, export)
    for file in (export / PATIENTS[0] / "ct").iterdir():
        file.write_bytes(b"")
    keys = [key_of(cards, patient, "CT") for patient in PATIENTS]
    talk.ask("pictures", keys=keys)
    sent = until(lambda: (found := {content["picture"]: buffers for content, buffers in talk.sent
                                    if "picture" in content}) and len(found) == 2 and found)
    assert sent[keys[0]] == []
    assert len(sent[keys[1]]) == 1


def test_archive_leaves_nothing_in_the_study_before_it_is_added(talk: Talk, export: Path, study: Study,
                                                                tmp_path: Path) -> None:
    archive = Path(shutil.make_archive(str(tmp_path / "export"), "zip", export))
    before = files_of(study)
    cards = scanned(talk, archive)
    assert files_of(study) == before
    add(talk, chosen={key_of(cards, PATIENTS[0], "CT"): [0]})
    assert list(study.table("images")["roi"]) == ["GTV"]


def test_broken_series_is_told_in_words_and_cannot_be_chosen(talk: Talk, export: Path) -> None:
    sorted((export / PATIENTS[0] / "ct").iterdir())[4].unlink()
    cards = scanned(talk, export)
    broken = next(card for card in cards if (card["patient"], card["modality"]) == (PATIENTS[0], "CT"))
    assert not broken["usable"]
    assert broken["problem"]
    assert "nothing was chosen" in talk.fault("add", chosen={broken["key"]: [0]})


def test_folder_without_images_is_told(talk: Talk, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    talk.widget.scan(tmp_path / "empty")
    talk.widget.wait()
    assert talk.widget.state["state"] == "failed"
    assert "no DICOM images" in talk.ask("told")["fault"]
    assert "nothing was scanned" in talk.fault("add", chosen={})


def test_key_gives_pseudonyms_and_a_bad_one_is_refused(talk: Talk, export: Path, study: Study,
                                                       tmp_path: Path) -> None:
    cards = scanned(talk, export)
    chosen = {key_of(cards, PATIENTS[0], "CT"): [1]}
    assert "the file is missing" in talk.fault("add", chosen=chosen, key_file=str(tmp_path / "nothing.yaml"))
    key = new_key(tmp_path / "key.yaml")
    told = add(talk, chosen=chosen, key_file=str(key))
    images = study.table("images")
    assert list(images.index) == [read_key(key).pseudonym(PATIENTS[0])]
    assert list(images["roi"]) == ["Lung"]
    assert PATIENTS[0] not in str(told)


def test_identified_patients_are_refused_in_a_study_of_pseudonyms(talk: Talk, export: Path, study: Study,
                                                                  tmp_path: Path) -> None:
    cards = scanned(talk, export)
    add(talk, chosen={key_of(cards, PATIENTS[0], "CT"): []}, key_file=str(new_key(tmp_path / "key.yaml")))
    assert "de-identified" in talk.ask("cards")["warning"]
    told = add(talk, chosen={key_of(cards, PATIENTS[1], "CT"): []})
    assert "de-identified" in told["fault"]
    assert talk.widget.state["state"] == "failed"
    assert PATIENTS[1] not in study.table("images").index


def test_cancel_ends_the_scan(talk: Talk, export: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(_: object, progress: object) -> None:
        with progress.task("reading", total=1000) as step:
            with pytest.raises(DataError, match="under way"):
                talk.widget.scan(export)
            talk.reply("cancel")
            step()
        raise DataError("it went on")

    monkeypatch.setattr("medomicslab_nb.views.scan_picker.scan_folder", slow)
    talk.widget.scan(export)
    talk.widget.wait()
    assert talk.widget.state["state"] == "cancelled"


def test_list_of_volumes_is_added_as_a_whole(talk: Talk, study: Study, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    mask = lesion(rng)
    folder = tmp_path / "nifti" / "VOL-0001"
    folder.mkdir(parents=True)
    write_volume(texture(rng, mask, 4.0), folder / "CT_image.nii.gz")
    write_volume(mask, folder / "CT_mask.nii.gz")
    assert scanned(talk, tmp_path / "nifti") == []
    assert "1 images with masks, 1 patients" in talk.ask("cards")["listed"]
    add(talk)
    assert list(study.table("images").index) == ["VOL-0001"]
